# SPDX-License-Identifier: GPL-2.0-or-later
"""The registrar with an etcd that has TLS and users, and a Redis with a password; with more displays than one batch has."""
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import certificates  # noqa: E402
import daemon  # noqa: E402
import place  # noqa: E402
import surface  # noqa: E402

REASON = place.enter() or (None if (daemon.BUILD / "vfio-displayd-registrar").exists() else "the registrar is not built")
PREFIX = "/vfio-displayd/displays/"


@unittest.skipIf(REASON, REASON)
class GuardedStores(unittest.TestCase):
    URL = "https://127.0.0.1:2479"
    COUNT = 150

    def setUp(self):
        self.where = pathlib.Path("/run/guarded")
        self.where.mkdir()
        authority = certificates.Authority(self.where)
        certificate, key = authority.issue("etcd")
        self.ca = authority.ca
        self.command = ["etcd", "--data-dir", self.where / "data", "--listen-client-urls", self.URL, "--advertise-client-urls", self.URL,
                        "--cert-file", certificate, "--key-file", key, "--listen-peer-urls", "http://127.0.0.1:2480",
                        "--initial-advertise-peer-urls", "http://127.0.0.1:2480", "--initial-cluster", "default=http://127.0.0.1:2480",
                        "--logger", "zap"]
        for name, text in (("etcd.password", "s3cret"), ("wrong.password", "wrong"), ("redis.password", "t0ken")):
            (self.where / name).write_text(text + "\n")
        self.start_etcd()
        for command in ("user add root:r00t", "user grant-role root root", "role add host1", "user add host1:s3cret",
                        f"role grant-permission host1 --prefix=true readwrite {PREFIX}host1/", "user grant-role host1 host1", "auth enable"):
            self.ctl(*command.split(), login=())

    def program(self, *command):
        started = place.Program(command)
        self.addCleanup(started.close)
        return started

    def start_etcd(self):
        self.etcd = self.program(*self.command)
        self.etcd.until(lambda: place.listens("127.0.0.1", 2479), "etcd listens", 60)

    def ctl(self, *command, login=("--user", "root:r00t")):
        """Until etcd has a leader it answers nothing."""
        def answer():
            done = subprocess.run(["etcdctl", "--endpoints", self.URL, "--cacert", self.ca, "--command-timeout=5s", *login, *command],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "ETCDCTL_API": "3"}, timeout=20)
            return done.returncode == 0 and done.stdout + b"\n"
        return place.until(answer, " ".join(command))

    def keys(self):
        return self.ctl("get", "--prefix", PREFIX, "--keys-only").decode().split()

    def registrar(self, *more, password="etcd.password"):
        return self.program(daemon.BUILD / "vfio-displayd-registrar", "--config", "/dev/null", "--socket", self.daemon.control, "--etcd",
                            self.URL, "--host", "host1", "--user", "host1", "--password-file", self.where / password, *more)

    def refused(self, said, *more, **names):
        registrar = self.registrar(*more, **names)
        registrar.until(lambda: said in registrar.text(), f"it is refused: {said}")
        self.assertEqual(registrar.kill(signal.SIGTERM), 0)
        self.assertEqual(self.keys(), [])

    def test_many_displays_in_guarded_stores(self):
        redis = self.program("redis-server", "--port", "6380", "--requirepass", "t0ken", "--save", "", "--dir", "/run")
        redis.until(lambda: place.listens("127.0.0.1", 6380), "Redis listens")
        with daemon.Daemon() as self.daemon:
            client, held = self.daemon.connect(), []
            for number in range(self.COUNT):
                canvas = surface.Surface(16, 16)
                listen = {"listen": [{"mode": "view", "address": "127.0.0.1:5900"}]} if number == 0 else {}
                held.append((canvas, self.daemon.register(canvas, f"vm{number}", client=client, event=False, **listen)))
            self.refused("certificate")
            self.refused("authentication failed", "--ca", self.ca, password="wrong.password")
            self.refused("permission denied", "--ca", self.ca, "--prefix", "/elsewhere")

            # Its lease outlives it, so that the next one has something to find.
            stores = ("--ca", self.ca, "--ttl", "600", "--redis", "127.0.0.1:6380", "--redis-loopback", "yes", "--redis-password-file",
                      self.where / "redis.password")
            registrar = self.registrar(*stores)
            wanted = sorted(f"{PREFIX}host1/vm{number}" for number in range(self.COUNT))
            place.until(lambda: sorted(self.keys()) == wanted, "a record for each display")
            self.assertEqual(place.run("redis-cli", "-p", "6380", "--no-auth-warning", "-a", "t0ken", "get", "host1:vm0").strip(),
                             '{"host":"127.0.0.1:5900"}')
            # Tokens of etcd's users do not outlive it.
            self.etcd.kill(signal.SIGTERM)
            os.close(held.pop()[1])
            self.start_etcd()
            wanted.remove(f"{PREFIX}host1/vm{self.COUNT - 1}")
            place.until(lambda: sorted(self.keys()) == wanted, "one less")
            # Another one finds all that stands there, and what should not.
            registrar.kill()
            for _, lease in held[5:]:
                os.close(lease)
            self.registrar(*stores)
            place.until(lambda: sorted(self.keys()) == sorted(f"{PREFIX}host1/vm{number}" for number in range(5)), "what is left")
            for canvas, _ in held:
                canvas.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
