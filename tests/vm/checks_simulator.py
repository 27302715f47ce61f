# SPDX-License-Identifier: GPL-2.0-or-later
"""The display simulator itself: what its register map promises, seen by a client of its own. Where one of these fails, the
scenarios that stand on it say nothing."""

import errno
import fcntl
import glob
import mmap
import os
import signal
import struct
import threading
import time

import simulator
from machine import check, expect, let_go, until
from pattern import picture
from scene import PATIENCE
from simulator import PAGE, PRIMARY, REGION, Simulator, as_client, fourcc

WIDTH, HEIGHT = 64, 32
SIZE = 4 * WIDTH * HEIGHT


def refused(number, call, *arguments):
    """Whether a call fails with this errno."""
    try:
        call(*arguments)
    except OSError as error:
        return error.errno == number
    return False


def on_show(**more):
    sim = Simulator()
    sim.paint(picture("noise", 1, WIDTH, HEIGHT), WIDTH, HEIGHT)
    sim.frame(0, WIDTH, HEIGHT, **more)
    sim.show(0)
    return sim


def map_read(fd, offset=0, size=SIZE):
    with mmap.mmap(fd, size, prot=mmap.PROT_READ, offset=offset) as memory:
        return memory[:size]


@check
def sim_registers_are_as_in_the_header():
    sim = Simulator()
    expect(sim["magic"] == sim.MAGIC and sim["version"] == sim.VERSION, "not the simulator")
    expect(sim["controller"] == os.getpid() and sim["state.files"] == 1 and sim["state.open"] == 1, "it does not know its controller")
    for path, value in (("magic", 1), ("clients.get", 0), ("state.flips", 1)):
        expect(refused(errno.EPERM, sim.__setitem__, path, value), path + " can be written")
    for path, value in (("plane[1].frame", 64), ("plane[1].kind", 1), ("region[0].index", 7), ("id_policy", 2),
                        ("memory_size", sim["memory_limit"] + 1), ("script[7].answer", 4096), ("irq.form", 4), ("controller", 1)):
        before = sim[path]
        expect(refused(errno.EINVAL, sim.__setitem__, path, value) and sim[path] == before, path + " takes what it should not")

    def client():
        expect(refused(errno.EPERM, sim.__getitem__, "magic"), "a client reads registers")
        expect(refused(errno.EPERM, sim.__setitem__, "release", 1), "a client writes registers")
        expect(refused(errno.EPERM, map_read, sim.device, 2 << 40), "a client maps memory")
        expect(refused(errno.ENOTTY, fcntl.ioctl, sim.device, 0x3bff), "an unknown ioctl")
        expect(refused(errno.EINVAL, fcntl.ioctl, sim.device, 0x3b6e, struct.pack("IIIII", 20, 1 << 5, 0, 0, 0)), "SET_IRQS")
        fcntl.ioctl(sim.device, simulator.RESET)

    expect(as_client(client) == 0, "what a client is refused")
    clients = sim["clients"]
    wrong = {name: clients[name] for name, value in (("read", 1), ("write", 1), ("unknown", 1), ("reset", 1), ("map_error", 1),
                                                     ("set_irqs_forbidden", 1), ("set_irqs", 0)) if clients[name] != value}
    expect(not wrong, "counted: %s" % wrong)
    expect([entry["what"] for entry in sim.entries()][-2:] == [0x3b6e, simulator.RESET], "the log lacks the last calls")


@check
def sim_shows_a_dmabuf():
    sim = on_show()
    info = sim.query()
    expect((info["format"], info["width"], info["height"], info["stride"], info["size"], info["id"]) ==
           (fourcc("XRGB8888"), WIDTH, HEIGHT, 4 * WIDTH, SIZE, 1), "%s" % info)
    expect(refused(errno.EINVAL, sim.query, PRIMARY, REGION), "it answers for regions too")
    fd = sim.get(1)
    expect(os.lseek(fd, 0, os.SEEK_END) == SIZE, "the dma-buf's size")
    expect(map_read(fd) == picture("noise", 1, WIDTH, HEIGHT), "other bytes in the dma-buf")
    with mmap.mmap(fd, SIZE, prot=mmap.PROT_READ) as memory:
        expect((sim["state.map_dmabuf"], sim["state.dmabufs"], sim["state.map_memory"]) == (1, 1, 1), "%s" % sim["state"])
        sim.memory[0:4] = b"\1\2\3\4"
        expect(memory[:4] == b"\1\2\3\4", "the mapping is not the memory")
    os.close(fd)
    expect(sim["state.map_dmabuf"] == 0 and until(lambda: not sim["state.dmabufs"], 5, "no dma-buf"), "it is still mapped")
    for more, error in ((dict(map_error=errno.ENODEV), errno.ENODEV), (dict(map_error=0, flags=sim.FRAME_READ_ONLY), errno.EINVAL)):
        sim.frame(0, WIDTH, HEIGHT, **more)
        fd = sim.get(sim.query()["id"])
        expect(refused(error, map_read, fd), "it maps with %s" % more)
        os.close(fd)
    expect(refused(errno.ENOENT, sim.get, 99), "an id that is not there")


