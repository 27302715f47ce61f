# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine of its own for a test, made of the one that it runs on: own network, files in /etc, /run and /var, users, processes.

What an administrator would put there can be put there as it is, with its fixed ports and paths, and nothing is left over: when
the test ends, the kernel ends all that it started.

    REASON = place.enter()               # first of all: runs this program again, inside

    @unittest.skipIf(REASON, REASON)
    class Test(unittest.TestCase): ...
"""
import grp
import os
import pathlib
import pwd
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import daemon
import rfb
import surface
import varlink

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = ROOT / "docs/deploy"
CONTROL = "/run/vfio-displayd/org.vfiodisplay.Display"
UNSHARE = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
OWN = ("/var/log", "/var/lib/redis", "/var/lib/nginx", "/var/lib/haproxy", "/var/lib/libvirt")


def enter():
    """None where it is inside; else why that cannot be."""
    if os.environ.get("VFIO_DISPLAYD_PLACE"):
        furnish()
        return None
    if os.geteuid() != 0:
        return "needs root"
    if subprocess.run([*UNSHARE, "true"], capture_output=True).returncode:
        return "needs the right to make namespaces"
    sys.stdout.flush()
    os.environ["VFIO_DISPLAYD_PLACE"] = "yes"
    os.execvp("unshare", [*UNSHARE, sys.executable, *sys.argv])


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **more)
    if done.returncode:
        raise AssertionError(f"{shlex.join(map(str, command))}: status {done.returncode}: {done.stdout}")
    return done.stdout


def furnish():
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "place", "/run")
    os.mkdir("/run/etc")
    run("cp", "-a", "/etc/.", "/run/etc")
    run("mount", "--bind", "/run/etc", "/etc")
    for path in filter(os.path.isdir, OWN):
        folders = {each.path: each.stat() for each in os.scandir(path) if each.is_dir(follow_symlinks=False)}
        run("mount", "-t", "tmpfs", "-o", "mode=755", "place", path)
        for folder, was in folders.items():
            os.mkdir(folder)
            os.chown(folder, was.st_uid, was.st_gid)
    run("systemd-sysusers", daemon.BUILD / "conf/sysusers.d/vfio-displayd.conf")
    os.mkdir("/run/build")       # whatever leads to it, users of this machine can start it
    run("mount", "--bind", daemon.BUILD, "/run/build")
    daemon.BUILD = pathlib.Path("/run/build")


def until(test, what, timeout=20):
    end = time.monotonic() + timeout * daemon.SLOW
    while True:
        found = test()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.05)


def listens(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


# ---- programs ----

class Program:
    def __init__(self, command, user=None, groups=(), name=None, **more):
        self.command = list(map(str, command))
        self.log = tempfile.TemporaryFile()
        if user:
            entry = pwd.getpwnam(user)
            more = {"user": entry.pw_uid, "group": entry.pw_gid,
                    "extra_groups": [grp.getgrnam(group).gr_gid for group in groups], **more}
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **more)
        self.pid = self.process.pid

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def until(self, test, what, timeout=20):
        """That also ends when the program does."""
        def holds():
            if self.process.poll() is not None:
                raise AssertionError(f"{shlex.join(self.command)} has ended: {self.text()}")
            return test()
        return until(holds, what, timeout)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        return self.process.wait(20 * daemon.SLOW)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10 * daemon.SLOW)
            except subprocess.TimeoutExpired:
                self.kill()
        self.log.close()


def unit(path):
    """{section: {key: [values]}}."""
    sections, section = {}, None
    for line in pathlib.Path(path).read_text().replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and line[0] not in "#;":
            key, _, value = line.partition("=")
            section.setdefault(key.strip(), []).append(value.strip())
    return sections


def account(name):
    """A user and its group, as DynamicUser= makes them."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        number = 61184 + len(pathlib.Path("/etc/passwd").read_text().splitlines())
        with open("/etc/passwd", "a") as users, open("/etc/group", "a") as groups:
            users.write(f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n")
            groups.write(f"{name}:x:{number}:\n")
    return name


def handed(command, fd):
    """A command that has the listening socket `fd` from systemd; what Program() has to know besides."""
    move = f"exec 3<&{fd} {fd}<&-; " if fd != 3 else ""
    return ["bash", "-c", move + 'LISTEN_PID=$$ exec "$@"', "bash", *command], {"pass_fds": [fd]}


def service(path, instance="", fd=None):
    """Starts what a unit file says, as the user that it says. `fd`: a listening socket, which systemd would hand over."""
    said = unit(path)["Service"]
    command = shlex.split(said["ExecStart"][-1].replace("%i", instance))
    user = said["User"][-1] if "User" in said else account("dynamic") if said.get("DynamicUser") == ["yes"] else None
    more = {}
    if fd is not None:
        command, more = handed(command, fd)
        more["env"] = {**os.environ, "LISTEN_FDS": "1"}
    return Program(command, user=user, groups=" ".join(said.get("SupplementaryGroups", [])).split(), **more)


# ---- the daemon, as it would be installed ----

class Installed:
    """vfio-displayd with its users, directories and control socket. `recipe`: its configuration, a file of docs/deploy."""

    def __init__(self, recipe=None):
        self.opened = []
        run("systemd-tmpfiles", "--create", daemon.BUILD / "conf/tmpfiles.d/vfio-displayd.conf")
        os.makedirs("/etc/vfio-displayd", exist_ok=True)
        if recipe:
            shutil.copy(RECIPES / recipe, "/etc/vfio-displayd/vfio-displayd.conf")
        else:
            pathlib.Path("/etc/vfio-displayd/vfio-displayd.conf").write_text("")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(CONTROL)
        shutil.chown(CONTROL, "root", "vfio-display")
        os.chmod(CONTROL, 0o660)
        self.listener.listen(64)
        command, more = handed([daemon.BUILD / "vfio-displayd", "--config", "/etc/vfio-displayd/vfio-displayd.conf"],
                               self.listener.fileno())
        self.program = Program(command, user="vfio-displayd", **more,
                               env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "varlink"})
        self.opened.append(self.program)
        try:
            self.client = self.keep(varlink.Client(CONTROL))
            self.client.send("GetCapabilities")
            self.program.until(lambda: select.select([self.client.sock], [], [], 0.05)[0], "the daemon answers")
            self.client.result()
        except BaseException:
            self.__exit__(True)
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            for each in self.opened:
                if isinstance(each, Program):
                    print(f"---- {shlex.join(each.command)} ----\n{each.text()}----")
        for each in reversed(self.opened):
            each.close()
        self.listener.close()
        os.unlink(CONTROL)

    def keep(self, what):
        self.opened.append(what)
        return what

    def start(self, *command, **more):
        return self.keep(Program(command, **more))

    def service(self, recipe, **more):
        path = pathlib.Path(recipe)
        return self.keep(service(path if path.is_absolute() else RECIPES / path, **more))

    def display(self, name, seed=1, size=(160, 100), **more):
        """A surface with a picture of its own, registered for as long as this test lasts."""
        canvas = self.keep(surface.Surface(*size))
        canvas.noise(seed, colours=40)
        read, write = os.pipe()
        self.keep(os.fdopen(write, "wb"))
        self.client.call("Register", {
            "context": {"id": name, **more.pop("context", {})}, "source": "surface", "deviceFileDescriptorIndex": 0,
            "changeFileDescriptorIndex": 1, "leaseFileDescriptorIndex": 2, **more}, [canvas.fd, canvas.change, read])
        os.close(read)
        return canvas

    def ticket(self, name, **more):
        return self.client.call("IssueTicket", {"id": name, "mode": "control", **more})["ticket"]

    def viewer(self, *where, **more):
        return self.keep(rfb.Client(*where, timeout=15 * daemon.SLOW, **more))
