"""Front-end single sign-on: the web server in front proves who somebody is.
C8: whatever a client sends, by 20 names in every spelling, through nginx,
Apache or straight into the FastCGI socket, who he is changes only with the
secret that the web server and the server share."""
import http.server
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import unittest
import urllib.parse

from manage import Caller, caller, pointers
from op import OP
from rig import Rig, wait_until
from test_second_factor import code, now
from test_sso import PASSWORD, Browser

SECRET = "fs_" + "0123456789abcdef" * 3
ISSUER = "https://front.acme.example"
ABSENT = "/sso/front-is-not-here/acme-healthcare"
PLACE = "/sso/front/acme-healthcare"
# What could pass for an identity, as a client would write it.
NAMES = ("SB-Front-User", "SB-Front-Name", "SB-Front-Issuer",
         "SB-Front-Subject", "SB-Front-Groups", "SB-Front-Secret",
         "SB-Front-Verified", "X-Remote-User", "Remote-User",
         "X-Remote-Email", "X-Remote-Groups", "X-Forwarded-User",
         "X-Forwarded-Email", "X-Auth-Request-User", "X-Auth-Request-Email",
         "X-Auth-Request-Groups", "X-WebAuth-User", "X-SSL-Client-S-DN",
         "OIDC-Claim-Sub", "OIDC-Claim-Email", "Mellon-Name-Id")


def spellings(name):
    """In each case, with dashes and with underscores."""
    for case in (str, str.lower, str.upper, str.swapcase):
        for mark in "-_":
            yield case(name).replace("-", mark)


def value_for(name):
    """What would let mallory in, were it believed."""
    low = name.lower().replace("_", "-")
    return (SECRET if low.endswith("secret") else
            ISSUER if low.endswith("issuer") else
            "true" if low.endswith("verified") else
            "mallory@acme.example")


def record(kind, data):
    return struct.pack("!BBHHBB", 1, kind, 1, len(data), 0, 0) + data


def fastcgi(path, params):
    """What a request with these parameters is answered: status and text."""
    enc = b""
    for pair in params:
        for s in map(str.encode, pair):
            enc += (bytes([len(s)]) if len(s) < 128
                    else struct.pack("!I", len(s) | 1 << 31))
        enc += b"".join(map(str.encode, pair))
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    s.sendall(record(1, struct.pack("!HB5x", 1, 0)) + record(4, enc) +
              record(4, b"") + record(5, b""))
    raw = b""
    while piece := s.recv(65536):
        raw += piece
    s.close()
    out = b""
    while raw:
        kind, n, pad = raw[1], *struct.unpack("!HB", raw[4:7])
        out += raw[8:8 + n] if kind == 6 else b""
        raw = raw[8 + n + pad:]
    head, _, body = out.decode().partition("\r\n\r\n")
    status = re.search(r"^Status: (\d+)", head, re.M)
    return (int(status.group(1)) if status else 200), head, body


