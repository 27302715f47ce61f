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


def check(function=None, *, early=None):
    """early: called before the first check, to begin what takes long or must see everything."""
    if function is None:
        return lambda given: check(given, early=early)
    function.early = early
    _checks.append(function)
    return function


def always(function):
    """A check that the others stand on: it runs also when only some are asked for."""
    function.always = True
    return check(function)


def say(text):
    print(text, flush=True)


def _chosen(function, patterns):
    if not patterns or hasattr(function, "always"):
        return True
    return any(fnmatch.fnmatchcase(function.__name__, pattern.replace("-", "_")) for pattern in patterns)


def _begin_early(functions):
    """What fails here is missed by the check that needs it."""
    for early in dict.fromkeys(function.early for function in functions if function.early):
        try:
            early()
        except Exception:
            say(traceback.format_exc())


def run_checks(patterns):
    """patterns: of the names of those to run, none: all."""
    global failures
    chosen = [function for function in _checks if _chosen(function, patterns)]
    times = {}
    _begin_early(chosen)
    for function in chosen:
        name = function.__name__.replace("_", "-")
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
        times[name] = time.monotonic() - began
        say("# %s took %.1f s" % (name, times[name]))
        for thing in reversed(_left_behind):
            thing.close()
        _left_behind.clear()
    slowest = sorted(times, key=times.get, reverse=True)[:6]
    say("# %d checks in %.0f s; the slowest: %s" % (
        len(times), sum(times.values()), ", ".join("%s %.0f s" % (name, times[name]) for name in slowest)))


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


def command(*words, fine=(0,), seconds=120):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds)
    if fine is not None and done.returncode not in fine:
        raise Failure("%s: status %d: %s" % (" ".join(words), done.returncode, done.stdout.strip()))
    return done.stdout


class Mdev:
    """A mediated device; removed at the end of the check, unless it is to outlive it."""

    def __init__(self, driver, kind, outlives=False):
        self.uuid = str(uuid.uuid4())
        path = "/sys/devices/virtual/%s/%s/mdev_supported_types/%s-%s/create" % (driver, driver, driver, kind)
        with open(path, "w") as file:
            file.write(self.uuid)
        self.path = "/sys/bus/mdev/devices/" + self.uuid
        if not outlives:
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
