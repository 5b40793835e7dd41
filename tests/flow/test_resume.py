"""Streams that break and go on: Last-Event-ID, on_disconnect with its grace
(ROBUSTNESS A16, A23)."""
import concurrent.futures
import json
import os
import random
import signal
import threading
import time
import unittest
import uuid

import talk
from rig import NOBODY, wait_until

# How many cuts of each kind; SB_LONG gives the full size.
CUTS = 120 if os.environ.get("SB_LONG") else 16


def said(events):
    return "".join(e[2]["text"] for e in events if e[0] == "delta")


class ResumeTest(talk.TalkTest):
    NAME = "resume"

    def stored(self, turn, status=None):
        def look():
            rows = self.rig.sql("select status, reply_text, error_kind, "
                                "output_tokens from turns where "
                                f"id = '{turn}'")
            return rows and (status is None or rows[0][0] == status) and \
                rows[0]
        return wait_until(look, 10, f"the turn is stored as {status}")

    def begin(self, n, **kw):
        """Start a stream and break it off after ${n} events."""
        stream = self.rig.stream(**kw)
        self.assertEqual(stream.status, 200)
        events = []
        for event in stream.events():
            events.append(event)
            if len(events) == n:
                break
        stream.close()
        return events[0][2]["turn_id"], events

    def go_on(self, turn, last, patience=0):
        """The rest of a turn; for ${patience} seconds workers may die before
        they answer."""
        until = time.monotonic() + patience
        stream = self.rig.resume(turn, last)
        while stream.status == 502 and time.monotonic() < until:
            stream.close()
            stream = self.rig.resume(turn, last)
        if stream.status == 204:
            self.assertEqual(stream.response.read(), b"")
            stream.close()
            return []
        self.assertEqual(stream.status, 200)
        events = stream.all()
        stream.close()
        return events

    def check_whole(self, events, reply, ending="done"):
        """Nothing twice, nothing lost, whatever it was put together from."""
        self.assertEqual(said(events), reply)
        names = [e[0] for e in events if e[0] != "delta"]
        self.assertEqual(names[0], "session")
        self.assertEqual(names[-1], ending, events[-1])
        self.assertEqual(len(names), len(set((e[0], e[1]) for e in events
                                             if e[0] != "delta")))
        at = 0
        for name, ident, data, _ in events:
            n = int(ident.split(":")[1])
            at += len(data["text"].encode()) if name == "delta" else 1
            self.assertEqual(n, at, (name, ident))

    # -- going on --------------------------------------------------------

    def test_cut_anywhere_while_it_runs(self):
        """Cut at random places, go on at random workers, again and again."""
        self.use("openai:mock-paced-60x15")
        lots = random.Random(4711)

        def one(_):
            with_lots = lots.randrange(1, 30)
            turn, events = self.begin(with_lots, message="cut anywhere")
            while events[-1][0] != "done":
                stream = self.rig.resume(turn, events[-1][1])
                self.assertEqual(stream.status, 200)
                most = lots.randrange(1, 40)
                for event in stream.events():
                    events.append(event)
                    most -= 1
                    if most == 0:
                        break
                stream.close()
            return turn, events
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for turn, events in pool.map(one, range(CUTS)):
                row = self.stored(turn)
                self.assertEqual(row[0], "completed")
                self.check_whole(events, row[1])
        self.assertEqual(self.provider.stats()["calls"], CUTS)

    def test_every_position_after_the_end(self):
        self.use("openai:mock-tool-paced-4x1")
        stream = self.rig.stream(message="every position \u00e9\u20ac")
        whole = stream.all()
        stream.close()
        turn = whole[0][2]["turn_id"]
        reply = self.stored(turn, "completed")[1].encode()
        end = int(whole[-1][1].split(":")[1])
        told = self.go_on(turn, None)
        self.check_whole(told, reply.decode())
        self.assertEqual([e[:3] for e in told if e[0] != "delta"],
                         [e[:3] for e in whole if e[0] != "delta"])
        step = 1 if os.environ.get("SB_LONG") else 5
        for n in list(range(0, end, step)) + [end - 1, end, end + 7]:
            rest = self.go_on(turn, f"{turn}:{n}")
            had, at = 0, 0
            for name, ident, data, _ in whole:
                to = int(ident.split(":")[1])
                if name == "delta":
                    had += max(0, min(n, to) - at)
                at = to
            while had and reply[had:had + 1] and reply[had] & 0xc0 == 0x80:
                had -= 1
            self.assertEqual(said(rest), reply[had:].decode(), n)
            self.assertEqual(
                [e[:3] for e in rest if e[0] != "delta"],
                [e[:3] for e in whole if e[0] != "delta" and
                 int(e[1].split(":")[1]) > n], n)
            self.assertEqual(rest == [], n >= end)

    def test_several_follow_from_the_start(self):
        self.use("openai:mock-paced-30x30")
        stream = self.rig.stream(message="several")
        source = stream.events()
        events = [next(source)]
        turn = events[0][2]["turn_id"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            others = [pool.submit(self.go_on, turn, None) for _ in range(6)]
            events += list(source)
            stream.close()
            reply = self.stored(turn)[1]
            self.check_whole(events, reply)
            for other in others:
                told = other.result()
                self.check_whole(told, reply)
                # As it was said, not when it was over.
                first = next(e[3] for e in told if e[0] == "delta")
                self.assertLess(first, told[-1][3] / 2 + 0.05)

    def test_more_than_the_log_holds(self):
        """Beyond 256 KB the rest comes from the stored turn, at once."""
        self.use("openai:mock-words-16000-slow-300")
        # Whoever is slow to come back finds it going on.
        turn, events = self.begin(1, message="long", on_disconnect="finish")
        events += self.go_on(turn, events[-1][1])
        row = self.stored(turn)
        self.assertGreater(len(row[1]), 100000)
        self.check_whole(events, row[1])
        again = self.go_on(turn, None)
        self.check_whole(again, row[1])

    def test_a_key_attaches_while_it_runs(self):
        self.use("openai:mock-paced-40x40")
        headers = dict(self.rig.auth(),
                       **{"Idempotency-Key": str(uuid.uuid4())})
        turn, events = self.begin(4, message="attach", headers=headers)
        stream = self.rig.stream(message="attach", headers=headers)
        self.assertEqual(stream.headers.get("idempotent-replayed"), "true")
        told = stream.all()
        stream.close()
        self.assertEqual(told[0][2]["turn_id"], turn)
        self.check_whole(told, self.stored(turn, "completed")[1])
        self.assertLess(next(e[3] for e in told if e[0] == "delta"),
                        told[-1][3] / 2)
        self.assertEqual(self.provider.stats()["calls"], 1)

    # -- who may ---------------------------------------------------------

    def test_who_may_go_on(self):
        self.use("openai:mock-paced-20x50")
        origin = {"Origin": "http://127.0.0.1:1",
                  "X-Forwarded-For": "192.0.2.7"}
        mine = dict(origin, **{"X-Widget-Key": self.rig.widget_key})
        other = dict(origin, **{"X-Widget-Key": self.rig.cli(
            "key", "create", "acme-healthcare", "--kind", "widget", "--name",
            "other", "--origin", "http://127.0.0.1:*")["key"]})
        stream = self.rig.stream(message="mine", headers=mine)
        source = stream.events()
        first = next(source)
        turn, session = first[2]["turn_id"], first[2]["session_key"]
        for when in ("while it runs", "after its end"):
            with self.subTest(when):
                def status(turn=turn, last=None, **kw):
                    s = self.rig.resume(turn, last, **kw)
                    got = s.status
                    s.close()
                    return got
                self.assertEqual(status(headers=mine), 200)
                self.assertEqual(status(headers=dict(
                    mine, **{"X-Session-Key": session})), 200)
                self.assertEqual(status(), 200)  # the account's own key
                for refused in (
                        status(headers=other),
                        status(headers=dict(mine, **{
                            "X-Session-Key": session[:-1] + "x"})),
                        status(account="globex", agent="sales/widgets",
                               key=self.rig.globex_key),
                        status(agent="sales/animal_health"),
                        status(NOBODY), status("nonsense")):
                    self.assertEqual(refused, 404)
                self.assertEqual(status(headers={}), 401)
                self.assertEqual(status(last=f"{turn}:x"), 400)
                self.assertEqual(status(last=f"{turn}:-1"), 400)
                self.assertEqual(status(last=f"{NOBODY}:1"), 422)
            list(source)
        stream.close()
        path = "/accounts/acme-healthcare/agents/sales/human_health/stream"
        reply = self.rig.get(path, headers=self.rig.auth())
        self.assertEqual(reply.status, 422, reply)
        # For readers that can set no header, and the header wins.
        reply = self.rig.get(f"{path}?turn_id={turn}&last_event_id={turn}:1",
                             headers=self.rig.auth())
        self.assertEqual(reply.status, 200)
        self.assertNotIn(b"event: session", reply.body)
        self.assertIn(b"event: done", reply.body)

    # -- on_disconnect ---------------------------------------------------

    def cut_and_wait(self, **kw):
        """Hang up in the middle; how long until upstream was closed."""
        turn, events = self.begin(5, **kw)
        cut = time.monotonic()
        wait_until(lambda: self.provider.stats()["answering"] == 0, 6,
                   "upstream is closed")
        return turn, events, time.monotonic() - cut

    def test_cancel_after_the_grace(self):
        self.use("openai:mock-paced-400x20")
        began = time.monotonic()
        turn, events, took = self.cut_and_wait(message="cancel")
        self.assertGreater(took, 1.2)
        self.assertLess(took, self.floor.limit(2.3, began))
        row = self.stored(turn, "cancelled")
        self.assertTrue(row[1].startswith(said(events)))
        # Said is what came until then, some 1.5 s of it, and no more billed.
        self.assertLess(len(row[1].split()), 250)
        self.assertLess(int(row[3]), 1200)
        rest = self.go_on(turn, events[-1][1])
        self.check_whole(events + rest, row[1])
        self.assertEqual(next(e[2]["finish_reason"] for e in rest
                              if e[0] == "message"), "cancelled")

    def test_finish_goes_on(self):
        self.use("openai:mock-paced-60x40")
        turn, events = self.begin(5, message="finish",
                                  on_disconnect="finish")
        row = self.stored(turn, "completed")
        self.check_whole(events + self.go_on(turn, events[-1][1]), row[1])

    def test_who_follows_keeps_it_alive(self):
        """Within the grace somebody takes over; when he leaves too, it
        ends."""
        self.use("openai:mock-paced-400x20")
        turn, events = self.begin(3, message="taken over")
        time.sleep(0.5)
        stream = self.rig.resume(turn, events[-1][1])
        source, until = stream.events(), time.monotonic() + 2.5
        while time.monotonic() < until:
            events.append(next(source))
        self.assertEqual(self.provider.stats()["answering"], 1)
        stream.close()
        cut = time.monotonic()
        wait_until(lambda: self.provider.stats()["answering"] == 0, 6,
                   "upstream is closed")
        self.assertLess(time.monotonic() - cut, self.floor.limit(2.6, cut))
        row = self.stored(turn, "cancelled")
        self.check_whole(events + self.go_on(turn, events[-1][1]), row[1])

    def test_a_json_turn_waits_for_its_key_only(self):
        self.use("openai:mock-paced-100x20")
        key = str(uuid.uuid4())

        def hang_up(**headers):
            c = self.rig.connect()
            c.request(
                "POST", "/accounts/acme-healthcare/chat/sales/human_health",
                json.dumps({"message": "json " + key}),
                dict(self.rig.auth(), **{
                    "Content-Type": "application/json"}, **headers))
            wait_until(lambda: self.provider.stats()["answering"] == 1, 5,
                       "it runs")
            c.sock.close()
        hang_up()
        wait_until(lambda: self.provider.stats()["answering"] == 0, 1.2,
                   "nobody can come back: closed at once")
        hang_up(**{"Idempotency-Key": key})
        reply = self.rig.chat(message="json " + key, headers=dict(
            self.rig.auth(), **{"Idempotency-Key": key}))
        self.assertEqual((reply.status,
                          reply.headers.get("idempotent-replayed")),
                         (200, "true"), reply)
        self.assertEqual(self.provider.stats()["calls"], 2)

    # -- crashes ---------------------------------------------------------

    def test_the_serving_worker_dies(self):
        """What was told stays told, then it is said that this is the end."""
        self.use("openai:mock-paced-300x30")
        for n, pause in ((1, 0), (6, 0.4)):  # written down or not yet
            turn, events = self.begin(n, message="dies")
            time.sleep(pause)
            follower = {"told": []}

            def follow():
                follower["told"] = self.go_on(turn, events[-1][1], 10)
            t = threading.Thread(target=follow)
            t.start()
            self.kill_serving()
            t.join()
            # nginx ends what it was telling when the worker it had died too
            rest = follower["told"]
            if not rest or rest[-1][0] != "error":
                last = (events + rest)[-1][1]
                rest += self.go_on(turn, last)
            self.check_whole(events + rest, said(events + rest), "error")
            self.assertEqual(rest[-1][2]["type"], "/problems/worker-lost")
            self.assertEqual(self.rig.sql(
                f"select count(*) from turns where id = '{turn}' and "
                "status <> 'failed'"), [["0"]])

    def kill_serving(self):
        """Kill every chat worker that talks to the provider."""
        workers = self.rig.workers()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(self.rig.workers()) - set(workers)) >= 3,
                   10, "others stand in their place")

    def test_a_following_worker_dies(self):
        """The reader tries once more, at another one."""
        self.use("openai:mock-paced-100x30")
        stream = self.rig.stream(message="follower dies")
        source = stream.events()
        turn = next(source)[2]["turn_id"]
        serving = self.holder(turn)
        events = []
        for _ in range(12):
            follow = self.rig.resume(turn, events[-1][1] if events else None)
            got, n = self.followers(turn, serving), 0
            for event in follow.events():
                events.append(event)
                n += 1
                if n == 5 and got:
                    os.kill(got[0], signal.SIGKILL)
            follow.close()
            if events[-1][0] == "done":
                break
        list(source)
        stream.close()
        self.check_whole(events, self.stored(turn, "completed")[1])

    def with_log(self, turn):
        """Workers that have the turn's log open."""
        found = []
        for pid in self.rig.workers():
            try:
                fds = os.listdir(f"/proc/{pid}/fd")
                if any(turn in os.readlink(f"/proc/{pid}/fd/{fd}")
                       for fd in fds):
                    found.append(pid)
            except OSError:
                pass
        return found

    def holder(self, turn):
        return wait_until(lambda: self.with_log(turn), 5, "it has a log")[0]

    def followers(self, turn, serving):
        """Those that follow, and do not run it."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            got = [p for p in self.with_log(turn) if p != serving]
            if got:
                return got
        return []

    def test_nothing_is_left_behind(self):
        self.use("openai:mock-echo")
        turns = self.rig.path("run", "turns")
        stream = self.rig.stream(message="left behind")
        turn = stream.all()[0][2]["turn_id"]
        stream.close()
        log = os.path.join(turns, turn)
        self.assertEqual(os.stat(log).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(turns).st_mode & 0o777, 0o700)
        self.assertEqual([p for p in self.with_log(turn)], [])
        if os.environ.get("SB_LONG"):
            wait_until(lambda: not os.path.exists(log), 75, "gone")


if __name__ == "__main__":
    unittest.main()
