"""Limits that last: over a restart, and over the death of a worker."""
import json
import os
import signal
import threading
import unittest

from rig import Provider, Rig, wait_until


class LastingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("lasting", env=cls.provider.env())

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def account(self, slug, **configuration):
        """An account of the test's own; a function that asks its agent."""
        rig = self.rig
        rig.run("account", "create", slug, "--name", slug, "--tier",
                "enterprise")
        key = rig.cli("key", "create", slug, "--kind", "api", "--name", "k",
                      "--role", "account_owner")["key"]
        rig.run("agent", "create", slug, "sales/a", "--display-name", "A")
        configuration.setdefault("model_override", "openai:mock-usage-100x50")
        configuration["model_fallback"] = False
        rig.run("agent", "configure", slug, "sales/a", "-",
                stdin=json.dumps(configuration))
        return lambda **kw: rig.chat(agent="sales/a", account=slug, key=key,
                                     **kw)

    def restart(self, how):
        self.rig.stop("switchboardd", how)
        self.rig.start_server()
        wait_until(self.rig.ready, 20, "the server is ready again")

    def test_a_restart_gives_no_new_hour(self):
        rig = self.rig
        hourly = self.account("hourly")
        rig.run("account", "set-limit", "hourly", "requests_per_hour", "20")
        tokens = self.account("tokens", max_tokens=100, rate_limits={
            "max_tokens_per_hour": 6000})
        calm = self.account("calm")
        rig.run("account", "set-limit", "calm", "requests_per_hour", "20")
        for _ in range(20):
            self.assertEqual(hourly().status, 200)
        self.assertEqual(hourly().status, 429)
        for _ in range(5):
            self.assertEqual(calm().status, 200)
        used = 0
        while tokens().status == 200:
            used += 1
        self.assertGreater(used, 3)
        # A database that stalls has them later, from a journal.
        wait_until(lambda: int(rig.sql(
            "select coalesce(sum(requests), 0) from usage_rollups r join "
            "accounts a on a.id = r.account_id where grain = 5 and slug in "
            "('hourly', 'tokens', 'calm')")[0][0]) == 20 + 5 + used, 60,
            "all is stored")
        for how in (signal.SIGTERM, signal.SIGKILL):
            self.restart(how)
            reply = hourly()
            self.assertEqual(reply.status, 429, reply)
            # As long as it was before: 3 minutes for one of 20 an hour.
            self.assertGreater(int(reply.headers["retry-after"]), 60)
            self.assertEqual(tokens().status, 429)
        # Who had some left still has: not more, and not less by much.
        reply = calm()
        self.assertEqual(reply.status, 200)
        self.assertIn(int(reply.headers["ratelimit-remaining"]),
                      (13, 14, 15))
        self.assertNotIn("limits_begin_anew", rig.log())

    def test_a_dead_worker_gives_its_tokens_back(self):
        rig = self.rig
        ask = self.account("dying", max_tokens=2000, rate_limits={
            "max_tokens_per_hour": 10000}, model_override="openai:mock-stall-0")
        rig.run("account", "set-limit", "dying", "requests_per_hour", "20")
        before = rig.workers()

        def lost():
            try:
                ask(timeout=90)
            except OSError:
                pass
        threads = [threading.Thread(target=lost) for _ in range(4)]
        for t in threads:
            t.start()
        wait_until(lambda: int(rig.sql(
            "select count(*) from turns_open o join accounts a on a.id = "
            "o.account_id where slug = 'dying'")[0][0]) == 4, 60, "four wait")
        # Each has reserved above a fifth of the hour.
        self.assertEqual(ask().status, 429)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for t in threads:
            t.join()
        wait_until(lambda: len(rig.workers()) == 2 and
                   not set(rig.workers()) & set(before), 10, "new workers")
        rig.run("agent", "configure", "dying", "sales/a", "-",
                stdin=json.dumps({"model_override": "openai:mock-echo",
                                 "model_fallback": False, "max_tokens": 2000,
                                 "rate_limits":
                                     {"max_tokens_per_hour": 10000}}))
        wait_until(lambda: ask(message="hi").status == 200, 10, "they serve")
        # The tokens of the four are back, for twice as many that are all
        # asked in turn; their requests were made and stay counted (E5).
        passed = 1
        while True:
            reply = ask(message="hi")
            if reply.status != 200:
                break
            passed += 1
        self.assertEqual(reply.status, 429)
        self.assertIn("requests_per_hour", reply.json["detail"])
        self.assertEqual(passed + 4, 20)


if __name__ == "__main__":
    unittest.main()
