#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One port for all displays: each viewer gets the one that its ticket, TLS server name or WebSocket path says, and no other."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import host  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
PASSWORD = "geh3im-X"
ALL = "rfb websocket secureWebsocket"
CLOSED = (rfb.Refused, EOFError, ConnectionError)


class Scene:
    """A daemon with a gate, and displays "one", which may be controlled, and "two", which may only be viewed."""

    def __init__(self, gate="", viewers="", client_ca=False, certificate=True, password=None):
        self.scratch = tempfile.TemporaryDirectory()
        self.port = daemon.free_port()
        lines = ["[viewers]", viewers]
        if certificate:
            lines += ["certificate = {}\nkey = {}".format(*host.issued())]
        if client_ca:
            lines.append(f"client-ca = {host.authority('clients').ca}")
        if password:
            path = pathlib.Path(self.scratch.name) / "password"
            path.write_text(password + "\n")
            path.chmod(0o600)
            lines.append(f"password-file = {path}")
        lines += ["[gate]", f"listen = 127.0.0.1:{self.port}", gate, ""]
        self.daemon = daemon.Daemon(config="\n".join(lines))
        self.one, self.two = surface.Surface(160, 100), surface.Surface(120, 90)
        self.one.noise(1, colours=40)
        self.two.noise(2, colours=40)
        self.leases = [self.daemon.register(self.one, "one", context={"sharing": "allowExclusive"}),
                       self.daemon.register(self.two, "two", context={"viewOnly": True})]
        self.control = self.daemon.connect()
        self.opened = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *more):
        for each in self.opened:
            each.close()
        self.daemon.__exit__(kind, *more)
        for lease in self.leases:
            os.close(lease)
        self.scratch.cleanup()

    def ticket(self, display, mode=None, **more):
        mode = mode or ("view" if display == "two" else "control")
        return self.control.call("IssueTicket", {"id": display, "mode": mode, **more})["ticket"]

    def knock(self, **more):
        more.setdefault("ca", host.authority("ca").ca)
        viewer = rfb.Client(("127.0.0.1", self.port), timeout=LIMIT, **more)
        self.opened.append(viewer)
        return viewer

    def viewers(self, of):
        """ListViewers as a list. NoSuchViewer: none."""
        self.control.send("ListViewers", of, more=True)
        found = []
        while True:
            reply = self.control.receive()
            if reply.get("error", "").endswith("NoSuchViewer"):
                return []
            if "error" in reply:
                raise AssertionError(reply)
            found.append(reply["parameters"]["viewer"])
            if not reply.get("continues"):
                return found


