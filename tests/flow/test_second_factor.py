"""Codes of an authenticator app, and recovery codes (ROBUSTNESS C13)."""
import base64
import hashlib
import hmac
import struct
import threading
import time
import unittest

from rig import Rig, wait_until
from test_identity import LOGIN, PASSWORD, REFRESH

FACTOR = "/api/v1/me/second-factor"


def code(secret, step):
    """RFC 6238, by another hand."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", step),
                   hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6:06}"


def now():
    return int(time.time()) // 30


class FactorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("factor", params={"chat_workers": 1,
                                        "admin_workers": 2})
        cls.made = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def person(self):
        FactorTest.made += 1
        address = f"f{FactorTest.made}@example.com"
        self.rig.run("user", "create", address, "--password-stdin",
                     stdin=PASSWORD)
        return address

    def login(self, address, totp=None, password=PASSWORD):
        body = {"email": address, "password": password}
        if totp is not None:
            body["totp"] = totp
        return self.rig.request("POST", LOGIN, body)

    def ask(self, method, path, token, body):
        return self.rig.request(method, path, body, headers={
            "Authorization": "Bearer " + token})

    def factor(self, address):
        """Begun and confirmed: the secret, recovery codes, the last step."""
        token = self.login(address).json["access_token"]
        made = self.ask("POST", FACTOR, token, {"password": PASSWORD})
        self.assertEqual(made.status, 201, made)
        secret = made.json["secret"]
        self.assertIn("otpauth://totp/", made.json["uri"])
        self.assertIn("<svg", made.json["qr_svg"])
        # Until it is confirmed, it does not count.
        self.assertEqual(self.login(address).status, 200)
        step = now()
        wrong = self.ask("POST", FACTOR + "/confirm", token, {
            "code": code(secret, step + 50)})
        self.assertEqual((wrong.status, wrong.json["errors"][0]["pointer"]),
                         (422, "/code"))
        done = self.ask("POST", FACTOR + "/confirm", token, {
            "code": code(secret, step)})
        self.assertEqual(done.status, 200, done)
        return secret, done.json["recovery_codes"], step, token

    def next_code(self, secret, used):
        """A code of a step after ${used}."""
        wait_until(lambda: now() + 1 > used, 40, "the next step")
        return code(secret, used + 1), used + 1

    def test_signing_in(self):
        address = self.person()
        secret, recovery, step, token = self.factor(address)
        self.assertEqual(len(set(recovery)), 10)
        bare = self.login(address)
        self.assertEqual((bare.status, bare.json["type"]),
                         (401, "/problems/second-factor"))
        # A wrong password says nothing of the factor.
        self.assertEqual(self.login(address, "123456", "x" * 20).json["type"],
                         "/problems/unauthorized")
        # The code that confirmed it was used by that.
        self.assertEqual(self.login(address, code(secret, step)).status, 401)
        good, step = self.next_code(secret, step)
        said = []
        threads = [threading.Thread(target=lambda: said.append(
            self.login(address, good).status)) for _ in range(5)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(said.count(200), 1, said)
        # A recovery code counts once, however it is typed.
        rest = self.person()
        secret, recovery, step, token = self.factor(rest)
        self.assertEqual(self.login(rest, " " + recovery[0].upper().replace(
            "-", " ")).status, 200)
        self.assertEqual(self.login(rest, recovery[0]).status, 401)
        self.assertEqual(self.login(rest, recovery[1]).status, 200)
        other = self.person()
        self.factor(other)
        self.assertEqual(self.login(other, recovery[2]).status, 401)

    def test_guesses_are_few(self):
        address = self.person()
        secret, _, step, token = self.factor(address)
        good, _ = self.next_code(secret, step)
        for i in range(6):
            self.assertEqual(self.login(address, f"{i}00000").status, 401)
        self.assertEqual(self.login(address, good).status, 401)

    def test_no_way_round(self):
        address = self.person()
        first = self.login(address).json
        secret, recovery, step, token = self.factor(address)
        # A sign-in of before goes on, a new one is not made of it.
        self.assertEqual(self.rig.request("POST", REFRESH, {
            "refresh_token": first["refresh_token"]}).status, 200)
        # Not by a new password either.
        self.rig.run("user", "set-password", address, "--password-stdin",
                     stdin=PASSWORD + " 2")
        self.assertEqual(self.login(address, None, PASSWORD + " 2").json[
            "type"], "/problems/second-factor")
        in_again = self.login(address, recovery[0], PASSWORD + " 2").json[
            "access_token"]
        # Taking it away needs the password, and a second one the first gone.
        self.assertEqual(self.ask("DELETE", FACTOR, in_again, {
            "password": PASSWORD}).status, 403)
        self.assertEqual(self.ask("POST", FACTOR, in_again, {
            "password": PASSWORD + " 2"}).status, 409)
        self.assertEqual(self.ask("DELETE", FACTOR, in_again, {
            "password": PASSWORD + " 2"}).status, 204)
        # Tokens that say one was shown are no good any more.
        wait_until(lambda: self.ask("DELETE", FACTOR, in_again, {
            "password": PASSWORD + " 2"}).status == 401, 2, "ended")
        in_again = self.login(address, None, PASSWORD + " 2").json[
            "access_token"]
        self.assertEqual(self.ask("DELETE", FACTOR, in_again, {
            "password": PASSWORD + " 2"}).status, 404)

    def test_nothing_readable_is_kept(self):
        address = self.person()
        secret, recovery, _, _ = self.factor(address)
        raw = base64.b32decode(secret).hex()
        dump = "\n".join(str(row) for table in (
            "second_factors", "recovery_codes", "audit_log")
            for row in self.rig.sql(f"select t::text from {table} t"))
        for text in [secret, raw, *recovery]:
            self.assertNotIn(text, dump)
            self.assertNotIn(text, self.rig.log())
        self.assertEqual(self.rig.sql(
            "select a.action from audit_log a join users u on u.id::text = "
            f"a.object_id where u.email = '{address}' and a.action like "
            "'user.second%'"), [["user.second_factor"]])


if __name__ == "__main__":
    unittest.main()
