"""What the environment says where the user did not."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Final
from urllib.parse import urlsplit

from upbit_async.credentials import Credentials
from upbit_async.errors import ConfigurationError
from upbit_async.region import Region

__all__ = ["base_url_for", "credentials_for", "host_of", "own_credentials_for", "region_of"]

_URL_NAMES: Final = ("UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL")
_PORTS: Final = {"https": 443, "http": 80}
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def region_of(value: Region | str) -> Region:
    """Return the region that a user names.

    Raises:
        ValueError: There is no such region.
    """
    try:
        return Region(value.lower() if isinstance(value, str) else value)
    except ValueError:
        raise ValueError(f"region must be one of {', '.join(Region)}, not {value!r}") from None


def own_credentials_for(region: Region) -> Credentials | None:
    """Read a region's own names only: ``UPBIT_SG_ACCESS_KEY`` and ``UPBIT_SG_SECRET_KEY``.

    Raises:
        ConfigurationError: One half of the pair is set and the other is not, or one can't be a key.
    """
    return _pair(f"UPBIT_{region.upper()}")


def credentials_for(region: Region) -> Credentials | None:
    """Read the region's own names, then those without a region, then those of Upbit's own tools.

    Raises:
        ConfigurationError: One half of a pair is set and the other is not, or one can't be a key.
    """
    return own_credentials_for(region) or _pair("UPBIT") or _pair("UPBIT_OPEN_API")


def base_url_for(region: Region, given: str | None) -> str:
    """Return the base URL: as given, from the environment, or the region's own.

    It is written in one way only (lower case, without a trailing slash or the scheme's own port), since
    clients that talk to one host find each other's limiter by it.

    Raises:
        ConfigurationError: It is neither https nor on this machine, or holds more than scheme, host, port
            and path.
    """
    url = given
    if url is None:
        url = next((os.environ[name] for name in _URL_NAMES if os.environ.get(name)), region.base_url)
    if not isinstance(url, str):
        raise TypeError(f"base_url is text, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(
            "the base URL can't be read; it looks like https://sg-api.upbit.com"
        ) from None
    if parts.username is not None or set(" ?#\\") & set(url) or not url.isascii() or not url.isprintable():
        raise ConfigurationError("a base URL holds scheme, host, port and path, and nothing else")
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
        raise ConfigurationError("the base URL names no place; it looks like https://sg-api.upbit.com")
    if parts.scheme != "https" and not _is_loopback(host):
        raise ConfigurationError(
            f"the base URL must be https (or http on this machine), or keys would travel in the open: {host}"
        )
    place = f"[{host}]" if ":" in host else host
    if port not in {None, _PORTS[parts.scheme]}:
        place = f"{place}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


def host_of(base_url: str) -> str:
    """Return a base URL's host, with its port if it has one."""
    return urlsplit(base_url).netloc.lower()


def _pair(prefix: str) -> Credentials | None:
    names = (f"{prefix}_ACCESS_KEY", f"{prefix}_SECRET_KEY")
    missing = [name for name in names if not _from_environment(name)]
    if len(missing) == len(names):
        return None
    if missing:
        raise ConfigurationError(
            f"{missing[0]} is not set, though the other half of the pair is: set both or neither"
        )
    try:
        return Credentials(*map(_from_environment, names))
    except ValueError as problem:
        raise ConfigurationError(f"{names[0]} and {names[1]}: {problem}") from None


def _from_environment(name: str) -> str:
    return os.environ.get(name, "").strip()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
