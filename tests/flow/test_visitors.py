"""Visitors whom an account's own server names (INTERFACE: Chat, Sessions;
ROBUSTNESS C1, C15)."""
import hashlib
import json
import time
import unittest

from manage import Caller, caller
from rig import NOBODY, wait_until
from widget import (ACCOUNT, ORIGIN, OTHER, WidgetCase, b64, claims_of,
                    signed, unb64)

SLUG = "acme-healthcare"
HEAD = {"alg": "HS256", "typ": "JWT"}


class VisitorsTest(WidgetCase):
    NAME = "visitors"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secret_id, cls.secret = cls.new_secret()

    @classmethod
    def new_secret(cls):
        made = cls.owner.post("visitor-secrets", {"name": "shop"})
        assert made.status == 201, made
        return made.json["id"], made.json["secret"]

    def claims(self, sub="customer-17", **more):
        return {k: v for k, v in dict({
            "sub": sub, "aud": SLUG, "exp": int(time.time()) + 600},
            **more).items() if v is not None}

    def named(self, sub="customer-17", secret=None, head=None, **more):
        """What the account's server would sign."""
        return signed(head or HEAD, self.claims(sub, **more),
                      (secret or self.secret).encode())

    def asked(self, token, key=None, origin=ORIGIN):
        return self.ask(key, origin, {"visitor_token": token})

    def visitor(self, sub="customer-17", key=None, origin=ORIGIN, **more):
        """A widget token that names her."""
        reply = self.asked(self.named(sub, **more), key, origin)
        self.assertEqual(reply.status, 200, reply)
        return reply.json["token"]

    def session_of(self, session_key):
        return next(s for s in self.owner.all("sessions")
                    if s["session_key"] == session_key)

    # -- naming ----------------------------------------------------------

    def test_a_visitor_is_seen(self):
        token = self.visitor(name="Ann Müller", email="ann@example.com")
        self.assertNotIn("ann", json.dumps(claims_of(token)).lower())
        reply = self.chat(token, message="hello")
        self.assertEqual(reply.status, 200, reply)
        session = self.session_of(reply.json["session_key"])
        self.assertEqual(
            {k: v for k, v in session["visitor"].items() if k != "id"},
            {"external_id": "customer-17", "name": "Ann Müller",
             "email": "ann@example.com"})
        self.assertEqual((session["is_anonymous"], session["email"]),
                         (False, None))
        shown = self.owner.get(f"sessions/{session['id']}").json
        self.assertEqual(shown["visitor"], session["visitor"])
        # what is not said again stays; what is said anew is taken
        self.visitor(name="Ann M.")
        again = self.owner.get(f"sessions/{session['id']}").json["visitor"]
        self.assertEqual((again["name"], again["email"], again["id"]),
                         ("Ann M.", "ann@example.com",
                          session["visitor"]["id"]))
        # nobody in particular
        reply = self.chat(self.token(), message="hello")
        session = self.session_of(reply.json["session_key"])
        self.assertEqual((session["visitor"], session["is_anonymous"]),
                         (None, True))
        self.assertEqual(self.ask(body={"visitor_token": None}).status, 200)
        for secret in (self.secret, self.secret[7:]):
            self.assertNotIn(secret, self.rig.log())

    def test_her_sessions_are_hers(self):
        """On any device of hers, by their keys; nobody else's."""
        key_id, key = self.widget_key()
        first = self.visitor(key=key)
        reply = self.chat(first, message="one")
        session, turn = reply.json["session_key"], reply.json["turn_id"]
        other_device = self.visitor(key=key, origin=OTHER)
        again = self.chat(other_device, OTHER, message="two",
                          session_key=session)
        self.assertEqual(again.json["session_key"], session, again)
        path = f"{ACCOUNT}/sessions/{session}/messages"
        said = self.rig.get(path, headers=self.bearer(other_device, OTHER))
        self.assertEqual([m["content"] for m in said.json["data"]
                          if m["role"] == "user"], ["one", "two"])
        self.assertNotIn("caller", said.json["data"][0])
        strangers = {
            "another visitor": self.visitor("customer-18", key=key),
            "nobody": self.token(key),
            "herself, of another widget key": self.visitor(),
        }
        for who, token in strangers.items():
            with self.subTest(who):
                mine = self.bearer(token)
                self.assertEqual(self.chat(
                    token, session_key=session).status, 404)
                self.assertEqual(self.rig.get(path, headers=mine).status, 404)
                self.assertEqual(self.rig.get(
                    f"{ACCOUNT}/turns/{turn}", headers=mine).status, 404)
                self.assertEqual(self.rig.request(
                    "DELETE", f"{ACCOUNT}/turns/{turn}",
                    headers=mine).status, 404)
                stream = self.rig.resume(turn, headers=mine)
                self.assertEqual(stream.status, 404)
                stream.close()
        plain = {"X-Widget-Key": key, "Origin": ORIGIN}
        self.assertEqual(self.rig.get(path, headers=plain).status, 404)
        self.assertEqual(self.rig.get(
            f"{ACCOUNT}/turns/{turn}", headers=plain).status, 404)
        # nor does she get what nobody in particular has said
        theirs = self.rig.chat(headers=plain).json
        self.assertEqual(self.chat(
            first, session_key=theirs["session_key"]).status, 404)
        self.assertEqual(self.rig.get(
            f"{ACCOUNT}/turns/{theirs['turn_id']}",
            headers=self.bearer(first)).status, 404)
        # the account's own keys see all
        self.assertEqual(self.rig.get(
            f"{ACCOUNT}/turns/{turn}", headers=self.rig.auth()).status, 200)

    def test_a_running_turn_is_hers(self):
        self.rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-20x50",
            "model_fallback": False})
        try:
            token = self.visitor()
            stream = self.rig.stream(message="slow",
                                     headers=self.bearer(token))
            events = stream.events()
            turn = next(events)[2]["turn_id"]
            for who, want in ((self.visitor(), 200), (self.token(), 404),
                              (self.visitor("customer-19"), 404)):
                follow = self.rig.resume(turn, headers=self.bearer(who))
                self.assertEqual(follow.status, want)
                follow.close()
                self.assertEqual(self.rig.get(
                    f"{ACCOUNT}/turns/{turn}",
                    headers=self.bearer(who)).status, want)
            self.assertEqual([e[0] for e in events][-1], "done")
            stream.close()
        finally:
            self.rig.configure("sales/human_health", {
                "model_override": "openai:mock-echo",
                "model_fallback": False})

    def test_once_only_is_hers(self):
        """An Idempotency-Key is a visitor's own, wherever she is."""
        def say(token, place, **kw):
            return self.rig.chat(message="once", headers=dict(
                self.bearer(token), **{"Idempotency-Key": "k-1",
                                       "X-Forwarded-For": place}), **kw)
        first = say(self.visitor("customer-20"), "198.51.100.1")
        again = say(self.visitor("customer-20"), "203.0.113.1")
        self.assertEqual(again.headers.get("idempotent-replayed"), "true")
        self.assertEqual(again.json["turn_id"], first.json["turn_id"])
        other = say(self.visitor("customer-21"), "198.51.100.1")
        self.assertNotEqual(other.json["turn_id"], first.json["turn_id"])

    # -- forgeries -------------------------------------------------------

    def test_forgeries(self):
        """C1: one answer for whatever we have not a secret for."""
        good = self.named()
        head, body, mac = good.split(".")
        key = self.secret.encode()
        claims = self.claims()
        globex = Caller(self.rig, self.rig.globex_key, "globex").post(
            "visitor-secrets", {"name": "g"}).json["secret"]
        forged = [
            f"{b64(json.dumps(dict(HEAD, **h)).encode())}.{body}.{m}"
            for h in ({"alg": "none"}, {"alg": "None"}, {"alg": "NONE"},
                      {"alg": "HS512"}, {"alg": "hs256"}, {"alg": "RS256"})
            for m in (mac, "")]
        forged += [signed(dict(HEAD, **h), claims, key) for h in (
            {"alg": "none"}, {"alg": "HS384"}, {"alg": "RS256"},
            {"typ": "at+jwt"}, {"typ": "widget+jwt"}, {"typ": 5},
            {"jku": "https://evil.example/"}, {"x5u": "https://x/"},
            {"jwk": {"kty": "oct", "k": ""}}, {"crit": ["exp"]},
            {"b64": False}, {"zip": "DEF"}, {"kid": "../../dev/null"},
            {"kid": "' union select 'x"}, {"kid": NOBODY}, {"kid": 5},
            {"kid": "x" * 65})]
        forged += [signed(HEAD, claims, k) for k in (
            b"", b"\0", unb64(self.secret[7:]), self.secret[7:].encode(),
            key[:-1], key + b"x", globex.encode(), self.secret_id.encode(),
            self.key.encode())]
        forged += [signed(dict(HEAD, alg="HS512"), claims, key,
                          hashlib.sha512),
                   f"{head}.{body}", f"{head}.{body}.{mac}.{mac}", good + "=",
                   good[:-1], "..", "x", f".{body}.{mac}",
                   self.token(), self.visitor(), self.rig.key]
        answers = set()
        for token in forged:
            reply = self.asked(token)
            self.assertEqual(reply.status, 401, token)
            self.assertEqual(reply.headers["access-control-allow-origin"],
                             ORIGIN)
            answers.add((reply.json["detail"], reply.json["title"]))
        self.assertEqual(len(answers), 1, answers)
        # it is no token of anything else either
        self.assertEqual(self.chat(good).status, 401)
        self.assertEqual(self.rig.get("/api/v1/me", headers=self.bearer(
            good)).status, 401)
        self.assertEqual(self.ask("sb_pub_x", body={
            "visitor_token": good}).status, 401)
        self.assertEqual(self.rig.sql(
            "select count(*) from visitors where external_id = 'forged'"),
            [["0"]])

    def test_claims(self):
        now = int(time.time())
        for more in ({"aud": "globex"}, {"aud": None}, {"aud": ["globex"]},
                     {"aud": SLUG + "x"}, {"exp": None}, {"exp": now - 61},
                     {"exp": str(now + 600)}, {"exp": 1e300}, {"exp": True},
                     {"exp": now + 3700}, {"nbf": now + 300},
                     {"iat": now + 300}, {"sub": None}, {"sub": ""},
                     {"sub": 17}, {"sub": ["a"]}, {"sub": "x" * 201},
                     {"sub": "a\u0000b"}, {"sub": "a\nb"}, {"name": 5},
                     {"name": ""}, {"name": "x" * 201}, {"email": "x"},
                     {"email": "@x"}, {"email": "a@" + "x" * 260}):
            sub = more.pop("sub", "forged") if "sub" in more else "forged"
            reply = self.asked(signed(
                HEAD, self.claims(sub, **more), self.secret.encode()))
            self.assertEqual(reply.status, 401, (sub, more, reply))
        # who has signed it is told what is wrong with it
        reply = self.asked(self.named(exp=now + 7200))
        self.assertIn("exp", reply.json["detail"])
        for more in ({"aud": [SLUG, "x"]}, {"exp": now - 30}, {"iat": now},
                     {"exp": now + 3600}, {"iss": "https://shop.example"},
                     {"jti": "1"}, {"name": "x" * 200}, {"extra": [1]}):
            self.assertEqual(self.asked(self.named(**more)).status, 200, more)
        # also without a type, and with the secret's id
        for head in ({"alg": "HS256"}, dict(HEAD, kid=self.secret_id)):
            self.assertEqual(self.asked(self.named(head=head)).status, 200)
        for bad in (5, "", [], {"a": 1}):
            self.assertEqual(self.ask(body={"visitor_token": bad}).status, 422)

    # -- secrets ---------------------------------------------------------

    def test_a_secrets_life(self):
        """C15: shown once, sealed; its end is its visitors' within a
        second."""
        made = self.owner.post("visitor-secrets", {"name": "blog"},
                               Idempotency_Key="vs-1")
        secret, path = made.json["secret"], f"visitor-secrets/{made.json['id']}"
        self.assertRegex(secret, r"^sb_vis_[A-Za-z0-9_-]{43}$")
        self.assertEqual(made.json["prefix"], secret[:11])
        shown = {k: v for k, v in made.json.items() if k != "secret"}
        self.assertEqual(self.owner.get(path).json, shown)
        self.assertIn(shown, self.owner.all("visitor-secrets"))
        again = self.owner.post("visitor-secrets", {"name": "blog"},
                                Idempotency_Key="vs-1")
        self.assertEqual(again.json, shown)
        dump = str(self.rig.sql(
            "select s::text from visitor_secrets s union all "
            "select a::text from request_answers a union all "
            "select a::text from audit_log a"))
        self.assertNotIn(secret[7:], dump)
        self.assertNotIn(secret[7:].encode().hex(), dump)
        self.assertNotIn(secret, self.rig.log())

        token = self.visitor("customer-30", secret=secret)
        kept = self.visitor("customer-30")
        session = self.chat(token).json["session_key"]
        self.assertEqual(self.chat(kept, session_key=session).status, 200)
        state = self.owner.get(path).headers["etag"]
        self.assertEqual(self.owner.delete(path, If_Match='"x"').status, 412)
        self.assertEqual(self.owner.delete(path, If_Match=state).status, 204)
        since = time.monotonic()
        wait_until(lambda: self.chat(token).status == 401, 2, "revoked")
        self.assertLess(time.monotonic() - since, 1.5)
        self.assertEqual(self.asked(self.named(secret=secret)).status, 401)
        # whom another secret has named stays who she is
        self.assertEqual(self.chat(kept, session_key=session).status, 200)
        self.assertEqual(self.owner.get(path).json["status"], "revoked")
        self.assertEqual(self.owner.post(path + "/rotate", {}).status, 409)
        actions = [e["action"] for e in self.owner.all("audit")
                   if e["object"]["id"] == made.json["id"]]
        self.assertEqual(actions, ["visitor_secret.revoke",
                                   "visitor_secret.create"])

    def test_rotation_with_overlap(self):
        old_id, old = self.new_secret()
        path = f"visitor-secrets/{old_id}"
        token = self.visitor("customer-31", secret=old)
        made = self.owner.post(path + "/rotate", {"overlap_seconds": 2},
                               Idempotency_Key="vr-1")
        self.assertEqual((made.status, made.json["replaces"]),
                         (201, old_id), made)
        for secret in (old, made.json["secret"]):
            self.assertEqual(self.asked(self.named(secret=secret)).status, 200)
        wait_until(lambda: self.asked(self.named(secret=old)).status == 401,
                   5, "the overlap has ended")
        self.assertEqual(self.owner.get(path).json["status"], "expired")
        self.assertEqual(self.asked(self.named(
            secret=made.json["secret"])).status, 200)
        # whom it had named before stays so until her token ends
        self.assertEqual(self.chat(token).status, 200)
        self.assertNotIn("secret", self.owner.post(
            path + "/rotate", {"overlap_seconds": 2},
            Idempotency_Key="vr-1").json)
        third = self.owner.post(
            f"visitor-secrets/{made.json['id']}/rotate", {})
        self.assertEqual(third.status, 201)
        wait_until(lambda: self.asked(self.named(
            secret=made.json["secret"])).status == 401, 2, "at once")

    def test_who_may(self):
        for role, want in (("viewer", 403), ("agent_manager", 403),
                           ("account_admin", 201)):
            who = caller(self.rig, role)
            self.assertEqual(who.post("visitor-secrets", {
                "name": "x"}).status, want, role)
            self.assertEqual(who.get("visitor-secrets").status,
                             200 if want == 201 else 403, role)
        globex = Caller(self.rig, self.rig.globex_key, "globex")
        self.assertEqual(globex.get(
            f"visitor-secrets/{self.secret_id}").status, 404)

    # -- turns and who asked them ----------------------------------------

    def test_who_asked(self):
        """A turn says whose it is: a person's, an API key's, a widget's."""
        email, password = "asker@example.com", "Zwoelf Boxkaempfer jagen Igel"
        self.rig.run("user", "create", email, "--account", SLUG, "--role",
                     "agent_manager", "--password-stdin", stdin=password)
        access = self.rig.request("POST", "/api/v1/auth/login", {
            "email": email, "password": password}).json["access_token"]
        (person,), = self.rig.sql(
            f"select id from users where email = '{email}'")
        name = "who-asked"
        for headers in ({"Authorization": f"Bearer {access}"},
                        self.rig.auth()):
            self.assertEqual(self.rig.chat(
                headers=headers, session_key=name).status, 200)
        rows = self.rig.sql(
            "select user_id, api_key_id, widget_key_id from turns t join "
            "session_names n using (account_id, session_id) where "
            f"n.session_key = '{name}' order by t.id")
        self.assertEqual(rows[0], [person, "", ""])
        self.assertEqual((rows[1][0], rows[1][2]), ("", ""))
        session = self.session_of(name)
        data = self.owner.get(f"sessions/{session['id']}").json["messages"]
        asked = [m["caller"] for m in data["data"] if m["role"] == "user"]
        self.assertEqual(asked, [{"kind": "user", "id": person},
                                 {"kind": "api_key", "id": rows[1][1]}])
        reply = self.chat(self.visitor())
        session = self.session_of(reply.json["session_key"])
        data = self.owner.get(f"sessions/{session['id']}").json["messages"]
        self.assertEqual(data["data"][0]["caller"],
                         {"kind": "widget_key", "id": self.key_id})
        self.assertNotIn("caller", data["data"][1])


if __name__ == "__main__":
    unittest.main()
