#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Subscribe tells what happens, in order and once; who reads slowly gets what counts and costs nothing; List fits through any queue."""
import os
import pathlib
import random
import resource
import signal
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import systemd  # noqa: E402

LIMIT = 20 * daemon.SLOW
SERVICE = "io.systemd.service."
EVENTS_KEPT = 4096
RESET = 4
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


class Subscriber:
    def __init__(self, d, **parameters):
        self.client = d.connect()
        self.client.sock.settimeout(LIMIT)
        self.client.send("Subscribe", parameters, more=True)
        self.seen = []

    def next(self):
        reply = self.client.receive()
        assert reply.get("continues") and "error" not in reply, reply
        self.seen.append(reply["parameters"])
        return self.seen[-1]

    def until(self, event, **fields):
        """Reads until that one, which it returns."""
        while True:
            got = self.next()
            if got["event"] == event and all(got.get(name) == value for name, value in fields.items()):
                return got

    def until_state(self, display, state):
        while True:
            got = self.until("displayState", id=display)
            if got["runtime"]["state"] == state:
                return got

    def silent(self, seconds=0.3):
        """Nothing comes."""
        self.client.sock.settimeout(seconds)
        try:
            raise AssertionError(f"came: {self.next()}")
        except TimeoutError:
            self.client.sock.settimeout(LIMIT)

    def names(self):
        return [each["event"] for each in self.seen]

    def close(self):
        self.client.close()


