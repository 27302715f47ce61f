# SPDX-License-Identifier: GPL-2.0-or-later
"""A good viewer beside the abuse, in a process of its own: draws on a surface, and looks whether all of it arrives, and when.

    with Beside("/path/of/rfb/socket", surface) as good:
        ...                                          # be nasty to the same display
    good.check(self)                                 # updates came, without a gap, and the picture is right

A machine that is busy with other things is nobody's fault: time during which a byte was late that a few processes hand on, as a picture is
handed on from the guest to the viewer, is taken off a gap.

Instead of the path it may be a connected socket, as Attach returns it.

As a program: beside.py SOCKET|fd:NUMBER SURFACE-FD CHANGE-FD WIDTH HEIGHT. It draws until its standard input ends, then prints what it saw.
"""
import bisect
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time

import rfb
import surface as surfaces

SLOW = 4 if os.environ.get("SANITIZED") else 1
GAP = 0.5 * SLOW                 # seconds between two updates, at the most
EACH = 0.02                      # between two drawings


class Beside:
    def __init__(self, where, surface):
        fds = [surface.fd, surface.change]
        if isinstance(where, socket.socket):
            fds.append(where.fileno())
            where = f"fd:{where.fileno()}"
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(where), str(surface.fd), str(surface.change), str(surface.width), str(surface.height)],
            pass_fds=fds, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.seen = None
        first = self.process.stdout.readline()
        if first != "ready\n":
            self.process.wait()
            raise AssertionError(f"the good viewer does not start: {first}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.seen is None:
            try:
                out, _ = self.process.communicate("", timeout=30 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the good viewer does not come back") from None
            self.seen = json.loads(out or '{"error": "it died"}')

    def check(self, test, gap=GAP):
        self.stop()
        test.assertNotIn("error", self.seen)
        test.assertGreater(self.seen["updates"], 0)
        test.assertTrue(self.seen["same"], "the good viewer's picture is not the surface")
        test.assertLess(self.seen["gap"], gap, f"seconds without an update for the good viewer: {self.seen}")


class Metronome:
    """A byte goes round through as many processes as a picture does, and what took too long is noted."""

    TICK, LATE = 0.01, 0.03
    STATIONS = 4
    WORK = 0.0005                # seconds of processor at each

    def __init__(self):
        self.stop_read, self.stop_write = os.pipe()
        self.out_read, out_write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stop_write)
            with os.fdopen(out_write, "w") as out:
                json.dump(self.beat(out), out)
            os._exit(0)
        os.close(out_write)
        self.out = os.fdopen(self.out_read)
        self.out.readline()      # it beats: what is late from now on is noted

    def hand_on(self, source, to):
        while os.read(source, 1):
            end = time.process_time() + self.WORK
            while time.process_time() < end:
                pass
            os.write(to, b".")
        os._exit(0)

    def beat(self, out):
        first = self.round()
        late, before = [], time.monotonic()
        print(file=out, flush=True)
        while not select.select([self.stop_read], [], [], self.TICK)[0]:
            os.write(first, b".")
            os.read(self.back, 1)
            now = time.monotonic()
            if now - before > self.LATE:
                late.append((before, now))
            before = now
        if (now := time.monotonic()) - before > self.LATE:
            late.append((before, now))
        return late

    def round(self):
        """Where a byte is put in; it comes out at self.back. The stations end when their source does."""
        source, first = os.pipe()
        for _ in range(self.STATIONS):
            following, to = os.pipe()
            if os.fork() == 0:
                os.close(first)
                os.close(following)
                os.close(self.stop_read)
                self.hand_on(source, to)
            os.close(source)
            os.close(to)
            source = following
        self.back = source
        return first

    def stop(self):
        os.close(self.stop_write)
        with self.out:
            self.late = json.load(self.out)
        os.waitpid(self.pid, 0)

    def length(self, start, end):
        """Seconds from start to end in which the machine ran. What was late is in order: on a busy machine it is much."""
        lost, at = 0, bisect.bisect(self.late, start, key=lambda late: late[1])
        while at < len(self.late) and self.late[at][0] < end:
            lost += min(end, self.late[at][1]) - max(start, self.late[at][0])
            at += 1
        return end - start - lost


def watch(where, surface):
    metronome = Metronome()
    viewer = rfb.Client(where, timeout=10 * SLOW)
    viewer.set_encodings(rfb.RAW)
    viewer.first()
    print("ready", flush=True)
    number = 0
    while not select.select([0], [], [], EACH)[0]:
        number += 1
        surface.noise(time.monotonic_ns(), number * 40 % (surface.width - 32), number * 24 % (surface.height - 32), 32, 32)
        surface.signal()
        viewer.request()
        viewer.update()
    times = viewer.updates
    metronome.stop()
    gap = max((metronome.length(a, b) for a, b in zip(times, times[1:])), default=0)
    return {"updates": len(times), "gap": gap, "same": becomes(viewer, surface.expect(viewer.format))}


def becomes(viewer, picture):
    with contextlib.suppress(TimeoutError):
        viewer.until(lambda: viewer.pixels == picture, ask=True)
    return viewer.pixels == picture


def main():
    where, fd, change, width, height = sys.argv[1], *map(int, sys.argv[2:])
    if where.startswith("fd:"):
        where = socket.socket(fileno=int(where[3:]))
    try:
        seen = watch(where, surfaces.Surface.attach(fd, change, width, height))
    except (OSError, EOFError, AssertionError, rfb.Refused) as error:
        seen = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