class Gate(unittest.TestCase):
    def sees(self, viewer, picture):
        viewer.first()
        self.assertIsNone(shows(viewer, picture))

    def refused(self, scene, **more):
        with self.assertRaises(CLOSED):
            scene.knock(**more).first()

    # ---- tickets ----

    def test_a_ticket_selects(self):
        with Scene() as scene:
            host.wait_for_rsa(("127.0.0.1", scene.port))
            for display, picture in (("one", scene.one), ("two", scene.two)):
                for kind in ("x509Plain", "x509Vnc", "vncauth", "rsaAes"):
                    with self.subTest(display=display, kind=kind):
                        ticket = scene.ticket(display)
                        password = ticket[:8] if kind.endswith("nc") or kind == "vncauth" else ticket
                        self.sees(scene.knock(security=kind, user="x", password=password), picture)
                        self.refused(scene, security=kind, user="x", password=password)
            self.refused(scene, security="x509Plain", user="x", password="no ticket")
            log = scene.daemon.text()
            self.assertIn("came through the gate", log)

    def test_who_it_is_is_known_at_the_display(self):
        with Scene() as scene:
            viewer = scene.knock(security="x509Plain", user="x", password=scene.ticket("one", label="ann"))
            self.sees(viewer, scene.one)
            own = "127.0.0.1:%d" % viewer.sock.getsockname()[1]
            told = scene.viewers({"id": "one"})
            self.assertEqual([(each["peer"], each["label"], each["mode"]) for each in told], [(own, "ann", "control")])
            self.assertRegex(scene.daemon.text(), rf"viewer \S+ from {own} came through the gate: ann")

    def test_a_used_or_revoked_ticket_is_gone(self):
        with Scene() as scene:
            ticket = scene.ticket("one")
            scene.control.call("Unregister", {"id": "one"})
            self.refused(scene, security="x509Plain", user="x", password=ticket)
            self.sees(scene.knock(security="x509Plain", user="x", password=scene.ticket("two")), scene.two)

    # ---- a choice ----

    def test_the_server_name_selects(self):
        with Scene() as scene:
            for name in ("two", "two.example.org"):
                ticket = scene.ticket("one")
                self.refused(scene, security="x509Plain", user="x", password=ticket, server_name=name)
                self.sees(scene.knock(security="x509Plain", user="x", password=ticket, server_name="one.example.org"), scene.one)
            # The host's own name, which viewers send in any case.
            self.sees(scene.knock(security="x509Plain", user="x", password=scene.ticket("two"), server_name="host.example.org"),
                      scene.two)

    def test_the_path_selects(self):
        with Scene(viewers=f"transports = {ALL}") as scene:
            for wss in (False, True):
                with self.subTest(wss=wss):
                    ticket = scene.ticket("two")
                    more = {"wss": wss, "security": "vncauth", "password": ticket[:8]}
                    self.refused(scene, websocket="/displays/one", **more)
                    self.refused(scene, websocket="/displays/three", **more)
                    self.refused(scene, websocket="/displays/../two", **more)
                    self.sees(scene.knock(websocket="/displays/two", **more), scene.two)
                    self.sees(scene.knock(websocket="/", wss=wss, security="vncauth", password=scene.ticket("one")[:8]), scene.one)

    def test_unknown_ids_look_like_wrong_tickets(self):
        with Scene(viewers=f"transports = {ALL}") as scene:
            said = []
            for path, password in (("/displays/one", "wrong"), ("/displays/none", "wrong"), ("/displays/none", None)):
                begin = time.monotonic()
                with self.assertRaises(CLOSED) as caught:
                    scene.knock(websocket=path, security="vncauth", password=password or scene.ticket("one")[:8])
                said.append(str(caught.exception))
                self.assertGreater(time.monotonic() - begin, 0.9, "a wrong answer waits")
            self.assertEqual(len(set(said)), 1, said)

    # ---- other credentials than tickets ----

    def test_client_certificates_as_nova_has_them(self):
        mine = dict(zip(("certificate", "key"), host.issued("proxy", client=True, by="clients")))
        other = dict(zip(("certificate", "key"), host.issued("stranger", client=True, by="others")))
        with Scene(gate="security = x509None", client_ca=True) as scene:
            self.sees(scene.knock(security="x509None", server_name="one", **mine), scene.one)
            self.sees(scene.knock(security="x509None", server_name="two.example.org", **mine), scene.two)
            for name in ("three", "host.example.org", None):
                self.refused(scene, security="x509None", server_name=name, **mine)
            self.refused(scene, security="x509None", server_name="one", **other)
            self.refused(scene, security="x509None", server_name="one")
            self.refused(scene, security="none")
            self.refused(scene, security="x509Plain", user="x", password=scene.ticket("one"), server_name="one", **mine)

    def test_a_password_needs_a_choice(self):
        with Scene(password=PASSWORD) as scene:
            self.sees(scene.knock(security="x509Vnc", password=PASSWORD, server_name="two"), scene.two)
            self.refused(scene, security="x509Vnc", password=PASSWORD)
            self.refused(scene, security="x509Vnc", password=PASSWORD, server_name="three")
            self.refused(scene, security="x509Vnc", password="wrong", server_name="two")
            self.sees(scene.knock(security="x509Plain", user="x", password=scene.ticket("one")), scene.one)

    def test_a_choice_alone_is_not_enough(self):
        """Where there are only tickets, whatever the gate's program says."""
        with Scene() as scene:
            self.refused(scene, security="none", server_name="one")
            self.refused(scene, security="x509None", server_name="one")

    # ---- rights ----

    def test_displays_keep_their_rules(self):
        with Scene() as scene:
            for display, mode in (("one", "control"), ("one", "view"), ("two", "view")):
                viewer = scene.knock(security="x509Plain", user="x", password=scene.ticket(display, mode))
                viewer.first()
                told = "control" if (display, mode) == ("one", "control") else "view"
                scene.daemon.until(lambda: self.modes(scene, display).count(told), f"a viewer of {display} with {told}")
                viewer.close()
        with Scene(gate="mode = view") as scene:
            scene.knock(security="x509Plain", user="x", password=scene.ticket("one")).first()
            scene.daemon.until(lambda: self.modes(scene, "one") == ["view"], "no more than the gate gives")

    @staticmethod
    def modes(scene, display):
        return [each["mode"] for each in scene.viewers({"id": display})]

    def test_the_shared_flag_goes_through(self):
        with Scene() as scene:
            first = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            self.sees(first, scene.one)
            alone = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"), shared=False)
            self.sees(alone, scene.one)
            with self.assertRaises(CLOSED):
                first.until(lambda: False, timeout=LIMIT)

    # ---- bytes ----

    def test_pictures_go_on_through_it(self):
        with Scene() as scene:
            viewer = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            self.sees(viewer, scene.one)
            for n in range(6):
                scene.one.noise(n + 10, colours=200)
                viewer.until(lambda: shows(viewer, scene.one) is None, ask=True)

    def test_a_viewer_that_takes_nothing_holds_nobody_up(self):
        with Scene() as scene:
            stuck = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            for _ in range(50):
                stuck.request(incremental=False)
            good = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            for n in range(8):
                scene.one.noise(n + 10, colours=200)
                good.until(lambda: shows(good, scene.one) is None, ask=True)

    # ---- ends ----

    def gate_program(self, scene):
        """The one that has no display's frame open."""
        for pid in scene.daemon.rfb_programs():
            if not any("vfio-display-frame" in each for each in scene.daemon.open_files(pid)):
                return pid
        return None

    def test_its_program_is_killed(self):
        with Scene() as scene:
            direct = scene.daemon.viewer("one")
            direct.first()
            viewer = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            self.sees(viewer, scene.one)
            os.kill(self.gate_program(scene), signal.SIGKILL)
            with self.assertRaises(CLOSED):
                viewer.until(lambda: False, timeout=LIMIT)
            scene.one.noise(77, colours=40)
            direct.until(lambda: shows(direct, scene.one) is None, ask=True)
            self.sees(scene.knock(security="x509Plain", user="x", password=scene.ticket("one")), scene.one)

    def test_a_displays_program_is_killed(self):
        with Scene() as scene:
            one = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            two = scene.knock(security="x509Plain", user="x", password=scene.ticket("two"))
            self.sees(one, scene.one)
            self.sees(two, scene.two)
            gate = self.gate_program(scene)
            scene.control.call("Unregister", {"id": "one"})
            with self.assertRaises(CLOSED):
                one.until(lambda: False, timeout=LIMIT)
            scene.two.noise(5, colours=40)
            two.until(lambda: shows(two, scene.two) is None, ask=True)
            self.assertEqual(self.gate_program(scene), gate)

    def test_it_ends_when_nobody_is_there(self):
        with Scene(viewers="grace-seconds = 0") as scene:
            viewer = scene.knock(security="x509Plain", user="x", password=scene.ticket("one"))
            viewer.first()
            viewer.close()
            scene.daemon.until(lambda: not scene.daemon.rfb_programs(), "both programs have ended")
            self.sees(scene.knock(security="x509Plain", user="x", password=scene.ticket("two")), scene.two)


