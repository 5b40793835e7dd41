"""Single sign-on by OpenID Connect against a provider that misbehaves when told
to (ROBUSTNESS B8, C3, C6, C7, C13, D10).

The modules of the OpenID conformance suite's code plan for relying parties, by
the names of its profile, and where each is tried here:

rp-response_type-code                         test_01
rp-discovery-openid-configuration             test_01 (used), test_05
rp-discovery-issuer-not-matching-config       test_05
rp-discovery-jwks_uri-keys                    test_01
rp-token_endpoint-client_secret_basic         test_01
rp-token_endpoint-client_secret_post          test_02
rp-scope-userinfo-claims                      test_07
rp-nonce-unless-code-flow                     test_03 (nonce is always sent)
rp-nonce-invalid                              test_03
rp-id_token-issuer-mismatch                   test_03
rp-id_token-sub                               test_03
rp-id_token-aud                               test_03
rp-id_token-iat                               test_03
rp-id_token-exp                               test_03
rp-id_token-bad-at_hash                       test_03
rp-id_token-missing-at_hash                   test_03 (taken: it is optional)
rp-id_token-sig-none                          test_04
rp-id_token-bad-sig-rs256                     test_04
rp-id_token-bad-sig-es256                     test_04
rp-id_token-bad-sig-hs256                     test_04
rp-id_token-kid-absent-single-jwks            test_04
rp-id_token-kid-absent-multiple-jwks          test_04
rp-userinfo-bearer-header                     test_07
rp-userinfo-bad-sub-claim                     test_07
rp-key-rotation-op-sign-key                   test_06
rp-key-rotation-op-sign-key-native            test_06
rp-rpinitlogout                               test_11
rp-backchannel-rpinitlogout                   test_10, test_11
rp-backchannel-rpinitlogout-lt-no-event       test_10
rp-backchannel-rpinitlogout-lt-alg-none       test_10
rp-backchannel-rpinitlogout-lt-wrong-alg      test_10
rp-backchannel-rpinitlogout-lt-wrong-aud      test_10
rp-backchannel-rpinitlogout-lt-wrong-issuer   test_10
rp-backchannel-rpinitlogout-lt-with-nonce     test_10
rp-backchannel-rpinitlogout-lt-bad-sig        test_10
rp-refresh-token: no refresh token is asked for or used; a session of ours is
refreshed by its own cookie (test_browser of the unit tests).
"""
import hashlib
import hmac
import html
import http.client
import json
import re
import time
import unittest
import urllib.parse

from manage import Caller, caller, member
from op import OP, Key, b64, half_hash
from rig import Rig, wait_until
from test_second_factor import code, now

PASSWORD = "Zwölf Boxkämpfer jagen 17 Igel"
DENIED = (401, 403)


class Browser:
    """Keeps cookies, and leads nowhere by itself."""

    def __init__(self, rig):
        self.rig, self.cookies = rig, {}

    def ask(self, method, url, body=None, **headers):
        parts = urllib.parse.urlsplit(url)
        c = http.client.HTTPConnection(
            "127.0.0.1", parts.port or self.rig.port, timeout=30)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        ours = parts.port in (None, self.rig.port)
        if ours and self.cookies:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.cookies.items())
        c.request(method, parts.path + (
            "?" + parts.query if parts.query else ""), body, headers)
        r = c.getresponse()
        r.text = r.read().decode()
        c.close()
        for line in r.headers.get_all("Set-Cookie") or [] if ours else []:
            name, value = line.split(";")[0].split("=", 1)
            if "Max-Age=0" in line or "Max-Age=-" in line or not value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return r

    def get(self, url, **headers):
        return self.ask("GET", url, **headers)

    def me(self):
        return self.get("/api/v1/me").status

    def person(self):
        return json.loads(self.get("/api/v1/me").text)


class SsoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.op = OP()
        cls.rig = rig = Rig("sso", params={
            "admin_workers": 2, "egress_allow": "127.0.0.1",
            "sso_per_minute": 100000})
        rig.run("user", "create", "root@platform.example", "--platform-admin",
                "--password-stdin", stdin=PASSWORD)
        token = rig.request("POST", "/api/v1/auth/login", {
            "email": "root@platform.example", "password": PASSWORD}).json
        cls.root = Caller(rig, token["access_token"])
        cls.owner = caller(rig, "account_owner")
        cls.usual()
        reply = cls.root.post("sso/domains", {"domain": "acme.example"})
        assert reply.status == 201, reply
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.op.close()

    @staticmethod
    def setup(owner, op, **more):
        reply = owner.put("sso", dict({
            "issuer": op.issuer, "client_id": op.client[0],
            "client_secret": op.client[1]}, **more))
        assert reply.status in (200, 201), reply
        return reply.json

    @classmethod
    def usual(cls):
        cls.setup(cls.owner, cls.op, auto_join=True, role_claim="groups",
                  role_map=[{"value": "admins", "role": "account_admin"},
                            {"value": "staff", "role": "viewer"}],
                  default_role="viewer")

    def setUp(self):
        self.op.reset()
        SsoTest.made += 1
        self.op.person = {
            "sub": f"subject-{self.made}", "email_verified": True,
            "email": f"p{self.made}@acme.example", "name": "Ann <b>Example"}

    def begin(self, browser=None, account="acme-healthcare", query=""):
        browser = browser or Browser(self.rig)
        r = browser.get(f"/sso/{account}{query}")
        self.assertEqual(r.status, 303, r.text)
        return browser, r.headers["Location"]

    def back(self, location):
        """What the provider leads back to."""
        r = Browser(self.rig).get(location)
        self.assertEqual(r.status, 302, r.text)
        return r.headers["Location"]

    def sign_in(self, browser=None, **kw):
        """The browser, and the answer to the last step."""
        browser, location = self.begin(browser, **kw)
        return browser, browser.get(self.back(location))

    def comes_in(self, **kw):
        browser, r = self.sign_in(**kw)
        self.assertEqual(r.status, 303, r.text)
        self.assertEqual(browser.me(), 200)
        return browser

    def refused(self, why="", **kw):
        browser, r = self.sign_in(**kw)
        self.assertIn(r.status, DENIED, r.text)
        self.assertIn(why, json.loads(r.text)["detail"])
        self.assertEqual(browser.me(), 401)
        return r

    # -- what works ------------------------------------------------------

    def test_01_sign_in(self):
        browser, location = self.begin()
        asked = dict(urllib.parse.parse_qsl(
            urllib.parse.urlsplit(location).query))
        self.assertEqual(asked["response_type"], "code")
        self.assertEqual(asked["code_challenge_method"], "S256")
        self.assertEqual(asked["scope"], "openid email profile")
        self.assertEqual(asked["redirect_uri"],
                         f"http://127.0.0.1:{self.rig.port}/sso/callback")
        self.assertEqual(len({asked["state"], asked["nonce"],
                              asked["code_challenge"]}), 3)
        (cookie,) = browser.cookies.values()
        for name in ("state", "nonce", "code_challenge"):
            self.assertGreaterEqual(len(asked[name]), 43)
            self.assertNotIn(asked[name], cookie)
        r = browser.get(self.back(location))
        self.assertEqual((r.status, r.headers["Location"]), (303, "/me"))
        self.assertEqual(len(browser.cookies), 1, browser.cookies)
        me = browser.person()
        self.assertEqual(me["email"], self.op.person["email"])
        self.assertEqual([(m["account"], m["role"])
                          for m in me["memberships"]],
                         [("acme-healthcare", "viewer")])
        # Again, by subject: another address changes nothing.
        self.op.person["email"] = "elsewhere@other.example"
        again = self.comes_in()
        self.assertEqual(again.person()["email"], me["email"])
        actions = [e["action"] for e in self.owner.all("audit")]
        self.assertIn("sso.join", actions)
        self.assertIn("sso.sign_in", actions)

    def test_02_algorithms_and_ways_to_show_the_secret(self):
        self.addCleanup(self.usual)
        for alg in ("PS256", "ES256", "EdDSA"):
            op = OP(alg)
            self.addCleanup(op.close)
            op.person = self.op.person
            for auth in ("client_secret_basic", "client_secret_post"):
                self.setup(self.owner, op, client_auth=auth, auto_join=True,
                           default_role="viewer")
                self.op.person = op.person = dict(
                    op.person, sub=f"{alg} {auth}",
                    email=f"{alg}-{auth}@acme.example".lower())
                self.comes_in()
                (_, form), = [a for a in op.asked if a[0] == "/token"][-1:]
                self.assertEqual("client_secret" in form,
                                 auth == "client_secret_post")

    # -- tokens that are wrong -------------------------------------------

    def test_03_claims(self):
        now = int(time.time())
        other = "http://127.0.0.1:1"
        rows = [
            ("iss", other, "iss"), ("iss", None, "iss"),
            ("iss", self.op.issuer + "/", "iss"),
            ("aud", "somebody", "aud"), ("aud", None, "aud"), ("aud", [],
                                                               "aud"),
            ("aud", ["switchboard", "somebody"], "azp"),
            ("azp", "somebody", "azp"),
            ("sub", None, "sub"), ("sub", "", "sub"), ("sub", 7, "sub"),
            ("nonce", None, "nonce"), ("nonce", "x" * 43, "nonce"),
            ("iat", None, "iat"), ("iat", now + 120, "iat"),
            ("iat", str(now), "iat"),
            ("exp", None, "exp"), ("exp", now - 61, "exp"),
            ("exp", str(now + 300), "exp"), ("exp", 2**63, ""),
            ("exp", -1, "exp"), ("nbf", now + 120, "nbf"),
            ("at_hash", half_hash("another"), "at_hash"),
            ("at_hash", "", "at_hash")]
        for name, value, word in rows:
            def twist(claims, name=name, value=value):
                claims[name] = value
                return {k: v for k, v in claims.items() if v is not None}
            self.op.twist = twist
            with self.subTest(name=name, value=value):
                self.refused(word)
        for name, value in (("at_hash", None), ("exp", now - 30),
                            ("iat", now + 30), ("aud", ["switchboard"]),
                            ("azp", "switchboard"), ("exp", now + 60.5)):
            def good(claims, name=name, value=value):
                claims[name] = value
                return {k: v for k, v in claims.items() if v is not None}
            self.op.twist = good
            with self.subTest(name=name, value=value):
                self.comes_in()

    def test_04_signatures(self):
        stranger = Key("RS256", "k1")
        ec = Key("ES256", "k1")

        def hs256(op, claims):
            head = b64(json.dumps({"alg": "HS256", "kid": "k1"}))
            text = f"{head}.{b64(json.dumps(claims))}"
            return text + "." + b64(hmac.new(
                op.client[1].encode(), text.encode(), hashlib.sha256)
                .digest())
        rows = {
            "none": lambda op, c: op.signs.token(c, alg="none"),
            "none, no signature": lambda op, c: ".".join(
                [b64('{"alg":"none"}'), b64(json.dumps(c)), ""]),
            "another's key": lambda op, c: stranger.token(c),
            "another kind of key": lambda op, c: ec.token(c),
            "by the secret": hs256,
            "cut": lambda op, c: op.signs.token(c)[:-8],
            "no signature": lambda op, c: op.signs.token(c).rsplit(
                ".", 1)[0] + ".",
            "crit": lambda op, c: op.signs.token(c, crit=["exp"]),
            "unknown kid": lambda op, c: op.signs.token(c, kid="k9"),
            "its own key": lambda op, c: stranger.token(
                c, jwk=stranger.jwk()),
            "typ of an access token": lambda op, c: op.signs.token(
                c, typ="at+jwt"),
            "typ of a logout token": lambda op, c: op.signs.token(
                c, typ="logout+jwt"),
        }
        for name, token in rows.items():
            self.op.token = token
            with self.subTest(name):
                self.refused("sign")
        # No kid: taken where only one key can be meant.
        self.op.token = lambda op, c: op.signs.token(c, kid=None)
        self.comes_in()

    # -- documents that are wrong ----------------------------------------

    def fresh(self, op=None, **kw):
        """A provider that no worker knows yet, set up for the account."""
        op = op or OP("ES256")
        op.person = dict(self.op.person)
        self.addCleanup(op.close)
        self.addCleanup(self.usual)
        self.setup(self.owner, op, auto_join=True, default_role="viewer",
                   **kw)
        return op

    def test_05_documents(self):
        for change, word in (
                ({"issuer": "http://127.0.0.1:1"}, "another issuer"),
                ({"issuer": None}, "issuer"),
                ({"token_endpoint": None}, "token_endpoint"),
                ({"token_endpoint": "http://169.254.169.254/"},
                 "token_endpoint"),
                ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
                ({"authorization_endpoint": "javascript:alert(1)"},
                 "authorization_endpoint"),
                ({"code_challenge_methods_supported": ["plain"]},
                 "S256"),
                ({"id_token_signing_alg_values_supported": ["HS256"]},
                 "signing_alg")):
            op = OP("ES256")
            op.changes = change
            self.fresh(op)
            r = Browser(self.rig).get("/sso/acme-healthcare")
            self.assertEqual(r.status, 502, (change, r.text))
            self.assertIn(word, r.text)
            told = self.owner.post("sso/test").json
            self.assertFalse(told["ok"])
            self.assertIn(word, told["problems"][0])

    def test_06_rotation(self):
        op = self.fresh()
        self.comes_in()
        time.sleep(1.1)  # keys are a second old before newer ones are sought
        new = Key("ES256", "k2")
        op.keys = [new]
        op.signs = new
        before = op.count("/jwks")
        self.comes_in()
        # A flood of kids that nobody knows asks no more.
        op.token = lambda op, c: op.signs.token(c, kid="k" + str(time.time()))
        for _ in range(6):
            self.refused("sign")
        self.assertLessEqual(op.count("/jwks") - before, 2)

    def test_07_userinfo(self):
        op = self.fresh()
        op.in_id_token = False
        browser = self.comes_in()
        self.assertEqual(browser.person()["email"], op.person["email"])
        self.assertEqual(op.count("/userinfo"), 1)
        op.person = dict(op.person, sub="another", email="q@acme.example")
        op.user = lambda claims: dict(claims, sub="subject-x")
        self.refused("another person")
        op.user = lambda claims: {k: v for k, v in claims.items()
                                  if k != "sub"}
        self.refused("another person")

    def test_08_token_answers(self):
        op = self.fresh()
        op.token_changes = {"id_token": None}
        _, r = self.sign_in()
        self.assertEqual(r.status, 502, r.text)
        op.token_changes = {"token_type": "mac"}
        self.assertEqual(self.sign_in()[1].status, 502)
        op.token_changes = {}
        op.token_status = 500
        self.assertEqual(self.sign_in()[1].status, 502)
        op.token_status = 400
        self.refused("server_error")
        op.token_status = 200
        op.client = ("switchboard", "another")
        self.refused("invalid_client")

    # -- the way there and back ------------------------------------------

    def test_09_state_codes_and_mix_ups(self):
        # Another browser's answer, no cookie, another state: no sign-in.
        first, location = self.begin()
        back = self.back(location)
        stranger = Browser(self.rig)
        self.assertEqual(stranger.get(back).status, 401)
        second, _ = self.begin()
        self.assertEqual(second.get(back).status, 401)
        asked = self.op.count("/token")
        self.assertEqual(first.get(back.replace("state=", "state=x")).status,
                         401)
        self.assertEqual(first.get(back.split("?")[0]).status, 401)
        # A changed cookie.
        name, value = next(iter(first.cookies.items()))
        for bad in (value[:-2] + "AA", value.replace(".", "", 1), "x", "." * 5,
                    value + ".x", "9" + value):
            first.cookies[name] = bad
            self.assertEqual(first.get(back).status, 401, bad)
        self.assertEqual(self.op.count("/token"), asked)
        # The right one, once.
        first.cookies[name] = value
        self.assertEqual(first.get(back).status, 303)
        first.cookies[name] = value
        r = first.get(back)
        self.assertEqual(r.status, 401, r.text)
        self.assertIn("used before", r.text)
        self.assertEqual(self.op.count("/token"), asked + 1)
        # A code of another sign-in: PKCE.
        one, location = self.begin()
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(
            self.back(location)).query)["code"][0]
        self.op.answer = {"code": code}
        self.refused("invalid_grant")
        # An answer of another provider (RFC 9207), or one that does not say.
        for iss in ("http://127.0.0.1:1", None, ""):
            self.op.answer = {"iss": iss}
            self.refused("not from")
        self.op.answer = {"error": "access_denied", "code": None}
        self.refused("access_denied")
        self.op.answer = {"error": "\x1b[1m\r\nX: y", "code": None}
        self.refused("no reason")
        self.op.answer = {"code": None}
        self.refused("no code")

    def test_09b_where_it_leads(self):
        good = "/accounts/acme-healthcare/admin"
        for to in (good, "//evil.example", "https://evil.example", "/\\evil",
                   "/%09/evil", "\\/evil", "/a\r\nX: y", "javascript:x",
                   "data:text/html,x", "/@evil.example/..//", "", "evil",
                   " /x", "///x", "/\t/x", "/..//evil.example"):
            browser, r = self.sign_in(
                query="?return_to=" + urllib.parse.quote(to, safe=""))
            self.assertEqual(r.status, 303)
            there = r.headers["Location"]
            self.assertTrue(there == good or there == "/me", (to, there))
            self.assertEqual(there == good, to == good)
        for slug in ("globex", "no-such-account", "x", "callback2", "UPPER"):
            r = Browser(self.rig).get(f"/sso/{slug}")
            self.assertEqual(r.status, 404)
            said = json.loads(r.text)
            del said["request_id"]
            self.assertEqual(said["detail"], "there is no single sign-on at "
                             "this address")

    # -- signing out -----------------------------------------------------

    def tell(self, token, account="acme-healthcare"):
        return Browser(self.rig).ask(
            "POST", f"/sso/{account}/backchannel-logout",
            urllib.parse.urlencode({"logout_token": token}),
            Content_Type="application/x-www-form-urlencoded")

    def test_10_backchannel_logout(self):
        browser = self.comes_in()
        sub = self.op.person["sub"]
        now = int(time.time())
        stranger = Key("RS256", "k1")
        event = self.op.logout_token
        bad = {
            "no event": event(sub=sub, events={}),
            "another event": event(sub=sub, events={"urn:x": {}}),
            "nonce": event(sub=sub, nonce="n"),
            "another issuer": event(sub=sub, iss="http://127.0.0.1:1"),
            "another audience": event(sub=sub, aud="somebody"),
            "neither sub nor sid": event(),
            "no jti": event(sub=sub, jti=None),
            "no iat": event(sub=sub, iat=None),
            "no exp": event(sub=sub, exp=None),
            "expired": event(sub=sub, exp=now - 100),
            "good for a year": event(sub=sub, exp=now + 31536000),
            "no typ": event(sub=sub, head={"typ": None}),
            "an ID token's typ": event(sub=sub, head={"typ": "JWT"}),
            "alg none": event(sub=sub, head={"alg": "none"}),
            "alg HS256": event(sub=sub, head={"alg": "HS256"}),
            "another's key": event(key=stranger, sub=sub),
            "nothing": ""}
        for name, token in bad.items():
            self.assertEqual(self.tell(token).status, 400, name)
        self.assertEqual(browser.me(), 200)
        # Somebody else's session.
        self.assertEqual(self.tell(event(sub="nobody")).status, 200)
        self.assertEqual(self.tell(event(sid="nothing")).status, 200)
        self.assertEqual(self.tell(event(sub=sub), "globex").status, 404)
        self.assertEqual(browser.me(), 200)
        token = event(sub=sub)
        r = self.tell(token)
        self.assertEqual(r.status, 200)
        self.assertEqual(r.headers["Cache-Control"], "no-store")
        wait_until(lambda: browser.me() == 401, 1, "she is signed out")
        self.assertEqual({browser.me() for _ in range(12)}, {401})
        self.assertEqual(self.tell(token).status, 400)  # used before
        # By the session's name, one of two.
        sids = []

        def twist(claims):
            sids.append(claims["sid"])
            return claims
        self.op.twist = twist
        one, two = self.comes_in(), self.comes_in()
        self.assertEqual(self.tell(event(sid=sids[0])).status, 200)
        wait_until(lambda: one.me() == 401, 1, "one is signed out")
        self.assertEqual(two.me(), 200)

    def sign_out(self, browser):
        """By our page's form; what it answers."""
        base = f"http://127.0.0.1:{self.rig.port}"
        form = browser.get("/logout").text
        token = re.search(r'name="form_token" value="([^"]+)"', form).group(1)
        return browser.ask(
            "POST", "/logout", urllib.parse.urlencode({"form_token": token}),
            Content_Type="application/x-www-form-urlencoded", Origin=base)

    def test_11_logout_asked_for_here(self):
        tokens = []

        def keep(op, claims):
            tokens.append(op.signs.token(claims))
            return tokens[-1]
        self.op.token = keep
        browser = self.comes_in()
        self.assertEqual(self.rig.sql(
            "select count(*) from sso_sign_ins where position(convert_to("
            f"'{tokens[0]}', 'utf8') in sealed) > 0"), [["0"]])
        r = self.sign_out(browser)
        self.assertEqual(r.status, 200, r.text)
        there = html.unescape(re.search(
            r'<a id="on" href="([^"]+)"', r.text).group(1))
        self.assertEqual(there, html.unescape(
            r.text.split("url=", 1)[1].split('">')[0]))
        parts = urllib.parse.urlsplit(there)
        self.assertEqual(f"{parts.scheme}://{parts.netloc}{parts.path}",
                         self.op.issuer + "/logout")
        asked = dict(urllib.parse.parse_qsl(parts.query))
        self.assertEqual(asked, {
            "id_token_hint": tokens[0], "client_id": "switchboard",
            "post_logout_redirect_uri":
            f"http://127.0.0.1:{self.rig.port}/login?done=signed-out"})
        self.assertEqual(browser.me(), 401)
        # A provider without such a place: our own page.
        op = self.fresh()
        op.changes = {"end_session_endpoint": None}
        browser = self.comes_in()
        r = self.sign_out(browser)
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, "/login?done=signed-out"))

    def test_11b_the_way_in_by_a_page(self):
        browser = Browser(self.rig)
        self.assertIn('href="/sso"', browser.get("/login").text)
        self.assertIn('name="account"', browser.get("/sso").text)
        r = browser.get("/sso?account=acme-healthcare")
        self.assertIn("url=/sso/acme-healthcare", r.text)
        for bad in ("", "..", "a/b", "//evil.example", "javascript:x", "A"):
            r = browser.get("/sso?account=" + urllib.parse.quote(bad, ""))
            self.assertEqual(r.status, 422, bad)
            self.assertNotIn("url=", r.text)
        # A refusal is a page for a browser.
        r = browser.get("/sso/callback?code=x", Accept="text/html")
        self.assertEqual(r.status, 403)
        self.assertIn("Begin again", r.text)
        self.assertIn("<html", r.text)

    # -- who comes in ----------------------------------------------------

    def test_12_who_is_linked(self):
        email = self.op.person["email"]
        there = member(self.rig, "acme-healthcare", "support", email)
        # An address that is not proven, or in no domain of the account.
        for claims in ({"email_verified": False}, {"email_verified": "true"},
                       {"email_verified": None},
                       {"email": "ann@acme.example.evil.example"},
                       {"email": "ann@evil.example"},
                       {"email": "ann@acme.example@evil.example"},
                       {"email": "ann@evil.example, b@acme.example"},
                       {"email": 7}, {"email": None}):
            self.op.twist = lambda c, claims=claims: {
                k: v for k, v in dict(c, **claims).items() if v is not None}
            self.op.user = lambda c, claims=claims: {
                k: v for k, v in dict(c, **claims).items() if v is not None}
            self.refused("address")
        self.op.reset()
        browser = self.comes_in()
        self.assertEqual(browser.person()["email"], email)
        ((user, subject),) = self.rig.sql(
            "select user_id, subject from sso_identities where user_id = "
            f"'{there}'")
        self.assertEqual(subject, self.op.person["sub"])
        # The address has passed to somebody else at the provider.
        self.op.person["sub"] += "-newcomer"
        self.refused("another name")
        # A member that was removed is not linked any more.
        self.assertEqual(self.owner.delete(f"users/{there}").status, 204)
        self.assertEqual(self.rig.sql(
            f"select count(*) from sso_identities where user_id = '{there}'"),
            [["0"]])
        self.comes_in()

    def test_13_roles(self):
        def role():
            browser = self.comes_in()
            return browser.person()["memberships"][0]["role"]
        self.op.person["groups"] = ["staff", "admins"]
        self.assertEqual(role(), "account_admin")
        self.op.person["groups"] = "staff"
        self.assertEqual(role(), "viewer")
        self.op.person["groups"] = ["admins"]
        self.assertEqual(role(), "account_admin")
        del self.op.person["groups"]
        self.assertEqual(role(), "viewer")
        # Without a usual role whoever has none by the map stays out.
        self.owner.patch("sso", {"default_role": None})
        self.refused("no role")
        self.op.person["groups"] = ["staff"]
        self.assertEqual(role(), "viewer")
        # An owner stays one.
        (user,), = self.rig.sql("select id from users where email = "
                                f"'{self.op.person['email']}'")
        self.assertEqual(self.owner.patch(
            f"users/{user}", {"role": "account_owner"}).status, 200)
        self.assertEqual(role(), "account_owner")
        # Nobody new without auto_join.
        self.owner.patch("sso", {"auto_join": False,
                                 "default_role": "viewer"})
        self.op.person = dict(self.op.person, sub="new-13",
                              email="new-13@acme.example")
        self.refused("no member")
        self.owner.patch("sso", {"auto_join": True})

    def test_14_the_platform_and_disabled_people(self):
        self.assertEqual(self.root.post(
            "sso/domains", {"domain": "platform.example"}).status, 201)
        self.op.person["email"] = "root@platform.example"
        self.refused("password")
        self.assertEqual(self.root.delete(
            "sso/domains/platform.example").status, 204)
        self.op.person["email"] = f"p{self.made}@acme.example"
        browser = self.comes_in()
        self.rig.sql("update users set is_active = false where email = "
                     f"'{self.op.person['email']}' returning 1")
        self.refused("disabled")
        self.assertEqual(browser.me(), 401)

    def test_14b_second_factors(self):
        """C13: a provider's word is the first factor only."""
        email = self.op.person["email"]
        self.rig.run("user", "create", email, "--account", "acme-healthcare",
                     "--role", "support", "--password-stdin", stdin=PASSWORD)
        token = self.rig.request("POST", "/api/v1/auth/login", {
            "email": email, "password": PASSWORD}).json["access_token"]
        me = Caller(self.rig, token)
        secret = me.post("/api/v1/me/second-factor", {
            "password": PASSWORD}).json["secret"]
        step = now()
        done = me.post("/api/v1/me/second-factor/confirm", {
            "code": code(secret, step)})
        self.assertEqual(done.status, 200, done)
        codes = done.json["recovery_codes"]
        to = "/accounts/acme-healthcare/admin"
        browser, r = self.sign_in(query="?return_to=" + to)
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, "/login/code?return_to=" + to))
        self.assertEqual(browser.me(), 401)
        self.assertEqual(browser.get("/me", Accept="text/html").status, 303)
        form = browser.get(r.headers["Location"]).text
        token = re.search(r'name="form_token" value="([^"]+)"', form).group(1)

        def send(said):
            return browser.ask("POST", "/login/code", urllib.parse.urlencode({
                "form_token": token, "code": said, "return_to": to}),
                Content_Type="application/x-www-form-urlencoded",
                Origin=f"http://127.0.0.1:{self.rig.port}")
        self.assertEqual(send("000000").status, 401)
        self.assertEqual(browser.me(), 401)
        r = send(codes[0])
        self.assertEqual((r.status, r.headers["Location"]), (303, to))
        self.assertEqual(browser.me(), 200)
        self.assertEqual([k for k in browser.cookies
                          if "wait" in k or "step" in k], [])
        # The provider ends that sign-in, too.
        self.assertEqual(self.tell(self.op.logout_token(
            sub=self.op.person["sub"])).status, 200)
        wait_until(lambda: browser.me() == 401, 1, "she is signed out")
        # What she arrived with is of no use to somebody else.
        browser, r = self.sign_in()
        self.assertEqual(r.status, 303)
        waiting = {k: v for k, v in browser.cookies.items() if "wait" in k}
        self.assertEqual(len(waiting), 1, browser.cookies)
        # A provider that has asked for more than one is believed.
        self.op.twist = lambda c: dict(c, amr=["pwd", "mfa"])
        self.comes_in()
        self.op.twist = lambda c: dict(c, amr="mfa")
        browser, r = self.sign_in()
        self.assertIn("/login/code", r.headers["Location"])

    def test_15_two_accounts_one_issuer(self):
        """B8: each account's people are its own, whatever the subject."""
        theirs = caller(self.rig, "account_owner", "globex")
        self.setup(theirs, self.op, auto_join=True, default_role="support")
        self.refused("domains", account="globex")
        Caller(self.rig, self.root.key, "globex").post(
            "sso/domains", {"domain": "globex.example"})
        ours = self.comes_in().person()
        self.refused("domains", account="globex")
        self.op.person["email"] = f"g{self.made}@globex.example"
        there = self.comes_in(account="globex").person()
        self.assertEqual([m["account"] for m in there["memberships"]],
                         ["globex"])
        self.assertNotEqual(ours["email"], there["email"])
        self.assertEqual(self.comes_in().person()["email"], ours["email"])
        # A sign-in that began for one account ends for no other.
        browser, location = self.begin(account="globex")
        _, other = self.begin()
        self.assertEqual(browser.get(self.back(other)).status, 401)
        # A sign-out is of one account only.
        gone, stays = self.comes_in(), self.comes_in(account="globex")
        self.assertEqual(self.tell(self.op.logout_token(
            sub=self.op.person["sub"])).status, 200)
        wait_until(lambda: gone.me() == 401, 1, "signed out there")
        self.assertEqual(stays.me(), 200)

    # -- setting up ------------------------------------------------------

    def test_16_settings(self):
        admin = caller(self.rig, "account_admin")
        shown = admin.get("sso")
        self.assertEqual(shown.status, 200)
        self.assertNotIn(b"a secret", shown.body)
        self.assertTrue(shown.json["has_client_secret"])
        self.assertEqual(admin.patch("sso", {"is_active": False}).status, 403)
        self.assertEqual(caller(self.rig, "viewer").get("sso").status, 403)
        self.assertEqual(self.owner.post("sso/domains", {
            "domain": "mine.example"}).status, 403)
        etag = shown.headers["etag"]
        self.assertEqual(self.owner.patch(
            "sso", {"trust_email": True}, If_Match=etag).status, 200)
        self.assertEqual(self.owner.patch(
            "sso", {"trust_email": False}, If_Match=etag).status, 412)
        self.owner.patch("sso", {"trust_email": False})
        # The secret goes to no other place than it was set for.
        for change in ({"issuer": "https://login.example.com"},
                       {"client_id": "another"},
                       {"client_auth": "client_secret_post"},
                       {"client_secret": None}):
            reply = self.owner.patch("sso", change)
            self.assertEqual(reply.status, 422, reply)
            self.assertEqual(reply.json["errors"][0]["pointer"],
                             "/client_secret")
        for issuer in ("http://login.example.com", "https://10.0.0.1/../x",
                       "https://a.example/?x", "http://169.254.169.254",
                       "https://user@a.example", "ldap://a.example", "x",
                       "http://localhost:1", "http://2130706433/",
                       "https://a.example/%2e%2e/"):
            reply = self.owner.patch("sso", {"issuer": issuer,
                                             "client_secret": "x"})
            self.assertEqual(reply.status, 422, (issuer, reply))
        self.assertEqual(self.owner.patch("sso", {
            "scopes": ["email"]}).status, 422)
        self.assertEqual(self.owner.patch("sso", {
            "role_claim": None}).status, 422)
        told = self.owner.post("sso/test").json
        self.assertEqual((told["ok"], told["keys"]), (True, 1), told)
        # Switched off, it is as if it were not there.
        self.owner.patch("sso", {"is_active": False})
        self.assertEqual(Browser(self.rig).get(
            "/sso/acme-healthcare").status, 404)
        self.owner.patch("sso", {"is_active": True})
        # The record has no secret, nor has the database.
        record = json.dumps(self.owner.all("audit?action=sso.*"))
        self.assertIn("sso.change", record)
        self.assertNotIn(self.op.client[1], record)
        (stored,), = self.rig.sql(
            "select string_agg(t::text, '') from sso_connections t")
        self.assertNotIn(self.op.client[1], stored)
        self.assertNotIn(self.op.client[1].encode().hex(), stored)
        self.assertNotIn(self.op.client[1], self.rig.log())

    def test_16b_required(self):
        def login(email, password=PASSWORD):
            return self.rig.request("POST", "/api/v1/auth/login", {
                "email": email, "password": password})
        people = {}
        for role in ("viewer", "account_owner"):
            for domain in ("acme.example", "elsewhere.example"):
                email = people[role, domain] = (
                    f"r-{role.replace('_', '-')}@{domain}")
                self.rig.run("user", "create", email, "--account",
                             "acme-healthcare", "--role", role,
                             "--password-stdin", stdin=PASSWORD)
                self.assertEqual(login(email).status, 200)
        self.addCleanup(self.usual)
        self.assertEqual(self.owner.patch(
            "sso", {"is_required": True}).status, 200)
        for (role, domain), email in people.items():
            reply = login(email)
            if (role, domain) == ("viewer", "acme.example"):
                self.assertEqual((reply.status, reply.json["type"]),
                                 (401, "/problems/sso-required"))
                self.assertIn("/sso/acme-healthcare", reply.json["detail"])
                # Whoever does not know the password learns nothing.
                self.assertEqual(login(email, "x" * 20).json["type"],
                                 "/problems/unauthorized")
                self.op.person["email"] = email
                self.assertEqual(self.comes_in().person()["email"], email)
            else:
                self.assertEqual(reply.status, 200, email)
        self.owner.patch("sso", {"is_active": False})
        self.assertEqual(login(people["viewer", "acme.example"]).status, 200)

    def test_17_take_it_away(self):
        theirs = caller(self.rig, "account_owner", "globex")
        self.assertIn(self.setup(theirs, self.op)["issuer"], self.op.issuer)
        self.assertEqual(theirs.delete("sso").status, 204)
        self.assertEqual(theirs.get("sso").status, 404)
        self.assertEqual(theirs.delete("sso").status, 404)
        self.assertEqual(theirs.post("sso/test").status, 404)
        self.assertEqual(Browser(self.rig).get("/sso/globex").status, 404)


