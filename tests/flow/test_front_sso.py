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
from rig import Rig, wait_until
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


class FrontTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("front_sso")
        cls.file = rig.path("etc", "front.secret")
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
        rig.write_config(front_sso_secret_file=cls.file if on else '""')
        os.kill(rig.master, signal.SIGHUP)
        wait_until(lambda: set(rig.workers("admin worker")) and not (
            set(rig.workers("admin worker")) & before), 20, "a new admin worker")
        wait_until(rig.ready, 20, "the server is ready")

    def setUp(self):
        FrontTest.made += 1
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
