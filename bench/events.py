#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What 1000 events a second cost the daemon with no subscriber and with twenty, all its threads included. See bench/README.md."""
import os
import pathlib
import selectors
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "proto"))
import daemon
import surface

DISPLAYS = 100


def cpu_seconds(pid):
    """By the scheduler's account, of every thread that there is."""
    return sum(int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
               for task in os.listdir(f"/proc/{pid}/task")) / 1e9


class Readers(threading.Thread):
    """Subscribers who read whatever comes, and count."""

    def __init__(self, running, number):
        super().__init__()
        self.selector, self.count, self.bytes, self.over = selectors.DefaultSelector(), 0, 0, False
        for _ in range(number):
            client = running.connect()
            client.send("Subscribe", {}, more=True)
            client.receive()
            client.sock.setblocking(False)
            self.selector.register(client.sock, selectors.EVENT_READ)

    def run(self):
        while not self.over:
            for key, _ in self.selector.select(0.2):
                data = key.fileobj.recv(1 << 18)
                self.count += data.count(0)
                self.bytes += len(data)

    def stop(self):
        self.over = True
        self.join()
        for key in list(self.selector.get_map().values()):
            self.selector.unregister(key.fileobj)
            key.fileobj.close()


def produce(client, rate, seconds, turn):
    """An Update each, of one display after the other: no event overtakes another within a tenth of a second."""
    start, done = time.monotonic(), 0
    while (now := time.monotonic() - start) < seconds:
        while done < now * rate:
            client.call("Update", {"id": f"guest-{done % DISPLAYS}", "context": {"name": f"Guest {turn} {done}"}})
            done += 1
        time.sleep(0.002)
    return done


def measure(running, client, subscribers, rate, seconds, turn):
    readers = Readers(running, subscribers)
    readers.start()
    before, start = cpu_seconds(running.pid), time.monotonic()
    made = produce(client, rate, seconds, turn)
    time.sleep(0.1)
    spent, took = cpu_seconds(running.pid) - before, time.monotonic() - start
    readers.stop()
    told = f", {readers.count / made:.2f} of {readers.bytes // max(readers.count, 1)} bytes told for each" if subscribers else ""
    print(f"{subscribers:3} subscribers, {made / took:.0f} events/s: {100 * spent / took:.1f} % of a core{told}")
    return 100 * spent / took


def main():
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 5
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    with daemon.Daemon() as running:
        client, held = running.connect(), []
        for number in range(DISPLAYS):
            made = surface.Surface(64, 48)
            context = {"machine": f"machine-{number}", "labels": {"owner": "bench", "rack": "r1"}}
            held += [made, running.register(made, f"guest-{number}", client=client, context=context)]
        costs = []
        for turn in range(rounds):
            alone = measure(running, client, 0, rate, seconds, 2 * turn)
            costs.append(measure(running, client, 20, rate, seconds, 2 * turn + 1) - alone)
        print(f"telling {rate} events/s to 20 subscribers: {sorted(costs)[len(costs) // 2]:.1f} % of a core "
              f"(rounds: {', '.join(f'{cost:.1f}' for cost in costs)}); the rest is the Updates that made them")
        for each in held:
            os.close(each) if isinstance(each, int) else each.close()


main()
