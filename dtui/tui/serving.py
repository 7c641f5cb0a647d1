"""Serves the TUI to browsers, each page a program of its own: textual-serve's server behind a secret.

Its page differs in five ways: the terminal has the keyboard at once, its ground goes to the edges, nothing is fetched
from elsewhere, the address may be any that leads here (a tunnel's), and whoever lacks the secret, or comes from a page
of another site, gets nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import html
import logging
import re
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

from dtui.tui.terminal.themes import theme_for

LOCAL = ("localhost", "127.0.0.1", "::1")
_PLACE = "dtui.invalid"
"""Stands in the page for the address that the browser asked."""

_REMOTE_FONT = re.compile(r"<link[^>]*//fonts\.googleapis[^>]*>")
_HEAD = """<title>{title}</title><link rel="icon" href="data:,">
<style>
  body {{ margin: 0; overflow: hidden }}
  body, .shade, .xterm .xterm-viewport {{ background: {ground} !important }}
  .xterm .xterm-viewport {{ overflow: hidden !important }}  /* a bar to scroll by stands where no whole column fits */
</style>
<script>
  function type() {{
    if (document.body.classList.contains("-loaded")) document.querySelector(".xterm-helper-textarea").focus();
    else setTimeout(type, 20);
  }}
  const openWindow = window.open.bind(window);
  window.open = (url, where) => {{  // a window that opens long after the key counts as a pop-up, and is blocked
    if (!String(url).startsWith(`${{location.origin}}/download/`)) return openWindow(url, where);
    Object.assign(document.createElement("a"), {{href: url, download: ""}}).click();
  }};
  addEventListener("load", type);
  addEventListener("focus", type);
</script>
</head>"""
_REFUSED = "dtui: open the address that dtui serve printed; it ends in ?token=…\n"


class PageServer(Server):
    """Serves a command to whoever knows the secret."""

    def __init__(
        self, command: str, title: str, ground: str, host: str, port: int, tell: Callable[[str], None]
    ) -> None:
        """Prepare to listen.

        Args:
            command: What a page starts: a command line of a shell.
            title: Of the page; it may come from outside.
            ground: Colour of the page where the terminal does not reach, as CSS writes it.
            host: The name or address to listen at.
            port: The port to listen at.
            tell: Called with the address to open, once it can be opened.
        """
        super().__init__(command, host=host, port=port, title=title, public_url=f"http://{_PLACE}")
        self._ground = ground
        self._tell, self._token, self._cookie = tell, secrets.token_urlsafe(24), f"dtui-{secrets.token_hex(4)}"
        self._pages: set[asyncio.Task[Any]] = set()

    @property
    def address(self) -> str:
        """What to open, secret included; of a server that listens everywhere, as seen from its own machine."""
        host = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/?token={self._token}"

    def initialize_logging(self) -> None:
        """Log faults only: a line for each request would hold the secret."""
        logging.basicConfig(level=logging.WARNING, format="dtui: %(message)s")

    def serve(self, debug: bool = False) -> None:
        """Listen until a signal ends it, and tell once it does, which the library keeps to itself."""
        self.initialize_logging()
        loop = asyncio.new_event_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.request_exit)

        def say(_: str) -> None:
            self._tell(self.address)

        web.run_app(self._make_app(), host=self.host, port=self.port, handle_signals=False, loop=loop, print=say)

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing yet: nobody listens."""

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Start a program for a page, and carry between them until either ends."""
        task = asyncio.current_task()
        assert task is not None
        self._pages.add(task)
        try:
            return await super().handle_websocket(request)
        finally:
            self._pages.discard(task)

    async def on_shutdown(self, app: web.Application) -> None:
        """End the programs of all pages; otherwise the server would wait a minute for them."""
        for page in self._pages:
            page.cancel()
        await asyncio.gather(*self._pages, return_exceptions=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._admit)
        return app

    @property
    def _admit(self) -> Middleware:
        @web.middleware
        async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._is_from_here(request):
                raise web.HTTPForbidden(text=_REFUSED)
            if self._knows(request.query.get("token")) and request.path == "/":
                found = web.HTTPFound(request.rel_url.without_query_params("token"))
                found.set_cookie(self._cookie, self._token, httponly=True, samesite="Lax")
                raise found
            if not self._knows(request.cookies.get(self._cookie)):
                raise web.HTTPForbidden(text=_REFUSED)
            return await handler(request)

        return admit

    def _knows(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(token.encode(), self._token.encode())

    def _is_from_here(self, request: web.Request) -> bool:
        """Whether a page of ours asks, and by a name of ours: neither another site nor a name that leads it here."""
        name, origin = urlsplit(f"//{request.host}").hostname, request.headers.get("Origin")
        is_ours = name in LOCAL or self.host not in LOCAL
        return is_ours and (origin is None or urlsplit(origin).netloc == request.host)

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page."""
        made: web.Response = await super().handle_index(request)  # type: ignore[assignment]
        page = _REMOTE_FONT.sub("", made.text or "").replace(f"//{_PLACE}", f"//{html.escape(request.host)}")
        page = page.replace("</head>", _HEAD.format(title=html.escape(self.title), ground=self._ground), 1)
        policy = (
            f"default-src 'self' 'unsafe-inline' data:; connect-src 'self' ws://{request.host}; frame-ancestors 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
        return web.Response(text=page, content_type="text/html", headers=headers)


def serve(paths: Sequence[str], title: str, theme: str, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve runs in a theme, "dark" or "light", until a signal ends it; see `PageServer`.

    Raises:
        OSError: Nothing can listen there.
    """
    import shlex

    command = shlex.join([sys.executable, "-m", "dtui", "--theme", theme, *paths])
    ground = f"#{theme_for(theme).panel:06x}"
    PageServer(command, title, ground, host, port, tell).serve()
