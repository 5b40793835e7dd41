"""What time tells: nothing (ROBUSTNESS B1, C11).

Two kinds of request that must not be told apart are sent in pairs, in random
order, so that whatever else the machine does falls on both alike.  What they
are answered is the same, and medians may differ by 5 ms, more only where the
answers of one kind scatter by far more than that.  SB_LONG, on a quiet machine:
ranks (Mann and Whitney) must not tell the kinds apart either.  Chance says so
once in a hundred times, so that is believed when it says so three times.
"""
import glob
import itertools
import math
import os
import random
import statistics
import time
import unittest
import uuid

from manage import Caller, caller
from rig import Rig, wait_until

PAIRS = 300
PASSWORD = "Zwölf Boxkämpfer jagen 17 Igel"
GAP = 0.005
P_LEAST = 0.01
LONG = "SB_LONG" in os.environ


def mann_whitney(a, b):
    """The p of two samples being one: two-sided, normal approximation with
    ties and continuity."""
    both = sorted([(x, 0) for x in a] + [(x, 1) for x in b])
    ranks, ties, i = 0.0, 0, 0
    while i < len(both):
        j = i
        while j < len(both) and both[j][0] == both[i][0]:
            j += 1
        ranks += (i + j + 1) / 2 * sum(1 for k in range(i, j)
                                       if both[k][1] == 0)
        ties += (j - i) ** 3 - (j - i)
        i = j
    n, m = len(a), len(b)
    u = ranks - n * (n + 1) / 2
    total = n + m
    spread = math.sqrt(n * m / 12 * (total + 1 - ties / total / (total - 1)))
    if spread == 0:
        return 1.0
    z = max(abs(u - n * m / 2) - 0.5, 0) / spread
    return math.erfc(z / math.sqrt(2))


class MannWhitneyTest(unittest.TestCase):
    def test_known_values(self):
        """Worked by hand: without ties, and with all alike."""
        # U = 0 of 5 and 5: z = (12.5 - 0.5) / sqrt(25 * 11 / 12)
        self.assertAlmostEqual(mann_whitney([1, 2, 3, 4, 5],
                                            [6, 7, 8, 9, 10]), 0.012186, 5)
        self.assertEqual(mann_whitney([1, 1, 1], [1, 1, 1]), 1.0)
        seeded = random.Random(1)
        one = [seeded.gauss(20, 3) for _ in range(PAIRS)]
        other = [seeded.gauss(20, 3) for _ in range(PAIRS)]
        self.assertGreater(mann_whitney(one, other), P_LEAST)
        self.assertLess(mann_whitney(one, [x + 2 for x in other]), P_LEAST)


class TimingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("timing", params={
            "mail_from": "noreply@shop.example"})
        cls.rig.run("user", "create", "ann@example.com", "--account",
                    "acme-healthcare", "--role", "viewer",
                    "--password-stdin", stdin=PASSWORD)
        cls.seeded = random.Random(20261122)
        cls.place = 0

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def client(self):
        """An address that nobody has asked from: nothing is throttled."""
        TimingTest.place += 1
        n = self.place
        return {"X-Forwarded-For": f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"}

    def shape(self, reply):
        """What of an answer may not differ: all but ids and time."""
        body = reply.json if reply.body else None
        if isinstance(body, dict):
            body = {k: v for k, v in body.items() if k != "request_id"}
        headers = {k: v for k, v in reply.headers.items() if k not in (
            "x-request-id", "date")}
        return reply.status, str(body), len(reply.body), str(sorted(
            headers.items()))

    def sample(self, kinds, pairs):
        """Seconds of each of two kinds, and what they were answered."""
        took, shapes = ([], []), (set(), set())
        connection = self.rig.connect()
        for ask in kinds * 2:  # connections and caches are there
            ask(connection)
        for _ in range(pairs):
            for k in self.seeded.sample((0, 1), 2):
                began = time.perf_counter()
                reply = kinds[k](connection)
                took[k].append(time.perf_counter() - began)
                shapes[k].add(self.shape(reply))
        connection.close()
        return took, shapes

    def alike(self, name, one, other, pairs=PAIRS, ranks=LONG):
        said = []
        for _ in range(3):
            took, shapes = self.sample([one, other], pairs)
            self.assertEqual(shapes[0], shapes[1], name)
            middle = [statistics.median(t) for t in took]
            gap = abs(middle[0] - middle[1])
            # half of the answers lie in this; on a loaded machine it grows
            scatter = min(statistics.quantiles(t, n=4)[2] -
                          statistics.quantiles(t, n=4)[0] for t in took)
            p = mann_whitney(*took)
            said.append(f"{name}: medians {middle[0] * 1e3:.2f} and "
                        f"{middle[1] * 1e3:.2f} ms, p {p:.4f}")
            if gap <= max(GAP, scatter / 4) and (p >= P_LEAST or not ranks):
                if LONG:
                    print(said[-1])
                return
        self.fail("; ".join(said))

    def login(self, email):
        def ask(connection):
            return self.rig.request("POST", "/api/v1/auth/login", {
                "email": email, "password": "not the right one"},
                self.client(), connection=connection)
        return ask

    def test_who_has_a_password(self):
        """C11: a wrong password, and nobody of that name."""
        self.alike("login", self.login("ann@example.com"),
                   self.login("eva@example.com"))

    def test_who_may_have_another_password(self):
        """C11: a mail with a link, and no mail.  A person gets five of them an
        hour, so it is another one's turn each time."""
        people = 3 * (PAIRS + 2)
        self.rig.sql(
            "insert into control.users (id, email, display_name, "
            "password_hash) select gen_random_uuid(), 'p' || n || "
            "'@example.com', '', password_hash from control.users, "
            f"generate_series(0, {people - 1}) n where email = "
            "'ann@example.com'")

        def ask(domain):
            count = itertools.count()

            def one(connection):
                reply = self.rig.request(
                    "POST", "/api/v1/auth/reset",
                    {"email": f"p{next(count) % people}@{domain}"},
                    self.client(), connection=connection)
                self.assertEqual(reply.status, 202, reply)
                return reply
            return one
        self.alike("reset", ask("example.com"), ask("example.net"))
        # And the mails do come, to whom there is.
        wait_until(lambda: len(glob.glob(self.rig.path(
            "run", "mail", "*.eml"))) >= PAIRS, 20, "the mails")

    def test_foreign_is_random(self):
        """B1: what another account owns, and what nobody owns."""
        owner = caller(self.rig, "account_owner")
        globex = Caller(self.rig, self.rig.globex_key, "globex")
        theirs = self.rig.chat("sales/widgets", account="globex",
                               key=self.rig.globex_key,
                               session_key="theirs").json
        widget = globex.post("widget-keys", {
            "name": "w", "allowed_origins": ["https://g.example"]}).json["id"]
        secret = globex.post("visitor-secrets", {"name": "s"}).json["id"]
        ids = {"agents": globex.all("agents")[0]["id"],
               "sessions": globex.all("sessions")[0]["id"],
               "api-keys": globex.all("api-keys")[0]["id"],
               "widget-keys": widget, "visitor-secrets": secret}
        mine = "/api/v1/accounts/acme-healthcare/"
        chat = "/accounts/acme-healthcare/"
        places = [(mine + kind + "/", foreign, lambda: str(uuid.uuid4()), "")
                  for kind, foreign in ids.items()]
        places += [
            ("/api/v1/accounts/", "globex", lambda: "g" + uuid.uuid4().hex[:5],
             ""),
            ("/accounts/", "globex", lambda: "g" + uuid.uuid4().hex[:5],
             "/turns/" + theirs["turn_id"]),
            (chat + "turns/", theirs["turn_id"], lambda: str(uuid.uuid4()),
             ""),
            (chat + "sessions/", "theirs", lambda: "x" + uuid.uuid4().hex[:5],
             "/messages")]
        headers = self.rig.auth(owner.key)

        def get(path):
            return lambda connection: self.rig.request(
                "GET", path(), None, headers, connection=connection)
        for before, foreign, other, after in places:
            with self.subTest(before + "…" + after):
                self.alike(before, get(lambda: before + foreign + after),
                           get(lambda: before + other() + after), pairs=40,
                           ranks=False)


if __name__ == "__main__":
    unittest.main()
