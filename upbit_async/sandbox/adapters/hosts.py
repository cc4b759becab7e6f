"""Addresses on which a sandbox may listen, and hosts for which it answers.

A sandbox moves no money, but programs that do may have its keys in their environment. It listens on loopback only and
refuses requests with another ``Host``. Otherwise a web page whose domain resolves to 127.0.0.1 (DNS rebinding) could
call it through a browser.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

__all__ = ["base_url", "is_local", "is_local_header"]

_HOST: Final = re.compile(r"(?:\[(?P<literal>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")


def is_local(host: str) -> bool:
    """Return whether a host is loopback: ``localhost``, 127.0.0.0/8 or ::1."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_local_header(value: str) -> bool:
    """Return whether a ``Host`` header names loopback, on any port."""
    found = _HOST.fullmatch(value.strip())
    return found is not None and is_local(found["literal"] or found["name"] or "")


def base_url(host: str, port: int) -> str:
    """Return the URL of a server on this address for clients on the same machine."""
    address = ip_address(host)
    if address.is_unspecified:
        host = "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IPv4
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
