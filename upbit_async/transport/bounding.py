"""Socket options that bound how long the kernel keeps an undelivered request.

Without them, a request that was written while the network was down stays in the kernel's send buffer. The kernel
repeats it for minutes, even after the connection was closed or the process was killed. So it can arrive long after the
client has reported its outcome as unknown.

A connection is *bounded* if the operating system drops what it has not delivered when it is closed, and after the read
timeout in any case. Everything named ``is_bounded`` means this. Two options do it:

* ``SO_LINGER`` (1, 0): closing the socket, by the client or by the end of the process, discards what was not
  acknowledged.
* ``TCP_USER_TIMEOUT``: the kernel drops the connection when bytes stay unacknowledged for this long, even while a
  stopped process, or a child that inherited the descriptor, keeps the socket open. macOS has
  ``TCP_RXT_CONNDROPTIME`` and Windows ``TCP_MAXRT`` instead, in whole seconds; both are untested.

See https://man7.org/linux/man-pages/man7/tcp.7.html and https://man7.org/linux/man-pages/man7/socket.7.html.
"""

from __future__ import annotations

import functools
import math
import socket
import struct
import sys
from typing import Any, Final

__all__ = ["bound", "clear_linger", "is_supported", "unbound"]

_LINGER_FORMAT: Final = "hh" if sys.platform == "win32" else "ii"
_ABORT: Final = struct.pack(_LINGER_FORMAT, 1, 0)
_NO_LINGER: Final = struct.pack(_LINGER_FORMAT, 0, 0)
_LARGEST: Final = 2**31 - 1


def _drop_option() -> tuple[int, int] | None:
    """Return the option that drops a silent connection and its units per second; None on other systems."""
    match sys.platform:
        case "linux":
            return socket.TCP_USER_TIMEOUT, 1000
        case "darwin":
            return 0x80, 1  # TCP_RXT_CONNDROPTIME; Python has no name for it
        case "win32":
            return 5, 1  # TCP_MAXRT, likewise
        case _:
            return None


def bound(sock: Any, seconds: float) -> bool:
    """Let the kernel drop what a connection has not delivered when it is closed, or after some time.

    Args:
        sock: Connected socket of asyncio, trio or the standard library.
        seconds: How long bytes may stay unacknowledged, in seconds.

    Returns:
        Whether both options are set.
    """
    option = _drop_option()
    if sock is None or option is None:
        return False
    number, units = option
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        sock.setsockopt(socket.IPPROTO_TCP, number, min(_LARGEST, max(1, math.ceil(seconds * units))))
    except Exception:  # noqa: BLE001 - a foreign socket may raise anything; then it is not bounded
        clear_linger(sock)
        return False
    return True


def clear_linger(sock: Any) -> None:
    """Restore the usual way of closing a connection."""
    _set_quietly(sock, socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


def unbound(sock: Any) -> None:
    """Reset both options, for a connection that carries other requests too."""
    clear_linger(sock)
    option = _drop_option()
    if option is not None:
        _set_quietly(sock, socket.IPPROTO_TCP, option[0], 0)


@functools.cache
def is_supported() -> bool:
    """Return whether this machine has both options."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return bound(probe, 1.0)


def _set_quietly(sock: Any, level: int, option: int, value: int | bytes) -> None:
    try:
        sock.setsockopt(level, option, value)
    except Exception:  # noqa: BLE001 - it may be closed by now, or have no such option
        return
