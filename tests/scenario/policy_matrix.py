#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every method, called by every kind of user, about ids that exist and that do not, under several policies: what each may, and learns."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))

import daemon  # noqa: E402
import rfb  # noqa: E402
import surface  # noqa: E402
import varlink  # noqa: E402

SERVICE = "io.systemd.service."
OWNER, MEMBER, OTHER, GROUP, LOOKERS = 40001, 40002, 40003, 40100, 40101
LIMIT = 15 * daemon.SLOW


class User:
    def __init__(self, name, uid, groups=(), monitor=False):
        self.name, self.uid, self.groups, self.monitor = name, uid, groups, monitor


USERS = [User("root", 0), User("owner", OWNER), User("member", MEMBER, (GROUP,)), User("looker", OTHER, (LOOKERS,)),
         User("nobody", OTHER), User("root at the monitor", 0, monitor=True), User("looker at the monitor", OTHER, (LOOKERS,), True),
         User("owner at the monitor", OWNER, monitor=True)]

# method, what more it must be told, the parameter that is the display's id or viewer's name, the right that it takes; and where it
# takes no id, whether it is about one thing ("whole") or whatever the caller may see ("some").
ID, CONTEXT, VIEWER, WHOLE = "id", "context.id", "viewer", None
METHODS = [
    ("Register", {"deviceFileDescriptorIndex": 0}, CONTEXT, "register"),
    ("Unregister", {}, ID, "manage"),
    ("Update", {"context": {}}, ID, "manage"),
    ("List", {}, ID, "observe"),
    ("IssueTicket", {"mode": "view"}, ID, "ticket"),
    ("Attach", {"mode": "view"}, ID, "view"),
    ("Attach", {"mode": "control"}, ID, "control"),
    ("Attach", {"mode": "exclusive"}, ID, "exclusive"),
    ("ListViewers", {}, ID, "observe"),
    ("Subscribe", {}, ID, "observe"),
    ("Detach", {}, VIEWER, "manage"),
    ("Capture", {}, ID, "capture"),
    ("SetInput", {"input": []}, ID, "manage"),
    ("SendInput", {"events": []}, ID, "input"),
    ("SendKeys", {"keys": []}, ID, "input"),
    ("GetMetrics", {}, WHOLE, "observe"),
    ("Dump", {}, ID, "observe"),
    ("GetCapabilities", {}, WHOLE, None),
    (SERVICE + "Ping", {}, WHOLE, None),
    (SERVICE + "Reload", {}, WHOLE, "admin"),
    (SERVICE + "SetLogLevel", {"level": 6}, WHOLE, "admin"),
]
OPTIONAL = {"List", "ListViewers", "Subscribe", "Dump", "Register"}      # where the id may be left out
MORE = {"ListViewers", "Subscribe"}
INCLUDES = {"exclusive": {"exclusive", "control", "view"}, "control": {"control", "view"}}
ALL = {"observe", "register", "capture", "view", "control", "exclusive", "input", "ticket", "manage", "admin"}
OWNERS = {"observe", "input", "ticket", "manage"}

# The file, and what it says as (rights, uids, gids, pattern); None: there is no file.
POLICIES = {
    "no file": (None, [(ALL - {"ticket", "manage", "admin"}, (), (), "*")]),
    "empty": ("# nobody\n", []),
    "one group": (f"allow observe,view gid={GROUP} id=vm-*\n", [({"observe", "view"}, (), (GROUP,), "vm-*")]),
    "mixed": (f"allow register uid={OWNER} id=vm-*\nallow exclusive,capture uid={MEMBER} id=*-here\n"
              f"allow observe gid={LOOKERS}\nallow manage,ticket uid={MEMBER} uid={OTHER} id=zz-*   # both\n",
              [({"register"}, (OWNER,), (), "vm-*"), ({"exclusive", "capture"}, (MEMBER,), (), "*-here"),
               ({"observe"}, (), (LOOKERS,), "*"), ({"manage", "ticket"}, (MEMBER, OTHER), (), "zz-*")]),
    "admins": (f"allow admin gid={GROUP}\nallow admin uid={OTHER} id=zz-*\nallow input\n",
               [({"admin"}, (), (GROUP,), "*"), ({"admin"}, (OTHER,), (), "zz-*"), ({"input"}, (), (), "*")]),
}


