"""A nonce is used up for one key only, so payouts identify their key by its whole digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journals import InlineJournal

from upbit_async import Credentials, errors
from upbit_async.payouts import Payouts, PayoutState
from upbit_async.sandbox import Fault
from upbit_async.sandbox.exchange.keys import ApiKeyRecord

if TYPE_CHECKING:
    from pathlib import Path

    from upbit_async.sandbox import Sandbox

# Two access keys with one fingerprint.
TWINS = ("UpbitTestKey0000000000000000000000030720", "UpbitTestKey0000000000000000000000031321")


async def test_key_with_the_same_fingerprint_is_another_key(
    sandbox: Sandbox, path: Path, tron: dict[str, Any]
) -> None:
    for key in TWINS:
        sandbox.keys.add(ApiKeyRecord(access_key=key, secret_key=key[::-1]))
    first, second = (sandbox.client(credentials=Credentials(key, key[::-1])) for key in TWINS)
    sandbox.faults.add(Fault.reset_before("POST", "/v1/withdraws/coin"))
    keys = [b"one key for both"]
    async with Payouts(first, journal=InlineJournal(path), journal_keys=keys, check=False) as payouts:
        payout = await payouts.send("k", **tron)
    assert payout.sent_request is not None
    assert payout.sent_request.signed_by == first.transport.key_digest
    async with Payouts(second, journal=InlineJournal(path), journal_keys=keys, check=False) as payouts:
        await payouts.retry("k")
        payout = await payouts.send("k", **tron)
    assert payout.state is PayoutState.QUEUED
    assert isinstance(payout.error, errors.ConfigurationError)
    assert f"key #{first.transport.fingerprint}," in str(payout.error)
    assert len(sandbox.requests.of("POST", "/v1/withdraws/coin")) == 1
