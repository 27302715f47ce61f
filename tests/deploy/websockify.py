# SPDX-License-Identifier: GPL-2.0-or-later
"""websockify before the displays' Unix sockets, and with tokens that a real Redis has, set by hand and by the registrar."""
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import compare  # noqa: E402
import daemon  # noqa: E402
import place  # noqa: E402
from security import Refused  # noqa: E402

REASON = place.enter()
UNIX, REDIS = ("127.0.0.1", 6080), ("127.0.0.1", 6081)


def redis(*command):
    return place.run("redis-cli", *command).strip()


@unittest.skipIf(REASON, REASON)
class Websockify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = place.Installed("websockify.conf")
        cls.one = cls.host.display("vm1", 1)
        cls.two = cls.host.display("vm2", 2, listen=[{"mode": "control", "address": "127.0.0.1:5902"}],
                                   context={"labels": {"console-token": "f3a9-not-to-be-guessed"}})

    @classmethod
    def tearDownClass(cls):
        cls.host.__exit__(None)

    def sees(self, canvas, where, token, ticket):
        viewer = self.host.viewer(where, websocket=f"/websockify?token={token}", security="vncauth", password=ticket[:8])
        compare.until_shows([viewer], canvas)
        viewer.close()

    def test_a_token_is_a_display_id(self):
        proxy = self.host.service("websockify-unix.service")
        proxy.until(lambda: place.listens(*UNIX), "websockify listens")
        self.sees(self.one, UNIX, "vm1", self.host.ticket("vm1"))
        self.sees(self.two, UNIX, "vm2", self.host.ticket("vm2"))
        with self.assertRaisesRegex(Refused, "wrong password"):
            self.sees(self.one, UNIX, "vm1", self.host.ticket("vm2"))
        for token in ("vm3", "../org.vfiodisplay.Display", "%2e%2e/monitor", ""):
            with self.subTest(token), self.assertRaises(Refused):
                self.sees(self.one, UNIX, token, "x")

    def test_a_token_is_what_redis_says(self):
        server = self.host.start("redis-server", "/etc/redis/redis.conf", "--daemonize", "no", "--logfile", "", "--dir", "/run",
                                 "--pidfile", "/run/redis.pid")
        server.until(lambda: place.listens("127.0.0.1", 6379), "Redis answers")
        proxy = self.host.service("websockify-redis.service")
        proxy.until(lambda: place.listens(*REDIS), "websockify listens")
        redis("set", "by-hand", '{"host":"127.0.0.1:5902"}', "ex", "60")
        self.sees(self.two, REDIS, "by-hand", self.host.ticket("vm2"))
        with self.assertRaises(Refused):
            self.sees(self.two, REDIS, "f3a9-not-to-be-guessed", self.host.ticket("vm2"))
        if not (daemon.BUILD / "vfio-displayd-registrar").exists():
            self.skipTest("the registrar is not built")
        shutil.copy(place.RECIPES / "registrar-redis.conf", "/etc/vfio-displayd/registrar.conf")
        registrar = self.host.start(daemon.BUILD / "vfio-displayd-registrar", "--config", "/etc/vfio-displayd/registrar.conf",
                                    "--socket", place.CONTROL)
        registrar.until(lambda: redis("exists", "f3a9-not-to-be-guessed") == "1", "the token is mirrored")
        self.sees(self.two, REDIS, "f3a9-not-to-be-guessed", self.host.ticket("vm2"))
        self.assertTrue(0 < int(redis("ttl", "f3a9-not-to-be-guessed")) <= 15)
        self.assertEqual(sorted(redis("keys", "*").split()), ["by-hand", "f3a9-not-to-be-guessed"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
