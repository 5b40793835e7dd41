"""Budgets: what they are, that they are never exceeded, and that nothing is
forgotten: by the API, the command and real workers."""
import concurrent.futures
import os
import signal
import unittest

from manage import caller, pointers
from rig import NOBODY, Provider, Rig, wait_until

DAY = {"name": "Day", "scope": "account", "period": "day", "unit": "tokens",
       "limit": 1000}


class BudgetApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("budgets", env=cls.provider.env())
        cls.admin = caller(rig, "account_admin")
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def make(self, **other):
        made = self.admin.post("budgets", {**DAY, **other})
        self.assertEqual(made.status, 201, made)
        self.addCleanup(self.admin.delete, "budgets/" + made.json["id"])
        return made.json

    def test_a_budgets_life(self):
        self.rig.chat(message="used before there is a budget")
        before = self.admin.get("usage").json["totals"]
        b = self.make(soft_percent=80)
        self.assertEqual((b["limit"], b["hard"], b["status"]),
                         (1000, True, "active"))
        self.assertEqual(b["spent"], before["input_tokens"] +
                         before["output_tokens"])
        self.assertGreater(b["spent"], 0)
        self.assertEqual(b["left"], 1000 - b["spent"])
        self.assertRegex(b["resets_at"], "T00:00:00.000Z$")
        got = self.admin.get("budgets/" + b["id"])
        tag = got.headers["etag"]
        changed = self.admin.patch("budgets/" + b["id"], {"limit": 2000},
                                   If_Match=tag)
        self.assertEqual((changed.status, changed.json["limit"]), (200, 2000))
        self.assertEqual(self.admin.patch(
            "budgets/" + b["id"], {"limit": 3000}, If_Match=tag).status, 412)
        paused = self.admin.patch("budgets/" + b["id"], {"status": "paused"})
        self.assertEqual(paused.json["status"], "paused")
        self.assertEqual([x["id"] for x in self.admin.all(
            "budgets?status=paused")], [b["id"]])
        usd = self.make(name="Dollars", unit="usd", limit=12.5,
                        period="month", hard=False)
        self.assertEqual((usd["limit"], usd["hard"]), (12.5, False))
        self.assertEqual(self.admin.delete("budgets/" + usd["id"]).status, 204)
        self.assertEqual(self.admin.get("budgets/" + usd["id"]).status, 404)
        actions = [e["action"] for e in self.admin.get(
            "audit?object_kind=budget").json["data"]]
        self.assertLessEqual({"budget.create", "budget.update",
                              "budget.delete"}, set(actions))

    def test_what_is_refused(self):
        for wrong, where in (
                ({"limit": 0}, ["/limit"]), ({"limit": 1.5}, ["/limit"]),
                ({"unit": "eur"}, ["/unit"]),
                ({"scope": "agent"}, ["/subject_id"]),
                ({"subject_id": NOBODY}, ["/subject_id"]),
                ({"scope": "key", "subject_id": NOBODY}, ["/subject_id"]),
                ({"soft_percent": 101}, ["/soft_percent"])):
            reply = self.admin.post("budgets", {**DAY, **wrong})
            self.assertEqual((reply.status, pointers(reply)), (422, where),
                             wrong)
        viewer = caller(self.rig, "viewer")
        self.assertEqual(viewer.get("budgets").status, 200)
        self.assertEqual(viewer.post("budgets", DAY).status, 403)
        self.assertEqual(caller(self.rig, "support").get(
            "budgets").status, 403)

    def test_the_command(self):
        run = self.rig.run
        run("budget", "set", "acme-healthcare", "Mine", "--limit", "5.25",
            "--unit", "usd", "--period", "month", "--soft", "50", "--agent",
            "sales/human_health")
        run("budget", "set", "acme-healthcare", "Mine", "--limit", "7")
        mine, = [b for b in self.rig.cli("budget", "list", "acme-healthcare")[
            "data"] if b["name"] == "Mine"]
        self.assertEqual((mine["limit"], mine["scope"], mine["soft_percent"]),
                         (7, "agent", None))
        for wrong in (("--limit", "0"), ("--limit", "x"),
                      ("--limit", "7", "--unit", "tokens")):
            self.assertEqual(run("budget", "set", "acme-healthcare", "Mine",
                                 *wrong, check=False).returncode, 2, wrong)
        run("budget", "remove", "acme-healthcare", "Mine")
        self.assertEqual(run("budget", "remove", "acme-healthcare", "Mine",
                             check=False).returncode, 1)


