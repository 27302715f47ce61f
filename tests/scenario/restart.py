# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is lost when the daemon is started again: displays, leases, listeners, registrants' calls, tickets, viewers."""
import os
import pathlib
import random
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
import systemd
from compare import until_shows
from varlink import VarlinkError


class Restart(unittest.TestCase):
    def run(self, result=None):
        self.result = result
        self.bad = len(result.errors) + len(result.failures)
        return super().run(result)

    def setUp(self):
        self.service = systemd.Service()
        self.addCleanup(self.end)
        self.surfaces = []

    def end(self):
        for each in self.service.opened:
            each.close()
        if len(self.result.errors) + len(self.result.failures) > self.bad:
            print(f"---- the daemon's log ----\n{self.service.text()}----")
        self.service.stop()

    def surface(self, *size):
        made = surface.Surface(*(size or (320, 200)))
        made.noise(len(self.surfaces) + 1, colours=40)
        self.surfaces.append(made)
        self.addCleanup(made.close)
        return made

    def again(self, how):
        if how == "crash":
            self.service.crash()
            self.service.start()
        else:
            self.service.restart()

    def ids(self):
        out = []
        client = self.service.connect()
        try:
            client.send("List", {}, more=True)
            while True:
                reply = client.receive()
                if "context" in reply.get("parameters", {}):
                    out.append(reply["parameters"]["context"]["id"])
                if not reply.get("continues"):
                    break
        finally:
            client.close()
        return out

    def assert_shown(self, viewer, guest, seed):
        guest.noise(seed, 0, 0, 100, 100)
        guest.signal()
        until_shows([viewer], guest, 20 * daemon.SLOW)

    def test_a_display_goes_on(self):
        """Crash and restart, again and again, with a viewer that never notices, on all kinds of sockets."""
        guest, port = self.surface(), daemon.free_port()
        given = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(given.close)
        lease, held = os.pipe()
        context = {"id": "guest", "name": "A guest", "machine": "m", "head": 3, "labels": {"a": "b", "ü": ""},
                   "viewersMaximum": 5, "sharing": "forceShared", "framesPerSecondMaximum": 50, "keyboardLayout": "de(neo)",
                   "inputExclusiveSeconds": 5}
        self.service.connect().call("Register", {
            "context": context, "source": "surface", "deviceFileDescriptorIndex": 0, "changeFileDescriptorIndex": 1,
            "leaseFileDescriptorIndex": 2, "listen": [
                {"mode": "view", "address": f"127.0.0.1:{port}", "transports": ["rfb"]},
                {"mode": "control", "fileDescriptorIndex": 3}]},
            [guest.fd, guest.change, lease, given.fileno()])
        os.close(lease)
        before = self.service.connect().describe("guest")
        viewer = self.service.viewer("guest")
        viewer.first()
        program, = self.service.rfb_programs()
        for number, how in enumerate(("crash", "restart", "crash", "restart")):
            with self.subTest(how, number=number):
                self.again(how)
                self.assertEqual(self.ids(), ["guest"])
                listed = self.service.connect().call("List", {"id": "guest"})
                self.assertEqual({**context, "viewOnly": False}, listed["context"])
                self.assertEqual(listed["runtime"]["registrant"], before["registrant"])
                self.assertEqual(listed["runtime"]["lease"], "descriptor")
                self.assert_shown(viewer, guest, number)
                self.assertEqual(self.service.rfb_programs(), [program])
                for where in (("127.0.0.1", port), given.getsockname()):
                    other = rfb.Client(socket.create_connection(where), timeout=10 * daemon.SLOW)
                    other.first()
                    other.close()
                other = self.service.viewer("guest")
                other.first()
                other.close()
        self.service.settle()
        self.assertEqual(self.service.store.names("state"), ["state." + self.service.store.names("state")[0].split(".")[1]])
        os.close(held)
        self.service.until(lambda: not self.ids() or self.service.connect().describe("guest")["state"] == "lost", "its lease ends it")
        viewer.close()
        self.service.until(lambda: not self.ids(), "it is gone")
        self.service.settle()
        self.assertEqual([name for name in self.service.store.names() if not name.startswith("tickets")], [])

    def test_a_call_goes_on(self):
        """The connection of Register with "more" is the lease, and its events still come."""
        guest = self.surface()
        registrant = self.service.connect()
        got = registrant.call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                           "changeFileDescriptorIndex": 1}, [guest.fd, guest.change], more=True)
        self.assertEqual(got["event"], "registered")
        for how in ("crash", "restart"):
            self.again(how)
            self.assertEqual(self.service.connect().describe("guest")["lease"], "connection")
        # The same again is no mistake, and changes nothing.
        again = self.service.connect()
        again.call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0}, [guest.fd],
                   more=True)
        again.close()
        self.assertEqual(self.ids(), ["guest"])
        self.service.connect().call("Unregister", {"id": "guest"})
        event = registrant.result()["event"]
        if event == "registered":                 # killed before it could note that it had said so
            event = registrant.result()["event"]
        self.assertEqual(event, "unregistered")
        self.assertFalse(self.service.store.holds(os.fstat(guest.fd).st_ino), "Unregister answered before systemd let go")
        # And one that ends by the connection.
        registrant.call("Register", {"context": {"id": "guest"}, "source": "surface", "deviceFileDescriptorIndex": 0},
                        [guest.fd], more=True)
        self.again("restart")
        registrant.close()
        self.service.until(lambda: not self.ids(), "the connection was its lease")
        self.service.settle()
        self.assertFalse(self.service.store.holds(os.fstat(guest.fd).st_ino))

    def test_leases_that_end_meanwhile(self):
        """Whoever died while no daemon ran is not brought back; nor is what shares nothing with the living."""
        shared, held = os.pipe()
        single, gone = os.pipe()
        guests = [self.surface() for _ in range(4)]
        for number, lease in enumerate((shared, shared, single)):
            self.service.register(guests[number], f"g{number}", lease=lease)
        os.close(shared)
        os.close(single)
        registrant = self.service.connect()
        registrant.call("Register", {"context": {"id": "g3"}, "source": "surface", "deviceFileDescriptorIndex": 0},
                        [guests[3].fd], more=True)
        viewer = self.service.viewer("g2")
        viewer.first()
        self.service.crash()
        os.close(gone)
        registrant.close()
        self.service.start()
        self.assertEqual(sorted(self.ids()), ["g0", "g1", "g2"])
        self.assertEqual(self.service.connect().describe("g2")["state"], "lost")       # its viewer waits
        self.assertFalse(os.path.exists(self.service.dir / "rfb" / "g3"))
        self.service.settle()
        for number, guest in enumerate(guests):
            self.assertEqual(self.service.store.holds(os.fstat(guest.fd).st_ino), number < 2)
        held2 = self.service.register(guests[2], "g2")
        self.assert_shown(viewer, guests[2], 9)                  # and sees it come back
        os.close(held2)
        viewer.close()
        self.service.until(lambda: sorted(self.ids()) == ["g0", "g1"], "its viewer has left")
        self.service.connect().call("Unregister", {"id": "g0"})
        self.again("crash")
        self.assertEqual(self.ids(), ["g1"])
        os.close(held)
        self.service.until(lambda: not self.ids(), "the lease that two had has ended")
        self.service.settle()
        self.assertEqual([name for name in self.service.store.names() if not name.startswith("tickets")], [])

    def test_stop_lets_go(self):
        guest = self.surface()
        lease = self.service.register(guest, "guest")
        viewer = self.service.viewer("guest")
        viewer.first()
        self.service.stop_service()
        self.assertFalse(self.service.store.holds(os.fstat(guest.fd).st_ino))
        self.service.until(lambda: not self.service.rfb_programs(), "its program ends when nobody holds the link")
        viewer.sock.settimeout(10 * daemon.SLOW)
        try:
            while viewer.sock.recv(1 << 20):
                pass
        except ConnectionError:
            pass
        self.service.start()
        self.assertEqual(self.ids(), [])
        os.close(lease)

    def test_tickets_are_good_once(self):
        guest, port = self.surface(), daemon.free_port()
        lease = self.service.register(guest, "guest", listen=[{"mode": "control", "address": f"127.0.0.1:{port}",
                                                               "security": ["vncauth"]}])
        tickets = [self.service.connect().call("IssueTicket", {"id": "guest", "mode": "control", "label": f"n{n}",
                                                               "seconds": 600})["ticket"] for n in range(3)]

        def come(ticket):
            viewer = rfb.Client(socket.create_connection(("127.0.0.1", port)), timeout=20 * daemon.SLOW, password=ticket)
            viewer.first()
            viewer.close()

        come(tickets[0])
        for how, ticket in (("crash", tickets[1]), ("restart", tickets[2])):
            self.again(how)
            come(ticket)
            with self.assertRaises(Exception):
                come(ticket)
        os.close(lease)

    def test_a_store_that_is_full_or_foreign(self):
        """What was not kept whole is let go of; what nobody knows is closed and removed; the daemon starts."""
        guests = [self.surface() for _ in range(6)]
        self.service.store.most = 14
        leases = [self.service.register(guest, f"g{n}") for n, guest in enumerate(guests)]
        self.service.crash()
        self.service.settle()
        self.service.store.most = 1000
        kept = self.service.store.names("state")
        null = os.open("/dev/null", os.O_RDONLY)
        state = [fd for name, fd in self.service.store.kept if name == kept[-1]][0]
        os.pwrite(state, b"\7", 8)                    # of another version
        for name in ("state.zz", "device.zy", "lease.zx"):
            self.service.store.put(name, os.dup(null) if name != "state.zz" else os.memfd_create("x"), False)
        os.close(null)
        self.service.start()
        self.assertEqual(len(self.ids()), len(kept) - 1)
        self.service.settle()
        names = self.service.store.names()
        self.assertFalse({"state.zz", "device.zy", "lease.zx", kept[-1]} & set(names))
        self.assertEqual(len(self.service.store.names("device")), len(kept) - 1)
        self.assertIn("another version", self.service.text())
        for lease in leases:
            os.close(lease)
        self.service.until(lambda: not self.ids(), "all are gone")
        self.service.settle()
        self.assertEqual([name for name in self.service.store.names() if not name.startswith("tickets")], [])

    def test_a_service_manager_that_does_not_read(self):
        """All goes on meanwhile, and it hears what it is to keep when it reads again."""
        self.service.reads.clear()
        guests = [self.surface(64, 48) for _ in range(8)]
        leases = [self.service.register(guest, f"g{n}") for n, guest in enumerate(guests)]
        for _ in range(3):
            client = self.service.connect()
            client.call("List", {"id": "g0"})
            client.call("io.systemd.service.Reload")
            client.close()
            time.sleep(0.4)                              # a status line may come at any moment
        self.assertEqual(sorted(self.ids()), [f"g{n}" for n in range(8)])
        viewer = self.service.viewer("g0")
        viewer.first()
        messages = len(self.service.messages)
        self.service.reads.set()
        self.service.until(lambda: len(self.service.store.names("state")) == 8, "all are kept")
        self.service.until(lambda: any("READY" in each for each in self.service.messages[messages:]), "the reload has ended")
        self.again("restart")
        self.assertEqual(sorted(self.ids()), [f"g{n}" for n in range(8)])
        self.assert_shown(viewer, guests[0], 3)
        for lease in leases:
            os.close(lease)

    def test_what_has_ended_stays_ended(self):
        """Unregister answers, at last, where the service manager does not: what it still keeps does not come back."""
        guests = [self.surface(64, 48) for _ in range(3)]
        leases = [self.service.register(guest, f"g{n}") for n, guest in enumerate(guests)]
        self.service.until(lambda: len(self.service.store.names("state")) == 3, "all are kept")
        self.service.settle()
        self.service.store.deaf = True
        for id in ("g0", "g1"):
            self.service.connect().call("Unregister", {"id": id})
        self.service.settle()
        self.assertEqual(len(self.service.store.names("state")), 3)
        self.service.store.deaf = False
        self.again("crash")
        self.assertEqual(self.ids(), ["g2"])
        self.service.settle()
        self.service.until(lambda: len(self.service.store.names("device")) == 1, "nobody holds their devices")
        for lease in leases:
            os.close(lease)

    def test_unregister_while_the_daemon_ends(self):
        """What is left to the next daemon is not gone, and nobody is told so."""
        guests = [self.surface(64, 48) for _ in range(2)]
        leases = [self.service.register(guest, f"g{n}") for n, guest in enumerate(guests)]
        self.service.until(lambda: len(self.service.store.names("state")) == 2, "both are kept")
        self.service.settle()
        slow, client = self.service.connect(), self.service.connect()
        client.call("GetCapabilities")
        self.service.reads.clear()
        slow.send("Unregister", {"id": "g0"})            # for which the daemon waits, some 2 s
        self.service.until(lambda: client.describe("g0")["state"] == "draining", "it has begun")
        self.service.process.terminate()
        try:
            client.until_gone("g1", 10 * daemon.SLOW)
            self.assertEqual(client.error("Unregister", {"id": "g1"}), "ShuttingDown")
        except (ConnectionError, EOFError):
            pass                                         # it has ended already
        self.service.reads.set()
        self.service.expect_end()
        self.service.start()
        self.assertEqual(self.ids(), ["g1"])
        for lease in leases:
            os.close(lease)

    def test_a_reload_before_it_is_ready(self):
        """SIGHUP and SIGUSR1 ask for nothing while it starts; they do not end it."""
        guest = self.surface()
        lease = self.service.register(guest, "guest")
        self.service.until(lambda: self.service.store.names("state"), "it is kept")
        self.service.crash()
        conf = self.service.dir / "conf"
        conf.unlink()
        os.mkfifo(conf)
        self.service.start(wait=False)
        fifo = []

        def opened():                                    # the daemon waits for what is in it
            try:
                fifo.append(os.open(conf, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                pass
            return fifo

        self.service.until(opened, "it reads its configuration")
        for number in (signal.SIGHUP, signal.SIGUSR1):
            self.service.process.send_signal(number)
        os.close(fifo[0])
        self.service.wait_ready()
        self.assertEqual(self.ids(), ["guest"])
        os.close(lease)

    def test_another_place_for_sockets(self):
        """The configuration is another one at the next start: no socket is left at which nobody listens."""
        guest, place = self.surface(), self.service.dir / "elsewhere"
        place.mkdir()
        lease = self.service.register(guest, "guest")
        usual = self.service.dir / "rfb" / "guest"
        for config, path in (("unix-sockets = no", None), ("", usual), (f"unix-directory = {place}", place / "guest"), ("", usual)):
            with self.subTest(config):
                (self.service.dir / "conf").write_text(f"[viewers]\n{config}\n")
                self.again("restart")
                endpoints = self.service.connect().describe("guest")["endpoints"]
                self.assertEqual(endpoints, [f"unix:{path}"] if path else [])
                self.assertEqual([each for each in (usual, place / "guest") if each.exists()], [path] if path else [])
                self.service.settle()
                self.service.until(lambda: len(self.service.store.names("listen")) == len(endpoints), "the store has no other")
                if path:
                    viewer = rfb.Client(str(path), timeout=10 * daemon.SLOW)
                    viewer.first()
                    viewer.close()
        os.close(lease)
        self.service.until(lambda: not self.ids(), "it is gone")
        self.assertFalse(usual.exists())

    def test_killed_at_any_moment(self):
        """Registrants, viewers and Unregisters, and a SIGKILL in between: never half a display, never a device that nobody knows."""
        guest = self.surface()
        chance = random.Random(5)
        leases = {}
        surfaces = [self.surface(64, 48) for _ in range(6)]
        for _ in range(12):
            end = time.monotonic() + chance.uniform(0.0, 0.12)
            client = self.service.connect()
            while time.monotonic() < end:
                number = chance.randrange(6)
                id = f"d{number}"
                if id in leases:
                    client.send("Unregister", {"id": id})
                    os.close(leases.pop(id))
                else:
                    lease, leases[id] = os.pipe()
                    client.send("Register", {"context": {"id": id}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                             "leaseFileDescriptorIndex": 1}, [surfaces[number].fd, lease])
                    os.close(lease)
                if chance.random() < 0.7:
                    client.receive()
            self.service.crash(settled=False)
            client.close()
            self.service.start()
            ids = set(self.ids())
            self.service.settle()
            self.service.until(lambda: self.known() <= set(leases), "whose lease has ended is gone")
            self.service.until(lambda: len(self.service.store.names("device")) == len(self.known()), "no device without a display")
            self.service.until(lambda: len(self.service.store.names("state")) == len(self.known()), "one record each")
            self.assertLessEqual(ids, {f"d{n}" for n in range(6)})
            for id in set(leases) - self.known():       # the call had not come through
                os.close(leases.pop(id))
        for lease in leases.values():
            os.close(lease)
        self.service.until(lambda: not self.known(), "all are gone")

    def known(self):
        return set(self.ids())


class TestCard(unittest.TestCase):
    def test_it_goes_on(self):
        """The daemon's own display, with who looks at it."""
        with systemd.Service("--testcard=320x200") as service:
            def state():
                try:
                    return service.connect().describe("testcard")["state"]
                except VarlinkError:
                    return None

            def program():
                return next((pid for pid in service.children() if service.name(pid) == "vfio-displayd-t"), None)

            service.until(lambda: state() == "live", "it is there")
            viewer = service.viewer("testcard")
            viewer.first()
            first = program()
            service.restart()
            service.until(lambda: state() == "live", "it is back")
            self.assertEqual(program(), first)
            viewer.request(incremental=False)
            viewer.update()
            # Its program ends while there is no daemon: viewers wait, and another one takes its place.
            service.crash()
            os.kill(first, signal.SIGKILL)
            os.waitpid(first, 0)
            service.start()
            service.until(lambda: state() == "live", "another test card")
            self.assertNotEqual(program(), first)
            viewer.request(incremental=False)
            viewer.update()
            self.assertEqual(service.connect().describe("testcard")["viewers"], 1)


if __name__ == "__main__":
    unittest.main()
