# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers that block, and VMMs that die, lie and take away, on the display simulator."""

import fcntl
import os
import signal
import time

import machine
import service
import simulator
from checks_blocks import blocks_come_to_their_end
from machine import SOCKET, Failure, always, expect, fds_of, let_go, until
from rawview import StalledViewer, without_x
from scene import PATIENCE, look, remove_in_time, see
from simulator import PRIMARY
from staging import HEIGHT, SIZE, WIDTH, first, gone, meanwhile, noise, scenario, stage, turn
from varlink import Client, VarlinkError


@scenario
def s08_a_query_of_three_seconds():
    sim, other = stage("s08", frames=2), stage("s08b", frames=2)
    viewer, beside = look("s08"), look("s08b")
    first(sim, viewer)
    see(beside, WIDTH, HEIGHT, noise(1), "the other one's")
    sim.block(PRIMARY, 3000)
    sim.show(1)
    sim.signal()
    until(lambda: sim["state.blocked"], PATIENCE, "a query that blocks")
    seen = 0
    while sim["state.blocked"] and seen < 2:
        number = 1 - seen % 2
        turn(other, beside, number, "the other display meanwhile")
        service.runtime("s08b")
        seen += sim["state.blocked"]
    expect(seen, "the other display stood still as long as the query")
    expect(viewer.shows(WIDTH, HEIGHT, noise(1)), "the viewer lost its picture")
    see(viewer, WIDTH, HEIGHT, noise(2), "the picture after it")
    return "%d pictures of another display meanwhile" % seen


