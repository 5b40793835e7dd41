"""switchboard doctor: each thing broken once, and each is found."""
import contextlib
import datetime
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from rig import SOURCE, Provider, Rig, free_port, wait_until

PGTEMP = os.path.join(SOURCE, "tests", "lib", "pgtemp")


class Refuses(http.server.BaseHTTPRequestHandler):
    """A provider that takes no key."""

    def do_GET(self):
        self.send_response(401)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


class DoctorTest(unittest.TestCase):
    """A cluster of its own: roles are the whole cluster's."""

    @classmethod
    def setUpClass(cls):
        out = subprocess.run([PGTEMP, "start"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        cls.cluster = dict(re.findall(r"(SB_TEST_PG\w*)='([^']*)'", out))
        cls.before = {k: os.environ.get(k) for k in cls.cluster}
        os.environ.update(cls.cluster)
        cls.provider = cls.rig = None
        try:
            cls.provider = Provider()
            cls.rig = Rig("doctor", env=cls.provider.env())
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        if cls.rig:
            cls.rig.close()
        if cls.provider:
            cls.provider.close()
        for name, value in cls.before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        subprocess.run([PGTEMP, "stop", cls.cluster["SB_TEST_PG_DIR"]],
                       stdout=subprocess.DEVNULL)

    def look(self, *argv, wrap=(), env=None):
        """(exit status, {check: row}) of a doctor with --json."""
        done = subprocess.run(
            [*wrap, self.rig.path("bin", "switchboard"), "-c", self.rig.conf,
             "doctor", "--json", "--sql", self.rig.path("sql"), *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, cwd=self.rig.dir, **self.rig._as_user(),
            env=dict(self.rig._environment(), **(env or {})))
        self.assertEqual(done.stderr, "")
        rows = json.loads(done.stdout)["data"]
        for row in rows:
            self.assertIn(row["state"], ("ok", "warn", "fail"))
            # What is not good says what to do about it.
            self.assertEqual("todo" in row, row["state"] != "ok", row)
        return done.returncode, {row["check"]: row for row in rows}

    def found(self, check, state, words, *argv, **kw):
        """The doctor finds ${check} in ${state}, saying ${words}."""
        code, rows = self.look(*argv, **kw)
        self.assertEqual(rows[check]["state"], state, rows[check])
        self.assertRegex(rows[check]["detail"], words)
        if state == "fail":
            self.assertEqual(code, 1)
        return rows

    @contextlib.contextmanager
    def sql(self, broken, mended):
        def run(text):
            subprocess.run(
                ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
                 self.rig.conninfo + " user=postgres", "-c", text],
                check=True)
        run(broken)
        try:
            yield
        finally:
            run(mended)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.rig.port}"

    @contextlib.contextmanager
    def mail_server(self, mode, login=""):
        """A mail server; its address and a folder."""
        folder = tempfile.mkdtemp(prefix="sbt-doctor-", dir="/tmp")
        server = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(SOURCE, "tests", "lib",
                                              "smtpd.py"), folder, mode] +
            ([login] if login else []),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = server.stdout.readline().strip()
        try:
            if not port:
                raise unittest.SkipTest("python3-aiosmtpd is not installed")
            yield port, folder
        finally:
            server.stdin.close()
            server.wait()
            server.stdout.close()
            shutil.rmtree(folder)

    def mail(self, state, words, **params):
        before = dict(self.rig.params)
        self.rig.write_config(mail_from="noreply@shop.example", **params)
        try:
            self.found("mail server", state, words)
        finally:
            self.rig.params.clear()
            self.rig.write_config(**before)

    def test_mail_server(self):
        """Everything up to a message, and not one message."""
        self.found("mail server", "ok", "none: messages become files")
        password = self.rig.path("etc", "mail.password")
        with open(password, "w") as f:
            f.write("secret\n")
        self.rig._own(password)
        with self.mail_server("none", "me:secret") as (port, folder):
            url = "smtp://127.0.0.1:" + port
            self.mail("ok", url + " takes mail$", mail_url=url)
            login = {"mail_url": url, "mail_user": "me",
                     "mail_password_file": password}
            self.mail("ok", "takes mail from me$", **login)
            self.mail("fail", "535|denied", **dict(login, mail_user="you"))
            self.mail("fail", "mail_password_file .*none: No such file",
                      **dict(login, mail_password_file=password + ".none"))
            self.assertFalse(os.path.exists(os.path.join(folder, "messages")))
        # a name that is not this host's loopback must speak TLS
        with self.mail_server("starttls") as (port, _):
            self.mail("fail", "SSL|certificate|TLS",
                      mail_url="smtps://127.0.0.1:" + port)
        free = free_port()
        self.mail("fail", "connect", mail_url=f"smtp://127.0.0.1:{free}")

    def test_all_is_well(self):
        code, rows = self.look("--url", self.url)
        self.assertEqual({r["check"]: r["detail"] for r in rows.values()
                          if r["state"] != "ok"}, {})
        self.assertEqual(code, 0)
        self.assertRegex(rows["streams"]["detail"], "pass at once")
        self.assertEqual(rows["migrations"]["detail"], "none is pending")
        done = self.rig.run("doctor", "--url", self.url)
        self.assertRegex(done.stdout, r"(?m)^ok    clock ")
        self.assertTrue(done.stdout.endswith("All is well.\n"))
        # Without an address there is one thing it has not looked at.
        code, rows = self.look()
        self.assertEqual(code, 0)
        self.assertEqual(rows["web server"]["state"], "warn")

    def test_roles(self):
        with self.sql("alter role sb_chat bypassrls",
                      "alter role sb_chat nobypassrls"):
            self.found("roles", "fail", "sb_chat bypasses row security")
        with self.sql("grant sb_owner to sb_admin",
                      "revoke sb_owner from sb_admin"):
            self.found("roles", "fail", "sb_admin is a member of sb_owner")
        with self.sql("grant create on schema data to sb_job",
                      "revoke create on schema data from sb_job"):
            self.found("roles", "fail", "sb_job may create in schema data")

    def test_row_security(self):
        month = datetime.datetime.now(datetime.timezone.utc)
        part = f"data.turns_p{month:%Y%m}"
        for broken, mended, words in (
                ("alter table data.products no force row level security",
                 "alter table data.products force row level security",
                 "products: row security is not forced"),
                (f"alter table {part} disable row level security",
                 f"alter table {part} enable row level security",
                 r"turns_p\d+: row security is not forced"),
                ("create policy wide on data.feedback to sb_chat "
                 "using (true)", "drop policy wide on data.feedback",
                 "feedback: policy wide shows all"),
                (f"grant select on {part} to sb_chat",
                 f"revoke select on {part} from sb_chat",
                 "grants of its own"),
                ("alter view data.messages set (security_invoker = false)",
                 "alter view data.messages set (security_invoker = true)",
                 "messages: a view with its owner's rights")):
            with self.sql(broken, mended):
                self.found("row security", "fail", words)

    def test_partitions(self):
        at = datetime.datetime.now(datetime.timezone.utc).replace(day=1)
        at = (at + datetime.timedelta(days=32)).replace(day=1)
        name = f"data.usage_rollups_p{at:%Y%m}"
        with self.sql(f"alter table {name} rename to away",
                      f"alter table data.away rename to {name[5:]}"):
            self.found("partitions", "fail",
                       f"usage_rollups has no partition for {at:%Y-%m}")

    def test_migrations(self):
        directory = self.rig.path("sql")
        numbers = sorted(n for n in os.listdir(directory)
                         if re.match(r"\d{4}_", n))
        new = f"{int(numbers[-1][:4]) + 1:04d}_more.sql"
        path = os.path.join(directory, new)
        with open(path, "w") as f:
            f.write("SELECT 1;\n")
        try:
            rows = self.found("migrations", "fail",
                              f"1 pending: {new[:-4]}")
            self.assertEqual(rows["migrations"]["todo"],
                             "switchboard migrate")
        finally:
            os.unlink(path)
        with self.sql("update control.schema_migrations set version = "
                      "version + 1000, oldest = version + 1000 where "
                      "version = (select max(version) from "
                      "control.schema_migrations)",
                      "update control.schema_migrations set version = "
                      "version - 1000, oldest = 0 where version > 1000"):
            self.found("schema", "fail", "do not know")

    def test_clock(self):
        def faked(by):
            return {"wrap": ("faketime", "-f", by),
                    "env": {"FAKETIME_DONT_FAKE_MONOTONIC": "1",
                            "DONT_FAKE_MONOTONIC": "1"}}
        self.found("clock", "fail", r"300\.\d s ahead of", **faked("+5m"))
        self.found("clock", "fail", r"behind the database's",
                   **faked("-2h"))
        self.found("clock", "warn", r"5\.\d s ahead of", **faked("+5s"))
        # A pass of another time opens nothing.
        self.found("streams", "fail", "answers 404", "--url", self.url,
                   **faked("+5m"))

    def test_limits(self):
        def limit(n):
            subprocess.run(["prlimit", f"--pid={self.rig.master}",
                            f"--nofile={n}"], check=True,
                           **self.rig._as_user())
        was = subprocess.run(
            ["prlimit", f"--pid={self.rig.master}", "--nofile", "--raw",
             "--noheadings", "-o", "SOFT,HARD"], check=True, text=True,
            stdout=subprocess.PIPE, **self.rig._as_user()).stdout.split()
        limit(f"800:{was[1]}")
        try:
            rows = self.found(
                "open files", "warn",
                r"RLIMIT_NOFILE of the server is 800 allows each worker \d\d "
                "of its 64 threads")
            self.assertIn("LimitNOFILE", rows["open files"]["todo"])
        finally:
            limit(":".join(was))

    def test_front_end(self):
        conf = self.rig.fronts[0].conf
        with open(conf) as f:
            good = f.read()
        nginx = self.rig.children["nginx"].pid

        def serve(text):
            with open(conf, "w") as f:
                f.write(text)
            os.kill(nginx, signal.SIGHUP)

        def streams(state):
            return lambda: self.look("--url", self.url)[1].get(
                "streams", {}).get("state") == state
        self.assertIn("fastcgi_buffering off", good)
        # (with kept connections nginx passes even buffered events on)
        serve(good.replace("fastcgi_keep_conn on", "fastcgi_keep_conn off")
              .replace("fastcgi_buffering off;",
                       "fastcgi_buffering on;\n"
                       "fastcgi_ignore_headers X-Accel-Buffering;"))
        try:
            wait_until(streams("fail"), 20, "the held back stream is seen")
            rows = self.found("streams", "fail",
                              "held back: 6 events made over 750 ms came "
                              r"within \d+ ms", "--url", self.url)
            self.assertIn("fastcgi_buffering off", rows["streams"]["todo"])
            serve(good.replace("sendfile on;", "sendfile on; gzip on; "
                               "gzip_types text/event-stream; "
                               "gzip_min_length 0;"))
            wait_until(lambda: "compresses" in self.look(
                "--url", self.url)[1]["streams"]["detail"], 20,
                "compression is seen")
        finally:
            serve(good)
        wait_until(streams("ok"), 20, "nginx is as it was")
        self.found("web server", "fail", "127.0.0.1", "--url",
                   f"http://127.0.0.1:{free_port()}")
        self.found("web server", "fail", "healthz answers", "--url",
                   f"http://127.0.0.1:{self.provider.port}")
        self.assertEqual(self.rig.run("doctor", "--url", "ftp://x",
                                      check=False).returncode, 2)

    def test_the_stream_is_nobody_elses(self):
        path = "/accounts/-/agents/doctor/probe/stream"
        for headers in ({}, self.rig.auth(), {"Authorization": "Bearer sbp_"},
                        {"Authorization": "Bearer sbp_" + "A" * 32}):
            reply = self.rig.get(path, headers=headers)
            self.assertEqual(reply.status, 404, headers)
            self.assertEqual(reply.json["type"], "/problems/not-found")

    def test_providers(self):
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{free_port()}/v1"}
        self.found("provider openai", "fail", env["OPENAI_BASE_URL"], env=env)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            rows = self.found("provider anthropic", "fail",
                              r"refuses the key \(401\)",
                              env={"ANTHROPIC_BASE_URL": address})
            self.assertIn("ANTHROPIC_API_KEY",
                          rows["provider anthropic"]["todo"])
            # The keys may stand in provider.env beside the configuration.
            with open(self.rig.path("etc", "provider.env"), "w") as f:
                f.write("# keys\nANTHROPIC_API_KEY='sk-ant-x'\n"
                        f"ANTHROPIC_BASE_URL={address}\n")
            self.found("provider anthropic", "fail", r"\(401\)",
                       env={"ANTHROPIC_BASE_URL": "",
                            "ANTHROPIC_API_KEY": ""})
        finally:
            server.shutdown()
            server.server_close()
            os.unlink(self.rig.path("etc", "provider.env"))
        rows = self.found("provider openai", "ok", "no OPENAI_API_KEY",
                          env={"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""})
        self.assertNotIn("sk-", str(rows))

    def test_files(self):
        key = self.rig.path("etc", "master.key")
        os.chmod(key, 0o644)
        try:
            self.found("master key", "fail", "mode 644")
        finally:
            os.chmod(key, 0o600)
        letters = self.rig.path("state", "dead-letters.jsonl")
        with open(letters, "w") as f:
            f.write('{"one":1}\n{"two":2}\n')
        os.chmod(letters, 0o644)
        try:
            self.found("dead letters", "warn",
                       "2 turns that the database refused")
        finally:
            os.unlink(letters)
        os.chmod(self.rig.path("run"), 0o755)
        try:
            self.found("run directory", "fail", "open to everybody")
        finally:
            os.chmod(self.rig.path("run"), 0o750)
        with open(self.rig.conf) as f:
            good = f.read()
        for line, words in (("nosuch = 1\n", "nosuch"),):
            with open(self.rig.conf, "w") as f:
                f.write(good + line)
            try:
                self.found("configuration", "fail", words)
            finally:
                with open(self.rig.conf, "w") as f:
                    f.write(good)

    def test_nobody_there(self):
        """No database, no server: each line still comes, and soon."""
        params = dict(self.rig.params)
        began = time.monotonic()
        self.rig.write_config(
            run_dir=self.rig.path("tmp"),
            database_url='"host=/nonexistent dbname=x"')
        try:
            rows = self.found("database as sb_chat", "fail", "nonexistent")
            self.assertEqual(rows["database as sb_owner"]["state"], "fail")
            for name in ("chat.sock", "admin.sock", "health.sock"):
                self.assertEqual(rows[name]["state"], "fail")
            self.assertNotIn("row security", rows)
        finally:
            self.rig.params = params
            self.rig.write_config()
        self.assertLess(time.monotonic() - began, 30)


if __name__ == "__main__":
    unittest.main()
