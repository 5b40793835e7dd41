"""A machine that allows little: threads are cut to what it has, and the log
says which limit did it (DESIGN 2)."""
import json
import threading
import unittest

from rig import Provider, Rig

FILES = 1500


class MachineTest(unittest.TestCase):
    def setUp(self):
        self.provider = Provider()
        self.rig = Rig("machine", env=self.provider.env(),
                       params={"threads": 1024, "chat_workers": 2},
                       wrap=["prlimit", f"--nofile={FILES}:{FILES}"])
        self.rig.run("account", "set-limit", "acme-healthcare",
                     "requests_per_hour", "unlimited")
        self.rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-4x500",
            "model_fallback": False})

    def tearDown(self):
        self.rig.close()
        self.provider.close()

    def test_threads_are_cut(self):
        cut = [json.loads(line) for line in self.rig.log().splitlines()
               if '"threads_cut"' in line]
        self.assertEqual(
            [(c["level"], c["parameter"], int(c["wanted"]), c["limit"])
             for c in cut],
            [("warn", "threads", 1024, "RLIMIT_NOFILE")])
        # Four descriptors a stream or more, and what a worker has besides.
        threads = int(cut[0]["threads"])
        self.assertIn(threads, range(FILES // 10, FILES // 4))
        # More streams than one worker has: those that are taken end well, the
        # others are told at once, and nobody runs out of descriptors.
        ends, lock = [], threading.Lock()

        def stream():
            s = self.rig.stream()
            if s.status == 200:
                end = s.all()[-1][0]
            else:
                end = s.status
                s.response.read()
            s.close()
            with lock:
                ends.append(end)
        callers = [threading.Thread(target=stream) for _ in range(300)]
        for t in callers:
            t.start()
        for t in callers:
            t.join()
        self.assertEqual(len(ends), 300)
        self.assertLessEqual(set(ends), {"done", 503})
        self.assertGreaterEqual(ends.count("done"), threads)
        self.assertNotIn("accept_rests", self.rig.log())
        self.assertEqual(self.rig.chat().status, 200)


if __name__ == "__main__":
    unittest.main()