class Model:
    """What rights.h says, written down once more."""

    def __init__(self, lines):
        self.lines = []
        for rights, uids, gids, pattern in lines:
            wide = set().union(*(ALL if each == "admin" else INCLUDES.get(each, {each}) for each in rights))
            self.lines.append((wide, uids, gids, pattern))

    def given(self, user, right):
        return [pattern for rights, uids, gids, pattern in self.lines if right in rights and (
            not uids and not gids or user.uid in uids or set(user.groups) & set(gids))]

    def may(self, user, right, identity=None, owned=False):
        if right is None:
            return True
        if user.monitor and right != "observe":
            return False
        if user.uid == 0 or (owned and user.uid == OWNER and right in OWNERS):
            return True
        return any(pattern == "*" or identity and re.fullmatch(pattern.replace("*", ".*"), identity)
                   for pattern in self.given(user, right))

    def may_some(self, user, right, displays):
        return self.may(user, right) or not (user.monitor and right != "observe") and bool(self.given(user, right)) or \
            any(self.may(user, right, each, True) for each in displays)

    def about(self, user, right, identity, exists):
        """The error's name; "ran": it was let through."""
        if self.may(user, right, identity, exists):
            return "ran"
        known = self.may(user, "observe", identity) or self.may(user, "register", identity)
        if not exists and right != "register" and known:
            return "NoSuchDisplay"
        return "PermissionDenied"

    def about_viewer(self, user, identity, exists, displays):
        if exists and self.may(user, "manage", identity, True):
            return "ran"
        if exists and self.may(user, "observe", identity, True) or not self.may_some(user, "manage", displays):
            return "PermissionDenied"
        return "NoSuchViewer"


def as_user(user, act):
    """In this process: the kernel notes the effective ids of who connects."""
    groups = os.getgroups()
    os.setgroups(user.groups)
    os.setegid(user.uid)
    os.seteuid(user.uid)
    try:
        return act()
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
class Scene(unittest.TestCase):
    HERE = ("vm-here", "zz-here")
    GONE = ("vm-gone", "zz-gone")

    def start(self, text=None, **more):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="vfio-displayd-test.")))
        self.file = self.dir / "policy"
        os.chmod(self.dir, 0o755)
        config = f"[control]\nmonitor = {self.dir}/monitor\n"
        if text is not None:
            self.file.write_text(text)
            config += f"policy = {self.file}\n"
        self.daemon = self.enterContext(daemon.Daemon(config=config, **more))
        os.chmod(self.daemon.dir, 0o755)
        os.chmod(self.daemon.control, 0o666)
        os.chmod(self.dir / "monitor", 0o666)

    def connect(self, user):
        path = str(self.dir / "monitor") if user.monitor else self.daemon.control
        client = as_user(user, lambda: varlink.Client(path, timeout=LIMIT))
        self.addCleanup(client.close)
        return client

    def show(self, owner, *displays):
        client_of = []
        for each in displays:
            picture = surface.Surface(64, 48)
            self.addCleanup(picture.close)
            client = self.connect(owner)
            self.addCleanup(os.close, self.daemon.register(picture, each, client=client))
            client_of.append(client)
        return client_of

    def reload(self, text):
        if text is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_text(text)
        self.connect(USERS[0]).call(SERVICE + "Reload")

    @staticmethod
    def outcome(client, method, parameters, **flags):
        """A parameter that does not exist is looked at only when the caller has the right."""
        try:
            client.call(method, {**parameters, "nonsense": 1}, **flags)
        except varlink.VarlinkError as error:
            if error.error == "InvalidParameter":
                assert error.parameters["parameter"] == "nonsense", error
                return "ran", error.parameters
            return error.error, error.parameters
        raise AssertionError(f"{method} took nonsense")

    def methods_there(self):
        """The rows for this daemon; each of its methods has one."""
        client = self.connect(USERS[0])
        there = set()
        for interface in ("org.vfiodisplay.Display", "io.systemd.service"):
            text = client.call("org.varlink.service.GetInterfaceDescription", {"interface": interface})["description"]
            for name in re.findall(r"^method (\w+)\(", text, re.M):
                there.add(name if interface.startswith("org.vfio") else SERVICE + name)
        self.assertEqual(there - {row[0] for row in METHODS}, set(), "methods that this test does not know: add rows")
        return [row for row in METHODS if row[0] in there]


