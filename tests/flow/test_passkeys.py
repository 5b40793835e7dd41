"""Passkeys, with an authenticator of our own (ROBUSTNESS C10, C13)."""
import base64
import hashlib
import json
import secrets
import struct
import threading
import unittest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD, REFRESH
from test_pages import Browser
from test_second_factor import FACTOR, code, now

MINE = "/api/v1/me/passkeys"
ENTER = "/api/v1/auth/passkey"


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(v):
    """As much of RFC 8949 as a public key needs."""
    def head(kind, n):
        if n < 24:
            return bytes([kind << 5 | n])
        if n < 256:
            return bytes([kind << 5 | 24, n])
        return bytes([kind << 5 | 25]) + struct.pack(">H", n)
    if isinstance(v, dict):
        return head(5, len(v)) + b"".join(
            cbor(k) + cbor(x) for k, x in v.items())
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    return head(0, v) if v >= 0 else head(1, -1 - v)


class Authenticator:
    """One passkey, after WebAuthn level 3, by another hand."""

    def __init__(self, origin, rp_id="localhost"):
        self.origin, self.rp_id = origin, rp_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.counter, self.flags, self.user = 0, 0x05, None

    def client(self, kind, challenge, **more):
        return json.dumps(dict({
            "type": kind, "challenge": challenge, "origin": self.origin,
            "crossOrigin": False}, **more)).encode()

    def authdata(self, more=b"", flags=0):
        self.counter += 1
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(
            ">BI", self.flags | flags, self.counter) + more

    def make(self, options, **more):
        self.user = unb64(options["user"]["id"])
        n = self.key.public_key().public_numbers()
        public = cbor({1: 2, 3: -7, -1: 1, -2: n.x.to_bytes(32, "big"),
                       -3: n.y.to_bytes(32, "big")})
        data = self.authdata(bytes(16) + struct.pack(">H", len(self.id)) +
                             self.id + public, 0x40)
        client = self.client("webauthn.create", options["challenge"], **more)
        return {"id": b64(self.id), "rawId": b64(self.id),
                "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": b64(client),
                             "authenticatorData": b64(data),
                             "transports": ["internal"]}}

    def sign(self, options, **more):
        client = self.client("webauthn.get", options["challenge"], **more)
        data = self.authdata()
        signature = self.key.sign(data + hashlib.sha256(client).digest(),
                                  ec.ECDSA(hashes.SHA256()))
        return {"id": b64(self.id), "rawId": b64(self.id),
                "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": b64(client),
                             "authenticatorData": b64(data),
                             "signature": b64(signature),
                             "userHandle": b64(self.user)}}


class PasskeyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("passkeys", params={"chat_workers": 1,
                                          "admin_workers": 2})
        cls.host = f"localhost:{cls.rig.port}"
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def ask(self, method, path, body=None, token=None, cookie=None,
            host=None):
        headers = {"Host": host or self.host}
        if token is not None:
            headers["Authorization"] = "Bearer " + token
        if cookie is not None:
            headers["Cookie"] = cookie
        return self.rig.request(method, path, body, headers=headers)

    def cookie_of(self, reply):
        return reply.headers["set-cookie"].split(";")[0]

    def person(self):
        PasskeyTest.made += 1
        address = f"p{PasskeyTest.made}@example.com"
        self.rig.run("user", "create", address, "--password-stdin",
                     stdin=PASSWORD)
        token = self.login(address).json["access_token"]
        return address, token

    def login(self, address, **more):
        return self.ask("POST", LOGIN, dict(
            email=address, password=PASSWORD, **more))

    def begin_add(self, token):
        began = self.ask("POST", MINE + "/options", {"password": PASSWORD},
                         token)
        self.assertEqual(began.status, 200, began)
        return began.json, self.cookie_of(began)

    def add(self, token, name="Telephone"):
        options, cookie = self.begin_add(token)
        key = Authenticator(f"http://{self.host}")
        done = self.ask("POST", MINE, {
            "name": name, "response": key.make(options)}, token, cookie)
        self.assertEqual(done.status, 201, done)
        key.row = done.json["id"]
        return key

    def begin(self):
        began = self.ask("POST", ENTER + "/options")
        self.assertEqual(began.status, 200, began)
        return began.json, self.cookie_of(began)

    def enter(self, key, **more):
        options, cookie = self.begin()
        return self.ask("POST", ENTER, key.sign(options, **more),
                        cookie=cookie)

    def test_the_whole_way(self):
        address, token = self.person()
        options, cookie = self.begin_add(token)
        self.assertEqual(options["rp"]["id"], "localhost")
        self.assertEqual(options["user"]["name"], address)
        self.assertEqual([p["alg"] for p in options["pubKeyCredParams"]],
                         [-7, -8, -257])
        self.assertEqual(options["attestation"], "none")
        self.assertEqual(
            options["authenticatorSelection"]["userVerification"], "required")
        key = self.add(token)
        listed = self.ask("GET", MINE, token=token).json["data"]
        self.assertEqual([(k["id"], k["name"], k["transports"],
                           k["last_used_at"]) for k in listed],
                         [(key.row, "Telephone", ["internal"], None)])
        # Known ones are not to be made again.
        self.assertEqual(self.begin_add(token)[0]["excludeCredentials"], [
            {"type": "public-key", "id": b64(key.id),
             "transports": ["internal"]}])
        came = self.enter(key)
        self.assertEqual(came.status, 200, came)
        self.assertIn("no-store", came.headers["cache-control"])
        me = self.ask("GET", "/api/v1/me", token=came.json["access_token"])
        self.assertEqual(me.json["email"], address)
        self.assertEqual(self.ask("POST", REFRESH, {
            "refresh_token": came.json["refresh_token"]}).status, 200)
        listed = self.ask("GET", MINE, token=token).json["data"]
        self.assertIsNotNone(listed[0]["last_used_at"])
        # A second factor was shown: it stands in the sign-ins, that of the
        # adding among them.
        self.assertEqual(self.rig.sql(
            "SELECT count(*) FROM sign_ins s JOIN users u "
            f"ON u.id = s.user_id WHERE u.email = '{address}' "
            "AND s.second_factor"), [["2"]])
        self.assertEqual(self.rig.sql(
            "SELECT action FROM audit_log WHERE object_kind = 'passkey' "
            f"AND object_id = '{key.row}' ORDER BY seq"),
            [["user.passkey_add"], ["user.passkey_use"]])
        gone = self.ask("DELETE", f"{MINE}/{key.row}", {
            "password": "wrong" * 4}, came.json["access_token"])
        self.assertEqual(gone.status, 403)
        gone = self.ask("DELETE", f"{MINE}/{key.row}", {
            "password": PASSWORD}, came.json["access_token"])
        self.assertEqual(gone.status, 204, gone)
        # The last one: what says that one was shown is good no longer.
        wait_until(lambda: self.ask("GET", "/api/v1/me", token=came.json[
            "access_token"]).status == 401, 2, "the token ended")
        self.assertEqual(self.rig.sql(
            "SELECT count(*) FROM sign_ins s JOIN users u "
            f"ON u.id = s.user_id WHERE u.email = '{address}' "
            "AND s.second_factor"), [["0"]])
        self.assertEqual(self.enter(key).status, 401)

    def test_refused(self):
        _, token = self.person()
        key = self.add(token)
        options, cookie = self.begin()
        other, other_cookie = self.begin()
        said = []

        def tried(answer, with_cookie=cookie):
            r = self.ask("POST", ENTER, answer, cookie=with_cookie)
            said.append((r.status, r.json.get("detail")))
            return r.status

        # Another challenge than the cookie's, or none.
        self.assertEqual(tried(key.sign(other)), 401)
        self.assertEqual(tried(key.sign(options), "x=y"), 401)
        self.assertEqual(tried(key.sign(options, origin="http://evil")), 401)
        key.rp_id = "evil"
        self.assertEqual(tried(key.sign(options)), 401)
        key.rp_id = "localhost"
        wrong = key.sign(options)
        raw = bytearray(unb64(wrong["response"]["signature"]))
        raw[-1] ^= 1
        wrong["response"]["signature"] = b64(bytes(raw))
        self.assertEqual(tried(wrong), 401)
        # What is told is the same for all, and for keys that nobody has.
        unknown = Authenticator(key.origin)
        unknown.user = key.user
        self.assertEqual(tried(unknown.sign(options)), 401)
        self.assertEqual(len({d for _, d in said
                              if "cookie" not in d}), 1, said)

    def test_a_challenge_is_good_once(self):
        _, token = self.person()
        key = self.add(token)
        options, cookie = self.begin()
        key.counter = 40
        answers = [key.sign(options) for _ in range(5)]
        said = []
        threads = [threading.Thread(target=lambda a=a: said.append(
            self.ask("POST", ENTER, a, cookie=cookie).status))
            for a in answers]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(said.count(200), 1, said)
        self.assertEqual(self.ask("POST", ENTER, key.sign(options),
                                  cookie=cookie).status, 401)
        # For adding, too, and for her only.
        options, cookie = self.begin_add(token)
        mine = Authenticator(key.origin).make(options)
        _, stranger = self.person()
        self.assertEqual(self.ask("POST", MINE, {
            "name": "x", "response": mine}, stranger, cookie).status, 403)
        self.assertEqual(self.ask("POST", MINE, {
            "name": "x", "response": mine}, token, cookie).status, 201)
        self.assertEqual(self.ask("POST", MINE, {
            "name": "x", "response": Authenticator(key.origin).make(
                options)}, token, cookie).status, 409)

    def test_the_counter_goes_on(self):
        _, token = self.person()
        key = self.add(token)
        self.assertEqual(self.enter(key).status, 200)
        key.counter = 0
        self.assertEqual(self.enter(key).status, 401)
        key.counter = 10
        self.assertEqual(self.enter(key).status, 200)

    def test_nobody_verified(self):
        _, token = self.person()
        key = self.add(token)
        for flags in (0x00, 0x01, 0x04):
            key.flags = flags
            self.assertEqual(self.enter(key).status, 401, flags)
        options, cookie = self.begin_add(token)
        new = Authenticator(key.origin)
        new.flags = 0x01
        refused = self.ask("POST", MINE, {
            "name": "x", "response": new.make(options)}, token, cookie)
        self.assertEqual((refused.status,
                          refused.json["errors"][0]["pointer"]),
                         (422, "/response"), refused)

    def test_who_has_no_password(self):
        """Who comes by her organisation's provider has just been there."""
        address, token = self.person()
        self.assertTrue(self.ask("GET", "/api/v1/me", token=token).json[
            "has_password"])
        self.rig.sql("update users set has_password = false where email = "
                     f"'{address}' returning 1")
        self.assertFalse(self.ask("GET", "/api/v1/me", token=token).json[
            "has_password"])

        def begin(token):
            return self.ask("POST", MINE + "/options", {}, token)
        began = begin(token)
        self.assertEqual(began.status, 200, began)
        key = Authenticator(f"http://{self.host}")
        done = self.ask("POST", MINE, {
            "name": "x", "response": key.make(began.json)}, token,
            self.cookie_of(began))
        self.assertEqual(done.status, 201, done)
        place = f"{MINE}/{done.json['id']}"
        # For ten minutes, of this sign-in and no other.
        for minutes, status in ((9, 200), (11, 403)):
            self.rig.sql(
                "update sign_ins set created_at = now() - interval "
                f"'{minutes} minutes' where user_id = (select id from users "
                f"where email = '{address}') returning 1")
            reply = begin(token)
            self.assertEqual(reply.status, status, reply)
        self.assertIn("ten minutes", reply.json["detail"])
        self.enter(key)  # another one is fresh
        for method, path in (("POST", FACTOR), ("DELETE", place)):
            reply = self.ask(method, path, {}, token)
            self.assertEqual(reply.status, 403, (path, reply))
        # Whatever she shows: there is no password that could be right.
        self.assertEqual(self.ask("DELETE", place, {"password": PASSWORD},
                                  token).status, 403)
        fresh = self.enter(key).json["access_token"]
        self.assertEqual(begin(fresh).status, 200)
        made = self.ask("POST", FACTOR, {}, fresh)
        self.assertEqual(made.status, 201, made)
        self.assertEqual(self.ask("DELETE", place, {}, fresh).status, 204)
        # One that has ended is none.
        self.rig.sql("update sign_ins set ended_at = now(), end_reason = 'x' "
                     "where user_id = (select id from users where email = "
                     f"'{address}') returning 1")
        self.assertIn(begin(fresh).status, (401, 403))

    def test_in_place_of_the_code(self):
        """After the password, by the page that asks for the code."""
        address, token = self.person()
        key = self.add(token)
        token = self.enter(key).json["access_token"]
        made = self.ask("POST", FACTOR, {"password": PASSWORD}, token)
        self.assertEqual(self.ask("POST", FACTOR + "/confirm", {
            "code": code(made.json["secret"], now())}, token).status, 200)
        _, token = self.person()
        other = self.add(token)
        b = Browser(self.rig, self.host)

        def show(key, **more):
            options = b.ask("POST", ENTER + "/options", headers={
                "X-Form-Token": b.token, "Origin": f"http://{self.host}",
                "Accept": "application/json"}).json
            b.get("/login/code")
            return b.send("/login/code", response=json.dumps(
                key.sign(options, **more)))
        self.assertEqual(b.sign_in(address).headers["location"],
                         "/login/code")
        b.get("/login/code")
        self.assertIn('id="passkey-use"', b.page)
        # Another's, or a wrong one, is none; and she may try again.
        for reply in (show(other), show(key, origin="http://evil.example"),
                      b.send("/login/code", response="{}")):
            self.assertIn(reply.status, (401, 422), b.text())
            self.assertIsNone(b.cookie)
            b.get("/login/code")
        self.assertEqual((show(key).status, b.get("/me").status), (303, 200))
        self.assertIn(address, b.page)
        self.assertEqual(self.rig.sql(
            "SELECT second_factor FROM sign_ins s JOIN users u ON u.id = "
            f"s.user_id WHERE u.email = '{address}' ORDER BY s.id DESC "
            "LIMIT 1"), [["t"]])
        # Without the password before it there is no such page.
        late = Browser(self.rig, self.host)
        self.assertEqual(late.get("/login/code").status, 303)
        late.get("/login")
        self.assertEqual(late.send("/login/code", response="{}").status, 200)
        self.assertIsNone(late.cookie)
        # Nobody is offered what she has not got.
        address, token = self.person()
        made = self.ask("POST", FACTOR, {"password": PASSWORD}, token)
        self.assertEqual(self.ask("POST", FACTOR + "/confirm", {
            "code": code(made.json["secret"], now())}, token).status, 200)
        b = Browser(self.rig, self.host)
        b.sign_in(address)
        b.get("/login/code")
        self.assertNotIn("passkey-use", b.page)

    def test_adding_needs_the_password_and_the_factor(self):
        _, token = self.person()
        for body, status in (({"password": "wrong" * 4}, 403), ({}, 422)):
            self.assertEqual(self.ask("POST", MINE + "/options", body,
                                      token).status, status)
        self.assertEqual(self.ask("POST", MINE + "/options", {
            "password": PASSWORD}).status, 401)
        # Who has a second factor shows it before another is added.
        address, before = self.person()
        made = self.ask("POST", FACTOR, {"password": PASSWORD}, before)
        step = now()
        done = self.ask("POST", FACTOR + "/confirm", {
            "code": code(made.json["secret"], step)}, before)
        self.assertEqual(done.status, 200, done)
        self.assertEqual(self.ask("POST", MINE + "/options", {
            "password": PASSWORD}, before).status, 403)
        shown = self.login(address, totp=done.json["recovery_codes"][0])
        key = self.add(shown.json["access_token"])
        # and then it does in place of both.
        self.assertEqual(self.enter(key).status, 200)
        # The password alone does not.
        self.assertEqual(self.login(address).json["type"],
                         "/problems/second-factor")

    def test_whoever_may_not_sign_in(self):
        address, token = self.person()
        key = self.add(token)
        self.assertEqual(self.enter(key).status, 200)
        self.rig.run("user", "deactivate", address)
        self.assertEqual(self.enter(key).status, 401)

    def test_names_only(self):
        _, token = self.person()
        at = f"127.0.0.1:{self.rig.port}"
        for path, body, who in ((ENTER + "/options", None, None),
                                (MINE + "/options", {"password": PASSWORD},
                                 token)):
            r = self.ask("POST", path, body, who, host=at)
            self.assertEqual(r.status, 403, r)
            self.assertIn("names only", r.json["detail"])
        r = self.ask("POST", ENTER + "/options", host="elsewhere.example")
        self.assertEqual(r.status, 403, r)

    def test_so_many(self):
        _, token = self.person()
        for _ in range(20):
            self.add(token)
        options, cookie = self.begin_add(token)
        r = self.ask("POST", MINE, {
            "name": "x", "response": Authenticator(
                f"http://{self.host}").make(options)}, token, cookie)
        self.assertEqual(r.status, 409, r)

    def test_guesses_are_few(self):
        _, token = self.person()
        key = self.add(token)
        good = key.user
        key.user = bytes(16)
        for _ in range(6):
            self.assertEqual(self.enter(key).status, 401)
        key.user = good
        self.assertEqual(self.enter(key).status, 401)


if __name__ == "__main__":
    unittest.main()