@check
def sim_gives_ids_as_drivers_do():
    sim = on_show()
    sim.frame(1, 2 * WIDTH, HEIGHT)
    sim["id_policy"] = sim.ID_REUSE
    expect(sim.query()["id"] == 1 and sim.query()["id"] == 1, "the same picture has two ids")
    fds = [sim.get(1), sim.get(1)]
    expect(sim["own.get_open"] == 1, "the second GET is not counted")
    sim.show(1)
    expect(sim.query()["id"] == 2, "another picture has no id of its own")
    os.close(fds[0])
    expect(not refused(errno.EINVAL, lambda: os.close(sim.get(1))), "the id is gone with one of two")
    os.close(fds[1])
    until(lambda: sim["state.dmabufs"] == 0, 5, "no dma-buf")
    expect(refused(errno.EINVAL, sim.get, 1), "the id lives on")
    sim["drop_id"] = sim.NONE
    expect(sim.query()["id"] == 1 and sim.query()["width"] == 2 * WIDTH, "the number is not given out again")
    sim["frame[1].id"] = 77
    expect(sim.query()["id"] == 77, "an id cannot be chosen")


@check
def sim_fails_as_told():
    sim = on_show()
    sim.script(PRIMARY, errno.ENOMEM, skip=1)
    sim.query()
    expect(refused(errno.ENOMEM, sim.query) and sim.query(), "ENOMEM once")
    sim.script(PRIMARY, errno.ETIMEDOUT, count=sim.FOREVER)
    expect(all(refused(errno.ETIMEDOUT, sim.query) for _ in range(3)), "ETIMEDOUT for ever")
    sim.script(PRIMARY, sim.ANSWER_ZEROS)
    expect(sim.query(fill=7)["width"] == 0, "zeros")
    sim.show(None, off=sim.ANSWER_UNTOUCHED)
    expect(sim.query(fill=7)["width"] == 0x07070707, "the untouched struct")
    expect(sim["own.query_dirty"] == 2, "dirty structs are not counted")
    sim.script("GET_DMABUF", errno.EMFILE)
    expect(refused(errno.EMFILE, sim.get, 1), "GET")


@check
def sim_blocks_as_told():
    sim = on_show()
    began = time.monotonic()
    sim.block(PRIMARY, 300)
    sim.query()
    expect(time.monotonic() - began >= 0.3, "it did not wait")
    for flags in (0, sim.BLOCK_UNKILLABLE | sim.BLOCK_EXCLUSIVE):
        sim.block(PRIMARY, sim.FOREVER, flags=flags)
        child = os.fork()
        if not child:
            sim.query()
            os._exit(3)
        until(lambda: sim["state.blocked"], PATIENCE, "a blocked call")
        os.kill(child, signal.SIGKILL)
        if flags:
            expect(os.waitpid(child, os.WNOHANG) == (0, 0), "it was killed")
            with open(sim.mdev.path + "/release", "w") as file:
                file.write("1")
        expect(os.waitpid(child, 0)[1] == signal.SIGKILL, "the child's end")
        expect(sim["state.blocked"] == 0, "a call still waits")
    expect(sim["clients.interrupted"] == 1 and sim["clients.blocked"] == 2, "counted otherwise")


@check
def sim_takes_pages_away():
    sim = on_show()
    fd = sim.get(sim.query()["id"])
    with mmap.mmap(fd, SIZE, prot=mmap.PROT_READ) as memory:
        expect(memory[0] == sim.memory[0], "the first byte")
        sim["memory_size"] = 0
        expect(as_client(lambda: memory[0]) == signal.SIGBUS, "the reader lives")
        sim["memory_size"] = sim["memory_limit"]
        expect(memory[:8] == bytes(8), "the pages do not come back")
    os.close(fd)


