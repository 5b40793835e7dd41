"""The master key: exchanged under load, and a wrong one at the start."""
import json
import os
import re
import signal
import subprocess
import threading
import unittest

from rig import Provider, Rig, wait_until

IN_USE = "in use"
PASSWORD = "Zwölf Boxkämpfer jagen 17 Igel"


class MasterKeyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig("master", env=cls.provider.env(),
                      params={"chat_workers": 2})
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})
        cls.rig.run("user", "create", "ann@example.com", "--account",
                    "acme-healthcare", "--role", "account_owner",
                    "--password-stdin", stdin=PASSWORD)
        cls.file = cls.rig.path("etc", "master.key")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def master_keys(self):
        return {row["id"]: row for row in
                self.rig.cli("secrets", "status")["data"]}

    def doctor(self):
        done = self.rig.run("doctor", "--json", "--sql", self.rig.path("sql"),
                            check=False)
        return json.loads(done.stdout)["data"]

    def token(self):
        return self.rig.request("POST", "/api/v1/auth/login", {
            "email": "ann@example.com", "password": PASSWORD}).json[
                "access_token"]

    def test_exchanged_under_load(self):
        """Also for visitors whose session began before, or begins while some
        workers know the new key and others do not."""
        rig, bad, done, stop = self.rig, [], [0], threading.Event()

        def visitor():
            connection, session = rig.connect(), None
            while not stop.is_set():
                reply = rig.chat(connection=connection, session_key=session) \
                    if session else rig.chat(connection=connection)
                if reply.status != 200:
                    bad.append((reply.status, reply.body))
                    return
                session = reply.json["session_key"]
                done[0] += 1

        threads = [threading.Thread(target=visitor) for _ in range(8)]
        old = next(iter(self.master_keys()))
        for t in threads:
            t.start()
        try:
            before = rig.chat().json["session_key"]
            tokens = [self.token()]
            new = rig.cli("secrets", "rotate")["id"]
            self.assertNotEqual(new, old)
            # New workers sign with the new key, the old ones go on beside.
            workers = set(rig.workers())
            os.kill(rig.master, signal.SIGHUP)
            wait_until(lambda: set(rig.workers()) - workers, 20,
                       "new workers")
            tokens.append(self.token())
            for i in range(20):
                self.assertEqual(rig.chat(session_key=before).status, 200)
                # Nobody is signed out, whichever key signed.
                self.assertEqual(rig.chat(key=tokens[i % 2]).status, 200)
            count = done[0]
            wait_until(lambda: bad or done[0] > count + 50, 20, "more turns")
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(bad, [])
        keys = self.master_keys()
        self.assertEqual(keys[new]["state"], IN_USE)
        self.assertEqual(keys[old]["state"], "can be retired")
        self.assertEqual(keys[old]["data_keys"], 0)
        self.assertEqual(rig.cli("secrets", "retire")["retired"], [old])
        self.assertEqual(list(self.master_keys()), [new])
        rows = {r["check"]: r for r in self.doctor()}
        self.assertEqual(rows["secrets"]["state"], "ok")

    def test_wrong_key_starts_nothing(self):
        rig = self.rig
        rig.stop("switchboardd")
        with open(self.file, encoding="ascii") as f:
            right = f.read()
        wrong = "ab" * 32 + "\n"
        try:
            with open(self.file, "w", encoding="ascii") as f:
                f.write(wrong)
            done = subprocess.run(
                [rig.path("bin", "switchboardd"), "-c", rig.conf],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                timeout=60, **rig._as_user(), env=rig._environment())
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stdout, "data key of the platform is sealed "
                             "by master key [0-9a-f]{16}, which is not here")
            self.assertNotIn(wrong[:16], done.stdout)
            for text in re.findall(r"\b[0-9a-f]{64}\b", right):
                self.assertNotIn(text[:16], done.stdout)
            rows = {r["check"]: r for r in self.doctor()}
            self.assertEqual(rows["secrets"]["state"], "fail")
            rotated = rig.run("secrets", "rotate", check=False)
            self.assertEqual(rotated.returncode, 1)
            self.assertIn("put it back", rotated.stderr)
        finally:
            with open(self.file, "w", encoding="ascii") as f:
                f.write(right)


if __name__ == "__main__":
    unittest.main()
