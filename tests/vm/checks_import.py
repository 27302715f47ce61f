# SPDX-License-Identifier: GPL-2.0-or-later
"""dma-bufs that are read through a GPU: Mesa's software driver, on buffers of that same driver."""

import errno
import glob
import os
import signal

import machine
import service
from machine import check, command, expect, fds_of, until
from painter import DONE_WELL, INVALID, LINEAR, NO_IMPORT, NO_MAP, PROGRAM, START, Painter, Program, node
from pattern import picture
from scene import PATIENCE, configure, look, remove_in_time, see
from simulator import Simulator
from varlink import Client

DROP_IN = "/etc/systemd/system/%s.d/node.conf" % service.UNIT


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


class Configured:
    """The service with other settings, and with the ones of before at the end of the check."""

    def __init__(self, unit="", **keys):
        self.keys = keys
        machine.keep(self)
        for key, value in keys.items():
            configure(key.replace("_", "-"), value)
        if unit:
            os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
            with open(DROP_IN, "w") as file:
                file.write("[Service]\n" + unit)
        self.restart()

    def restart(self):
        command("systemctl", "daemon-reload")
        command("systemctl", "restart", service.UNIT)
        self.pid = service.main_pid()

    def close(self):
        for key in self.keys:
            configure(key.replace("_", "-"), None)
        if os.path.exists(DROP_IN):
            os.unlink(DROP_IN)
        self.restart()


def hand_over(simulator, display, render=None):
    """Registers it, with a render node where one is named."""
    simulator.change = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    lease, ours = os.pipe()
    simulator.leases.append(lambda: os.close(ours))
    fds = [simulator.device, simulator.change, lease]
    parameters = {"context": {"id": display}, "source": "vfio", "deviceFileDescriptorIndex": 0,
                  "changeFileDescriptorIndex": 1, "leaseFileDescriptorIndex": 2}
    if render:
        parameters["renderNodeFileDescriptorIndex"] = len(fds)
        fds.append(os.open(render, os.O_RDWR | os.O_CLOEXEC))
    client = Client(machine.SOCKET, 60)
    try:
        client.call("Register", parameters, fds)
    finally:
        client.close()
        for fd in fds[2:]:
            os.close(fd)


def painted(simulator, painter):
    """Puts the painter's buffer on the primary plane."""
    simulator.frame(0, painter.width, painter.height, stride=painter.stride)
    simulator.set("frame[0]", foreign=painter.fd)
    simulator.show(0)


def import_pids():
    pids = []
    for path in glob.glob("/proc/[0-9]*/exe"):
        try:
            if os.readlink(path) == PROGRAM:
                pids.append(int(path.split("/")[2]))
        except OSError:
            pass
    return pids


def repainted(simulator, painter, viewer, pattern, seed, what):
    """Paints, and signals until it is seen: a program that was started anew may need a second look."""
    pixels = picture(pattern, seed, painter.width, painter.height)
    painter.paint(pattern, seed)

    def seen():
        simulator.signal()
        return viewer.watch(lambda: viewer.shows(painter.width, painter.height, pixels), 1)

    until(seen, PATIENCE, what)


