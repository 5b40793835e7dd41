"""A second factor that an account wants (ROBUSTNESS C13: no way round it)."""
import re
import unittest

from manage import Caller, caller, pointers
from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD, REFRESH
from test_pages import Browser
from test_passkeys import ENTER, MINE, Authenticator
from test_second_factor import FACTOR, code, now

KIND = "/problems/second-factor-required"


class FactorRequiredTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("wanted", params={"chat_workers": 2,
                                        "admin_workers": 2})
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def account(self, slug):
        self.rig.run("account", "create", slug)
        return caller(self.rig, "account_owner", slug)

    def person(self, slug, role):
        FactorRequiredTest.made += 1
        address = f"w{self.made}@example.com"
        self.rig.run("user", "create", address, "--account", slug, "--role",
                     role, "--password-stdin", stdin=PASSWORD)
        return address

    def login(self, address, slug, totp=None, password=PASSWORD):
        body = {"email": address, "password": password}
        if totp is not None:
            body["totp"] = totp
        reply = self.rig.request("POST", LOGIN, body)
        self.assertEqual(reply.status, 200, reply)
        who = Caller(self.rig, reply.json["access_token"], slug)
        who.refresh_token = reply.json["refresh_token"]
        return who

    def refresh(self, who):
        reply = self.rig.request("POST", REFRESH, {
            "refresh_token": who.refresh_token})
        self.assertEqual(reply.status, 200, reply)
        again = Caller(self.rig, reply.json["access_token"], who.account)
        again.refresh_token = reply.json["refresh_token"]
        return again

    def set_up(self, who):
        """(secret, recovery codes)"""
        made = who.post(FACTOR, {"password": PASSWORD})
        self.assertEqual(made.status, 201, made)
        done = who.post(FACTOR + "/confirm", {
            "code": code(made.json["secret"], now())})
        self.assertEqual(done.status, 200, done)
        return made.json["secret"], done.json["recovery_codes"]

    def refused(self, who):
        """Everything of the account; by all ways that lead there."""
        for reply in (who.get(""), who.get("agents"), who.get("users"),
                      who.get("export"), who.post("restore"),
                      who.patch("", {"require_second_factor": "none"}),
                      self.rig.chat("sales/shop", "hi", account=who.account,
                                    key=who.key)):
            self.assertEqual((reply.status, reply.json["type"]), (403, KIND),
                             reply)
        # What is her own she sees and changes.
        self.assertEqual(who.get("/api/v1/me").status, 200)
        self.assertEqual(who.get("/api/v1/me/sign-ins").status, 200)

    def test_by_browser(self):
        """A cookie tells what its sign-in has shown, whatever renews it."""
        key = self.account("paged")
        address = self.person("paged", "account_owner")
        b, early = Browser(self.rig), Browser(self.rig)
        b.sign_in(address)
        early.sign_in(address)

        def ask(browser):
            return browser.get("/api/v1/accounts/paged", headers={
                "Accept": "application/json"})
        self.assertEqual(ask(b).status, 200)
        self.assertEqual(key.patch("", {"require_second_factor": "all"})
                         .status, 200)
        wait_until(lambda: ask(b).status == 403, 2, "wanted")
        self.assertEqual(ask(b).json["type"], KIND)
        b.get("/me")
        b.send("/me/second-factor", password=PASSWORD)
        secret = "".join(re.findall(r"<span>([A-Z2-7]+)</span>", b.page))
        self.assertEqual(b.send("/me/second-factor/confirm",
                                code=code(secret, now())).status, 200)
        recovery = re.findall(r"<code>([a-z0-9-]{19})</code>", b.page)
        self.assertEqual(ask(b).status, 200)
        self.assertEqual(ask(early).status, 403)
        # signed in with the code
        other = Browser(self.rig)
        other.sign_in(address)
        self.assertEqual(ask(other).status, 401)
        other.get("/login/code")
        self.assertEqual(other.send("/login/code", code=recovery[0]).status,
                         303)
        self.assertEqual(ask(other).status, 200)
        # a new password renews the cookie, and what it has shown stays
        other.get("/me")
        self.assertEqual(other.send(
            "/me/password", old_password=PASSWORD,
            new_password=PASSWORD + " 2",
            again=PASSWORD + " 2").status, 303, other.text())
        self.assertEqual(ask(other).status, 200)
        # taken away: nobody has shown one
        other.get("/me")
        self.assertEqual(other.send("/me/second-factor/remove",
                                    password=PASSWORD + " 2").status, 303)
        self.assertEqual(ask(other).json["type"], KIND)

    def test_a_passkey_is_one(self):
        """Who adds one has shown one; who comes by it, too; by the password
        alone, nobody."""
        key = self.account("passkeys")
        address = self.person("passkeys", "account_owner")
        self.assertEqual(key.patch("", {"require_second_factor": "all"})
                         .status, 200)
        host = f"localhost:{self.rig.port}"

        def ask(method, path, body=None, who=None, cookie=""):
            headers = {"Host": host, "Cookie": cookie}
            if who is not None:
                headers.update(self.rig.auth(who.key))
            reply = self.rig.request(method, path, body, headers)
            self.assertIn(reply.status, (200, 201, 204), reply)
            return reply, reply.headers.get("set-cookie", "").split(";")[0]
        who = self.login(address, "passkeys")
        wait_until(lambda: who.get("agents").status == 403, 2, "wanted")
        self.refused(who)
        began, cookie = ask("POST", MINE + "/options", {
            "password": PASSWORD}, who)
        device = Authenticator(f"http://{host}")
        made, _ = ask("POST", MINE, {
            "name": "x", "response": device.make(began.json)}, who, cookie)
        # Her sign-in has shown one, from its next access token on.
        self.refused(who)
        who = self.refresh(who)
        self.assertEqual(who.get("agents").status, 200)

        def enter():
            began, cookie = ask("POST", ENTER + "/options")
            came, _ = ask("POST", ENTER, device.sign(began.json),
                          cookie=cookie)
            who = Caller(self.rig, came.json["access_token"], "passkeys")
            who.refresh_token = came.json["refresh_token"]
            return who
        for who in (enter(), self.refresh(enter())):
            self.assertEqual(who.get("agents").status, 200)
            self.assertEqual(self.rig.chat(
                "sales/shop", "hi", account="passkeys",
                key=who.key).status, 404)  # let in; there is none
        self.refused(self.login(address, "passkeys"))
        # With the passkey goes what it has shown.
        ask("DELETE", f"{MINE}/{made.json['id']}", {"password": PASSWORD},
            who)
        wait_until(lambda: who.get("agents").status != 200, 2, "gone")
        self.refused(self.refresh(who))

    def test_by_the_operator(self):
        """Who has shut himself out is let in again."""
        key = self.account("operated")
        own = self.login(self.person("operated", "account_owner"), "operated")
        self.assertEqual(key.post("roles", {
            "name": "reader", "permissions": ["account.read"]}).status, 201)

        def want(whom):
            said = self.rig.cli("account", "set-second-factor", "operated",
                                whom)
            self.assertEqual(said["require_second_factor"], key.get("").json[
                "require_second_factor"])
            return said["require_second_factor"]
        for whom, said, owner in (
                ("admins", "admins", 403), ("none", "none", 200),
                ("all", "all", 403), ("reader,viewer", ["reader", "viewer"],
                                      200),
                ("account_owner", ["account_owner"], 403),
                ("none", "none", 200)):
            self.assertEqual(want(whom), said)
            wait_until(lambda: own.get("agents").status == owner, 2, whom)
        done = self.rig.run("account", "set-second-factor", "operated",
                            "reader,nobody", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody", done.stderr)
        before, after = self.rig.sql(
            "select before->>'require_second_factor', "
            "after->>'require_second_factor' from audit_log where action = "
            "'account.set_second_factor' order by seq desc limit 1")[0]
        self.assertEqual((before, after), ('["account_owner"]', "none"))

    def test_no_way_round(self):
        key = self.account("strict")
        address = self.person("strict", "account_owner")
        early, other = (self.login(address, "strict") for _ in range(2))
        self.assertEqual(early.get("agents").status, 200)
        self.assertEqual(key.get("").json["require_second_factor"], "none")
        reply = key.patch("", {"require_second_factor": "all"})
        self.assertEqual((reply.status, reply.json["require_second_factor"]),
                         (200, "all"), reply)
        # At once, also for who was signed in; not for keys.
        wait_until(lambda: early.get("agents").status == 403, 2, "wanted")
        for who in (early, self.refresh(early), self.login(address,
                                                           "strict")):
            self.refused(who)
        self.assertEqual(key.get("agents").status, 200)
        early = self.login(address, "strict")
        # An account that wants none does not ask.
        self.rig.run("account", "create", "loose")
        self.rig.run("user", "grant", address, "loose", "viewer")
        early = self.login(address, "strict")
        self.assertEqual(early.of("loose").get("").status, 200)
        # Strangers still learn nothing.
        self.assertEqual(self.login(self.person("loose", "viewer"),
                                    "strict").get("").status, 404)
        # Begun is not done.
        begun = early.post(FACTOR, {"password": PASSWORD})
        self.assertEqual(begun.status, 201, begun)
        self.refused(early)
        done = early.post(FACTOR + "/confirm", {
            "code": code(begun.json["secret"], now())})
        self.assertEqual(done.status, 200, done)
        recovery = done.json["recovery_codes"]
        # This sign-in has shown one, from its next token on; no other has.
        self.refused(early)
        early = self.refresh(early)
        self.assertEqual(early.get("agents").status, 200)
        self.refused(self.refresh(other))
        self.assertEqual(self.refresh(early).get("agents").status, 200)
        self.assertEqual(self.login(address, "strict", recovery[0]).get(
            "agents").status, 200)
        # Not by another password.
        self.rig.run("user", "set-password", address, "--password-stdin",
                     stdin=PASSWORD)
        bare = self.rig.request("POST", LOGIN, {"email": address,
                                                "password": PASSWORD})
        self.assertEqual(bare.status, 401)
        last = self.login(address, "strict", recovery[1])
        self.assertEqual(last.get("agents").status, 200)
        # Who takes it away is out again, with every sign-in.
        second = self.login(address, "strict", recovery[2])
        self.assertEqual(last.ask("DELETE", FACTOR, {
            "password": PASSWORD}).status, 204)
        for who in (last, second):
            wait_until(lambda: who.get("agents").status == 401, 2, "ended")
            self.refused(self.refresh(who))

    def test_of_whom(self):
        key = self.account("picky")
        people = {role: self.person("picky", role) for role in (
            "viewer", "agent_manager", "account_admin")}
        key.post("roles", {"name": "inviter", "permissions": [
            "user.write", "account.read"]})
        people["inviter"] = self.person("picky", "inviter")
        for wanted, whom in (("admins", {"account_admin", "inviter"}),
                             (["viewer", "inviter"], {"viewer", "inviter"}),
                             ([], set()), ("all", set(people)),
                             ("none", set())):
            reply = key.patch("", {"require_second_factor": wanted})
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.json["require_second_factor"],
                             wanted or "none")
            for role, address in people.items():
                who = self.login(address, "picky")
                want = 403 if role in whom else 200
                wait_until(lambda: who.get("").status == want, 2,
                           f"{wanted}: {role}")
        for bad, at in (("some", "/require_second_factor"),
                        (["nobody"], "/require_second_factor/0"),
                        (["viewer", "platform_admin"],
                         "/require_second_factor/1"),
                        ([5], "/require_second_factor/0"),
                        (True, "/require_second_factor")):
            reply = key.patch("", {"require_second_factor": bad})
            self.assertEqual((reply.status, pointers(reply)), (422, [at]),
                             reply)
        self.assertEqual(caller(self.rig, "agent_manager", "picky").patch(
            "", {"require_second_factor": "none"}).status, 403)


if __name__ == "__main__":
    unittest.main()
