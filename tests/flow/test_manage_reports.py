"""The management API: sessions, transcripts, usage and metrics; and the
platform's list of accounts, which no API key may see."""
import csv
import io
import json
import time
import unittest
from datetime import datetime, timedelta, timezone

from manage import Caller, caller
from rig import NOBODY, Provider, Rig, wait_until


def when(**ago):
    then = datetime.now(timezone.utc) - timedelta(**ago)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


class ReportsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("reports", env=cls.provider.env())
        cls.viewer = caller(rig, "viewer")
        mock = {"model_override": "openai:mock-echo", "model_fallback": False}
        rig.configure("sales/human_health", mock)
        rig.configure("sales/animal_health", mock)
        cls.talks = [rig.chat(message=f"talk {n}").json for n in range(4)]
        cls.long = rig.chat(message="first", session_key="long-one").json
        for n in range(3):
            rig.chat(message=f"more {n}", session_key="long-one")
        rig.chat("sales/animal_health", "a dog")
        rig.configure("rag/regulatory_docs", {
            "model_override": "openai:mock-500", "model_fallback": False})
        rig.chat("rag/regulatory_docs", "this fails")
        cls.agents = {a["instance_name"]: a["id"]
                      for a in cls.viewer.all("agents")}
        wait_until(lambda: rig.sql("select count(*) from turns") == [["10"]],
                   5, "everything is stored")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def test_sessions(self):
        sessions = self.viewer.all("sessions", 2)
        self.assertEqual([s["id"] for s in sessions],
                         sorted((s["id"] for s in sessions), reverse=True))
        keys = {s["session_key"] for s in sessions}
        self.assertLessEqual({t["session_key"] for t in self.talks}, keys)
        long, = [s for s in sessions if s["session_key"] == "long-one"]
        self.assertEqual((long["turns"], long["status"]), (4, "completed"))
        dogs = self.viewer.all("sessions?agent=" +
                               self.agents["animal_health"])
        self.assertEqual(len(dogs), 1)
        failed = self.viewer.all("sessions?status=failed")
        self.assertEqual({s["status"] for s in failed}, {"failed"})
        done = self.viewer.all("sessions?status=completed")
        self.assertEqual(len(done) + len(failed), len(sessions))
        self.assertEqual(self.viewer.all("sessions?to=" + when(hours=1)), [])
        self.assertEqual(len(self.viewer.all("sessions?from=" +
                                             when(hours=1))), len(sessions))
        self.assertEqual(self.viewer.all("sessions?agent=" + NOBODY), [])
        for query in ("from=yesterday", "agent=sales", "status=done"):
            self.assertEqual(self.viewer.get(
                "sessions?" + query).status, 422, query)

    def read(self):
        """Rows of sessions that PostgreSQL has looked at so far."""
        return int(self.rig.sql(
            "select sum(idx_tup_fetch + seq_tup_read) from "
            "pg_stat_user_tables where relname like 'sessions%'",
            role="postgres")[0][0])

    def test_unusual_sessions_among_many(self):
        """?status=failed does not look at all that ended well."""
        many = 4000
        self.rig.sql(
            "with s as (select s.* from sessions s join turns t on "
            "t.account_id = s.account_id and t.session_id = s.id where "
            "t.status = 'completed' order by s.id limit 1), n as (select i, "
            "(left(replace(uuid_floor(now())::text, '-', ''), 12) || '7' || "
            "lpad(to_hex(i % 4096), 3, '0') || '8' || "
            "lpad(to_hex(i), 15, '0'))::uuid as id "
            f"from generate_series(1, {many}) i), made as (insert into "
            "sessions select (jsonb_populate_record(null::sessions, "
            "to_jsonb(s) || jsonb_build_object('id', n.id, 'session_key', "
            "'many-' || n.i))).* from s, n returning account_id, id) "
            "insert into turns select (jsonb_populate_record(null::turns, "
            "to_jsonb(t) || jsonb_build_object('id', m.id, 'session_id', "
            "m.id))).* from made m, (select t.* from turns t, s where "
            "t.account_id = s.account_id and t.session_id = s.id limit 1) t")
        try:
            self.rig.sql("analyze sessions")
            self.rig.sql("analyze turns")
            for status, count in (("failed", 1), ("cancelled", 0),
                                  ("running", 0)):
                before = self.read()
                got = self.viewer.get(f"sessions?status={status}")
                self.assertEqual(len(got.json["data"]), count, got)
                time.sleep(1.5)  # until PostgreSQL has added up
                self.viewer.get("sessions?limit=1")
                self.assertLess(self.read() - before, many / 4, status)
            page = self.viewer.get("sessions?status=completed&limit=5")
            self.assertEqual(len(page.json["data"]), 5)
        finally:
            self.rig.sql("delete from turns where session_id in (select id "
                         "from sessions where session_key like 'many-%')")
            self.rig.sql("delete from sessions where session_key like "
                         "'many-%'")

    def test_a_transcript(self):
        long, = [s for s in self.viewer.all("sessions")
                 if s["session_key"] == "long-one"]
        texts, after = [], None
        while True:
            page = self.viewer.get(
                f"sessions/{long['id']}?limit=3" +
                (f"&after={after}" if after else ""))
            self.assertEqual(page.status, 200, page)
            self.assertEqual(page.json["turns"], 4)
            texts += [(m["role"], m["content"])
                      for m in page.json["messages"]["data"]]
            after = page.json["messages"]["next"]
            if after is None:
                break
        self.assertEqual([t for r, t in texts if r == "user"],
                         ["first", "more 0", "more 1", "more 2"])
        self.assertEqual(len(texts), 8)
        self.assertEqual(self.viewer.get("sessions/" + NOBODY).status, 404)
        self.assertEqual(self.viewer.get(
            f"sessions/{long['id']}?after=x").status, 422)

    def test_usage(self):
        reply = self.viewer.get("usage")
        self.assertEqual(reply.status, 200, reply)
        totals = reply.json["totals"]
        (requests, failed, tokens), = self.rig.sql(
            "select count(*), count(*) filter (where status = 'failed'), "
            "sum(input_tokens) from turns")
        self.assertEqual((totals["requests"], totals["failed"],
                          totals["input_tokens"]),
                         (int(requests), int(failed), int(tokens)))
        self.assertIsNone(totals["cost_usd"])
        self.assertEqual(reply.json["series"], [])
        by = self.viewer.get("usage?group=agent,day").json["series"]
        self.assertEqual(sum(r["requests"] for r in by), int(requests))
        self.assertEqual({r["agent_id"] for r in by}, {
            self.agents[n] for n in ("human_health", "animal_health",
                                     "regulatory_docs")})
        self.assertRegex(by[0]["at"], "T00:00:00.000Z$")
        one = self.viewer.get("usage?agent=" + self.agents["animal_health"])
        self.assertEqual(one.json["totals"]["requests"], 1)
        models = self.viewer.get("usage?group=model").json["series"]
        self.assertIn("openai:mock-echo", [r["model"] for r in models])
        self.assertNotIn("at", models[0])
        none = self.viewer.get("usage?to=" + when(hours=2))
        self.assertEqual(none.json["totals"]["requests"], 0)
        for query in ("group=week", "group=hour,day", "group=", "from=x",
                      "from=" + when(days=500), "to=" + when(days=40) +
                      "&from=" + when(days=1), "agent=x"):
            self.assertEqual(self.viewer.get(
                "usage?" + query).status, 422, query)
        self.assertEqual(caller(self.rig, "support").get("usage").status, 403)

    def test_usage_by_caller(self):
        """Who asked and which credential answered: the same sums."""
        totals = self.viewer.get("usage").json["totals"]
        series = self.viewer.get("usage?group=key,credential").json["series"]
        for part in ("requests", "failed", "input_tokens", "output_tokens",
                     "unpriced"):
            self.assertEqual(sum(r[part] for r in series), totals[part], part)
        self.assertEqual({r["credential_id"] for r in series}, {None})
        self.assertLessEqual(
            {(r["key_kind"], r["key_id"]) for r in series},
            {("api_key", row[0]) for row in self.rig.sql(
                "select id from control.api_keys")})
        key = series[0]["key_id"]
        by = self.viewer.get(f"usage?key={key}&group=agent").json
        self.assertEqual(sum(r["requests"] for r in by["series"]),
                         by["totals"]["requests"])
        self.assertEqual(by["totals"]["requests"], sum(
            r["requests"] for r in series if r["key_id"] == key))
        self.assertEqual(self.viewer.get(
            "usage?credential=none").json["totals"], totals)
        self.assertEqual(self.viewer.get(
            f"usage?credential={NOBODY}").json["totals"]["requests"], 0)
        for query in ("key=x", "credential=x", "format=xml"):
            self.assertEqual(self.viewer.get(
                "usage?" + query).status, 422, query)
        self.assertEqual(self.viewer.get("metrics?group=key").status, 422)
        out = json.loads(self.rig.run(
            "usage", "acme-healthcare", "--by", "key", "--json").stdout)
        self.assertEqual(sum(r["requests"] for r in out["data"]),
                         totals["requests"])

    def test_usage_as_csv(self):
        want = self.viewer.get("usage?group=agent,key,day").json["series"]
        for reply in (self.viewer.get("usage?group=agent,key,day&format=csv"),
                      self.viewer.get("usage?group=agent,key,day",
                                      Accept="text/csv")):
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.headers["content-type"],
                             "text/csv; charset=utf-8")
            text = reply.body.decode()
            self.assertTrue(text.endswith("\r\n"))
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            self.assertEqual(
                [(r["at"], r["agent_id"], r["key_kind"], r["key_id"],
                  int(r["requests"]), float(r["cost_usd"])
                  if r["cost_usd"] else None) for r in rows],
                [(r["at"], r["agent_id"], r["key_kind"], r["key_id"],
                  r["requests"], r["cost_usd"]) for r in want])
        one, = csv.DictReader(io.StringIO(
            self.viewer.get("usage?format=csv").body.decode(), newline=""))
        self.assertEqual(int(one["requests"]), self.viewer.get(
            "usage").json["totals"]["requests"])
        out = self.rig.run("usage", "acme-healthcare", "--by", "model",
                           "--csv").stdout
        models = {r["model"]: int(r["requests"]) for r in csv.DictReader(
            io.StringIO(out, newline=""))}
        self.assertIn("openai:mock-echo", models)

    def test_usage_of_long_ago(self):
        """A long span reads daily and hourly sums for what is summed, the
        finest rows for the rest, and counts nothing twice."""
        (account,), = self.rig.sql("select id from accounts where slug = "
                                   "'globex'")
        globex = Caller(self.rig, self.rig.globex_key, "globex")
        self.rig.sql("select gate.maintain_partitions(now() - interval "
                     "'3 months')")
        ages = (0, 1, 20, 21)
        for days in ages:
            for grain in (5, 60, 1440):
                self.rig.sql(
                    "insert into usage_rollups select "
                    f"'{account}', '{NOBODY}', 'm', {grain}, "
                    f"date_bin('{grain} minutes', now() - interval '{days} "
                    "days', '2000-01-01 00:00+00'), 10, 1, 0, 5, 5, 0, 0, "
                    "2000000000, 0, 1000, 190, '{0,0,9,0,0,0,0,0,0,0,0}'")
        for span in (2, 6, 8, 30):
            want = 10 * sum(days < span for days in ages)
            for group in ("day", "hour", "agent", "model,day"):
                got = globex.get(
                    f"usage?group={group}&from={when(days=span)}").json
                self.assertEqual(got["totals"]["requests"], want, span)
                self.assertEqual(sum(r["requests"] for r in got["series"]),
                                 want, (span, group))
                if group != "agent":
                    self.assertEqual(len(got["series"]), want / 10)
            got = globex.get(f"metrics?from={when(days=span)}").json
            self.assertEqual(got["totals"]["requests"], want, span)
        # a span whose ends lie inside days and hours
        got = globex.get(f"usage?from={when(days=20, hours=12)}"
                         f"&to={when(minutes=90)}").json
        self.assertEqual(got["totals"]["requests"], 20)
        got = globex.get(f"usage?from={when(days=40)}").json
        self.assertEqual(got["totals"]["cost_usd"], 8.0)
        metrics = globex.get("metrics?from=" + when(days=2)).json["totals"]
        self.assertEqual(metrics["error_rate"], 0.1)
        self.assertEqual(metrics["latency_ms_max"], 190)
        self.assertTrue(100 < metrics["latency_ms_p50"] < 190, metrics)
        self.assertGreater(metrics["latency_ms_p95"],
                           metrics["latency_ms_p50"])

    def test_metrics(self):
        totals = self.viewer.get("metrics").json["totals"]
        self.assertGreater(totals["error_rate"], 0)
        self.assertLessEqual(totals["latency_ms_p50"],
                             totals["latency_ms_p95"])
        self.assertLessEqual(totals["latency_ms_p95"],
                             totals["latency_ms_max"])
        self.assertNotIn("input_tokens", totals)
        series = self.viewer.get("metrics?group=agent,hour").json["series"]
        self.assertEqual({"agent_id", "at"} - set(series[0]), set())
        empty = self.viewer.get("metrics?to=" + when(hours=2)).json["totals"]
        self.assertIsNone(empty["latency_ms_p50"])
        self.assertIsNone(empty["error_rate"])


if __name__ == "__main__":
    unittest.main()
