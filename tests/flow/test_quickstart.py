"""scripts/quickstart as a new user runs it: a fresh clone, twice, a second
instance beside the first, status, stop."""
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from rig import SOURCE, free_port

NAMES = ["SB_URL", "SB_DIR", "SB_CONF", "SB_ACCOUNT", "SB_API_KEY",
         "SB_WIDGET_KEY", "SB_ADMIN_EMAIL", "SB_ADMIN_PASSWORD",
         "SB_OWNER_EMAIL", "SB_OWNER_PASSWORD", "SB_VIEWER_EMAIL",
         "SB_VIEWER_PASSWORD", "SB_DATABASE_URL", "SB_BIN"]


class QuickstartTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix="sbq-", dir="/tmp")
        os.chmod(cls.top, 0o755)
        cls.clone = os.path.join(cls.top, "clone")
        os.mkdir(cls.clone)
        # The tree as it stands (git's files, as they are in the work tree).
        names = subprocess.run(
            ["git", "-C", SOURCE, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-C", SOURCE, "--null", "-T", "-", "-cf",
                        os.path.join(cls.top, "tree.tar")],
                       input=names.stdout, check=True)
        subprocess.run(["tar", "-C", cls.clone, "-xf",
                        os.path.join(cls.top, "tree.tar")], check=True)
        subprocess.run("git init -q . && git add -A && git -c "
                       "user.name=t -c user.email=t@localhost commit -qm x",
                       shell=True, cwd=cls.clone, check=True)
        cls.dirs = []

    @classmethod
    def tearDownClass(cls):
        for d, port in cls.dirs:
            cls.quick("stop", "--dir", d, "--port", str(port), check=False)
        if not os.environ.get("SB_KEEP"):
            shutil.rmtree(cls.top, ignore_errors=True)

    @classmethod
    def quick(cls, *argv, check=True, env=None):
        done = subprocess.run(
            [os.path.join(cls.clone, "scripts", "quickstart"), *argv],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=cls.clone, timeout=800, stdin=subprocess.DEVNULL,
            env=dict({k: v for k, v in os.environ.items() if not
                      k.startswith(("OPENAI", "ANTHROPIC", "SB_"))},
                     **(env or {})))
        if check and done.returncode != 0:
            raise AssertionError(done.stdout)
        return done

    @staticmethod
    def env_of(directory):
        path = os.path.join(directory, "quickstart.env")
        assert os.stat(path).st_mode & 0o777 == 0o600, path
        out = subprocess.run(
            ["bash", "-c", f". {path}; " + " ".join(
                f'printf "%s\\n" "${n}";' for n in NAMES)],
            stdout=subprocess.PIPE, text=True, check=True).stdout
        return dict(zip(NAMES, out.splitlines()))

    @staticmethod
    def ask(env, path, body=None, key=None):
        port = int(env["SB_URL"].rsplit(":", 1)[1])
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": f"Bearer {key or env['SB_API_KEY']}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        c.request("POST" if body else "GET", path, body, headers)
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, text

    def test_the_whole_story(self):
        one, port = os.path.join(self.top, "one"), free_port()
        self.dirs.append((one, port))
        done = self.quick("--dir", one, "--port", str(port))
        env = self.env_of(one)
        self.assertEqual([n for n in NAMES if not env[n]], [])
        self.assertEqual(env["SB_URL"], f"http://127.0.0.1:{port}")
        self.assertIn(env["SB_URL"], done.stdout)
        self.assertIn(env["SB_OWNER_EMAIL"], done.stdout)
        chat = "/accounts/acme-healthcare/chat/"
        for agent in ("sales/human_health", "sales/animal_health",
                      "research/clinical_research", "rag/regulatory_docs",
                      "digital_expert/product_expert"):
            status, text = self.ask(env, chat + agent, {"message": "Hello"})
            self.assertEqual(status, 200, (agent, text))
            self.assertEqual(json.loads(text)["model"], "builtin:concierge")
        (count,) = subprocess.run(
            ["psql", "-XAtq", env["SB_DATABASE_URL"], "-c",
             "select count(*) from turns"], stdout=subprocess.PIPE,
            text=True, check=True).stdout.split()
        self.assertEqual(count, "6")  # quickstart's own and five
        hashes = subprocess.run(
            ["psql", "-XAtq", env["SB_DATABASE_URL"], "-c",
             "select count(*) from users where password_hash like "
             "'$argon2id$%'"], stdout=subprocess.PIPE, text=True).stdout
        self.assertGreaterEqual(int(hashes), 3)

        # A second run changes nothing.
        before = subprocess.run(["cat", os.path.join(
            one, "quickstart.env")], stdout=subprocess.PIPE).stdout
        pids = self.pids(one)
        self.quick("--dir", one, "--port", str(port))
        self.assertEqual(subprocess.run(["cat", os.path.join(
            one, "quickstart.env")], stdout=subprocess.PIPE).stdout, before)
        self.assertEqual(self.pids(one), pids)
        self.assertEqual(self.quick("status", "--dir", one, "--port",
                                    str(port)).returncode, 0)

        again = subprocess.run(
            ["psql", "-XAtq", env["SB_DATABASE_URL"], "-c",
             "select count(*) from turns"], stdout=subprocess.PIPE,
            text=True, check=True).stdout.split()
        self.assertEqual(again, [count])

        # A second instance beside it, in a directory with a long name.
        two = os.path.join(self.top, "t" * 60, "two")
        os.makedirs(os.path.dirname(two))
        os.chmod(os.path.dirname(two), 0o755)
        port2 = free_port()
        self.dirs.append((two, port2))
        self.quick("--dir", two, "--port", str(port2), "--workers", "1",
                   "--threads", "32")
        env2 = self.env_of(two)
        self.assertNotEqual(env2["SB_API_KEY"], env["SB_API_KEY"])
        self.assertEqual(self.ask(env2, chat + "sales/human_health",
                                  {"message": "Hello"})[0], 200)
        self.assertEqual(self.ask(env2, chat + "sales/human_health",
                                  {"message": "Hello"},
                                  key=env["SB_API_KEY"])[0], 401)

        # Stopping one leaves the other; starting brings back what was.
        self.quick("stop", "--dir", two, "--port", str(port2))
        self.assertNotEqual(self.quick(
            "status", "--dir", two, "--port", str(port2),
            check=False).returncode, 0)
        self.assertEqual(self.pids(two), [])
        self.assertEqual(self.ask(env, chat + "sales/human_health",
                                  {"message": "Hello"})[0], 200)
        self.quick("--dir", two, "--port", str(port2))
        self.assertEqual(self.ask(env2, chat + "sales/human_health",
                                  {"message": "Hello"})[0], 200)

        # The clone is not needed at run time.
        os.rename(self.clone, self.clone + ".away")
        try:
            self.assertEqual(self.ask(env, chat + "sales/human_health",
                                      {"message": "Hello"})[0], 200)
            done = subprocess.run(
                [os.path.join(env["SB_BIN"], "switchboard"), "account",
                 "list", "--json"], stdout=subprocess.PIPE,
                env=dict(os.environ, SB_CONF=env["SB_CONF"]))
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"globex", done.stdout)
        finally:
            os.rename(self.clone + ".away", self.clone)

    def test_errors_say_what_to_do(self):
        done = self.quick("--prot", "1", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--prot", done.stdout)
        done = self.quick("--port", "70000", check=False)
        self.assertEqual(done.returncode, 2)

    @staticmethod
    def pids(directory):
        """Processes that work for an instance, by their command lines."""
        out = subprocess.run(["ps", "-eo", "pid=,args="],
                             stdout=subprocess.PIPE, text=True).stdout
        return sorted(
            int(line.split()[0]) for line in out.splitlines()
            if re.search(re.escape(directory) + r"(/|\s|$)", line) and
            ("switchboardd" in line or "nginx: master" in line or
             "postgres" in line) and "grep" not in line)


if __name__ == "__main__":
    unittest.main()
