# SPDX-License-Identifier: GPL-2.0-or-later
"""A Varlink client for tests, with descriptors both ways, and raw enough to break the rules."""
import array
import json
import os
import socket
import time

INTERFACE = "org.vfiodisplay.Display."


class VarlinkError(Exception):
    def __init__(self, error, parameters):
        super().__init__(f"{error} {parameters}")
        self.error = error.rsplit(".", 1)[-1]
        self.name = error
        self.parameters = parameters


class Client:
    def __init__(self, where, timeout=15):
        if isinstance(where, socket.socket):
            self.sock = where
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(where)
            except OSError:
                self.sock.close()
                raise
        self.sock.settimeout(timeout)
        self.buffer = b""
        self.fds = []                # that came with the last reply; the test's to close

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data, fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        return self.sock.sendmsg([data], ancillary)

    @staticmethod
    def message(method, parameters=None, **flags):
        if "." not in method:
            method = INTERFACE + method
        return json.dumps({"method": method, "parameters": parameters or {}, **flags}).encode() + b"\0"

    def send(self, method, parameters=None, fds=(), **flags):
        self.send_raw(self.message(method, parameters, **flags), fds)

    def receive(self):
        """One reply as it is. EOFError: the server hung up."""
        self.fds = []
        while b"\0" not in self.buffer:
            data, ancillary, _, _ = self.sock.recvmsg(1 << 16, socket.CMSG_SPACE(4 * 64))
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    got = array.array("i")
                    got.frombytes(content[:len(content) - len(content) % 4])
                    self.fds += got
            if not data:
                raise EOFError("the server hung up")
            self.buffer += data
        reply, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(reply)

    def result(self):
        reply = self.receive()
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters", {}))
        return reply.get("parameters", {})

    def call(self, method, parameters=None, fds=(), **flags):
        self.send(method, parameters, fds, **flags)
        return self.result()

    def error(self, method, parameters=None, fds=(), **flags):
        """The name of the error that must come, without its interface."""
        try:
            got = self.call(method, parameters, fds, **flags)
        except VarlinkError as error:
            return error.error
        raise AssertionError(f"{method} succeeded: {got}")

    # ---- what tests do most ----

    def describe(self, display):
        return self.call("List", {"id": display})["runtime"]

    def until(self, display, test, timeout=10):
        """Lists a display until test(runtime) is true."""
        end = time.monotonic() + timeout
        while True:
            runtime = self.describe(display)
            if test(runtime):
                return runtime
            if time.monotonic() > end:
                raise AssertionError(f"{display} stays {runtime}")
            time.sleep(0.05)

    def until_gone(self, display, timeout=10):
        end = time.monotonic() + timeout
        while True:
            try:
                runtime = self.describe(display)
            except VarlinkError as error:
                if error.error == "NoSuchDisplay":
                    return
                raise
            if time.monotonic() > end:
                raise AssertionError(f"{display} stays {runtime}")
            time.sleep(0.05)

    def capture(self, display):
        """(width, height, stride, bytes)."""
        got = self.call("Capture", {"id": display})
        fd = self.fds[got["fileDescriptorIndex"]]
        try:
            return got["width"], got["height"], got["stride"], os.pread(fd, got["stride"] * got["height"], 0)
        finally:
            for each in self.fds:
                os.close(each)

    def attach(self, display, mode="view", **more):
        """A connected RFB socket and the viewer's name."""
        got = self.call("Attach", {"id": display, "mode": mode, **more})
        return socket.socket(fileno=self.fds[got["fileDescriptorIndex"]]), got["viewer"]
