"""Headless Chromium, driven over the WebDriver protocol (W3C WebDriver 2) by plain HTTP."""

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.npm import Missing

SCRIPT_TIMEOUT = 20.0
_ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class ScriptError(AssertionError):
    """A script in the page threw, or did not end in time."""


class Browser:
    """One tab of a Chromium with a profile of its own."""

    def __init__(self, driver: str, chromium: str, profile: Path) -> None:
        arguments = [*_ARGUMENTS, f"--user-data-dir={profile}"]
        wanted: dict[str, object] = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": int(SCRIPT_TIMEOUT * 1000), "pageLoad": int(SCRIPT_TIMEOUT * 1000)},
        }
        answer = _call("POST", f"{driver}/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"{driver}/session/{answer['sessionId']}"

    def open(self, url: str) -> None:
        """Go to `url`, leaving the page that is shown, and wait until it has loaded."""
        _call("POST", f"{self._session}/url", {"url": url})

    def run(self, body: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever JSON the script returns
        """The result of `body`, the body of an async function that sees `arguments` as `args`.

        Raises:
            ScriptError: it threw, or took longer than SCRIPT_TIMEOUT.
        """
        script = (
            "const args = arguments, done = args[args.length - 1];"
            "(async () => {" + body + "})().then("
            "value => done({value: value === undefined ? null : value}),"
            "error => done({error: String(error && error.stack || error)}));"
        )
        result = _call("POST", f"{self._session}/execute/async", {"script": script, "args": list(arguments)})
        if "error" in result:
            raise ScriptError(f"{result['error']}\n{self.console()}")
        return result["value"]

    def wait(self, expression: str, timeout: float = 10.0) -> Any:  # noqa: ANN401 - whatever JSON the script returns
        """The value of a JavaScript `expression` once it is truthy.

        Raises:
            ScriptError: it was not within `timeout` seconds.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if value := self.run(f"return {expression};"):
                return value
            time.sleep(0.05)
        raise ScriptError(f"{expression} was not true within {timeout} s\n{self.console()}")

    def console(self) -> str:
        """What the page's console said since this was last asked, with the network errors that scripts cannot see."""
        found = _call("POST", f"{self._session}/se/log", {"type": "browser"})
        return "\n".join(entry["message"] for entry in found)

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """Show the page in a viewport of this size, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        body = {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics}
        _call("POST", f"{self._session}/goog/cdp/execute", body)

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of the viewport, or of the `whole` page."""
        body = {"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": whole}}
        found = _call("POST", f"{self._session}/goog/cdp/execute", body)
        return base64.b64decode(found["data"])

    def keys(self, text: str) -> None:
        """Type on the keyboard, wherever the focus is."""
        strokes = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}
        _call("POST", f"{self._session}/actions", body)

    def close(self) -> None:
        _call("DELETE", self._session)


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A running Chromium with its profile in `folder`.

    Raises:
        Missing: Chromium or its driver is not installed.
    """
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise Missing("chromium and chromedriver are not installed")
    with (
        (folder / "chromedriver.log").open("w") as log,
        subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if match := re.search(r"successfully on port (\d+)", line):
                    break
            else:
                raise AssertionError(f"chromedriver did not start\n{(folder / 'chromedriver.log').read_text()}")
            tab = Browser(f"http://127.0.0.1:{match[1]}", chromium, folder / "profile")
            try:
                yield tab
            finally:
                tab.close()
        finally:
            process.terminate()


def _call(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON the driver answers
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SCRIPT_TIMEOUT + 20) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise ScriptError(json.load(error)["value"]["message"]) from None
