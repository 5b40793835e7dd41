#!/usr/bin/python3
"""A mail server for tests, of python3-aiosmtpd.

	smtpd.py DIR none|starttls|smtps [USER:PASSWORD]

Prints "PORT" and serves until its standard input ends.  With TLS it makes a
certificate of mail.test, DIR/ca.pem.  What it takes is added to DIR/messages,
a JSON object a line, read by Python's own parser.  Recipients: nobody@ gets
550; later@ 451 the first two times; hang@ no answer after its message.
Without aiosmtpd it exits with 77.
"""
import asyncio
import email
import email.policy
import json
import os
import socket
import ssl
import subprocess
import sys

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, AuthResult
except ImportError:
    sys.exit(77)


class Handler:
    def __init__(self, folder):
        self.folder, self.later = folder, 0

    def note(self, what):
        with open(os.path.join(self.folder, "messages"), "a", encoding="utf-8") as f:
            f.write(json.dumps(what) + "\n")

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such person"
        if address.startswith("later@") and self.later < 2:
            self.later += 1
            return "451 4.7.1 come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("hang@"):
            self.note({"hanging": True})
            await asyncio.sleep(600)
        m = email.message_from_bytes(envelope.content, policy=email.policy.default)
        html = m.get_body(("html",))
        self.note({
            "mail_from": envelope.mail_from, "rcpt": envelope.rcpt_tos,
            "tls": session.ssl is not None, "user": session.auth_data or "",
            "from": str(m["from"]), "to": str(m["to"]), "subject": str(m["subject"]),
            "date": m["date"].datetime.isoformat(), "id": str(m["message-id"]),
            "text": m.get_body(("plain",)).get_content().replace("\r\n", "\n"),
            "html": html.get_content().replace("\r\n", "\n") if html else "",
            "defects": len(m.defects),
            "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
            "bare": envelope.content.replace(b"\r\n", b"").count(b"\n"),
            "ascii": envelope.content.isascii()})
        return "250 taken"


class Server(Controller):
    def __init__(self, handler, context, mode, login, **kw):
        self.mode, self.login, self.context = mode, login, context
        super().__init__(handler, **kw)

    def check(self, server, session, envelope, mechanism, data):
        good = (data.login.decode() + ":" + data.password.decode()) == self.login
        return AuthResult(success=good, handled=False, auth_data=data.login.decode())

    def factory(self):
        kw = {}
        if self.mode == "starttls":
            kw.update(tls_context=self.context, require_starttls=True)
        if self.login:
            kw.update(authenticator=self.check, auth_required=True,
                      auth_require_tls=self.mode == "starttls")
        return SMTP(self.handler, **kw)


def main():
    folder, mode = sys.argv[1:3]
    login = sys.argv[3] if len(sys.argv) > 3 else ""
    context = None
    if mode != "none":
        cert, key = (os.path.join(folder, n) for n in ("ca.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert,
                        "-days", "2", "-subj", "/CN=mail.test", "-addext",
                        "subjectAltName=DNS:mail.test"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    server = Server(Handler(folder), context, mode, login, hostname="127.0.0.1", port=port,
                    ssl_context=context if mode == "smtps" else None)
    if mode == "smtps":
        server.login = login  # its AUTH knows nothing of TLS from the start
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    os._exit(0)  # hanging clients are nobody's business


main()
