"""A policy server (Postfix SMTPD_POLICY_README): answers by the local part of the sender, and dies in mid-question when asked to."""
import os
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        question = {}
        for line in self.rfile:
            name, _, value = line.decode().rstrip("\n").partition("=")
            if name:
                question[name] = value
                continue
            action = question.get("sender", "").split("@")[0]
            if action == "die":
                self.wfile.write(b"action=dun")
                self.wfile.flush()
                os._exit(1)
            answer = {"refuse": "REJECT not by us", "later": "DEFER_IF_PERMIT come back", "mark": "PREPEND X-Policy: %s %s" % (question["client_address"], question["recipient"])}
            self.wfile.write(("action=%s\n\n" % answer.get(action, "DUNNO")).encode())
            question = {}


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


Server(sys.argv[1], Handler).serve_forever()
