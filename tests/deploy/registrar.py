# SPDX-License-Identifier: GPL-2.0-or-later
"""Three hosts, each with a network and a name of its own, keep their displays in one real etcd, and tokens in a real Redis: what becomes of
the records when a display, a daemon, a registrar, a host or etcd goes and comes back."""
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon  # noqa: E402
import place  # noqa: E402
import rfb  # noqa: E402
import compare  # noqa: E402
import surface  # noqa: E402

REASON = place.enter() or (None if (daemon.BUILD / "vfio-displayd-registrar").exists() else "the registrar is not built")
TTL = 3
GATE, PEER = "192.0.2.100", "http://127.0.0.1:2380"
STORE = f"http://{GATE}:2379"
PREFIX = "/vfio-displayd/displays/"


def switch():
    """What the hosts' networks are plugged into, and where etcd and Redis are."""
    place.run("ip", "link", "add", "fleet", "type", "bridge")
    place.run("ip", "address", "add", f"{GATE}/24", "dev", "fleet")
    place.run("ip", "link", "set", "fleet", "up")


class Fleet:
    """etcd, with its data in a directory that outlives it."""

    def __init__(self):
        self.data = "/run/etcd"
        self.server = None
        self.start()

    def start(self):
        self.server = place.Program(
            ["etcd", "--data-dir", self.data, "--listen-client-urls", STORE, "--advertise-client-urls", STORE, "--listen-peer-urls",
             PEER, "--initial-advertise-peer-urls", PEER, "--initial-cluster", f"default={PEER}", "--logger", "zap"])
        self.server.until(self.answers, "etcd answers", 60)

    def answers(self):
        try:
            self.get("")
            return True
        except (subprocess.SubprocessError, ValueError):
            return False

    def stop(self):
        self.server.kill(signal.SIGTERM)
        self.server.close()

    @staticmethod
    def ctl(*command):
        return subprocess.run(["etcdctl", "--endpoints", STORE, "--command-timeout=5s", *command], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"}, timeout=20).stdout

    def get(self, host):
        """{key without the prefix: record}."""
        found = json.loads(self.ctl("get", "--prefix", PREFIX + host, "-w", "json"))
        return {base64.b64decode(pair["key"]).decode().removeprefix(PREFIX): json.loads(base64.b64decode(pair["value"]))
                for pair in found.get("kvs", [])}

    def revisions(self):
        found = json.loads(self.ctl("get", "--prefix", PREFIX, "-w", "json"))
        return {base64.b64decode(pair["key"]).decode().removeprefix(PREFIX): pair["mod_revision"] for pair in found.get("kvs", [])}

    def until(self, keys, what, timeout=30):
        place.until(lambda: sorted(self.get("")) == sorted(keys), f"{what}: {keys}, not {sorted(self.get(''))}", timeout)


class Host:
    """A network and a host name. Its files are everybody's."""

    def __init__(self, number):
        self.name, self.address = f"host{number}", f"192.0.2.{number}"
        self.monitor = f"/run/{self.name}.monitor"
        self.holder = subprocess.Popen(["unshare", "--net", "--uts", "sh", "-c", f"hostname {self.name} && echo up && exec sleep 1000"],
                                       stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "up\n":
            raise AssertionError("no namespaces")
        self.inside = ["nsenter", "--target", str(self.holder.pid), "--net", "--uts", "--"]
        place.run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        place.run("ip", "link", "set", self.name, "master", "fleet", "up")
        for command in ("link set lo up", f"address add {self.address}/24 dev eth0", "link set eth0 up"):
            place.run(*self.inside, "ip", *command.split())
        self.daemon = self.registrar = None
        self.held = {}

    def start_daemon(self):
        self.daemon = daemon.Daemon(
            config=f"[control]\nmonitor = {self.monitor}\n[viewers]\ninsecure = yes\nsecurity = none\n", through=self.inside)

    def start_registrar(self, *more):
        self.registrar = place.Program(
            [*self.inside, daemon.BUILD / "vfio-displayd-registrar", "--config", "/dev/null", "--socket", self.monitor, "--etcd",
             f"http://192.0.2.99:2379 {STORE}" if not more else STORE, "--ttl", str(TTL), "--address", self.address, *more])

    def register(self, display, port=None, **context):
        canvas = surface.Surface(64, 48)
        canvas.noise(len(self.held), colours=9)
        listen = {"listen": [{"mode": "control", "address": f"0.0.0.0:{port}"}]} if port else {}
        self.held[display] = (canvas, self.daemon.register(canvas, display, context=context, **listen))

    def end(self, display):
        canvas, lease = self.held.pop(display)
        os.close(lease)
        canvas.close()

    def pull_the_plug(self):
        place.run("ip", "link", "set", self.name, "down")

    def close(self):
        if self.registrar:
            self.registrar.close()
        if self.daemon:
            self.daemon.stop(check=False)
        self.holder.kill()
        self.holder.wait()


@unittest.skipIf(REASON, REASON)
class Records(unittest.TestCase):
    """One story: each part begins where the one before has ended."""

    @classmethod
    def setUpClass(cls):
        switch()
        cls.redis = place.Program(["redis-server", "--port", "6379", "--bind", GATE, "--protected-mode", "no", "--save", "",
                                   "--dir", "/run"])
        cls.fleet = Fleet()
        cls.hosts = [Host(number) for number in (1, 2, 3)]
        for host in cls.hosts:
            host.start_daemon()
            host.start_registrar(*(["--redis", f"{GATE}:6379", "--redis-token", "token"] if host is cls.hosts[0] else []))

    @classmethod
    def tearDownClass(cls):
        for host in cls.hosts:
            host.close()
        cls.fleet.stop()
        cls.redis.close()

    def run(self, result=None):
        before = len(result.errors) + len(result.failures)
        super().run(result)
        if len(result.errors) + len(result.failures) > before:
            for host in self.hosts:
                print(f"---- registrar of {host.name} ----\n{host.registrar.text()}---- its daemon ----\n{host.daemon.text()}")

    def test_1_each_display_has_a_record(self):
        one, two, three = self.hosts
        one.register("vm1", port=5901, name="A machine", machine="uuid-1", head=0, labels={"token": "s3cr3t", "owner": "x"})
        one.register("vm2")
        two.register("vm1", port=5901)
        three.register("vm1")
        self.fleet.until(["host1/vm1", "host1/vm2", "host2/vm1", "host3/vm1"], "four records")
        found = place.until(lambda: {"host1/vm1": self.fleet.get("")["host1/vm1"]}, "it")["host1/vm1"]
        self.assertEqual({key: found[key] for key in ("version", "id", "host", "address", "name", "machine", "head")},
                         {"version": 1, "id": "vm1", "host": "host1", "address": "192.0.2.1", "name": "A machine",
                          "machine": "uuid-1", "head": 0})
        self.assertEqual(found["labels"], {"token": "s3cr3t", "owner": "x"})
        self.assertIn("192.0.2.1:5901", found["endpoints"])
        self.assertIn(found["state"], ("offered", "blank", "live"))

    def test_2_who_follows_the_record_sees_the_picture(self):
        place.until(lambda: self.hosts[0].daemon.connect(), "the daemon")
        record = self.fleet.get("")["host1/vm1"]
        host, port = next(each for each in record["endpoints"] if each.startswith(record["address"])).rsplit(":", 1)
        viewer = rfb.Client((host, int(port)), timeout=15 * daemon.SLOW)
        compare.until_shows([viewer], self.hosts[0].held["vm1"][0])
        place.until(lambda: self.fleet.get("host1")["host1/vm1"]["state"] == "live", "the record's state")
        viewer.close()

    def test_3_what_changes_is_written(self):
        one = self.hosts[0]
        one.daemon.connect().call("Update", {"id": "vm2", "context": {"name": "Another", "labels": {"a": "b"}}})
        place.until(lambda: self.fleet.get("host1")["host1/vm2"].get("name") == "Another", "its new name")
        self.assertEqual(self.fleet.get("host1")["host1/vm2"]["labels"], {"a": "b"})
        one.end("vm2")
        self.fleet.until(["host1/vm1", "host2/vm1", "host3/vm1"], "the record of a display that has ended is removed")

    def test_4_tokens_are_in_redis(self):
        def get(token):
            return subprocess.run(["redis-cli", "-h", GATE, "get", token], stdout=subprocess.PIPE, text=True,
                                  timeout=20).stdout.strip()
        place.until(lambda: get("s3cr3t") == '{"host":"192.0.2.1:5901"}', "the token")
        keys = subprocess.run(["redis-cli", "-h", GATE, "keys", "*"], stdout=subprocess.PIPE, text=True, timeout=20).stdout.split()
        self.assertEqual(keys, ["s3cr3t"])
        subprocess.run(["redis-cli", "-h", GATE, "flushall"], check=True, stdout=subprocess.DEVNULL)
        place.until(lambda: get("s3cr3t"), "a token that was lost")
        # A guest that has moved has taken its token along: it is neither taken back nor deleted.
        subprocess.run(["redis-cli", "-h", GATE, "set", "s3cr3t", '{"host":"192.0.2.2:1"}'], check=True, stdout=subprocess.DEVNULL)
        self.hosts[0].register("vm3", port=5903, labels={"token": "other"})
        place.until(lambda: get("other"), "another display's token")
        self.hosts[0].end("vm1")
        self.fleet.until(["host1/vm3", "host2/vm1", "host3/vm1"], "one goes, one comes")
        place.until(lambda: get("other") == '{"host":"192.0.2.1:5903"}', "its token")
        self.assertEqual(get("s3cr3t"), '{"host":"192.0.2.2:1"}')
        self.hosts[0].end("vm3")
        place.until(lambda: not get("other"), "the token of a display that has ended is removed")

    def test_5_etcd_restarts(self):
        two = self.hosts[1]
        self.fleet.stop()
        two.register("vm2")
        two.registrar.until(lambda: "records are written when it answers" in two.registrar.text(), "it is told that etcd is away")
        self.fleet.start()
        self.fleet.until(["host2/vm1", "host2/vm2", "host3/vm1"], "what came meanwhile is written")

    def test_6_a_lease_that_is_lost_is_replaced(self):
        leases = self.fleet.ctl("lease", "list").decode().split("\n")[1:]
        for lease in filter(None, leases):
            self.fleet.ctl("lease", "revoke", lease)
        self.fleet.until(["host2/vm1", "host2/vm2", "host3/vm1"], "all records stand again")
        self.assertIn("has forgotten the lease", self.hosts[1].registrar.text())

    def test_7_a_daemon_restarts(self):
        two = self.hosts[1]
        before = self.fleet.revisions()
        control = two.daemon.control
        two.daemon.process.kill()
        two.daemon.process.wait()
        two.registrar.until(lambda: "is asked again until it answers" in two.registrar.text(), "the daemon is missed")
        os.unlink(control)
        again = subprocess.Popen([*two.inside, daemon.BUILD / "vfio-displayd", "--config", two.daemon.dir / "conf", "--control", control],
                                 stdin=subprocess.DEVNULL, stdout=two.daemon.log, stderr=two.daemon.log)
        two.daemon.process = again
        two.daemon.until(lambda: os.path.exists(control), "the daemon's socket")
        for name in ("vm1", "vm2"):
            two.register(name, port=5901 if name == "vm1" else None)
        place.until(lambda: "answers again" in two.registrar.text(), "it is found again")
        self.fleet.until(["host2/vm1", "host2/vm2", "host3/vm1"], "its displays")
        self.assertEqual(self.fleet.revisions()["host3/vm1"], before["host3/vm1"], "nobody else's record was written")

    def test_8_a_registrar_restarts_and_removes_what_is_stale(self):
        two = self.hosts[1]
        two.registrar.kill()
        two.end("vm2")
        self.fleet.ctl("put", PREFIX + "host2/never-was", "{}")
        two.registrar.close()
        two.start_registrar()
        self.fleet.until(["host2/vm1", "host3/vm1"], "what is no more is removed")

    def test_9_a_host_goes_with_its_records(self):
        two, three = self.hosts[1:]
        three.registrar.kill()
        three.daemon.process.kill()
        three.daemon.process.wait()
        self.fleet.until(["host2/vm1"], "the records of a host that was killed vanish, the others' stay")
        two.pull_the_plug()
        self.fleet.until([], "and so do those of a host that nobody reaches")
        place.run("ip", "link", "set", two.name, "up")
        self.fleet.until(["host2/vm1"], "until it is reached again")
        two.daemon.process.kill()
        two.daemon.process.wait()
        self.fleet.until([], "a daemon that stays away has no displays")
        self.assertIsNone(two.registrar.process.poll())
        self.assertEqual(two.registrar.kill(signal.SIGTERM), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
