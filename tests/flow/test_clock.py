"""A wall clock that jumps (ROBUSTNESS A18): an hour, a day back, an hour ahead,
and back.  Nothing crashes, limits and deadlines go on by the monotonic clock,
and what is stored can be read."""
import glob
import os
import time
import unittest

from rig import Provider, Rig, wait_until

HOURS = (1, -1, -24, 0)


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    assert found, "the package faketime is missing"
    return found[0]


class ClockTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        # The file has to be there before the first look at the clock; it is
        # the rig's directory that is not.
        cls.file = f"/tmp/sbt-clock-{os.getpid()}"
        cls.jump(0)
        env = dict(cls.provider.env(), FAKETIME_TIMESTAMP_FILE=cls.file,
                   FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1",
                   FAKETIME_DONT_RESET="1")
        try:
            cls.rig = Rig("clock", env=env, params={
                "heartbeat": "300ms", "provider_first_byte": "700ms"},
                wrap=["env", f"LD_PRELOAD={library()}"])
        except BaseException:
            os.unlink(cls.file)
            raise
        cls.rig.configure("sales/human_health", {
            "model_override": "openai:mock-echo", "model_fallback": False})

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()
        os.unlink(cls.file)

    @classmethod
    def jump(cls, hours):
        """Set the server's clock to now and ${hours}."""
        with open(cls.file + ".new", "w") as f:
            f.write(f"{hours * 3600:+d}\n")
        os.chmod(cls.file + ".new", 0o644)
        os.rename(cls.file + ".new", cls.file)

    def stored(self, reply):
        (began,), = self.rig.sql(
            "select extract(epoch from started_at)::bigint from turns "
            f"where id = '{reply.json['turn_id']}'")
        return int(began)

    def test_jumps(self):
        rig = self.rig
        rig.run("account", "set-limit", "globex", "requests_per_hour", "8")
        rig.configure("sales/widgets", {
            "model_override": "openai:mock-echo", "model_fallback": False},
            account="globex")
        rig.configure("sales/animal_health", {
            "model_override": "openai:mock-stall-0", "model_fallback": False})
        workers = rig.workers("")
        limited = []

        def globex():
            limited.append(rig.chat("sales/widgets", account="globex",
                                    key=rig.globex_key).status)
        session = None
        for hours in HOURS:
            self.jump(hours)
            body = {"session_key": session} if session else {}
            reply = rig.chat(message=f"it is {hours}", **body)
            self.assertEqual(reply.status, 200, reply)
            # The server did see another time; the turn is there.
            self.assertAlmostEqual(self.stored(reply),
                                   time.time() + hours * 3600, delta=60)
            # A session is gone when it has been silent for a day, by the
            # clock there is; else it goes on.
            session = reply.json["session_key"]
            events = rig.stream(message="again").all()
            self.assertEqual(events[-1][0], "done", events)
            # A limit is not filled anew, nor shut for an hour.
            globex()
            globex()
            # A deadline is neither at once nor in an hour.
            began = time.monotonic()
            late = rig.chat("sales/animal_health")
            took = time.monotonic() - began
            self.assertEqual(late.status, 504, late)
            self.assertGreater(took, 0.6)
            self.assertLess(took, 10)
        self.assertEqual(limited, [200] * 8)
        globex()
        self.assertEqual(limited[-1], 429)
        # What is said in one session while the clock jumps is all there.
        reply = rig.chat(message="one")
        session = reply.json["session_key"]
        self.jump(-1)
        self.assertEqual(rig.chat(message="two", session_key=session).status,
                         200)
        said = rig.get(
            f"/accounts/acme-healthcare/sessions/{session}/messages",
            headers=rig.auth()).json
        self.assertEqual({m["content"] for m in said["data"]
                          if m["role"] == "user"}, {"one", "two"})
        # Streams that are open while it jumps go on.
        rig.configure("sales/human_health", {
            "model_override": "openai:mock-paced-20x100",
            "model_fallback": False})
        stream = rig.stream(message="long")
        seen = []
        for n, (name, *_rest) in enumerate(stream.events()):
            seen.append(name)
            if n in (2, 6, 10):
                self.jump((24, -24, 0)[(2, 6, 10).index(n)])
        self.assertEqual(seen[-1], "done")
        self.assertEqual(rig.workers(""), workers)
        self.assertNotIn("worker_died", rig.log())
        wait_until(rig.ready, 5, "it is ready")


if __name__ == "__main__":
    unittest.main()
