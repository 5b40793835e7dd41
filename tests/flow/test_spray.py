"""Guessing passwords (ROBUSTNESS C12): one address tries everybody, and one
person is tried from one address."""
import os
import threading
import time
import unittest

from rig import SLOWER, Rig
from test_identity import LOGIN, PASSWORD, REFRESH

PEOPLE = 1000
ADDRESS = 100  # failures of an address in an hour
FREE = 5       # failures of a person from an address
WRONG = "not the right one"
TICK = os.sysconf("SC_CLK_TCK")


class SprayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("spray", params={"chat_workers": 1,
                                             "admin_workers": 2})
        rig.run("user", "create", "p0@example.com", "--account",
                "acme-healthcare", "--role", "viewer", "--password-stdin",
                stdin=PASSWORD)
        # One hash, many people.
        rig.sql("insert into control.users (id, email, display_name, "
                "password_hash) select gen_random_uuid(), 'p' || n || "
                "'@example.com', '', password_hash from control.users, "
                f"generate_series(1, {PEOPLE - 1}) n "
                "where email = 'p0@example.com'")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def login(self, n, password, address, connection=None):
        return self.rig.request(
            "POST", LOGIN, {"email": f"p{n}@example.com",
                            "password": password},
            {"X-Forwarded-For": address}, connection=connection)

    def shape(self, reply):
        return (reply.status, dict(reply.json, request_id=None), sorted(
            (k, v) for k, v in reply.headers.items()
            if k not in ("date", "connection", "x-request-id")))

    def cpu(self):
        """Seconds of the processor that the admin workers have used."""
        ticks = 0
        for pid in self.rig.workers("admin worker"):
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[
                    11:13]))
        return ticks / TICK

    def spray(self, address):
        """Everybody once: shapes, seconds of the processor an answer took
        before the address's limit and after it."""
        connection, shapes, used = self.rig.connect(), set(), [self.cpu()]
        for n in range(PEOPLE):
            if n == ADDRESS:
                used.append(self.cpu())
            shapes.add(str(self.shape(self.login(n, WRONG, address(n),
                                                 connection))))
        used.append(self.cpu())
        connection.close()
        return shapes, ((used[1] - used[0]) / ADDRESS,
                        (used[2] - used[1]) / (PEOPLE - ADDRESS))

    def bursts(self):
        return self.rig.sql(
            "select after->>'failures' from audit_log where action = "
            "'user.sign_in_failed' and (after->>'of_address')::bool")

    def test_everybody_from_one_address(self):
        here = "203.0.113.7"
        lives = self.login(1, PASSWORD, here).json
        bearer = {"Authorization": f"Bearer {lives['access_token']}",
                  "X-Forwarded-For": here}
        before = self.bursts()
        shapes, cost = self.spray(lambda n: here)
        self.assertEqual(len(shapes), 1, shapes)
        self.assertTrue(shapes.pop().startswith("(401, "))
        # What is refused for the address is not hashed: one of them costs a
        # fraction of a hash.
        self.assertLess(cost[1], cost[0] / 4)
        self.assertEqual(self.bursts(), before + [[str(ADDRESS)]])
        # The right one is refused in the same words, whoever it is, ...
        wrong = self.shape(self.login(5, WRONG, here))
        for n in (1, 5, PEOPLE - 1):
            self.assertEqual(self.shape(self.login(n, PASSWORD, here)), wrong)
        # ... but nobody is shut out elsewhere, or while he is signed in.
        for n in (1, PEOPLE - 1):
            self.assertEqual(
                self.login(n, PASSWORD, "203.0.113.8").status, 200)
        self.assertEqual(self.rig.request(
            "GET", "/api/v1/me", headers=bearer).status, 200)
        self.assertEqual(self.rig.request("POST", REFRESH, {
            "refresh_token": lives["refresh_token"]},
            {"X-Forwarded-For": here}).status, 200)

    def test_everybody_from_one_network(self):
        """What one household has of IPv6 is one address."""
        shapes, cost = self.spray(lambda n: f"2001:db8:0:7::{n + 1:x}")
        self.assertEqual(len(shapes), 1, shapes)
        self.assertLess(cost[1], cost[0] / 4)
        self.assertEqual(
            self.login(1, PASSWORD, "2001:db8:0:7:1::1").status, 401)
        self.assertEqual(
            self.login(1, PASSWORD, "2001:db8:0:8::1").status, 200)

    def fail_and_wait(self, n, address, failures, said):
        """So many failures that count; then how long the right password is
        refused."""
        counted = 0
        while counted < failures:
            began = time.monotonic()
            self.assertEqual(self.login(n, WRONG, address).status, 401)
            ended = time.monotonic()
            counted += 1
            if FREE <= counted < failures:
                # The next one counts only after the delay of this one.
                time.sleep(2 ** (counted - FREE) + 0.1)
        tries = 0
        while self.login(n, PASSWORD, address).status == 401:
            tries += 1
            time.sleep(0.02)
        # The last failure lies between these two.
        said[failures] = (time.monotonic() - began,
                          time.monotonic() - ended, tries)

    def test_one_person(self):
        """Five are free, then 1, 2, 4 s.  (To 60: unit/auth/test_throttle.)"""
        said = {}
        threads = [threading.Thread(target=self.fail_and_wait, args=(
            10 + i, f"198.51.100.{i}", FREE - 1 + i, said)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(said), list(range(FREE - 1, FREE + 3)))
        self.assertEqual(said[FREE - 1][2], 0, said)
        for i, delay in enumerate((1, 2, 4)):
            most, least, tries = said[FREE + i]
            self.assertGreater(tries, 1)
            self.assertGreaterEqual(most, delay, said)
            self.assertLess(least, delay + 1.5 * SLOWER, said)

    def test_from_elsewhere(self):
        """Whom others have failed for signs in where he always did."""
        for _ in range(FREE + 1):
            self.login(20, WRONG, "192.0.2.1")
        self.assertEqual(self.login(20, PASSWORD, "192.0.2.1").status, 401)
        self.assertEqual(self.login(20, PASSWORD, "192.0.2.2").status, 200)


if __name__ == "__main__":
    unittest.main()