class Matrix(Scene):

    def check(self, model, user, client, row, viewers, what):
        method, more, where, right = row
        flags = {"more": True} if method in MORE else {}
        if where is None:
            wanted = {None: "ran" if model.may(user, right) else "PermissionDenied"}
        elif where == VIEWER:
            wanted = {name: model.about_viewer(user, display, True, self.HERE) for name, display in viewers.items()}
            wanted["77-7"] = model.about_viewer(user, None, False, self.HERE)
        else:
            wanted = {each: model.about(user, right, each, each in self.HERE) for each in self.HERE + self.GONE}
        if method in OPTIONAL:
            may = model.may(user, right) if method == "Register" else model.may_some(user, right, self.HERE)
            wanted[None] = "ran" if may else "PermissionDenied"
        for identity, want in wanted.items():
            parameters = dict(more)
            if identity and where == CONTEXT:
                parameters["context"] = {"id": identity}
            elif identity:
                parameters[where] = identity
            got, said = self.outcome(client, method, parameters, **flags)
            about = f"{what}: {user.name} calls {method} {more} about {identity}"
            self.assertEqual(got, want, about)
            if got == "PermissionDenied":
                self.assertEqual(said["right"], right, about)
                self.assertTrue(said["reason"], about)

    def test_matrix(self):
        self.start("")
        self.reload(f"allow register uid={OWNER}\n")
        self.show(USERS[1], *self.HERE)
        root = self.connect(USERS[0])
        viewers = {}
        for each in self.HERE:
            sock, name = root.attach(each)
            self.addCleanup(sock.close)
            viewers[name] = each
        rows = self.methods_there()
        for what, (text, lines) in POLICIES.items():
            if text is None:
                continue
            self.reload(text)
            for user in USERS:
                client = self.connect(user)
                for row in rows:
                    self.check(Model(lines), user, client, row, viewers, what)
        self.assertEqual({each["context"]["id"] for each in self.listed(root)}, set(self.HERE))

    def test_matrix_without_file(self):
        self.start()
        self.show(USERS[1], *self.HERE)
        root = self.connect(USERS[0])
        viewers = {}
        for each in self.HERE:
            sock, name = root.attach(each)
            self.addCleanup(sock.close)
            viewers[name] = each
        model = Model(POLICIES["no file"][1])
        for user in USERS:
            client = self.connect(user)
            for row in self.methods_there():
                self.check(model, user, client, row, viewers, "no file")

    # ---- what is seen of many ----

    @staticmethod
    def listed(client, method="List", **parameters):
        client.send(method, parameters, more=True)
        out = []
        while True:
            reply = client.receive()
            if "error" in reply:
                return out if reply["error"].split(".")[-1] in ("NoSuchDisplay", "NoSuchViewer") else reply["error"]
            out.append(reply["parameters"])
            if not reply.get("continues"):
                return out

    def test_lists_show_what_may_be_observed(self):
        self.start(f"allow register uid={OWNER}\nallow observe uid={OTHER} id=vm-*\n")
        self.show(USERS[1], *self.HERE)
        root = self.connect(USERS[0])
        for each in self.HERE:
            self.addCleanup(root.attach(each)[0].close)
        stranger, owner = self.connect(USERS[4]), self.connect(USERS[1])
        seen = [each["context"]["id"] for each in self.listed(stranger)]
        self.assertEqual(seen, ["vm-here"])
        self.assertEqual([each["viewer"]["id"] for each in self.listed(stranger, "ListViewers")], ["vm-here"])
        self.assertEqual(sorted(each["context"]["id"] for each in self.listed(owner)), sorted(self.HERE))
        if "Dump" in {row[0] for row in self.methods_there()}:
            got = stranger.call("Dump")
            text = os.pread(stranger.fds[got["fileDescriptorIndex"]], got["bytes"], 0).decode()
            os.close(stranger.fds[got["fileDescriptorIndex"]])
            self.assertTrue("vm-here" in text and "zz-here" not in text, text)
        # A reload is for those who are connected, too.
        self.reload(f"allow observe uid={OTHER} id=zz-*\n")
        self.assertEqual([each["context"]["id"] for each in self.listed(stranger)], ["zz-here"])
        self.reload("")
        self.assertTrue(self.listed(stranger).endswith("PermissionDenied"))

    def test_events_are_of_what_may_be_observed(self):
        self.start(f"allow register uid={OWNER}\nallow observe uid={OTHER} id=vm-*\n")
        if "Subscribe" not in {row[0] for row in self.methods_there()}:
            self.skipTest("no events in this build")
        stranger = self.connect(USERS[4])
        stranger.send("Subscribe", {}, more=True)
        self.show(USERS[1], "zz-here", "vm-here")
        seen = []
        while "vm-here" not in seen:
            seen.append(json.dumps(stranger.receive()))
            seen[-1] = "vm-here" if "vm-here" in seen[-1] else seen[-1]
        self.assertFalse([each for each in seen if "zz-here" in each], seen)

    def test_tickets_give_no_more_than_their_issuer_has(self):
        self.start(f"allow register uid={OWNER}\nallow ticket,view uid={OTHER}\n")
        self.show(USERS[1], "vm-here")
        other, owner = self.connect(USERS[4]), self.connect(USERS[1])
        other.call("IssueTicket", {"id": "vm-here", "mode": "view"})
        with self.assertRaises(varlink.VarlinkError) as caught:
            other.call("IssueTicket", {"id": "vm-here", "mode": "control"})
        self.assertEqual((caught.exception.error, caught.exception.parameters["right"]), ("PermissionDenied", "control"))
        owner.call("IssueTicket", {"id": "vm-here", "mode": "exclusive"})