@check
def an_imported_display_is_seen_exactly():
    configured = Configured(**{"import": "always"})
    simulator, painter = Simulator(), Painter()
    painter.paint("noise", 1)
    painted(simulator, painter)
    # What a daemon opens with its first display and keeps.
    hand_over(simulator, "first")
    simulator.end_leases()
    until(lambda: not service.device_fds(configured.pid), PATIENCE, "the end of the first display")
    before = len(fds_of(configured.pid))
    hand_over(simulator, "gpu", node())
    viewer = look("gpu")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the first picture")
    for seed in range(2, 6):
        repainted(simulator, painter, viewer, "blocks" if seed % 2 else "noise", seed, "picture %d" % seed)
    (program,) = import_pids()
    held = fds_of(program)
    expect(not [kind for kind in held if "vfio" in kind.lower()], "the import program holds %s" % held)
    expect([kind for kind in held if "dmabuf" in kind], "the import program holds no dma-buf: %s" % held)
    with open("/proc/%d/maps" % configured.pid) as file:
        maps = file.read()
    expect("gbm" not in maps and "_dri.so" not in maps, "Mesa is loaded into the daemon")
    # A driver that is found by the GPU's identity would not be found otherwise.
    log = command("journalctl", "-b", "-u", service.UNIT, "--no-pager")
    expect("failed to retrieve device information" not in log, "libdrm cannot look at the node in the service")
    # Killed in the middle: the picture comes back, without a word to the viewer.
    os.kill(program, signal.SIGKILL)
    repainted(simulator, painter, viewer, "noise", 7, "the picture after the import program's end")
    (again,) = import_pids()
    expect(again != program and service.runtime("gpu")["state"] == "live", "no new program, or not live")
    # Stopped: it is ended, and what it held is free.
    os.kill(again, signal.SIGSTOP)
    painter.paint("noise", 8)
    simulator.signal()
    until(lambda: again not in import_pids(), PATIENCE, "the end of a program that hangs")
    repainted(simulator, painter, viewer, "noise", 9, "the picture after a program that hung")
    # The VMM's end, while the program hangs: it delays nothing.
    os.kill(import_pids()[0], signal.SIGSTOP)
    painter.paint("noise", 10)
    simulator.signal()
    simulator.end_leases()
    simulator.close_device()
    took = remove_in_time(simulator.mdev)
    until(lambda: not import_pids(), PATIENCE, "the end of the import program")
    viewer.close()
    service.released(configured.pid, "gpu", before)
    expect(service.main_pid() == configured.pid, "the daemon was started anew")
    return took


@check
def a_dmabuf_that_does_not_map_wants_a_node():
    simulator = Simulator()
    simulator.paint(picture("noise", 1, 640, 480), 640, 480)
    simulator.frame(0, 640, 480, map_error=errno.ENODEV)
    simulator.show(0)
    hand_over(simulator, "without")
    viewer = look("without")
    reason = until(lambda: service.runtime("without").get("stateReason"), PATIENCE, "a reason in List")
    expect("no render node is given" in reason, reason)
    expect(viewer.watch(lambda: viewer.updates and any(viewer.pixels), PATIENCE), "no placard")
    viewer.close()
    simulator.end_leases()
    # A node of another GPU: it says so.
    hand_over(simulator, "foreign", node())
    look("foreign")
    foreign = until(lambda: (found := service.runtime("foreign").get("stateReason", "")) and "render node" in found and found,
                    PATIENCE, "a reason in List")
    simulator.end_leases()
    return "%s; %s" % (reason, foreign)


@check
def a_layout_that_only_a_gpu_knows_wants_a_node():
    """The CPU can map it, and must not show it as it lies there."""
    simulator = Simulator()
    simulator.paint(picture("noise", 1, 640, 480), 640, 480)
    simulator.frame(0, 640, 480, modifier=1 << 56 | 9)      # I915_FORMAT_MOD_4_TILED
    simulator.show(0)
    reasons = []
    for display, render, words in (("tile4", None, "no render node is given"), ("tile4-node", node(), "render node's driver")):
        hand_over(simulator, display, render)
        viewer = look(display)
        reasons.append(until(lambda: (found := service.runtime(display).get("stateReason", "")) and words in found and found,
                             PATIENCE, words))
        expect("XRGB8888 INTEL_4_TILED" in reasons[-1], reasons[-1])
        viewer.close()
        simulator.end_leases()
    return "; ".join(reasons)


@check
def a_node_of_the_configuration_is_opened():
    path = node()
    Configured("DeviceAllow=%s rw\nSupplementaryGroups=video render\n" % path,
               render_node=path, **{"import": "always"})
    simulator, painter = Simulator(), Painter(800, 600)
    painter.paint("noise", 1)
    painted(simulator, painter)
    hand_over(simulator, "configured")
    viewer = look("configured")
    see(viewer, 800, 600, picture("noise", 1, 800, 600), "the picture")
    expect(len(import_pids()) == 1, "import programs: %s" % import_pids())
    # Nobody looks, nothing runs. (A List would look.)
    viewer.close()
    until(lambda: not import_pids(), PATIENCE, "the end of an import program that is asked for nothing")
    look("configured")
    until(import_pids, PATIENCE, "another one for the next viewer")
    simulator.end_leases()
    until(lambda: not import_pids(), PATIENCE, "the end of an import program with its display")
    return path
