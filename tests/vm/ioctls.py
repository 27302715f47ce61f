# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ioctl that reached a VFIO device, by whom: the kernel counts them, from begin() on.

A probe sits where a device's file gets its ioctls, whatever their number, and histograms count them by thread: no buffer can
overflow, and the daemon is not slowed. Which threads are the daemon's, two events say: a program starts, a thread is made."""

import collections
import os
import re

from machine import command, expect

TRACING = "/sys/kernel/tracing/"
# include/uapi/linux/vfio.h: _IO(';', 100 + ...)
NAMES = {0x3b6b: "GET_INFO", 0x3b6c: "GET_REGION_INFO", 0x3b6d: "GET_IRQ_INFO", 0x3b6e: "SET_IRQS", 0x3b6f: "RESET",
         0x3b72: "QUERY_GFX_PLANE", 0x3b73: "GET_GFX_DMABUF", 0x3b74: "IOEVENTFD", 0x3b75: "FEATURE"}
ALLOWED = {"GET_INFO", "GET_REGION_INFO", "GET_IRQ_INFO", "SET_IRQS", "QUERY_GFX_PLANE", "GET_GFX_DMABUF"}
# Below are those that every VFIO PCI device has, the VMM's; a display interrupt comes after them.
FIRST_OWN_INTERRUPT = 5
wanted = set()  # names that checks are sure of
CLONE_THREAD = 0x10000
DAEMON = "vfio-displayd"


class Log:
    def __init__(self):
        self.daemons = set()  # process ids
        self.counts = collections.Counter()  # the daemon's, by name
        self.others = collections.Counter()  # the other installed programs', by their name
        self.foreign = 0  # how many others there were: VMMs, vfio-displayctl
        self.interrupts = collections.Counter()  # the daemon's SET_IRQS, by index
        self.lost = 0

    def __str__(self):
        text = ", ".join("%s %d" % pair for pair in sorted(self.counts.items()))
        if self.interrupts:
            text += ", SET_IRQS on interrupt %s" % ", ".join(map(str, sorted(self.interrupts)))
        return "%s (%d processes, %d of others)" % (text, len(self.daemons), self.foreign)


def _write(name, text):
    # Neither truncated, which clears kprobe_events, nor sought to its end, which these files cannot.
    file = os.open(TRACING + name, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(file, text.encode() + b"\n")
    finally:
        os.close(file)


def _read(name):
    with open(TRACING + name) as file:
        return file.read()


def begin():
    if not os.path.exists(TRACING + "kprobe_events"):
        command("mount", "-t", "tracefs", "tracefs", TRACING)
    # Registers of x86-64: the file, the number, the argument. Of a vfio_irq_set the index is the third word.
    _write("kprobe_events", "p:displays/ioctl vfio:vfio_device_fops_unl_ioctl cmd=%si:u32")
    _write("kprobe_events", "p:displays/irqs vfio:vfio_device_fops_unl_ioctl cmd=%si:u32 index=+u8(%dx):u32")
    _write("events/displays/ioctl/trigger", "hist:keys=common_pid,cmd:size=32768")
    _write("events/displays/irqs/trigger", "hist:keys=common_pid,index:size=2048 if cmd == 0x3b6e")
    _write("events/sched/sched_process_exec/filter", 'filename ~ "*/%s*"' % DAEMON)
    _write("events/task/task_newtask/filter", "clone_flags & 0x%x" % CLONE_THREAD)
    _write("buffer_size_kb", "2048")
    for event in ("sched/sched_process_exec", "task/task_newtask"):
        _write("events/%s/enable" % event, "1")
    _write("tracing_on", "1")


def _programs():
    """{thread id: (program's name, process id)} of the installed programs."""
    threads = {}
    for line in _read("trace").splitlines():
        parts = re.match(r".*-(\d+)\s+\[\d+\].*?: (sched_process_exec|task_newtask): (.*)", line)
        if not parts:
            continue
        by, event, rest = int(parts.group(1)), parts.group(2), parts.group(3)
        if event == "sched_process_exec":
            name, pid = re.match(r"filename=(\S+) pid=(\d+)", rest).groups()
            threads[int(pid)] = (os.path.basename(name), int(pid))
        elif by in threads:
            threads[int(re.match(r"pid=(\d+)", rest).group(1))] = threads[by]
    return threads


def _counts(event, key):
    """(thread id, the other key, count)"""
    text = _read("events/displays/%s/hist" % event)
    for entry in re.finditer(r"\{ common_pid:\s*(\d+), %s:\s*(\d+) \} hitcount:\s*(\d+)" % key, text):
        yield tuple(map(int, entry.groups()))


def _lost():
    dropped = sum(map(int, re.findall(r"Dropped: (\d+)", _read("events/displays/ioctl/hist"))))
    written = re.search(r"entries-in-buffer/entries-written: (\d+)/(\d+)", _read("trace"))
    expect(written, "the trace has no head")
    return dropped + int(written.group(2)) - int(written.group(1))


def read():
    log, programs = Log(), _programs()
    log.lost = _lost()
    log.daemons = {pid for name, pid in programs.values() if name == DAEMON}
    for thread, number, count in _counts("ioctl", "cmd"):
        name = programs.get(thread, (None, 0))[0]
        if name == DAEMON:
            log.counts[NAMES.get(number, "0x%x" % number)] += count
        elif name:
            log.others[name] += count
        else:
            log.foreign += count
    for thread, index, count in _counts("irqs", "index"):
        if programs.get(thread, (None, 0))[0] == DAEMON:
            log.interrupts[index] += count
    return log
