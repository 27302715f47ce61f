#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Hands a display over to vfio-displayd, as a VMM would: Python's standard library only.

usage: handover.py SOCKET ID [DEVICE]

Without DEVICE it makes a surface and draws on it; with the path of a VFIO device (/dev/vfio/devices/vfioN) it hands that over.
Viewers connect to ID.vnc, a Unix socket that it makes where it was started: "vncviewer ./ID.vnc".
It hears what viewers ask for (shutdown, reboot, reset), goes on when the daemon is restarted, and unregisters on SIGTERM.
"""
import array, fcntl, json, mmap, os, select, signal, socket, struct, sys, time

INTERFACE = "org.vfiodisplay.Display."
WIDTH, HEIGHT, START = 640, 480, 4096
STRIDE = WIDTH * 4
SIZE = STRIDE * HEIGHT
F_ADD_SEALS, F_SEAL_SHRINK, F_SEAL_GROW = 1033, 2, 4
XRGB8888 = int.from_bytes(b"XR24", "little")


class Refused(Exception):
    pass


class Connection:
    """A Varlink connection: JSON objects with a NUL behind each."""

    def __init__(self, path):
        self.buffer = b""
        while True:  # the daemon may be on its way up
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(path)
                return
            except (FileNotFoundError, ConnectionRefusedError):
                self.sock.close()
                time.sleep(0.1)

    def send(self, method, parameters, fds=(), **flags):
        message = json.dumps({"method": INTERFACE + method, "parameters": parameters, **flags}).encode() + b"\0"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sent = self.sock.sendmsg([message], rights)  # the descriptors ride on the first byte
        self.sock.sendall(message[sent:])

    def receive(self):
        """The next reply's parameters. EOFError: the daemon hung up."""
        while b"\0" not in self.buffer:
            try:
                piece = self.sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise EOFError("vfio-displayd has closed the connection")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        reply = json.loads(message)
        if "error" in reply:
            raise Refused(reply["error"].split(".")[-1], reply.get("parameters"))
        return reply["parameters"]


class Surface:
    """struct vfio_displayd_surface in a memfd, and a bar that moves."""

    def __init__(self):
        self.fd = os.memfd_create("example", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, START + SIZE)
        fcntl.fcntl(self.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
        self.memory = mmap.mmap(self.fd, START + SIZE)
        primary = struct.pack("=QQIIIIQiiIIII", START, 0, XRGB8888, WIDTH, HEIGHT, STRIDE, SIZE, 0, 0, 0xffffffff, 0xffffffff, 0, 0)
        self.memory[:144] = struct.pack("=IIII", 0x31465344, 1, 2, 0) + primary + bytes(64)
        self.change = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def draw(self):
        bar = int(time.monotonic() * 100) % WIDTH
        row = b"".join(b"\x00\xff\xff\x00" if bar <= x < bar + 20 else b"\x80\x40\x20\x00" for x in range(WIDTH))
        self.memory[START:START + SIZE] = row * HEIGHT
        os.eventfd_write(self.change, 1)


def listen(path):
    """Where viewers connect is ours: the daemon could make a socket only where its user may write, and this one is there all the time."""
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener.detach()


def register(path, name, device, listener, change):
    """With "more" the connection brings events, and "registered" is the first. The lease is our pidfd: it holds across a restart of the daemon."""
    fds = [device, os.pidfd_open(os.getpid()), listener]
    parameters = {"context": {"id": name, "name": "An example"}, "source": "vfio", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
                  "listen": [{"mode": "control", "fileDescriptorIndex": 2}]}
    if change is not None:
        parameters.update(source="surface", changeFileDescriptorIndex=3)
        fds.append(change)
    for tries in range(100):
        connection = Connection(path)
        try:
            connection.send("Register", parameters, fds, more=True)
            reply = connection.receive()
            break
        except (EOFError, BrokenPipeError):
            pass  # it ended just now
        except Refused as refused:
            # Anything else will not pass.
            if refused.args[0] not in ("Unavailable", "ShuttingDown") or tries == 99:
                raise
        time.sleep(0.1)
    os.close(fds[1])
    print("registered as", reply["id"], "viewers at", " ".join(reply["runtime"]["endpoints"]), flush=True)
    return connection


def main():
    path, name = sys.argv[1:3]
    surface = None if len(sys.argv) > 3 else Surface()
    device = surface.fd if surface else os.open(sys.argv[3], os.O_RDWR | os.O_CLOEXEC)
    change = surface.change if surface else None
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    listener = listen(os.path.abspath(name + ".vnc"))
    connection = register(path, name, device, listener, change)
    while not ending:
        if surface:
            surface.draw()
        if not select.select([connection.sock], [], [], 0.05)[0]:
            continue
        try:
            reply = connection.receive()
        except EOFError:
            # Restarted, without systemd to keep the connection. The same call again: where the daemon still has the display, that is no error.
            connection = register(path, name, device, listener, change)
            continue
        if reply.get("event") == "powerRequested":
            print("viewer", reply["viewer"], "asks for", reply["action"], flush=True)
        elif reply.get("event") == "unregistered":
            print("somebody has unregistered it", flush=True)
            return
    other = Connection(path)  # the first one waits for events and takes no other call
    other.send("Unregister", {"id": name})
    other.receive()
    print("unregistered: nobody holds it any more", flush=True)


main()
