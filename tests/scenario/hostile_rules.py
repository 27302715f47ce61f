# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways in that belong to somebody else: two displays with different rules, tickets that were used, that are another display's or whose
time is over, and the port of all displays."""
import contextlib
import pathlib
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import rfb
import surface
import varlink
from host import PASSWORD
from hostile import Hostile

PROOFS = ("vncauth", "x509Vnc", "x509Plain", "rsaAes256")


class Rules(Hostile):
    """`guest` asks for a ticket by every means, `open` for nothing, `locked` for the password, `other` for tickets, too."""

    wanted = {"security": "vncauth x509Vnc x509Plain rsaAes256 rsaAes",
              "config": "", "viewers": "viewers-maximum = 16"}

    @classmethod
    def setUpClass(cls):
        cls.gate = daemon.free_port()
        cls.wanted = {**cls.wanted, "config": f"[gate]\nlisten = 127.0.0.1:{cls.gate}\n"}
        super().setUpClass()
        cls.others = {}
        for name, security in (("open", ["none"]), ("other", ["vncauth", "x509Plain"])):
            canvas, port = surface.Surface(320, 200), daemon.free_port()
            canvas.noise(name)
            held = cls.daemon.register(canvas, name, listen=[{"mode": "control", "address": f"127.0.0.1:{port}", "security": security}])
            cls.others[name] = canvas, port, held

    def setUp(self):
        super().setUp()
        self.until_one_program()

    def until_one_program(self):
        """Those of the other displays and the gate's come and go: only the guest's is looked at."""
        self.memory = self.resident()

    def same_program(self):
        self.assertIn(self.program[0], self.daemon.rfb_programs())

    def ticket(self, display="guest", mode="control", **more):
        return self.daemon.connect().call("IssueTicket", {"id": display, "mode": mode, **more})["ticket"]

    def come(self, password, kind="vncauth", port=None, **more):
        return self.viewer(port=port, security=kind, password=password, user="u", ca=self.host.ca,
                           server_name=more.pop("server_name", "localhost"), **more)

    def refused(self, *arguments, **more):
        with self.assertRaises(rfb.Refused):
            self.come(*arguments, **more)

    # ---- tickets ----

    def test_a_ticket_by_every_means(self):
        for kind in (*PROOFS, "rsaAes"):
            with self.subTest(kind):
                self.serves(self.come(self.ticket(), kind))

    def test_a_ticket_replayed(self):
        """By the same means, by each other, at once."""
        for first in PROOFS:
            for second in (first, "x509Plain"):
                with self.subTest(first=first, second=second):
                    ticket = self.ticket()
                    self.serves(self.come(ticket, first)).close()
                    self.refused(ticket, second)

    def test_a_ticket_used_twice_at_once(self):
        """Eight come with it in the same moment: one gets in."""
        for kind in ("vncauth", "x509Plain"):
            ticket, inside = self.ticket(), []

            def knock():
                with contextlib.suppress(rfb.Refused):
                    inside.append(self.come(ticket, kind))

            threads = [threading.Thread(target=knock) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30 * daemon.SLOW)
            self.assertEqual(len(inside), 1)

    def test_a_response_replayed(self):
        """The challenge of tickets does not change: the answer to it is worth as much as the ticket, nothing after its use."""
        seen = []

        def answer(client):
            challenge = client.read(16)
            seen.append(rfb.vnc_response(ticket, challenge))
            client.send(seen[-1])

        ticket = self.ticket()
        for good in (True, False):
            client = self.viewer(handshake=False)
            client.hello()
            client.send(b"\2")
            if good:
                answer(client)
                client.result()
                client.init()
            else:
                client.read(16)
                client.send(seen[0])
                with self.assertRaises(rfb.Refused):
                    client.result()

    def test_a_ticket_of_another_display(self):
        """It opens nothing here, and is still good where it belongs."""
        ticket = self.ticket("other")
        self.refused(ticket, "vncauth")
        self.refused(ticket, "x509Plain")
        self.serves(self.come(ticket, "x509Plain", port=self.others["other"][1]))

    def test_a_ticket_whose_time_is_over(self):
        ticket = self.ticket(seconds=1)
        time.sleep(1.3)
        self.refused(ticket, "vncauth")
        self.refused(ticket, "x509Plain")

    def test_a_ticket_of_a_display_that_is_gone(self):
        canvas = surface.Surface(64, 64)
        held = self.daemon.register(canvas, "short")
        ticket = self.ticket("short")
        self.daemon.connect().call("Unregister", {"id": "short"})
        again = self.daemon.register(canvas, "short", listen=[
            {"mode": "control", "address": f"127.0.0.1:{daemon.free_port()}", "security": ["x509Plain"]}])
        self.refused(ticket, "x509Plain", port=self.gate)
        self.daemon.connect().call("Unregister", {"id": "short"})
        del held, again

    def test_nearly_the_ticket(self):
        """The first 8 characters are VncAuth's; by Plain the whole of it counts."""
        ticket = self.ticket()
        for wrong in (ticket[:8], ticket[:-1], ticket + "x", ticket.swapcase(), "", ticket[::-1]):
            with self.subTest(len(wrong)):
                self.refused(wrong, "x509Plain")
        self.serves(self.come(ticket, "x509Plain"))

    def test_a_ticket_of_a_view(self):
        """It may not do more, on a listener that gives more."""
        client = self.come(self.ticket(mode="view"), "x509Plain")
        client.set_encodings(rfb.RAW, rfb.EXTENDED_DESKTOP_SIZE)
        client.ask_size(320, 200)
        client.until(lambda: (1, 1) in [each[:2] for each in client.size_answers], ask=True)
        [viewer] = [each for each in self.viewers() if (each.get("peer") or "").startswith("127.")]
        self.assertEqual(viewer["mode"], "view")

    def viewers(self):
        client = self.daemon.connect()
        client.send("ListViewers", {"id": "guest"}, more=True)
        out = []
        while True:
            reply = client.receive()
            out.append(reply["parameters"]["viewer"])
            if not reply.get("continues"):
                return out

    def test_tickets_without_end(self):
        """LimitReached, for this display, and the daemon is no larger for it."""
        client = self.daemon.connect()
        issued = 0
        with self.assertRaises(varlink.VarlinkError) as caught:
            for _ in range(100000):
                client.call("IssueTicket", {"id": "other", "mode": "view", "seconds": 2})
                issued += 1
        self.assertEqual(caught.exception.error, "LimitReached")
        self.assertGreater(issued, 10)
        time.sleep(2.2)
        self.ticket("other")

    def test_no_ticket_is_in_the_log(self):
        ticket = self.ticket()
        self.come(ticket, "x509Plain").close()
        self.refused(ticket[:8], "vncauth")
        self.assertNotIn(ticket[:8], self.daemon.text())

    # ---- two displays ----

    def test_two_displays_with_different_rules(self):
        """One asks for nothing, one for a ticket: in turns, many times, each goes by its own."""
        for _ in range(5):
            open_one = self.come(None, "none", port=self.others["open"][1])
            open_one.first()
            self.assertEqual((open_one.name, open_one.width), ("open", 320))
            knocking = self.viewer(handshake=False)
            knocking.hello()
            self.assertNotIn(1, knocking.types)
            knocking.send(b"\1\1")
            with self.assertRaises((rfb.Refused, EOFError, ConnectionError)):
                knocking.result()
                knocking.init()

    # ---- the port of all displays ----

    def test_the_gate_by_ticket(self):
        client = self.come(self.ticket(), "x509Plain", port=self.gate, server_name=None)
        self.serves(client)
        self.assertEqual((client.name, client.width), ("guest", 640))

    def test_the_gate_with_a_ticket_of_another_display_than_the_chosen(self):
        """Chosen by the TLS server name or the path; refused, and the ticket stays good."""
        ticket = self.ticket("guest")
        self.refused(ticket, "x509Plain", port=self.gate, server_name="other")
        self.refused(ticket, "x509Plain", port=self.gate, server_name="other.example.org")
        self.serves(self.come(ticket, "x509Plain", port=self.gate, server_name="guest"))

    def test_the_gate_lets_nobody_in_without_a_proof(self):
        for kind in ("none", "x509None", "tlsNone"):
            self.refused(None, kind, port=self.gate)
        for password in ("", PASSWORD, "x" * 20):
            self.refused(password, "x509Plain", port=self.gate, server_name="guest")

    def test_the_gate_does_not_tell_which_displays_exist(self):
        """The same answer for one that is there and one that is not."""
        said = set()
        for name in ("guest", "nobody", "open"):
            try:
                self.come("x" * 20, "x509Plain", port=self.gate, server_name=name)
            except rfb.Refused as refused:
                said.add(str(refused))
        self.assertEqual(len(said), 1, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
