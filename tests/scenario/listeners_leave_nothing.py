#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener is there as long as its display: no file stays behind, and its address is free at once."""
import os
import pathlib
import signal
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

    def again(self, d, end, stopped=False):
        """Registers at one TCP address, again and again, with a viewer there each time."""
        picture, client = surface.Surface(64, 48), d.connect()
        with socket.create_server(("127.0.0.1", 0)) as free:
            where = free.getsockname()
        for _ in range(2 if stopped else 10):
            held = d.register(picture, "a", client=client, listen=[{"mode": "view", "address": f"127.0.0.1:{where[1]}"}])
            viewer = rfb.Client(where)
            self.addCleanup(viewer.close)
            # Until the first picture is there it may be shown the words for those who wait, which are larger.
            viewer.set_encodings(rfb.RAW, rfb.DESKTOP_SIZE)
            viewer.first()
            programs = d.rfb_programs() if stopped else []
            for program in programs:
                os.kill(program, signal.SIGSTOP)
            end(client, held)
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(where).close()
        picture.close()

    def unregister(self, client, held):
        client.call("Unregister", {"id": "a"})
        os.close(held)

    def test_the_address_is_free_after_unregister(self):
        with daemon.Daemon() as d:
            self.again(d, self.unregister)

    def test_nobody_waits_for_a_program_that_hangs(self):
        """It holds a copy of the listener until it is ended."""
        with daemon.Daemon() as d:
            self.again(d, self.unregister, stopped=True)

    def test_the_address_is_free_when_the_lease_ends(self):
        """Its viewers stay, and wait for it."""
        def lose(client, held):
            os.close(held)
            client.until("a", lambda r: "viewers wait" in r.get("stateReason", ""))

        with daemon.Daemon() as d:
            self.again(d, lose)

    def test_what_was_handed_over_goes_on(self):
        """It is its owner's to shut down."""
        with daemon.Daemon() as d, socket.create_server(("127.0.0.1", 0)) as own:
            picture, lease = surface.Surface(64, 48), os.pipe()
            d.connect().call("Register", {
                "context": {"id": "a"}, "source": "surface", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1,
                "listen": [{"mode": "view", "fileDescriptorIndex": 2}]}, [picture.fd, lease[0], own.fileno()])
            os.close(lease[0])
            with rfb.Client(own.getsockname()).sock:
                pass
            os.close(lease[1])
            d.until(lambda: not (d.dir / "rfb" / "a").exists(), "it is gone")
            with socket.create_connection(own.getsockname()) as came:
                own.settimeout(20 * daemon.SLOW)
                with own.accept()[0]:
                    came.getpeername()

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
