# SPDX-License-Identifier: GPL-2.0-or-later
"""How long many displays are without their daemon when it is started again (bench/README.md).

    BUILD=build python3 bench/restart.py [DISPLAYS [WATCHED]]
"""
import os
import pathlib
import resource
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/proto"))
import rfb
import surface
import systemd


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def next_pictures(viewers, surfaces, seed, began):
    """Each guest draws, and each viewer asks: when have the first and the last of them seen something new?"""
    for guest in surfaces:
        guest.noise(seed, 0, 0, 64, 64)
        guest.signal()
    waiting, poll = {viewer.sock.fileno(): viewer for viewer in viewers}, select.poll()
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    seen = []
    while waiting:
        for fd, _ in poll.poll(60000):
            poll.unregister(fd)
            waiting.pop(fd).update()
            seen.append(time.monotonic() - began)
    return seen


def main():
    displays = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    watched = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with systemd.Service(config="[log]\nlevel = warning\n") as service:
        surfaces = [surface.Surface(640, 480) for _ in range(displays)]
        leases = [service.register(guest, f"guest-{n}") for n, guest in enumerate(surfaces)]
        viewers = [service.viewer(f"guest-{n}") for n in range(watched)]
        for viewer in viewers:
            viewer.first()
        service.until(lambda: len(service.store.names("state")) == displays and len(service.store.names("rfb")) == watched,
                      "all is kept", 60)
        print(f"{displays} displays of 640x480, {watched} of them watched, {len(service.store.names())} descriptors kept")
        for number, how in enumerate(("crash", "restart") * 3):
            for viewer in viewers:
                viewer.request()
            began = time.monotonic()
            if how == "crash":
                service.crash()
            else:
                service.process.terminate()
                service.expect_end()
            down = time.monotonic() - began
            service.start()
            ready = time.monotonic() - service.started
            used = cpu(service.pid)
            seen = next_pictures(viewers, surfaces[:watched], number + 2, service.started)
            # Who comes to one that nobody watched.
            other = service.viewer(f"guest-{displays - 1}")
            other.first()
            fresh = time.monotonic() - service.started
            other.close()
            print(f"{how:8} ended in {down * 1000:4.0f} ms; after the start: ready {ready * 1000:4.0f} ms ({used * 1000:.0f} ms of CPU), "
                  f"next picture {min(seen) * 1000:4.0f} to {max(seen) * 1000:4.0f} ms, of a new viewer {fresh * 1000:4.0f} ms")
        for lease in leases:
            os.close(lease)


main()