class FloodTest(unittest.TestCase):
    """Whoever only begins, or only comes back, does so a few times a minute
    from one address, and asks no provider by it."""
    LIMIT = 5

    def test_a_flood_of_beginnings(self):
        op = OP()
        rig = Rig("sso_flood", params={
            "admin_workers": 2, "chat_workers": 1,
            "egress_allow": "127.0.0.1", "sso_per_minute": self.LIMIT})
        try:
            SsoTest.setup(caller(rig, "account_owner"), op)
            op.reset()
            self.begins(rig, op)
            self.comes_back(rig, op)
        finally:
            rig.close()
            op.close()

    def few(self, replies, good):
        """The first are served, and of the rest few: the limit comes back by
        one every 12 s."""
        status = [r.status for r in replies]
        self.assertEqual(status[:self.LIMIT], [good] * self.LIMIT)
        self.assertLessEqual(status.count(good), self.LIMIT + 2, status)
        late = [r for r in replies if r.status != good]
        for r in late:
            self.assertEqual(r.status, 429, r.text)
            self.assertGreaterEqual(int(r.headers["Retry-After"]), 1)
            self.assertIsNone(r.headers["Set-Cookie"])
        self.assertEqual(json.loads(late[0].text)["type"],
                         "/problems/limit-exceeded")

    def begins(self, rig, op):
        def begin(address, account="acme-healthcare", **more):
            return Browser(rig).get(f"/sso/{account}",
                                    X_Forwarded_For=address, **more)
        self.few([begin("203.0.113.1") for _ in range(40)], 303)
        self.assertLessEqual(len(op.asked), 2 * 2)  # document, keys; a worker
        page = begin("203.0.113.1", Accept="text/html")
        self.assertEqual((page.status, page.headers.get_content_type()),
                         (429, "text/html"))
        # A network of IPv6 is one; whoever guesses accounts' names is slow,
        # and does not learn by it which there are.
        self.few([begin(f"2001:db8::{n + 1:x}") for n in range(40)], 303)
        self.few([begin("203.0.113.2", f"none-{n}") for n in range(40)], 404)
        self.assertEqual(begin("203.0.113.2").status, 429)
        self.assertEqual(begin("203.0.113.3").status, 303)

    def comes_back(self, rig, op):
        here = {"X_Forwarded_For": "203.0.113.9"}
        browser = Browser(rig)
        location = browser.get("/sso/acme-healthcare", **here).headers[
            "Location"]
        back = Browser(rig).get(location).headers["Location"]
        self.few([Browser(rig).get(back, **here) for _ in range(40)], 401)
        self.assertEqual(op.count("/token"), 0)
        # Who has come from elsewhere comes in.
        here["X_Forwarded_For"] = "203.0.113.10"
        r = browser.get(back, **here)
        self.assertIn(r.status, (303, 403), r.text)
        self.assertEqual(op.count("/token"), 1)


if __name__ == "__main__":
    unittest.main()
