"""The TUI in a real browser: keys arrive without a click, an export is a download, and nobody else gets in."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.serving import PageServer
from tests.reports.browser import Browser
from tests.tui.conftest import SAMPLES

ENTER = {"key": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}


@contextmanager
def serving(run: Path) -> Iterator[tuple[int, str]]:
    """Serve a run; yield the port and the address that is printed."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "dtui", "serve", str(run), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://localhost:"), line + process.stdout.read()
        assert "Ctrl+C ends it" in process.stdout.readline()
        try:
            yield port, line.removeprefix("open ").strip()
        finally:
            process.terminate()
            rest = process.communicate(timeout=30)[0]
    assert rest == ""
    assert process.returncode == 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    run = tmp_path_factory.mktemp("served") / "mnist-faults.dtui"
    shutil.copytree(SAMPLES / "mnist-faults.dtui", run)
    with serving(run) as found:
        yield found


def press(browser: Browser, **key: object) -> None:
    browser.call("Input.dispatchKeyEvent", type="keyDown", **key)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **key)


def wait_for(browser: Browser, path: Path) -> None:
    """Let the page live until a file is there."""
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, list(path.parent.iterdir())
        browser.run("new Promise(good => setTimeout(good, 20))")


def status(port: int, path: str, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": f"localhost:{port}", **headers})
    found = connection.getresponse().status
    connection.close()
    return found


def test_keys_arrive_without_a_click_and_an_export_is_a_download(served, tmp_path: Path) -> None:
    _, address = served
    with Browser(tmp_path / "profile") as browser:
        place = str(tmp_path / "downloads")
        browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=place)
        browser.size(730, 460)
        browser.call("Page.navigate", url=address)
        browser.until_received(b"to review")
        press(browser, key="2", text="2")
        browser.until_received(b"cosine distance")
        assert "token" not in browser.run("location.href"), "who looks over a shoulder sees no secret"
        press(browser, key="E", text="E")
        browser.until_received(b"download")
        press(browser, **ENTER)
        browser.until_received(b"sent to the browser")
        assert [url for url in browser.requests if "//localhost:" not in url] == []
        wait_for(browser, tmp_path / "downloads" / "mnist-faults-layers-1360.svg")
        press(browser, key="q", text="q")
        browser.wait_for("document.body.classList.contains('-closed')")
        assert [line for line in browser.console if "exception" in line.lower()] == []


def test_the_page_has_the_terminals_ground_up_to_its_edges(served, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.size(733, 463)  # no whole number of cells
        browser.call("Page.navigate", url=served[1])
        browser.until_received(b"to review")
        for what in ("body", ".xterm-viewport"):
            style = f"getComputedStyle(document.querySelector('{what}'))"
            ground = tuple(f"{DARK.panel:06x}"[at : at + 2] for at in (0, 2, 4))
            assert browser.run(f"{style}.backgroundColor") == f"rgb({', '.join(str(int(one, 16)) for one in ground)})"
            assert browser.run(f"{style}.overflowY") == "hidden", "no bar to scroll by"


def test_the_address_is_told_once_it_can_be_opened() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    told = []

    def tell(address: str) -> None:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
        told.append(address)
        server.request_exit()

    server = PageServer("true", "run", "#000000", "127.0.0.1", port, tell)
    server.serve()
    assert told == [server.address]


def test_without_the_secret_or_from_another_site_nothing_is_served(served) -> None:
    port, address = served
    secret = address.partition("?")[2]
    assert [status(port, path) for path in ("/", "/ws", "/?token=wrong", "/static/js/textual.js")] == [403] * 4
    assert status(port, f"/?{secret}") == 302
    assert status(port, f"/?{secret}", Origin="http://elsewhere.example") == 403
    assert status(port, f"/?{secret}", Host=f"elsewhere.example:{port}") == 403, (
        "a name that leads here is no name of ours"
    )
    assert status(port, f"/?{secret}", Host="localhost:9000") == 302, "at the other end of a tunnel"
    assert status(port, f"/ws?{secret}") == 403, "the page alone takes it from the address"
