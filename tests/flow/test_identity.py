"""Signing in, staying so, and being signed out everywhere (ROBUSTNESS C1, C3
to C5)."""
import base64
import hashlib
import hmac
import json
import os
import signal
import threading
import time
import unittest

from rig import Provider, Rig, wait_until

PASSWORD = "Zwölf Boxkämpfer jagen 17 Igel"
LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class IdentityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("identity", env=cls.provider.env(), params={
            "chat_workers": 2, "admin_workers": 2})
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def person(self, role="account_owner", account="acme-healthcare", *more):
        """A new person; her e-mail address."""
        IdentityTest.made += 1
        email = f"p{IdentityTest.made}@example.com"
        member = ["--account", account, "--role", role] if role else []
        self.rig.run("user", "create", email, *member, *more,
                     "--password-stdin", stdin=PASSWORD)
        return email

    def post(self, path, body, token=None):
        return self.rig.request("POST", path, body, headers=self.auth(token))

    @staticmethod
    def auth(token):
        return {"Authorization": f"Bearer {token}"} if token else {}

    def login(self, email, password=PASSWORD):
        reply = self.post(LOGIN, {"email": email, "password": password})
        self.assertEqual(reply.status, 200, reply)
        return reply.json

    def me(self, token):
        return self.rig.get("/api/v1/me", headers=self.auth(token))

    def talk(self, token, account="acme-healthcare", agent="human_health"):
        return self.rig.request(
            "POST", f"/accounts/{account}/chat/sales/{agent}",
            {"message": "hello"}, headers=self.auth(token))

    def everywhere(self, check):
        """What ${check} says on connections of many workers."""
        return {check() for _ in range(12)}

    def test_what_stands_in_the_record(self):
        """Signing in and out, a token that comes twice, bursts of wrong
        passwords: who, and from where; never what was typed."""
        email = self.person()
        (user,), = self.rig.sql(
            f"select id from users where email = '{email}'")

        def said(since=0):
            return self.rig.sql(
                "select action, actor_kind, actor_id, address, after from "
                f"audit_log where object_id = '{user}' order by seq")[since:]
        tokens = self.login(email)
        known = len(said())
        self.assertEqual(said()[-1][:2], ["user.sign_in", "user"])
        self.assertEqual(self.post(LOGOUT, None, tokens["access_token"]).status,
                         204)
        out, = said(known)
        self.assertEqual(out[:4], ["user.sign_out", "user", user,
                                   "127.0.0.1"])
        self.assertEqual(json.loads(out[4])["reason"], "signed out")
        # what was over before leaves nothing
        for _ in range(2):
            self.assertEqual(self.post(LOGOUT, {
                "refresh_token": tokens["refresh_token"]}).status, 204)
        self.assertEqual(len(said()), known + 1)
        by_refresh = self.login(email)
        self.post(LOGOUT, {"refresh_token": by_refresh["refresh_token"]})
        self.assertEqual([e[0] for e in said(known + 1)],
                         ["user.sign_in", "user.sign_out"])
        # everywhere: by herself, and by the operator
        tokens = self.login(email)
        self.rig.request("DELETE", "/api/v1/me/sign-ins",
                         headers=self.auth(tokens["access_token"]))
        self.rig.run("user", "sign-out", email)
        self.assertEqual([e[:2] for e in said(known + 4)],
                         [["user.sign_out_everywhere", "user"],
                          ["user.sign_out_everywhere", "cli"]])
        # a refresh token that comes twice
        tokens = self.login(email)
        known = len(said())
        for want in (200, 401):
            self.assertEqual(self.post(REFRESH, {
                "refresh_token": tokens["refresh_token"]}).status, want)
        self.assertEqual([e[:2] for e in said(known)],
                         [["user.refresh_reused", "system"]])
        # five failures are a burst, once
        known = len(said())
        for _ in range(7):
            self.assertEqual(self.post(LOGIN, {
                "email": email, "password": "not her password"}).status, 401)
        burst, = said(known)
        self.assertEqual(burst[:2], ["user.sign_in_failed", "system"])
        self.assertEqual(json.loads(burst[4]),
                         {"failures": 5, "of_address": False})
        count = "select count(*) from audit_log where action = " \
            "'user.sign_in_failed'"
        before = self.rig.sql(count)
        for _ in range(5):
            self.post(LOGIN, {"email": "nobody-of-this-name@example.com",
                              "password": "not her password"})
        after = self.rig.sql(count)
        self.assertEqual(int(after[0][0]), int(before[0][0]) + 1)
        dump = str(self.rig.sql("select a::text from audit_log a"))
        for secret in ("nobody-of-this-name", "not her password",
                       tokens["refresh_token"]):
            self.assertNotIn(secret, dump)

    def test_signing_in(self):
        email = self.person()
        tokens = self.login(email)
        self.assertEqual(sorted(tokens), ["access_token", "expires_in",
                                          "refresh_token", "token_type"])
        self.assertEqual((tokens["token_type"], tokens["expires_in"]),
                         ("Bearer", 900))
        me = self.me(tokens["access_token"])
        self.assertEqual(me.status, 200, me)
        self.assertEqual(me.headers["cache-control"], "no-store")
        body = me.json
        self.assertEqual((body["email"], body["is_platform_admin"]),
                         (email, False))
        self.assertEqual([(m["account"], m["role"])
                          for m in body["memberships"]],
                         [("acme-healthcare", "account_owner")])
        self.assertIsNotNone(body["last_sign_in_at"])
        # In chat too, where another process looks at it; nowhere else.
        self.assertEqual(self.talk(tokens["access_token"]).status, 200)
        self.assertEqual(self.talk(tokens["access_token"], "globex",
                                   "widgets").status, 404)
        self.assertEqual(self.talk(tokens["access_token"], "nobody",
                                   "widgets").status, 404)

    def test_refusals_do_not_tell(self):
        email = self.person()
        gone = self.person()
        self.rig.run("user", "deactivate", gone)
        told = []
        for who, password in ((email, "wrong password here"),
                              ("nobody@example.com", PASSWORD),
                              (gone, PASSWORD)):
            reply = self.post(LOGIN, {"email": who, "password": password})
            body = reply.json
            body.pop("request_id")
            told.append((reply.status, body))
        self.assertEqual(told[0][0], 401)
        self.assertEqual(told[0], told[1])
        self.assertEqual(told[0], told[2])
        # E-mail addresses are the same in either case; passwords are not.
        self.login(email.upper())
        self.assertEqual(self.post(LOGIN, {
            "email": email, "password": PASSWORD.upper()}).status, 401)

    def test_bodies(self):
        for body, pointer in (({"email": "a@b"}, "/password"),
                              ({"email": 1, "password": "x"}, "/email"),
                              ({"email": "a@b", "password": "x", "role": "y"},
                               "/role"),
                              ({"email": "a@b", "password": "x" * 1025},
                               "/password"),
                              ({"email": "a@b", "password": "x\0y"}, None)):
            reply = self.post(LOGIN, body)
            if pointer is None:
                self.assertIn(reply.status, (400, 422), reply)
                continue
            self.assertEqual(reply.status, 422, reply)
            self.assertEqual([e["pointer"] for e in reply.json["errors"]],
                             [pointer])
        self.assertEqual(self.post(LOGIN, []).status, 422)

    def test_refresh_changes_and_reuse_ends_all(self):
        email = self.person()
        other = self.login(email)  # another device
        first = self.login(email)
        second = self.post(REFRESH, {
            "refresh_token": first["refresh_token"]}).json
        self.assertNotEqual(second["refresh_token"], first["refresh_token"])
        self.assertEqual(self.me(second["access_token"]).status, 200)
        # The stolen one comes again.
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": first["refresh_token"]}).status, 401)
        began = time.monotonic()
        for token in (first, second, other):
            wait_until(lambda: self.everywhere(
                lambda: self.me(token["access_token"]).status) == {401}
                and self.everywhere(
                    lambda: self.talk(token["access_token"]).status) == {401},
                5, "access tokens have ended")
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": second["refresh_token"]}).status, 401)
        # The other device gets a new access token by itself.
        again = self.post(REFRESH, {"refresh_token": other["refresh_token"]})
        self.assertEqual(again.status, 200, again)
        self.assertEqual(self.me(again.json["access_token"]).status, 200)
        self.assertIn("refresh_token_reused", self.rig.log())

    def test_parallel_refresh_has_one_winner(self):
        token = self.login(self.person())["refresh_token"]
        said = []

        def refresh():
            said.append(self.post(REFRESH, {"refresh_token": token}).status)
        threads = [threading.Thread(target=refresh) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(said), [200] + [401] * 19)

    def ended(self, act, email):
        """${act} ends the access token of ${email} within a second."""
        tokens = self.login(email)
        token = tokens["access_token"]
        self.assertEqual(self.everywhere(lambda: self.me(token).status),
                         {200})
        self.assertEqual(self.everywhere(lambda: self.talk(token).status),
                         {200})
        act(tokens)
        wait_until(lambda: self.everywhere(
            lambda: self.me(token).status) == {401} and self.everywhere(
                lambda: self.talk(token).status) == {401}, 5, "it has ended")
        return tokens

    def test_what_ends_tokens(self):
        rig = self.rig
        email = self.person()
        gone = self.ended(lambda t: self.assertEqual(
            self.post(LOGOUT, None, t["access_token"]).status, 204), email)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": gone["refresh_token"]}).status, 401)
        self.ended(lambda t: self.assertEqual(self.post(LOGOUT, {
            "refresh_token": t["refresh_token"]}).status, 204), email)
        left = self.ended(lambda t: rig.run(
            "user", "grant", email, "acme-healthcare", "agent_manager"), email)
        # Another role is no reason to sign in again.
        fresh = self.post(REFRESH, {
            "refresh_token": left["refresh_token"]}).json
        self.assertEqual(
            [m["role"] for m in self.me(fresh["access_token"]).json[
                "memberships"]], ["agent_manager"])
        gone = self.ended(lambda t: self.assertEqual(self.post(
            "/api/v1/me/password", {
                "old_password": PASSWORD, "new_password": PASSWORD + "!"},
            t["access_token"]).status, 204), email)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": gone["refresh_token"]}).status, 401)
        self.assertEqual(self.post(LOGIN, {
            "email": email, "password": PASSWORD}).status, 401)
        tokens = self.login(email, PASSWORD + "!")
        rig.run("user", "deactivate", email)
        wait_until(lambda: self.everywhere(
            lambda: self.me(tokens["access_token"]).status) == {401}, 5,
            "a disabled person is out")
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": tokens["refresh_token"]}).status, 401)

    def test_roles_hold(self):
        viewer = self.login(self.person("viewer"))["access_token"]
        self.assertEqual(self.talk(viewer).status, 403)
        nobody = self.login(self.person(None))["access_token"]
        self.assertEqual(self.me(nobody).status, 200)
        self.assertEqual(self.talk(nobody).status, 404)
        admin = self.login(self.person(None, None, "--platform-admin"))[
            "access_token"]
        self.assertEqual(self.talk(admin).status, 200)
        # A key has no self.
        self.assertEqual(self.me(self.rig.key).status, 403)

    def test_sign_ins_are_listed_and_ended(self):
        email = self.person()
        tokens = [self.login(email) for _ in range(3)]
        mine = self.auth(tokens[2]["access_token"])
        page = self.rig.get("/api/v1/me/sign-ins?limit=2",
                            headers=mine).json
        self.assertEqual([s["current"] for s in page["data"]], [True, False])
        rest = self.rig.get("/api/v1/me/sign-ins?after=" + page["next"],
                            headers=mine).json
        self.assertEqual((len(rest["data"]), rest["next"]), (1, None))
        other = self.login(self.person())["access_token"]
        target = f"/api/v1/me/sign-ins/{rest['data'][0]['id']}"
        self.assertEqual(self.rig.request(
            "DELETE", target, headers=self.auth(other)).status, 404)
        self.assertEqual(self.rig.request(
            "DELETE", target, headers=mine).status, 204)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": tokens[0]["refresh_token"]}).status, 401)
        again = self.post(REFRESH, {
            "refresh_token": tokens[2]["refresh_token"]}).json
        self.assertEqual(self.rig.request(
            "DELETE", "/api/v1/me/sign-ins",
            headers=self.auth(again["access_token"])).status, 204)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": tokens[1]["refresh_token"]}).status, 401)

    def test_signing_keys_change_without_signing_anybody_out(self):
        old = self.login(self.person())
        kid = json.loads(unb64(old["access_token"].split(".")[0]))["kid"]
        self.rig.run("token", "rotate")
        wait_until(lambda: json.loads(unb64(self.login(self.person())[
            "access_token"].split(".")[0]))["kid"] != kid, 5,
            "a new key signs")
        self.assertEqual(self.everywhere(
            lambda: self.me(old["access_token"]).status), {200})
        new = self.login(self.person())["access_token"]
        self.assertEqual(self.everywhere(lambda: self.me(new).status), {200})
        self.assertEqual(self.everywhere(lambda: self.talk(new).status),
                         {200})
        # At once, where a key is known to others.
        self.rig.run("token", "rotate", "--now")
        wait_until(lambda: self.everywhere(
            lambda: self.me(new).status) == {401}, 5, "the old one is out")
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": old["refresh_token"]}).status, 200)

    def test_forged_tokens(self):
        token = self.login(self.person())["access_token"]
        head, body, mac = token.split(".")
        claims = json.loads(unb64(body))

        def forged(h=None, c=None, m=None):
            h = b64(json.dumps(h).encode()) if h is not None else head
            c = b64(json.dumps(c).encode()) if c is not None else body
            return f"{h}.{c}.{mac if m is None else m}"
        kid = json.loads(unb64(head))["kid"]
        public = hmac.new(b"public", f"{head}.{body}".encode(),
                          hashlib.sha256).digest()
        bad = [
            forged(m=""), forged(m=mac[:-1]), forged(m=mac + "A"),
            forged(m=b64(public)), token + ".", token + "=",
            "." + token, f"{head}.{body}", forged(c=dict(claims, ver=2)),
            forged(c=dict(claims, exp=claims["exp"] + 1)),
            *(forged(h={"alg": alg, "typ": "at+jwt", "kid": kid}, m=m)
              for alg in ("none", "None", "NONE", "hs256", "HS512", "RS256")
              for m in ("", mac)),
            forged(h={"alg": "HS256", "typ": "JWT", "kid": kid}),
            forged(h={"alg": "HS256", "kid": kid}),
            *(forged(h={"alg": "HS256", "typ": "at+jwt", "kid": k})
              for k in ("../../dev/null", "' or 1=1 --", "", "\0", 7)),
            *(forged(h={"alg": "HS256", "typ": "at+jwt", "kid": kid, k: v})
              for k, v in (("jku", "http://127.0.0.1/"), ("x5u", "x"),
                           ("jwk", {}), ("crit", ["exp"]))),
            "a.b.c", "..", "A" * 5000 + ".b.c",
        ]
        want = None
        for t in bad:
            reply = self.me(t)
            said = reply.json
            said.pop("request_id")
            want = want or said
            self.assertEqual((reply.status, said), (401, want), t[:80])
            self.assertEqual(self.talk(t).status, 401, t[:80])
        # A refresh token is no access token, and the other way round.
        both = self.login(self.person())
        self.assertEqual(self.me(both["refresh_token"]).status, 401)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": both["access_token"][:128]}).status, 401)

    def test_nothing_is_kept_that_signs_in(self):
        tokens = self.login(self.person())
        dump = "\n".join("|".join(map(str, row)) for table in (
            "users", "sign_ins", "refresh_tokens", "signing_keys")
            for row in self.rig.sql(f"select t::text from {table} t"))
        for secret in (*tokens.values(), PASSWORD):
            if isinstance(secret, str) and len(secret) > 10:
                self.assertNotIn(secret, dump)
                self.assertNotIn(secret, self.rig.log())


    def test_a_password_has_rules(self):
        email = self.person()
        token = self.login(email)["access_token"]

        def change(new, old=PASSWORD):
            return self.post("/api/v1/me/password", {
                "old_password": old, "new_password": new}, token)
        for new in ("short but odd", "passwordpassword", "aaaaaaaaaaaaaaaaaa",
                    "qwertyuiopasdfgh", "switchboard2026!",
                    email + " and more"):
            reply = change(new)
            self.assertEqual(reply.status, 422, (new, reply))
            error, = reply.json["errors"]
            self.assertEqual(error["pointer"], "/new_password")
            self.assertNotIn(new, error["detail"])
        self.assertEqual(change("irrelevant here 4711 x", "no").status, 403)
        # Long ones count to their last character, in any spelling of it.
        long = "Ein sehr langer Satz über Igel, " * 6 + "Ende\u0301"
        self.assertEqual(change(long).status, 204)
        self.assertEqual(self.post(LOGIN, {
            "email": email, "password": long[:-2]}).status, 401)
        self.login(email, long[:-2] + "\u00e9")
        done = self.rig.run("user", "set-password", email, "--password-stdin",
                            stdin="password1234567", check=False)
        self.assertEqual(done.returncode, 1)

    def test_trying_is_slowed_down(self):
        """ROBUSTNESS C12."""
        email = self.person()
        lives = self.login(email)
        wrong = {"email": email, "password": "wrong " + PASSWORD}
        said = {}
        for _ in range(6):
            reply = self.post(LOGIN, wrong)
            said = dict(reply.json, request_id=None)
            self.assertEqual(reply.status, 401)
        # The right one too, in the same words, until a moment has passed.
        reply = self.post(LOGIN, {"email": email, "password": PASSWORD})
        self.assertEqual((reply.status, dict(reply.json, request_id=None)),
                         (401, said))
        # Who is signed in stays so; others from here sign in.
        self.assertEqual(self.me(lives["access_token"]).status, 200)
        self.assertEqual(self.post(REFRESH, {
            "refresh_token": lives["refresh_token"]}).status, 200)
        self.login(self.person())
        wait_until(lambda: self.post(LOGIN, {
            "email": email, "password": PASSWORD}).status == 200, 10,
            "the delay is over")


