"""Accounts that people open themselves (ROBUSTNESS C11, C16)."""
import email
import email.policy
import glob
import re
import threading
import unittest

from manage import Caller
from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD

ASK = "/api/v1/auth/sign-up"
CONFIRM = ASK + "/confirm"


class SignUpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("signup", params={
            "chat_workers": 1, "admin_workers": 2, "sign_up": "on"})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def post(self, path, body):
        return self.rig.request("POST", path, body)

    def ask(self, address, name="Acme Corp", **more):
        return self.post(ASK, dict(more, email=address, account_name=name))

    def mails(self, to):
        found = []
        for name in sorted(glob.glob(self.rig.path("run", "mail", "*.eml"))):
            with open(name, "rb") as f:
                m = email.message_from_binary_file(
                    f, policy=email.policy.default)
            if m["to"] == to:
                found.append(m)
        return found

    def token(self, to, n=1):
        wait_until(lambda: len(self.mails(to)) >= n, 10, f"mail {n} to {to}")
        url, token = re.search(r"(http\S*)\?token=(\S+)",
                               self.mails(to)[n - 1].get_content()).groups()
        self.assertEqual(url, f"http://127.0.0.1:{self.rig.port}/sign-up")
        self.assertNotIn(token, self.rig.log())
        return token

    def sign_in(self, address, account):
        reply = self.post(LOGIN, {"email": address, "password": PASSWORD})
        self.assertEqual(reply.status, 200, reply)
        return Caller(self.rig, reply.json["access_token"], account)

    def test_somebody_new(self):
        reply = self.ask("ann@new.example", "Ann & Sons Ltd.")
        self.assertEqual((reply.status, reply.body), (202, b""))
        token = self.token("ann@new.example")
        # Nothing is there before, and bad answers do not use the link up.
        self.assertEqual(self.rig.sql(
            "select count(*) from users where email = 'ann@new.example'"),
            [["0"]])
        for body, status, pointer in (
                ({}, 422, "/password"),
                ({"password": "passwordpassword"}, 422, "/password"),
                ({"password": PASSWORD, "slug": "globex"}, 409, None)):
            reply = self.post(CONFIRM, dict(body, token=token))
            self.assertEqual(reply.status, status, reply)
            if pointer:
                self.assertEqual(reply.json["errors"][0]["pointer"], pointer)
        said = []
        threads = [threading.Thread(target=lambda: said.append(self.post(
            CONFIRM, {"token": token, "password": PASSWORD})))
            for _ in range(5)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(r.status for r in said),
                         [201] + [404] * 4, said)
        made = [r for r in said if r.status == 201][0].json
        self.assertEqual(made, {"account": "ann-sons-ltd",
                                "name": "Ann & Sons Ltd.",
                                "email": "ann@new.example"})
        owner = self.sign_in("ann@new.example", "ann-sons-ltd")
        shown = owner.get("").json
        self.assertEqual((shown["tier"], shown["max_agents"]), ("free", 2))
        self.assertEqual([u["role"] for u in owner.all("users")],
                         ["account_owner"])
        self.assertEqual([a["action"] for a in owner.all("audit")],
                         ["account.sign_up"])
        # Nobody else's.
        self.assertEqual(owner.of("acme-healthcare").get("").status, 404)

    def test_whoever_is_known_needs_no_other_password(self):
        self.rig.run("user", "create", "old@new.example", "--password-stdin",
                     stdin=PASSWORD)
        known, unknown = self.ask("old@new.example", slug="old-one"), \
            self.ask("nobody@new.example", slug="old-one")
        self.assertEqual((known.status, known.body),
                         (unknown.status, unknown.body))
        # Their mails differ by nothing but address and link.
        texts = []
        for to in ("old@new.example", "nobody@new.example"):
            token = self.token(to)
            texts.append(re.sub(r"until \S+", "", self.mails(to)[0]
                                .get_content().replace(to, "").replace(
                                    token, "")))
        self.assertEqual(texts[0], texts[1])
        reply = self.post(CONFIRM, {"token": self.token("old@new.example"),
                                    "password": "another " + PASSWORD})
        self.assertEqual((reply.status, reply.json["account"]),
                         (201, "old-one"), reply)
        self.sign_in("old@new.example", "old-one").get("")
        # The other one has to choose another slug.
        token = self.token("nobody@new.example")
        self.assertEqual(self.post(CONFIRM, {
            "token": token, "password": PASSWORD}).status, 409)
        self.assertEqual(self.post(CONFIRM, {
            "token": token, "password": PASSWORD,
            "slug": "old-two"}).json["account"], "old-two")

    def test_a_name_that_is_taken_gets_digits(self):
        for n in (1, 2):
            self.ask("twin@new.example", "Twin")
            reply = self.post(CONFIRM, {
                "token": self.token("twin@new.example", n),
                "password": PASSWORD})
            self.assertEqual(reply.status, 201, reply)
            self.assertRegex(reply.json["account"],
                             "^twin$" if n == 1 else "^twin-[0-9a-f]{4}$")

    def test_old_wrong_and_too_many(self):
        self.assertEqual(self.ask("no address").status, 422)
        self.assertEqual(self.post(CONFIRM, {
            "token": "sb_new_x", "password": PASSWORD}).status, 404)
        self.ask("late@new.example")
        token = self.token("late@new.example")
        self.rig.sql("update sign_ups set expires_at = now() where email = "
                     "'late@new.example'")
        self.assertEqual(self.post(CONFIRM, {
            "token": token, "password": PASSWORD}).status, 404)
        for _ in range(12):
            self.assertEqual(self.ask("many@new.example").status, 202)
        self.token("many@new.example")
        self.assertLessEqual(len(self.mails("many@new.example")), 6)
        self.assertEqual(self.rig.sql(
            "select count(*) from sign_ups where position('sb_new' in "
            "sign_ups::text) > 0"), [["0"]])


class SwitchedOffTest(unittest.TestCase):
    def test_as_it_is_unless_the_operator_says_otherwise(self):
        rig = Rig("signoff", params={"chat_workers": 1, "admin_workers": 1})
        try:
            for path, body in ((ASK, {"email": "off@new.example",
                                      "account_name": "Off"}),
                               (CONFIRM, {"token": "sb_new_x"})):
                self.assertEqual(rig.request("POST", path, body).status, 404)
            self.assertEqual(rig.sql("select count(*) from sign_ups"),
                             [["0"]])
        finally:
            rig.close()


if __name__ == "__main__":
    unittest.main()
