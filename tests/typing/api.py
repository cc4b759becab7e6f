"""What type checkers must make of the public names. It is checked and never run."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, assert_type

from upbit_async import (
    Credentials,
    PollSchedule,
    RateLimiter,
    Region,
    RetryPolicy,
    Timeouts,
    UpbitClient,
    errors,
    events,
    models,
)
from upbit_async.checks import Preflight, Reconciliation
from upbit_async.payouts import Evidence, HistoryEntry, Journal, Payout, Payouts, PayoutState, SqliteJournal
from upbit_async.polling import DepositPoller, WithdrawalPoller
from upbit_async.transport.limiter import LocalLimiter, NoLimiter


def observe(event: events.Event) -> None:
    """Stand for a user's observer."""


async def use(limiter: LocalLimiter) -> None:
    """Use every method as a user would."""
    chosen: RateLimiter = limiter
    chosen = NoLimiter()
    client = UpbitClient(
        Region.SG,
        credentials=Credentials("key", "secret"),
        retry=RetryPolicy(attempts=5),
        timeouts=Timeouts(total=30),
        poll=PollSchedule(first=2),
        limiter=chosen,
        observer=observe,
        algorithm="HS512",
    )
    async with client as entered:
        assert_type(entered, UpbitClient)
    assert_type(client.with_options(retry=RetryPolicy()), UpbitClient)
    assert_type(await client.status.wallets("BTC"), list[models.WalletStatus])
    assert_type(await client.withdraws.list(limit=5), list[models.Withdrawal])
    async for record in client.withdraws.iter(order_by="asc"):
        assert_type(record, models.Withdrawal)
        assert_type(record.amount, Decimal)
        assert_type(record.created_at, dt.datetime | None)
        assert_type(record.state, models.WithdrawalState)
    assert_type(await client.withdraws.get("uuid"), models.Withdrawal)
    assert_type(await client.withdraws.chance("BTC", "BTC"), models.WithdrawalChance)
    assert_type(await client.withdraws.addresses(), list[models.WithdrawalAddress])
    assert_type(await client.withdraws.check(currency="BTC", net_type="BTC", amount="1"), Preflight)
    poller = await client.withdraws.send(currency="BTC", net_type="BTC", amount=Decimal(1), address="a")
    assert_type(poller, WithdrawalPoller)
    async for change in poller.changes():
        assert_type(change.record, models.Withdrawal)
    assert_type(await poller.result(timeout=60), models.Withdrawal)
    assert_type(await client.request("GET", "/v1/market/all"), Any)


async def receive(client: UpbitClient) -> None:
    """Use every method for what comes in."""
    assert_type(await client.accounts.list(), list[models.Account])
    assert_type(await client.accounts.get("BTC"), models.Account)
    assert_type(await client.deposits.list(state="ACCEPTED"), list[models.Deposit])
    assert_type(await client.deposits.get(txid="t"), models.Deposit)
    assert_type(await client.deposits.chance("BTC", "BTC"), models.DepositChance)
    assert_type(await client.deposits.addresses(), list[models.DepositAddress])
    assert_type(await client.deposits.create_address("BTC", "BTC", timeout=None), models.DepositAddress)
    poller = client.deposits.poller(txid="t")
    assert_type(poller, DepositPoller)
    assert_type(poller.uuid, str | None)
    async for change in poller.changes():
        assert_type(change.record.state, models.DepositState)
    assert_type(await client.deposits.wait("uuid", timeout=60), models.Deposit)
    assert_type(await client.travel_rule.vasps(), list[models.Vasp])
    verification = await client.travel_rule.verify_by_uuid("d", "v")
    assert_type(verification, models.TravelRuleVerification)
    assert_type(verification.verified, bool)


async def pay(client: UpbitClient, journal: Journal) -> None:
    """Use payouts as a back end would."""
    journal = SqliteJournal("payouts.db", busy_timeout=1)
    async with Payouts(client, journal=journal, settling_time=10, check=True) as payouts:
        assert_type(payouts, Payouts)
        payout = await payouts.send(
            "k", currency="BTC", net_type="BTC", amount=1, address="a", until="accepted"
        )
        assert_type(payout, Payout)
        assert_type(payout.state, PayoutState)
        assert_type(payout.uuid, str | None)
        assert_type(payout.record, models.Withdrawal | None)
        assert_type(payout.error, errors.UpbitError | None)
        assert_type(payout.evidence, Evidence | None)
        assert_type(payout.history, tuple[HistoryEntry, ...])
        assert_type(await payouts.get("k"), Payout | None)
        assert_type(await payouts.wait("k", timeout=60), Payout)
        async for each in payouts.iter():
            assert_type(each, Payout)
        assert_type(await payouts.run_once(timeout=60), list[Payout])
        assert_type(await payouts.resolve("k", uuid="u", note="n", actor="a"), Payout)
        assert_type(await payouts.retry("k", new_nonce=True, note="n", actor="a"), Payout)
        assert_type(await payouts.abandon("k", force=True, note="n", actor="a"), Payout)
        await payouts.acknowledge("u", note="n", actor="a")


async def settle(client: UpbitClient) -> None:
    """Catch what can be caught."""
    try:
        await client.withdraws.create(currency="BTC", net_type="BTC", amount=1, address="a")
    except errors.OutcomeUnknown as unknown:
        assert_type(unknown.intent, models.Intent)
        result = await client.withdraws.reconcile(unknown)
        assert_type(result, Reconciliation)
        assert_type(result.withdrawal, models.Withdrawal | None)
    except errors.Banned as banned:
        assert_type(banned.until, dt.datetime)
    except errors.APIError as error:
        assert_type(error.status, int)
    except errors.UpbitError as error:
        assert_type(error.may_have_executed, bool)
