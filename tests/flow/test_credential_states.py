"""What hosts know of credentials goes round by the database: the listener hears
an order that stands there, and tells what has become of it."""
import socket
import time
import unittest

from manage import caller
from rig import SLOWER, Rig, wait_until


class CredentialStatesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = Rig("states", params={"chat_workers": 1, "admin_workers": 1})
        cls.owner = caller(cls.rig, "account_owner")

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def row(self, one, host):
        return self.rig.sql(
            "SELECT state, reason FROM control.credential_states WHERE "
            f"credential_id = '{one}' AND host = '{host}'")

    def test_an_order_goes_round(self):
        made = self.owner.post("llm-credentials", {
            "provider": "openai", "name": "one", "key": "sk-test-0001"})
        self.assertEqual(made.status, 201, made)
        one, here = made.json["id"], socket.gethostname()
        self.rig.sql(
            "INSERT INTO control.credential_states (account_id, credential_id,"
            " host, reason) SELECT account_id, id, '', 'reset'"
            f" FROM control.llm_credentials WHERE id = '{one}'")
        asked = time.monotonic()
        wait_until(lambda: self.row(one, here), 10, "told of the order")
        took = time.monotonic() - asked
        self.assertEqual([tuple(r) for r in self.row(one, here)],
                         [("closed", "operator")])
        # heard within one round, told with the next
        self.assertLess(took, 2.0 * SLOWER)
        # It takes its rows along when it goes.
        gone = self.owner.delete(f"llm-credentials/{one}")
        self.assertIn(gone.status, (200, 204), gone)
        self.assertEqual(self.row(one, here), [])

    def test_it_begins_and_ends_with_the_server(self):
        self.assertEqual(self.rig.stop("switchboardd"), 0)
        self.rig.start_server()
        wait_until(self.rig.ready, 20, "the server is ready")
        self.assertNotIn("credentials_not_shared", self.rig.log())
        self.assertNotIn("credentials_begin_anew", self.rig.log())


if __name__ == "__main__":
    unittest.main()
