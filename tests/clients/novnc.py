# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC in Chromium draws exactly the surface and follows it: straight over ws and wss, with each security type that it knows, and
through websockify.

Chromium is driven through its debugging pipe (descriptors 3 and 4, JSON messages that end with a NUL). What noVNC's canvas holds is
read pixel by pixel. It asks for Tight with JPEG, which leaves areas of few colours lossless: the picture is made of such."""
import base64
import contextlib
import functools
import http.server
import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import pictures
from guest import ABS, KEY, REL, Guest, Sinks
from host import PASSWORD

PATIENCE = 60
NOVNC = "/usr/share/novnc"
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--disable-dev-shm-usage", "--remote-debugging-pipe",
            "--ignore-certificate-errors", "--window-size=1000,800", "--hide-scrollbars"]
# A page with nothing but noVNC in it; what it is to do comes in its address.
PAGE = b"""<!DOCTYPE html><html><body style="margin: 0"><div id="screen"></div><script type="module">
import RFB from './core/rfb.js';
const wish = new URLSearchParams(location.search);
const credentials = {username: wish.get('user'), password: wish.get('password')};
const rfb = new RFB(document.getElementById('screen'), wish.get('url'), {credentials});
rfb.addEventListener('disconnect', () => { document.title = 'gone'; });
rfb.addEventListener('securityfailure', e => { document.title = 'refused ' + e.detail.reason; });
</script></body></html>"""
# Its canvas as R G B bytes in base64, or why there is none.
CANVAS = """(() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width) return 'no canvas';
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let text = '';
    for (let i = 0; i < data.length; i += 4) text += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
    return canvas.width + ' ' + canvas.height + ' ' + btoa(text);
})()"""

PLACE = """(() => {
    const place = document.querySelector('canvas').getBoundingClientRect();
    return JSON.stringify([place.x, place.y]);
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

    def title(self):
        return self.call("Runtime.evaluate", expression="document.title")["result"].get("value", "")

    def close_page(self):
        session, self.session = self.session, None
        self.call("Target.detachFromTarget", sessionId=session)

    def screenshot(self, where, width, height):
        """What is on the screen, as load() of pictures has it."""
        x, y = json.loads(self.call("Runtime.evaluate", expression=PLACE)["result"]["value"])
        data = self.call("Page.captureScreenshot", format="png", clip={"x": x, "y": y, "width": width, "height": height, "scale": 1})
        path = pathlib.Path(where, "screen.png")
        path.write_bytes(base64.b64decode(data["data"]))
        if os.environ.get("KEEP_PICTURES"):
            pathlib.Path(os.environ["KEEP_PICTURES"], f"novnc-{time.monotonic_ns()}.png").write_bytes(path.read_bytes())
        return pictures.load(path)

    def canvas(self):
        """(width, height, R G B bytes), or None."""
        value = self.call("Runtime.evaluate", expression=CANVAS)["result"].get("value", "")
        parts = value.split()
        if len(parts) != 3 or not parts[0].isdigit():
            return None
        return int(parts[0]), int(parts[1]), base64.b64decode(parts[2])


class Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        if not self.path.startswith("/page.html"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def pages():
    """noVNC's files on a port of their own; yields it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=NOVNC))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


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

    WAYS = {                         # scheme, security of the listener, is there a password file, is a ticket used
        "ws, none": ("ws", "none", False, False),
        "ws, VncAuth": ("ws", "vncauth", True, False),
        "ws, VncAuth, ticket": ("ws", "vncauth", False, True),
        "wss, none": ("wss", "x509None", False, False),
        "wss, VncAuth": ("wss", "x509Vnc", True, False),
        "wss, VncAuth, ticket": ("wss", "x509Vnc", False, True),
        "wss, Plain": ("wss", "x509Plain", True, False),
        "wss, Plain, ticket": ("wss", "x509Plain", True, True),
    }

    def come(self, browser, port, guest, scheme, password):
        wish = {"url": f"{scheme}://127.0.0.1:{guest.port}/", "user": "somebody", "password": password or ""}
        browser.open(f"http://127.0.0.1:{port}/page.html?{urllib.parse.urlencode(wish)}")

    def test_straight(self):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages() as port, \
                contextlib.closing(Browser(where)) as browser:
            for name, (scheme, security, fixed, ticket) in self.WAYS.items():
                with self.subTest(name), Guest(flat=True, security=security, transports="rfb websocket secureWebsocket", certificate=True,
                                               password=PASSWORD if fixed else None, viewers="insecure = yes") as guest:
                    password = PASSWORD if fixed else None
                    if ticket:
                        password = guest.daemon.connect().call("IssueTicket", {"id": "guest", "mode": "control"})["ticket"]
                    self.come(browser, port, guest, scheme, password)
                    self.until_it_shows(browser, guest)
                    guest.surface.fill(b"\x20\x40\xe0\0", 64, 96, 200, 50)
                    guest.surface.signal()
                    self.until_it_shows(browser, guest)
                    self.assertTrue(browser.screenshot(where, 640, 480) == guest.expected(), "the screen is another picture")
                    browser.close_page()

    KEYS = [("a", "KeyA", 65, 30), ("Enter", "Enter", 13, 28), ("ArrowRight", "ArrowRight", 39, 106), ("F5", "F5", 116, 63),
            ("Shift", "ShiftLeft", 16, 42)]

    def test_types_and_clicks(self):
        """A person's keys and clicks, as Chromium sees them, at the guest's keyboard and pointer."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages() as port, \
                contextlib.closing(Browser(where)) as browser, Guest(flat=True, security="none", transports="rfb websocket",
                                                                     viewers="insecure = yes") as guest, Sinks(guest) as sinks:
            self.come(browser, port, guest, "ws", None)
            self.until_it_shows(browser, guest)
            left, top = json.loads(browser.call("Runtime.evaluate", expression=PLACE)["result"]["value"])

            def mouse(kind, x, y, **more):
                browser.call("Input.dispatchMouseEvent", type=kind, x=left + x, y=top + y, **more)

            mouse("mouseMoved", 100, 50)
            mouse("mousePressed", 100, 50, button="left", buttons=1, clickCount=1)
            mouse("mouseReleased", 100, 50, button="left", buttons=0, clickCount=1)
            clicked = sinks.until("absolutePointer", (KEY, 0x110, 0))
            self.assertLess(clicked.index((KEY, 0x110, 1)), clicked.index((KEY, 0x110, 0)))
            place = dict((code, value) for kind, code, value in clicked if kind == ABS)
            self.assertEqual((place[0] * 640 // 32768, place[1] * 480 // 32768), (100, 50))
            mouse("mouseWheel", 100, 50, deltaX=0, deltaY=120)
            sinks.until("absolutePointer", (REL, 8, -1))
            for key, code, number, evdev in self.KEYS:
                for kind, value in (("rawKeyDown", 1), ("keyUp", 0)):
                    browser.call("Input.dispatchKeyEvent", type=kind, key=key, code=code, windowsVirtualKeyCode=number)
                    self.assertEqual(sinks.until("keyboard", (KEY, evdev, value))[-1], (KEY, evdev, value), key)
            # It is let go of, whatever becomes of the page.
            browser.call("Input.dispatchKeyEvent", type="rawKeyDown", key="b", code="KeyB", windowsVirtualKeyCode=66)
            sinks.until("keyboard", (KEY, 48, 1))
            browser.process.kill()
            sinks.until("keyboard", (KEY, 48, 0))

    def test_another_page_is_kept_out(self):
        """Its Origin is not of this host; and the right one, without the password."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages() as port, \
                contextlib.closing(Browser(where)) as browser, Guest(
                    flat=True, security="none", transports="rfb websocket", viewers="insecure = yes\norigins = https://a.example") as guest:
            self.come(browser, port, guest, "ws", None)
            end = time.monotonic() + PATIENCE
            while browser.title() != "gone":
                self.assertLess(time.monotonic(), end, browser.title())
                self.assertIsNone(browser.canvas())
                time.sleep(0.1)

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