class Files(Scene):
    WRONG = [
        ("allow everything\n", ":1: there is no right"),
        ("# fine\nallow observe\nallow observe uid=no-such-user-here\n", ":3: there is no user"),
        ("permit observe\n", ":1: a line begins with"),
        ("allow observe id=a/b\n", ":1: no display has such an id"),
        ("allow observe\0\n", ":1: a NUL byte"),
    ]

    def test_a_wrong_policy_does_not_start(self):
        with tempfile.TemporaryDirectory(prefix="vfio-displayd-test.") as name:
            for text, wanted in self.WRONG:
                file = pathlib.Path(name) / "policy"
                file.write_text(text)
                with self.assertRaises(AssertionError) as caught:
                    daemon.Daemon(config=f"[control]\npolicy = {file}\n")
                self.assertIn(f"{file}{wanted}", str(caught.exception))
            with self.assertRaises(AssertionError) as caught:
                daemon.Daemon(config=f"[control]\npolicy = {name}/none\n")
            self.assertIn("No such file", str(caught.exception))

    def test_a_wrong_policy_at_reload_changes_nothing(self):
        self.start(f"allow observe uid={OTHER}\nallow register\n")
        self.show(USERS[1], "vm-here")
        other, root = self.connect(USERS[4]), self.connect(USERS[0])
        for text, wanted in self.WRONG:
            # Its first lines are right, and would give more.
            self.file.write_text("allow capture,view\n" * 3 + text)
            with self.assertRaises(varlink.VarlinkError) as caught:
                root.call(SERVICE + "Reload")
            line = int(wanted.split(":")[1]) + 3
            self.assertIn(f"{self.file}:{line}:", caught.exception.parameters["reason"])
            kept = self.daemon.text().count("what was there is kept")
            os.kill(self.daemon.pid, signal.SIGHUP)
            self.daemon.until(lambda before=kept: self.daemon.text().count("what was there is kept") > before, "it is logged")
            self.assertEqual(self.outcome(other, "Capture", {"id": "vm-here"})[0], "PermissionDenied")
            self.assertEqual(self.outcome(other, "List", {"id": "vm-here"})[0], "ran")
        # Nor does one that is gone.
        self.file.unlink()
        with self.assertRaises(varlink.VarlinkError):
            root.call(SERVICE + "Reload")
        self.assertEqual(self.outcome(other, "Capture", {"id": "vm-here"})[0], "PermissionDenied")
        self.reload("allow capture\n")
        self.assertEqual(self.outcome(other, "Capture", {"id": "vm-here"})[0], "ran")

    def test_hidden_users_are_not_named(self):
        """In a user namespace with one user, nobody can be told from others."""
        with tempfile.TemporaryDirectory(prefix="vfio-displayd-test.") as name:
            directory = pathlib.Path(name)
            file, conf = directory / "policy", directory / "conf"
            conf.write_text(f"[control]\npolicy = {file}\n")
            command = ["unshare", "--user", "--map-root-user", daemon.BUILD / "vfio-displayd", "--config", conf,
                       "--control", directory / "control"]
            if subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True).returncode:
                self.skipTest("no user namespaces here")
            file.write_text("allow observe\nallow observe uid=1000\n")
            result = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn(f"{file}:2: uid 1000 cannot be told from others", result.stderr)
            file.write_text("allow observe\n")
            with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
                try:
                    end = time.monotonic() + LIMIT
                    while not (directory / "control").exists() and time.monotonic() < end and process.poll() is None:
                        time.sleep(0.02)
                    self.assertIsNone(process.poll())
                finally:
                    process.terminate()


