"""Two accounts with the same names never see a byte of each other: by the
API, by SQL as the running roles, over pooled connections."""
import json
import os
import re
import subprocess
import threading
import time
import unittest

from rig import Provider, Rig, SOURCE

ROLES = ("sb_chat", "sb_admin", "sb_writer", "sb_job")


class IsolationTest(unittest.TestCase):
    options, seconds = {}, 12  # another file runs it behind a pooler

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = rig = Rig("isolation", env=cls.provider.env(),
                            params={"threads": 64, "chat_workers": 2},
                            **cls.options)
        cls.keys = {}
        for slug, canary in (("mirror-a", "CANARYALPHA"),
                             ("mirror-b", "CANARYBRAVO")):
            rig.run("account", "create", slug, "--name", canary, "--tier",
                    "enterprise")
            rig.run("agent", "create", slug, "sales/shop", "--display-name",
                    canary + " Shop", "--configuration", "-", stdin=json.dumps({
                        "model_override": "openai:mock-echo",
                        "model_fallback": False,
                        "system_prompt_override": canary + " prompt"}))
            cls.keys[slug] = rig.cli(
                "key", "create", slug, "--kind", "api", "--name", canary,
                "--role", "account_owner")["key"]
            account = rig.sql("select id from accounts where slug = "
                              f"'{slug}'")[0][0]
            rig.sql("insert into products (account_id, id, name, description)"
                    f" values ('{account}', gen_random_uuid(), '{canary} "
                    f"Stethoscope', 'A stethoscope, {canary}.')")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    @staticmethod
    def canary(slug):
        return "CANARYALPHA" if slug == "mirror-a" else "CANARYBRAVO"

    def talk(self, slug, connection=None, **body):
        return self.rig.chat(agent="sales/shop", account=slug,
                             key=self.keys[slug],
                             message=f"{self.canary(slug)} stethoscope?",
                             connection=connection, **body)

    def other(self, slug):
        return "mirror-b" if slug == "mirror-a" else "mirror-a"

    def test_prompts_and_passages_are_the_accounts_own(self):
        for slug in self.keys:
            reply = self.talk(slug)
            self.assertEqual(reply.status, 200, reply)
            sent = json.dumps(self.provider.last())
            self.assertIn(self.canary(slug) + " prompt", sent)
            self.assertIn(self.canary(slug) + " Stethoscope", sent)
            self.assertNotIn(self.canary(self.other(slug)), sent)

    def test_foreign_and_random_are_one_answer(self):
        rig, a, b = self.rig, "mirror-a", "mirror-b"
        theirs = self.talk(b).json
        nobody = "0192f0c1-0000-7000-8000-000000000000"
        for method, path in (
                ("GET", "turns/{turn_id}"), ("DELETE", "turns/{turn_id}"),
                ("GET", "sessions/{session_key}/messages"),
                ("POST", "sessions/{session_key}/messages/{message_id}/"
                         "feedback")):
            answers = []
            for ids in (theirs, {"turn_id": nobody, "session_key": "unheard",
                                 "message_id": nobody[:-1] + "2"}):
                reply = rig.request(
                    method, f"/accounts/{a}/" + path.format(**ids),
                    {"rating": 1} if method == "POST" else None,
                    rig.auth(self.keys[a]))
                answers.append((reply.status, re.sub(
                    rb'"request_id": ?"[^"]*"', b"", reply.body)))
            self.assertEqual(answers[0], answers[1], path)
            self.assertEqual(answers[0][0], 404)
        # Their key in our account, ours in theirs.
        self.assertEqual(rig.chat(agent="sales/shop", account=a,
                                  key=self.keys[b]).status, 404)
        # A name they use is a new session here.
        named = self.talk(b, session_key="same-name").json
        ours = self.talk(a, session_key="same-name").json
        self.assertEqual(named["session_key"], ours["session_key"])
        listed = rig.get(f"/accounts/{a}/sessions/same-name/messages",
                         headers=rig.auth(self.keys[a]))
        self.assertNotIn(b"CANARYBRAVO", listed.body)

    def test_pooled_connections_never_mix(self):
        """B7: interleaved clients of both, with backends killed meanwhile."""
        wrong, done, stop = [], [0], threading.Event()
        lock = threading.Lock()

        def client(slug):
            c = self.rig.connect()
            session = None
            while not stop.is_set():
                try:
                    reply = self.talk(slug, connection=c, **(
                        {"session_key": session} if session else {}))
                except OSError:
                    c.close()
                    c = self.rig.connect()
                    continue
                if self.canary(self.other(slug)).encode() in reply.body:
                    wrong.append(reply)
                if reply.status == 200:
                    session = reply.json["session_key"]
                    with lock:
                        done[0] += 1
                elif reply.status not in (503, 429):
                    wrong.append(reply)
            c.close()
        threads = [threading.Thread(target=client, args=(slug,))
                   for slug in self.keys for _ in range(8)]
        for t in threads:
            t.start()
        end = time.monotonic() + float(os.environ.get("SB_LONG", self.seconds))
        while time.monotonic() < end:
            time.sleep(0.5)
            self.rig.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where usename = 'sb_chat' and datname = current_database() "
                "order by random() limit 1", role="postgres")
        stop.set()
        for t in threads:
            t.join()
        self.assertEqual(wrong[:3], [])
        self.assertGreater(done[0], 200)
        print(f"{done[0]} answers, none of them another's", end=" ")
        for slug in self.keys:
            (n,), = self.rig.sql(
                "select count(*) from turns t join accounts a on a.id = "
                f"t.account_id where slug = '{slug}' and (user_text || "
                f"reply_text) like '%{self.canary(self.other(slug))}%'")
            self.assertEqual(n, "0")

    def tables(self):
        return [r[0] for r in self.rig.sql(
            "select n.nspname || '.' || c.relname from pg_class c join "
            "pg_namespace n on n.oid = c.relnamespace join pg_attribute a on "
            "a.attrelid = c.oid and a.attname = 'account_id' where n.nspname "
            "in ('control', 'data') and c.relkind in ('r', 'p') and not "
            "c.relispartition order by 1")]

    def attempt(self, role, *statements):
        """(exit code, output, errors) of statements in one transaction."""
        script = "begin;\n" + ";\n".join(statements) + ";\nrollback;\n"
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
             f"{self.rig.conninfo} user={role}"], input=script, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout.strip(), done.stderr

    def test_direct_sql_as_the_running_roles(self):
        """B6: no account set, no rows and no error; A set, only A's."""
        for slug in self.keys:
            self.talk(slug)
        a = self.rig.sql("select id from accounts where slug = 'mirror-a'")
        a = a[0][0]
        seen = 0
        for role in ROLES:
            for table in self.tables():
                code, out, err = self.attempt(
                    role, f"select count(*) from {table}")
                if code != 0:
                    self.assertIn("permission denied", err)
                    continue
                self.assertEqual(out, "0", (role, table))
                code, out, err = self.attempt(
                    role, f"set local app.account_id = '{a}'",
                    f"set local app.account_ids = '{{{a}}}'",
                    "select count(*) filter (where account_id <> "
                    f"'{a}') || ' ' || count(*) from {table}")
                self.assertEqual(code, 0, err)
                self.assertEqual(out.split()[0], "0", (role, table))
                seen += int(out.split()[1])
                for bad in (f"truncate {table}",
                            f"copy {table} from stdin"):
                    code, out, err = self.attempt(
                        role, f"set local app.account_id = '{a}'", bad)
                    self.assertNotEqual(code, 0, (role, bad))
        self.assertGreater(seen, 5)

    def test_write_into_another_account(self):
        """B6, B9: refused by row security and by composite keys."""
        ids = dict(self.rig.sql("select slug, id from accounts"))
        a, b = ids["mirror-a"], ids["mirror-b"]
        self.talk("mirror-b")
        session = self.rig.sql("select id from sessions where account_id = "
                               f"'{b}' limit 1")[0][0]
        code, _, err = self.attempt(
            "sb_admin", f"set local app.account_id = '{a}'",
            "insert into products (account_id, id, name, description) values "
            f"('{b}', gen_random_uuid(), 'x', 'x')")
        self.assertIn("row-level security", err)
        code, out, err = self.attempt(
            "sb_admin", f"set local app.account_id = '{a}'",
            f"update products set name = 'x' where account_id = '{b}' "
            "returning 1")
        self.assertEqual((code, out), (0, ""))
        # A child of A with B's parent, even as the owner of the tables.
        code, _, err = self.attempt(
            "sb_owner",
            "insert into turns_open (account_id, id, session_id, "
            "agent_instance_id, agent_type, instance_name, config_version, "
            "request_id, trace_id, channel, user_text, started_at, worker_id)"
            f" values ('{a}', gen_random_uuid(), '{session}', "
            "gen_random_uuid(), 's', 's', 1, 'r', 't', 'chat', 'x', now(), "
            "gen_random_uuid())")
        self.assertIn("turns_open_session_fk", err)

    def test_catalogue(self):
        """B5: what the catalogue must say of every table and role."""
        lint = open(f"{SOURCE}/tests/lib/catalogue.sql").read()
        found = self.rig.sql(lint, role="postgres")
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
