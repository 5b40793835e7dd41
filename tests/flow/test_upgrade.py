"""A migration under load with the program of the version before (ROBUSTNESS
A26), and what retention_days removes (F9)."""
import os
import re
import signal
import subprocess
import threading
import time
import unittest

from rig import Provider, Rig, wait_until
from test_processes import Load

# A new version's: a column of a table that every turn is written to, a table,
# rows filled in, and a function of the gate.
EXPAND = """
ALTER TABLE data.turns ADD COLUMN upgrade_note text;
ALTER TABLE control.accounts ADD COLUMN upgrade_note text;
CREATE TABLE data.upgrades (
	account_id uuid NOT NULL,
	id uuid NOT NULL,
	PRIMARY KEY (account_id, id)
);
SELECT control.protect('data.upgrades');
"""
BACKFILL = """
UPDATE control.accounts SET upgrade_note = slug;
UPDATE data.turns SET upgrade_note = 'before';
SELECT pg_sleep(1);
"""
GATE = """-- needs: SELECT ON data.upgrades
CREATE OR REPLACE FUNCTION gate.upgrades() RETURNS bigint LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = data, pg_temp
AS 'SELECT count(*) FROM upgrades';
REVOKE ALL ON FUNCTION gate.upgrades() FROM PUBLIC;
"""


class UpgradeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("upgrade", env=cls.provider.env(), params={
            "threads": 256, "chat_workers": 2})
        cls.rig.run("account", "set-limit", "acme-healthcare",
                    "requests_per_hour", "unlimited")
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def setUp(self):
        numbers = [int(n[:4]) for n in os.listdir(self.rig.path("sql"))
                   if re.match(r"\d{4}_", n)]
        self.number = max(numbers)

    def put(self, name, text):
        """A further numbered file; its number."""
        self.number += 1
        with open(self.rig.path("sql", f"{self.number:04d}_{name}.sql"),
                  "w") as f:
            f.write(text)
        return self.number

    def migrate(self, check=True):
        return self.rig.run("migrate", "--dir", self.rig.path("sql"),
                            check=check)

    def reloads(self):
        return self.rig.log().count('"reload_done"')

    def version(self):
        (n,), = self.rig.sql("select max(version) from schema_migrations")
        return int(n)

    def test_a_migration_under_load(self):
        rig, slow = self.rig, []
        load = Load(rig, 6)
        try:
            wait_until(lambda: len(load.ok) > 20, 20, "turns are stored")
            self.put("expand", EXPAND)
            self.put("backfill", BACKFILL)
            with open(rig.path("sql", "gate", "90_upgrade.sql"), "w") as f:
                f.write(GATE)
            # Somebody's report is in the way for a while.
            report = subprocess.Popen(
                ["psql", "-X", "-q", f"{rig.conninfo} user=sb_owner", "-c",
                 "begin; select count(*) from data.turns; "
                 "select pg_sleep(2); commit"], stdout=subprocess.DEVNULL)
            wait_until(lambda: rig.sql(
                "select count(*) from pg_stat_activity where query like "
                "'%pg_sleep(2)%' and pid <> pg_backend_pid()") != [["0"]],
                10, "the report runs")

            def watch():
                """How long one turn takes while all this happens."""
                while not load.stop_it.is_set():
                    began = time.monotonic()
                    status = rig.chat(message="watched").status
                    slow.append((time.monotonic() - began, status))
            watcher = threading.Thread(target=watch)
            watcher.start()
            said = self.migrate().stdout
            report.wait()
            self.assertIn("expand waits for a table that is in use", said)
            self.assertEqual(self.version(), self.number)
            # The old program reloads on the newer schema ...
            before, done = set(rig.workers()), self.reloads()
            os.kill(rig.master, signal.SIGHUP)
            wait_until(lambda: self.reloads() > done, 20,
                       "new workers of the old program serve")
            n = len(load.ok)
            wait_until(lambda: len(load.ok) > n + 50, 20, "turns go on")
        finally:
            load.stop()
        watcher.join()
        self.assertEqual([b for b in load.bad], [])
        self.assertEqual({s for _, s in slow}, {200})
        # A second of waiting and what the machine needs; nobody waited for
        # more than two seconds for a lock.
        self.assertLess(max(t for t, _ in slow), 4)
        ids = [turn for _, turn in load.ok]
        have = {r[0] for r in rig.sql("select id from turns")}
        self.assertEqual([i for i in ids if i not in have], [])
        # ... and one of its workers that dies is replaced.
        fresh = set(rig.workers()) - before
        victim = min(fresh)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(set(rig.workers()) - before - fresh) == 1, 5,
                   "another stands in its place")
        wait_until(lambda: rig.get("/readyz").status == 200, 10, "ready")
        self.assertEqual(rig.chat(message="afterwards").status, 200)
        self.assertEqual(rig.sql("select bool_and(upgrade_note = slug) "
                                 "from accounts"), [["t"]])

    def test_killed_in_the_middle(self):
        rig = self.rig
        # The first run sleeps in the middle of its second file.
        first = self.put("flag", "CREATE TABLE control.upgrade_flag (); "
                         "INSERT INTO control.upgrade_flag DEFAULT VALUES;")
        self.put("half", "CREATE TABLE control.upgrade_half (id int); "
                 "SELECT pg_sleep(2) FROM control.upgrade_flag; "
                 "INSERT INTO control.upgrade_half VALUES (1);")
        self.put("rest", "INSERT INTO control.upgrade_half VALUES (2);")
        child = subprocess.Popen(
            [rig.path("bin", "switchboard"), "-c", rig.conf, "migrate",
             "--dir", rig.path("sql")], stdout=subprocess.DEVNULL,
            **rig._as_user())
        wait_until(lambda: rig.sql(
            "select count(*) from pg_stat_activity where wait_event = "
            "'PgSleep' and usename = 'sb_owner'") == [["1"]], 20,
            "the second file is half way")
        child.kill()
        child.wait()
        self.assertEqual(self.version(), first)
        self.assertEqual(rig.sql("select to_regclass("
                                 "'control.upgrade_half') is null"), [["t"]])
        self.assertEqual(rig.chat(message="half way").status, 200)
        # It waits for what is left of the first, and does the rest.
        done = self.migrate()
        self.assertIn("half applied", done.stdout)
        self.assertIn("rest applied", done.stdout)
        self.assertNotIn("flag applied", done.stdout)
        self.assertEqual(rig.sql("select id from control.upgrade_half "
                                 "order by id"), [["1"], ["2"]])
        self.assertIn("Nothing to do", self.migrate().stdout)

    def test_a_contract_stops_old_programs(self):
        rig = self.rig
        n = self.put("contract", "-- what no program reads any more\n"
                     f"-- contract: {self.number + 1}\nSELECT 1;")
        self.migrate()
        reloads = self.reloads()
        try:
            # Who runs goes on; who starts says what to do.
            self.assertEqual(rig.chat(message="still").status, 200)
            os.kill(rig.master, signal.SIGHUP)
            wait_until(lambda: "install the newer one" in rig.log(), 20,
                       "the log says why the new generation does not come")
            self.assertEqual(rig.chat(message="still").status, 200)
            done = rig.run("doctor", "--sql", rig.path("sql"), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"(?m)^fail  schema .* "
                             f"{n}.* do not know")
        finally:
            rig.sql("update control.schema_migrations set oldest = 0")
            wait_until(lambda: self.reloads() > reloads, 30,
                       "the old program starts again")


if __name__ == "__main__":
    unittest.main()