# So that a socket of ours is the journal's, and stderr connected to it.
WITH_JOURNAL = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && mkdir -p /run/systemd/journal && '
                'mount --bind "$0" /run/systemd/journal && export JOURNAL_STREAM="$(stat -L -c %d:%i /proc/self/fd/2)" && exec "$@"']


class Audit(Scene):
    """What the journal is told."""

    def setUp(self):
        if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/run"], capture_output=True).returncode:
            self.skipTest("no mount namespaces here")
        self.entries = []
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="vfio-displayd-test."))
        self.journal = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.journal.bind(f"{directory}/socket")
        self.journal.settimeout(0.05)
        self.start(f"allow register uid={OWNER}\n", through=[*WITH_JOURNAL, directory])
        catalog = pathlib.Path(__file__).resolve().parents[2] / "data" / "vfio-displayd.catalog"
        self.subjects = dict(re.findall(r"^-- (\w{32})\nSubject: (.*)$", catalog.read_text(), re.M))

    def told(self, subject, what=""):
        """The first entry with this subject, by then."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            for each in self.entries:
                if self.subjects.get(each.get("MESSAGE_ID")) == subject and what in each["MESSAGE"]:
                    return each
            try:
                text = self.journal.recv(1 << 16).decode()
                self.entries.append(dict(line.split("=", 1) for line in text.splitlines()))
            except TimeoutError:
                pass
        raise AssertionError(f"nobody tells \"{subject}\": {self.entries}")

    def expect(self, subject, what="", **fields):
        entry = self.told(subject, what)
        for name, value in fields.items():
            self.assertEqual(entry.get(name), str(value), entry)
        self.assertEqual(entry["SYSLOG_IDENTIFIER"], "vfio-displayd")

    def test_fields(self):
        picture = surface.Surface(64, 48)
        self.addCleanup(picture.close)
        owner, other, root = self.connect(USERS[1]), self.connect(USERS[2]), self.connect(USERS[0])
        me = {"PEER_UID": OWNER, "PEER_GID": OWNER, "PEER_PID": os.getpid(), "VFIO_DISPLAY": "vm-here"}
        self.expect("A policy was read")
        lease = self.daemon.register(picture, "vm-here", client=owner, context={"machine": "5b1c"}, listen=[
            {"mode": "control", "address": f"unix:{self.dir}/viewers", "security": ["vncauth"]}])
        self.expect("A display was registered", VFIO_MACHINE="5b1c", PRIORITY=6, **me)
        owner.call("Update", {"id": "vm-here", "context": {"name": "x"}})
        self.expect("A display was changed", VFIO_MACHINE="5b1c", **me)

        # What a peer says is masked, and adds no field.
        self.outcome(other, "Unregister", {"id": "vm-here"})
        self.expect("A call was denied", PRIORITY=5, VFIO_RIGHT="manage", VFIO_DISPLAY="vm-here", PEER_UID=MEMBER)
        denied = self.told("A call was denied")
        self.assertIn("vfio-displayd-policy(5)", denied["VFIO_REASON"])
        if [int(each) for each in os.uname().release.split(".")[:2]] >= [6, 9]:
            me_too = os.pidfd_open(os.getpid())
            self.assertEqual(int(denied["PEER_PIDFDID"]), os.fstat(me_too).st_ino)
            os.close(me_too)

        ticket = owner.call("IssueTicket", {"id": "vm-here", "mode": "control", "label": "ann"})["ticket"]
        self.expect("A ticket was issued", VFIO_MODE="control", VFIO_LABEL="ann", **me)
        viewer = rfb.Client(f"{self.dir}/viewers", timeout=LIMIT, security="vncauth", password=ticket[:8])
        self.addCleanup(viewer.close)
        self.expect("A ticket was used", VFIO_LABEL="ann", VFIO_ADDRESS="unix", VFIO_DISPLAY="vm-here")
        self.expect("A viewer sees a display", VFIO_LABEL="ann", VFIO_MODE="control", VFIO_MACHINE="5b1c")
        name = self.told("A viewer sees a display")["VFIO_VIEWER"]
        owner.call("Detach", {"viewer": name})
        self.expect("A viewer was sent away", VFIO_VIEWER=name, **me)
        self.expect("A viewer has left", VFIO_VIEWER=name, VFIO_DISPLAY="vm-here")
        with self.assertRaises(Exception):
            rfb.Client(f"{self.dir}/viewers", timeout=LIMIT, security="vncauth", password=ticket[:8])
        self.expect("A viewer was refused", PRIORITY=5, VFIO_ADDRESS="unix", VFIO_DISPLAY="vm-here")
        sock, name = root.attach("vm-here", label="bob")
        sock.close()
        self.expect("A viewer was attached", VFIO_VIEWER=name, VFIO_LABEL="bob", VFIO_MODE="view", PEER_UID=0)

        self.file.write_text("allow nothing\n")
        with self.assertRaises(varlink.VarlinkError):
            root.call(SERVICE + "Reload")
        self.expect("A reload has failed", PRIORITY=3)
        self.assertIn(":1: there is no right", self.told("A reload has failed")["VFIO_REASON"])
        owner.call("Unregister", {"id": "vm-here"})
        self.expect("A display is being unregistered", **me)
        self.expect("A display has ended", VFIO_DISPLAY="vm-here", VFIO_MACHINE="5b1c")
        os.close(lease)
        self.assertFalse([each for each in self.entries if ticket in str(each) or ticket[:8] in str(each)])

    def test_a_flood_is_bounded(self):
        self.show(USERS[1], "vm-here")
        other, owner = self.connect(USERS[2]), self.connect(USERS[1])
        self.drain()
        for _ in range(2100):
            self.outcome(other, "Unregister", {"id": "vm-here"})
            self.drain()
        self.drain()
        denied = [each for each in self.entries if self.subjects.get(each.get("MESSAGE_ID")) == "A call was denied"]
        # A bucket may be shared, by chance, with the few lines that the others here have caused.
        self.assertLessEqual(len(denied), 2048)
        self.assertGreater(len(denied), 2032)
        self.assertEqual(len([each for each in self.entries if f"uid {MEMBER} does too much" in each["MESSAGE"]]), 1)
        # It hides nobody else.
        owner.call("Update", {"id": "vm-here", "context": {"name": "x"}})
        self.expect("A display was changed", PEER_UID=OWNER)

    def drain(self):
        self.journal.setblocking(False)
        try:
            while True:
                self.entries.append(dict(line.split("=", 1) for line in self.journal.recv(1 << 16).decode().splitlines()))
        except BlockingIOError:
            self.journal.settimeout(0.05)

    def test_catalog(self):
        """Each kind has its explanation, and each explanation its kind."""
        source = (pathlib.Path(__file__).resolve().parents[2] / "src" / "audit.c").read_text()
        self.assertEqual(set(re.findall(r'"([0-9a-f]{32})"', source)), set(self.subjects))
        catalog = pathlib.Path(__file__).resolve().parents[2] / "data" / "vfio-displayd.catalog"
        if shutil.which("journalctl"):
            with tempfile.TemporaryDirectory() as root:
                directory = pathlib.Path(root) / "usr/lib/systemd/catalog"
                directory.mkdir(parents=True)
                shutil.copy(catalog, directory)
                (pathlib.Path(root) / "var/lib/systemd/catalog").mkdir(parents=True)
                subprocess.run(["journalctl", f"--root={root}", "--update-catalog"], check=True, capture_output=True)
                listed = subprocess.run(["journalctl", f"--root={root}", "--list-catalog"], check=True, capture_output=True, text=True)
                self.assertEqual(len(listed.stdout.splitlines()), len(self.subjects))


if __name__ == "__main__":
    unittest.main(verbosity=2)
