"""A whole installation for a test: PostgreSQL, switchboardd, nginx or Apache
and a scripted model provider, in a directory of its own on free loopback ports,
stopped by pid.  Used by tests/flow and bench.

Environment: SB_BUILD (a build directory), SB_SOURCE (the source tree),
SB_TEST_PG (a cluster made by tests/lib/pgtemp).  SB_WAITS: a file that is told
what was waited for, and how long of how long.
"""
import glob
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from front import FRONTS, SOURCE, free_port
BUILD = os.environ.get("SB_BUILD", "")
# What time limits are multiplied with: for builds that check themselves.
SLOWER = float(os.environ.get("SB_SLOWER", 1))
HERE_PGTEMP = os.path.join(SOURCE, "tests", "lib", "pgtemp")
NOBODY = "00000000-0000-7000-8000-000000000000"


def note_wait(took, most, what):
    """Into the file SB_WAITS: which waits are near their limits."""
    if "SB_WAITS" in os.environ:
        with open(os.environ["SB_WAITS"], "a") as f:
            f.write(f"{took / most:.2f} {took:.2f} of {most:.0f} s: "
                    f"{os.path.basename(sys.argv[-1])}: {what}\n")


def wait_until(check, seconds, what):
    """Poll ${check} until it gives something true; fail after ${seconds}."""
    seconds *= SLOWER
    began = time.monotonic()
    end = began + seconds
    while True:
        got = check()
        if got:
            note_wait(time.monotonic() - began, seconds, what)
            return got
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Floor(threading.Thread):
    """What the machine, shared with other tests, takes at the moment for next
    to nothing: a process that ends at once, asked for by one thread of many.
    Limits that are figures of ROBUSTNESS have an allowance of it, and none on
    a machine that is quiet."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.over = [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            began = time.monotonic()
            subprocess.run(["true"], stdin=subprocess.DEVNULL)
            ended = time.monotonic()
            self.samples.append((ended, ended - began))

    def limit(self, seconds, since):
        """A limit of so many seconds for what has lasted since then."""
        took = [t for ended, t in list(self.samples) if ended >= since]
        return seconds * SLOWER + 5 * max(took, default=0)

    def stop(self):
        self.over.set()
        self.join()


class Reply:
    """An HTTP answer."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = {k.lower(): v for k, v in headers}

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Stream:
    """An event stream being read: events as (name, id, data) with times."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.status = response.status
        self.headers = {k.lower(): v for k, v in response.getheaders()}
        self.comments = 0

    def events(self):
        """Yield (event, id, data, seconds since now) until the end."""
        began = time.monotonic()
        name, ident, data = "", None, []
        while True:
            line = self.response.readline()
            if not line:
                return
            line = line.rstrip(b"\r\n").decode()
            if line == "":
                if data:
                    yield name, ident, json.loads("\n".join(data)), \
                        time.monotonic() - began
                name, ident, data = "", None, []
            elif line.startswith(":"):
                self.comments += 1
            elif line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                ident = line[4:]
            elif line.startswith("data: "):
                data.append(line[6:])

    def all(self):
        return list(self.events())

    def close(self):
        """Hang up, now."""
        sock = self.connection.sock
        if sock is not None:
            sock.close()
        self.response.close()
        self.connection.close()


class Rig:
    """One instance.  ${params} are lines of its configuration."""

    def __init__(self, name="rig", params=None, demo=True, env=None,
                 wrap=None, front="nginx", pooler=False):
        # The directory is short (socket paths stay under 100 bytes) and open
        # to the unprivileged user everything runs as.
        self.dir = tempfile.mkdtemp(prefix="sbt-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.user = self._user()
        self.params = dict(params or {})
        self.env = dict(env or {})
        self.wrap = wrap or []
        self.port = free_port()
        self.children = {}
        self.front, self.fronts = front, []
        self.name = name
        try:
            self._files()
            self._database()
            if pooler:
                self._pooler()
            self._config()
            if demo:
                self._demo()
            self.start()
        except BaseException:
            self.close()
            raise

    # -- set-up ----------------------------------------------------------

    @staticmethod
    def _user():
        if os.geteuid() != 0:
            return pwd.getpwuid(os.geteuid())
        return pwd.getpwnam(os.environ.get("SB_TEST_USER", "postgres"))

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def _own(self, path):
        if os.geteuid() == 0:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _files(self):
        for d in ("etc", "run", "state", "log", "bin", "tmp"):
            os.mkdir(self.path(d), 0o750)
            self._own(self.path(d))
        os.chmod(self.path("bin"), 0o755)
        for program in ("switchboardd", "switchboard"):
            shutil.copy2(os.path.join(BUILD, program), self.path("bin"))
        shutil.copytree(os.path.join(SOURCE, "sql"), self.path("sql"))
        shutil.copytree(os.path.join(SOURCE, "etc", "agent_templates"),
                        self.path("etc", "agent_templates"))
        shutil.copytree(os.path.join(SOURCE, "templates", "mail"),
                        self.path("etc", "mail"))
        shutil.copytree(os.path.join(SOURCE, "templates", "pages"),
                        self.path("etc", "pages"))
        for made in glob.glob(os.path.join(BUILD, "front", "*.*")):
            shutil.copy2(made, self.path("etc", "pages"))
        shutil.copytree(os.path.join(SOURCE, "etc", "demo"),
                        self.path("etc", "demo"))
        subprocess.run([os.path.join(SOURCE, "scripts", "lib", "static"),
                        os.path.join(SOURCE, "static"), self.path("static")],
                       check=True)
        for base, dirs, files in os.walk(self.dir):
            for entry in dirs + files:
                self._own(os.path.join(base, entry))

    def _database(self):
        out = subprocess.run(
            [os.path.join(BUILD, "tests", "lib", "dbtemp")],
            check=True, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, SB_BUILD=BUILD)).stdout
        self.conninfo = re.search(r"SB_TEST_DB='([^']*)'", out).group(1)

    def _pooler(self):
        """PgBouncer between: each transaction may get another connection,
        and there are few."""
        server = dict(part.split("=", 1) for part in self.conninfo.split())
        conf = self.path("etc", "pgbouncer.ini")
        with open(self.path("etc", "pgbouncer.users"), "w") as f:
            for role in ("chat", "admin", "writer", "job", "owner"):
                f.write(f'"sb_{role}" ""\n')
        with open(conf, "w") as f:
            f.write(f"""[databases]
