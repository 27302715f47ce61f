#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""usage: gbm_probe.py NODE...: what GBM can do with each node: open it, make a buffer, write it, export it, import it again, read
it. One line for each, and exit status 0 if one can do all. A program of its own, since it loads Mesa."""

import ctypes
import os
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_uint32, c_void_p

XRGB8888 = 0x34325258
LINEAR = 1 << 4
IMPORT_FD = 0x5503
READ, WRITE = 1, 2
WIDTH, HEIGHT = 64, 48


class Step(Exception):
    pass


class ImportFd(ctypes.Structure):
    _fields_ = [("fd", c_int), ("width", c_uint32), ("height", c_uint32), ("stride", c_uint32), ("format", c_uint32)]


def library():
    gbm = ctypes.CDLL("libgbm.so.1", use_errno=True)
    for name in ("create_device", "bo_create", "bo_import", "bo_map"):
        getattr(gbm, "gbm_" + name).restype = c_void_p
    gbm.gbm_device_get_backend_name.restype = c_char_p
    gbm.gbm_create_device.argtypes = [c_int]
    gbm.gbm_device_get_backend_name.argtypes = [c_void_p]
    gbm.gbm_bo_create.argtypes = [c_void_p, c_uint32, c_uint32, c_uint32, c_uint32]
    gbm.gbm_bo_import.argtypes = [c_void_p, c_uint32, c_void_p, c_uint32]
    gbm.gbm_bo_get_fd.argtypes = gbm.gbm_bo_get_stride.argtypes = [c_void_p]
    gbm.gbm_bo_map.argtypes = [c_void_p] + 5 * [c_uint32] + [POINTER(c_uint32), POINTER(c_void_p)]
    gbm.gbm_bo_unmap.argtypes = [c_void_p, c_void_p]
    return gbm


def need(value, what):
    if not value or value == -1:
        raise Step("%s: %s" % (what, os.strerror(ctypes.get_errno())))
    return value


def pixels(gbm, buffer, flags):
    """(address, bytes between lines, what unmaps it)"""
    stride, handle = c_uint32(), c_void_p()
    address = need(gbm.gbm_bo_map(buffer, 0, 0, WIDTH, HEIGHT, flags, byref(stride), byref(handle)), "map")
    return address, stride.value, handle


def probe(gbm, node):
    fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    device = need(gbm.gbm_create_device(fd), "open")
    backend = gbm.gbm_device_get_backend_name(device).decode()
    first = need(gbm.gbm_bo_create(device, WIDTH, HEIGHT, XRGB8888, LINEAR), "create")
    address, stride, handle = pixels(gbm, first, WRITE)
    line = bytes(range(256))
    for y in range(HEIGHT):
        ctypes.memmove(address + y * stride, bytes([y]) + line[1:], 4 * WIDTH)
    gbm.gbm_bo_unmap(first, handle)
    exported = need(gbm.gbm_bo_get_fd(first), "export")
    about = ImportFd(exported, WIDTH, HEIGHT, gbm.gbm_bo_get_stride(first), XRGB8888)
    second = need(gbm.gbm_bo_import(device, IMPORT_FD, byref(about), LINEAR), "import")
    address, stride, handle = pixels(gbm, second, READ)
    for y in range(HEIGHT):
        if ctypes.string_at(address + y * stride, 4 * WIDTH) != bytes([y]) + line[1:]:
            raise Step("the imported buffer has other pixels in line %d" % y)
    return "all (%s)" % backend


def main():
    # Mesa says there which drivers it did not find; what Python has to say is kept.
    sys.stderr = os.fdopen(os.dup(2), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    gbm = library()
    fine = False
    for node in sys.argv[1:]:
        try:
            print("%s: %s" % (node, probe(gbm, node)), flush=True)
            fine = True
        except (Step, OSError) as error:
            print("%s: %s" % (node, error), flush=True)
    sys.exit(0 if fine else 1)


main()
