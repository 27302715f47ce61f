# SPDX-License-Identifier: GPL-2.0-or-later
"""The door of the installed service: the gate, certificates as credentials and as files, tickets and users, all from within what the
unit allows. Who gets in by what is proven outside the VM; here it is about systemd, paths, owners and the sandbox."""

import functools
import os
import pwd
import shutil
import stat

import certificates
import machine
import rfb
import rsaaes
import service
from machine import Failure, check, command, expect, until
from pattern import picture
from rawview import without_x
from scene import PATIENCE, bochs, configure, look, remove_in_time, see

DIRECTORY = "/etc/vfio-displayd/door"
DROP_IN = "/etc/systemd/system/vfio-displayd.service.d"
PAM_SERVICE = "vfio-displayd-test"
GATE = ("127.0.0.1", 5900)
CONFIGURED = {"linger-seconds": 0}  # by checks_start.py
PASSWORD = "Katzen-Bad-7"


def start():
    command("systemctl", "daemon-reload")
    command("systemctl", "stop", service.UNIT)
    command("systemctl", "reset-failed", fine=None)
    command("systemctl", "start", service.UNIT)


class Service:
    """Started again with lines of a drop-in and with keys of the configuration. When the check is over these are gone, and the service
    stays as it is until the next start."""

    def __init__(self, *lines, **keys):
        self.keys = [key.replace("_", "-") for key in keys]
        machine.keep(self)
        os.makedirs(DROP_IN, exist_ok=True)
        with open(DROP_IN + "/door.conf", "w") as file:
            file.write("\n".join(["[Service]", *lines, ""]))
        for key, value in zip(self.keys, keys.values()):
            configure(key, value)
        start()

    def close(self):
        shutil.rmtree(DROP_IN)
        for key in self.keys:
            configure(key, CONFIGURED.get(key))


class Socket:
    """The example unit of the gate's socket, for one check."""

    def __init__(self):
        machine.keep(self)
        command("systemctl", "stop", service.UNIT)
        command("systemctl", "start", "vfio-displayd-gate.socket")

    def close(self):
        command("systemctl", "stop", service.UNIT)
        command("systemctl", "stop", "vfio-displayd-gate.socket")


@functools.lru_cache(maxsize=None)
def issued(name):
    """(authority's file, certificate, key), in a directory that is root's."""
    os.makedirs(DIRECTORY, exist_ok=True)
    authority = certificates.Authority(DIRECTORY, "ca-" + name)
    return (authority.ca, *authority.issue(name))


def for_service(path, name):
    """A copy that the service's user may read, and nobody else: its path."""
    target = "/etc/vfio-displayd/" + name
    shutil.copyfile(path, target + ".new")
    os.chown(target + ".new", 0, pwd.getpwnam("vfio-displayd").pw_gid)
    os.chmod(target + ".new", 0o640)
    os.rename(target + ".new", target)
    return target


def as_files(name):
    """The keys of the configuration for this certificate."""
    _, certificate, key = issued(name)
    return {"certificate": for_service(certificate, "host.pem"), "key": for_service(key, "host.key")}


def hashed(password):
    return command("openssl", "passwd", "-6", password).strip()


def ticket(display, *options):
    return command("vfio-displayctl", "ticket", display, *options).strip()


def come(security, certificate=None, **how):
    """A viewer at the gate who takes the certificate of this name only."""
    how["ca"] = certificate and issued(certificate)[0]
    return machine.keep(rfb.Client(GATE, timeout=PATIENCE, security=security, **how))


def sees(viewer, seed):
    wanted = picture("noise", seed, 640, 480)
    if not viewer.updates:
        viewer.set_format(rfb.PixelFormat())
        viewer.set_encodings(rfb.RAW)
        viewer.request(incremental=False)
    try:
        viewer.until(lambda: without_x(viewer.pixels) == wanted, timeout=PATIENCE, ask=True)
    except TimeoutError:
        raise Failure("the viewer does not see noise %d" % seed)


def refused(what, security, certificate=None, **how):
    try:
        come(security, certificate, **how)
    except rfb.Refused as error:
        return str(error)
    raise Failure("let in: " + what)


@check
def a_ticket_lets_in_with_a_credentials_certificate():
    """The files are root's alone: only systemd can have read them for the service."""
    ca, certificate, key = issued("credential")
    os.chmod(DIRECTORY, 0o700)
    Service("LoadCredential=tls.cert:" + certificate, "LoadCredential=tls.key:" + key, listen="*:%d" % GATE[1])
    _, vmm = bochs("door")
    password = ticket("door", "--label", "once")
    viewer = come("x509Plain", "credential", user="anybody", password=password)
    sees(viewer, 1)
    vmm("paint noise 2")
    vmm("signal")
    sees(viewer, 2)
    expect("once" in command("vfio-displayctl", "viewers", "door"), "the ticket's label is not shown")
    expect("password" in refused("by a used ticket", "x509Plain", "credential", user="anybody", password=password), "another reason")
    refused("without a proof", "none")


