"""This process's sockets as the operating system reports them."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["is_open", "linger_of", "open_to", "user_timeout_of"]


@contextlib.contextmanager
def _socket_at(address: tuple[str, int]) -> Generator[socket.socket | None, None, None]:
    """Give another descriptor of the socket that is bound to an address, if this process has one."""
    for descriptor in _descriptors():
        with contextlib.suppress(OSError):
            sock = socket.socket(fileno=os.dup(descriptor))
            try:
                found = sock.getsockname() == tuple(address)
            except OSError:
                found = False
            if found:
                with sock:
                    yield sock
                return
            sock.close()
    yield None


def _descriptors() -> Iterator[int]:
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(entry.readlink()).startswith("socket:"):
                yield int(entry.name)


def is_open(address: tuple[str, int]) -> bool:
    """Whether this process has an open socket that is bound to an address."""
    with _socket_at(address) as sock:
        return sock is not None


def linger_of(address: tuple[str, int]) -> tuple[int, int]:
    """Return what closing the socket at an address does: on or off, and seconds."""
    with _socket_at(address) as sock:
        assert sock is not None
        on, seconds = struct.unpack("ii", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        return on, seconds


def user_timeout_of(address: tuple[str, int]) -> int:
    """Return after how many unacknowledged milliseconds the socket at an address is dropped; 0 is the default."""
    with _socket_at(address) as sock:
        assert sock is not None
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def open_to(port: int) -> int:
    """Return how many sockets of this process are connected to a port of this machine."""
    count = 0
    for descriptor in _descriptors():
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as sock:
            count += sock.family == socket.AF_INET and sock.getpeername()[1] == port
    return count
