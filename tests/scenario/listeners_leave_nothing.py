#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener on a Unix address is there as long as its display, and no file stays behind."""
import os
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402


class ListenersLeaveNothing(unittest.TestCase):
    def test_the_file_lives_as_long_as_the_display(self):
        with daemon.Daemon() as d:
            picture = surface.Surface(64, 48)
            path = d.dir / "viewers"
            lease = d.register(picture, "a", listen=[{"mode": "view", "address": f"unix:{path}"}])
            viewer = rfb.Client(str(path))
            viewer.first()
            self.assertEqual(bytes(viewer.pixels), picture.expect(viewer.format))
            own = d.dir / "rfb" / "a"
            self.assertTrue(own.exists())
            os.close(lease)
            d.until(lambda: not path.exists() and not own.exists(), "both sockets are off the disk")

    def test_nothing_stays_of_a_refused_display(self):
        with daemon.Daemon() as d:
            picture = surface.Surface(64, 48)
            path = d.dir / "viewers"
            with socket.create_server(("127.0.0.1", 0)) as taken, self.assertRaises(varlink.VarlinkError) as caught:
                d.register(picture, "a", listen=[{"mode": "view", "address": f"unix:{path}"},
                                                 {"mode": "view", "address": f"127.0.0.1:{taken.getsockname()[1]}"}])
            self.assertEqual(caught.exception.error, "AddressUnavailable")
            self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
