# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine under test: mdev displays, the test VMM, the daemon's processes, and how a check is made and reported."""

import fnmatch
import glob
import os
import subprocess
import time
import traceback
import uuid

SOCKET = "/run/vfio-displayd/org.vfiodisplay.Display"
HERE = os.path.dirname(os.path.abspath(__file__))

_checks = []
_left_behind = []
failures = 0


class Failure(Exception):
    """What a check found wrong."""


def check(function):
    _checks.append(function)
    return function


def always(function):
    """A check that the others stand on: it runs also when only some are asked for."""
    function.always = True
    return check(function)


def say(text):
    print(text, flush=True)


def run_checks(only):
    global failures
    for function in _checks:
        name = function.__name__.replace("_", "-")
        if only and not any(fnmatch.fnmatch(function.__name__, wanted) for wanted in only) and not hasattr(function, "always"):
            continue
        began = time.monotonic()
        try:
            note = function()
        except Exception as error:  # every fault of a check is that check's failure, the next ones still run
            failures += 1
            text = str(error) or type(error).__name__
            say("not ok %s - %s" % (name, text.replace("\n", " | ")[:400]))
            if not isinstance(error, Failure):
                say(traceback.format_exc())
            elif len(text) > 400:
                say(text)
        else:
            say("ok %s%s" % (name, " - " + note if note else ""))
        say("# %s took %.1f s" % (name, time.monotonic() - began))
        for thing in reversed(_left_behind):
            thing.close()
        _left_behind.clear()


def keep(thing):
    """Closes it at the end of the check."""
    _left_behind.append(thing)
    return thing


def let_go(thing):
    """It was closed sooner."""
    _left_behind.remove(thing)


def until(condition, seconds, what):
    """Waits for condition() to be true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure("%s: not within %g s" % (what, seconds))
        time.sleep(0.05)


def expect(condition, what):
    if not condition:
        raise Failure(what)


def command(*words, fine=(0,)):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if fine is not None and done.returncode not in fine:
        raise Failure("%s: status %d: %s" % (" ".join(words), done.returncode, done.stdout.strip()))
    return done.stdout


class Mdev:
    """A mediated device; removed at the end of the check."""

    def __init__(self, driver, kind):
        self.uuid = str(uuid.uuid4())
        path = "/sys/devices/virtual/%s/%s/mdev_supported_types/%s-%s/create" % (driver, driver, driver, kind)
        with open(path, "w") as file:
            file.write(self.uuid)
        self.path = "/sys/bus/mdev/devices/" + self.uuid
        keep(self)

    def group_path(self):
        return "/dev/vfio/" + os.path.basename(os.readlink(self.path + "/iommu_group"))

    def remove(self, seconds):
        """Removes it in a process of its own, since the kernel waits for the last user. Returns the time it took."""
        began = time.monotonic()
        process = subprocess.Popen(["sh", "-c", "echo 1 > %s/remove" % self.path])
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("mdev remove still waits after %g s" % seconds)
        return time.monotonic() - began

    def close(self):
        if os.path.exists(self.path):
            try:
                self.remove(15)
            except Failure as error:
                say("# cleaning up: %s" % error)


class Vmm:
    """A test-vmm process; killed at the end of the check."""

    def __init__(self, mdev=None, **identity):
        """identity: user and group of subprocess.Popen."""
        self.process = subprocess.Popen([HERE + "/test-vmm", SOCKET], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, **identity)
        keep(self)
        if mdev:
            self("open " + mdev.uuid)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")

    def __call__(self, line):
        answer = self.ask(line)
        if not answer.startswith("ok"):
            raise Failure("test-vmm: %s: %s" % (line, answer or "died"))
        return answer[3:]

    def kill(self):
        self.process.kill()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def kernel_complaints():
    """Lines of the kernel log that must not be there."""
    words = ("BUG:", "WARNING:", "Oops", "Bad page", "bad page", "refcount_t", "general protection", "blocked for more")
    return [line for line in command("dmesg").splitlines() if any(word in line for word in words)]


def fds_of(pid):
    """What each descriptor of a process is."""
    kinds = []
    for path in glob.glob("/proc/%d/fd/*" % pid):
        try:
            kinds.append(os.readlink(path))
        except FileNotFoundError:
            pass
    return kinds
