# SPDX-License-Identifier: GPL-2.0-or-later
"""Chromium without a screen, driven through its debugging pipe (descriptors 3 and 4, JSON messages that end with a NUL), on a page with
noVNC in it. What noVNC's canvas holds is read pixel by pixel.
"""
import base64
import contextlib
import functools
import http.server
import json
import os
import pathlib
import select
import subprocess
import threading
import time

import pictures

PATIENCE = 60
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
            "--disable-dev-shm-usage", "--remote-debugging-pipe",
            "--ignore-certificate-errors", "--window-size=1000,800", "--hide-scrollbars"]
# Its canvas as R G B bytes in base64, or why there is none.
CANVAS = """(() => {
    const canvas = document.querySelector('canvas');
    if (!canvas || !canvas.width) return 'no canvas';
    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    let text = '';
    for (let i = 0; i < data.length; i += 4) text += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
    return canvas.width + ' ' + canvas.height + ' ' + btoa(text);
})()"""

PLACE = """(() => {
    const place = document.querySelector('canvas').getBoundingClientRect();
    return JSON.stringify([place.x, place.y]);
})()"""


def ended(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Browser:
    def __init__(self, where):
        commands, self.write = os.pipe()
        self.read, answers = os.pipe()
        self.buffer, self.number, self.session = b"", 0, None
        with open(f"{where}/chromium", "wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "-", *CHROMIUM, f"--user-data-dir={where}/profile",
                 "about:blank"],
                pass_fds=(commands, answers), stdout=log, stderr=log, env=dict(os.environ, HOME=where))
        os.close(commands)
        os.close(answers)

    def close(self):
        ended(self.process)
        os.close(self.write)
        os.close(self.read)

    def message(self, deadline):
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError("Chromium does not answer")
            data = os.read(self.read, 1 << 20)
            if not data:
                raise AssertionError("Chromium has ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        text = json.dumps(command).encode() + b"\0"
        while text:
            text = text[os.write(self.write, text):]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.message(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, address):
        target = self.call("Target.createTarget", url=address)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def title(self):
        return self.call("Runtime.evaluate", expression="document.title")["result"].get("value", "")

    def close_page(self):
        session, self.session = self.session, None
        self.call("Target.detachFromTarget", sessionId=session)

    def screenshot(self, where, width, height):
        """What is on the screen, as load() of pictures has it."""
        x, y = json.loads(self.call("Runtime.evaluate", expression=PLACE)["result"]["value"])
        data = self.call("Page.captureScreenshot", format="png", clip={"x": x, "y": y, "width": width, "height": height, "scale": 1})
        path = pathlib.Path(where, "screen.png")
        path.write_bytes(base64.b64decode(data["data"]))
        if os.environ.get("KEEP_PICTURES"):
            pathlib.Path(os.environ["KEEP_PICTURES"], f"novnc-{time.monotonic_ns()}.png").write_bytes(path.read_bytes())
        return pictures.load(path)

    def canvas(self):
        """(width, height, R G B bytes), or None."""
        value = self.call("Runtime.evaluate", expression=CANVAS)["result"].get("value", "")
        parts = value.split()
        if len(parts) != 3 or not parts[0].isdigit():
            return None
        return int(parts[0]), int(parts[1]), base64.b64decode(parts[2])


class Files(http.server.SimpleHTTPRequestHandler):
    """A folder's, and one page beside them."""

    def __init__(self, *arguments, page, **more):
        self.page = page
        super().__init__(*arguments, **more)

    def do_GET(self):
        if not self.path.startswith("/page.html"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def pages(folder, page):
    """noVNC's files, and /page.html, on a port of their own; yields it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=folder, page=page))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