class Events(unittest.TestCase):
    config = "[viewers]\ngrace-seconds = 0\nlinger-seconds = 0\n"

    def setUp(self):
        self.d = daemon.Daemon(config=self.config)
        self.addCleanup(lambda: self.d.__exit__(*sys.exc_info()))
        self.client = self.d.connect()

    def canvas(self, *size):
        made = surface.Surface(*(size or (64, 48)))
        self.addCleanup(made.close)
        return made

    def reload(self, times=1):
        for _ in range(times):
            self.client.call(SERVICE + "Reload")

    def update(self, display, **context):
        self.client.call("Update", {"id": display, "context": context})

    def test_a_display_from_its_beginning_to_its_end(self):
        canvas = self.canvas()
        all_of_it, named, other = Subscriber(self.d), Subscriber(self.d, id="a"), Subscriber(self.d, id="b")
        filtered = Subscriber(self.d, filter=["displayUnregistered", "displayResized"])
        for each in (all_of_it, named, other, filtered):
            self.assertEqual(each.next(), {"event": "ready", "sequence": 0})
        held = self.d.register(canvas, "a", client=self.client, context={"labels": {"k": "v"}, "machine": "m"})
        got = all_of_it.next()
        self.assertEqual((got["event"], got["sequence"], got["id"], got["context"]["machine"], got["context"]["labels"]),
                         ("displayRegistered", 1, "a", "m", {"k": "v"}))
        got = all_of_it.until_state("a", "live")
        self.assertEqual([plane["width"] for plane in got["runtime"]["planes"]], [64])
        # Somebody must look for the rest to be seen.
        viewer = self.d.viewer("a")
        viewer.set_encodings(rfb.RAW, rfb.DESKTOP_SIZE)
        viewer.first()
        canvas.shape(32, 40)
        canvas.show()
        canvas.signal()
        got = all_of_it.until("displayResized", id="a")
        self.assertEqual((got["runtime"]["planes"][0]["width"], got["runtime"]["planes"][0]["height"]), (32, 40))
        canvas.off()
        self.assertIn("switched", all_of_it.until_state("a", "blank")["runtime"]["stateReason"])
        canvas.show()
        canvas.signal()
        all_of_it.until_state("a", "live")
        self.update("a", name="other")
        self.assertEqual(all_of_it.until("displayUpdated")["context"]["name"], "other")
        os.close(held)
        all_of_it.until_state("a", "lost")
        last = all_of_it.until("displayUnregistered")
        self.assertEqual(last["context"]["name"], "other")
        named.until("displayUnregistered")
        self.assertEqual(named.seen, all_of_it.seen)
        numbers = [each["sequence"] for each in all_of_it.seen]
        self.assertEqual(numbers, sorted(set(numbers)))
        filtered.until("displayUnregistered")
        self.assertEqual(filtered.names(), ["ready", "displayResized", "displayUnregistered"])
        self.assertEqual([each["sequence"] for each in filtered.seen[1:]], [
            each["sequence"] for each in all_of_it.seen if each["event"] in ("displayResized", "displayUnregistered")])
        other.silent()
        viewer.close()

    def test_viewers_tickets_input_and_power(self):
        canvas, port = self.canvas(), daemon.free_port()
        s = Subscriber(self.d, filter=["viewerAttached", "viewerAuthenticated", "viewerDetached", "ticketUsed", "inputLost",
                                       "powerRequested"])
        s.next()
        lease, held = os.pipe()
        vmm, sink = socket.socketpair()
        registrant = self.d.connect()
        registrant.send("Register", {
            "context": {"id": "a"}, "source": "surface", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
            "input": [{"kind": "keyboard", "fileDescriptorIndex": 2}],
            "listen": [{"mode": "control", "address": f"127.0.0.1:{port}", "security": ["vncauth"]}]},
            [canvas.fd, lease, sink.fileno()], more=True)
        registrant.receive()
        os.close(lease)
        sink.close()
        # By Attach: there first, then in.
        sock, name = self.client.attach("a", "control", label="me")
        got = s.next()
        self.assertEqual((got["event"], got["id"], got["viewer"]["viewer"], got["viewer"]["label"], got["viewer"]["peer"]),
                         ("viewerAttached", "a", name, "me", "attached"))
        s.client.sock.settimeout(0.2)
        viewer = rfb.Client(sock, timeout=LIMIT)
        s.client.sock.settimeout(LIMIT)
        self.assertEqual(s.until("viewerAuthenticated")["viewer"]["viewer"], name)
        viewer.set_encodings(rfb.RAW, rfb.XVP)
        viewer.first()
        viewer.xvp(RESET)
        got = s.until("powerRequested")
        self.assertEqual((got["action"], got["viewer"]["viewer"], got["viewer"]["label"]), ("reset", name, "me"))
        self.client.call("Detach", {"viewer": name})
        got = s.until("viewerDetached")
        self.assertEqual(got["viewer"]["viewer"], name)
        self.assertTrue(got["reason"])
        viewer.close()
        # By a ticket.
        ticket = self.client.call("IssueTicket", {"id": "a", "mode": "view", "label": "ann"})["ticket"]
        viewer = rfb.Client(("127.0.0.1", port), timeout=LIMIT, password=ticket, security="vncauth")
        got = s.until("ticketUsed")
        self.assertEqual((got["id"], got["label"]), ("a", "ann"))
        self.assertTrue(got["peer"].startswith("127.0.0.1:"))
        self.assertNotIn(ticket, str(s.seen))
        for event in ("viewerAttached", "viewerAuthenticated"):
            got = s.next()
            self.assertEqual((got["event"], got["viewer"]["label"], got["viewer"]["mode"]), (event, "ann", "view"))
        viewer.close()
        s.until("viewerDetached")
        vmm.close()
        got = s.until("inputLost")
        self.assertEqual((got["id"], got["input"]), ("a", "keyboard"))
        self.assertTrue(got["reason"])
        # Who is there when the program dies, leaves.
        viewer = self.d.viewer("a")
        s.until("viewerAuthenticated")
        self.d.signal(self.d.rfb_programs()[0])
        self.assertIn("ended", s.until("viewerDetached")["reason"])
        viewer.close()
        os.close(held)

    def test_the_daemon_itself(self):
        s, named = Subscriber(self.d), Subscriber(self.d, id="a")
        held = self.d.register(self.canvas(), "a")
        s.until_state("a", "live")
        self.reload()
        s.until("reloading")
        os.kill(self.d.pid, signal.SIGHUP)
        s.until("reloading")
        os.kill(self.d.pid, signal.SIGTERM)
        for each in (s, named):
            each.until("stopping")
            each.until_state("a", "draining")
            each.until("displayUnregistered")
            with self.assertRaises((EOFError, ConnectionError)):
                each.next()
        self.assertEqual(self.d.process.wait(LIMIT), 0)
        os.close(held)

    def test_over_a_restart(self):
        """The connection breaks; nothing says that the display goes, for it does not."""
        service = systemd.Service()
        self.addCleanup(service.stop)
        canvas = self.canvas()
        held = service.register(canvas, "a")
        viewer = service.viewer("a")
        viewer.first()
        for how in ("restart", "crash"):
            s = Subscriber(service, current=True)
            s.until("ready")
            self.assertEqual([(each["id"], each["runtime"]["viewers"]) for each in s.seen[:-1]], [("a", 1)], how)
            if how == "restart":
                service.restart()
            else:
                service.crash()
                service.start()
            with self.assertRaises((EOFError, ConnectionError)):
                while s.next()["event"] in ("displayState", "stopping"):
                    pass
            self.assertEqual([each for each in s.seen if each.get("runtime", {}).get("state") in ("lost", "draining")], [])
            self.assertEqual("stopping" in s.names(), how == "restart")
            # Numbers begin anew.
            s = Subscriber(service)
            self.assertLess(s.next()["sequence"], 10)
            s.close()
        viewer.close()
        os.close(held)
        for each in service.opened:
            each.close()

    def test_what_cannot_be_asked_for(self):
        self.assertEqual(self.client.error("Subscribe"), "ExpectedMore")
        for wrong in ({"filter": ["displayFlown"]}, {"filter": []}, {"filter": "ready"}, {"id": "a b"}, {"current": 1}, {"since": 1}):
            self.assertEqual(self.client.error("Subscribe", wrong, more=True), "InvalidParameter", wrong)

    def test_current(self):
        """What is there comes first, then ready; nothing that happens meanwhile is lost."""
        held = [self.d.register(self.canvas(), name, client=self.client) for name in "abc"]
        for name in "abc":
            self.client.until(name, lambda runtime: runtime["state"] == "live")
        s, one, none = (Subscriber(self.d, current=True, **more) for more in ({}, {"id": "b"}, {"filter": ["reloading"]}))
        s.until("ready")
        one.until("ready")
        none.until("ready")
        self.assertEqual([(each["event"], each.get("id")) for each in s.seen],
                         [("displayState", "a"), ("displayState", "b"), ("displayState", "c"), ("ready", None)])
        self.assertEqual({each["runtime"]["state"] for each in s.seen[:3]}, {"live"})
        self.assertEqual(len({each["sequence"] for each in s.seen}), 1)
        self.assertEqual([each.get("id") for each in one.seen], ["b", None])
        self.assertEqual(none.names(), ["ready"])
        self.update("c", name="new")
        self.assertEqual(s.next()["sequence"], s.seen[0]["sequence"] + 1)
        for each in held:
            os.close(each)

    def test_slow_one(self):
        """Loses the middle, is told how much, and then knows how things are; the daemon does not grow, others notice nothing."""
        canvas = [self.canvas() for _ in range(3)]
        held = [self.d.register(canvas[n], f"d{n}", client=self.client) for n in range(3)]
        for n in range(3):
            self.client.until(f"d{n}", lambda runtime: runtime["state"] == "live")
        slow = [Subscriber(self.d) for _ in range(20)]
        fast = Subscriber(self.d)
        first = [each.next() for each in (*slow, fast)][0]["sequence"]
        reloads = 2 * EVENTS_KEPT
        reader = threading.Thread(target=lambda: [fast.until("displayUpdated", sequence=first + reloads + 1)])
        reader.start()
        self.reload(EVENTS_KEPT // 2)
        before = self.d.memory(self.d.pid)
        self.reload(reloads - EVENTS_KEPT // 2)
        self.update("d1", name="last")
        reader.join()
        self.assertEqual(fast.names(), ["ready"] + reloads * ["reloading"] + ["displayUpdated"])
        self.assertEqual([each["sequence"] for each in fast.seen], list(range(first, first + reloads + 2)))
        self.assertLess(self.d.memory(self.d.pid) - before, 6000 * daemon.SLOW)
        os.close(held.pop(0))
        fast.until("displayUnregistered")
        held.append(self.d.register(canvas[0], "new", client=self.client))
        fast.until_state("new", "live")
        for each in slow:
            missed = each.until("missed")
            told = len(each.seen) - 2
            self.assertEqual(each.names()[1:-1], told * ["reloading"])
            self.assertEqual(told + missed["missed"], missed["sequence"] - first)
            again = len(each.seen)
            each.until("ready")
            states = each.seen[again:-1]
            self.assertEqual([(got["event"], got["id"], got["runtime"]["state"]) for got in states],
                             [("displayState", name, "live") for name in ("d1", "d2", "new")])
            self.assertEqual(states[0]["context"].get("name"), "last")
        self.reload()
        for each in slow:
            each.until("reloading")
        for each in held:
            os.close(each)

    def test_latest_state_wins(self):
        """Of a display that changes all the time a slow one sees the newest, and few of those before."""
        held = self.d.register(self.canvas(), "a", client=self.client)
        slow = Subscriber(self.d, id="a")
        slow.until("ready")
        for n in range(3000):
            self.update("a", name=f"name {n}")
        self.reload()
        slow.until("reloading")
        names = [int(each["context"]["name"].split()[1]) for each in slow.seen if each["event"] == "displayUpdated"]
        self.assertEqual(names[-1], 2999)
        self.assertEqual(names, sorted(names))
        self.assertLess(len(names), 2000)
        self.assertNotIn("missed", slow.names())
        os.close(held)

    def test_hundreds_and_all_see_the_same(self):
        everybody = [Subscriber(self.d) for _ in range(300)]
        for each in everybody:
            each.next()
        canvas = self.canvas()
        held = self.d.register(canvas, "a", client=self.client)
        self.client.until("a", lambda runtime: runtime["state"] == "live")
        for n in range(20):
            self.update("a", name=f"n{n}")
            self.reload()
        os.close(held)
        for each in everybody:
            each.until("displayUnregistered")
        # What is overtaken in time for one is so for all: they are served together.
        self.assertEqual({str(each.seen[1:]) for each in everybody}, {str(everybody[0].seen[1:])})
        for each in everybody:
            each.close()

    def test_deaths(self):
        """At any moment, having read anything or nothing."""
        held = self.d.register(self.canvas(), "a", client=self.client)
        dice, stop = random.Random(5), threading.Event()
        self.reload()
        before = self.d.fds()
        worker = self.d.connect()

        def noise():
            n = 0
            while not stop.is_set():
                n += 1
                worker.call("Update", {"id": "a", "context": {"name": f"n{n}"}})
                worker.call(SERVICE + "Reload")

        thread = threading.Thread(target=noise)
        thread.start()
        alive = []
        try:
            for _ in range(400):
                if alive and (len(alive) > 40 or dice.random() < 0.5):
                    alive.pop(dice.randrange(len(alive))).close()
                else:
                    made = Subscriber(self.d, current=dice.random() < 0.5)
                    for _ in range(dice.choice((0, 0, 1, 5))):
                        made.next()
                    alive.append(made)
        finally:
            stop.set()
            thread.join()
        # Those that are left still hear everything.
        self.reload()
        self.update("a", name="end")
        for each in alive:
            while each.until("displayUpdated")["context"]["name"] != "end":
                pass
            each.close()
        worker.close()
        self.d.until(lambda: self.d.fds() <= before, "their descriptors are closed")
        os.close(held)

    def list_slowly(self, method, key):
        """Asks, does not read, and reads when the rest has happened."""
        client = self.d.connect()
        client.send(method, {}, more=True)
        self.client.call("GetCapabilities")     # who asks later is answered later

        def rest():
            found = []
            while True:
                reply = client.receive()
                self.assertNotIn("error", reply)
                found.append(reply["parameters"][key])
                if not reply.get("continues"):
                    return found
        return rest

    def test_a_list_longer_than_the_queue(self):
        """700 displays with all the labels they may have are 1.8 MB; the queue is 1 MiB."""
        number = 700
        labels = {f"label-{n:02}": "x" * 56 for n in range(32)}
        canvas = [self.canvas(16, 16) for _ in range(number)]
        held = [self.d.register(each, f"d{n:03}", client=self.client, event=False, context={"labels": labels})
                for n, each in enumerate(canvas)]
        self.client.call("GetCapabilities")
        for _ in range(3 if daemon.SANITIZED else 1):     # until what a sanitizer keeps of what was freed is as much as it keeps
            whole = self.list_slowly("List", "context")()
        self.assertEqual([each["id"] for each in whole], [f"d{n:03}" for n in range(number)])
        self.assertEqual(whole[0]["labels"], labels)
        before = self.d.memory(self.d.pid)
        slow = [self.list_slowly("List", "context") for _ in range(20)]
        current = Subscriber(self.d, current=True)
        self.client.call("GetCapabilities")
        # 64 KiB wait for each, with what is around them. All of it would be 1.8 MB each.
        self.assertLess(self.d.memory(self.d.pid) - before, 20 * 256 * daemon.RESIDENT, "KiB")
        # Some go and some come while those are in the middle.
        for n in range(0, number, 2):
            os.close(held[n])
        self.d.until(lambda: len(self.list_slowly("List", "context")()) == number // 2, "half of them are listed")
        late = self.d.register(canvas[0], "late", client=self.client, event=False)
        for rest in slow:
            names = [each["id"] for each in rest()]
            self.assertEqual(names[-1], "late")
            self.assertEqual(names, sorted(set(names)))
            self.assertGreaterEqual(set(names), {f"d{n:03}" for n in range(1, number, 2)})
            self.assertLess(len(names), number)
        current.until("ready")
        left = {each["id"] for each in current.seen if each["event"] == "displayState"}
        self.assertGreaterEqual(left, {f"d{n:03}" for n in range(1, number, 2)})
        current.until("displayRegistered", id="late")
        self.assertGreaterEqual({each["id"] for each in current.seen if each["event"] == "displayUnregistered"},
                                {f"d{n:03}" for n in range(0, number, 2)} & left)
        # One that never reads: it goes without a trace.
        never = self.d.connect()
        never.send("List", {}, more=True)
        self.client.call("GetCapabilities")
        never.close()
        for each in (*held[1::2], late):
            os.close(each)

    def test_viewers_listed_slowly(self):
        held = [self.d.register(self.canvas(), name, client=self.client, context={"viewersMaximum": 128}) for name in "ab"]
        socks = [self.client.attach(name, label="x" * 128)[0] for name in "ab" for _ in range(60)]
        rest = self.list_slowly("ListViewers", "viewer")
        found = rest()
        self.assertEqual([each["id"] for each in found], 60 * ["a"] + 60 * ["b"])
        self.assertEqual(len({each["viewer"] for each in found}), 120)
        for each in socks:
            each.close()
        for each in held:
            os.close(each)


if __name__ == "__main__":
    unittest.main()
