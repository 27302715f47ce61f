#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a List of very many displays costs the daemon, all its threads included. See bench/README.md."""
import os
import pathlib
import resource
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "proto"))
import daemon
import surface


def cpu_ms(pid):
    """By the scheduler's account, of every thread that there is."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(pathlib.Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
        except OSError:
            pass
    return total / 1e6


def settled(pid):
    """Its CPU time once nothing runs any more."""
    before = cpu_ms(pid)
    while True:
        time.sleep(0.2)
        now = cpu_ms(pid)
        if now - before < 0.05:
            return now
        before = now


def listed(client, **parameters):
    client.send("List", parameters, more=True)
    count = size = 0
    while True:
        reply = client.receive()
        assert "error" not in reply, reply
        count += 1
        size += len(str(reply))
        if not reply.get("continues"):
            return count, size


def main():
    displays = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with daemon.Daemon() as running:
        client, held = running.connect(), []
        start, before = time.monotonic(), cpu_ms(running.pid)
        for number in range(displays):
            made = surface.Surface(64, 48)
            context = {"machine": f"machine-{number}", "name": f"Guest {number}", "labels": {"owner": "bench", "rack": "r1"}}
            held.append(running.register(made, f"guest-{number}", client=client, context=context))
            held.append(made)
        print(f"{displays} displays registered in {time.monotonic() - start:.1f} s, {settled(running.pid) - before:.0f} ms of CPU, "
              f"{running.memory(running.pid)} KiB resident")
        costs = []
        for turn in range(rounds):
            before = settled(running.pid)
            count, size = listed(client)
            assert count == displays, count
            costs.append(settled(running.pid) - before)
        print(f"List of {displays}: first {costs[0]:.1f} ms, then p50 {statistics.median(costs[1:]):.1f} ms, "
              f"worst {max(costs[1:]):.1f} ms of CPU, all threads; {size // displays} bytes each")
        before = settled(running.pid)
        for number in range(0, displays, max(displays // 50, 1)):
            client.describe(f"guest-{number}")
        ones = len(range(0, displays, max(displays // 50, 1)))
        print(f"List of one: {(settled(running.pid) - before) / ones:.3f} ms, the look that it orders included")
        for each in held:
            os.close(each) if isinstance(each, int) else each.close()
        running.until(lambda: len(os.listdir(f"/proc/{running.pid}/task")) < 10, "all are released", 60)


main()
