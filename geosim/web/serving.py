"""Run the application by uvicorn."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from geosim.errors import MissingDependencyError, OptionError

try:
    import uvicorn

    from geosim.web.app import create_app
except ImportError as error:
    message = (
        f"the web page needs libraries that cannot be imported ({error}); "
        "install them with: pip install 'geosim[web]'"
    )
    raise MissingDependencyError(message) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from geosim.web.limits import WebLimits


_BACKLOG = 2048
"""Connections that wait to be taken in."""


def serve(
    host: str, port: int, limits: WebLimits, *, ready: Callable[[str], None]
) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        host: an address or a name of this machine.
        port: 0: any that is free.
        limits: of uploads.
        ready: called with the page's address.

    Raises:
        OptionError: host and port cannot be used.
    """
    listening = _listening(host, port)
    real = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    app = create_app(limits, _names(host))
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=3,
        limit_concurrency=400,
    )
    server = uvicorn.Server(config)
    ready(f"http://{shown}:{real}/")
    with listening:
        server.run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return _bound(family, address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OptionError(
            f"{host} port {port} cannot be used ({reason}); give another --port or "
            "--host"
        ) from error


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(_BACKLOG)  # who reads the address can connect at once
    except BaseException:
        made.close()
        raise
    return made


def _names(host: str) -> frozenset[str]:
    """Names by which a server may be called; empty where it listens to the network."""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    return frozenset({"localhost", "127.0.0.1", "::1", host}) if local else frozenset()
