"""Mail from the queue to a mail server, by the job worker: at once, while the
configuration is reloaded, and after the worker was killed with a message in its
hands."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from rig import SOURCE, Rig, wait_until

MESSAGE = """From: <noreply@shop.example>\r
To: <%s>\r
Subject: %s\r
Date: Sun, 22 Nov 2026 10:00:00 +0000\r
Message-ID: <%s@shop.example>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
\r
Text\r
"""


def uuid7():
    """An id as the server makes them: its first 48 bits are the time."""
    h = "%012x7%03x8%015x" % (time.time_ns() // 1000000, os.getrandom(1)[0],
                              int.from_bytes(os.getrandom(7), "big"))
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


class MailTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="sbt-mail-", dir="/tmp")
        cls.server = subprocess.Popen(
            ["/usr/bin/python3", os.path.join(SOURCE, "tests", "lib", "smtpd.py"),
             cls.dir, "none"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = cls.server.stdout.readline().strip()
        if not port:
            cls.server.wait()
            shutil.rmtree(cls.dir)
            raise unittest.SkipTest("python3-aiosmtpd is not installed")
        cls.rig = Rig("mail", demo=False, params={
            "mail_url": "smtp://127.0.0.1:" + port, "mail_retry": "200ms",
            "mail_from": '"Shop <noreply@shop.example>"'})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.server.stdin.close()
        cls.server.wait()
        cls.server.stdout.close()
        shutil.rmtree(cls.dir)

    def setUp(self):
        path = os.path.join(self.dir, "messages")
        if os.path.exists(path):
            os.unlink(path)

    def queue(self, to, subject):
        """As mail_put() does it: a file that appears when it is whole."""
        folder, name = self.rig.path("state", "mail"), uuid7()
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            shutil.chown(folder, self.rig.user.pw_uid, self.rig.user.pw_gid)
        tmp = os.path.join(folder, ".tmp-" + name)
        with open(tmp, "w", newline="") as f:
            f.write("noreply@shop.example\n%s\n" % to + MESSAGE % (to, subject, name))
        os.chmod(tmp, 0o600)
        shutil.chown(tmp, self.rig.user.pw_uid, self.rig.user.pw_gid)
        os.rename(tmp, os.path.join(folder, name + ".mail"))

    def waiting(self):
        return os.listdir(self.rig.path("state", "mail"))

    def taken(self):
        path = os.path.join(self.dir, "messages")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def subjects(self):
        return sorted(m["subject"] for m in self.taken() if "subject" in m)

    def test_sent(self):
        self.queue("ann@x.example", "Hello")
        wait_until(lambda: not self.waiting(), 10, "the queue is empty")
        self.assertEqual(["Hello"], self.subjects())
        self.assertIn("mail_sent", self.rig.log())

    def test_reload_in_between(self):
        """Old and new job workers share the queue; each message once."""
        for i in range(30):
            self.queue("ann@x.example", f"{i:02}")
            if i % 10 == 5:
                old = self.rig.workers("job worker")
                os.kill(self.rig.master, signal.SIGHUP)
                wait_until(lambda: set(self.rig.workers("job worker")) - set(old),
                           20, "a new job worker")
        wait_until(lambda: not self.waiting(), 30, "the queue is empty")
        self.assertEqual([f"{i:02}" for i in range(30)], self.subjects())

    def test_killed_while_sending(self):
        """Not lost, and nobody else's mail waits for it."""
        self.queue("hang@x.example", "Hanging")
        wait_until(lambda: {"hanging": True} in self.taken(), 10,
                   "the server has it in its hands")
        old = self.rig.workers("job worker")
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: set(self.rig.workers("job worker")) - set(old), 10,
                   "a new job worker")
        wait_until(lambda: self.taken().count({"hanging": True}) > 1, 20,
                   "the message is tried again")
        left = self.waiting()
        self.assertEqual(1, len(left))
        os.unlink(self.rig.path("state", "mail", left[0]))
        for pid in self.rig.workers("job worker"):
            os.kill(pid, signal.SIGKILL)
        self.queue("ann@x.example", "After")
        wait_until(lambda: self.subjects() == ["After"], 20, "the next is sent")

    def test_bad_parameter(self):
        """An address that is none is told before the server takes it."""
        good = self.rig.params["mail_url"]
        self.rig.write_config(mail_url="http://mail.example")
        done = subprocess.run([self.rig.path("bin", "switchboardd"), "-t", "-c", self.rig.conf],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.rig.write_config(mail_url=good)
        self.assertEqual(1, done.returncode)
        self.assertIn("mail_url: the mail server's address is neither smtp://", done.stdout)


if __name__ == "__main__":
    unittest.main()
