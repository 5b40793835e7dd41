"""Who changed what: as the account's people read it, and as an export proves
it."""
import copy
import json
import os
import time
import unittest

from rig import Rig, wait_until

MANY = 20000

ROLES = {"viewer": 403, "support": 403, "analyst": 403, "agent_manager": 403,
         "account_admin": 200, "account_owner": 200}


class AuditTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("audit", demo=False)
        for slug in ("watched", "other"):
            rig.run("account", "create", slug, "--tier", "enterprise")
        cls.keys = {role: rig.cli("key", "create", "watched", "--kind", "api",
                                  "--name", role, "--role", role)["key"]
                    for role in ROLES}
        cls.foreign = rig.cli("key", "create", "other", "--kind", "api",
                              "--name", "x")["key"]
        cls.owner = rig.auth(cls.keys["account_owner"])

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def read(self, query="", slug="watched", headers=None):
        return self.rig.get(f"/api/v1/accounts/{slug}/audit{query}",
                            headers=headers or self.owner)

    def test_who_may_read(self):
        for role, status in ROLES.items():
            reply = self.read(headers=self.rig.auth(self.keys[role]))
            self.assertEqual(reply.status, status, role)
        self.assertEqual(
            self.rig.get("/api/v1/accounts/watched/audit").status, 401)
        # Another account, and one that is not there, are the same.
        for slug in ("other", "nobody"):
            self.assertEqual(self.read(slug=slug).status, 404, slug)
        self.assertEqual(
            self.read(headers=self.rig.auth(self.foreign)).status, 404)

    def test_pages_and_filters(self):
        whole = self.read("?limit=200").json
        self.assertIsNone(whole["next"])
        rows = whole["data"]
        self.assertEqual([r["seq"] for r in rows],
                         list(range(len(rows), 0, -1)))
        for new, old in zip(rows, rows[1:]):
            self.assertEqual(new["previous"], old["hash"])
        self.assertEqual(rows[-1]["action"], "account.create")
        self.assertEqual(rows[-1]["after"]["tier"], "enterprise")
        self.assertEqual(rows[-1]["actor"]["kind"], "cli")
        # No key stands there, only what is shown of it.
        text = self.read("?limit=200").body.decode()
        for key in self.keys.values():
            self.assertNotIn(key, text)
            self.assertIn(key[:12], text)

        seen, after = [], ""
        while after is not None:
            page = self.read(f"?limit=3&after={after}" if after
                             else "?limit=3").json
            self.assertLessEqual(len(page["data"]), 3)
            seen += page["data"]
            after = page["next"]
        self.assertEqual(seen, rows)

        def count(query):
            return len(self.read("?limit=200&" + query).json["data"])

        self.assertEqual(count("action=account.create"), 1)
        self.assertEqual(count("action=api_key.*"), len(ROLES))
        self.assertEqual(count("actor_kind=user"), 0)
        self.assertEqual(count("object_kind=api_key&actor_kind=cli"),
                         len(ROLES))
        self.assertEqual(count(f"object_id={rows[0]['object']['id']}"), 1)
        self.assertEqual(count(f"since={rows[0]['at']}"), 1)
        self.assertEqual(count(f"until={rows[-1]['at']}"), 0)
        for bad in ("limit=0", "after=x", "after=0", "since=today",
                    "since=2026-13-01T00:00:00Z", "until=2026-01-01"):
            reply = self.read("?" + bad)
            self.assertIn(reply.status, (400, 422), bad)
            self.assertEqual(reply.headers["content-type"],
                             "application/problem+json")


