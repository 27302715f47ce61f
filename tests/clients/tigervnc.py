# SPDX-License-Identifier: GPL-2.0-or-later
"""TigerVNC's viewer shows exactly the surface on its screen, in every lossless encoding that it can prefer, and follows it."""
import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import pictures
from guest import ABS, KEY, REL, Guest, Sinks
from host import PASSWORD
from security import password_file
from xpointer import Pointer

SCREEN = (1024, 768)
PATIENCE = 30


def ended(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def x_server(where):
    """An X server of our own; yields its display. It would begin anew, deaf to who comes just then, when its last client has left: xwd may
    be that while the viewer starts."""
    read, write = os.pipe()
    with open(f"{where}/xvfb", "wb") as log:
        server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24",
                                   "-nolisten", "tcp", "-br", "-noreset"], pass_fds=(write,), stdout=log, stderr=log)
    os.close(write)
    try:
        with os.fdopen(read) as ready:
            number = ready.readline().strip()
        if not number:
            raise AssertionError("no X server: " + pathlib.Path(f"{where}/xvfb").read_text())
        yield f":{number}"
    finally:
        ended(server)


@contextlib.contextmanager
def viewer(display, where, guest, *options, security="None", host="127.0.0.1", **more):
    environment = dict(os.environ, DISPLAY=display, HOME=where, **more)
    with open(f"{where}/viewer", "wb") as log:
        process = subprocess.Popen(["xtigervncviewer", f"-SecurityTypes={security}", "-AutoSelect=0", "-FullColor", "-NoJPEG",
                                    "-MenuKey=", "-AcceptClipboard=0", "-SendClipboard=0", *options,
                                    f"{host}::{guest.port}"], env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        ended(process)


def screenshot(display):
    got = subprocess.run(["xwd", "-root", "-silent", "-display", display], check=True, capture_output=True, timeout=30)
    return pictures.load_xwd(got.stdout)


def keep(display, pointer, name):
    """For people: the screen with the cursor over it, as KEEP_PICTURES/NAME.ppm."""
    where = os.environ.get("KEEP_PICTURES")
    if not where:
        return
    width, height, screen = screenshot(display)
    screen = bytearray(screen)
    w, h, hot_x, hot_y, pixels = pointer.cursor()
    for y in range(h):
        for x in range(w):
            at, over = 3 * ((300 - hot_y + y) * width + 300 - hot_x + x), pixels[(y * w + x) * 4:][:4]
            for i in range(3):
                screen[at + i] = min(255, over[2 - i] + screen[at + i] * (255 - over[3]) // 255)
    pathlib.Path(where, f"{name}.ppm").write_bytes(b"P6 %d %d 255\n" % (width, height) + screen)


def shows(screen, guest):
    """The viewer's window lies somewhere on the screen: there is no window manager."""
    screen_width, screen_height, seen = screen
    width, height, wanted = guest.expected()
    first = seen.find(wanted[:3 * width])
    if first < 0 or first % 3:
        return False
    y, x = divmod(first // 3, screen_width)
    if x + width > screen_width or y + height > screen_height:
        return False
    line = 3 * width
    return all(seen[3 * ((y + i) * screen_width + x):][:line] == wanted[i * line:(i + 1) * line] for i in range(height))


def arrow(side, edge=(255, 255, 255)):
    """A triangle with a shadow that lets the picture through, as desktops have it; premultiplied ARGB."""
    out = bytearray(side * side * 4)
    for y in range(side):
        for x in range(side):
            if x <= y // 2:
                pixel = bytes((*edge, 255)) if x in (0, y // 2) else b"\x20\x10\x60\xff"
            elif x <= y // 2 + 6 and y > 12:
                alpha = 120 - 20 * (x - y // 2 - 1)
                pixel = bytes((0, 0, alpha // 2, alpha))
            else:
                pixel = bytes(4)
            out[(y * side + x) * 4:(y * side + x) * 4 + 4] = pixel
    return bytes(out)


def placed(image, width, height, seen):
    """What the viewer made of @image: it divides by alpha, as it must, and gives X, which wants them premultiplied, the divided
    colours (1.12)."""
    seen_width, seen_height, hot_x, hot_y, pixels = seen
    if seen_width < width or seen_height < height:
        return False
    for y in range(height):
        for x in range(width):
            want, got = image[(y * width + x) * 4:][:4], pixels[(y * seen_width + x) * 4:][:4]
            if want[3] != got[3] or any(abs(a * 255 // max(want[3], 1) - b) > 2 for a, b in zip(want[:3], got)):
                return False
    return True


class TigerVNC(unittest.TestCase):
    def until_it_shows(self, display, guest, process, where):
        end = time.monotonic() + PATIENCE
        while not shows(screenshot(display), guest):
            if process.poll() is not None or time.monotonic() > end:
                self.fail("the picture is not on the screen\n" + pathlib.Path(f"{where}/viewer").read_text())
            time.sleep(0.2)

    def test_every_pixel(self):
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display:
            for encoding in ("ZRLE", "Tight", "Hextile", "Raw"):
                with self.subTest(encoding), viewer(display, where, guest, f"-PreferredEncoding={encoding}") as process:
                    self.until_it_shows(display, guest, process, where)

    def let_in(self, kind, theirs):
        """`theirs`: the viewer's word for it. The certificate is "localhost"'s."""
        with Guest(security=kind, password=PASSWORD, certificate=True, viewers="insecure = yes") as guest, \
                tempfile.TemporaryDirectory() as where, x_server(where) as display:
            pathlib.Path(where, "password").write_bytes(password_file(PASSWORD))
            options = [f"-X509CA={guest.ca}", "-PreferredEncoding=ZRLE"]
            if kind.lower().endswith("vnc") or kind == "vncauth":
                options.append(f"-passwd={where}/password")
            with viewer(display, where, guest, *options, security=theirs, host="localhost", VNC_USERNAME="somebody",
                        VNC_PASSWORD=PASSWORD) as process:
                self.until_it_shows(display, guest, process, where)
                guest.surface.noise(9, 50, 60, 200, 150)
                guest.surface.signal()
                self.until_it_shows(display, guest, process, where)

    def test_each_security_type(self):
        kinds = {"none": "None", "vncauth": "VncAuth", "tlsNone": "TLSNone", "tlsVnc": "TLSVnc", "tlsPlain": "TLSPlain",
                 "x509None": "X509None", "x509Vnc": "X509Vnc", "x509Plain": "X509Plain"}
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = {kind: pool.submit(self.let_in, kind, theirs) for kind, theirs in kinds.items()}
        for kind, job in jobs.items():
            with self.subTest(kind):
                job.result()

    def test_it_follows(self):
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display, \
                viewer(display, where, guest, "-PreferredEncoding=Tight") as process:
            self.until_it_shows(display, guest, process, where)
            guest.surface.noise(3, 111, 222, 333, 100)
            guest.surface.signal()
            self.until_it_shows(display, guest, process, where)
            guest.surface.shape(500, 400)
            guest.draw(flat=True)
            guest.surface.show()
            guest.surface.signal()
            self.until_it_shows(display, guest, process, where)

    def until_the_cursor_is(self, pointer, display, test, what):
        end = time.monotonic() + PATIENCE
        turn = 0
        while not test(pointer.cursor()):
            if time.monotonic() > end:
                seen = pointer.cursor()
                self.fail(f"{what}: the cursor is {seen[:4]}, {bytes(seen[4][:64]).hex(' ', 4)}")
            turn += 1
            pointer.move(300 + turn % 2, 300)   # it asks for the cursor when something moves in its window
            time.sleep(0.2)

    def test_the_cursor(self):
        """Cursor With Alpha: its image, half-transparent shadow included, also a large one; and it goes when the guest hides it."""
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display, \
                viewer(display, where, guest, "-PreferredEncoding=ZRLE") as process, Pointer(display) as pointer:
            self.until_it_shows(display, guest, process, where)
            for serial, (side, hot) in enumerate(((32, (0, 0)), (64, (3, 9)), (128, (1, 60)))):
                image = arrow(side, edge=(255, 255, 50 * serial))
                guest.surface.set_cursor(200, 200, side, image, hot=hot, serial=serial)
                guest.surface.signal()
                width = max(x for x in range(side) for y in range(side) if image[(y * side + x) * 4 + 3]) + 1
                cut = b"".join(image[y * side * 4:(y * side + width) * 4] for y in range(side))
                self.until_the_cursor_is(pointer, display, lambda seen: seen[2:4] == hot and placed(cut, width, side, seen),
                                         f"an arrow of {side}")
                self.until_it_shows(display, guest, process, where)
                keep(display, pointer, f"tigervnc-cursor-{side}")
            guest.surface.set_cursor(0, 0)
            guest.surface.signal()
            self.until_the_cursor_is(pointer, display, lambda seen: not any(seen[4][3::4]), "no cursor")

    def place(self, display, guest):
        """Where the picture begins on the screen."""
        width, _, seen = screenshot(display)
        first = seen.find(guest.expected()[2][:3 * guest.surface.width]) // 3
        return first % width, first // width

    def test_a_person_types_and_points(self):
        """By XTEST, as X has it from a real keyboard and mouse."""
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display, Sinks(guest) as sinks, \
                viewer(display, where, guest, "-PreferredEncoding=ZRLE") as process, Pointer(display) as pointer:
            self.until_it_shows(display, guest, process, where)
            left, top = self.place(display, guest)
            for x, y in ((50, 50), (101, 57)):
                pointer.go(left + x, top + y)
            pointer.button(1, True)
            pointer.button(1, False)
            clicked = sinks.until("absolutePointer", (KEY, 0x110, 0))
            self.assertLess(clicked.index((KEY, 0x110, 1)), clicked.index((KEY, 0x110, 0)))
            place = dict((code, value) for kind, code, value in clicked if kind == ABS)
            self.assertEqual((place[0] * 640 // 32768, place[1] * 480 // 32768), (101, 57))
            for number, wheel in ((4, (REL, 8, 1)), (5, (REL, 8, -1)), (6, (REL, 6, -1)), (7, (REL, 6, 1))):
                pointer.button(number, True)
                pointer.button(number, False)
                sinks.until("absolutePointer", wheel)
            pointer.focus()
            for name, code in (("a", 30), ("Return", 28), ("Right", 106), ("F11", 87), ("Shift_L", 42), ("KP_Enter", 96)):
                pointer.key(name, True)
                self.assertEqual(sinks.until("keyboard", (KEY, code, 1))[-1], (KEY, code, 1), name)
                pointer.key(name, False)
                sinks.until("keyboard", (KEY, code, 0))
            # It is killed with a key held.
            pointer.key("b", True)
            sinks.until("keyboard", (KEY, 48, 1))
            process.kill()
            sinks.until("keyboard", (KEY, 48, 0))

    def test_it_asks_for_a_size(self):
        """-DesktopSize sends SetDesktopSize at once. A surface has no other sizes: it is told so, and shows what there is."""
        with Guest() as guest, tempfile.TemporaryDirectory() as where, x_server(where) as display, \
                viewer(display, where, guest, "-DesktopSize=800x600") as process:
            self.until_it_shows(display, guest, process, where)
            end = time.monotonic() + PATIENCE
            while "SetDesktopSize failed: 1" not in (said := pathlib.Path(f"{where}/viewer").read_text()):
                self.assertLess(time.monotonic(), end, said)
                time.sleep(0.2)
            guest.surface.noise(3, 111, 222, 333, 100)
            guest.surface.signal()
            self.until_it_shows(display, guest, process, where)
            self.assertIsNone(process.poll())


if __name__ == "__main__":
    unittest.main()
