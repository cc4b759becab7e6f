"""Keys and base URLs from environment variables.

Nothing here fails open. A variable that is set but empty is an error and never means "the next one", or an
expansion that went wrong would sign with another account's key or call the real exchange. The keys of one
region go to no server that is named for all regions.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from upbit_async.credentials import Credentials
from upbit_async.errors import ConfigurationError, raise_alone
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "base_url_for",
    "credentials_for",
    "host_of",
    "keys_and_base_url",
    "own_credentials_for",
    "refuse_shared_server",
    "region_of",
    "shared_server",
]

_SHARED_KEYS: Final = ("UPBIT", "UPBIT_OPEN_API")
_SHARED_URLS: Final = ("UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL")
_HALVES: Final = ("ACCESS_KEY", "SECRET_KEY")
_REGIONS: Final = {region.value: region for region in Region}
_LONGEST_SHOWN: Final = 7
"""A text that is longer may be a key, and is not shown; it is in characters."""
_PORTS: Final = {"https": 443, "http": 80}
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def region_of(value: Region | str) -> Region:
    """Return the region that a user names.

    Raises:
        ValueError: There is no such region.
    """
    found = _REGIONS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        problem = f"region must be one of {', '.join(Region)}, not {_shown(value)}"
        del value  # it may be a key, and a traceback may be shown with the locals of its frames
        raise ValueError(problem)
    return found


def keys_and_base_url(
    region: Region, *, credentials: Credentials | None, base_url: str | None
) -> tuple[Credentials | None, str]:
    """Return a client's keys and base URL: as given, else from the environment.

    Raises:
        ConfigurationError: A variable is empty or can't be what it should be, half a pair is missing, or the
            region's own keys would go to a server that is named for all regions.
    """
    url = base_url_for(region, base_url)
    if credentials is not None:
        return credentials, url
    keys = credentials_for(region)
    if base_url is None and own_credentials_for(region) is not None:
        refuse_shared_server(region)
    return keys, url


def own_credentials_for(region: Region) -> Credentials | None:
    """Read a region's own variables only: ``UPBIT_SG_ACCESS_KEY`` and ``UPBIT_SG_SECRET_KEY``.

    Raises:
        ConfigurationError: A variable is empty, one half of the pair is missing, or one can't be a key.
    """
    prefix = _own(region)
    _refuse_empty(_pair_names(prefix))
    return _pair(prefix)


def credentials_for(region: Region) -> Credentials | None:
    """Read the region's own variables, then those without a region, then those of Upbit's own tools.

    Raises:
        ConfigurationError: One of these variables is empty; or the first pair that is set lacks a half, or has
            one that can't be a key.
    """
    prefixes = (_own(region), *_SHARED_KEYS)
    for prefix in prefixes:
        _refuse_empty(_pair_names(prefix))
    return next(filter(None, map(_pair, prefixes)), None)


def base_url_for(region: Region, given: str | None) -> str:
    """Return the base URL: as given, from the environment, or the region's own.

    The environment's are ``UPBIT_<REGION>_BASE_URL``, ``UPBIT_BASE_URL``, then ``UPBIT_OPEN_API_SERVER_URL``.
    It is written in one way only (lower case, without a trailing slash or the scheme's own port), since
    clients that talk to one host find each other's limiter by it.

    Raises:
        ConfigurationError: It is neither https nor on this machine, or holds more than scheme, host, port
            and path; or one of the variables is empty.
    """
    if given is not None:
        return _normal_url(given)
    name = _url_name(region)
    if name is None:
        return region.base_url
    try:
        return _normal_url(os.environ[name])
    except ConfigurationError as problem:
        raise ConfigurationError(f"{name}: {problem}") from None


def shared_server(region: Region) -> str | None:
    """Return the variable that names a server for all regions and would send this region's calls there.

    Returns:
        The variable's name; None if the region has a variable of its own, or the server is its own.

    Raises:
        ConfigurationError: A variable is empty, or its URL can't be one.
    """
    name = _url_name(region)
    if name in _SHARED_URLS and host_of(base_url_for(region, None)) != region.host:
        return name
    return None


def refuse_shared_server(region: Region) -> None:
    """Refuse to send the region's own keys to a server that is named for all regions.

    Raises:
        ConfigurationError: The environment names such a server; the text says what to set instead.
    """
    server = shared_server(region)
    if server is not None:
        access, secret = _pair_names(_own(region))
        raise ConfigurationError(
            f"{access} and {secret} are set, and {server} names a server that is not {region.host}: keys of one "
            f"region go to no server for all regions. If the server is meant, unset {access} and {secret}, or "
            f"set {_own(region)}_BASE_URL to it; if Upbit is meant, unset {server}"
        )


def host_of(base_url: str) -> str:
    """Return a base URL's host, with its port if it has one."""
    return urlsplit(base_url).netloc.lower()


def _normal_url(url: str) -> str:
    if not isinstance(url, str):
        raise TypeError(f"base_url is text, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise_alone(ConfigurationError("the base URL can't be read; it looks like https://sg-api.upbit.com"))
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


def _own(region: Region) -> str:
    return f"UPBIT_{region.upper()}"


def _pair_names(prefix: str) -> tuple[str, str]:
    access, secret = _HALVES
    return f"{prefix}_{access}", f"{prefix}_{secret}"


def _url_name(region: Region) -> str | None:
    """Return the first variable that names the region's server."""
    names = (f"{_own(region)}_BASE_URL", *_SHARED_URLS)
    _refuse_empty(names)
    return next((name for name in names if name in os.environ), None)


def _refuse_empty(names: Iterable[str]) -> None:
    for name in names:
        if name in os.environ and not os.environ[name].strip():
            raise ConfigurationError(f"{name} is set but empty: give it a value, or unset it")


def _pair(prefix: str) -> Credentials | None:
    names = _pair_names(prefix)
    found = [name for name in names if name in os.environ]
    if not found:
        return None
    if len(found) < len(names):
        (missing,) = set(names) - set(found)
        raise ConfigurationError(f"{missing} is not set, but {found[0]} is: set both or neither")
    try:
        return Credentials(*(os.environ[name].strip() for name in names))
    except ValueError as problem:
        raise_alone(ConfigurationError(f"{names[0]} and {names[1]}: {problem}"))


def _shown(value: object) -> str:
    """Return a value that is no region as it may stand in a message."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _LONGEST_SHOWN else f"a text of {len(value)} characters"
    return f"a value of type {type(value).__name__}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
