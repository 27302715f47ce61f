#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random pictures before random viewers: a guest scrolls, drags, plays films, writes, moves its cursor, changes its size, goes off and comes back; viewers
prefer any encoding with any extension, change their minds, ask for parts, lag, hang up in the middle and come again.

    BUILD=build RANDOM_SECONDS=600 pictures.py [SEED...]

Whenever the guest rests, every viewer ends with each pixel as it is. A seed makes what guest and viewers do, not when: a failure may need some tries.
"""
import contextlib
import os
import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "proto"), str(ROOT / "scenario")]
import daemon
import h264
import rfb
import surface
from compare import until_shows
from cursor import arrow, blended
from player import scene

LIMIT = 60 * daemon.SLOW
SIZES = ((520, 330), (640, 400), (531, 377), (331, 247), (128, 64), (67, 41), (1024, 300))
ENCODINGS = (rfb.TIGHT, rfb.TIGHT, rfb.TIGHT, rfb.ZRLE, rfb.HEXTILE, rfb.RAW, rfb.ZLIB)
EXTRAS = (rfb.COPYRECT, rfb.COPYRECT, rfb.LAST_RECT, rfb.FENCE, rfb.CONTINUOUS_UPDATES, rfb.H264, rfb.H264)
QUALITIES = (-32, -29, -27, -26, -24, -23)                   # JPEG 0 to 9
LEVELS = (-256, -255, -254, -250, -247)
SHAPES = (rfb.CURSOR, rfb.CURSOR_WITH_ALPHA, rfb.XCURSOR)
FORMATS = (rfb.PixelFormat(red=(255, 0), blue=(255, 16)), rfb.PixelFormat(big=True), rfb.PixelFormat(red=(255, 24), green=(255, 16), blue=(255, 8)),
           rfb.PixelFormat(16, 16, False, (31, 11), (63, 5), (31, 0)), rfb.PixelFormat(8, 8, False, (7, 0), (7, 3), (3, 6)))
FILM = (320, 240)
SCENES = [scene(number, *FILM) for number in range(8)]
ARROW = arrow()


class Guest:
    def __init__(self, d, name, source):
        self.source, self.cursor, self.film = source, None, None
        self.canvas = surface.Surface(*source.choice(SIZES[:4]), room=1024 * 400 * 4)
        self.canvas.noise(source.random(), colours=source.choice((2, 40, None)))
        self.told = source.random() < 0.7
        self.held = d.register(self.canvas, name, event=self.told)
        self.number = 0

    def close(self):
        os.close(self.held)
        self.canvas.close()

    def some(self, most, least=0):
        return self.source.randrange(least, most + 1) if most > least else least

    def area(self, least=1):
        c = self.canvas
        width, height = self.some(c.width, min(least, c.width)), self.some(c.height, min(least, c.height))
        return self.some(c.width - width), self.some(c.height - height), width, height

    def rows(self, x, y, width, height):
        return [self.canvas.row(y + i)[4 * x:4 * (x + width)] for i in range(height)]

    def shove(self):
        x, y, width, height = self.area(30)
        rows, c = b"".join(self.rows(x, y, width, height)), self.canvas
        far = self.source.choice((1, 16, 60, 500))
        x, y = x + self.some(far, -far), y + self.some(far, -far)
        x, y = max(0, min(x, c.width - width)), max(0, min(y, c.height - height))
        c.draw(x, y, width, height, rows)

    def scroll(self):
        x, y, width, height = (0, 0, self.canvas.width, self.canvas.height) if self.source.random() < 0.5 else self.area(30)
        by = min(self.source.choice((1, 3, 16, 17, 48)), height)
        rows = self.rows(x, y, width, height)
        down = self.source.random() < 0.3
        self.canvas.draw(x, y + by if down else y, width, height - by, b"".join(rows[:height - by] if down else rows[by:]))
        self.canvas.noise(self.source.random(), x, y if down else y + height - by, width, by, colours=self.source.choice((2, 2, 20)))

    def paint(self):
        self.canvas.noise(self.source.random(), *self.area(), colours=self.source.choice((1, 2, 3, 16, 250, 300, None)))

    def letter(self):
        c = self.canvas
        c.noise(self.source.random(), self.some(c.width - 8), self.some(c.height - 16), 8, 16, colours=2)

    def dot(self):
        c = self.canvas
        c.draw(self.some(c.width - 1), self.some(c.height - 1), 1, 1, self.source.randbytes(4))

    def point(self):
        c = self.canvas
        self.cursor = None if self.source.random() < 0.1 else (self.some(c.width, -20), self.some(c.height, -20))
        c.set_cursor(*(self.cursor or (0, 0)), 32, ARROW if self.cursor else None)

    def resize(self):
        c = self.canvas
        c.shape(*self.source.choice(SIZES))
        c.noise(self.source.random(), colours=self.source.choice((2, 40, None)))
        self.film = None
        c.show()

    def off(self):
        self.canvas.off()
        time.sleep(self.source.choice((0, 0.05, 0.6)))
        self.canvas.show()

    def play(self):
        c = self.canvas
        if c.width >= FILM[0] and c.height >= FILM[1]:
            self.film = (self.some(c.width - FILM[0]), self.some(c.height - FILM[1]))

    def cut(self):
        self.film = None

    STEPS = {"scroll": 6, "shove": 5, "paint": 3, "letter": 4, "dot": 3, "point": 3, "resize": 0.3, "off": 0.15, "play": 1.5, "cut": 1.5}

    def step(self):
        """What it did."""
        if self.film and self.source.random() < 0.85:
            self.number += 1
            self.canvas.draw(*self.film, *FILM, SCENES[self.number % len(SCENES)])
            name = "film"
            time.sleep(0.03)
        else:
            name, = self.source.choices(list(self.STEPS), list(self.STEPS.values()))
            getattr(self, name)()
        if self.source.random() < 0.95:
            self.canvas.signal()
        return name

    def rest(self):
        self.canvas.signal()

    def picture(self, viewer):
        if viewer.draws or not self.cursor:
            return self.canvas.expect(viewer.format)
        return blended(self.canvas, ARROW, *self.cursor, 32, 32)


class Viewers:
    def __init__(self, d, name, guest, source, most):
        self.d, self.name, self.guest, self.source, self.most, self.all = d, name, guest, source, most, []
        self.seen = set()

    def wishes(self, viewer):
        source = self.source
        out = [source.choice(ENCODINGS)] + source.sample(EXTRAS, source.randrange(len(EXTRAS)))
        out += [source.choice(LEVELS)] * source.randrange(2) + [source.choice(QUALITIES)] * (source.random() < 0.6)
        out += [rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE][:source.randrange(1, 3)]
        if rfb.H264 in out and not h264.there():
            out = [each for each in out if each != rfb.H264]
        viewer.told = set(out)
        return [*out, *([viewer.shape] if viewer.draws else [])]

    def come(self):
        viewer, source = self.d.viewer(self.name), self.source
        viewer.draws = source.random() < 0.6
        viewer.shape = source.choice(SHAPES)
        viewer.answers_fences = source.random() < 0.9
        viewer.lags, viewer.part = 0, None
        if viewer.draws and source.random() < 0.4:
            viewer.set_format(source.choice(FORMATS))
        viewer.set_encodings(*self.wishes(viewer))
        viewer.request(incremental=False)
        self.all.append(viewer)

    def step(self):
        source = self.source
        if len(self.all) < self.most and source.random() < 0.2 or not self.all:
            self.come()
        for viewer in list(self.all):
            viewer.lags -= viewer.lags > 0
            if not viewer.lags:
                self.hear(viewer)
            self.act(viewer)

    def rest(self):
        """Who is sent a part of the picture by continuous updates cannot have all of it meanwhile."""
        for viewer in self.all:
            if viewer.part:
                viewer.continuous(False)
                viewer.part = None

    def hear(self, viewer):
        end = time.monotonic() + 0.05
        with contextlib.suppress(TimeoutError):
            while viewer.hear(time.monotonic() + 0.001) != 0 or time.monotonic() < end and viewer.buffer:
                pass
            viewer.request()

    def act(self, viewer):
        source, chance = self.source, self.source.random()
        if chance < 0.02:
            self.seen |= viewer.seen
            self.all.remove(viewer)          # with whatever is on its way
            viewer.close()
            self.d.opened.remove(viewer)
        elif chance < 0.05:
            viewer.set_encodings(*self.wishes(viewer))
        elif chance < 0.09:
            viewer.request(source.random() < 0.5, self.guest.area())
        elif chance < 0.11 and rfb.CONTINUOUS_UPDATES in viewer.told and rfb.FENCE in viewer.told:
            viewer.part = None if source.random() < 0.6 else self.guest.area()
            viewer.continuous(source.random() < 0.6, viewer.part)
        elif chance < 0.13:
            viewer.lags = source.choice((3, 10, 40))
        elif chance < 0.14:
            for _ in range(20):
                viewer.request(source.random() < 0.8)
        elif chance < 0.15:
            viewer.request(incremental=False)


def session(seed, seconds):
    source = random.Random(seed)
    done = []
    with daemon.Daemon(config="[viewers]\nstall-seconds = 300\n") as d:
        guest = Guest(d, "x", source)
        viewers = Viewers(d, "x", guest, source, source.choice((1, 3, 6)))
        end = time.monotonic() + seconds
        rests = 0
        try:
            while time.monotonic() < end:
                for _ in range(source.choice((1, 5, 20, 60))):
                    done.append(guest.step())
                    if source.random() < 0.7:
                        viewers.step()
                guest.rest()
                viewers.rest()
                until_shows(viewers.all, guest.canvas, LIMIT, guest.picture)
                rests += 1
        except BaseException:
            print(f"# seed {seed}, {rests} rests, last steps {done[-40:]}", flush=True)
            print(f"# viewers {[(sorted(v.told), v.draws, v.format.bits, v.answers_fences) for v in viewers.all]}", flush=True)
            raise
        finally:
            guest.close()
    return rests, viewers.seen.union(*(viewer.seen for viewer in viewers.all))


def main():
    seeds = [int(each) for each in sys.argv[1:]]
    total = float(os.environ.get("RANDOM_SECONDS") or 60)
    end, failed, rests, count, seen = time.monotonic() + total, 0, 0, 0, set()
    seed = int(os.environ.get("RANDOM_SEED") or time.time_ns() // 1000)
    each = min(20, total)
    while seeds or (time.monotonic() < end and failed < 3):
        this = seeds.pop(0) if seeds else seed
        seed += this == seed
        count += 1
        try:
            more, kinds = session(this, each)
            rests += more
            seen |= kinds
        except Exception as error:
            failed += 1
            print(f"not ok pictures of seed {this} - {type(error).__name__}: {error}", flush=True)
        if not seeds and len(sys.argv) > 1:
            break
    print(f"# {count} sessions, {rests} rests; encodings {sorted(seen)}")
    if not failed:
        print("ok random pictures")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