@scenario
def s12_pages_go_while_they_are_read():
    sim, other = stage("s12"), stage("s12b", frames=2)
    pid = service.main_pid()
    viewer, beside = look("s12"), look("s12b")
    first(sim, viewer)
    see(beside, WIDTH, HEIGHT, noise(1), "the other one's")
    limit, row = sim["memory_limit"], 4 * WIDTH
    halves = []

    def half():
        """A picture of which some rows are the new one's."""
        if (viewer.width, viewer.height) == (WIDTH, HEIGHT):
            halves.extend(line for line in (0, HEIGHT // 4) if without_x(viewer.pixels[line * row:line * row + row]) ==
                          noise(2)[line * row:line * row + row])
        return False

    # The first half is there, the second is not: each read ends in the middle.
    sim["memory_size"] = SIZE // 2
    sim.memory[:SIZE // 2] = noise(2)[:SIZE // 2]
    asked = sim["clients.query"][PRIMARY]
    sim.signal()

    def failed():
        half()
        return "could not be read" in (service.runtime("s12").get("stateReason") or "")

    meanwhile(viewer, failed, "a reason in List")
    reason = service.runtime("s12")["stateReason"]
    viewer.watch(half, 1)
    expect(sim["clients.query"][PRIMARY] > asked, "nobody has looked")
    expect(not halves, "viewers saw half of a picture")
    # At any other place.
    until_time = time.monotonic() + 1.5
    while time.monotonic() < until_time:
        for size in range(0, SIZE, SIZE // 20):
            sim["memory_size"] = size // 4096 * 4096
            sim["memory_size"] = limit
        sim.signal()
    sim["memory_size"] = 0
    turn(other, beside, 1, "another display")
    sim["memory_size"] = limit
    sim.paint(noise(2), WIDTH, HEIGHT)
    sim.signal()
    see(viewer, WIDTH, HEIGHT, noise(2), "the picture after the pages came back")
    expect(service.main_pid() == pid, "the daemon was started again")
    return reason


@scenario
def s08_blocks_come_to_their_end():
    return blocks_come_to_their_end()


@scenario
def s19_a_killed_vmm():
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            sim = stage("s19", lease="pidfd")
            os.write(write, sim.mdev.uuid.encode())
            signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    uuid = os.read(read, 36).decode()
    os.close(read)
    expect(len(uuid) == 36, "the VMM did not come up")
    viewer = look("s19")
    see(viewer, WIDTH, HEIGHT, noise(1), "the picture")
    for _ in range(3):
        machine.keep(StalledViewer(service.rfb_path("s19")))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    mdev = machine.Mdev.__new__(machine.Mdev)
    mdev.uuid, mdev.path = uuid, "/sys/bus/mdev/devices/" + uuid
    machine.keep(mdev)
    note = remove_in_time(mdev)
    until(lambda: not any(simulator.alive().values()), PATIENCE, "nothing alive: %s" % simulator.alive())
    return note


@scenario
def s20_what_is_released_before_the_answer():
    sim = stage("s20", frames=2, lease="connection")
    viewer = look("s20")
    first(sim, viewer)
    turn(sim, viewer, 1, "the second")
    expect(sim["state.files"] >= 1 and sim["state.map_dmabuf"] > 0, "the daemon maps nothing: %s" % sim["state"])
    service.call(service.INTERFACE + "Unregister", id="s20")
    state = sim["state"]
    expect((state["dmabufs"], state["map_dmabuf"]) == (0, 0), "after the answer: %s" % state)
    sim.only_allowed()
    sim.close()
    let_go(sim)
    return remove_in_time(sim.mdev)


def refused(sim, display, fds, error, **more):
    """A Register that must be refused by this name, with a reason."""
    client = Client(SOCKET, 60)
    try:
        client.call("Register", {"context": {"id": display}, "source": "vfio", "deviceFileDescriptorIndex": 0,
                                 "leaseFileDescriptorIndex": 1, **more}, fds)
    except VarlinkError as caught:
        expect(caught.error == error, "%s, not %s: %s" % (caught.error, error, caught.parameters))
        return caught.parameters
    except (EOFError, ConnectionError):
        expect(error is None, "the connection was closed")
        return {}
    finally:
        client.close()
    raise Failure("%s is taken" % display)


@scenario
def s21_descriptors_that_are_no_device():
    sim = stage("s21")
    viewer = look("s21")
    first(sim, viewer)
    pid = service.main_pid()
    before = len(fds_of(pid))
    lease, ours = os.pipe()
    path = os.open("/proc/self/fd/%d" % sim.device, os.O_PATH)
    file = os.open("/etc/passwd", os.O_RDONLY)
    iommu = os.open("/dev/vfio/vfio", os.O_RDWR)
    notes = []
    try:
        for what, fd in (("group", sim.group), ("container", sim.container), ("a new container", iommu), ("O_PATH", path),
                         ("file", file), ("pipe", ours)):
            said = refused(sim, "s21-no", [fd, lease], "DescriptorUnsuitable")
            expect(said.get("index") == 0 and said.get("reason"), "%s: %s" % (what, said))
            notes.append("%s: %s" % (what, said["reason"]))
        refused(sim, "s21-no", [], "DescriptorUnsuitable")
        refused(sim, "s21-no", [sim.device], "DescriptorUnsuitable")
        for count in (17, 253):
            try:
                refused(sim, "s21-no", [sim.device] + [lease] * (count - 1), "DescriptorUnsuitable")
            except Failure as error:
                expect("closed" in str(error), str(error))
        # The device that is shown already, by the same description and by a duplicate.
        again = os.dup(sim.device)
        try:
            for fd in (sim.device, again):
                said = refused(sim, "s21-again", [fd, lease], "DeviceUnsuitable")
                notes.append("twice: %s" % said["reason"])
        finally:
            os.close(again)
        until(lambda: len(fds_of(pid)) <= before, PATIENCE, "no descriptor of those that were refused: %s" % sorted(fds_of(pid)))
    finally:
        for fd in (lease, ours, path, file, iommu):
            os.close(fd)
    sim.paint(noise(2), WIDTH, HEIGHT)
    sim.signal()
    see(viewer, WIDTH, HEIGHT, noise(2), "the display that was there all the time")
    return "; ".join(dict.fromkeys(notes))


@scenario
def s21_a_second_file_of_the_same_device():
    """The group gives out another file of the device for each request: the kernel lets nobody see that it is the same device."""
    sim = stage("s21-one")
    sim.excused = ("get_open",)
    viewer = look("s21-one")
    first(sim, viewer)
    second = fcntl.ioctl(sim.group, simulator.GET_DEVICE_FD, bytearray(sim.mdev.uuid.encode() + b"\0"))
    lease, ours = os.pipe()
    client = Client(SOCKET, 60)
    try:
        client.call("Register", {"context": {"id": "s21-two"}, "source": "vfio", "deviceFileDescriptorIndex": 0,
                                 "leaseFileDescriptorIndex": 1}, [second, lease])
    finally:
        client.close()
        os.close(second)
        os.close(lease)
    beside = look("s21-two")
    see(beside, WIDTH, HEIGHT, noise(1), "the same picture")
    # Each goes by itself.
    os.close(ours)
    gone("s21-two")
    sim.paint(noise(2), WIDTH, HEIGHT)
    sim.signal()
    see(viewer, WIDTH, HEIGHT, noise(2), "the first one after the second's end")
    sim.only_allowed()
    sim.close()
    let_go(sim)
    return remove_in_time(sim.mdev)


@scenario
def s21_a_vmm_that_becomes_another_process():
    """It hands its device over again, as after an update of itself by exec(), while the daemon still holds it for the process of
    before; whose end ends that one's lease alone."""
    sim = stage("s21-cpr", handed_over=False)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            sim.leases.clear()
            sim.register("s21-cpr", lease="pidfd", change=False)
            os.write(write, b"1")
            signal.pause()
        finally:
            os._exit(1)
    expect(os.read(read, 1) == b"1", "the VMM did not register")
    os.close(read)
    os.close(write)
    viewer = look("s21-cpr")
    sim.display = "s21-cpr"
    first(sim, viewer)
    # The same device under the same name: what is there is the answer.
    again = sim.register("s21-cpr")
    expect(service.runtime("s21-cpr")["registrant"]["pid"] == child, "another registrant: %s" % again)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    gone("s21-cpr")
    sim.end_leases()
    # Now it is the new process's.
    sim.register("s21-cpr")
    expect(service.runtime("s21-cpr")["registrant"]["pid"] == os.getpid(), "not ours: %s" % service.runtime("s21-cpr"))
    sim.paint(noise(2), WIDTH, HEIGHT)
    see(look("s21-cpr"), WIDTH, HEIGHT, noise(2), "the picture for the new process")


@scenario
def s22_a_guest_reboots_again_and_again():
    sim = stage("s22", frames=2)
    pid = service.main_pid()
    viewer = look("s22")
    first(sim, viewer)
    before = len(fds_of(pid))
    for number in [1, 0] * 3:
        simulator.fcntl.ioctl(sim.device, simulator.RESET)
        sim.signal()
        time.sleep(0.02)
        turn(sim, viewer, number, "after a reset")
    expect(len(fds_of(pid)) <= before + 2 and sim["state.dmabufs"] <= 4, "%s" % sim["state"])


@scenario
def s23_nobody_looks():
    sim = stage("s23")
    viewer = look("s23")
    first(sim, viewer)
    viewer.close()
    machine.let_go(viewer)
    until(lambda: service.runtime("s23")["viewers"] == 0, PATIENCE, "no viewer")
    until(lambda: sim["state.dmabufs"] == 0, PATIENCE, "no dma-buf while nobody looks")
    time.sleep(0.5)
    asked, got = sim["clients.query"], sim["clients.get"]
    for _ in range(8):
        sim.signal()
        time.sleep(0.25)
    expect((sim["clients.query"], sim["clients.get"]) == (asked, got), "%s queries became %s" % (asked, sim["clients.query"]))
    sim.paint(noise(2), WIDTH, HEIGHT)
    see(look("s23"), WIDTH, HEIGHT, noise(2), "the next viewer's picture")


@scenario
def s25_another_client_of_the_same_device():
    """A VMM that shows the display itself gets and closes the same ids, which die and come back between two calls."""
    sim = stage("s25", frames=6)
    sim.excused = ("get_open",)
    sim["id_policy"] = sim.ID_REUSE
    viewer = look("s25")
    first(sim, viewer)
    for number in [1, 2, 3, 4, 5, 0] * 2:
        sim.show(number)
        mine = [sim.get(sim.query()["id"]) for _ in range(2)]
        sim.signal()
        for fd in mine:
            os.close(fd)
        see(viewer, WIDTH, HEIGHT, noise(number + 1), "frame %d" % number)


@always
def the_simulator_leaves_nothing():
    simulator.load()
    until(lambda: not any(simulator.alive().values()), PATIENCE, "nothing alive: %s" % simulator.alive())
    said = simulator.unload()
    expect(said == ["clean"], "%s" % said)
