#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The registrar with an etcd that lies, a Redis that listens and a systemd that does not: it ends no turn never, says nothing in others' words,
and mixes no tokens up."""
import base64
import http.server
import json
import os
import pathlib
import socketserver
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "proto"))
import daemon
import surface
import systemd

PROGRAM = daemon.BUILD / "vfio-displayd-registrar"


class Etcd(http.server.ThreadingHTTPServer):
    """Answers well but for `token`, and for keys without end where `endless`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.token, self.endless, self.ranges, self.heads = "good.1", False, 0, []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heads.append(dict(self.headers))
        answer = {"header": {}}
        if self.path.endswith("authenticate"):
            answer["token"] = self.server.token
        elif self.path.endswith("grant"):
            answer |= {"ID": "7", "TTL": "15"}
        elif self.path.endswith("keepalive"):
            answer["result"] = {"ID": "7", "TTL": "15"}
        elif self.path.endswith("range"):
            self.server.ranges += 1
            if self.server.endless:
                key = base64.b64encode(b"/vfio-displayd/displays/host1/same").decode()
                answer |= {"kvs": [{"key": key, "value": "", "lease": "7"}], "more": True}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Redis(socketserver.ThreadingTCPServer):
    """Keeps what SET sets, until a script deletes it."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Commands)
        self.kept = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Commands(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].decode())
            if words[0] == "SET":
                self.server.kept[words[1]] = words[2]
            elif words[0] == "EVAL" and "del" in words[1]:
                self.server.kept.pop(words[3], None)
            self.wfile.write(b"+OK\r\n")


@unittest.skipUnless(PROGRAM.exists(), "the registrar is not built")
class HostileStores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = daemon.Daemon()
        cls.addClassCleanup(cls.daemon.stop)
        (cls.daemon.dir / "password").write_text("s3cret\n")

    def setUp(self):
        self.etcd = Etcd()
        self.addCleanup(self.etcd.server_close)
        self.addCleanup(self.etcd.shutdown)

    def start(self, *more, **environment):
        with open(self.daemon.dir / "registrar", "wb") as log:
            program = subprocess.Popen(
                [PROGRAM, "--config", "/dev/null", "--socket", self.daemon.control, "--host", "host1",
                 "--etcd", f"http://127.0.0.1:{self.etcd.server_port}", *more],
                stdout=log, stderr=log, env=os.environ | environment)
        self.addCleanup(program.wait, 15 * daemon.SLOW)
        self.addCleanup(program.terminate)

    def text(self):
        return (self.daemon.dir / "registrar").read_text(errors="replace")

    def test_keys_without_end(self):
        self.etcd.endless = True
        self.start()
        self.daemon.until(lambda: "no end" in self.text(), "the registrar says so")
        self.etcd.endless = False
        self.daemon.until(lambda: "etcd answers again" in self.text(), "it goes on")

    def test_a_systemd_that_reads_nothing(self):
        """Its queue is full: etcd has what it should all the same, and what is still true is said later."""
        told = systemd.Busy(self.daemon.dir / "notify")
        self.addCleanup(told.close)
        self.start(NOTIFY_SOCKET=told.address, WATCHDOG_USEC="300000")
        self.daemon.until(lambda: self.etcd.ranges, "etcd is looked up")
        heard = told.hear("READY=1", "STATUS=0 displays", "WATCHDOG=1")
        self.assertEqual(heard.count("READY=1"), 1)
        self.assertLess(heard.index("READY=1"), heard.index("STATUS=0 displays"))

    def test_a_token_with_lines_of_its_own(self):
        self.etcd.token = "a\r\nX-Of-Another: 1"
        self.start("--user", "someone", "--password-file", self.daemon.dir / "password")
        self.daemon.until(lambda: "its token is none" in self.text(), "the registrar says so")
        self.etcd.token = "good.2"
        self.daemon.until(lambda: any(each.get("Authorization") == "good.2" for each in list(self.etcd.heads)), "a good token is used")
        self.assertFalse([each for each in self.etcd.heads if "X-Of-Another" in each])
        self.assertNotIn("s3cret", self.text())

    def test_a_token_that_two_displays_have(self):
        redis = Redis()
        self.addCleanup(redis.server_close)
        self.addCleanup(redis.shutdown)
        screens = [surface.Surface(64, 48) for _ in range(2)]
        for each in screens:
            self.addCleanup(each.close)

        def show(name, screen, token):
            held = self.daemon.register(screen, name, event=False, context={"labels": {"token": token}},
                                        listen=[{"mode": "view", "address": f"127.0.0.1:{daemon.free_port()}"}])
            self.addCleanup(os.close, held)

        show("victim", screens[0], "secret")
        self.start("--redis", f"127.0.0.1:{redis.server_address[1]}", "--redis-token", "token", "--redis-loopback", "yes")
        self.daemon.until(lambda: "secret" in redis.kept, "the token is mirrored")
        right = redis.kept["secret"]
        show("thief", screens[1], "secret")
        self.daemon.until(lambda: "secret" not in redis.kept, "it is mirrored for neither")
        client = self.daemon.connect()
        client.call("Update", {"id": "thief", "context": {"labels": {"token": "other"}}})
        self.daemon.until(lambda: redis.kept.get("secret") == right, "it is the first one's again")
        client.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
