"""Behind PgBouncer in transaction mode: everything of test_chat, and no
context of one account in another's transaction (B7)."""
import re
import subprocess
import unittest

import test_chat
import test_isolation
from rig import Provider, Rig


class PooledChatTest(test_chat.ChatTest):
    """With named prepared statements on, as is the default: where the pooler
    mixes them up, connections go on without."""

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("pooler", env=cls.provider.env(), pooler=True,
                      params={"heartbeat": "200ms"})

    def test_the_pooler_is_between(self):
        self.use("openai:mock-echo")
        self.assertEqual(self.rig.chat(message="through it").status, 200)
        (n,), = self.rig.sql(
            "select count(*) from pg_stat_activity where datname = "
            "current_database() and usename = 'sb_chat'")
        self.assertLessEqual(int(n), 5)  # the pooler's own, for all workers
        with open(self.rig.path("log", "pgbouncer.log")) as f:
            self.assertIn("sb_writer", f.read())
        doctor = self.rig.run("doctor", "--json", check=False).stdout
        self.assertRegex(doctor, r'"check": "pooler",\s+"state": "ok"')
        version = subprocess.run(["pgbouncer", "--version"], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < (1, 21):
            self.assertIn("prepared_statements_lost", self.rig.log())


class PooledIsolationTest(test_isolation.IsolationTest):
    options, seconds = {"pooler": True}, 5


for name in dir(test_isolation.IsolationTest):
    if name.startswith("test_") and name not in (
            "test_pooled_connections_never_mix",
            "test_foreign_and_random_are_one_answer"):
        setattr(PooledIsolationTest, name, None)


if __name__ == "__main__":
    unittest.main()
