# SPDX-License-Identifier: BSD-2-Clause
"""A real browser: Chromium, driven over the WebDriver protocol.

Owns: chromedriver, its session, the profile's folder.  The standard library
only (W3C WebDriver, sections 8 to 18).
"""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import bed

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--ignore-certificate-errors", "--window-size=900,640")


def missing():
    """What is not installed, or None."""
    for name in ("chromium", "chromedriver"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    return None


class Browser:
    """One session; a context."""

    def __init__(self, *flags):
        self.folder = tempfile.mkdtemp(prefix="chromium-")
        self._session = None
        try:
            self._begin(flags, self._start())
        except BaseException:
            self.close()
            raise

    def _start(self):
        """The driver; its port.  It ends where the port that it has taken on
        IPv4 is somebody's on IPv6."""
        for _ in range(5):
            self._launch()
            for line in self._driver.stdout:
                found = re.search(r"successfully on port (\d+)", line)
                if found:
                    return int(found[1])
            self._driver.stdout.close()
            self._driver.wait()
        raise RuntimeError("chromedriver ends at once")

    def _launch(self):
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={"PATH": os.environ["PATH"], "HOME": self.folder,
                 "TMPDIR": self.folder, "LANG": "C.UTF-8"},
            start_new_session=True)

    def _begin(self, flags, port):
        self._http = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=bed.DEADLINE_S)
        self._session = self._call("POST", "/session", {
            "capabilities": {"alwaysMatch": {
                "acceptInsecureCerts": True,
                "goog:chromeOptions": {
                    "binary": shutil.which("chromium"),
                    "args": [*FLAGS, *flags,
                             f"--user-data-dir={self.folder}/profile"]},
            }}})["sessionId"]

    def _call(self, method, path, body=None):
        self._http.request(
            method, path, None if method == "GET" else
            json.dumps(body or {}), {"Content-Type": "application/json"})
        answer = json.loads(self._http.getresponse().read())["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['message']}")
        return answer

    def _do(self, method, what, body=None):
        return self._call(method, f"/session/{self._session}/{what}", body)

    def go(self, url):
        """Open a page and wait until it is there."""
        self._do("POST", "url", {"url": url})

    def find(self, css):
        """The first element that a selector matches."""
        return self._do("POST", "element", {
            "using": "css selector", "value": css})[ELEMENT]

    def type(self, css, text):
        """Write into a field in place of what is there."""
        element = self.find(css)
        self._do("POST", f"element/{element}/clear")
        self._do("POST", f"element/{element}/value", {"text": text})

    def click(self, css):
        """Click, and wait for the page that comes."""
        self._do("POST", f"element/{self.find(css)}/click")

    def text(self, css="body"):
        """What is to be seen of an element."""
        return self._do("GET", f"element/{self.find(css)}/text")

    def wait_title(self, title):
        """Until the page has a title that begins so."""
        return bed.wait_for(lambda: self.title().startswith(title),
                            what=f"the page {title!r}")

    def title(self):
        """The title of the page."""
        return self._do("GET", "title")

    def url(self):
        """The address of the page."""
        return self._do("GET", "url")

    def style(self, css, name):
        """A computed style of an element."""
        return self._do("GET", f"element/{self.find(css)}/css/{name}")

    def screenshot(self, path):
        """Keep what is to be seen as PNG."""
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._do("GET", "screenshot")))

    def close(self):
        """End the browser and its driver; nothing stays."""
        if self._session is not None:
            try:
                self._call("DELETE", f"/session/{self._session}")
            except (OSError, RuntimeError, http.client.HTTPException):
                pass    # ended with its group below
        try:
            os.killpg(self._driver.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._driver.wait()
        self._driver.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()
