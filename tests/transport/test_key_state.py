"""State shared by the clients of one key: identified by the whole digest, and dropped when it expires."""

from __future__ import annotations

import gc
import hashlib
import hmac
import time
import weakref
from typing import TYPE_CHECKING

import anyio
import pytest
from clients import canaries
from internals import client_state

from upbit_async import Credentials, UpbitClient, errors
from upbit_async.credentials import Secret
from upbit_async.transport import key_state
from upbit_async.transport.key_state import KeyState, KeyUse

if TYPE_CHECKING:
    from collections.abc import Callable

# Two access keys with one fingerprint, found after 31,321 tries.
TWINS = ("UpbitTestKey0000000000000000000000030720", "UpbitTestKey0000000000000000000000031321")
URL = "https://upbit.invalid"


def client(keys: Credentials) -> UpbitClient:
    return UpbitClient("sg", credentials=keys, base_url=URL)


def states() -> int:
    gc.collect()
    return len(key_state.known())


def state_of(client: UpbitClient) -> KeyState:
    shared = client_state(client)
    return key_state.known()[shared.host, client.transport.key_digest]


# -- identity --------------------------------------------------------------------------------------


def test_keys_with_equal_fingerprints_have_separate_state() -> None:
    one, other = (Secret(key) for key in TWINS)
    assert one.fingerprint == other.fingerprint
    assert one.digest != other.digest
    clients = [client(Credentials(key, "s" * 40)) for key in TWINS]
    shared = [client_state(each) for each in clients]
    assert shared[0].limiter is not shared[1].limiter
    assert shared[0].penalty_box is not shared[1].penalty_box
    assert shared[0].cooldowns is not shared[1].cooldowns
    assert clients[0].transport.fingerprint == clients[1].transport.fingerprint
    assert clients[0].transport.key_digest != clients[1].transport.key_digest


async def test_ban_does_not_apply_to_a_key_with_the_same_fingerprint() -> None:
    banned, other = (client(Credentials(key, "s" * 40)) for key in TWINS)
    client_state(banned).penalty_box.ban(lambda bans: 60.0)
    assert client_state(banned).penalty_box.seconds_left() > 0
    assert client_state(other).penalty_box.seconds_left() == 0


def test_fingerprint_is_the_start_of_the_digest() -> None:
    secret = canaries().access_key
    assert len(secret.digest) == 64
    assert secret.fingerprint == secret.digest[:8]
    assert secret.reveal() not in secret.digest


def test_key_has_one_state_per_host() -> None:
    uses = {place: KeyUse(*place) for place in (("host", "key"), ("host", "other"), ("other", "key"))}
    assert KeyUse("host", "key").state is uses["host", "key"].state
    assert len({id(use.state) for use in uses.values()}) == 3


# -- derived keys ----------------------------------------------------------------------------------


def test_derived_key_depends_on_secret_and_purpose() -> None:
    keys = canaries()
    transport = client(keys).transport
    wanted = hmac.new(keys.secret_key.reveal().encode(), b"a purpose", hashlib.sha256).digest()
    assert transport.derive_key(b"a purpose") == wanted
    assert transport.derive_key(b"another") != wanted
    assert client(canaries()).transport.derive_key(b"a purpose") != wanted


def test_derive_key_without_credentials_is_refused() -> None:
    transport = UpbitClient("sg", base_url=URL).transport
    with pytest.raises(errors.ConfigurationError, match="no keys"):
        transport.derive_key(b"a purpose")
    assert transport.key_digest == ""


@pytest.mark.parametrize("purpose", [b"", b"eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ"])
def test_purpose_that_could_be_a_signed_request_is_refused(purpose: bytes) -> None:
    with pytest.raises(ValueError, match="purpose"):
        client(canaries()).transport.derive_key(purpose)


# -- growth ----------------------------------------------------------------------------------------