* = host={server['host']} port={server.get('port', 5432)}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {self.path("run")}
auth_type = trust
auth_file = {self.path("etc", "pgbouncer.users")}
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
query_wait_timeout = 2
server_login_retry = 1
logfile = {self.path("log", "pgbouncer.log")}
""")
        self._own(conf)
        self._own(self.path("etc", "pgbouncer.users"))
        self.children["pgbouncer"] = subprocess.Popen(
            ["pgbouncer", "-q", conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.dir, **self._as_user())
        socket_path = self.path("run", ".s.PGSQL.6432")
        wait_until(lambda: os.path.exists(socket_path), 5,
                   "the pooler listens")
        self.params.setdefault(
            "database_url", f'"host={self.path("run")} port=6432 '
            f'dbname={server["dbname"]}"')
        self.params.setdefault("database_direct_url", f'"{self.conninfo}"')

    def _config(self):
        with open(self.path("etc", "master.key"), "w") as f:
            f.write(os.urandom(32).hex() + "\n")
        os.chmod(self.path("etc", "master.key"), 0o600)
        self._own(self.path("etc", "master.key"))
        self.write_config()

    def write_config(self, **changes):
        """(Re)write the configuration file with changed parameters."""
        self.params.update(changes)
        lines = {
            "run_dir": self.path("run"), "state_dir": self.path("state"),
            "templates_dir": self.path("etc", "agent_templates"),
            "mail_templates_dir": self.path("etc", "mail"),
            "page_templates_dir": self.path("etc", "pages"),
            "public_urls": f"http://127.0.0.1:{self.port}",
            "master_key_file": self.path("etc", "master.key"),
            "log_file": self.path("log", "switchboard.log"),
            "pid_file": self.path("run", "switchboardd.pid"),
            "database_url": f'"{self.conninfo}"',
            "chat_workers": 2, "threads": 64,
        }
        lines.update(self.params)
        conf = self.path("etc", "switchboard.conf")
        with open(conf, "w") as f:
            for name, value in lines.items():
                f.write(f"{name} = {value}\n")
        self._own(conf)
        return conf

    @property
    def conf(self):
        return self.path("etc", "switchboard.conf")

    def run(self, *argv, check=True, stdin=None):
        """Run the operator's command; its finished process."""
        done = subprocess.run(
            [self.path("bin", "switchboard"), "-c", self.conf, *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            input=stdin, timeout=120, cwd=self.dir, **self._as_user(),
            env=dict(self._environment(), SB_SHARE=self.dir))
        if check and done.returncode != 0:
            raise AssertionError(
                f"switchboard {' '.join(argv)}: exit {done.returncode}\n"
                f"{done.stdout}{done.stderr}")
        return done

    def cli(self, *argv, **kw):
        """Run the operator's command with --json; its answer."""
        return json.loads(self.run(*argv, "--json", **kw).stdout)

    def _demo(self):
        self.run("demo", "load", "--dir", self.path("etc", "demo"))
        key = self.cli("key", "create", "acme-healthcare", "--kind", "api",
                       "--name", "test", "--role", "account_owner")
        self.key = key["key"]
        key = self.cli("key", "create", "acme-healthcare", "--kind", "widget",
                       "--name", "test widget", "--agent",
                       "sales/human_health", "--origin", "http://127.0.0.1:*",
                       "--origin", "http://localhost:*")
        self.widget_key = key["key"]
        key = self.cli("key", "create", "globex", "--kind", "api", "--name",
                       "test", "--role", "account_owner")
        self.globex_key = key["key"]

    # -- processes -------------------------------------------------------

    def _as_user(self):
        if os.geteuid() != 0:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid,
                "extra_groups": []}

    def _environment(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("OPENAI_", "ANTHROPIC_", "SB_CONF"))}
        env.update(self.env)
        return env

    def start(self):
        self.start_server()
        self.start_front()
        wait_until(self.ready, 20, "the server is ready")

    def ready(self):
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def start_server(self):
        log = open(self.path("log", "stderr.log"), "ab")
        self.children["switchboardd"] = subprocess.Popen(
            self.wrap + [self.path("bin", "switchboardd"), "-c", self.conf],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
            env=self._environment(), **self._as_user())
        log.close()

    @property
    def master(self):
        return self.children["switchboardd"].pid

    def workers(self, word="chat worker"):
        """Pids of the master's children whose command line has ${word}."""
        found = []
        for line in subprocess.run(
                ["ps", "--ppid", str(self.master), "-o", "pid=,args="],
                stdout=subprocess.PIPE, text=True).stdout.splitlines():
            pid, args = line.strip().split(None, 1)
            if word in args:
                found.append(int(pid))
        return found

    def start_front(self):
        front = FRONTS[self.front](self, self.port)
        self.fronts.append(front)
        self.children[front.name] = front.child

    def add_front(self, name, edit=None):
        """Another web server before the same sockets."""
        self.fronts.append(FRONTS[name](self, edit=edit))
        return self.fronts[-1]

    def stop(self, name, how=signal.SIGTERM, seconds=40):
        """Stop a child by pid; its exit code."""
        child = self.children.pop(name, None)
        if child is None:
            return None
        if child.poll() is None:
            child.send_signal(how)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def close(self):
        for front in self.fronts:
            front.stop()
        self.stop("switchboardd", signal.SIGTERM, 15)
        self.stop("pgbouncer", signal.SIGTERM, 5)
        if not os.environ.get("SB_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def log(self):
        with open(self.path("log", "switchboard.log"),
                  errors="replace") as f:
            return f.read()

    # -- the outside -----------------------------------------------------

    def connect(self, timeout=30):
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=30,
                connection=None):
        c = connection or self.connect(timeout)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        c.request(method, path, body, headers)
        r = c.getresponse()
        reply = Reply(r.status, r.getheaders(), r.read())
        if connection is None:
            c.close()
        return reply

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def auth(self, key=None):
        return {"Authorization": f"Bearer {key or self.key}"}

    def chat(self, agent="sales/human_health", message="Hello",
             account="acme-healthcare", key=None, headers=None, timeout=30,
             connection=None, **body):
        return self.request(
            "POST", f"/accounts/{account}/chat/{agent}",
            dict(body, message=message),
            dict(self.auth(key) if headers is None else headers),
            timeout=timeout, connection=connection)

    def stream(self, agent="sales/human_health", message="Hello",
               account="acme-healthcare", key=None, headers=None, timeout=30,
               **body):
        c = self.connect(timeout)
        headers = dict(self.auth(key) if headers is None else headers)
        headers["Content-Type"] = "application/json"
        c.request("POST", f"/accounts/{account}/agents/{agent}/stream",
                  json.dumps(dict(body, message=message)), headers)
        return Stream(c, c.getresponse())

    def resume(self, turn, last=None, agent="sales/human_health",
               account="acme-healthcare", key=None, headers=None,
               timeout=30):
        """Go on with a turn's stream after the event ${last}."""
        c = self.connect(timeout)
        headers = dict(self.auth(key) if headers is None else headers)
        if last is not None:
            headers["Last-Event-ID"] = last
        c.request("GET", f"/accounts/{account}/agents/{agent}/stream?"
                  f"turn_id={turn}", headers=headers)
        return Stream(c, c.getresponse())

    def sql(self, query, role="sb_owner"):
        """Rows (lists of text) of a query as ${role}."""
        out = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-R", "\x1e",
             "-v", "ON_ERROR_STOP=1", f"{self.conninfo} user={role}", "-c", query],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True).stdout
        out = out.removesuffix("\n")
        return [r.split("\x1f") for r in out.split("\x1e")] if out else []

    def configure(self, agent, configuration, account="acme-healthcare"):
        """Save a configuration and wait until every worker has it."""
        self.run("agent", "configure", account, agent, "-",
                 stdin=json.dumps(configuration))
        self.settle(account)

    def settle(self, account="acme-healthcare"):
        """Wait until the account's present epoch has reached the workers
        (they share it, so an answer of one of them proves it)."""
        (epoch,), = self.sql("select config_epoch from accounts where "
                             f"slug = '{account}'")
        key = self.globex_key if account == "globex" else self.key

        def reached():
            reply = self.get(f"/accounts/{account}/turns/{NOBODY}",
                             headers=self.auth(key))
            return int(reply.headers.get("x-config-epoch", 0)) >= int(epoch)
        wait_until(reached, 5, "the new configuration is live")