class Inherited(unittest.TestCase):
    """Sockets that systemd opens, known by their names."""

    def start(self, names, sockets, directory, config=""):
        (pathlib.Path(directory) / "conf").write_text(config)
        shell = ('LISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=%s exec "$@"' % (len(names), ":".join(names)))
        plan = "import os, sys\nfds = [int(x) for x in sys.argv[1].split(',')]\n" \
               "high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]\n" \
               "[os.dup2(fd, 3 + i) for i, fd in enumerate(high)]\n[os.close(fd) for fd in high]\n" \
               "os.execvp(sys.argv[2], sys.argv[2:])\n"
        fds = [each.fileno() for each in sockets]
        return subprocess.Popen(
            [sys.executable, "-c", plan, ",".join(map(str, fds)), "sh", "-c", shell, "sh", str(daemon.BUILD / "vfio-displayd"),
             "--config", f"{directory}/conf", "--control", f"{directory}/control"],
            pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_by_name(self):
        with tempfile.TemporaryDirectory() as directory:
            gate, one = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
            stray = socket.create_server(("127.0.0.1", 0))
            process = self.start(["gate", "display-one", "stray"], [gate, one, stray], directory)
            try:
                # Before there is a display: it waits.
                early = socket.create_connection(one.getsockname(), LIMIT)
                client, end = None, time.monotonic() + LIMIT
                while client is None:
                    try:
                        client = varlink.Client(f"{directory}/control", timeout=LIMIT)
                    except OSError:
                        self.assertLess(time.monotonic(), end)
                        time.sleep(0.02)
                picture = surface.Surface(80, 60)
                picture.noise(3, colours=9)
                for _ in range(2):
                    lease, held = os.pipe()
                    client.call("Register", {"context": {"id": "one"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                                             "leaseFileDescriptorIndex": 1}, [picture.fd, lease])
                    os.close(lease)
                    viewer = rfb.Client(early, timeout=LIMIT)
                    viewer.first()
                    self.assertIsNone(shows(viewer, picture))
                    viewer.close()
                    ticket = client.call("IssueTicket", {"id": "one", "mode": "view"})["ticket"]
                    viewer = rfb.Client(gate.getsockname(), timeout=LIMIT, security="vncauth", password=ticket[:8])
                    viewer.first()
                    self.assertIsNone(shows(viewer, picture))
                    viewer.close()
                    client.call("Unregister", {"id": "one"})
                    os.close(held)
                    early = socket.create_connection(one.getsockname(), LIMIT)
                early.close()
                client.close()
            finally:
                process.terminate()
                text = process.communicate(timeout=LIMIT)[0]
            self.assertEqual(process.returncode, 0, text)
            self.assertIn('"stray"', text)

    def test_what_is_no_listener_is_refused(self):
        with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            process = self.start(["gate"], [datagrams], directory)
            text = process.communicate(timeout=LIMIT)[0]
            self.assertNotEqual(process.returncode, 0)
            self.assertIn('inherited socket "gate"', text)

    def test_an_open_gate_is_refused(self):
        with tempfile.TemporaryDirectory() as directory, socket.create_server(("0.0.0.0", 0)) as listener:
            for words in ("none", "vncauth", "tlsNone"):
                process = self.start(["gate"], [listener], directory, config=f"[gate]\nsecurity = {words}\n")
                text = process.communicate(timeout=LIMIT)[0]
                self.assertNotEqual(process.returncode, 0)
                self.assertIn("insecure = yes", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