class LedgerTest(unittest.TestCase):
    """Real workers, the mock provider."""

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("ledger", env=cls.provider.env(), params={
            "threads": 128, "chat_workers": 2})
        rig.run("account", "set-limit", "acme-healthcare",
                "requests_per_hour", "unlimited")
        cls.admin = caller(rig, "account_owner")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def setUp(self):
        for b in self.admin.all("budgets"):
            self.admin.delete("budgets/" + b["id"])

    def use(self, model):
        """The estimate of a turn is 300 tokens of answer and its question."""
        self.rig.configure("sales/human_health", {
            "model_override": "openai:" + model, "model_fallback": False,
            "max_tokens": 300, "rate_limits": {
                "max_requests_per_minute": 100000,
                "max_tokens_per_hour": 1000000000}})

    def make(self, **other):
        made = self.admin.post("budgets", {**DAY, "limit": 10 ** 9, **other})
        self.assertEqual(made.status, 201, made)
        self.rig.settle()
        return made.json["id"]

    def get(self, budget):
        return self.admin.get("budgets/" + budget).json

    def limit(self, budget, limit):
        reply = self.admin.patch("budgets/" + budget, {"limit": limit})
        self.assertEqual(reply.status, 200, reply)
        self.rig.settle()

    def used(self):
        totals = self.admin.get("usage").json["totals"]
        return totals["input_tokens"] + totals["output_tokens"]

    def settled(self, budget):
        """All is told: what is spent is what the roll-ups say."""
        wait_until(lambda: self.get(budget)["reserved"] == 0 and
                   self.get(budget)["spent"] == self.used(), 10,
                   "all is told")
        return self.get(budget)

    def chats(self, n, message="Hello"):
        with concurrent.futures.ThreadPoolExecutor(n) as pool:
            return [f.result() for f in [
                pool.submit(self.rig.chat, message=message, timeout=60)
                for _ in range(n)]]

    def estimate(self, budget):
        """What one turn reserves, as it is shown while it runs."""
        self.use("mock-usage-40x30-slow-first-4000")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            one = pool.submit(self.rig.chat, timeout=60)
            wait_until(lambda: self.get(budget)["reserved"] > 0, 10,
                       "it shows what it reserves")
            estimate = self.get(budget)["reserved"]
            self.assertEqual(one.result().status, 200)
        self.assertGreater(estimate, 300)
        self.settled(budget)
        return estimate

    def test_exactly_what_fits(self):
        """64 at once, a budget for 10."""
        budget = self.make(name="Ten")
        estimate = self.estimate(budget)
        self.use("mock-usage-40x30-slow-first-9000")
        before = self.settled(budget)["spent"]
        self.limit(budget, before + 10 * estimate + estimate - 1)
        replies = self.chats(64)
        self.assertEqual(sum(r.status == 200 for r in replies), 10,
                         [r.status for r in replies])
        refused = [r for r in replies if r.status != 200]
        self.assertEqual({(r.status, r.json["type"]) for r in refused},
                         {(429, "/problems/budget-exceeded")}, refused[0])
        self.assertIn('"Ten"', refused[0].json["detail"])
        self.assertRegex(refused[0].json["detail"], "resets at 20..-")
        self.assertEqual({r.headers["retry-after"] for r in refused}, {"1"})
        self.assertEqual(self.settled(budget)["spent"], before + 10 * 70)
        # nothing but the next day helps now
        self.use("mock-usage-40x30")
        self.limit(budget, self.get(budget)["spent"] + estimate - 1)
        reply = self.rig.chat()
        self.assertEqual(reply.status, 429)
        self.assertGreater(int(reply.headers["retry-after"]), 1)
        self.assertIn("used up", reply.json["detail"])
        self.limit(budget, self.get(budget)["spent"] + estimate)
        self.assertEqual(self.rig.chat().status, 200)
        self.settled(budget)
        self.assertEqual(self.rig.chat().status, 429)
        paused = self.admin.patch("budgets/" + budget, {"status": "paused"})
        self.assertEqual(paused.status, 200)
        self.rig.settle()
        self.assertEqual(self.rig.chat().status, 200)
        self.settled(budget)

    def test_a_worker_is_killed_and_all_start_again(self):
        budget = self.make(name="Killed")
        estimate = self.estimate(budget)
        self.use("mock-usage-40x30-slow-first-20000")
        before = self.settled(budget)["spent"]
        self.assertGreater(before, 0)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(self.rig.chat, timeout=60)
                     for _ in range(12)]
            wait_until(lambda: self.get(budget)["reserved"] == 12 * estimate,
                       15, "twelve run")
            for pid in self.rig.workers():
                os.kill(pid, signal.SIGKILL)
            # what they held is free, long before they would have ended
            wait_until(lambda: self.get(budget)["reserved"] == 0, 5, "free")
            done = {f.result().status for f in asked}
        self.assertNotIn(200, done)
        wait_until(self.rig.ready, 30, "workers again")
        self.assertEqual(self.settled(budget)["spent"], before)
        self.use("mock-usage-40x30")
        for how in (signal.SIGTERM, signal.SIGKILL):
            for _ in range(3):
                self.assertEqual(self.rig.chat().status, 200)
            wait_until(lambda: self.rig.sql(
                "select count(*) from turns_open") == [["0"]], 10, "stored")
            self.rig.stop("switchboardd", how)
            self.rig.start_server()
            wait_until(self.rig.ready, 30, "the server is ready again")
            self.assertEqual(self.rig.chat().status, 200)
            spent = self.settled(budget)["spent"]
            # what the dead held is not lost for the others
            self.limit(budget, spent + estimate)
            self.assertEqual(self.rig.chat().status, 200)
            self.settled(budget)
            self.assertEqual(self.rig.chat().status, 429)
            self.limit(budget, 10 ** 9)

    def test_whose_it_is(self):
        """An agent's, a key's, another key's; money without a price."""
        self.use("mock-usage-40x30")
        agents = {a["instance_name"]: a["id"]
                  for a in self.admin.all("agents")}
        other = caller(self.rig, "account_owner")
        mine, = [k for k in self.admin.all("api-keys")
                 if self.rig.key.startswith(k["prefix"])]
        self.make(name="Other agent", scope="agent", limit=1,
                  subject_id=agents["animal_health"])
        self.make(name="No price", unit="usd", limit=0.000001)
        self.assertEqual(self.rig.chat().status, 200)
        key = self.make(name="My key", scope="key", limit=1,
                        subject_id=mine["id"])
        reply = self.rig.chat()
        self.assertEqual((reply.status, '"My key"' in reply.json["detail"]),
                         (429, True))
        self.assertEqual(self.rig.chat(key=other.key).status, 200)
        self.admin.delete("budgets/" + key)
        self.rig.settle()
        self.assertEqual(self.rig.chat().status, 200)
        reply = self.rig.chat("sales/animal_health")
        self.assertEqual((reply.status, '"Other agent"' in
                          reply.json["detail"]), (429, True))
        wait_until(lambda: [b["unpriced"] for b in self.admin.all("budgets")
                            if b["unit"] == "usd"][0] > 0, 10, "unpriced")
        self.rig.run("price", "set", "openai:mock-*", "--input", "1",
                     "--output", "2")
        self.addCleanup(self.rig.sql, "delete from prices where model like "
                        "'openai:mock%'", role="sb_owner")
        wait_until(lambda: self.rig.chat().status == 429, 10,
                   "now the price is known")

    def test_a_cut_stream(self):
        """Who leaves has used what was said so far."""
        self.use("mock-paced-200x50")
        budget = self.make(name="Cut")
        before = self.get(budget)["spent"]
        stream = self.rig.stream()
        for name, _, _, _ in stream.events():
            if name == "delta":
                break
        stream.close()
        wait_until(lambda: self.get(budget)["spent"] > before, 15,
                   "it is settled")
        self.settled(budget)
        self.use("mock-500")
        spent = self.get(budget)["spent"]
        self.assertEqual(self.rig.chat().status, 502)
        self.assertEqual(self.settled(budget)["spent"], spent)

    def test_an_alert_once(self):
        self.use("mock-usage-40x30")
        budget = self.make(name="Soft", hard=False, limit=1, soft_percent=50)
        for _ in range(3):
            self.assertEqual(self.rig.chat().status, 200)
        wait_until(lambda: self.get(budget)["alerted_at"], 10, "an alert")
        self.settled(budget)
        self.assertEqual([e["actor"]["kind"] for e in self.admin.get(
            f"audit?action=budget.alert&object_id={budget}").json["data"]],
            ["system"])
        self.assertEqual(self.rig.log().count("budget_alert"), 1)


if __name__ == "__main__":
    unittest.main()
