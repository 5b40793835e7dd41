"""Limits are exact on a host: at their edge exactly the limit passes."""
import collections
import subprocess
import threading
import unittest

from rig import Provider, Rig


def together(n, call):
    """Run ${call}(i) in ${n} threads that start at once; what it returned."""
    gate, out = threading.Barrier(n), [None] * n

    def one(i):
        gate.wait()
        out[i] = call(i)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


class LimitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("limits", env=cls.provider.env(),
                      params={"threads": 256, "widget_per_minute": 7,
                              "widget_session_per_minute": 3})
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def test_requests_an_hour_at_the_edge(self):
        rig = self.rig
        rig.run("account", "set-limit", "globex", "requests_per_hour", "100")
        rig.configure("sales/widgets", {
            "model_override": "openai:mock-echo", "model_fallback": False},
            account="globex")
        self.provider.reset()
        replies = together(200, lambda i: rig.chat(
            agent="sales/widgets", account="globex", key=rig.globex_key,
            message=f"edge {i}"))
        counts = collections.Counter(r.status for r in replies)
        self.assertEqual(counts, {200: 100, 429: 100})
        (stored,), = rig.sql("select count(*) from turns t join accounts a "
                             "on a.id = t.account_id where slug = 'globex' "
                             "and user_text like 'edge %'")
        self.assertEqual(stored, "100")
        refused = next(r for r in replies if r.status == 429)
        self.assertEqual(refused.headers["content-type"],
                         "application/problem+json")
        self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
        self.assertEqual(refused.headers["ratelimit-limit"], "100")
        self.assertEqual(refused.headers["ratelimit-remaining"], "0")
        # What never reached a provider does not count; a new limit is live.
        rig.run("account", "set-limit", "globex", "requests_per_hour",
                "unlimited")
        rig.settle("globex")
        self.assertEqual(rig.chat(
            agent="sales/widgets", account="globex", key=rig.globex_key,
            message="again").status, 200)

    def test_requests_a_minute_of_an_instance(self):
        rig = self.rig
        rig.configure("sales/animal_health", {
            "model_override": "openai:mock-echo", "model_fallback": False,
            "rate_limits": {"max_requests_per_minute": 20}})
        replies = together(60, lambda i: rig.chat(
            agent="sales/animal_health", message="hi"))
        counts = collections.Counter(r.status for r in replies)
        # A bucket of 20 refills one each 3 s while the 60 run.
        self.assertIn(counts[200], (20, 21, 22))
        self.assertEqual(counts[200] + counts[429], 60)

    def test_tokens_an_hour(self):
        rig = self.rig
        rig.configure("research/clinical_research", {
            "model_override": "openai:mock-usage-100x50",
            "model_fallback": False, "max_tokens": 100,
            "rate_limits": {"max_tokens_per_hour": 3000}})
        statuses = [rig.chat(agent="research/clinical_research",
                             message="word " * 40).status
                    for _ in range(60)]
        self.assertIn(200, statuses)
        self.assertIn(429, statuses)
        first = statuses.index(429)
        (used,), = rig.sql(
            "select sum(input_tokens + output_tokens) from turns t where "
            "instance_name = 'clinical_research'")
        self.assertGreater(first, 1)
        self.assertLess(int(used), 3600)

    def test_widget_address_and_session(self):
        rig = self.rig
        path = "/accounts/acme-healthcare/chat/sales/human_health"

        def post(address, **body):
            return rig.request("POST", path, dict(body, message="hi"), {
                "X-Widget-Key": rig.widget_key,
                "Origin": "http://localhost", "X-Forwarded-For": address})
        statuses = [post("203.0.113.7").status for _ in range(10)]
        self.assertEqual(statuses, [200] * 7 + [429] * 3)
        # Another address has its own bucket; a spoofed hop in front of the
        # one our proxy saw changes nothing.
        reply = post("203.0.113.8")
        self.assertEqual(reply.status, 200)
        self.assertEqual(post("198.51.100.1, 203.0.113.7").status, 429)
        key = reply.json["session_key"]
        statuses = [post(f"203.0.113.{20 + i}", session_key=key).status
                    for i in range(5)]
        self.assertEqual(statuses, [200] * 2 + [429] * 3)  # 1 made it

    def test_max_agents_under_concurrency(self):
        rig = self.rig
        rig.run("account", "create", "tiny", "--name", "Tiny", "--tier",
                "free")

        def create(i):
            return subprocess.run(
                [rig.path("bin", "switchboard"), "-c", rig.conf, "agent",
                 "create", "tiny", f"sales/a{i}", "--display-name", f"A{i}"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=rig.dir,
                env=rig._environment(), **rig._as_user())
        done = together(12, create)
        self.assertEqual(collections.Counter(d.returncode for d in done),
                         {0: 2, 1: 10})
        self.assertIn(b"2", next(d for d in done if d.returncode).stderr)
        self.assertEqual(rig.sql(
            "select count(*) from agent_instances i join accounts a on a.id "
            "= i.account_id where slug = 'tiny'"), [["2"]])


if __name__ == "__main__":
    unittest.main()
