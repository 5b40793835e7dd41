"""Sign-on by SAML: Apache's mod_auth_mellon in front, with the shipped example
of its configuration (ROBUSTNESS C7, C8).  The provider is tests/lib/idp.py."""
import os
import subprocess
import unittest
import urllib.parse

from idp import PERSISTENT, IdP
from manage import Caller, caller
from rig import Rig
from test_front_sso import NAMES, SECRET, spellings, value_for
from test_sso import PASSWORD, Browser

MAIL, NAME, GROUPS = ("urn:oid:0.9.2342.19200300.100.1.3",
                      "urn:oid:2.16.840.1.113730.3.1.241",
                      "urn:oid:1.3.6.1.4.1.5923.1.5.1.1")
SAML = "/sso/front/-/saml"
PLACE = "/sso/front/acme-healthcare?return_to=/me/sessions"
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


class SamlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("front_saml")
        cls.dir = rig.path("etc", "saml")
        os.mkdir(cls.dir)
        cls.idp = IdP(cls.dir)
        cls.port = rig.add_front("apache", cls.guard).port
        with open(rig.path("etc", "front.secret"), "w") as f:
            f.write(SECRET + "\n")
        os.chmod(f.name, 0o600)
        rig._own(f.name)
        rig.stop("switchboardd")
        rig.write_config(front_sso_secret_file=f.name, public_urls=" ".join(
            f"http://127.0.0.1:{p}" for p in (rig.port, cls.port)))
        rig.start_server()
        rig.run("user", "create", "root@platform.example", "--platform-admin",
                "--password-stdin", stdin=PASSWORD)
        token = rig.request("POST", "/api/v1/auth/login", {
            "email": "root@platform.example", "password": PASSWORD}).json
        reply = Caller(rig, token["access_token"]).post(
            "sso/domains", {"domain": "acme.example"})
        assert reply.status == 201, reply
        reply = caller(rig, "account_owner").put("sso", {
            "kind": "front", "issuer": IdP.entity, "client_id": None,
            "client_secret": None, "trust_email": True, "auto_join": True,
            "default_role": "viewer", "role_claim": "groups", "role_map": [
                {"value": "admins", "role": "account_admin"}]})
        assert reply.status == 201, reply
        rig.port = cls.port
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    @classmethod
    def guard(cls, front, text):
        """Key and metadata as the module's own tool makes them."""
        url = f"http://127.0.0.1:{front.port}"
        subprocess.run(["mellon_create_metadata", url, url + SAML],
                       cwd=cls.dir, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for name in os.listdir(cls.dir):
            kind = os.path.splitext(name)[1]
            if name.startswith("http_") and kind in (".key", ".cert", ".xml"):
                os.rename(os.path.join(cls.dir, name),
                          os.path.join(cls.dir, "sp" + kind))
        with open(os.path.join(cls.dir, "sp.xml"), "r+") as f:
            metadata = f.read()
            f.seek(0)
            f.write(metadata.replace(
                "<AssertionConsumerService", f"<NameIDFormat>{PERSISTENT}"
                "</NameIDFormat><AssertionConsumerService", 1))
        more = front.fill(os.path.join("apache", "front-saml.conf.in"),
                          SECRET=SECRET, SAML_DIR=cls.dir)
        lock = f'MellonLockFile "{cls.rig.path("run", "mellon.lock")}"\n'
        return front.with_modules(
            text, "authn_core", "authz_user", "auth_mellon").replace(
            "\n<VirtualHost", "\n" + lock + "<VirtualHost").replace(
            "# END site", more + "\n# END site")

    def setUp(self):
        SamlTest.made += 1
        self.subject = f"saml-{self.made}"
        self.email = f"s{self.made}@acme.example"
        self.attributes = {MAIL: [self.email], NAME: ["Änn Example"],
                           GROUPS: ["staff", "admins"]}

    def led(self, browser, **headers):
        """Leads to the provider; what that is asked."""
        r = browser.get(PLACE, **headers)
        self.assertEqual(r.status, 303, r.text)
        login = r.headers["Location"]
        self.assertEqual(urllib.parse.urlsplit(login).path, SAML + "/login")
        r = browser.get(login, **headers)
        self.assertIn(r.status, (302, 303), r.text)
        return self.idp.asked(r.headers["Location"])

    def post(self, browser, answer, **headers):
        return browser.ask("POST", SAML + "/postResponse", answer, **FORM,
                           **headers)

    def sign_in(self, browser, **headers):
        asked = self.led(browser, **headers)
        base = f"http://127.0.0.1:{self.port}"
        self.assertEqual(
            (asked["format"], asked["sp"], asked["acs"]),
            (PERSISTENT, base, base + SAML + "/postResponse"))
        r = self.post(browser, self.idp.answer(
            asked, self.subject, self.attributes), **headers)
        self.assertEqual(r.status, 303, r.text)
        self.assertTrue(r.headers["Location"].endswith(PLACE), r.headers)
        return browser.get(PLACE, **headers)

    def nobody_else(self):
        self.assertEqual(self.rig.sql(
            "select count(*) from users where email like 'mallory%'"), [["0"]])

    def test_comes_in(self):
        browser = Browser(self.rig)
        r = self.sign_in(browser)
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, "/me/sessions"), r.text)
        me = browser.person()
        self.assertEqual((me["email"], me["display_name"],
                          [m["role"] for m in me["memberships"]]),
                         (self.email, "Änn Example", ["account_admin"]))
        page = browser.get("/me", Accept="text/html")
        self.assertEqual(page.status, 200)
        self.assertIn(self.email, page.text)
        (row,) = self.rig.sql(
            "select issuer, subject from sso_identities i join users u on "
            f"u.id = i.user_id where u.email = '{self.email}'")
        self.assertEqual(row, [IdP.entity, self.subject])
        # Another time, with another address and fewer groups: the same person.
        self.attributes = {MAIL: ["new" + self.email], GROUPS: ["staff"]}
        again = Browser(self.rig)
        self.assertEqual(self.sign_in(again).status, 303)
        self.assertEqual((again.person()["id"],
                          again.person()["memberships"][0]["role"]),
                         (me["id"], "viewer"))

    def test_what_is_not_the_providers_word(self):
        """Nothing is believed that is not signed, for us, now, and asked."""
        browser = Browser(self.rig)
        for wrong in (
                {"pair": ()}, {"pair": self.idp.other},
                {"change": lambda text: text.replace(
                    f">{self.email}<", ">mallory@acme.example<")},
                {"change": lambda text: text.replace(
                    f">{self.subject}<", ">mallory<")},
                {"audience": "https://other.example"},
                {"entity": "https://evil.example/idp"},
                {"recipient": "http://127.0.0.1:1" + SAML + "/postResponse"},
                {"minutes_left": -30}):
            with self.subTest(str(list(wrong))):
                r = self.post(browser, self.idp.answer(
                    self.led(browser), self.subject, self.attributes,
                    **wrong))
                self.assertGreaterEqual(r.status, 400, r.text)
                self.led(browser)  # nobody is known yet
        self.assertEqual(browser.me(), 401)
        self.nobody_else()
        # An answer is good once.
        answer = self.idp.answer(self.led(browser), self.subject,
                                 self.attributes)
        self.assertEqual(self.post(browser, answer).status, 303)
        thief = Browser(self.rig)
        self.led(thief)  # has the cookies that the module looks for
        self.assertGreaterEqual(self.post(thief, answer).status, 400)
        self.led(thief)

    def test_headers_change_nothing(self):
        evil = {}
        for name in NAMES:
            for spelt in spellings(name):
                evil.setdefault(spelt.replace("_", "-"), value_for(name))
        evil = {k.replace("-", "_"): v for k, v in evil.items()}
        for part in range(4):
            headers = dict(list(evil.items())[part::4])
            browser = Browser(self.rig)
            r = self.sign_in(browser, **headers)
            self.assertEqual(r.status, 303, r.text)
            self.assertEqual(browser.person()["email"], self.email)
        self.nobody_else()

    def test_signing_out(self):
        browser = Browser(self.rig)
        self.assertEqual(self.sign_in(browser).status, 303)
        self.assertEqual(browser.get(PLACE).status, 303)
        end = urllib.parse.quote(f"http://127.0.0.1:{self.port}/login")
        r = browser.get(f"{SAML}/logout?ReturnTo={end}")
        self.assertEqual((r.status, r.headers["Location"]),
                         (303, urllib.parse.unquote(end)), r.text)
        self.led(browser)
        # Ours ends by /logout: the two are apart.
        self.assertEqual(browser.me(), 200)
        r = browser.get(f"{SAML}/logout?ReturnTo=https://evil.example/")
        self.assertEqual(r.status, 400, r.text)


if __name__ == "__main__":
    unittest.main()
