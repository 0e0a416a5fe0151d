"""A second ManageSieve client, in another language: pipelining, literals cut in pieces, STARTTLS, SCRAM. Prints "ok"; any surprise is an exception."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import sys

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Client:
    def __init__(self):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data)

    def response(self):
        lines = []
        while True:
            line = self.file.readline()
            assert line.endswith(b"\r\n"), line
            while line.rstrip().endswith(b"}"):
                size = int(line[line.rindex(b"{") + 1 : line.rindex(b"}")])
                line = line + self.file.read(size) + self.file.readline()
                if size >= 0:
                    break
            lines.append(line)
            if line[:2] in (b"OK", b"NO") or line[:3] == b"BYE":
                return lines

    def expect(self, start):
        lines = self.response()
        assert lines[-1].startswith(start), lines
        return lines

    def starttls(self):
        # What is sent in clear with the command must not be obeyed afterwards.
        self.send(b'STARTTLS\r\nNOOP "injected"\r\n')
        self.expect(b"OK")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self.file = self.sock.makefile("rb")
        lines = self.expect(b"OK")
        assert not any(b"STARTTLS" in line for line in lines), lines
        assert not any(b"injected" in line for line in lines), lines


client = Client()
client.expect(b"OK")
client.starttls()
login = base64.b64encode(b"\0" + user.encode() + b"\0" + password.encode())

# Everything in one packet, the login with its initial response first (RFC 5804 section 2).
script = 'require "fileinto";\r\nif header :contains "subject" "gr\u00fc\u00dfe" { fileinto "Gr\u00fc\u00dfe"; }\r\n'.encode()
batch = b'AUTHENTICATE "PLAIN" "' + login + b'"\r\n'
for n in range(30):
    batch += b'PUTSCRIPT "s%d" {%d+}\r\n%s\r\n' % (n, len(script), script)
batch += b'NOOP "after"\r\n'
client.send(batch)
client.expect(b"OK")
for n in range(30):
    client.expect(b"OK")
client.expect(b"OK (TAG")

# One octet at a time.
for octet in b'GETSCRIPT {2+}\r\ns7\r\n':
    client.send(bytes([octet]))
answer = b"".join(client.expect(b"OK"))
assert answer.startswith(b"{%d}\r\n%s\r\nOK" % (len(script), script)), answer

# A large script in many pieces.
large = b"# " + b"x" * 70 + b"\r\n"
large = large * 3000 + b"keep;\r\n"
client.send(b'PUTSCRIPT "large" {%d+}\r\n' % len(large))
for at in range(0, len(large), 10007):
    client.send(large[at : at + 10007])
client.send(b"\r\n")
client.expect(b"OK")
client.send(b'GETSCRIPT "large"\r\n')
answer = b"".join(client.expect(b"OK"))
assert answer.startswith(b"{%d}\r\n" % len(large)) and large in answer

# Too large: refused, and the session goes on.
client.send(b'PUTSCRIPT "huge" {20000000+}\r\n')
block = b"#" * 100000
for n in range(200):
    client.send(block)
client.send(b"\r\nLISTSCRIPTS\r\n")
client.expect(b"NO (QUOTA/MAXSIZE)")
assert len(client.expect(b"OK")) == 32
client.send(b"LOGOUT\r\n")
client.expect(b"OK")
assert client.file.read() == b""


def scram():
    """SCRAM-SHA-256 (RFC 7677): the server's last word travels with the OK."""
    client = Client()
    client.expect(b"OK")
    client.starttls()
    nonce = base64.b64encode(os.urandom(18)).decode()
    bare = "n=%s,r=%s" % (user, nonce)
    encode = lambda text: base64.b64encode(text.encode())
    client.send(b'AUTHENTICATE "SCRAM-SHA-256" "' + encode("n,," + bare) + b'"\r\n')
    challenge = base64.b64decode(client.file.readline().strip().strip(b'"')).decode()
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    assert fields["r"].startswith(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    keyed = lambda key, text: hmac.new(key, text.encode(), hashlib.sha256).digest()
    final = "c=biws,r=" + fields["r"]
    signed = ",".join((bare, challenge, final))
    key = keyed(salted, "Client Key")
    proof = bytes(a ^ b for a, b in zip(key, keyed(hashlib.sha256(key).digest(), signed)))
    answer = base64.b64encode((final + ",p=" + base64.b64encode(proof).decode()).encode())
    # As a literal, for once.
    client.send(b"{%d+}\r\n%s\r\n" % (len(answer), answer))
    line = client.expect(b"OK (SASL ")[-1]
    said = base64.b64decode(line.split(b'"')[1]).decode()
    assert said == "v=" + base64.b64encode(keyed(keyed(salted, "Server Key"), signed)).decode(), said
    client.send(b"LISTSCRIPTS\r\n")
    assert len(client.expect(b"OK")) == 32


scram()
print("ok")
