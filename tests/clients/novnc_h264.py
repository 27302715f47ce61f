# SPDX-License-Identifier: GPL-2.0-or-later
"""noVNC 1.7 in Chromium shows a film that it was sent as H.264: its picture is like one that was drawn, while it plays, and exact when it
rests.

Debian 12 has an older noVNC, so this one comes by npm, once for each build directory; where NOVNC names a folder with noVNC in it, or
Debian's is new enough, npm is not wanted. The page counts what the browser's own decoder has made.
"""
import base64
import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import h264
import pictures
import player
from browser import PATIENCE, Browser, pages
from guest import Guest

PACKAGE = "@novnc/novnc@1.7.0"
SHA512 = "ucEJOx4T2avIRCleodk7YobZj5O2Ga2AeLfQ69A/yjG9HHba2+PDgwSkN3FttrmG+70ZGx21sElNFouK13RzyA=="
DECODER = "core/decoders/h264.js"
PLACE = (96, 64)
LIKE_MIN = 28                        # dB; the other pictures that are drawn have some 15
SHOTS = 20
LIMIT = PATIENCE * daemon.SLOW
PAGE = b"""<!DOCTYPE html><html><body style="margin: 0"><div id="screen"></div><script>
window.decoded = 0;
if (window.VideoDecoder)
    window.VideoDecoder = class extends VideoDecoder {
        constructor(given) {
            super({...given, output: frame => { window.decoded++; given.output(frame); }});
        }
    };
</script><script type="module">
import RFB from './core/rfb.js';
window.decoded = 0;
const rfb = new RFB(document.getElementById('screen'), new URLSearchParams(location.search).get('url'));
rfb.addEventListener('disconnect', () => { document.title = 'gone'; });
</script></body></html>"""


def fetch(folder):
    """The package's files, which are what they have always been."""
    if not shutil.which("npm"):
        raise unittest.SkipTest("there is neither noVNC 1.6 or later nor npm, which has it")
    with tempfile.TemporaryDirectory() as where:
        try:
            out = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=where, capture_output=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            raise unittest.SkipTest(f"npm pack {PACKAGE} takes too long") from None
        packed = list(pathlib.Path(where).glob("*.tgz"))
        if out.returncode or len(packed) != 1:
            raise unittest.SkipTest(f"npm pack {PACKAGE} has failed: {out.stderr.decode(errors='replace').strip()[-200:]}")
        data = packed[0].read_bytes()
        if base64.b64encode(hashlib.sha512(data).digest()).decode() != SHA512:
            raise AssertionError(f"{PACKAGE} is another one than it was")
        with tarfile.open(packed[0]) as files:
            files.extractall(f"{where}/files")
        folder.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError, OSError):         # somebody else was faster
            shutil.copytree(f"{where}/files/package", f"{folder}.{os.getpid()}")
            os.rename(f"{folder}.{os.getpid()}", folder)
        shutil.rmtree(f"{folder}.{os.getpid()}", ignore_errors=True)


def novnc():
    """A folder with one that knows H.264."""
    kept = daemon.BUILD / "novnc" / PACKAGE.rsplit("@", 1)[1]
    for folder in (os.environ.get("NOVNC"), "/usr/share/novnc", kept):
        if folder and pathlib.Path(folder, DECODER).exists():
            return folder
    fetch(kept)
    return kept


def built():
    """The program that serves viewers is linked with an encoder."""
    return b"libx264.so" in (daemon.BUILD / "vfio-displayd-rfb").read_bytes()


def cut(picture, x, y, width, height):
    """That part of what pictures.py has, as XRGB8888."""
    whole, _, data = picture
    out = bytearray()
    for row in range(y, y + height):
        start = 3 * (row * whole + x)
        rgb = data[start:start + 3 * width]
        line = bytearray(4 * width)
        line[::4], line[1::4], line[2::4] = rgb[2::3], rgb[1::3], rgb[::3]
        out += line
    return bytes(out)


@unittest.skipUnless(built(), "built without libx264")
class Film(unittest.TestCase):
    def until(self, test, what):
        end = time.monotonic() + LIMIT
        while not (found := test()):
            self.assertLess(time.monotonic(), end, f"not within {LIMIT} s: {what}")
            time.sleep(0.1)
        return found

    def decoded(self):
        return int(self.browser.call("Runtime.evaluate", expression="window.decoded")["result"].get("value") or 0)

    def alike(self, picture):
        """dB, of the drawn pictures' that it is most like."""
        seen = cut(picture, *PLACE, *player.SIZE)
        return max(h264.psnr(seen, scene) for scene in player.SCENES)

    def encodings(self):
        with self.guest.daemon.connect() as client:
            client.send("ListViewers", {"id": "guest"}, more=True)
            out = []
            while True:
                reply = client.receive()
                out.append(reply["parameters"]["viewer"].get("encoding"))
                if not reply.get("continues"):
                    return out

    def watch(self, port):
        wish = {"url": f"ws://127.0.0.1:{self.guest.port}/"}
        self.browser.open(f"http://127.0.0.1:{port}/page.html?{urllib.parse.urlencode(wish)}")
        self.until(lambda: self.browser.canvas() == self.guest.expected(), "the picture, exact")
        codec = self.browser.call("Runtime.evaluate", awaitPromise=True, expression="""'VideoDecoder' in window ?
            VideoDecoder.isConfigSupported({codec: 'avc1.42c01e', codedWidth: 320, codedHeight: 240}).then(s => s.supported) : false""")
        if not codec["result"].get("value"):
            self.skipTest("this browser decodes no H.264")

    def play(self, where):
        """One film, from its first shot until it rests."""
        before = self.decoded()
        drawing = player.Player(self.guest.surface, (*PLACE, *player.SIZE))
        try:
            self.until(lambda: self.decoded() >= before + SHOTS, "pictures from the browser's decoder")
            self.until(lambda: "h264" in self.encodings(), "the encoding in ListViewers")
            self.until(lambda: self.alike(self.browser.canvas()) > LIKE_MIN, "a picture that was drawn, on noVNC's canvas")
            self.until(lambda: self.alike(self.browser.screenshot(where, 640, 480)) > LIKE_MIN, "one on the screen")
            self.assertGreater(self.decoded(), before + SHOTS)
        finally:
            drawing.stop()
        self.until(lambda: self.browser.canvas() == self.guest.expected(), "the picture at rest, exact")
        self.until(lambda: "h264" not in self.encodings(), "the encoding in ListViewers, as all is exact")

    def test_film(self):
        folder = novnc()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as where, pages(folder, PAGE) as port, \
                contextlib.closing(Browser(where)) as self.browser, \
                Guest(flat=True, security="none", transports="rfb websocket", viewers="insecure = yes") as self.guest:
            self.watch(port)
            self.play(where)
            self.play(where)
            self.assertNotEqual(self.browser.title(), "gone")


if __name__ == "__main__":
    unittest.main(verbosity=2)
