# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts an input adapter (vfio-display-input-...) and what it connects to: a stock QEMU without a guest, or a monitor that says what a test wants."""
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import daemon

GREETING = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}
SCHEMA = [{"name": "1", "meta-type": "enum", "values": ["left", "wheel-up", "wheel-down", "wheel-left", "wheel-right", "touch"]},
          {"name": "2", "meta-type": "object", "members": [], "tag": "type",
           "variants": [{"case": "key", "type": "3"}, {"case": "btn", "type": "4"}, {"case": "abs", "type": "5"}]}]
WITH_TOUCH = [SCHEMA[0], {**SCHEMA[1], "variants": SCHEMA[1]["variants"] + [{"case": "mtt", "type": "6"}]}]


class Program:
    """An adapter. What it says is in `text()`."""

    def __init__(self, name, *arguments, **popen):
        self.log = tempfile.TemporaryFile("w+b")
        self.process = subprocess.Popen([daemon.BUILD / name, *arguments], stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, **popen)

    def text(self):
        if not self.log.closed:
            self.log.seek(0)
            self.said = self.log.read().decode(errors="replace")
        return self.said

    def wait(self):
        """Its exit status."""
        try:
            return self.process.wait(15 * daemon.SLOW)
        finally:
            self.kill()

    def stop(self):
        """Asks it to end first."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.text()
        self.log.close()


class Qemu:
    """A QEMU in which nothing runs. `log`: what its input layer was told, one line for each event."""

    def __init__(self, *options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vfio-displayd-test."))
        self.qmp = str(self.dir / "qmp")
        self.options = options
        self.starts = 0
        self.start()

    def start(self):
        self.starts += 1
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg", "-m", "32",
             "-qmp", f"unix:{self.qmp},server=on,wait=off", "-trace", "input_event_*", "-D", str(self.path()), *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def path(self):
        return self.dir / f"log{self.starts}"

    def log(self):
        """Of the QEMU that runs now, without those that only end a group."""
        if not self.path().exists():
            return []
        lines = re.findall(r"^(?:.*:)?input_event_(\S+) (.*)\n", self.path().read_text(), re.M)
        return [f"{kind} {re.sub('con -?[0-9]+, ', '', what)}" for kind, what in lines if kind != "sync"]

    def keys(self):
        return [re.sub(r"key_qcode key qcode (\S+), down (\d)", r"\1 \2", line) for line in self.log() if line.startswith("key_")]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Monitor:
    """A monitor for one client after another. `answer(command, arguments)` gives what is returned; None: no answer comes; bytes: as they are."""

    def __init__(self, answer=None, schema=None, greeting=GREETING, mice=()):
        self.dir = tempfile.mkdtemp(prefix="vfio-displayd-test.")
        self.path = self.dir + "/qmp"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.answer, self.greeting = answer, greeting
        self.known = {"query-qmp-schema": SCHEMA if schema is None else schema, "query-mice": list(mice)}
        self.connections, self.calls, self.peer = 0, [], None
        self.ends = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ends:
            try:
                self.peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                self.talk(self.peer)
            except (OSError, ValueError):
                pass
            self.peer.close()

    def talk(self, peer):
        self.say(self.greeting)
        for line in peer.makefile("rb"):
            call = json.loads(line)
            name, arguments = call["execute"], call.get("arguments", {})
            result = self.answer(name, arguments) if self.answer else {}
            if name == "input-send-event":      # who sees it here may change the answers to those that follow
                self.calls.append(arguments)
            if isinstance(result, bytes):
                peer.sendall(result)
            elif result is not None:
                error = isinstance(result, dict) and "class" in result
                self.say({"error" if error else "return": self.known.get(name, result) if not error else result, "id": call["id"]})

    def say(self, message):
        self.peer.sendall(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\r\n")

    def events(self):
        """All that were sent, in short: keys as (number, down), the others as they are."""
        return [(each["data"]["key"]["data"], each["data"]["down"]) if each["type"] == "key" else each
                for call in list(self.calls) for each in call["events"]]

    def hang_up(self):
        self.peer.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.ends = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.peer:
            try:
                self.peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(10)
        shutil.rmtree(self.dir, ignore_errors=True)


def until(test, what, seconds=20):
    end = time.monotonic() + seconds * daemon.SLOW
    while not test():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)