class ExportTest(unittest.TestCase):
    """F10: what was done to an export is found, with nothing but the
    export."""

    @classmethod
    def setUpClass(cls):
        cls.rig = rig = Rig("export", demo=False)
        for slug in ("proven", "stranger"):
            rig.run("account", "create", slug)
            for i in range(10):
                rig.run("account", "set-limit", slug, "max_agents", str(i))
                if i == 4:
                    # Leaves a checkpoint behind the sixth entry.
                    rig.run("audit", "export", slug)
        cls.file = rig.path("tmp", "export.jsonl")
        cls.lines = cls.export("proven")
        cls.foreign = cls.export("stranger")
        cls.at = {line["seq"]: i for i, line in enumerate(cls.lines)
                  if line["type"] == "entry"}

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    @classmethod
    def export(cls, *argv):
        done = cls.rig.run("audit", "export", *argv)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def verify(self, lines, *argv):
        with open(self.file, "w", encoding="utf-8") as f:
            for line in lines:
                f.write(json.dumps(line, ensure_ascii=False) + "\n")
        done = self.rig.run("audit", "verify", self.file, "--json", *argv,
                            check=False)
        answer = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if answer["good"] else 1)
        return answer

    def assert_bad(self, lines, seq, *argv):
        answer = self.verify(lines, *argv)
        self.assertFalse(answer["good"])
        self.assertEqual(answer["bad"], seq, answer["why"])

    def test_good(self):
        answer = self.verify(self.lines)
        self.assertTrue(answer["good"], answer)
        self.assertEqual((answer["first"], answer["last"],
                          answer["entries"]), (1, 11, 11))
        # Those of the two exports, and perhaps one of the job's.
        points = [line["seq"] for line in self.lines
                  if line["type"] == "checkpoint"]
        self.assertEqual(points[-2:], [6, 11])
        self.assertEqual(answer["checkpoints"], len(points))
        self.assertEqual(self.lines[0]["type"], "head")
        self.assertEqual(self.lines[-1]["type"], "seal")
        key = answer["key"]
        self.assertTrue(self.verify(self.lines, "--key", key)["good"])
        # A part of it, by time; the other's; the platform's.
        start = self.lines[self.at[4]]["at"][:19] + "Z"
        part = self.verify(self.export("proven", "--from", start))
        self.assertTrue(part["good"], part)
        self.assertEqual(part["last"], 11)
        self.assertTrue(self.verify(self.foreign, "--key", key)["good"])
        self.assertTrue(self.verify(self.export("--platform"))["good"])
        # Where it lies.
        stored = self.rig.cli("audit", "verify", "proven")
        self.assertEqual((stored["good"], stored["last"],
                          stored["checkpoints"]), (True, 11, len(points)))

    def test_checkpoints_come_by_themselves(self):
        """A job signs what has grown."""
        rig = self.rig
        rig.run("account", "create", "signed")
        rig.stop("switchboardd")
        rig.start_server()
        rig.ready()
        wait_until(lambda: rig.sql(
            "select seq from audit_checkpoints where account_id = (select id "
            "from accounts where slug = 'signed')") == [["1"]], 20,
            "a checkpoint")
        self.assertEqual(rig.cli("audit", "verify", "signed")["checkpoints"],
                         1)
        self.assertNotIn("job_failed", rig.log())

    def test_changed_field(self):
        for name, value in (("actor_name", "somebody else"),
                            ("after", '{"max_agents":9}'),
                            ("request_id", ""), ("at_us", 1),
                            ("id", self.lines[self.at[3]]["id"])):
            lines = copy.deepcopy(self.lines)
            lines[self.at[8]][name] = value
            self.assert_bad(lines, 8)

    def test_removed_entry(self):
        lines = copy.deepcopy(self.lines)
        del lines[self.at[5]]
        self.assert_bad(lines, 5)
        # The first of all: only the seal knows of it.
        lines = copy.deepcopy(self.lines)
        del lines[self.at[1]]
        self.assert_bad(lines, 1)

    def test_swapped(self):
        lines = copy.deepcopy(self.lines)
        a, b = self.at[8], self.at[9]
        lines[a], lines[b] = lines[b], lines[a]
        self.assert_bad(lines, 8)

    def test_inserted(self):
        lines = copy.deepcopy(self.lines)
        lines.insert(self.at[9], copy.deepcopy(lines[self.at[8]]))
        self.assert_bad(lines, 8)
        lines = copy.deepcopy(self.lines)
        lines.append(copy.deepcopy(lines[self.at[11]]))
        self.assert_bad(lines, 12)

    def test_cut_off(self):
        """Behind a checkpoint, and with everything that would tell of it."""
        lines = copy.deepcopy(self.lines)
        del lines[self.at[7]:-1]
        self.assert_bad(lines, 7)
        lines = copy.deepcopy(self.lines)
        del lines[self.at[7]:]
        self.assert_bad(lines, 7)
        self.assert_bad([], 0)

    def test_changed_checkpoint(self):
        place = self.at[6] + 1
        for name, value in (("hash", self.lines[self.at[5]]["hash"]),
                            ("at_us", 1), ("signature", "00" * 64)):
            lines = copy.deepcopy(self.lines)
            lines[place][name] = value
            self.assert_bad(lines, 6)
        lines = copy.deepcopy(self.lines)
        lines[-1]["last"] = 10
        self.assert_bad(lines, 0)

    def test_other_accounts_entry(self):
        lines = copy.deepcopy(self.lines)
        lines[self.at[7]] = next(line for line in self.foreign
                                 if line.get("seq") == 7)
        self.assert_bad(lines, 7)
        lines = copy.deepcopy(self.lines)
        lines[0]["account_id"] = self.foreign[0]["account_id"]
        self.assert_bad(lines, 1)

    def test_changed_hash(self):
        lines = copy.deepcopy(self.lines)
        lines[self.at[4]]["hash"] = "ab" * 32
        self.assert_bad(lines, 4)

    def test_another_key(self):
        answer = self.verify(self.lines)
        other = ("00" if answer["key"][:2] != "00" else "11") + \
            answer["key"][2:]
        self.assertFalse(self.verify(self.lines, "--key", other)["good"])

    def test_changed_where_it_lies(self):
        """By one who may do everything in the database but sign."""
        rig = self.rig
        rig.run("account", "create", "forged")
        for i in range(5):
            rig.run("account", "set-limit", "forged", "max_agents", str(i))
        rig.run("audit", "export", "forged")

        def bad(sql):
            """Do it, verify, and put everything back."""
            rig.sql("create table if not exists data.kept as select * from "
                    "audit_log where account_id = (select id from accounts "
                    "where slug = 'forged')")
            rig.sql(sql.format(mine="account_id = (select id from accounts "
                                    "where slug = 'forged')"))
            done = rig.run("audit", "verify", "forged", "--json", check=False)
            rig.sql("delete from audit_log where account_id = (select id "
                    "from accounts where slug = 'forged')")
            rig.sql("insert into audit_log select * from data.kept")
            rig.sql("drop table data.kept")
            return json.loads(done.stdout).get("bad")

        self.assertEqual(bad("update audit_log set actor_name = 'x' where "
                             "{mine} and seq = 3"), 3)
        self.assertEqual(bad("delete from audit_log where {mine} and "
                             "seq = 4"), 4)
        self.assertEqual(bad("delete from audit_log where {mine} and "
                             "seq >= 5"), 5)
        # The whole chain made anew, as the functions make it: the
        # checkpoint knows better.
        self.assertIn(bad(
            "update audit_log set actor_name = 'x' where {mine} and seq = 6; "
            "update audit_log l set hash = audit_hash(l) where {mine} and "
            "seq = 6; update audit_heads h set hash = l.hash from audit_log "
            "l where h.account_id = l.account_id and l.seq = 6 and "
            "l.account_id = (select id from accounts where slug = "
            "'forged')"), range(1, 7))

    def test_many(self):
        """Tens of thousands are verified in the blink of an eye."""
        rig = self.rig
        rig.run("account", "create", "busy")
        for _ in range(MANY // 1000):
            rig.sql("begin; select set_config('app.account_id', id::text, "
                    "true) from control.accounts where slug = 'busy'; "
                    "select count(gate.audit_append(a.id, 'bench.entry', "
                    "'system', 'id ' || g, 'a name', '192.0.2.1', 'request',"
                    " 'thing', g::text, '{\"a\":1}', '{\"a\":2}')) from "
                    "control.accounts a, generate_series(1, 1000) g where "
                    "slug = 'busy'; commit", role="postgres")
        path = rig.path("tmp", "many.jsonl")
        rig.run("audit", "export", "busy", "--output", path)
        self.assertGreater(os.path.getsize(path), 200 * MANY)
        started = time.monotonic()
        answer = rig.cli("audit", "verify", path)
        took = time.monotonic() - started
        self.assertEqual((answer["good"], answer["entries"]),
                         (True, MANY + 1))
        # 50,000 a second in a program without checks of its memory.
        self.assertLess(took, 10, f"{MANY / took:.0f} a second")


if __name__ == "__main__":
    unittest.main()
