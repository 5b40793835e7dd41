"""Many accounts: loaded and removed by "demo scale", served like the first, and
no hot statement that reads a large table from end to end (SB_LONG=1: 1,000
accounts and a million turns).
"""
import json
import os
import random
import time
import unittest

from rig import Provider, Rig, wait_until

LONG = os.environ.get("SB_LONG") == "1"
ACCOUNTS = 1000 if LONG else 300
TURNS = 1000000 if LONG else 60000
AGENTS = ["sales/scale_1", "research/scale_2", "rag/scale_3",
          "digital_expert/scale_4", "sales/scale_5"]

# Turns of the last two weeks, ten a session, over all accounts and agents.
FILL = """
CREATE TEMP TABLE s AS SELECT a.account_id, a.id AS agent, a.agent_type,
	a.instance_name, data.uuid_floor(now() - make_interval(secs =>
		(n * 7919 %% 1200000) + 1)) AS f, n
FROM generate_series(1, %(sessions)d) n JOIN (SELECT i.*, row_number() OVER
	(ORDER BY i.account_id, i.id) - 1 AS place FROM agent_instances i
	JOIN accounts c ON c.id = i.account_id WHERE c.slug LIKE 'scale-%%') a
	ON a.place = n %% %(agents)d;
ALTER TABLE s ADD id uuid;
UPDATE s SET id = (left(f::text, 14) || '7000-8000-' || lpad(to_hex(n * 16),
	12, '0'))::uuid;
INSERT INTO sessions (account_id, id, session_key, is_anonymous, created_at,
	last_activity_at) SELECT account_id, id, 'k' || n, true,
	now() - interval '1 hour', now() - interval '1 minute' FROM s;
INSERT INTO session_names SELECT account_id, 'k' || n, id FROM s;
INSERT INTO turns (account_id, id, session_id, agent_instance_id, agent_type,
	instance_name, config_version, request_id, trace_id, channel, status,
	finish_reason, user_text, reply_text, model, input_tokens,
	output_tokens, cached_input_tokens, cache_write_tokens,
	reasoning_tokens, usage_estimated, attempts, latency_ms, tool_calls,
	citations, started_at, finished_at)
SELECT account_id, (left(id::text, 24) || lpad(to_hex(n * 16 + t), 12, '0'))::uuid,
	id, agent, agent_type, instance_name, 1, 'r', 't', 'chat', 'completed',
	'stop', 'a question', 'an answer', 'openai:mock', 1, 1, 0, 0, 0, false,
	1, 1, '[]', '[]', now(), now()
FROM s, generate_series(1, 10) t;
"""


class ScaleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("scale", env=cls.provider.env())
        cls.keys_file = cls.rig.path("tmp", "keys")
        cls.loaded = cls.load()
        with open(cls.keys_file) as f:
            cls.keys = dict(line.split() for line in f)

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    @classmethod
    def load(cls, *more):
        return cls.rig.cli("demo", "scale", "--accounts", str(ACCOUNTS),
                           "--model", "openai:mock", "--keys", cls.keys_file,
                           *more)

    def ask(self, slug, agent, **body):
        return self.rig.chat(agent, account=slug, key=self.keys[slug], **body)

    def test_1_loaded(self):
        self.assertEqual(self.loaded["accounts"], ACCOUNTS)
        self.assertEqual(self.loaded["made"], ACCOUNTS)
        self.assertEqual(len(self.keys), ACCOUNTS)
        self.assertEqual(os.stat(self.keys_file).st_mode & 0o777, 0o600)
        (agents, versions), = self.rig.sql(
            "select (select count(*) from agent_instances i join accounts a "
            "on a.id = i.account_id where slug like 'scale-%'), (select "
            "count(*) from agent_config_versions v join accounts a on a.id ="
            " v.account_id where slug like 'scale-%')")
        self.assertEqual((int(agents), int(versions)),
                         (5 * ACCOUNTS, 5 * ACCOUNTS))
        # Each is answered as itself, and by its own key only.
        for slug in random.sample(sorted(self.keys), 20):
            agent = random.choice(AGENTS)
            reply = self.ask(slug, agent)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.json["agent"]["name"],
                             agent.split("/")[1])
            other = random.choice([s for s in self.keys if s != slug])
            self.assertEqual(self.rig.chat(
                agent, account=slug, key=self.keys[other]).status, 404)

    def test_2_again(self):
        again = self.load()
        self.assertEqual(again["made"], 0)
        old, slug = dict(self.keys), "scale-00001"
        with open(self.keys_file) as f:
            self.keys.update(line.split() for line in f)
        self.assertNotEqual(old[slug], self.keys[slug])
        self.assertEqual(self.ask(slug, AGENTS[0]).status, 200)
        wait_until(lambda: self.rig.chat(
            AGENTS[0], account=slug, key=old[slug]).status == 401, 5,
            "the key before is gone")

    def test_3_a_foreign_account_is_not_taken(self):
        """Nor counted, nor removed: test_5 finds only those made here."""
        slug = f"scale-{ACCOUNTS + 1:05}"
        self.rig.run("account", "create", slug, "--name", "Mine")
        done = self.rig.run("demo", "scale", "--accounts", str(ACCOUNTS + 1),
                            check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(slug, done.stderr)

    def tables(self):
        """All that hold rows of accounts."""
        found = self.rig.sql(
            "select c.oid::regclass from pg_class c join pg_attribute a on "
            "a.attrelid = c.oid where a.attname = 'account_id' and c.relkind "
            "in ('r', 'p') and not c.relispartition")
        self.assertGreater(len(found), 10)
        return found + [["accounts"]]

    def counts(self):
        return dict(self.rig.sql(" union all ".join(
            f"select '{t}', count(*) from {t}" for t, in self.tables()
            if t != "audit_log")))  # which tells of it

    def scans(self):
        """Sequential scans of tables with more than 2,000 rows: of smaller
        ones a few pages are read faster than an index."""
        return {name: int(n) for name, n in self.rig.sql(
            "select s.schemaname || '.' || s.relname, coalesce(s.seq_scan, 0)"
            " from pg_stat_user_tables s join pg_class c on c.oid = s.relid"
            " where c.reltuples > 2000 order by 1")}

    def quiet(self):
        """The counts once they rest: backends tell them late."""
        last = self.scans()
        while True:
            time.sleep(1.3)
            now = self.scans()
            if now == last:
                return now
            last = now

    def test_4_no_hot_statement_reads_a_table_from_end_to_end(self):
        self.rig.sql(FILL % {"sessions": TURNS // 10, "agents": 5 * ACCOUNTS})
        self.rig.sql("analyze")
        self.rig.stop("switchboardd")
        self.rig.start_server()
        wait_until(self.rig.ready, 20, "the server is ready")
        before = self.quiet()
        tables = " ".join(before)
        for name in ("sessions", "turns") + \
                (("agent_instances",) if LONG else ()):
            self.assertIn(f".{name}", tables)
        rows = self.rig.sql(
            "select a.slug, s.session_key, t.agent_type || '/' || "
            "t.instance_name from sessions s join turns t on t.account_id = "
            "s.account_id and t.session_id = s.id join accounts a on a.id = "
            "s.account_id where s.session_key ~ '^k[0-9]+$' "
            "group by 1, 2, 3 order by md5(s.session_key) limit 20")
        before = self.quiet()  # without that query
        for slug, session, agent in rows:
            auth = self.rig.auth(self.keys[slug])
            reply = self.ask(slug, agent, session_key=session)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(self.ask(slug, agent).status, 200)
            self.assertEqual(self.ask(
                slug, agent, session_key=f"new-{session}").status, 200)
            keyed = self.rig.chat(agent, account=slug, headers=dict(
                auth, **{"Idempotency-Key": f"{slug}-{session}"}))
            self.assertEqual(keyed.status, 200)
            stream = self.rig.stream(agent, account=slug,
                                     key=self.keys[slug])
            self.assertEqual(stream.all()[-1][0], "done")
            turn = f"/accounts/{slug}/turns/{reply.json['turn_id']}"
            self.assertEqual(self.rig.get(turn, headers=auth).status, 200)
            talk = f"/accounts/{slug}/sessions/{session}/messages"
            page = self.rig.get(talk, headers=auth)
            self.assertEqual(page.status, 200)
            self.assertGreaterEqual(len(page.json["data"]), 20)
            rated = self.rig.request(
                "POST", f"{talk}/{reply.json['message_id']}/feedback",
                json.dumps({"rating": 1}), auth)
            self.assertEqual(rated.status, 201, rated)
        self.rig.stop("switchboardd")  # all backends have told their counts
        after = self.quiet()
        self.rig.start_server()
        wait_until(self.rig.ready, 20, "the server is ready")
        self.assertEqual({t: n - before.get(t, 0) for t, n in after.items()
                          if n > before.get(t, 0)}, {})

    def test_5_bench_measures_and_leaves_nothing(self):
        before = self.counts()
        url = f"http://127.0.0.1:{self.rig.port}"
        rows = {r["measure"]: r for r in self.rig.cli(
            "bench", "--url", url + "/", "--seconds", "1", "--callers", "8",
            "--streams", "20")["data"]}
        self.assertGreater(rows["turn, one caller, p50"]["ratio"], 1)
        self.assertGreater(rows["turns, 8 callers"]["value"], 10)
        self.assertEqual(rows["turns refused, 8 callers"]["value"], 0)
        self.assertEqual(rows["streams at once, complete"]["value"], 20)
        self.assertGreater(rows["first delta, p99"]["value"], 0)
        self.assertEqual(rows["turns stored of those answered"]["ratio"], 1)
        self.assertEqual(self.counts(), before)
        # Not this installation: says so, and leaves nothing either.
        done = self.rig.run("bench", "--url", f"{url}/accounts", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("address of this installation", done.stderr)
        self.assertEqual(self.counts(), before)

    def test_6_removed(self):
        ids = [i for i, in self.rig.sql(
            "select id from accounts where name like 'For measuring%'")]
        self.assertEqual(len(ids), ACCOUNTS)
        rest = self.rig.sql("select count(*) from agent_instances i join "
                            "accounts a on a.id = i.account_id where slug "
                            "not like 'scale-%'")
        gone = self.rig.cli("demo", "scale", "--remove")
        self.assertEqual(gone["removed"], ACCOUNTS)
        said = self.rig.sql(
            "select action, actor_kind, before, after from audit_log where "
            "action like 'scale.%' order by seq")
        self.assertEqual({(a, k) for a, k, _, _ in said},
                         {("scale.add", "cli"), ("scale.remove", "cli")})
        self.assertEqual(json.loads(said[-1][2]), {"accounts": ACCOUNTS})
        self.assertEqual(json.loads(said[0][3])["first"], "scale-00001")
        tables = self.tables()
        sums = " union all ".join(
            f"select '{t}', count(*) from {t} where "
            f"{'id' if t == 'accounts' else 'account_id'} = any (array["
            + ",".join(f"'{i}'" for i in ids[:50]) + "]::uuid[])"
            for t, in tables)
        self.assertEqual([(t, n) for t, n in self.rig.sql(sums) if n != "0"],
                         [])
        self.assertEqual(self.rig.sql(
            "select count(*) from agent_instances"), rest)
        self.assertEqual(self.rig.cli("demo", "scale", "--remove")["removed"],
                         0)
        self.assertEqual(self.rig.chat().status, 200)


if __name__ == "__main__":
    unittest.main()