@check
def sim_region_is_shown_and_misdescribed():
    sim = on_show(region_index=16)
    sim.show(0, kind=REGION)
    sim.set("region[0]", index=16, flags=7, size=SIZE, mappable=SIZE)
    expect(sim.query(kind=REGION)["id"] == 16, "the index")
    expect(map_read(sim.device, 16 << 40) == picture("noise", 1, WIDTH, HEIGHT), "other bytes in the region")
    expect(refused(errno.EINVAL, map_read, sim.device, 16 << 40, SIZE + PAGE), "more than is mappable")

    def info(index=16, argsz=256):
        data = bytearray(argsz)
        struct.pack_into("=III", data, 0, argsz, 0, index)
        fcntl.ioctl(sim.device, simulator.GET_REGION_INFO, data)
        return struct.unpack_from("=IIIIQQ", data), data

    expect(info()[0] == (256, 7, 16, 0, SIZE, 16 << 40), "%s" % (info()[0],))
    sim.set("region[0]", area_count=1, type=1, subtype=1)
    sim.set("region[0].area[0]", offset=PAGE, size=PAGE)
    (_, flags, _, first, _, _), data = info()
    chain = struct.unpack_from("=HHIIIQQHHIII", data, first)
    expect((flags, first, chain) == (15, 32, (1, 1, 64, 1, 0, PAGE, PAGE, 2, 1, 0, 1, 1)), "%s %s %s" % (flags, first, chain))
    expect(info(argsz=32)[0][0] == 80, "the size that the chain needs")
    expect(refused(errno.EINVAL, map_read, sim.device, 16 << 40, PAGE), "outside the area")
    for fault, at, value in ((sim.CHAIN_LOOP, 68, 32), (sim.CHAIN_SELF, 36, 32), (sim.CHAIN_OUTSIDE, 68, 256 + 64),
                             (sim.CHAIN_BACKWARDS, 68, 4), (sim.CHAIN_TRUNCATED, 68, 76), (sim.CHAIN_START_INSIDE, 12, 24),
                             (sim.CHAIN_START_OUTSIDE, 12, 256 + 64), (sim.CHAIN_MISALIGNED, 37, 65)):
        sim["region[0].chain"] = fault
        expect(struct.unpack_from("=I", info()[1], at)[0] == value, "fault %d is not there" % fault)


@check
def sim_edid_follows_the_rules():
    sim = Simulator()
    sim.set("edid", index=9, max_xres=1920, max_yres=1080)
    sim["num_regions"] = 10
    base = 9 << 40

    def write(at, value):
        os.pwrite(sim.device, value if isinstance(value, bytes) else struct.pack("I", value), base + at)

    block = bytearray(b"\0" + 6 * b"\xff" + b"\0" + bytes(10) + b"\1\4" + bytes(108))
    block[127] = -sum(block) & 0xff
    expect(struct.unpack("6I", os.pread(sim.device, 24, base)) == (2048, 128, 0, 1920, 1080, 0), "the registers")
    expect(refused(errno.EINVAL, write, 2048, bytes(block)), "the blob before its size")
    expect(refused(errno.EPERM, write, 12, 1), "max_xres can be written")
    expect(refused(errno.EINVAL, write, 8, 129), "more than 128 bytes")
    write(20, 2)
    write(8, 128)
    write(2048, bytes(128))
    expect(refused(errno.EINVAL, write, 20, 1), "UP with a wrong checksum")
    write(2048, bytes(block))
    write(20, 1)
    at = sim.header.find("record", "blob")[0]
    expect(os.pread(sim.device, 128, (1 << 40) + at) == bytes(block), "the blob is not kept")
    done = [(entry["arg"], entry["value"]) for entry in sim.entries("edid") if entry["what"] == sim.DID_EDID_WRITE and not entry["result"]]
    expect(done == [(20, 2), (8, 128), (2048, 128), (2048, 128), (20, 1)], "%s" % done)
    sim.set("edid", rules=sim.EDID_MBOCHS, max_size=1024)
    write(2048, bytes(1024))
    write(20, 1)
    expect((sim["state.edid_link"], sim["state.edid_size"]) == (1, 128), "mbochs' rules")


@check
def sim_interrupt_fires():
    sim = Simulator()
    expect(refused(errno.EINVAL, fcntl.ioctl, sim.device, 0x3b6d, bytearray(struct.pack("4I", 16, 0, 5, 0))), "an index beyond the last")
    for form, kind, values in ((5, 3, 4), (6, 1, 2)):
        sim["irq.form"] = form
        data = bytearray(256)
        struct.pack_into("=4I", data, 0, 256, 0, 5, 0)
        fcntl.ioctl(sim.device, 0x3b6d, data)
        expect(struct.unpack_from("=5I", data) == (256, 0x13, 5, 1, 20), "%s" % (struct.unpack_from("=5I", data),))
        expect(struct.unpack_from("=HHIIIHHIQQ", data, 20) == (kind, 1, 36, 1, 1, values, 1, 0, 1 << 48, 1 << 56), "form %d" % form)
    change = os.eventfd(0, os.EFD_NONBLOCK)
    expect(refused(errno.ENXIO, sim.__setitem__, "irq.fire", 1), "it fires without an eventfd")
    fcntl.ioctl(sim.device, 0x3b6e, struct.pack("=5Ii", 24, 1 << 2 | 1 << 5, 5, 0, 1, change))
    sim["irq.fire"] = 1 << 56
    sim["irq.fire"] = 1 << 48
    expect(os.eventfd_read(change) == 1 << 56 | 1 << 48, "the values")
    sim.frame(0, WIDTH, HEIGHT)
    sim.set("flip", plane=PRIMARY, first=0, frames=1, flags=1, period_ns=2000000, count=20)
    until(lambda: sim["state.fired"] >= 2 + 2, PATIENCE, "the flips' interrupts")
    fcntl.ioctl(sim.device, 0x3b6e, struct.pack("=5I", 20, 1 << 0 | 1 << 5, 5, 0, 0))
    expect(sim["state.irq_armed"] == 0, "it is still armed")
    os.close(change)


