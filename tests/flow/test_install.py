"""From `make install DESTDIR=...` to a running installation, with nothing but
what was installed: init, service manager, doctor, log rotation, pages."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from rig import BUILD, SOURCE, Rig, free_port, wait_until

PGTEMP = os.path.join(SOURCE, "tests", "lib", "pgtemp")
SUPER = "superuser-canary-0123456789"


class Manager:
    """The side of the service manager of sd_notify(3)."""

    def __init__(self, path, user):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.heard = []

    def listen(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.heard.append(self.socket.recv(4096).decode())
        except BlockingIOError:
            pass
        return self.heard

    def wait(self, line, seconds, since=0):
        """Wait for a datagram with ${line}; the index after it."""
        def there():
            for i, text in enumerate(self.listen()):
                if i >= since and line in text.split("\n"):
                    return i + 1
            return 0
        return wait_until(there, seconds, f"the manager hears {line}")

    def close(self):
        self.socket.close()


class Installed(Rig):
    """An installation made by the programs themselves below a DESTDIR."""

    def __init__(self, cluster):
        self.cluster = cluster
        super().__init__("install", params={"threads": 64})

    def _files(self):
        for d in ("run", "state", "log", "bin", "tmp"):
            os.mkdir(self.path(d), 0o750)
            self._own(self.path(d))
        os.chmod(self.path("bin"), 0o755)
        subprocess.run(["make", "-s", "install",
                        f"DESTDIR={self.path('dest')}"], cwd=BUILD, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       timeout=120)
        for program in ("switchboard", "switchboardd"):
            found = glob.glob(self.path("dest", "**", program),
                              recursive=True)
            found = [f for f in found if os.path.isfile(f) and
                     os.access(f, os.X_OK)]
            assert len(found) == 1, found
            os.symlink(found[0], self.path("bin", program))
        self.prefix = os.path.dirname(os.path.dirname(
            os.path.realpath(self.path("bin", "switchboard"))))

    def _database(self):
        self.conninfo = self.cluster["conninfo"]

    def init(self, *argv, check=True):
        """Run `switchboard init` as the server's user."""
        done = subprocess.run(
            [self.path("bin", "switchboard"), "init", "--super",
             f"postgresql://postgres@127.0.0.1:{self.cluster['port']}"
             "/postgres", "--etc", self.path("etc"),
             "--set", f"run_dir={self.path('run')}",
             "--set", f"state_dir={self.path('state')}",
             "--set", f"log_file={self.path('log', 'switchboard.log')}",
             "--set", f"pid_file={self.path('run', 'switchboardd.pid')}",
             "--set", "chat_workers=2", "--set", "threads=64", *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=120, env=dict(self._environment(), PGPASSWORD=SUPER),
            **self._as_user())
        if check and done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return done

    def _config(self):
        # the folder itself is the package's (tmpfiles.d)
        os.mkdir(self.path("etc"), 0o750)
        self._own(self.path("etc"))
        self.made = self.init("--admin", "ops@example.com")

    def _demo(self):
        self.run("demo", "load")
        self.key = self.cli(
            "key", "create", "acme-healthcare", "--kind", "api", "--name",
            "test", "--role", "account_owner")["key"]

    def start_server(self):
        # Below "run" would be the server's own to remove.
        self.manager = Manager(self.path("notify"), self.user)
        self.env = {"NOTIFY_SOCKET": self.manager.path,
                    "WATCHDOG_USEC": "1000000"}
        super().start_server()

    def close(self):
        super().close()
        if hasattr(self, "manager"):
            self.manager.close()


class InstallTest(unittest.TestCase):
    """The cluster takes TCP connections with passwords only."""

    @classmethod
    def setUpClass(cls):
        port = free_port()
        out = subprocess.run(
            [PGTEMP, "start"], check=True, text=True, stdout=subprocess.PIPE,
            env=dict(os.environ, PGTEMP_OPTS=f"-c port={port} "
                     "-c listen_addresses=127.0.0.1")).stdout
        cls.directory = re.search(r"SB_TEST_PG_DIR='([^']*)'", out).group(1)
        cls.rig = None
        try:
            local = f"host={cls.directory} port={port} user=postgres"
            with open(os.path.join(cls.directory, "data", "pg_hba.conf"),
                      "w") as f:
                f.write("local all postgres trust\n"
                        "host all all 127.0.0.1/32 scram-sha-256\n")
            subprocess.run(
                ["psql", "-X", "-q", f"{local} dbname=postgres", "-c",
                 f"alter role postgres password '{SUPER}'", "-c",
                 "select pg_reload_conf()"], check=True,
                stdout=subprocess.DEVNULL)
            cls.rig = Installed({"port": port, "conninfo":
                                 f"{local} dbname=switchboard"})
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        if cls.rig:
            cls.rig.close()
        subprocess.run([PGTEMP, "stop", cls.directory],
                       stdout=subprocess.DEVNULL)

    def installed(self, *parts):
        return os.path.join(self.rig.prefix, *parts)

    def test_it_runs(self):
        rig = self.rig
        reply = rig.chat(message="What do you sell?")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["model"], "builtin:concierge")
        code = rig.run("doctor", "--url", f"http://127.0.0.1:{rig.port}",
                       "--json", check=False)
        rows = {r["check"]: r for r in json.loads(code.stdout)["data"]}
        bad = {k: r for k, r in rows.items() if r["state"] == "fail"}
        self.assertEqual(bad, {})
        self.assertEqual(rows["migrations"]["detail"], "none is pending")
        self.assertEqual(rows["streams"]["state"], "ok")
        # What runs came from the installed tree.
        for program in ("switchboard", "switchboardd"):
            self.assertTrue(os.path.realpath(rig.path(
                "bin", program)).startswith(rig.path("dest")))
        with open(self.installed("share", "switchboard", "nginx",
                                 "nginx.conf.in")) as one, \
                open(os.path.join(SOURCE, "etc", "nginx",
                                  "nginx.conf.in")) as two:
            self.assertEqual(one.read(), two.read())

    def test_init_made_what_it_says(self):
        rig, text = self.rig, self.rig.made.stdout
        self.assertIn("ops@example.com", text)
        password = re.search(r"Password: (\S{24})\n", text).group(1)
        for name in ("switchboard.conf", "pgpass", "master.key"):
            mode = os.stat(rig.path("etc", name)).st_mode & 0o7777
            self.assertEqual(mode, 0o600, name)
        self.assertEqual(
            sorted(os.listdir(rig.path("etc", "agent_templates"))),
            sorted(os.listdir(self.installed("share", "switchboard",
                                             "agent_templates"))))
        users = json.loads(rig.run("user", "list", "--json").stdout)["data"]
        me, = [u for u in users if u["email"] == "ops@example.com"]
        self.assertTrue(me["is_platform_admin"])
        # Secrets stand where they belong and nowhere else (ROBUSTNESS F1).
        with open(rig.path("etc", "pgpass")) as f:
            secrets = re.findall(r"^\*:\*:\*:\w+:(\S+)$", f.read(), re.M)
        self.assertEqual(len(secrets), 5)
        with open(rig.path("etc", "master.key")) as f:
            secrets.append(f.read().strip())
        with open(rig.path("etc", "switchboard.conf")) as f:
            seen = f.read()
        seen += text + rig.made.stderr + rig.log()
        for name in ("stderr.log", "nginx.log"):
            with open(rig.path("log", name)) as f:
                seen += f.read()
        for pid in [rig.master, *rig.workers("")]:
            with open(f"/proc/{pid}/cmdline") as f:
                seen += f.read()
        for secret in (*secrets, SUPER):
            self.assertNotIn(secret, seen)
        self.assertEqual(seen.count(password), 1)

    def test_init_refuses_what_is_there(self):
        rig = self.rig
        before = {}
        for name in ("switchboard.conf", "pgpass", "master.key"):
            with open(rig.path("etc", name)) as f:
                before[name] = f.read()
        done = self.rig.init(check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("there already", done.stderr)
        self.assertIn("--keep", done.stderr)
        elsewhere = rig.path("tmp", "etc")
        done = self.rig.init("--etc", elsewhere, check=False)
        self.assertEqual(done.returncode, 2)  # --etc stands twice
        again = subprocess.run(
            [rig.path("bin", "switchboard"), "init", "--super",
             f"host=127.0.0.1 port={rig.cluster['port']} user=postgres "
             "dbname=postgres", "--etc", elsewhere], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(rig._environment(), PGPASSWORD=SUPER), **rig._as_user())
        self.assertEqual(again.returncode, 1)
        self.assertIn("the database switchboard is there already",
                      again.stderr)
        self.assertFalse(os.path.exists(elsewhere))
        # One who is no superuser is told so.
        with open(rig.path("etc", "pgpass")) as f:
            owner = re.search(r":sb_owner:(\S+)", f.read()).group(1)
        done = subprocess.run(
            [rig.path("bin", "switchboard"), "init", "--super",
             f"host=127.0.0.1 port={rig.cluster['port']} user=sb_owner "
             "dbname=switchboard", "--etc", elsewhere], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(rig._environment(), PGPASSWORD=owner),
            **rig._as_user())
        self.assertEqual(done.returncode, 1)
        self.assertIn("sb_owner is no superuser", done.stderr)
        self.assertNotIn(owner, done.stderr + done.stdout)
        # --keep goes on and changes nothing.
        done = self.rig.init("--keep", "--json")
        self.assertEqual(json.loads(done.stdout)["written"], [])
        for name, text in before.items():
            with open(rig.path("etc", name)) as f:
                self.assertEqual(f.read(), text)
        self.assertEqual(rig.chat(message="still").status, 200)

    def test_backup_and_restore(self):
        """pg_dump, master.key and pgpass are a backup, as the manual says."""
        rig, etc = self.rig, self.rig.path("tmp", "restored")
        local = rig.conninfo.replace("dbname=switchboard", "")
        dump = os.path.join(rig.path("tmp"), "dump")
        subprocess.run(["pg_dump", "-Fc", "--dbname", rig.conninfo, "-f",
                        dump], check=True)
        shutil.copytree(rig.path("etc"), etc,
                        ignore=shutil.ignore_patterns("switchboard.conf"))
        for base, dirs, files in os.walk(etc):
            for entry in ["", *dirs, *files]:
                rig._own(os.path.join(base, entry))
        argv = [rig.path("bin", "switchboard"), "init", "--keep",
                "--no-schema", "--dbname", "restored", "--etc", etc,
                "--super", f"postgresql://postgres@127.0.0.1:"
                f"{rig.cluster['port']}/postgres"]
        done = subprocess.run(argv, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **rig._as_user(),
                              env=dict(rig._environment(), PGPASSWORD=SUPER))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        subprocess.run(["pg_restore", "--exit-on-error", "--dbname",
                        f"{local} dbname=restored", dump], check=True)
        rows = {}
        for name in ("switchboard", "restored"):
            rows[name] = subprocess.run(
                ["psql", "-X", "-A", "-t", f"{local} dbname={name}", "-c",
                 "select slug, config_epoch from control.accounts order by 1",
                 "-c", "select md5(string_agg(t::text, '' order by id)) from "
                 "data.turns t", "-c", "select count(*) from pg_policy"],
                check=True, text=True, stdout=subprocess.PIPE).stdout
        self.assertEqual(rows["switchboard"], rows["restored"])

        def cli(*argv):
            done = subprocess.run(
                [rig.path("bin", "switchboard"), "-c",
                 os.path.join(etc, "switchboard.conf"), *argv], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                **rig._as_user(), env=rig._environment())
            return done.stdout
        self.assertIn("Nothing to do", cli("migrate"))
        self.assertIn("acme-healthcare", cli("account", "list"))
        self.assertRegex(cli("doctor"), r"(?m)^ok    row security ")
        self.assertRegex(cli("doctor"), r"(?m)^ok    secrets ")
        # What was recorded stands, and goes on; F6.
        self.assertIn("stand as they were written",
                      cli("audit", "verify", "acme-healthcare"))
        cli("account", "set-limit", "acme-healthcare", "max_agents", "9")
        cli("account", "set-limit", "acme-healthcare", "max_agents", "default")
        export = os.path.join(rig.path("tmp"), "restored.jsonl")
        cli("audit", "export", "acme-healthcare", "--output", export)
        self.assertIn("stand as they were written",
                      cli("audit", "verify", export))
        with open(os.path.join(etc, "master.key"), "w",
                  encoding="ascii") as f:
            f.write("ab" * 32)
        self.assertIn("which is not here", cli(
            "audit", "export", "acme-healthcare"))
        self.assertEqual(os.stat(os.path.join(etc, "pgpass")).st_mode & 0o777,
                         0o600)
        shutil.rmtree(etc)

    def test_service_manager(self):
        rig, manager = self.rig, self.rig.manager
        manager.wait("READY=1", 20)
        first = [t for t in manager.heard if "READY=1" in t][0]
        self.assertIn("STATUS=Generation 1: 2 chat, 1 admin, 1 job workers.",
                      first.split("\n"))
        for pid in rig.workers(""):
            with open(f"/proc/{pid}/environ") as f:
                self.assertNotIn("NOTIFY_SOCKET", f.read())
        # It lives, and says so twice a second.
        seen = len(manager.listen())
        manager.wait("WATCHDOG=1", 10, seen)
        since = len(manager.listen())
        os.kill(rig.master, signal.SIGHUP)
        since = manager.wait("RELOADING=1", 10, since)
        stamp = [int(line[15:]) for line in
                 manager.heard[since - 1].split("\n")
                 if line.startswith("MONOTONIC_USEC=")]
        self.assertLess(abs(stamp[0] / 1e6 - time.monotonic()), 20)
        since = manager.wait("READY=1", 20, since)
        with open(rig.conf) as f:
            good = f.read()
        with open(rig.conf, "a") as f:
            f.write("threads = many\n")
        os.kill(rig.master, signal.SIGHUP)
        since = manager.wait("RELOADING=1", 10, since)
        since = manager.wait("READY=1", 10, since)
        self.assertIn("refused", manager.heard[since - 1])
        with open(rig.conf, "w") as f:
            f.write(good)
        self.assertEqual(rig.chat(message="after it").status, 200)

    def test_stopping_is_said(self):
        rig, manager = self.rig, self.rig.manager
        since = len(manager.listen())
        self.assertEqual(rig.stop("switchboardd"), 0)
        manager.wait("STOPPING=1", 5, since)
        manager.close()
        os.unlink(manager.path)
        # A manager that has gone is no reason to fail.
        rig.start_server()
        rig.manager.close()
        wait_until(rig.ready, 20, "the server is back")
        os.unlink(rig.manager.path)
        os.kill(rig.master, signal.SIGHUP)
        wait_until(lambda: rig.log().count('"reload_done"') >= 1, 20,
                   "it reloads without a manager")
        rig.stop("switchboardd")
        rig.start_server()
        wait_until(rig.ready, 20, "the server is back")

    def test_log_rotation(self):
        rig = self.rig
        if not shutil.which("logrotate"):
            self.skipTest("logrotate is not installed")
        if os.geteuid() != 0:
            self.skipTest("only root can become the server's user")
        path, = glob.glob(rig.path("dest", "**", "logrotate.d",
                                   "switchboard"), recursive=True)
        with open(path) as f:
            text = f.read()
        log = rig.path("log", "switchboard.log")
        text = re.sub(r"^/\S+/\*\.log", log, text, flags=re.M)
        text = text.replace("su switchboard switchboard",
                            f"su {rig.user.pw_name} "
                            f"{rig.user.pw_name}")
        text = text.replace("/run/systemd/system", "/nonexistent")
        text = text.replace("/run/switchboard/switchboardd.pid",
                            rig.path("run", "switchboardd.pid"))
        with tempfile.TemporaryDirectory() as tmp:
            conf = os.path.join(tmp, "conf")
            with open(conf, "w") as f:
                f.write(text)
            with open(log) as f:
                before = f.read()
            done = subprocess.run(
                ["logrotate", "-f", "-s", os.path.join(tmp, "state"), conf],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

            def fresh():
                """The new log has lines of a worker."""
                rig.chat(message="into the new log")
                return os.path.exists(log) and '"chat worker' in rig.log()
            wait_until(fresh, 10, "the workers write into the new log")
            with open(log + ".1") as f:
                self.assertTrue(f.read().startswith(before))

    def test_units(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        unit = self.installed("lib", "systemd", "system",
                              "switchboardd.service")
        with open(unit) as f:
            text = f.read()
        for line in ("Type=notify", "LimitNOFILE=131072",
                     "TasksMax=infinity", "NoNewPrivileges=yes"):
            self.assertIn(line, text.split("\n"))
        with tempfile.TemporaryDirectory() as tmp:
            here = os.path.join(tmp, "switchboardd.service")
            with open(here, "w") as f:
                f.write(re.sub(r"(Exec\w+=)\S+/switchboardd",
                               r"\1" + self.rig.path("bin", "switchboardd"),
                               text))
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", here], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.assertEqual((done.returncode, done.stdout), (0, ""))
            done = subprocess.run(
                ["systemd-analyze", "security", "--offline=true",
                 "--threshold=20", here], text=True, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            self.assertEqual(done.returncode, 0, done.stdout[-300:])

    def test_user_and_folders(self):
        if not shutil.which("systemd-sysusers") or os.geteuid() != 0:
            self.skipTest("no systemd-sysusers, or not root")
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(os.path.join(root, "etc"))
            for tool, folder, more in (
                    ("systemd-sysusers", "sysusers.d", ()),
                    ("systemd-tmpfiles", "tmpfiles.d", ("--create",))):
                done = subprocess.run(
                    [tool, f"--root={root}", *more,
                     self.installed("lib", folder, "switchboard.conf")],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True)
                self.assertEqual(done.returncode, 0, done.stdout)
            with open(os.path.join(root, "etc", "passwd")) as f:
                who = re.search(r"(?m)^switchboard:x:(\d+):(\d+):.*"
                                r"/usr/sbin/nologin$", f.read())
            made = {}
            for base, dirs, _ in os.walk(root):
                for d in dirs:
                    if d == "switchboard":
                        path = os.path.join(base, d)
                        st = os.stat(path)
                        self.assertEqual(str(st.st_uid), who.group(1))
                        made[os.path.relpath(base, root).split("/")[-1]] = \
                            st.st_mode & 0o7777
            self.assertEqual(made, {"etc": 0o750, "lib": 0o700,
                                    "log": 0o750})

    def test_manual_pages(self):
        pages = sorted(glob.glob(self.installed("share", "man", "man*",
                                                "*")))
        self.assertEqual([os.path.basename(p) for p in pages],
                         ["switchboard.1", "switchboard.conf.5",
                          "switchboardd.8"])
        if not shutil.which("groff"):
            self.skipTest("groff is not installed")
        for page in pages:
            for device in ("utf8", "ps"):
                done = subprocess.run(
                    ["groff", "-ww", "-man", "-z", f"-T{device}", page],
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True)
                self.assertEqual((done.returncode, done.stdout), (0, ""),
                                 page)
        # They say what the program says: each verb, each parameter.
        with open(pages[0]) as f:
            verbs = f.read()
        for verb in re.findall(
                r"(?m)^  (\S+(?: \S+)?)  ",
                self.rig.run("--help").stdout):
            self.assertIn(f'.BI "{verb} "'.replace("-", "\\-"), verbs)
        with open(pages[1]) as f:
            conf = f.read()
        for name in re.findall(r"(?m)^#(\w+) =", self.rig.run(
                "config", "example").stdout):
            self.assertIn(f".B {name}\n", conf)


if __name__ == "__main__":
    unittest.main()
