"""Disks that are full (ROBUSTNESS A19): the log's, the run directory's and the
front end's, the journals', PostgreSQL's.  What is read is answered, what is
acknowledged is there, and when there is room again all is well within 5 s,
without a restart.

Each is a tmpfs of its own; so it takes root, in a mount namespace that allows
it.
"""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest

from rig import HERE_PGTEMP, Floor, Provider, Rig, wait_until


def small(path, size, user):
    """A file system of ${size} at an empty directory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o",
                    f"size={size},mode=0750,uid={user.pw_uid},"
                    f"gid={user.pw_gid}", "none", path],
                   check=True, stderr=subprocess.DEVNULL)


def allowed():
    """May this process mount?"""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as path:
        try:
            small(path, "1m", Rig._user())
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", path], check=True)
    return True


class Filler:
    """Takes all there is of a file system, and gives it back."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "filler")
        self.fill()

    def fill(self):
        with open(self.path, "ab", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while f.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def free(self):
        os.unlink(self.path)


class SmallRig(Rig):
    """Its directory ${small} is a file system of 8 MiB."""

    def __init__(self, directory, **kw):
        self.small, self.mounted = directory, False
        super().__init__("full", **kw)

    def _files(self):
        super()._files()
        small(self.path(self.small), "8m", self.user)
        self.mounted = True

    def close(self):
        if self.mounted:
            for front in self.fronts:
                front.stop()
            self.stop("switchboardd")
            subprocess.run(["umount", "-l", self.path(self.small)],
                           check=True)
            self.mounted = False
        super().close()


@unittest.skipUnless(allowed(), "mounts file systems: needs root")
class DiskFullTest(unittest.TestCase):
    def setUp(self):
        self.provider = Provider()
        self.addCleanup(self.provider.close)
        self.floor = Floor()
        self.addCleanup(self.floor.stop)

    def rig_on(self, directory):
        rig = SmallRig(directory, env=self.provider.env(),
                       params={"threads": 64})
        self.addCleanup(rig.close)
        self.ready(rig)
        return rig

    def ready(self, rig):
        rig.run("account", "set-limit", "acme-healthcare",
                "requests_per_hour", "unlimited")
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        for _ in range(20):  # every worker knows the agent
            self.assertEqual(rig.chat(message="warm").status, 200)

    def recovers(self, check, what):
        """${check} holds within 5 s."""
        began = time.monotonic()
        wait_until(check, 20, what)
        took = time.monotonic() - began
        print(f"{what}: {took:.2f} s", end=", ")
        self.assertLess(took, self.floor.limit(5, began), what)

    def read(self, rig, key):
        """A conversation can be read."""
        reply = rig.get(f"/accounts/acme-healthcare/sessions/{key}/messages",
                        headers=rig.auth())
        self.assertEqual(reply.status, 200, reply)
        return [m["content"] for m in reply.json["data"]]

    def test_log(self):
        rig = self.rig_on("log")
        filler = Filler(rig.path("log"))
        workers = rig.workers()
        for n in range(20):
            reply = rig.chat(message=f"unlogged {n}")
            self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.read(rig, reply.json["session_key"]),
                         ["unlogged 19", "unlogged 19"])
        filler.free()
        before = len(rig.log())

        def written():
            self.assertEqual(rig.chat(message="logged").status, 200)
            return len(rig.log()) > before
        self.recovers(written, "the log is written")
        self.assertEqual(rig.workers(), workers)
        for line in rig.log()[before:].splitlines()[1:]:
            json.loads(line)

    def test_run_directory(self):
        """Streams of turns, what workers share of configurations, and what
        nginx writes down of large bodies lie there."""
        rig = self.rig_on("run")
        filler = Filler(rig.path("run"))
        workers = rig.workers()
        for n in range(10):
            self.assertIn(rig.chat(message=f"run {n}").status, (200, 503))
            stream = rig.stream(message=f"streamed {n}")
            self.assertIn(stream.status, (200, 503))
            if stream.status == 200:
                self.assertEqual(stream.all()[-1][0], "done")
            stream.close()
        rig.configure("sales/human_health", {
            "model_override": "builtin:concierge"})
        self.assertIn(rig.chat(message="who?").status, (200, 503))
        self.assertEqual(rig.get("/healthz").status, 200)
        filler.free()

        def streamed():
            """Told, and told again from the middle by any worker."""
            stream = rig.stream(message="hello again")
            if stream.status != 200:
                return False
            events = stream.all()
            rest = rig.resume(events[0][2]["turn_id"], events[0][1])
            return rest.status == 200 and rest.all()[-1][0] == "done"
        self.recovers(streamed, "streams are resumed")
        self.assertEqual(rig.workers(), workers)

    def test_database(self):
        """PostgreSQL cannot write: what is acknowledged waits in a journal;
        changes of configurations fail as a whole, their history with them."""
        out = subprocess.run([HERE_PGTEMP, "start"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
        cluster = dict(re.findall(r"(SB_TEST_PG\w*)='([^']*)'", out))
        directory = cluster["SB_TEST_PG_DIR"]
        before = os.environ.get("SB_TEST_PG")
        self.addCleanup(subprocess.run, [HERE_PGTEMP, "stop", directory],
                        stdout=subprocess.DEVNULL)
        base = self.on_small(directory)
        os.environ["SB_TEST_PG"] = cluster["SB_TEST_PG"]
        try:
            rig = Rig("full", env=self.provider.env(), params={"threads": 64})
        finally:
            os.environ.pop("SB_TEST_PG")
            if before is not None:
                os.environ["SB_TEST_PG"] = before
        self.addCleanup(rig.close)
        self.ready(rig)
        key = rig.chat(message="before").json["session_key"]
        filler = Filler(base)
        acknowledged, refused = self.turns_while_full(rig)
        self.assertGreater(len(acknowledged), 100)
        self.assertTrue(os.listdir(rig.path("state", "journal")))
        self.assertEqual(self.read(rig, key), ["before", "before"])
        self.assertEqual(rig.get("/healthz").status, 200)
        saved = self.changes_while_full(rig)
        filler.free()
        self.recovers(lambda: not os.listdir(rig.path("state", "journal")),
                      "all is stored")
        self.recovers(lambda: rig.get("/readyz").status == 200, "ready")
        rows = [r[0] for r in rig.sql("select user_text from turns where "
                                      "user_text like 'full %'")]
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(set(acknowledged) - set(rows), set())
        # The configuration is the last that was saved, and so is the history.
        (live, kept), = rig.sql(
            "select configuration->>'system_prompt_override' like "
            f"'full-{saved - 1} %' or {saved} = 0, (select count(*) from "
            "agent_config_versions where configuration::text like "
            "'%full-%') from agent_instances where instance_name = "
            "'animal_health'")
        self.assertEqual((live, kept), ("t", str(saved)))
        self.recovers(lambda: self.change(rig, "free").returncode == 0,
                      "changes are taken")
        print(f"{len(acknowledged)} acknowledged, {refused} refused, "
              f"{saved} changes", end=" ")

    def on_small(self, directory):
        """Put a cluster's tables (not its log of changes: without that it
        stops altogether) on a small file system; where."""
        base = os.path.join(directory, "data", "base")
        kept = os.path.join(directory, "kept")
        subprocess.run([HERE_PGTEMP, "down", directory], check=True)
        os.rename(base, kept)
        os.mkdir(base)
        small(base, "160m", Rig._user())
        self.addCleanup(subprocess.run, ["umount", "-l", base], check=True)
        subprocess.run(["cp", "-a", kept + "/.", base], check=True)
        subprocess.run(["rm", "-rf", kept], check=True)
        subprocess.run([HERE_PGTEMP, "up", directory], check=True)
        return base

    def turns_while_full(self, rig):
        """Messages that were acknowledged, and how many were not: 503."""
        acknowledged, refused = [], 0
        for n in range(200):
            message = f"full {n} " + os.urandom(3000).hex()
            headers = rig.auth()
            if n % 10 == 9:  # not without a row of the database
                headers["Idempotency-Key"] = f"full-{n}"
            reply = rig.chat(message=message, headers=headers)
            if reply.status == 200:
                acknowledged.append(message)
            else:
                self.assertEqual(reply.status, 503, reply)
                self.assertIn("retry-after", reply.headers)
                refused += 1
        return acknowledged, refused

    @staticmethod
    def change(rig, word):
        """Save a configuration."""
        return rig.run("agent", "configure", "acme-healthcare",
                       "sales/animal_health", "-", check=False,
                       stdin=json.dumps({"system_prompt_override":
                                         f"{word} {os.urandom(1500).hex()}"}))

    def changes_while_full(self, rig):
        """Change a configuration until that fails; how often it did not."""
        for saved in range(200):
            done = self.change(rig, f"full-{saved}")
            if done.returncode != 0:
                self.assertTrue(done.stderr)
                return saved
        self.fail("a full disk took 200 changes")
        return 0


if __name__ == "__main__":
    unittest.main()
