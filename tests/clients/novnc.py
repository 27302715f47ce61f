# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC in Chromium, through websockify, draws exactly the surface and follows it.

Chromium is driven through its debugging pipe (descriptors 3 and 4, JSON messages that end with a NUL). What noVNC's canvas holds is
read pixel by pixel. It asks for Tight with JPEG, which leaves areas of few colours lossless: the picture is made of such."""
import base64
import contextlib
import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
from guest import Guest

PATIENCE = 60
NOVNC = "/usr/share/novnc"
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--disable-dev-shm-usage", "--remote-debugging-pipe"]
# Its canvas as R G B bytes in base64, or why there is none.
CANVAS = """(() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width) return 'no canvas';
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let text = '';
    for (let i = 0; i < data.length; i += 4) text += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
    return canvas.width + ' ' + canvas.height + ' ' + btoa(text);
})()"""


def ended(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Browser:
    def __init__(self, where):
        commands, self.write = os.pipe()
        self.read, answers = os.pipe()
        self.buffer, self.number, self.session = b"", 0, None
        with open(f"{where}/chromium", "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "-", *CHROMIUM, f"--user-data-dir={where}/profile",
                 "about:blank"],
                pass_fds=(commands, answers), stdout=log, stderr=log, env=dict(os.environ, HOME=where))
        os.close(commands)
        os.close(answers)

    def close(self):
        ended(self.process)
        os.close(self.write)
        os.close(self.read)

    def message(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError("Chromium does not answer")
            data = os.read(self.read, 1 << 20)
            if not data:
                raise AssertionError("Chromium has ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        text = json.dumps(command).encode() + b"\0"
        while text:
            text = text[os.write(self.write, text):]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.message(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, address):
        target = self.call("Target.createTarget", url=address)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def canvas(self):
        """(width, height, R G B bytes), or None."""
        value = self.call("Runtime.evaluate", expression=CANVAS)["result"].get("value", "")
        parts = value.split()
        if len(parts) != 3 or not parts[0].isdigit():
            return None
        return int(parts[0]), int(parts[1]), base64.b64decode(parts[2])


@contextlib.contextmanager
def websockify(where, guest):
    """noVNC's files and the way to the guest on one port; yields it."""
    port = daemon.free_port()
    with open(f"{where}/websockify", "wb") as log:
        process = subprocess.Popen(["websockify", "--web", NOVNC, f"127.0.0.1:{port}", f"127.0.0.1:{guest.port}"],
                                   stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError("websockify: " + pathlib.Path(f"{where}/websockify").read_text())
            time.sleep(0.1)
        yield port
    finally:
        ended(process)


class NoVNC(unittest.TestCase):
    def until_it_shows(self, browser, guest):
        end = time.monotonic() + PATIENCE
        while (seen := browser.canvas()) != guest.expected():
            if time.monotonic() > end:
                self.fail(f"noVNC does not show the picture: {seen and seen[:2]}, {guest.expected()[:2]}")
            time.sleep(0.2)

    def test_every_pixel_and_it_follows(self):
        with Guest(flat=True) as guest, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, \
                websockify(where, guest) as port, contextlib.closing(Browser(where)) as browser:
            browser.open(f"http://127.0.0.1:{port}/vnc_lite.html?host=127.0.0.1&port={port}&scale=false")
            self.until_it_shows(browser, guest)
            guest.surface.fill(b"\x20\x40\xe0\0", 64, 96, 200, 50)
            guest.surface.signal()
            self.until_it_shows(browser, guest)
            guest.surface.shape(512, 384)
            guest.draw(flat=True)
            guest.surface.show()
            guest.surface.signal()
            self.until_it_shows(browser, guest)


if __name__ == "__main__":
    unittest.main()