@check
def rsa_aes_has_a_key_that_stays():
    """It is made in the state directory, once, and is the service's alone."""
    rsaaes.key_pair()  # the viewer's: it takes longer here than a handshake may
    Service(listen="*:%d" % GATE[1])
    _, vmm = bochs("door")
    path = "/var/lib/vfio-displayd/rsa.key"
    until(lambda: os.path.exists(path), 4 * PATIENCE, "a key of RSA-AES")
    what = os.stat(path)
    expect(stat.S_IMODE(what.st_mode) == 0o600 and what.st_uid == pwd.getpwnam("vfio-displayd").pw_uid,
           "%s: mode %o of uid %d" % (path, what.st_mode, what.st_uid))
    sees(come("rsaAes256", password=ticket("door")), 1)
    with open(path, "rb") as file:
        key = file.read()
    vmm.kill()  # mbochs loses count of its pages when the next daemon asks for a buffer again
    until(lambda: not service.device_fds(service.main_pid()), PATIENCE, "the device's release")
    command("systemctl", "restart", service.UNIT)
    bochs("again")
    sees(come("rsaAes", password=ticket("again")), 1)
    with open(path, "rb") as file:
        expect(file.read() == key, "another key after a restart")


@check
def a_reload_brings_another_certificate():
    Service(listen="*:%d" % GATE[1], **as_files("first"))
    _, vmm = bochs("door")
    before = come("x509Vnc", "first", password=ticket("door")[:8])
    sees(before, 1)
    refused("by a certificate that is not there yet", "x509Vnc", "second", password=ticket("door"))
    as_files("second")
    command("systemctl", "reload", service.UNIT)

    def renewed():
        try:
            return come("x509Vnc", "second", password=ticket("door"))
        except rfb.Refused:
            return None

    sees(until(renewed, PATIENCE, "the second certificate"), 1)
    refused("by the first certificate", "x509Vnc", "first", password=ticket("door"))
    vmm("paint noise 2")
    vmm("signal")
    sees(before, 2)


@check
def systemd_opens_the_gate():
    """Its socket is there before the service is."""
    Service(**as_files("first"))
    Socket()
    command("systemctl", "start", service.UNIT)
    bochs("door")
    sees(come("x509Plain", "first", user="anybody", password=ticket("door")), 1)


@check
def users_log_in_by_a_file():
    path = "/etc/vfio-displayd/users"
    with open(path, "w") as file:
        file.write("alice:%s\nbob:%s:view:other\n" % (hashed(PASSWORD), hashed(PASSWORD)))
    Service(listen="*:%d" % GATE[1], passwords=for_service(path, "users"), **as_files("first"))
    bochs("door")
    alice = {"user": "alice", "password": PASSWORD, "server_name": "door"}
    sees(come("x509Plain", "first", **alice), 1)
    refused("by a wrong password", "x509Plain", "first", **dict(alice, password="wrong"))
    refused("on another's display", "x509Plain", "first", **dict(alice, user="bob"))
    refused("without a display", "x509Plain", "first", **dict(alice, server_name=None))


@check
def users_log_in_by_pam():
    """pam_unix, where the service may read the shadow file."""
    if "dora" not in [user.pw_name for user in pwd.getpwall()]:
        command("useradd", "-M", "-p", hashed(PASSWORD), "dora")
    with open("/etc/pam.d/" + PAM_SERVICE, "w") as file:
        file.write("auth required pam_unix.so\naccount required pam_unix.so\n")
    Service("SupplementaryGroups=shadow", listen="*:%d" % GATE[1], pam_service=PAM_SERVICE, **as_files("first"))
    bochs("door")
    dora = {"user": "dora", "password": PASSWORD, "server_name": "door"}
    sees(come("x509Plain", "first", **dora), 1)
    refused("by a wrong password", "x509Plain", "first", **dict(dora, password="wrong"))


@check
def viewers_of_a_killed_vmm_see_the_next_one():
    """The device is let go as ever; the connection that looked at it goes on."""
    Service(linger_seconds=60)
    mdev, vmm = bochs("comes-back")
    viewer = look("comes-back")
    see(viewer, 640, 480, picture("noise", 1, 640, 480), "the picture")
    expect(service.device_fds(service.main_pid()), "the daemon holds no device, so this check sees nothing")
    vmm.kill()
    until(lambda: not service.device_fds(service.main_pid()), PATIENCE, "the device's release")
    note = remove_in_time(mdev)
    noise = picture("noise", 1, 640, 480)
    expect(viewer.watch(lambda: not viewer.shows(640, 480, noise), PATIENCE), "no words in the place of the picture")
    bochs("comes-back", seed=2)
    see(viewer, 640, 480, picture("noise", 2, 640, 480), "the next guest")
    return note


@check
def the_service_is_as_it_was():
    start()
    expect(service.call("org.varlink.service.GetInfo")["product"] == "vfio-displayd", "another product")
