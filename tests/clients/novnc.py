# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC in Chromium draws exactly the surface and follows it: straight over ws and wss, with each security type that it knows, and
through websockify. It asks for Tight with JPEG, which leaves areas of few colours lossless: the picture is made of such."""
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
from browser import PATIENCE, PLACE, Browser, ended, pages
from guest import ABS, KEY, REL, Guest, Sinks
from host import PASSWORD

NOVNC = "/usr/share/novnc"
# A page with nothing but noVNC in it; what it is to do comes in its address.
PAGE = b"""<!DOCTYPE html><html><body style="margin: 0"><div id="screen"></div><script type="module">
import RFB from './core/rfb.js';
const wish = new URLSearchParams(location.search);
const credentials = {username: wish.get('user'), password: wish.get('password')};
const rfb = new RFB(document.getElementById('screen'), wish.get('url'), {credentials});
rfb.addEventListener('disconnect', () => { document.title = 'gone'; });
rfb.addEventListener('securityfailure', e => { document.title = 'refused ' + e.detail.reason; });
</script></body></html>"""


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
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages(NOVNC, PAGE) as port, \
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
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages(NOVNC, PAGE) as port, \
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
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages(NOVNC, PAGE) as port, \
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