class Provider:
    """The scripted model provider: switchboard simulate llm."""

    def __init__(self, *options):
        self.child = subprocess.Popen(
            [os.path.join(BUILD, "switchboard"), "simulate", "llm", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        line = self.child.stdout.readline()
        self.port = int(re.search(r"(\d+)\s*$", line).group(1))

    def env(self):
        return {"OPENAI_API_KEY": "sk-test-openai-0123456789abcdef",
                "OPENAI_BASE_URL": f"http://127.0.0.1:{self.port}/v1",
                "ANTHROPIC_API_KEY": "sk-ant-test-0123456789abcdef",
                "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.port}"}

    def _call(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request(method, path, json.dumps(body) if body else None)
        body = c.getresponse().read()
        c.close()
        return json.loads(body) if body.strip() else {}

    def stats(self):
        return self._call("GET", "/_stats")

    def last(self):
        return self._call("GET", "/_last")

    def reset(self):
        self._call("POST", "/_reset")

    def control(self, key, **settings):
        """Set a key's plan (words, with times) or limits (rpm, tpm, itpm)."""
        told = self._call("POST", "/_control", {"key": key, **settings})
        assert "error" not in told, told

    def close(self):
        self.child.terminate()
        self.child.wait(10)
        self.child.stdout.close()


def url(path):
    return urllib.parse.quote(path)
