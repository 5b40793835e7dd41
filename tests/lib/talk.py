"""A test case that talks: a rig without limits, several workers and a scripted
provider.  Used where who answers, and whether twice, is the question."""
import unittest

from rig import Floor, Provider, Rig


class TalkTest(unittest.TestCase):
    NAME = "talk"

    @classmethod
    def setUpClass(cls):
        cls.provider = Provider()
        cls.rig = Rig(cls.NAME, env=cls.provider.env(), params={
            "heartbeat": "200ms", "threads": 256, "chat_workers": 3})
        cls.rig.run("account", "set-limit", "acme-healthcare",
                    "requests_per_hour", "unlimited")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()
        cls.provider.close()

    def setUp(self):
        self.floor = Floor()
        self.addCleanup(self.floor.stop)

    def use(self, model):
        self.rig.configure("sales/human_health", {
            "model_override": model, "model_fallback": False})
        self.provider.reset()
