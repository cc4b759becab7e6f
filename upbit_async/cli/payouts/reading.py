"""Commands that read payouts and change nothing: list, show, health and export. They need no API keys."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from upbit_async.cli.exits import Exit
from upbit_async.cli.payouts import text
from upbit_async.cli.payouts.advice import STATES, advice_for
from upbit_async.cli.payouts.options import JournalOptions, Options
from upbit_async.cli.payouts.records import change_record, health_record, payout_record, withdrawal_record
from upbit_async.cli.payouts.session import opened
from upbit_async.errors import ConfigurationError, UpbitError
from upbit_async.models import Withdrawal
from upbit_async.payouts import PayoutState
from upbit_async.policy import Timeouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.cli.payouts.session import Session
    from upbit_async.cli.show import Show
    from upbit_async.payouts import Pause, Payout, PayoutsHealth

__all__ = ["export", "health", "list_payouts", "show", "withdrawals_of"]

_BRIEF: Final = Timeouts(connect=3, read=5, write=5, total=10)
"""Timeouts for what is only shown in addition, so that a payout is shown during an outage, too."""
_PAGE: Final = 500
_WITHOUT_KEYS: Final = "not known here: set the API keys to read it from Upbit"


def list_payouts(
    *,
    options: Options,
    state: Annotated[tuple[PayoutState, ...], Parameter(negative="")] = (),
    currency: str | None = None,
    uuid: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 100,
) -> Exit:
    """List payouts, newest first. Compacted payouts are left out.

    Args:
        state: Show payouts in this state only. May be repeated.
        currency: Show payouts in this currency only.
        uuid: Show the payout that has this withdrawal.
        since: Show payouts that were requested at this time or later. UTC, unless it has a time zone.
        until: Show payouts that were requested before this time.
        limit: Largest number of payouts.
    """

    async def work() -> Exit:
        async with opened(options) as session:
            payouts = await session.payouts.list(
                states=state or None,
                currency=currency,
                uuid=uuid,
                created_after=_utc(since),
                created_before=_utc(until),
                limit=limit,
            )
            if options.json:
                for payout in payouts:
                    session.print_json(payout_record(payout, full_addresses=options.full_addresses))
            else:
                text.show_rows(payouts, session.show)
            if len(payouts) == limit:
                sys.stderr.write(f"upbit-async: these are the newest {limit}; --limit shows more\n")
        return Exit.OK

    return asyncio.run(work())


def show(key: str, /, *, options: Options) -> Exit:
    """Show one payout: its state, what can be done about it, its candidates and its history.

    Args:
        key: The payout's key.
    """

    async def work() -> Exit:
        async with opened(options) as session:
            payout = await session.payout(key)
            candidates = await withdrawals_of(session, payout.intent.currency, payout.candidates)
            if options.json:
                session.print_json(_shown_record(payout, candidates, options))
                return Exit.OK
            session.print_payout(payout)
            if candidates:
                text.show_withdrawals(candidates, session.show)
            text.show_advice(payout, options, session.show)
            text.show_history(payout, session.show)
        return Exit.OK

    return asyncio.run(work())


def _shown_record(
    payout: Payout, candidates: dict[str, Withdrawal | str], options: JournalOptions
) -> dict[str, object]:
    """Return a payout as a JSON object, with the records of its candidates and what can be done."""
    advice, words = advice_for(payout, options), STATES[payout.state]
    return {
        **payout_record(payout, full_addresses=options.full_addresses),
        "candidate_records": [
            withdrawal_record(record) for record in candidates.values() if isinstance(record, Withdrawal)
        ],
        "meaning": words.meaning,
        "advice": advice.text,
        "commands": [*advice.commands],
    }


async def withdrawals_of(
    session: Session, currency: str | None, uuids: Sequence[str]
) -> dict[str, Withdrawal | str]:
    """Return withdrawals with their records: from Upbit, else as the journal has stored them, else why not.

    Args:
        session: The session.
        currency: Their currency.
        uuids: The withdrawals, by their ids in lower case.
    """
    if not uuids or currency is None:
        return {}
    found: dict[str, Withdrawal] = {}
    related = await session.journal.related(currency, uuids)
    found |= {row.uuid.casefold(): row for row in related.unowned}
    problem = "Upbit does not show it"
    try:
        client = session.client.with_options(timeouts=_BRIEF)
        found |= {row.uuid.casefold(): row for row in await client.withdraws.list(uuids=[*uuids])}
    except ConfigurationError:
        problem = _WITHOUT_KEYS
    except UpbitError as error:
        problem = f"it can't be read: {error}"
    return {uuid: found.get(uuid, problem) for uuid in uuids}


def health(*, options: Options) -> Exit:
    """Show the state of all payouts, for monitoring.

    The exit code is 1 if the journal can't be read, and 6 if people must look at a payout.
    """

    async def work() -> Exit:
        async with opened(options) as session:
            found = await session.payouts.health()
            if options.json:
                session.print_json(health_record(found))
            else:
                _show_health(found, session.show)
        if not found.journal_ok:
            return Exit.FAILED
        must_look = found.counts.get(PayoutState.NEEDS_REVIEW) or found.open_abandoned or found.unreadable
        return Exit.NEEDS_REVIEW if must_look else Exit.OK

    return asyncio.run(work())


def _show_health(health: PayoutsHealth, show: Show) -> None:
    now = dt.datetime.now(dt.UTC)
    show.check("journal", "can be read" if health.journal_ok else "can't be read", ok=health.journal_ok)
    if not health.journal_ok:
        return
    show.check("paused", _pause_text(health.pause, now), ok=not health.paused)
    seen, reconciled = health.runner_seen_at, health.reconciled_at
    show.check("runner", f"seen {text.moment(seen, now)}" if seen else "never seen", ok=seen is not None)
    show.check(
        "reconciled", text.moment(reconciled, now) if reconciled else "never", ok=reconciled is not None
    )
    oldest = {
        PayoutState.QUEUED: health.oldest_queued,
        PayoutState.UNKNOWN: health.oldest_unknown,
        PayoutState.NEEDS_REVIEW: health.oldest_needs_review,
    }
    show.heading("Payouts")
    for state in PayoutState:
        if count := health.counts.get(state):
            since = f", the oldest of {text.moment(oldest[state], now)}" if oldest.get(state) else ""
            show.row(state.value, f"{count}{since}")
    if count := health.open_abandoned:
        show.check(
            "abandoned", f"{count} may have been paid all the same: see list --state abandoned", ok=False
        )
    if count := health.unreadable:
        show.check("damaged", f"{count} with a state that can't be read", ok=False)


def _pause_text(pause: Pause | None, now: dt.datetime) -> str:
    if pause is None:
        return "no"
    by = f" by {pause.actor}" if pause.actor else ""
    why = f": {pause.note}" if pause.note else ""
    return f"since {text.moment(pause.since, now)}{by}{why}; nothing is sent until upbit-async payouts resume"


def export(
    *,
    options: Options,
    changes_after: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
) -> Exit:
    """Write all payouts as JSON, one per line, newest first. Compacted payouts are left out.

    Args:
        changes_after: Write the changes after this position instead, oldest first. 0 for all changes.
    """

    async def work() -> Exit:
        async with opened(options) as session:
            if changes_after is not None:
                await _export_changes(session, changes_after)
                return Exit.OK
            async for payout in session.payouts.iter():
                session.print_json(payout_record(payout, full_addresses=options.full_addresses))
        return Exit.OK

    return asyncio.run(work())


async def _export_changes(session: Session, after: int) -> None:
    """Write the changes that the journal has now; those that are made meanwhile may be left out."""
    async with session.payouts:
        end = await session.journal.position()
        while after < end and (page := await session.journal.changes(after, _PAGE)):
            for change in page:
                session.print_json(change_record(change))
            after = page[-1].position


def _utc(time: dt.datetime | None) -> dt.datetime | None:
    """Return a time with a time zone: UTC if it has none."""
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=dt.UTC)