def test_state_of_unused_keys_is_dropped() -> None:
    before = states()
    clients = [client(canaries()) for _ in range(100)]
    assert states() == before + 100
    siblings = [clients[0].with_options()]
    clients.clear()
    assert states() == before + 1
    siblings.clear()
    assert states() == before


def test_state_is_kept_until_the_last_client_of_the_key_is_gone() -> None:
    keys = canaries()
    first, second = client(keys), client(keys)
    state = weakref.ref(state_of(first))
    del first
    gc.collect()
    assert state() is state_of(second)
    del second
    gc.collect()
    assert state() is None


def test_client_that_fails_to_build_leaves_no_state() -> None:
    before = states()
    with pytest.raises(errors.ConfigurationError):
        client(Credentials('a"b' * 10, "s" * 40))
    assert states() == before


def _ban(state: KeyState) -> None:
    state.penalty_box.ban(lambda bans: 60.0)


def _book(state: KeyState) -> None:
    state.cooldowns.book("x", 60.0)


@pytest.mark.parametrize("happening", [_ban, _book], ids=["ban", "cooldown"])
async def test_active_ban_or_cooldown_outlives_its_clients(happening: Callable[[KeyState], None]) -> None:
    keys = canaries()
    first = client(keys)
    state = weakref.ref(state_of(first))
    happening(state_of(first))
    del first
    gc.collect()
    await anyio.sleep(30)
    assert state_of(client(keys)) is state()
    gc.collect()
    assert state() is not None


@pytest.mark.parametrize("happening", [_ban, _book], ids=["ban", "cooldown"])
async def test_expired_state_is_dropped_when_a_client_comes_or_goes(
    happening: Callable[[KeyState], None],
) -> None:
    first = client(canaries())
    state = weakref.ref(state_of(first))
    happening(state_of(first))
    del first
    gc.collect()
    assert state() is not None
    await anyio.sleep(121)
    client(canaries())
    gc.collect()
    assert state() is None


async def test_ban_count_is_remembered_for_the_length_of_the_ban() -> None:
    keys = canaries()
    box = state_of(client(keys)).penalty_box  # no client exists any more
    box.ban(lambda bans: 60.0)
    await anyio.sleep(90)
    later = client(keys)
    assert state_of(later).penalty_box.ban(lambda bans: 60.0 * 2**bans) == 120.0


async def test_open_window_outlives_its_clients() -> None:
    keys = canaries()
    first = client(keys)
    limiter = client_state(first).limiter
    for _ in range(29):
        limiter.observe(await limiter.acquire("default"), None)
    del first, limiter
    gc.collect()
    began = anyio.current_time()
    await client_state(client(keys)).limiter.acquire("default")
    assert anyio.current_time() - began >= 1.0


async def test_pause_outlives_its_clients() -> None:
    keys = canaries()
    first = client(keys)
    limiter = client_state(first).limiter
    limiter.refuse(await limiter.acquire("default"), 30.0)
    del first, limiter
    gc.collect()
    began = anyio.current_time()
    await client_state(client(keys)).limiter.acquire("default")
    assert anyio.current_time() - began >= 30.0


async def test_idle_limiter_is_dropped() -> None:
    first = client(canaries())
    limiter = weakref.ref(client_state(first).limiter)
    await client_state(first).limiter.acquire("default")
    del first
    gc.collect()
    assert limiter() is not None
    await anyio.sleep(130)  # its call never ended: its event loop may have been closed
    client(canaries())
    gc.collect()
    assert limiter() is None


async def _ban_by(client: UpbitClient) -> None:
    state_of(client).penalty_box.ban(lambda bans: 60.0)


def test_state_expires_by_the_process_clock_without_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    first = client(canaries())
    state = weakref.ref(state_of(first))
    anyio.run(_ban_by, first)
    del first
    gc.collect()
    assert state() is not None
    later = time.monotonic() + 121
    monkeypatch.setattr(time, "monotonic", lambda: later)
    client(canaries())
    gc.collect()
    assert state() is None