@check
def sim_flips_by_itself():
    sim = on_show()
    for number in range(3):
        sim.frame(number, WIDTH, HEIGHT, offset=number * PAGE * 2)
    sim.set("flip", plane=PRIMARY, first=0, frames=3, period_ns=1000, count=1000000)
    ids = set()
    while sim["state.flips"] < 1000000:
        ids.add(sim.query()["id"])
    expect(len(ids) == 3 and sim["plane[1].frame"] == 1000000 % 3, "ids %s, frame %d" % (ids, sim["plane[1].frame"]))


def vgem_buffer():
    """(card, dma-buf) of a buffer of vgem with a pattern in it."""
    for path in glob.glob("/dev/dri/card*"):
        if "vgem" in os.path.realpath("/sys/class/drm/%s/device" % os.path.basename(path)):
            card = os.open(path, os.O_RDWR)
            dumb = bytearray(struct.pack("=6IQ", HEIGHT, WIDTH, 32, 0, 0, 0, 0))
            fcntl.ioctl(card, 0xc02064b2, dumb)
            prime = bytearray(struct.pack("=IIi", struct.unpack_from("=I", dumb, 16)[0], os.O_RDWR | os.O_CLOEXEC, -1))
            fcntl.ioctl(card, 0xc00c642d, prime)
            return card, struct.unpack_from("=i", prime, 8)[0]
    expect(False, "no vgem: %s" % glob.glob("/dev/dri/*"))


@check
def sim_hands_out_foreign_dmabufs():
    sim = on_show()
    card, foreign = vgem_buffer()
    with mmap.mmap(foreign, SIZE) as memory:
        memory[:SIZE] = picture("noise", 2, WIDTH, HEIGHT)
    sim["frame[0].foreign"] = foreign
    inode = os.fstat(foreign).st_ino
    os.close(foreign)
    fd = sim.get(sim.query()["id"])
    expect(os.fstat(fd).st_ino == inode, "another dma-buf")
    expect(map_read(fd) == picture("noise", 2, WIDTH, HEIGHT), "other bytes in it")
    os.close(fd)
    expect(simulator.alive()["foreign"] == 2, "%s" % simulator.alive())
    sim["frame[0].foreign"] = sim.NONE
    expect(simulator.alive()["foreign"] == 0, "%s" % simulator.alive())
    # The other way round: ours is imported there.
    fd = sim.get(sim.query()["id"])
    prime = bytearray(struct.pack("=IIi", 0, 0, fd))
    fcntl.ioctl(card, 0xc00c642e, prime)
    os.close(fd)
    expect(sim["state.attachments"] == 1, "nobody is attached")
    os.close(card)
    until(lambda: not sim["state.attachments"], 5, "the import's end")


@check
def sim_dmabufs_outlive_the_device():
    sim = on_show()
    number = sim.query()["id"]
    fds = [sim.get(number), sim.get(number)]
    sim.close()
    let_go(sim)
    sim.mdev.remove(5)
    expect(map_read(fds[0]) == picture("noise", 1, WIDTH, HEIGHT), "other bytes in what is left")
    expect(simulator.alive()["devices"] == 0 and simulator.alive()["dmabufs"] == 2, "%s" % simulator.alive())
    for fd in fds:
        os.close(fd)
    until(lambda: not any(simulator.alive().values()), 5, "nothing alive")


@check
def sim_mappings_keep_the_device():
    """As with a real driver: who maps a region holds the device without a descriptor."""
    sim = on_show(region_index=9)
    sim.set("region[0]", index=9, flags=7, size=SIZE, mappable=SIZE)
    left = mmap.mmap(sim.device, SIZE, prot=mmap.PROT_READ, offset=9 << 40)
    sim.close()
    let_go(sim)
    done = threading.Event()

    def remove():
        sim.mdev.remove(PATIENCE)
        done.set()

    thread = threading.Thread(target=remove)
    thread.start()
    expect(not done.wait(0.5), "the device is gone while it is mapped")
    expect(left[:SIZE] == picture("noise", 1, WIDTH, HEIGHT), "other bytes in the mapping")
    left.close()
    thread.join()
    expect(done.is_set() and not any(simulator.alive().values()), "%s" % simulator.alive())