class FloodTest(unittest.TestCase):
    """ROBUSTNESS C14: a flood of sign-ins takes a core's hash at a time, the
    rest is told so, and chat goes on."""

    def test_a_flood_is_turned_away(self):
        rig = Rig("flood", params={"chat_workers": 1, "admin_threads": 64,
                                   "password_hashes": 1,
                                   "password_waiting": 2})
        said, stop = [], threading.Event()

        def flood(i):
            while not stop.is_set():
                said.append(rig.request("POST", LOGIN, {
                    "email": f"n{i}@example.com",
                    "password": "x" * 20}).status)
        threads = [threading.Thread(target=flood, args=(i,))
                   for i in range(16)]
        try:
            for t in threads:
                t.start()
            wait_until(lambda: 429 in said and 401 in said, 20, "both answers")
            for _ in range(10):
                self.assertEqual(rig.chat().status, 200)
        finally:
            stop.set()
            for t in threads:
                t.join()
            rig.close()
        self.assertEqual(set(said), {401, 429})


class DeafTest(unittest.TestCase):
    """While nobody hears of changes, tokens end all the same."""

    def test_tokens_end_without_a_listener(self):
        rig = Rig("deaf", params={"chat_workers": 1})
        try:
            rig.run("user", "create", "p@example.com", "--password-stdin",
                    stdin=PASSWORD)
            token = rig.request("POST", LOGIN, {
                "email": "p@example.com", "password": PASSWORD}).json[
                    "access_token"]

            def me():
                return rig.get("/api/v1/me", headers={
                    "Authorization": f"Bearer {token}"}).status
            self.assertEqual(me(), 200)
            listener, = rig.workers("listener")
            os.kill(listener, signal.SIGSTOP)
            try:
                rig.run("user", "deactivate", "p@example.com")
                wait_until(lambda: me() == 401, 5, "the token has ended")
            finally:
                os.kill(listener, signal.SIGCONT)
        finally:
            rig.close()


if __name__ == "__main__":
    unittest.main()
