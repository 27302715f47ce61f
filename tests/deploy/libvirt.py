# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's hook: called as libvirt calls it, for a guest that is a process of this test.

A VFIO device needs a kernel with one, so `vfio-displayctl adopt` is played here by a stand-in that keeps to its options and hands over a
surface; that the real one, called by this hook, takes the device of a real QEMU is shown in the virtual machine (tests/vm).
"""
import json
import os
import pathlib
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import compare  # noqa: E402
import daemon  # noqa: E402
import place  # noqa: E402
import surface  # noqa: E402

REASON = place.enter()
HOOK = "/etc/libvirt/hooks/qemu.d/vfio-display"
UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
DEVICES = '<hostdev mode="subsystem" type="mdev" model="vfio-pci" display="off"/>'

# Registers a surface where the real one would register the device, with the process as the lease.
STAND_IN = f'''#!{sys.executable}
import json, os, sys
sys.path.insert(0, "{place.ROOT}/tests/proto")
import surface, varlink
words = sys.argv[1:]
log = open("/run/adopt.log", "a")
log.write(" ".join(words) + "\\n")
if words[0] == "--json":
    assert words[1:4] == ["adopt", "--pid", words[3]] and words[4:] == ["--list"], words
    for descriptor, display in ((7, "none"), (9, "region"), (12, "dmabuf")):
        print(json.dumps({{"descriptor": descriptor, "device": "x", "display": display}}))
    sys.exit(0)
assert words[0] == "adopt"
said, context = dict(zip(words[1:-1:2], words[2:-1:2])), {{"id": words[-1]}}
for key in ("--machine", "--name"):
    context[key[2:]] = said[key]
context["head"] = int(said["--head"])
context["labels"] = dict([said["--label"].split("=", 1)])
canvas = surface.Surface(160, 100)
canvas.noise(int(said["--device"]), colours=40)
lease = os.pidfd_open(int(said["--pid"]))
client = varlink.Client("{place.CONTROL}")
client.call("Register", {{"context": context, "source": "surface", "deviceFileDescriptorIndex": 0, "leaseFileDescriptorIndex": 1}},
            [canvas.fd, lease])
'''


def hook(guest, operation, phase, devices=DEVICES, title="", **environment):
    """As virHookCall() does it."""
    domain = (f'<domain type="kvm" id="1"><name>{guest}</name><uuid>{UUID}</uuid>{title}'
              f'<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}</devices></domain>')
    return subprocess.run([HOOK, guest, operation, phase, "-"], input=domain, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, env={**os.environ, **environment})


@unittest.skipIf(REASON, REASON)
class Hook(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(os.path.dirname(HOOK))
        place.run("install", "-m", "755", place.RECIPES / "libvirt-hook", HOOK)
        os.makedirs("/run/libvirt/qemu")
        os.makedirs("/run/stand-in")
        path = pathlib.Path("/run/stand-in/vfio-displayctl")
        path.write_text(STAND_IN)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        cls.host = place.Installed()

    @classmethod
    def tearDownClass(cls):
        cls.host.__exit__(None)

    def guest(self, name):
        qemu = subprocess.Popen(["sleep", "1000"])
        pathlib.Path(f"/run/libvirt/qemu/{name}.pid").write_text(f"{qemu.pid}\n")
        pathlib.Path("/run/adopt.log").write_text("")
        self.addCleanup(self.end, qemu)
        return qemu

    @staticmethod
    def end(qemu):
        qemu.kill()
        qemu.wait()

    def played(self, *arguments, **more):
        done = hook(*arguments, PATH="/run/stand-in:" + os.environ["PATH"], **more)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    @staticmethod
    def displays():
        listed = place.run(daemon.BUILD / "vfio-displayctl", "--json", "list").splitlines()
        return {each["context"]["id"]: each for each in map(json.loads, listed)}

    def test_a_guest_that_starts_is_seen(self):
        qemu = self.guest("vm1")
        self.played("vm1", "started", "begin", title="<title>The first machine</title>")
        found = self.displays()
        self.assertEqual(sorted(found), ["vm1", "vm1-1"])
        context = found["vm1"]["context"]
        self.assertEqual((context["name"], context["machine"], context["head"], context["labels"]),
                         ("The first machine", UUID, 0, {"libvirt.name": "vm1"}))
        self.assertEqual(found["vm1-1"]["context"]["head"], 1)
        viewer = self.host.viewer("/run/vfio-displayd/rfb/vm1")
        canvas = self.host.keep(surface.Surface(160, 100))
        canvas.noise(9, colours=40)
        compare.until_shows([viewer], canvas)
        # libvirtd is restarted; the guest goes.
        self.end(qemu)
        place.until(lambda: all(each["runtime"]["state"] == "lost" for each in self.displays().values()), "its displays end with it")

    def test_nothing_is_done_at_other_times_or_for_other_guests(self):
        qemu = self.guest("vm2")
        for operation, phase in (("prepare", "begin"), ("start", "begin"), ("stopped", "end"), ("release", "end"), ("migrate", "begin")):
            self.played("vm2", operation, phase)
        self.played("vm2", "started", "begin", devices="")
        self.assertEqual(pathlib.Path("/run/adopt.log").read_text(), "")
        self.end(qemu)

    def test_a_name_that_is_no_id(self):
        qemu = self.guest("Ein Gast")
        self.played("Ein Gast", "started", "begin")
        self.assertIn(UUID, self.displays())
        self.end(qemu)

    def test_it_never_fails(self):
        qemu = self.guest("vm3")
        # The real program, and a guest without a device.
        done = hook("vm3", "started", "begin", PATH=f"{daemon.BUILD}:{os.environ['PATH']}")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.end(qemu)
        for more in ({"PATH": f"{daemon.BUILD}:{os.environ['PATH']}"}, {"PATH": "/nowhere:/usr/bin"}):
            done = hook("vm3", "started", "begin", **more)
            self.assertEqual(done.returncode, 0)
            self.assertIn("vfio-display: ", done.stdout)
        done = subprocess.run([HOOK, "vm3", "started", "begin", "-"], input="no XML", stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 0)
        self.assertIn("vfio-display: ", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
