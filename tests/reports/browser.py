"""A real headless Chromium, without a network, driven over its debugging pipe."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import selectors
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
    "--remote-debugging-pipe",
)
LIMIT_SECONDS = 60.0


def require_chromium() -> str:
    """Return the browser; without one, fail where CI runs and skip elsewhere."""
    if CHROMIUM is not None:
        return CHROMIUM
    reason = "no chromium on PATH: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _high_pipe() -> tuple[int, int]:
    """Return a pipe whose descriptors are neither 3 nor 4."""
    low = os.pipe()
    ends = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
    for end in low:
        os.close(end)
    return ends[0], ends[1]


class Browser:
    """One page of one browser; keeps what the page logs, throws, asks the network for and gets through a web socket."""

    def __init__(self, profile: Path) -> None:
        to_child, self._out = _high_pipe()
        self._in, from_child = _high_pipe()
        # The browser reads commands from its descriptor 3 and answers on 4.
        shell = ["bash", "-c", f'exec "$@" 3<&{to_child} 4>&{from_child}', "bash"]
        self._process = subprocess.Popen(
            [*shell, require_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.console: list[str] = []
        self.requests: list[str] = []
        self.received = b""
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and return its result."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        rest = memoryview(json.dumps(message).encode() + b"\0")
        while rest:
            rest = rest[os.write(self._out, rest) :]
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _receive(self, deadline: float) -> dict[str, Any]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._in, selectors.EVENT_READ)
            while b"\0" not in self._buffer:
                assert selector.select(max(0.0, deadline - time.monotonic())), "the browser does not answer"
                chunk = os.read(self._in, 1 << 16)
                assert chunk, "the browser has ended"
                self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            values = [str(a.get("value", a.get("description"))) for a in parameters["args"]]
            self.console.append(" ".join([parameters["type"], *values]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(json.dumps(parameters["exceptionDetails"])[:500])
        elif method == "Log.entryAdded":
            self.console.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Network.webSocketFrameReceived":
            frame = parameters["response"]
            is_text = frame["opcode"] == 1
            self.received += frame["payloadData"].encode() if is_text else base64.b64decode(frame["payloadData"])
        elif method == "Page.loadEventFired":
            self._loaded = True

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the page in pixels and the colour scheme that its reader prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path: Path, *, scripts: bool = True) -> None:
        """Load a file and wait until it has loaded."""
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.console.clear()
        self.requests.clear()
        self._loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        deadline = time.monotonic() + LIMIT_SECONDS
        while not self._loaded:
            self._receive(deadline)

    def run(self, expression: str) -> Any:
        """Return the value of JavaScript, awaited."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until_received(self, words: bytes) -> None:
        """Wait until words have come through a web socket, and forget what came."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while words not in self.received:
            self._receive(deadline)
        self.received = b""

    def wait_for(self, condition: str) -> None:
        """Wait, a frame at a time, until JavaScript says that something holds."""
        waiting = (
            "new Promise((good, bad) => { const end = performance.now() + 30000; const look = () => "
            f"({condition}) ? good(true) : performance.now() > end ? good(false) : setTimeout(look, 20); look(); }})"
        )
        assert self.run(waiting), f"never came true: {condition}"

    def wake_charts(self) -> int:
        """Scroll through the whole page until every chart is alive and return their number."""
        self.run("document.querySelectorAll('.chart').forEach(c => c.scrollIntoView())")
        count: int = self.run("document.querySelectorAll('.chart').length")
        for k in range(count):
            self.run(f"document.querySelectorAll('.chart')[{k}].scrollIntoView()")
            self.wait_for(f"document.querySelectorAll('.chart')[{k}].classList.contains('alive')")
        self.wait_for(f"Object.keys(dtuiReport.views).length === {count}")
        self.run("window.scrollTo(0, 0)")
        return count

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move the pointer ("move") or click ("click") at a place of the window."""
        where = {"x": x, "y": y, "button": "left" if kind == "click" else "none"}
        if kind == "click":
            self.call("Input.dispatchMouseEvent", type="mouseMoved", **(where | {"button": "none"}))
            self.call("Input.dispatchMouseEvent", type="mousePressed", clickCount=1, **where)
            self.call("Input.dispatchMouseEvent", type="mouseReleased", clickCount=1, **where)
        else:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", **where)

    def picture(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self, path: Path) -> None:
        """Write what the page looks like in print."""
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))
