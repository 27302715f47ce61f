# SPDX-License-Identifier: GPL-2.0-or-later
"""dma-bufs that are read through a GPU: Mesa's software driver, on buffers of that same driver."""

import os

from machine import check, expect, fds_of
from painter import DONE_WELL, INVALID, LINEAR, NO_IMPORT, NO_MAP, START, Painter, Program, node
from pattern import picture


def pixels(view, stride, width, height):
    return b"".join(view[START + y * stride:START + y * stride + 4 * width] for y in range(height))


@check
def the_import_program_reads_a_gpus_buffer():
    painter, program = Painter(), Program(node())
    view = program.surface(0, START + 2560 * 480)
    for modifier in (LINEAR, INVALID):
        for seed in (1, 2):
            painter.paint("noise", seed)
            program.give(3, painter.fd, 640, 480, painter.stride, modifier)
            for _ in range(2):
                expect(program.copy(3, 0, 2560, 2560, 480) == (DONE_WELL, 0), "a copy failed")
                expect(pixels(view, 2560, 640, 480) == picture("noise", seed, 640, 480), "other pixels")
    # What is painted later is in the next copy of the same import.
    painter.paint("blocks", 5)
    expect(program.copy(3, 0, 2560, 2560, 480) == (DONE_WELL, 0), "a copy failed")
    expect(pixels(view, 2560, 640, 480) == picture("blocks", 5, 640, 480), "the pixels of before")
    # A plane that is smaller than its buffer and begins inside it, and rows further apart than they are long.
    program.give(4, painter.fd, 600, 400, painter.stride, LINEAR, 16 * painter.stride)
    small = program.surface(1, START + 4096 * 400)
    step, error = program.copy(4, 1, 4096, 2400, 400)
    if step == DONE_WELL:
        whole = picture("blocks", 5, 640, 480)
        expected = b"".join(whole[2560 * (16 + y):2560 * (16 + y) + 2400] for y in range(400))
        expect(pixels(small, 4096, 600, 400) == expected, "other pixels inside")
    return "inside: step %d, %s" % (step, os.strerror(error))


@check
def the_import_program_has_locked_itself_in():
    program = Program(node())
    status = program.status()
    for name, value in (("Seccomp", "2"), ("NoNewPrivs", "1"), ("CapEff", "0" * 16), ("CapPrm", "0" * 16)):
        expect(status[name].strip() == value, "%s is %s" % (name, status[name]))
    kinds = fds_of(program.process.pid)
    for kind in kinds:
        expect(kind == "/dev/null" or "socket:" in kind or "/dev/dri/" in kind or "pipe:" in kind or "/dev/ttyS1" in kind
               or "anon_inode" in kind, "it holds %s" % kind)
    with open("/proc/%d/environ" % program.process.pid, "rb") as file:
        return "%s; %d threads" % (sorted(set(kinds)), int(status["Threads"]))


@check
def a_buffer_of_another_driver_is_refused():
    """A render node of vgem makes no buffers: what it takes it cannot read. It answers, and goes on."""
    painter = Painter()
    path = "/dev/dri/renderD128"
    program = Program(path)
    program.surface(0, START + 2560 * 480)
    program.give(0, painter.fd, 640, 480, painter.stride)
    answers = [program.copy(0, 0, 2560, 2560, 480) for _ in range(3)]
    expect(all(step in (NO_IMPORT, NO_MAP) for step, _ in answers), "it read the buffer: %s" % answers)
    # Not a dma-buf at all.
    with open("/dev/zero", "rb") as file:
        program.give(1, file.fileno(), 640, 480, 2560)
    step, error = program.copy(1, 0, 2560, 2560, 480)
    expect(step == NO_IMPORT, "step %d" % step)
    return "%s; /dev/zero: %s" % (answers[0], os.strerror(error))
