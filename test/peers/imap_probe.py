"""Reads a mailbox with Python's own imaplib and prints what it saw as JSON: a second opinion on our IMAP.

imap_probe.py HOST PORT USER PASSWORD MAILBOX [--ssl CAFILE | --starttls CAFILE]
"""
import base64
import imaplib
import json
import ssl
import sys

host, port, user, password, mailbox = sys.argv[1:6]
mode, ca = (sys.argv[6], sys.argv[7]) if len(sys.argv) > 7 else (None, None)
context = ssl.create_default_context(cafile=ca) if ca else None
if mode == "--ssl":
    client = imaplib.IMAP4_SSL(host, int(port), ssl_context=context)
else:
    client = imaplib.IMAP4(host, int(port))
    if mode == "--starttls":
        client.starttls(context)
client.login(user, password)
status, count = client.select(mailbox)
assert status == "OK", (status, count)
_, found = client.uid("SEARCH", None, "ALL")
messages = []
for uid in found[0].split():
    _, data = client.uid("FETCH", uid, "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
    literal = next(part for part in data if isinstance(part, tuple))
    messages.append({"uid": int(uid), "meta": literal[0].decode("latin1"), "message": base64.b64encode(literal[1]).decode()})
_, folders = client.list()
client.logout()
print(json.dumps({"count": int(count[0]), "messages": messages, "folders": [line.decode() for line in folders], "capabilities": list(client.capabilities)}))
