"""Repository of payouts: applies changes, retries failed writes, reports to observer and log."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from upbit_async.checks import FeeConvention, fee_convention_of
from upbit_async.concurrency import KeyedLock
from upbit_async.errors import ConfigurationError, JournalError
from upbit_async.events import PayoutChanged
from upbit_async.logs import logger
from upbit_async.payouts import transitions
from upbit_async.payouts.authenticator import RowAuthenticator
from upbit_async.payouts.journal import ConflictingPayout, StaleRevision
from upbit_async.payouts.journal_moments import Now
from upbit_async.payouts.journal_time import JournalTime
from upbit_async.payouts.payout import Payout, PayoutState
from upbit_async.payouts.row_mac import JOURNAL_KEY_PURPOSE, JournalKeys

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from upbit_async.payouts.journal import Journal
    from upbit_async.protocol.endpoint import Transport

__all__ = ["Change", "PayoutRepository", "given_keys"]

_KEY_VARIABLE: Final = "UPBIT_PAYOUTS_KEY"

Change: TypeAlias = Callable[[Payout, Now], Payout | None]
"""Returns the updated payout at a time, or None if nothing changes."""

_log = logger("upbit_async.payouts")
_ALARMING = frozenset({PayoutState.NEEDS_REVIEW, PayoutState.UNKNOWN})


@attrs.define(eq=False)
class _Unwritten:
    """What has happened to a payout and is in no journal yet, oldest first."""

    stored: Payout
    changes: list[tuple[Change, Now]] = attrs.field(factory=list[tuple[Change, Now]])

    @property
    def imagined(self) -> Payout:
        """The payout as it is in truth."""
        payout = self.stored
        for change, now in self.changes:
            payout = change(payout, now) or payout
        return payout


class PayoutRepository:
    """Reads and changes payouts.

    Args:
        journal: Keeps them.
        transport: Talks to the host that they belong to.
        clock: Returns the time, UTC, for the history; leases and settling times are kept by the journal's own.
        keys: Authenticate the rows; None derives one from the caller's secret key.
    """

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        clock: Callable[[], dt.datetime],
        keys: JournalKeys | None = None,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self._transport = transport
        self._keys = keys
        self._is_bound = False
        self._unwritten: dict[str, _Unwritten] = {}
        self._locks = KeyedLock()

    async def open(self) -> None:
        """Make sure that the journal is there, and is this host's.

        Raises:
            JournalError: It is not.
        """
        if not self._is_bound:
            await self.journal.bind(self._transport.host, self._transport.region.value)
            self._is_bound = True

    async def aclose(self) -> None:
        """Write what could not be written yet, and let go of the journal."""
        for key in list(self._unwritten):
            try:
                await self._catch_up(key)
            except Exception as error:  # noqa: BLE001 - as in `conclude`
                imagined = self._unwritten[key].imagined
                text = "%s is %s (%s), which is in no journal: %s"
                _log.error(text, imagined, imagined.state, imagined.uuid, _of_journal(error))
        self._is_bound = False
        await self.journal.aclose()

    @functools.cached_property
    def authenticator(self) -> RowAuthenticator:
        """What signs and verifies rows.

        Raises:
            ConfigurationError: There is no journal key, and no secret key to derive one from.
        """
        keys = self._keys or JournalKeys([self._transport.derive_key(JOURNAL_KEY_PURPOSE)])
        return RowAuthenticator(keys, host=self._transport.host, account=self._transport.region.value)

    async def now(self) -> Now:
        """Return the present."""
        return Now(self.clock(), await self.journal.now())

    # -- reading -----------------------------------------------------------------------------------

    async def find(self, key: str) -> Payout | None:
        """Return a payout, or None. What could not be written is known all the same."""
        await self.open()
        try:
            await self._catch_up(key)
        except Exception as error:  # noqa: BLE001 - as in `conclude`
            return attrs.evolve(self._unwritten[key].imagined, error=_of_journal(error))
        return await self.journal.get(key)

    async def read(self, key: str) -> Payout:
        """Return a payout that is known to be there.

        Raises:
            ValueError: There is none of that key.
        """
        payout = await self.find(key)
        if payout is None:
            raise ValueError(f"there is no payout {key!r} in this journal")
        return payout

    async def fee_convention(self) -> FeeConvention | None:
        """Return how amounts are to be read, if Upbit's answers have told it."""
        known = await self.journal.recent_answered()
        return fee_convention_of((each.intent, each.record) for each in known if each.record is not None)

    # -- changing ----------------------------------------------------------------------------------

    async def add(self, payout: Payout) -> Payout:
        """Begin a payout, unless there is one of its key already; return the one that there is."""
        known = await self.find(payout.key)
        if known is None:
            known = await self.journal.add(payout)
            if known.history == payout.history:
                self._report(None, known)
        return known

    async def compare_and_swap(self, old: Payout, new: Payout) -> Payout:
        """Change a payout from what it was when it was read.

        Raises:
            StaleRevision: It is not that any more.
            ConflictingPayout: Another payout stands in the way.
        """
        changed = await self.journal.compare_and_swap(old, new)
        self._report(old, changed)
        return changed

    async def change(self, key: str, change: Change) -> Payout:
        """Let something happen to a payout, whatever it is by now."""
        while True:
            payout = await self.read(key)
            changed = change(payout, await self.now())
            if changed is None:
                return payout
            with contextlib.suppress(StaleRevision):
                return await self.compare_and_swap(payout, changed)

    async def conclude(self, payout: Payout, change: Change) -> Payout:
        """Let something happen that must not be forgotten, such as an answer; this never fails.

        Args:
            payout: The payout as it was when its request left.
            change: What happens.

        Returns:
            The payout as it is then. If that could not be written now, its `error` says why; it is written later.
        """
        now = self._by_the_lease(payout)
        try:
            now = await self.now()
            await self._catch_up(payout.key)
            return await self._write_down(payout.key, change, now)
        except Exception as error:  # noqa: BLE001 - whatever a journal raises, what Upbit has said must not be lost
            unwritten = self._unwritten.setdefault(payout.key, _Unwritten(payout))
            unwritten.changes.append((change, now))
            imagined = unwritten.imagined
            what = imagined.uuid or imagined.reason
            failure = _of_journal(error)
            text = "%s is %s (%s), which could not be written: %s"
            _log.error(text, payout, imagined.state, what, failure)
            return attrs.evolve(imagined, error=failure)

    def _by_the_lease(self, payout: Payout) -> Now:
        """Return the end of a payout's lease, for the case that the journal can't even tell the time."""
        sent_request = payout.required_request
        epoch, seconds = sent_request.left_at.readings[-1]
        return Now(self.clock(), JournalTime(seconds + sent_request.lease, epoch))

    async def _write_down(self, key: str, change: Change, now: Now) -> Payout:
        """Change a payout; if another has its withdrawal by a mere match, that one was wrong."""
        while True:
            payout = await self._stored(key)
            changed = change(payout, now)
            if changed is None:
                return payout
            try:
                return await self.compare_and_swap(payout, changed)
            except StaleRevision:
                continue
            except ConflictingPayout as taken:
                if changed.uuid is None or not await self._disprove(taken.by_key, changed.uuid, key, now):
                    return await self._note_clash(payout, changed, taken.by_key, now)

    async def _disprove(self, by_key: str, uuid: str, key: str, now: Now) -> bool:
        """Take a withdrawal from a payout that has it by a mere match; whether that was so."""
        while True:
            other = await self._stored(by_key)
            if other.uuid is None or other.uuid.casefold() != uuid.casefold():
                return False
            changed = transitions.disproved(other, key, now)
            if changed is None:
                return False
            with contextlib.suppress(StaleRevision):
                await self.compare_and_swap(other, changed)
                return True

    async def _note_clash(self, payout: Payout, told: Payout, by_key: str, now: Now) -> Payout:
        """Let a person see to it: no two payouts can be what Upbit's answers say."""
        what = f"withdrawal {told.uuid}" if told.uuid is not None else "its place"
        while True:
            try:
                return await self.compare_and_swap(payout, transitions.clashing(payout, what, by_key, now))
            except StaleRevision:
                payout = await self._stored(payout.key)

    async def _stored(self, key: str) -> Payout:
        payout = await self.journal.get(key)
        if payout is None:
            raise JournalError(
                f"payout {key!r} has gone from the journal, which is changed by something else"
            )
        return payout

    async def _catch_up(self, key: str) -> None:
        """Write what could not be written when it happened; one caller at a time.

        Raises:
            JournalError: It still can't be written.
        """
        if key not in self._unwritten:
            return
        async with self._locks.hold(key):
            unwritten = self._unwritten.get(key)
            while unwritten is not None and unwritten.changes:
                await self._write_down(key, *unwritten.changes[0])
                unwritten.changes.pop(0)
            self._unwritten.pop(key, None)

    def _report(self, before: Payout | None, after: Payout) -> None:
        if before is not None and before.state is after.state:
            return
        level = logging.WARNING if after.state in _ALARMING else logging.INFO
        _log.log(level, "%s is %s: %s", after, after.state, after.reason)
        self._transport.emit(
            PayoutChanged(
                host=self._transport.host,
                key=after.key,
                previous=None if before is None else before.state.value,
                state=after.state.value,
                uuid=after.uuid,
                note=after.reason,
            )
        )


def _of_journal(error: Exception) -> JournalError:
    """Return an error of ours for whatever a journal has raised, without the errors that it keeps."""
    if isinstance(error, JournalError):
        return copy.copy(error)
    return JournalError(f"the journal failed with {type(error).__name__}: {error}")


def given_keys(given: Sequence[bytes]) -> JournalKeys | None:
    """Return the keys that were given, or those of the environment; None to derive one from the secret key."""
    if given:
        return JournalKeys(given)
    keys, problem = _keys_of_the_environment()
    if problem:
        raise ConfigurationError(f"the environment variable {_KEY_VARIABLE}: {problem}")
    return keys


def _keys_of_the_environment() -> tuple[JournalKeys | None, str]:
    """Return the keys, or why they can't be used; an error would keep the frames that know them."""
    text = os.environ.get(_KEY_VARIABLE)
    if text is None:
        return None, ""
    try:
        return JournalKeys([text.encode()]), ""
    except UnicodeEncodeError:
        return None, "it is no Unicode text"
    except ValueError as problem:
        return None, str(problem)