class Service:
    """What nginx asks: answers as oauth2-proxy does, and believes the headers
    that it is sent, if any gets through."""

    def __init__(self):
        self.person, self.asked = {}, []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                service.serve(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def serve(self, h):
        url = urllib.parse.urlsplit(h.path)
        self.asked.append((url.path, h.headers))
        status, headers = 404, {}
        if url.path == "/oauth2/auth":
            known = "service=let-in" in h.headers.get("Cookie", "")
            status = 202 if known else 401
            said = dict(self.person if known else {})
            said.update({k: v for k, v in h.headers.items()
                         if k.lower().startswith(("x-auth", "x-forwarded-u",
                                                  "x-forwarded-e"))})
            headers = said
        elif url.path == "/oauth2/start":
            status = 302
            headers = {"Set-Cookie": "service=let-in; Path=/",
                       "Location": url.query.split("rd=", 1)[1]}
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name, value)
        h.send_header("Content-Length", "0")
        h.end_headers()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class FrontTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("front_sso")
        cls.file = rig.path("etc", "front.secret")
        cls.op, cls.service = OP(), Service()
        cls.home = rig.port
        cls.ports = {
            "nginx": rig.port, "apache": rig.add_front("apache").port,
            "nginx-sso": rig.add_front("nginx", cls.guard).port,
            "apache-sso": rig.add_front("apache", cls.guard).port}
        cls.write(SECRET + "\n")
        rig.run("user", "create", "root@platform.example", "--platform-admin",
                "--password-stdin", stdin=PASSWORD)
        token = rig.request("POST", "/api/v1/auth/login", {
            "email": "root@platform.example", "password": PASSWORD}).json
        cls.root = Caller(rig, token["access_token"])
        cls.owner = caller(rig, "account_owner")
        reply = cls.root.post("sso/domains", {"domain": "acme.example"})
        assert reply.status == 201, reply
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.op.close()
        cls.service.close()

    @classmethod
    def guard(cls, front, text):
        """The shipped example, in the shipped configuration."""
        return front.add_sign_on(
            text, SECRET=SECRET, SERVICE=cls.service.address,
            CLIENT_ID=cls.op.client[0], CLIENT_SECRET=cls.op.client[1],
            PASSPHRASE="p" * 32,
            ISSUER=cls.op.issuer if front.name == "apache" else ISSUER)

    @classmethod
    def write(cls, text, mode=0o600):
        with open(cls.file, "w") as f:
            f.write(text)
        os.chmod(cls.file, mode)
        cls.rig._own(cls.file)

    @classmethod
    def switch(cls, on):
        """By a reload."""
        rig = cls.rig
        before = set(rig.workers("admin worker"))
        rig.write_config(
            front_sso_secret_file=cls.file if on else '""',
            public_urls=" ".join(f"http://127.0.0.1:{p}"
                                 for p in cls.ports.values()))
        os.kill(rig.master, signal.SIGHUP)
        wait_until(lambda: set(rig.workers("admin worker")) and not (
            set(rig.workers("admin worker")) & before), 20, "a new admin worker")
        wait_until(rig.ready, 20, "the server is ready")

    def setUp(self):
        FrontTest.made += 1
        self.rig.port = self.home
        self.subject = f"subject-{self.made}"
        self.email = f"f{self.made}@acme.example"

    def setup(self, **more):
        reply = self.owner.put("sso", dict({
            "kind": "front", "issuer": ISSUER, "client_id": None,
            "client_secret": None, "trust_email": True,
            "auto_join": True, "default_role": "viewer"}, **more))
        self.assertIn(reply.status, (200, 201), reply)
        return reply.json

    def says(self, **changes):
        """The parameters of a web server that may say who it is."""
        said = {"SB_FRONT_SECRET": SECRET, "SB_FRONT_ISSUER": ISSUER,
                "SB_FRONT_SUBJECT": self.subject, "SB_FRONT_USER": self.email,
                "SB_FRONT_NAME": "Ann Front"}
        said.update({"SB_FRONT_" + k: v for k, v in changes.items()})
        return [(k, v) for k, v in said.items() if v is not None]

    def raw(self, params=(), path=PLACE, query="", **more):
        base = {"REQUEST_METHOD": "GET", "QUERY_STRING": query,
                "REQUEST_URI": path + ("?" + query if query else ""),
                "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
                "REQUEST_SCHEME": "http",
                "HTTP_HOST": f"127.0.0.1:{self.rig.port}"}
        base.update(more)
        return fastcgi(self.rig.path("run", "admin.sock"),
                       [*base.items(), *params])

    def who(self, head):
        """Whom the answer's cookie signs in; None: nobody."""
        cookies = re.findall(r"^Set-Cookie: ([^;]+)", head, re.M)
        browser = Browser(self.rig)
        browser.cookies = dict(c.split("=", 1) for c in cookies)
        return browser.person() if browser.me() == 200 else None

    def absent(self, answer, like=None):
        """As any address that is not there."""
        status, head, body = answer
        _, _, other = like or self.raw(path=ABSENT)
        self.assertEqual(status, 404, answer)
        self.assertNotIn("Set-Cookie", head)
        hide = lambda text: re.sub(r'"request_id": ?"[^"]*"', "", text)
        self.assertEqual(hide(body), hide(other))

    # -- the socket ------------------------------------------------------

    def test_00_off(self):
        """Where no secret is set, none is right, not even an empty one."""
        self.setup()
        for secret in (SECRET, "", None):
            self.absent(self.raw(self.says(SECRET=secret)))
        reply = self.rig.get("/sso/acme-healthcare")
        self.assertEqual(reply.status, 404, reply)
        reply = self.owner.post("sso/test")
        self.assertFalse(reply.json["ok"])
        self.assertIn("front_sso_secret_file", reply.json["problems"][0])
        self.switch(True)
        reply = self.owner.post("sso/test")
        self.assertEqual((reply.json["ok"], reply.json["problems"]),
                         (True, []))

    def test_01_comes_in(self):
        self.setup(role_claim="groups", role_map=[
            {"value": "admins", "role": "account_admin"}])
        status, head, _ = self.raw(self.says(GROUPS="some one, admins"),
                                   query="return_to=/me/sessions")
        self.assertEqual(status, 303, head)
        self.assertIn("Location: /me/sessions\r\n", head + "\r\n")
        self.assertIn("Cache-Control: no-store", head)
        me = self.who(head)
        self.assertEqual(me["email"], self.email)
        self.assertEqual([(m["account"], m["role"])
                          for m in me["memberships"]],
                         [("acme-healthcare", "account_admin")])
        # Known by the subject from now on, and by the role that it has now.
        status, head, _ = self.raw(self.says(USER="other@acme.example"))
        self.assertEqual(status, 303, head)
        again = self.who(head)
        self.assertEqual((again["id"], again["memberships"][0]["role"]),
                         (me["id"], "viewer"))
        got = [row["action"] for row in self.owner.all("audit")
               if row["object"]["id"] == me["id"]]
        self.assertEqual(sorted(a for a in got if a.startswith("sso.")),
                         ["sso.join", "sso.sign_in"])

    def test_02_return_to(self):
        self.setup()
        for bad in ("https://evil.example/", "//evil.example", "/\\evil",
                    "evil", "/me%0d%0aX:1", "javascript:alert(1)"):
            status, head, _ = self.raw(
                self.says(), query="return_to=" + urllib.parse.quote(bad))
            self.assertEqual(status, 303, bad)
            self.assertIn("Location: /me\r\n", head + "\r\n", bad)

    def test_03_wrong_secret(self):
        self.setup()
        for secret in (None, "", SECRET[:-1], SECRET + "0", SECRET.upper(),
                       " " + SECRET, SECRET + "\n", "x" * 5000):
            self.absent(self.raw(self.says(SECRET=secret)))
        # By no other name, and in no other case.
        rest = self.says(SECRET=None)
        for name in ("sb_front_secret", "Sb_Front_Secret", "SB-FRONT-SECRET",
                     "HTTP_SB_FRONT_SECRET", "REDIRECT_SB_FRONT_SECRET",
                     "SB_FRONT_SECRET ", "SB_FRONT_SECRET_"):
            self.absent(self.raw([*rest, (name, SECRET)]))

    def test_04_twice(self):
        """A name that is there twice is no name, in either order."""
        self.setup()
        good = self.says(GROUPS="a", VERIFIED="true")
        for name, value in good:
            for other in (value, "", "mallory@acme.example"):
                self.absent(self.raw([*good, (name, other)]))
                self.absent(self.raw([(name, other), *good]))

    def test_05_headers_change_nothing(self):
        """C8 at the socket: with the secret it is whom the parameters say,
        without it nobody, whatever stands in HTTP_*."""
        self.setup()
        evil = []
        for name in NAMES:
            evil.append(("HTTP_" + name.upper().replace("-", "_"),
                         value_for(name)))
        for name in NAMES:
            for spelt in spellings(name):
                for twice in (1, 2):
                    more = [("HTTP_" + spelt, value_for(name))] * twice
                    self.absent(self.raw(more + self.says(SECRET=None)))
        for more in (evil, evil * 2):
            self.absent(self.raw(more))
            self.absent(self.raw(more + self.says(SECRET=None)))
            for params in (more + self.says(), self.says() + more):
                status, head, _ = self.raw(params)
                self.assertEqual(status, 303, head)
                self.assertEqual(self.who(head)["email"], self.email)
        self.nobody_else()

    def nobody_else(self):
        self.assertEqual(self.rig.sql("select count(*) from users where email "
                                      "like 'mallory%'"), [["0"]])
        self.assertEqual(self.rig.sql("select count(*) from sso_identities "
                                      "where subject like 'mallory%'"),
                         [["0"]])

    def test_06_refused(self):
        """Who it is is proven, and does not come in all the same."""
        self.setup(auto_join=False)
        for why, changes in (
                ("another issuer", {"ISSUER": ISSUER + "/"}),
                ("another issuer", {"ISSUER": None}),
                ("does not say who", {"SUBJECT": None}),
                ("does not say who", {"SUBJECT": "x" * 256}),
                ("does not say who", {"SUBJECT": "a\x01b"}),
                ("proven", {"USER": None}),
                ("proven", {"USER": "two@at@acme.example"}),
                ("proven", {"VERIFIED": "false"}),
                ("proven", {"VERIFIED": "perhaps"}),
                ("domains", {"USER": "eve@evil.example"}),
                ("no member", {})):
            status, head, body = self.raw(self.says(**changes))
            self.assertEqual(status, 403, (changes, body))
            self.assertNotIn("Set-Cookie", head)
            self.assertIn(why, json.loads(body)["detail"])
        self.setup(trust_email=False)
        self.assertEqual(self.raw(self.says())[0], 403)
        self.assertEqual(self.raw(self.says(VERIFIED="1"))[0], 303)
        # Whose account has no such sign-on, or has it switched off.
        for path in ("/sso/front/globex", "/sso/front/nobody",
                     "/sso/front/A%20b"):
            self.assertEqual(self.raw(self.says(), path=path)[0], 404, path)
        self.setup(is_active=False)
        self.assertEqual(self.raw(self.says())[0], 404)

    def test_07_settings(self):
        made = self.setup()
        self.assertEqual((made["kind"], made["client_id"],
                          made["client_auth"], made["has_client_secret"]),
                         ("front", None, None, False))
        for name, value in (("client_id", "x"), ("client_secret", "x"),
                            ("client_auth", "none")):
            reply = self.owner.patch("sso", {name: value})
            self.assertEqual((reply.status, pointers(reply)),
                             (422, ["/" + name]), reply)
        reply = self.owner.patch("sso", {"kind": "oidc"})
        self.assertEqual((reply.status, pointers(reply)),
                         (422, ["/client_id"]), reply)
        oidc = {"kind": "oidc", "client_id": "x", "issuer":
                "https://login.acme.example", "client_secret": "y"}
        reply = self.owner.patch("sso", oidc)
        self.assertEqual((reply.status, reply.json["has_client_secret"],
                          reply.json["client_auth"]),
                         (200, True, "client_secret_basic"), reply)
        self.assertEqual(self.raw(self.says())[0], 404)
        reply = self.owner.patch("sso", {"kind": "front", "issuer": ISSUER})
        self.assertEqual((reply.status, reply.json["has_client_secret"]),
                         (200, False), reply)
        self.assertEqual(self.raw(self.says())[0], 303)
        (row,) = self.rig.sql("select sealed is null, client_id is null from "
                              "sso_connections")
        self.assertEqual(row, ["t", "t"])

    def test_08_begins_there(self):
        self.setup()
        browser = Browser(self.rig)
        r = browser.get("/sso/acme-healthcare?return_to=/me/sessions")
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, PLACE + "?return_to=%2Fme%2Fsessions"), r.text)
        self.assertEqual(browser.cookies, {})
        r = self.rig.request("POST", "/sso/acme-healthcare/backchannel-logout",
                             "logout_token=a.b.c", {
                                 "Content-Type":
                                 "application/x-www-form-urlencoded"})
        self.assertEqual(r.status, 404, r)

    def test_08b_second_factor(self):
        """C13: the web server's word is the first factor only; and it links
        who is there already."""
        self.setup()
        self.rig.run("user", "create", self.email, "--account",
                     "acme-healthcare", "--role", "support",
                     "--password-stdin", stdin=PASSWORD)
        me = Caller(self.rig, self.rig.request(
            "POST", "/api/v1/auth/login", {
                "email": self.email, "password": PASSWORD}
            ).json["access_token"])
        secret = me.post("/api/v1/me/second-factor", {
            "password": PASSWORD}).json["secret"]
        codes = me.post("/api/v1/me/second-factor/confirm", {
            "code": code(secret, now())}).json["recovery_codes"]
        status, head, _ = self.raw(self.says(),
                                   query="return_to=/me/sessions")
        self.assertEqual(status, 303, head)
        self.assertIn("Location: /login/code?return_to=/me/sessions", head)
        self.assertIsNone(self.who(head))
        browser = Browser(self.rig)
        browser.cookies = dict(c.split("=", 1) for c in re.findall(
            r"^Set-Cookie: ([^;]+)", head, re.M))
        form = browser.get("/login/code?return_to=/me/sessions").text
        token = re.search(r'name="form_token" value="([^"]+)"', form).group(1)
        for said, want in (("000000", 401), (codes[0], 303)):
            r = browser.ask("POST", "/login/code", urllib.parse.urlencode({
                "form_token": token, "code": said,
                "return_to": "/me/sessions"}),
                Content_Type="application/x-www-form-urlencoded",
                Origin=f"http://127.0.0.1:{self.rig.port}")
            self.assertEqual(r.status, want, r.text)
            self.assertEqual(browser.me(), 200 if want == 303 else 401)
        self.assertEqual(r.headers["Location"], "/me/sessions")
        me = browser.person()
        self.assertEqual((me["email"], me["memberships"][0]["role"]),
                         (self.email, "support"))
        # She came by no provider of ours, so /logout leads to none.
        page = browser.get("/logout", Accept="text/html").text
        token = re.search(r'name="form_token" value="([^"]+)"', page).group(1)
        r = browser.ask("POST", "/logout", "form_token=" + token,
                        Content_Type="application/x-www-form-urlencoded",
                        Origin=f"http://127.0.0.1:{self.rig.port}")
        self.assertEqual(r.status, 303, r.text)
        self.assertTrue(r.headers["Location"].startswith("/login"))
        self.assertEqual(browser.me(), 401)

    def test_09_the_file(self):
        """A secret that is none is refused before anything starts."""
        rig = self.rig
        try:
            for text, mode, why in (
                    ("short\n", 0o600, "32 to 256"),
                    ("x" * 257, 0o600, "32 to 256"),
                    ("x" * 20 + " " + "x" * 20, 0o600, "32 to 256"),
                    (SECRET + "\n" + SECRET + "\n", 0o600, "32 to 256"),
                    (SECRET, 0o644, "others can read it")):
                self.write(text, mode)
                done = subprocess.run(
                    [rig.path("bin", "switchboardd"), "-t", "-c", rig.conf],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True, timeout=60, **rig._as_user())
                said = done.stdout
                self.assertNotEqual(done.returncode, 0, said)
                self.assertIn("front_sso_secret_file", said)
                self.assertIn(why, said)
        finally:
            self.write(SECRET + "\n")
        self.assertNotIn(SECRET, rig.log())

    # -- web servers -----------------------------------------------------

    def ask(self, headers=(), path=PLACE):
        """Through the web server of now, headers as they are written."""
        s = socket.create_connection(("127.0.0.1", self.rig.port), 20)
        s.settimeout(20)
        s.sendall("".join(f"{line}\r\n" for line in (
            f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.rig.port}",
            "Connection: close", *(f"{k}: {v}" for k, v in headers),
            "")).encode())
        raw = b""
        while piece := s.recv(65536):
            raw += piece
        s.close()
        head, _, body = raw.decode().partition("\r\n\r\n")
        return int(head.split()[1]), head, body

    def table(self):
        """C8: each name, in each spelling, once and twice, and all of them."""
        every = []
        for name in NAMES:
            for spelt in spellings(name):
                yield [(spelt, value_for(name))]
                yield [(spelt, value_for(name))] * 2
                every.append((spelt, value_for(name)))
        dashes = [h for h in every if "-" in h[0]]
        yield dashes[::4]
        yield dashes[::4] * 2

    def test_20_headers_through_web_servers(self):
        self.setup()
        for name in ("nginx", "apache"):
            self.rig.port = self.ports[name]
            like = self.ask(path=ABSENT)
            for headers in self.table():
                with self.subTest(front=name, headers=headers):
                    self.absent(self.ask(headers), like)
        self.nobody_else()

    def test_21_nginx_auth_request(self):
        self.setup(role_claim="groups", role_map=[
            {"value": "admins", "role": "account_admin"}])
        self.rig.port = self.ports["nginx-sso"]
        self.service.person = {
            "X-Auth-Request-User": self.subject,
            "X-Auth-Request-Email": self.email,
            "X-Auth-Request-Preferred-Username": "Ann",
            "X-Auth-Request-Groups": "staff,admins"}
        browser = Browser(self.rig)
        path = browser.get("/sso/acme-healthcare?return_to=/me/sessions"
                           ).headers["Location"]
        r = browser.get(path)
        self.assertEqual((r.status, urllib.parse.urlsplit(
            r.headers["Location"]).path), (302, "/oauth2/start"), r.text)
        r = browser.get(r.headers["Location"])
        self.assertEqual((r.status, r.headers["Location"]), (302, path))
        r = browser.get(path)
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, "/me/sessions"), r.text)
        me = browser.person()
        self.assertEqual((me["email"], me["memberships"][0]["role"]),
                         (self.email, "account_admin"))
        # Whatever a client adds, it is her or nobody.
        let_in = ("Cookie", "service=let-in")
        for headers in self.table():
            with self.subTest(headers=headers):
                status, head, _ = self.ask(headers)
                self.assertEqual(status, 302, head)
                self.assertNotIn("Set-Cookie", head)
        for headers in self.table():
            if len(headers) == 1 and headers[0][0] != headers[0][0].lower():
                continue  # each is a sign-in that is written down
            with self.subTest(headers=headers):
                status, head, body = self.ask([let_in, *headers])
                self.assertEqual(status, 303, body)
                self.assertEqual(self.who(head)["id"], me["id"])
        self.nobody_else()
        for path, headers in self.service.asked:
            if path == "/oauth2/auth":
                self.assertNotIn("mallory", str(headers))
        # Its word is not taken elsewhere, and no other address is guarded.
        status, _, _ = self.ask([let_in], path="/api/v1/me")
        self.assertEqual(status, 401)
        status, _, _ = self.ask([let_in], path="/_front_sso")
        self.assertEqual(status, 404)

    def test_22_apache_auth_openidc(self):
        """Apache is the relying party of a provider, and says who it is."""
        self.setup(issuer=self.op.issuer, trust_email=False,
                   role_claim="groups", role_map=[
                       {"value": "admins", "role": "account_admin"}])
        self.rig.port = self.ports["apache-sso"]
        self.op.person = {
            "sub": self.subject, "email": self.email, "email_verified": True,
            "name": "Änn Example", "groups": ["staff", "admins"]}
        browser, evil = Browser(self.rig), dict(
            (n.replace("-", "_"), value_for(n)) for n in NAMES)
        # Who asks for no page is not led away, but told 401.
        evil["Accept"] = "text/html"
        path = PLACE + "?return_to=/me/sessions"
        r = browser.get(path, **evil)
        self.assertEqual(r.status, 302, r.text)
        self.assertTrue(r.headers["Location"].startswith(
            self.op.issuer + "/authorize?"), r.headers["Location"])
        r = browser.get(r.headers["Location"])
        r = browser.get(r.headers["Location"], **evil)
        self.assertEqual(r.status, 302, r.text)
        self.assertTrue(r.headers["Location"].endswith(path))
        r = browser.get(path, **evil)
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, "/me/sessions"), r.text)
        me = browser.person()
        self.assertEqual((me["email"], me["display_name"],
                          me["memberships"][0]["role"]),
                         (self.email, "Änn Example", "account_admin"))
        jar = "; ".join(f"{k}={v}" for k, v in browser.cookies.items()
                        if k.startswith("mod_auth_openidc"))
        for headers in self.table():
            if len(headers) == 1 and headers[0][0] != headers[0][0].lower():
                continue
            with self.subTest(headers=headers):
                status, head, body = self.ask([("Cookie", jar), *headers])
                self.assertEqual(status, 303, body)
                self.assertEqual(self.who(head)["id"], me["id"])
        for headers in self.table():
            with self.subTest(headers=headers):
                status, head, _ = self.ask([
                    ("Accept", "text/html"), *headers])
                self.assertEqual(status, 302, head)
                self.assertTrue(re.search("^Location: (.*)", head, re.M)
                                .group(1).startswith(self.op.issuer), head)
        self.assertEqual(self.ask()[0], 401)
        self.nobody_else()
        # What the provider does not call proven links nobody.
        self.op.person = dict(self.op.person, sub=self.subject + "-two",
                              email="x" + self.email, email_verified=False)
        browser = Browser(self.rig)
        r = browser.get(path, Accept="text/html")
        r = browser.get(browser.get(r.headers["Location"]
                                    ).headers["Location"])
        r = browser.get(path)
        self.assertEqual(r.status, 403, r.text)
