"""Reads a mailbox with Python's own poplib and prints what it saw as JSON: a second opinion on our POP3.

pop3_probe.py HOST PORT USER PASSWORD [--ssl CAFILE | --stls CAFILE] [--delete NUMBER]
"""
import json
import poplib
import ssl
import sys

host, port, user, password = sys.argv[1:5]
options = dict(zip(sys.argv[5::2], sys.argv[6::2]))
ca = options.get("--ssl") or options.get("--stls")
context = ssl.create_default_context(cafile=ca) if ca else None
if "--ssl" in options:
    client = poplib.POP3_SSL(host, int(port), context=context)
else:
    client = poplib.POP3(host, int(port))
    if "--stls" in options:
        client.stls(context)
before = sorted(client.capa())
client.utf8()
client.user(user)
client.pass_(password)
count, octets = client.stat()
listed = [line.decode() for line in client.list()[1]]
uidl = [line.decode() for line in client.uidl()[1]]
messages = []
for number in range(1, count + 1):
    _, lines, size = client.retr(number)
    _, top, _ = client.top(number, 1)
    messages.append({
        "size": sum(len(line) + 2 for line in lines),
        "text": b"\n".join(lines).decode("latin1"),
        "top": b"\n".join(top).decode("latin1"),
    })
if "--delete" in options:
    client.dele(int(options["--delete"]))
client.quit()
print(json.dumps({"capa": before, "count": count, "octets": octets, "list": listed, "uidl": uidl, "messages": messages}))
