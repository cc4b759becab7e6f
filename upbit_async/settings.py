"""What the environment says where the user did not."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from upbit_async.credentials import Credentials
from upbit_async.errors import ConfigurationError
from upbit_async.region import Region

__all__ = ["base_url_for", "credentials_for", "host_of", "own_credentials_for", "region_of"]

_URL_NAMES = ("UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL")


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
    """Read a region's own names only: ``UPBIT_SG_ACCESS_KEY`` and ``UPBIT_SG_SECRET_KEY``."""
    return _pair(f"UPBIT_{region.upper()}")


def credentials_for(region: Region) -> Credentials | None:
    """Read the region's own names, then those without a region, then those of Upbit's own tools.

    Raises:
        ConfigurationError: One half of a pair is set and the other is not.
    """
    return own_credentials_for(region) or _pair("UPBIT") or _pair("UPBIT_OPEN_API")


def base_url_for(region: Region, given: str | None) -> str:
    """Return the base URL without a trailing slash: as given, from the environment, or the region's own.

    Raises:
        ConfigurationError: It is neither https nor on this machine, or holds more than scheme, host, port and path.
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
    if parts.username is not None or parts.query or parts.fragment or not url.isascii() or " " in url:
        raise ConfigurationError("a base URL holds scheme, host, port and path, and nothing else")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        where = f"{parts.scheme}://{host}" if host else repr(url[:100])
        raise ConfigurationError(
            f"the base URL must be https (or http on this machine), or keys would travel in the open: {where}"
        )
    if port == 0:
        raise ConfigurationError("the base URL's port must not be 0")
    return url.rstrip("/")


def host_of(base_url: str) -> str:
    """Return a base URL's host, with its port if it has one."""
    return urlsplit(base_url).netloc.lower()


def _pair(prefix: str) -> Credentials | None:
    names = (f"{prefix}_ACCESS_KEY", f"{prefix}_SECRET_KEY")
    access_key, secret_key = (os.environ.get(name, "").strip() for name in names)
    if not access_key and not secret_key:
        return None
    if not access_key or not secret_key:
        missing = names[0] if not access_key else names[1]
        raise ConfigurationError(
            f"{missing} is not set, though the other half of the pair is: set both or neither"
        )
    return Credentials(access_key, secret_key)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
