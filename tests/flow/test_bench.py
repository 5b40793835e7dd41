"""The measuring programs run at the smallest size: what they find is not judged
here.  (Streams and web servers, which take long, are measured by hand.)"""
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


class BenchTest(unittest.TestCase):
    def test_parts(self):
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "..", "..", "bench", "run"),
             "--seconds", "1", "--rounds", "1", "--paced", "20", "--turns",
             "10100", "--accounts", "20", "--json", "--only",
             "turns,latency,read,first,config,guard,memory,scale"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=300, env=dict(os.environ, SB_PG_FSYNC="on"))
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        got = json.loads(done.stdout)
        for name in ("floor", "F", "P", "turn"):
            self.assertGreater(got["best"][name]["per_second"], 10)
        self.assertGreater(got["cpu_us_per_turn"]["ours"], 1)
        self.assertGreater(got["cpu_us_prototype"], 1)
        self.assertEqual(got["first"]["turn"]["errors"], 0)
        self.assertGreater(got["config_ms"], 0)
        self.assertEqual(len(got["guard"]), 5)
        self.assertTrue(all(0 < us["p50"] <= us["p99"]
                            for us in got["guard"].values()), got["guard"])
        self.assertGreater(got["scale"]["idle"], 1e6)
        self.assertGreater(len(got["rows"]), 15)


if __name__ == "__main__":
    unittest.main()
