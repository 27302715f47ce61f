#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that viewers are connected to outlive the daemon: nobody is hung up on, whatever way they came, and who comes while there is
no daemon is let in or waits. Rules and names hold across. (Displays, leases and listeners: restart.py.)"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import host  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import systemd  # noqa: E402
from compare import shows  # noqa: E402

LIMIT = 20 * daemon.SLOW
CLOSED = (rfb.Refused, EOFError, ConnectionError)


class Scene(systemd.Service):
    """A service with a gate, users, and a display "guest" with a port for each kind of viewer."""

    def __init__(self, viewers="", gate=True):
        self.scratch = tempfile.TemporaryDirectory()
        users = pathlib.Path(self.scratch.name) / "users"
        made = subprocess.run(["openssl", "passwd", "-6", "-salt", "salt", "right"], capture_output=True, text=True, check=True)
        users.write_text(f"ann:{made.stdout.strip()}:control:guest\n")
        users.chmod(0o600)
        self.port = daemon.free_port()
        lines = ["[viewers]", viewers, "certificate = {}\nkey = {}".format(*host.issued()), f"passwords = {users}"]
        lines += ["[gate]", f"listen = 127.0.0.1:{self.port}"] if gate else []
        super().__init__(config="\n".join(lines) + "\n")
        self.guests, self.held, self.viewers, self.seed = {}, [], [], 0

    def stop(self, check=True):
        for each in self.viewers + self.opened:
            each.close()
        super().stop(check)
        for fd in self.held:
            os.close(fd)
        for guest in self.guests.values():
            guest.close()
        self.scratch.cleanup()

    def add(self, name, listen=(), **context):
        guest = self.guests[name] = surface.Surface(320, 200)
        guest.noise(len(self.guests), colours=40)
        ports = [daemon.free_port() for _ in listen]
        self.held.append(self.register(guest, name, context=context, listen=[
            {"address": f"127.0.0.1:{port}", **each} for port, each in zip(ports, listen)]))
        return ports

    def come(self, port, **more):
        more.setdefault("ca", host.authority("ca").ca)
        viewer = rfb.Client(port if isinstance(port, socket.socket) else ("127.0.0.1", port), timeout=LIMIT, **more)
        self.viewers.append(viewer)
        return viewer

    def attach(self, name, **more):
        ours, theirs = socket.socketpair()
        self.call("Attach", {"id": name, "fileDescriptorIndex": 0, **more}, [theirs.fileno()])
        theirs.close()
        return self.come(ours)

    def call(self, method, parameters, fds=()):
        client = self.connect()
        try:
            return client.call(method, parameters, fds)
        finally:
            client.close()

    def runtime(self, name="guest"):
        return self.call("List", {"id": name})["runtime"]

    def ticket(self, name, mode="control", **more):
        return self.call("IssueTicket", {"id": name, "mode": mode, **more})["ticket"]

    def listed(self, name="guest"):
        """{name of the viewer: (mode, label, peer)}"""
        client, found = self.connect(), {}
        client.send("ListViewers", {"id": name}, more=True)
        while True:
            reply = client.receive()
            if reply.get("error", "").endswith("NoSuchViewer"):
                break
            viewer = reply["parameters"]["viewer"]
            found[viewer["viewer"]] = viewer["mode"], viewer.get("label"), viewer.get("peer")
            if not reply.get("continues"):
                break
        client.close()
        return found

    def draw(self, name="guest"):
        self.seed += 1
        guest = self.guests[name]
        guest.noise(100 + self.seed, 0, 0, 80, 60)
        guest.signal()
        return guest

    def running(self, name):
        """Children of this name that have not ended: their first 15 letters."""
        return [pid for pid in self.children() if self.name(pid) == name and
                pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"]


class Outlive(unittest.TestCase):
    def scene(self, **more):
        scene = Scene(**more)
        self.addCleanup(self.finish, scene)
        return scene

    def run(self, result=None):
        self.result = result
        self.bad = len(result.errors) + len(result.failures)
        return super().run(result)

    def finish(self, scene):
        if len(self.result.errors) + len(self.result.failures) > self.bad:
            print(f"---- the daemon's log ----\n{scene.text()}----")
        scene.stop()

    def sees(self, scene, viewers, name="guest"):
        guest = scene.draw(name)
        for kind, viewer in viewers.items():
            with self.subTest(kind):
                viewer.until(lambda viewer=viewer: shows(viewer, guest) is None, ask=True)

    def is_connected(self, viewers):
        """None of them has been hung up on: nothing comes from them, or pixels."""
        for kind, viewer in viewers.items():
            with self.subTest(kind):
                viewer.request()
                try:
                    viewer.hear(time.monotonic() + 0.05)
                except TimeoutError:
                    pass

    def test_nobody_is_hung_up_on(self):
        scene = self.scene(viewers="transports = rfb websocket secureWebsocket")
        open_port, secure, webs, asks = scene.add("guest", [
            {"mode": "control", "security": ["none"]}, {"mode": "view", "security": ["tlsNone", "x509None"]},
            {"mode": "control", "security": ["none", "x509None"], "transports": ["websocket", "secureWebsocket"]},
            {"mode": "control", "security": ["vncauth", "x509Plain"]}])
        viewers = {
            "plain": scene.come(open_port),
            "tls": scene.come(secure, security="tlsNone"),
            "x509": scene.come(secure, security="x509None"),
            "websocket": scene.come(webs, websocket="/displays/guest"),
            "secure websocket": scene.come(webs, websocket="/displays/guest", wss=True),
            "ticket": scene.come(asks, security="vncauth", password=scene.ticket("guest", label="bob")),
            "user": scene.come(asks, security="x509Plain", user="ann", password="right"),
            "gate": scene.come(scene.port, security="x509Plain", user="x", password=scene.ticket("guest", label="eve")),
            "attached": scene.attach("guest", mode="view", label="clerk"),
        }
        self.sees(scene, viewers)
        listed = scene.listed()
        self.assertEqual(len(listed), len(viewers))
        self.assertEqual(sorted(label for _, label, _ in listed.values() if label), ["ann", "bob", "clerk", "eve"])
        programs = sorted(scene.rfb_programs())
        self.assertEqual(len(programs), 2)
        used = scene.ticket("guest"), scene.ticket("guest"), scene.ticket("guest")
        late = [scene.come(scene.port, security="x509Plain", user="x", password=used[0])]
        self.sees(scene, {"late": late[0]})

        scene.crash()
        scene.until(lambda: not scene.running("vfio-displayd-l"), "the program that knows passwords is gone")
        self.is_connected(viewers)
        # What the program can judge alone it does; others wait, at the display and at the gate.
        fresh = {"fresh": scene.come(open_port), "fresh over TLS": scene.come(secure, security="x509None")}
        waiting, came = {}, {}

        def wait(kind, *where, **more):
            came[kind] = scene.come(*where, **more)

        for kind, port, more in (("asks", asks, {"security": "vncauth", "password": used[1]}),
                                 ("asks at the gate", scene.port, {"security": "x509Plain", "user": "x", "password": used[2]}),
                                 ("asks for a user", asks, {"security": "x509Plain", "user": "ann", "password": "right"})):
            waiting[kind] = threading.Thread(target=wait, args=(kind, port), kwargs=more, daemon=True)
            waiting[kind].start()
        time.sleep(0.5)  # for them to come as far as they can
        self.assertEqual(came, {})
        scene.start()
        for thread in waiting.values():
            thread.join(LIMIT)
        everybody = {**viewers, **fresh, **came, "late": late[0]}
        self.assertEqual(len(came), 3)
        self.sees(scene, everybody)
        after = scene.listed()
        self.assertEqual({name: after.get(name) for name in listed}, listed)
        self.assertEqual(len(after), len(everybody))
        self.assertEqual(sorted(scene.rfb_programs()), programs)

        # Again, and in an orderly way; who leaves meanwhile has left.
        scene.crash()
        everybody.pop("fresh").close()
        everybody.pop("attached").close()
        scene.start()
        self.sees(scene, everybody)
        for _ in range(2):
            scene.restart()
            self.sees(scene, everybody)
        scene.until(lambda: len(scene.listed()) == len(everybody), "those who have left are not listed")
        kept = {name: what for name, what in listed.items() if what[1] != "clerk"}
        self.assertEqual({name: scene.listed().get(name) for name in kept}, kept)
        # They can be sent off by their names, and everybody leaves by themselves.
        scene.call("Detach", {"viewer": next(name for name, what in kept.items() if what[1] == "eve")})
        with self.assertRaises(CLOSED):
            everybody.pop("gate").until(lambda: False, timeout=LIMIT)
        self.sees(scene, everybody)
        scene.stop_service()
        for viewer in everybody.values():
            with self.assertRaises(CLOSED):
                viewer.until(lambda: False, timeout=LIMIT)

    def test_rules_hold(self):
        """Who is alone stays alone, what is full is full; new names are new."""
        scene = self.scene(gate=False)
        alone, = scene.add("alone", [{"mode": "control", "security": ["none"]}], sharing="allowExclusive")
        full, = scene.add("full", [{"mode": "control", "security": ["none"]}], viewersMaximum=2)

        def refused(port, **more):
            try:
                scene.come(port, **more)
            except CLOSED:
                return True
            return False

        only = scene.come(alone, shared=False)
        pair = [scene.come(full), scene.come(full)]
        names = {**scene.listed("alone"), **scene.listed("full")}
        for rounds in range(3):
            self.assertTrue(refused(alone))
            self.assertTrue(refused(full))
            scene.crash()
            self.assertTrue(refused(alone))
            self.assertTrue(refused(full))
            scene.start()
            self.assertTrue(refused(alone))
            self.assertTrue(refused(full))
            for attached in ("alone", "full"):
                with self.assertRaises(Exception) as caught:
                    scene.attach(attached, mode="view")
                self.assertIn("LimitReached" if attached == "full" else "", str(caught.exception))
            self.sees(scene, {"alone": only}, "alone")
            self.sees(scene, dict(enumerate(pair)), "full")
            self.assertEqual({**scene.listed("alone"), **scene.listed("full")}, names)
        pair.pop().close()
        scene.until(lambda: len(scene.listed("full")) == 1, "one has left")
        scene.attach("full", mode="view", label="next")
        new = set(scene.listed("full")) - set(names)
        self.assertEqual(len(new), 1)

    def test_the_guest_has_gone_meanwhile(self):
        scene = self.scene(gate=False)
        port, = scene.add("guest", [{"mode": "control", "security": ["none"]}])
        viewer = scene.come(port)
        self.sees(scene, {"viewer": viewer})
        names = scene.listed()
        scene.crash()
        os.close(scene.held.pop())
        scene.start()
        self.assertEqual(scene.runtime()["state"], "lost")
        self.assertEqual(scene.listed(), names)
        picture = bytes(viewer.pixels)
        viewer.until(lambda: bytes(viewer.pixels) != picture, ask=True)
        self.assertIn("wait for it to come back", scene.runtime()["stateReason"])
        # It comes back, and is shown through the same connection.
        scene.guests.pop("guest").close()
        scene.add("guest")
        self.sees(scene, {"viewer": viewer})
        self.assertEqual(scene.listed(), names)
        # Nobody waits for one that nobody looked at.
        viewer.close()
        scene.until(lambda: not scene.listed(), "it has left")
        scene.crash()
        os.close(scene.held.pop())
        scene.start()
        scene.until(lambda: not scene.rfb_programs(), "its program is gone")
        self.assertEqual([name for name in scene.store.names() if name.split(".")[0] in ("state", "link", "rfb", "device")], [])


if __name__ == "__main__":
    unittest.main()
