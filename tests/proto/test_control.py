#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vfio-displayd itself, by its control socket: hand-overs of surfaces, good and bad ones, leases, viewers, captures."""

import array
import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.path.abspath("vfio-displayd")
INTERFACE = "org.vfiodisplay.Display."
SERVICE = "org.varlink.service."
LIMIT = 20  # seconds; nothing here takes one
WIDTH, HEIGHT = 64, 48
F_ADD_SEALS, F_GET_SEALS, SEAL_SHRINK, SEAL_GROW, SEAL_WRITE = 1033, 1034, 2, 4, 8


def pixels():
    return b"".join(bytes((x * 3, y * 5, 77, 255)) for y in range(HEIGHT) for x in range(WIDTH))


def surface(seals=SEAL_SHRINK):
    """A memfd that shows pixels(); include/vfio-displayd/surface.h."""
    fd = os.memfd_create("surface", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    size = WIDTH * HEIGHT * 4
    os.ftruncate(fd, 4096 + size)
    plane = struct.pack("<QQIIIIQiiIIII", 4096, 0, 0x34325258, WIDTH, HEIGHT, WIDTH * 4, size, 0, 0, 0, 0, 0, 0)
    os.pwrite(fd, struct.pack("<IIII", 0x31465344, 1, 2, 0) + plane + bytes(64), 0)
    os.pwrite(fd, pixels(), 4096)
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


class Refused(Exception):
    def __init__(self, name, parameters):
        super().__init__(name, parameters)
        self.name, self.parameters = name, parameters


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.text, self.fds = b"", []
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def send(self, method, parameters=None, fds=(), more=False):
        call = {"method": method if "." in method else INTERFACE + method, "parameters": parameters or {}}
        if more:
            call["more"] = True
        data = json.dumps(call).encode() + b"\0"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendall(data[self.socket.sendmsg([data], rights):])

    def receive(self):
        while b"\0" not in self.text:
            piece, control, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(64))
            for _, _, rights in control:
                self.fds += array.array("i", rights[: len(rights) // 4 * 4])
            if not piece:
                raise EOFError
            self.text += piece
        message, self.text = self.text.split(b"\0", 1)
        reply = json.loads(message)
        if "error" in reply:
            raise Refused(reply["error"], reply["parameters"])
        return reply

    def call(self, method, parameters=None, fds=(), more=False):
        self.send(method, parameters, fds, more)
        return self.receive()["parameters"]

    def call_all(self, method, parameters=None):
        self.send(method, parameters, more=True)
        replies = []
        while True:
            reply = self.receive()
            replies.append(reply["parameters"])
            if not reply.get("continues"):
                return replies


class Test(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "control")
        self.config = os.path.join(directory.name, "config")
        open(self.config, "w").close()
        self.log = open(os.path.join(directory.name, "log"), "w+")
        self.addCleanup(self.log.close)
        self.daemon = subprocess.Popen([PROGRAM, "--config", self.config, "--control", self.path],
                                       stdin=subprocess.DEVNULL, stderr=self.log)
        self.addCleanup(self.stop)
        self.until(self.listens)
        self.connection.call("GetCapabilities")
        self.opened = []
        self.addCleanup(lambda: [os.close(fd) for fd in self.opened])

    def listens(self):
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            self.connection = self.connect()
            return True
        return False

    def stop(self):
        """Every test also shows that the daemon is alive at its end, and leaves in good order."""
        self.assertIsNone(self.daemon.poll(), "the daemon died")
        self.daemon.terminate()
        try:
            self.assertEqual(self.daemon.wait(LIMIT), 0)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
            raise

    def until(self, holds):
        end = time.monotonic() + LIMIT
        while not holds():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def connect(self):
        connection = Connection(self.path)
        self.addCleanup(connection.close)
        return connection

    def own(self, fd):
        self.opened.append(fd)
        return fd

    def daemon_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.daemon.pid))

    def surfaces_held(self):
        held = 0
        for number in os.listdir("/proc/%d/fd" % self.daemon.pid):
            with contextlib.suppress(FileNotFoundError):
                held += "/memfd:surface" in os.readlink("/proc/%d/fd/%s" % (self.daemon.pid, number))
        return held

    def at_rest(self):
        """How many descriptors it holds, once that has stayed the same for a while."""
        counts = []

        def same():
            counts.append(self.daemon_fds())
            return len(counts) >= 5 and len(set(counts[-5:])) == 1

        self.until(same)
        return counts[-1]

    def settled(self, fds):
        """It holds as many descriptors as that again. A display's thread may be looking just now."""
        self.until(lambda: self.daemon_fds() == fds)

    def refused(self, name, method, parameters=None, fds=(), more=False, connection=None):
        with self.assertRaises(Refused) as caught:
            (connection or self.connection).call(method, parameters, fds, more)
        self.assertEqual(caught.exception.name, name)
        return caught.exception.parameters

    def register(self, identity="vm1", **parameters):
        """A surface whose lease is the returned end of a pipe."""
        device, (ours, theirs) = self.own(surface()), os.pipe()
        self.connection.call("Register", {"context": {"id": identity}, "source": "surface",
                                          "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
                                          **parameters}, [device, ours])
        os.close(ours)
        return theirs

    def listed(self):
        try:
            return [entry["context"]["id"] for entry in self.connection.call_all("List")]
        except Refused as error:
            self.assertEqual((error.name, error.parameters), (INTERFACE + "NoSuchDisplay", {}))
            return []

    # Leases

    def test_leases(self):
        before = self.at_rest()
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        pair, (reading, writing) = socket.socketpair(), os.pipe()
        kinds = [
            (os.pidfd_open(process.pid), lambda: process.communicate()),
            (pair[0].detach(), lambda: pair[1].close()),
            (reading, lambda: os.close(writing)),
        ]
        for lease, end in kinds:
            self.connection.call("Register", {"context": {"id": "vm1"}, "source": "surface",
                                              "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1},
                                 [self.own(surface()), lease])
            os.close(lease)
            self.assertEqual(self.listed(), ["vm1"])
            end()
            self.until(lambda: not self.listed())
            self.settled(before)

    def test_connection_as_lease(self):
        before, other = self.at_rest(), self.connect()
        other.send("Register", {"source": "surface", "deviceFileDescriptorIndex": 0}, [self.own(surface())], more=True)
        reply = other.receive()
        self.assertTrue(reply["continues"])
        self.assertEqual(reply["parameters"]["event"], "registered")
        self.assertEqual(self.listed(), [reply["parameters"]["id"]])
        other.close()
        self.until(lambda: not self.listed())
        self.settled(before)

    def test_connection_ends_at_once(self):
        before = self.at_rest()
        for _ in range(50):
            with Connection(self.path) as other:
                device = surface()
                other.send("Register", {"source": "surface", "deviceFileDescriptorIndex": 0}, [device], more=True)
                os.close(device)
        self.until(lambda: not self.listed())
        self.settled(before)

    def test_unregister_answers_after_the_end(self):
        before, other = self.at_rest(), self.connect()
        device = surface()
        other.send("Register", {"context": {"id": "vm1"}, "source": "surface", "deviceFileDescriptorIndex": 0},
                   [device], more=True)
        other.receive()
        self.connection.call("Unregister", {"id": "vm1"})
        self.assertEqual(self.surfaces_held(), 0)
        self.settled(before + 1)  # the connection
        reply = other.receive()
        self.assertNotIn("continues", reply)
        self.assertEqual(reply["parameters"]["event"], "unregistered")
        self.assertEqual(reply["parameters"]["id"], "vm1")
        # The connection is free again, and so are the id and the device.
        other.send("Register", {"context": {"id": "vm1"}, "source": "surface", "deviceFileDescriptorIndex": 0},
                   [device], more=True)
        self.assertEqual(other.receive()["parameters"]["event"], "registered")
        os.close(device)

    def test_the_same_again(self):
        device, lease = self.own(surface()), os.pipe()
        parameters = {"context": {"id": "vm1"}, "source": "surface", "deviceFileDescriptorIndex": 0,
                      "leaseFileDescriptorIndex": 1}
        self.connection.call("Register", parameters, [device, lease[0]])
        before = self.at_rest()
        self.connection.call("Register", parameters, [device, lease[0]])
        self.assertEqual(self.listed(), ["vm1"])
        self.refused(INTERFACE + "DisplayExists", "Register", parameters, [self.own(surface()), lease[0]])
        parameters["context"] = {"id": "vm2"}
        self.refused(INTERFACE + "DeviceUnsuitable", "Register", parameters, [device, lease[0]])
        self.settled(before)
        for fd in lease:
            os.close(fd)

    # Bad hand-overs

    def test_wrong_descriptors(self):
        self.register("good")
        before = self.at_rest()
        pair, pipe = socket.socketpair(), os.pipe()
        wrong = [os.open("/etc/passwd", os.O_RDONLY), os.open("/dev/null", os.O_RDWR), os.open("/dev/null", os.O_PATH),
                 pair[0].fileno(), pipe[0], pipe[1], os.eventfd(0), os.open("/", os.O_RDONLY), surface(seals=SEAL_GROW),
                 os.memfd_create("bare"), os.pidfd_open(os.getpid())]
        good, lease = self.own(surface()), pipe[0]
        places = {"deviceFileDescriptorIndex": (0, wrong),
                  "changeFileDescriptorIndex": (1, [fd for fd in wrong if "eventfd" not in self.kind(fd)]),
                  "leaseFileDescriptorIndex": (2, [wrong[0], wrong[1], wrong[2], wrong[7], wrong[9]])}
        for source in ("surface", "vfio"):
            for index, fds in places.values():
                if source == "vfio" and index > 0:
                    continue
                for fd in fds:
                    given = [good, self.own(os.eventfd(0)), lease]
                    given[index] = fd
                    got = self.refused(INTERFACE + "DescriptorUnsuitable", "Register", {
                        "source": source, "deviceFileDescriptorIndex": 0, "changeFileDescriptorIndex": 1,
                        "leaseFileDescriptorIndex": 2}, given)
                    self.assertEqual(got["index"], index, self.kind(fd))
                    self.assertTrue(got["reason"])
        self.settled(before)
        self.assertEqual(self.listed(), ["good"])
        for other in pair:
            other.close()
        for fd in [*wrong[:3], *wrong[6:], *pipe]:
            os.close(fd)

    @staticmethod
    def kind(fd):
        return os.readlink("/proc/self/fd/%d" % fd)

    def test_surface_with_a_bad_header(self):
        before = self.at_rest()
        for at, bad in ((0, b"NOPE"), (4, b"\2")):
            device, lease = surface(), os.pipe()
            os.pwrite(device, bad, at)
            got = self.refused(INTERFACE + "DeviceUnsuitable", "Register", {
                "source": "surface", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1},
                [device, lease[0]])
            self.assertTrue(got["reason"])
            for fd in (device, *lease):
                os.close(fd)
        self.until(lambda: not self.listed())
        self.settled(before)

    def test_parameters(self):
        device = self.own(surface())
        before = self.at_rest()
        self.refused(INTERFACE + "LeaseRequired", "Register", {"deviceFileDescriptorIndex": 0}, [device])
        cases = [({}, "deviceFileDescriptorIndex"),
                 ({"deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 0}, "leaseFileDescriptorIndex"),
                 ({"deviceFileDescriptorIndex": 0, "leaseFiledescriptorIndex": 0}, "leaseFiledescriptorIndex"),
                 ({"deviceFileDescriptorIndex": 0, "context": {"id": "../x"}}, "context.id"),
                 ({"source": "surface", "deviceFileDescriptorIndex": 0,
                   "listen": [{"mode": "view", "address": "nonsense"}]}, "listen[0].address")]
        for parameters, path in cases:
            got = self.refused(SERVICE + "InvalidParameter", "Register", parameters, [device], more=True)
            self.assertEqual(got, {"parameter": path})
        got = self.refused(INTERFACE + "DescriptorUnsuitable", "Register", {"deviceFileDescriptorIndex": 3},
                           [device], more=True)
        self.assertEqual(got["index"], 3)
        got = self.refused(INTERFACE + "AddressUnavailable", "Register", {
            "source": "surface", "deviceFileDescriptorIndex": 0,
            "listen": [{"mode": "view", "address": "unix:/nowhere/at/all"}]}, [device], more=True)
        self.assertEqual(got["address"], "unix:/nowhere/at/all")
        self.settled(before)

    def test_broken_messages(self):
        self.register("good")
        before = self.at_rest()
        device = self.own(surface())

        def rights(n):
            return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [device] * n))]

        whole = json.dumps({"method": INTERFACE + "Register", "more": True,
                            "parameters": {"source": "surface", "deviceFileDescriptorIndex": 0}}).encode() + b"\0"
        for send in (
            lambda s: s.sendmsg([whole], rights(200)),  # too many
            lambda s: s.sendmsg([whole[:20]], rights(1)),  # half a message
            lambda s: (s.send(whole[:20]), s.sendmsg([whole[20:]], rights(1))),  # not with its first byte
            lambda s: s.sendmsg([b"\xff\xfe\0"], rights(1)),
            lambda s: s.sendmsg([b"[]\0"], rights(1)),
            lambda s: s.sendmsg([b"\0"], rights(1)),
            lambda s: s.sendmsg([b'{"method":"x","colour":1}\0'], rights(1)),
        ):
            with Connection(self.path) as other:
                send(other.socket)
                other.socket.shutdown(socket.SHUT_WR)
                # Whatever it says to that, in the end it hangs up.
                with contextlib.suppress(ConnectionResetError):
                    while other.socket.recv(65536):
                        pass
        self.settled(before)
        self.assertEqual(self.listed(), ["good"])

    # Lists, viewers, pictures

    def test_list(self):
        for identity, machine in (("vm1", "a"), ("vm2", "b"), ("vm3", "a")):
            self.register(context={"id": identity, "machine": machine})
        self.assertEqual(self.listed(), ["vm1", "vm2", "vm3"])
        found = self.connection.call_all("List", {"machine": "a"})
        self.assertEqual([entry["context"]["id"] for entry in found], ["vm1", "vm3"])
        self.refused(SERVICE + "ExpectedMore", "List")
        self.assertEqual(self.refused(INTERFACE + "NoSuchDisplay", "List", {"id": "vm9"}), {"id": "vm9"})
        entry = self.connection.call("List", {"id": "vm2"})
        self.assertEqual(entry["context"], {"id": "vm2", "machine": "b", "viewOnly": False})
        self.assertEqual(entry["runtime"]["registrant"], {"uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid()})
        self.assertEqual(entry["runtime"]["lease"], "descriptor")

    def test_capture(self):
        self.register()
        got = self.connection.call("Capture", {"id": "vm1"})
        fd = self.connection.fds[got.pop("fileDescriptorIndex")]
        self.assertEqual(got, {"width": WIDTH, "height": HEIGHT, "stride": WIDTH * 4, "format": "XRGB8888"})
        self.assertEqual(fcntl.fcntl(fd, F_GET_SEALS) & 14, SEAL_SHRINK | SEAL_GROW | SEAL_WRITE)
        picture = os.pread(fd, WIDTH * HEIGHT * 4 + 1, 0)
        self.assertEqual(picture[0::4] + picture[1::4] + picture[2::4],
                         pixels()[0::4] + pixels()[1::4] + pixels()[2::4])
        self.refused(INTERFACE + "NoSuchDisplay", "Capture", {"id": "vm2"})

    def greet(self, viewer):
        """RFB 3.8, security type None, to ServerInit."""
        viewer.settimeout(LIMIT)

        def take(n):
            data = b""
            while len(data) < n:
                piece = viewer.recv(n - len(data))
                self.assertTrue(piece)
                data += piece
            return data

        self.assertEqual(take(12), b"RFB 003.008\n")
        viewer.sendall(b"RFB 003.008\n")
        self.assertEqual(take(2), b"\1\1")
        viewer.sendall(b"\1")
        self.assertEqual(take(4), bytes(4))
        viewer.sendall(b"\1")
        head = take(24)
        self.assertEqual(struct.unpack(">HH", head[:4]), (WIDTH, HEIGHT))
        self.assertEqual(take(struct.unpack(">I", head[20:])[0]), b"vm1")

    def test_attach_and_detach(self):
        self.register()
        self.refused(INTERFACE + "NoSuchViewer", "ListViewers", more=True)
        got = self.connection.call("Attach", {"id": "vm1", "mode": "view", "label": "ann"})
        viewer = socket.socket(fileno=self.connection.fds.pop(got["fileDescriptorIndex"]))
        self.greet(viewer)
        ours, theirs = socket.socketpair()
        other = self.connection.call("Attach", {"id": "vm1", "mode": "control", "fileDescriptorIndex": 0},
                                     [theirs.fileno()])
        theirs.close()
        self.assertNotIn("fileDescriptorIndex", other)
        self.greet(ours)
        viewers = [entry["viewer"] for entry in self.connection.call_all("ListViewers", {"id": "vm1"})]
        self.assertEqual([(v["viewer"], v["mode"], v.get("label")) for v in viewers],
                         [(got["viewer"], "view", "ann"), (other["viewer"], "control", None)])
        self.connection.call("Detach", {"viewer": got["viewer"]})
        while viewer.recv(65536):
            pass
        self.until(lambda: len(self.connection.call_all("ListViewers")) == 1)
        self.assertFalse(select.select([ours], [], [], 0)[0])
        self.refused(INTERFACE + "NoSuchViewer", "Detach", {"viewer": got["viewer"]})
        viewer.close()
        ours.close()

    def test_view_only(self):
        self.register(context={"id": "vm1", "viewOnly": True, "viewersMaximum": 1})
        self.refused(SERVICE + "PermissionDenied", "Attach", {"id": "vm1", "mode": "control"})
        self.connection.call("Attach", {"id": "vm1", "mode": "view"})
        got = self.refused(INTERFACE + "LimitReached", "Attach", {"id": "vm1", "mode": "view"})
        self.assertEqual(got, {"limit": "viewersMaximum", "value": 1})

    def test_attach_wants_a_stream(self):
        self.register()
        before = self.at_rest()
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(lambda: [end.close() for end in pair])
        for fd in (pair[0].fileno(), self.own(os.eventfd(0)), self.own(os.open("/dev/null", os.O_RDWR))):
            got = self.refused(INTERFACE + "DescriptorUnsuitable", "Attach",
                               {"id": "vm1", "mode": "view", "fileDescriptorIndex": 0}, [fd])
            self.assertEqual(got["index"], 0)
        self.settled(before)

    # Tickets and changes

    def test_tickets(self):
        self.register(context={"id": "vm1", "viewOnly": True})
        seen = set()
        for seconds in (1, 3600, None):
            got = self.connection.call("IssueTicket", {"id": "vm1", "mode": "view", "seconds": seconds, "label": "ann"})
            self.assertEqual(set(got), {"ticket", "expires"})
            self.assertRegex(got["ticket"], "^[2-9A-HJ-NP-Za-km-z]{20}$")
            self.assertAlmostEqual(got["expires"], time.time() + (seconds or 60), delta=2)
            seen.add(got["ticket"])
        self.assertEqual(len(seen), 3)
        self.refused(SERVICE + "PermissionDenied", "IssueTicket", {"id": "vm1", "mode": "exclusive"})
        got = self.refused(SERVICE + "InvalidParameter", "IssueTicket", {"id": "vm1", "mode": "view", "seconds": 0})
        self.assertEqual(got, {"parameter": "seconds"})
        got = self.refused(INTERFACE + "NoSuchDisplay", "IssueTicket", {"id": "vm2", "mode": "view"})
        self.assertEqual(got, {"id": "vm2"})
        limits = self.connection.call("GetCapabilities")["limits"]
        for _ in range(limits["ticketsPerDisplay"] - 3):
            self.connection.call("IssueTicket", {"id": "vm1", "mode": "view", "seconds": 3600})
        got = self.refused(INTERFACE + "LimitReached", "IssueTicket", {"id": "vm1", "mode": "view"})
        self.assertEqual(got, {"limit": "ticketsPerDisplay", "value": limits["ticketsPerDisplay"]})
        # The secret is told once, to the caller.
        self.log.seek(0)
        text = self.log.read()
        self.assertIn("a ticket for 3600 s was issued", text)
        for ticket in seen:
            self.assertNotIn(ticket[:8], text)

    def test_update(self):
        self.register(context={"id": "vm1", "name": "old", "machine": "m", "labels": {"a": "b"}, "viewersMaximum": 3})
        got = self.connection.call("Update", {"id": "vm1", "context": {
            "name": "new", "framesPerSecondMaximum": 5, "bytesPerSecondMaximum": 1000000, "sharing": "allowExclusive",
            "keyboardLayout": "de(nodeadkeys)", "inputExclusiveSeconds": 0}})
        wanted = {"id": "vm1", "name": "new", "machine": "m", "labels": {"a": "b"}, "viewersMaximum": 3,
                  "framesPerSecondMaximum": 5, "bytesPerSecondMaximum": 1000000, "sharing": "allowExclusive",
                  "viewOnly": False, "keyboardLayout": "de(nodeadkeys)", "inputExclusiveSeconds": 0}
        self.assertEqual(got, {"context": wanted})
        self.assertEqual(self.connection.call("List", {"id": "vm1"})["context"], wanted)
        # All of it may be said again.
        self.assertEqual(self.connection.call("Update", {"id": "vm1", "context": wanted})["context"], wanted)
        for field, value in (("id", "vm2"), ("machine", "n"), ("head", 0), ("viewOnly", True), ("sharing", "never"),
                             ("bytesPerSecondMaximum", 4294967296)):
            got = self.refused(SERVICE + "InvalidParameter", "Update", {"id": "vm1", "context": {field: value}})
            self.assertEqual(got, {"parameter": "context." + field})
        self.refused(INTERFACE + "NoSuchDisplay", "Update", {"id": "vm2", "context": {}})
        self.assertEqual(self.connection.call("List", {"id": "vm1"})["context"], wanted)

    # Rights

    @unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
    def test_what_belongs_to_others(self):
        self.register()
        os.chmod(os.path.dirname(self.path), 0o755)
        os.chmod(self.path, 0o666)
        os.seteuid(65534)
        try:
            other = self.connect()
        finally:
            os.seteuid(0)
        for right, method, rest in (("manage", "Unregister", {}), ("ticket", "IssueTicket", {"mode": "view"}),
                                    ("manage", "Update", {"context": {"name": "mine"}})):
            got = self.refused(SERVICE + "PermissionDenied", method, {"id": "vm1", **rest}, connection=other)
            self.assertEqual(got["right"], right)
            self.assertIn("vm1", got["reason"])
            self.refused(INTERFACE + "NoSuchDisplay", method, {"id": "vm2", **rest}, connection=other)
        self.refused(SERVICE + "PermissionDenied", "Detach", {"viewer": "1-2"}, connection=other)
        self.assertEqual(self.listed(), ["vm1"])

    def test_description(self):
        text = self.connection.call(SERVICE + "GetInterfaceDescription", {"interface": INTERFACE[:-1]})["description"]
        with open(os.path.join(os.environ.get("srcdir", "."), "data", INTERFACE + "varlink")) as file:
            self.assertEqual(text, file.read())


if __name__ == "__main__":
    unittest.main()
