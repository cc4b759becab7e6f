"""Keys and base URLs from environment variables.

Nothing here fails open. A variable that is set but empty is an error and never means "try the next one": otherwise
a failed expansion would sign with the key of another account, or call the real exchange. The keys of one region are
never sent to a server that is set for all regions.
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
    "shared_server_variable",
]

_SHARED_KEYS: Final = ("UPBIT", "UPBIT_OPEN_API")
_SHARED_URLS: Final = ("UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL")
_HALVES: Final = ("ACCESS_KEY", "SECRET_KEY")
_REGIONS: Final = {region.value: region for region in Region}
_LONGEST_SHOWN: Final = 7
"""Longer texts, in characters, may be keys: messages do not show them."""
_PORTS: Final = {"https": 443, "http": 80}
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def region_of(value: Region | str) -> Region:
    """Return the region with a name.

    Raises:
        ValueError: There is no such region.
    """
    found = _REGIONS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        problem = f"region must be one of {', '.join(Region)}, got {_shown(value)}"
        del value  # it may be a key, and a traceback may be printed with the locals of its frames
        raise ValueError(problem)
    return found


def keys_and_base_url(
    region: Region, *, credentials: Credentials | None, base_url: str | None
) -> tuple[Credentials | None, str]:
    """Return the keys and the base URL of a client: the arguments, or else the environment's.

    Raises:
        ConfigurationError: A variable is empty or invalid, half of a pair of keys is missing, or the region's keys
            would be sent to a server that is set for all regions.
    """
    url = base_url_for(region, base_url)
    if credentials is not None:
        return credentials, url
    keys = credentials_for(region)
    if base_url is None and own_credentials_for(region) is not None:
        refuse_shared_server(region)
    return keys, url


def own_credentials_for(region: Region) -> Credentials | None:
    """Return the keys in the region's variables, such as ``UPBIT_SG_ACCESS_KEY`` and ``UPBIT_SG_SECRET_KEY``.

    Raises:
        ConfigurationError: A variable is empty or invalid, or half of the pair is missing.
    """
    prefix = _own(region)
    _refuse_empty(_pair_names(prefix))
    return _pair(prefix)


def credentials_for(region: Region) -> Credentials | None:
    """Return the keys in the region's variables, else in those without a region, else in those of Upbit's tools.

    Raises:
        ConfigurationError: One of these variables is empty, or the first pair that is set is incomplete or invalid.
    """
    prefixes = (_own(region), *_SHARED_KEYS)
    for prefix in prefixes:
        _refuse_empty(_pair_names(prefix))
    return next(filter(None, map(_pair, prefixes)), None)


def base_url_for(region: Region, given: str | None) -> str:
    """Return the base URL: the argument, or else the environment's, or else the region's.

    The environment's is ``UPBIT_<REGION>_BASE_URL``, ``UPBIT_BASE_URL`` or ``UPBIT_OPEN_API_SERVER_URL``, in this
    order. It is normalised (lower case, no trailing slash, no default port), because clients of one host share a
    limiter.

    Raises:
        ConfigurationError: The URL is neither https nor on this machine, or has other parts than scheme, host, port
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


def shared_server_variable(region: Region) -> str | None:
    """Return the name of the variable that would send this region's calls to a server for all regions.

    Returns:
        The variable's name; None if the region has its own variable, or the server is that of the region.

    Raises:
        ConfigurationError: A variable is empty, or its URL is invalid.
    """
    name = _url_name(region)
    if name in _SHARED_URLS and host_of(base_url_for(region, None)) != region.host:
        return name
    return None


def refuse_shared_server(region: Region) -> None:
    """Refuse to send the region's keys to a server that is set for all regions.

    Raises:
        ConfigurationError: The environment sets such a server; the text says what to set instead.
    """
    variable = shared_server_variable(region)
    if variable is not None:
        access, secret = _pair_names(_own(region))
        raise ConfigurationError(
            f"{access} and {secret} are set, and {variable} is not {region.host}: keys of one region are never sent to "
            f"a server for all regions. To use that server, set {_own(region)}_BASE_URL to it, or unset {access} "
            f"and {secret}; to use Upbit, unset {variable}"
        )


def host_of(base_url: str) -> str:
    """Return the host of a base URL, with its port if it has one."""
    return urlsplit(base_url).netloc.lower()


def _normal_url(url: str) -> str:
    if not isinstance(url, str):
        raise TypeError(f"base_url must be text, got {type(url).__name__}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise_alone(ConfigurationError("the base URL is invalid: it must look like https://sg-api.upbit.com"))
    if parts.username is not None or set(" ?#\\") & set(url) or not url.isascii() or not url.isprintable():
        raise ConfigurationError("the base URL must consist of scheme, host, port and path only")
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
        raise ConfigurationError(
            "the base URL has no valid scheme, host or port: it must look like https://sg-api.upbit.com"
        )
    if parts.scheme != "https" and not _is_loopback(host):
        raise ConfigurationError(
            f"the base URL must be https (http on this machine only), so that nobody can read keys, got http://{host}"
        )
    netloc = f"[{host}]" if ":" in host else host
    if port not in {None, _PORTS[parts.scheme]}:
        netloc = f"{netloc}:{port}"
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}"


def _own(region: Region) -> str:
    return f"UPBIT_{region.upper()}"


def _pair_names(prefix: str) -> tuple[str, str]:
    access, secret = _HALVES
    return f"{prefix}_{access}", f"{prefix}_{secret}"


def _url_name(region: Region) -> str | None:
    """Return the first variable that sets the region's base URL, or None."""
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
    """Return what a message may show of a value that is no region."""
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
