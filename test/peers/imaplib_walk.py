"""Every command that Python's imaplib has, in one walk; prints what came back as JSON.

imaplib_walk.py HOST PORT USER PASSWORD OTHER_USER CAFILE
"""
import imaplib
import json
import ssl
import sys

host, port, user, password, other, cafile = sys.argv[1:7]
out = {}
called = set()


def text(data):
    return [part.decode("latin1") if isinstance(part, bytes) else part if part is None else part[1].decode("latin1") for part in data]


def do(name, *args):
    called.add(name)
    status, data = getattr(client, name)(*args)
    assert status == "OK", (name, args, status, data)
    return text(data)


MESSAGE = "From: Rita <rita@remote.test>\r\nTo: anna@us.test\r\nSubject: %s\r\nDate: %d Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@walk.test>\r\n%s\r\nBody of %s.\r\n"

client = imaplib.IMAP4(host, int(port))
out["welcome"] = client.welcome.decode()
# CRAM-MD5 and proxies are not ours: PLAIN by the general way, then out and in again by LOGIN.
called.add("authenticate")
status, _ = client.authenticate("PLAIN", lambda challenge: ("\0%s\0%s" % (user, password)).encode())
assert status == "OK"
called.add("logout")
assert client.logout()[0] == "BYE"
client = imaplib.IMAP4(host, int(port))
called.add("starttls")
assert client.starttls(ssl.create_default_context(cafile=cafile))[0] == "OK"
do("login", user, password)
out["capability"] = do("capability")[0].split()
do("noop")
out["namespace"] = do("namespace")

do("create", "Walk")
do("create", "Walk/Below")
do("subscribe", "Walk")
out["lsub"] = do("lsub")
out["list"] = do("list", '""', "Walk*")
do("unsubscribe", "Walk")
do("rename", "Walk/Below", "Walk/Beneath")
do("delete", "Walk/Beneath")

for n, (subject, more) in enumerate((("Zoo", ""), ("apple", ""), ("Re: Zoo", "References: <1@walk.test>\r\n"))):
    do("append", "Walk", "(\\Flagged)" if n == 1 else None, imaplib.Time2Internaldate(86400.0 * n), (MESSAGE % (subject, 9 - n, n + 1, more, subject)).encode())
out["select"] = do("select", "Walk")
called.add("response")
out["uidvalidity"] = text(client.response("UIDVALIDITY")[1])
out["status"] = do("status", "Walk", "(MESSAGES UIDNEXT UNSEEN RECENT)")
do("check")
out["recent"] = do("recent")
out["fetch"] = do("fetch", "1:3", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
out["partial"] = text(client.fetch("1", "(BODY.PEEK[TEXT]<0.4>)")[1])
out["search"] = do("search", None, "FLAGGED")
out["search utf-8"] = do("search", "UTF-8", "SUBJECT", '"zoo"')
out["sort"] = do("sort", "(SUBJECT)", "UTF-8", "ALL")
out["thread"] = do("thread", "REFERENCES", "UTF-8", "ALL")
out["uid sort"] = text(client.uid("SORT", "(REVERSE DATE)", "US-ASCII", "ALL")[1])
out["uid thread"] = text(client.uid("THREAD", "ORDEREDSUBJECT", "US-ASCII", "ALL")[1])
called.add("uid")
out["store"] = do("store", "1", "+FLAGS", "(\\Seen walked)")
do("copy", "2", "Trash")
out["uid move"] = text(client.uid("MOVE", "2", "Archive")[1])
out["moved"] = text(client.response("COPYUID")[1])
do("store", "1", "+FLAGS", "(\\Deleted)")
out["expunge"] = do("expunge")

do("setacl", "Walk", other, "lr")
out["getacl"] = do("getacl", "Walk")
out["myrights"] = do("myrights", "Walk")
do("deleteacl", "Walk", other)
out["getquotaroot"] = [text(part) for part in client.getquotaroot("Walk")[1]]
called.add("getquotaroot")
# It hands on what it is given: the root as the server wrote it, quotes and all.
root = out["getquotaroot"][0][0][len("Walk "):]
out["getquota"] = do("getquota", root)
called.add("setquota")
out["setquota"] = client.setquota(root, "(STORAGE 512)")[0]

called.update(("xatom", "id"))  # xatom makes it a command of its own
out["xatom"] = [client.xatom("ID", 'NIL')[0], text(client.response("ID")[1])]
do("unselect")
out["readonly"] = text(client.select("Walk", readonly=True)[1])
called.add("select")
do("close")
called.add("enable")
out["enable"] = client.enable("UTF8=ACCEPT")[0]
do("create", '"Entwürfe & mehr"')
out["utf8 list"] = [part.decode("utf-8") for part in client.list('""', '"Entw*"')[1]]
called.add("shutdown")
client.shutdown()

commands = {name.lower() for name in imaplib.Commands}
out["not called"] = sorted(commands - called)
print(json.dumps(out))
