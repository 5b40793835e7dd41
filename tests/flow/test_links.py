"""Links in mails: invitations and forgotten passwords (ROBUSTNESS C11, C16)."""
import email
import email.policy
import glob
import os
import re
import threading
import unittest

from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD

RESET = "/api/v1/auth/reset"
CHOOSE = "/api/v1/auth/password"
USERS = "/api/v1/accounts/acme-healthcare/users"


class LinkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("links", params={"chat_workers": 1, "admin_workers": 2})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def post(self, path, body, headers=None):
        return self.rig.request("POST", path, body, headers=headers or {})

    def mails(self, to):
        """Messages to ${to}, the oldest first."""
        found = []
        for name in sorted(glob.glob(self.rig.path("run", "mail", "*.eml"))):
            self.assertEqual(os.stat(name).st_mode & 0o777, 0o600)
            with open(name, "rb") as f:
                m = email.message_from_binary_file(
                    f, policy=email.policy.default)
            if m["to"] == to:
                found.append(m)
        return found

    def link(self, to, n=1):
        wait_until(lambda: len(self.mails(to)) >= n, 10, f"mail {n} to {to}")
        text = self.mails(to)[n - 1].get_content()
        url, token = re.search(r"(http\S*/password)\?token=(\S+)",
                               text).groups()
        self.assertEqual(url, f"http://127.0.0.1:{self.rig.port}/password")
        return token

    def person(self, address):
        self.rig.run("user", "create", address, "--password-stdin",
                     stdin=PASSWORD)

    def login(self, address, password=PASSWORD):
        return self.post(LOGIN, {"email": address, "password": password})

    def choose(self, token, password):
        return self.post(CHOOSE, {"token": token, "new_password": password})

    def test_reset(self):
        self.person("ann@example.com")
        tokens = self.login("ann@example.com").json
        reply = self.post(RESET, {"email": "Ann@example.com"}, {
            "Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        self.assertEqual((reply.status, reply.body), (202, b""))
        token = self.link("ann@example.com")
        self.assertNotIn(token, self.rig.log())
        self.assertEqual(self.rig.sql(
            "select count(*) from password_links l where l::text like "
            f"'%{token}%'"), [["0"]])
        # A bad password does not use it up.
        bad = self.choose(token, "passwordpassword")
        self.assertEqual((bad.status, bad.json["errors"][0]["pointer"]),
                         (422, "/new_password"))
        said = []

        def use(i):
            said.append(self.choose(token, f"{PASSWORD} of {i}").status)
        threads = [threading.Thread(target=use, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(said), [204] + [404] * 5)
        self.assertEqual(self.login("ann@example.com").status, 401)
        # Who was signed in is out.
        self.assertEqual(self.post("/api/v1/auth/refresh", {
            "refresh_token": tokens["refresh_token"]}).status, 401)
        self.assertEqual(self.rig.sql(
            "select a.action, a.actor_kind from audit_log a join users u on "
            "u.id::text = a.actor_id where u.email = 'ann@example.com' order "
            "by a.seq"), [["user.sign_in", "user"], ["user.password", "user"]])

    def test_only_the_newest_link_is_good(self):
        self.person("ben@example.com")
        for n in (1, 2):
            self.assertEqual(self.post(RESET, {
                "email": "ben@example.com"}).status, 202)
            self.link("ben@example.com", n)
        links = [self.link("ben@example.com", n) for n in (1, 2)]
        self.assertEqual(self.choose(links[0], PASSWORD + " 2").status, 404)
        self.rig.sql("update password_links set expires_at = now() where "
                     "user_id = (select id from users where email = "
                     "'ben@example.com')")
        self.assertEqual(self.choose(links[1], PASSWORD + " 2").status, 404)
        self.assertEqual(self.choose("sb_lnk_x", PASSWORD + " 2").status, 404)
        self.assertEqual(self.login("ben@example.com").status, 200)

    def test_nobody_learns_who_there_is(self):
        self.person("cat@example.com")
        replies = [self.post(RESET, {"email": who})
                   for who in ("cat@example.com", "nobody@example.com")]
        self.assertEqual([(r.status, r.body) for r in replies],
                         [(202, b"")] * 2)
        self.link("cat@example.com")
        self.assertEqual(self.mails("nobody@example.com"), [])
        # Not by asking often either: it is the same, and the mails end.
        for _ in range(12):
            self.assertEqual(self.post(RESET, {
                "email": "cat@example.com"}).status, 202)
        self.assertLessEqual(len(self.mails("cat@example.com")), 5)

    def test_invitation(self):
        reply = self.post(USERS, {
            "email": "dan@example.com", "role": "analyst",
            "display_name": "Dan"}, self.rig.auth())
        self.assertEqual((reply.status, reply.json), (201, {
            "email": "dan@example.com", "role": "analyst"}))
        token = self.link("dan@example.com")
        self.assertEqual(self.choose(token, PASSWORD).status, 204)
        me = self.rig.get("/api/v1/me", headers={
            "Authorization": "Bearer " + self.login(
                "dan@example.com").json["access_token"]}).json
        self.assertEqual([m["role"] for m in me["memberships"]], ["analyst"])
        self.assertEqual(me["display_name"], "Dan")
        again = self.post(USERS, {
            "email": "DAN@example.com", "role": "viewer"}, self.rig.auth())
        self.assertEqual(again.status, 409)
        # To another account: she has a password, and gets no link.
        there = self.post("/api/v1/accounts/globex/users", {
            "email": "dan@example.com", "role": "viewer"},
            self.rig.auth(self.rig.globex_key))
        self.assertEqual(there.status, 201)
        wait_until(lambda: len(self.mails("dan@example.com")) == 2, 10,
                   "word of it")
        self.assertNotIn("token=", self.mails("dan@example.com")[1]
                         .get_content())
        self.assertEqual(self.rig.sql(
            "select count(*) from audit_log where action = 'user.invite'"),
            [["2"]])

    def test_nobody_invites_above_himself(self):
        admin = self.rig.cli(
            "key", "create", "acme-healthcare", "--kind", "api", "--name",
            "a", "--role", "account_admin")["key"]
        for key, role, status in ((admin, "account_owner", 403),
                                  (admin, "account_admin", 201)):
            reply = self.post(USERS, {
                "email": f"{role}@example.com", "role": role},
                self.rig.auth(key))
            self.assertEqual(reply.status, status, reply)
        for bad in ("no address", "a@b\r\nBcc: c@d", "<a@b>"):
            reply = self.post(USERS, {"email": bad, "role": "viewer"},
                              self.rig.auth())
            self.assertEqual(reply.status, 422, reply)
            self.assertEqual(reply.json["errors"][0]["pointer"], "/email")

    def test_once_by_idempotency_key(self):
        body = {"email": "eve@example.com", "role": "viewer"}
        headers = dict(self.rig.auth(), **{"Idempotency-Key": "invite-eve"})
        said = [self.post(USERS, body, headers) for _ in range(2)]
        self.assertEqual([r.status for r in said], [201, 201])
        self.assertEqual(said[1].headers["idempotent-replayed"], "true")
        self.link("eve@example.com")
        self.assertEqual(len(self.mails("eve@example.com")), 1)


if __name__ == "__main__":
    unittest.main()
