"""People who operate a simulated service. They see the website, which shows where each withdrawal went."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from simulated_loop import Crashed
from users import call_for
from workers import Worker

from upbit_async.errors import ConfigurationError, JournalError, PayoutBlocked, UpbitError
from upbit_async.payouts import Evidence, Payout, PayoutState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scenario import Decision
    from world import World

__all__ = ["Person"]

_PATIENCE: Final = 60.0
_PAUSE: Final = 5.0
_WRONG: Final = 0.5
"""Share of the findings that are wrong if assumption TRUTH does not hold."""
_ABANDONABLE: Final = (PayoutState.PLANNED, PayoutState.QUEUED, PayoutState.NOT_SENT)


class Person:
    """Operator with a process of their own, which sends nothing by itself.

    Args:
        world: The simulation.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._process = Worker(world, "person")
        self._credentials = world.credentials

    @property
    def _worker(self) -> Worker:
        """The process, which starts again when the API key was replaced."""
        if self._credentials is not self._world.credentials:
            self._process = Worker(self._world, "person")
            self._credentials = self._world.credentials
        return self._process

    def _payouts(self, *states: PayoutState) -> list[Payout]:
        rows = self._world.journal.payouts.values()
        return [each for each in rows if each.state in states]

    async def _try(self, what: str, work: Callable[[], Awaitable[object]]) -> bool:
        """Call a method, and return whether it worked; another process may have been faster."""
        self._world.log.add(f"a person calls {what}")
        try:
            with anyio.move_on_after(_PATIENCE) as scope:
                await self._worker.process.call(work)
        except (Crashed, UpbitError, ValueError) as error:
            self._world.log.add(f"that fails: {type(error).__name__}: {error}")
            return False
        return not scope.cancelled_caught

    async def decide(self, decision: Decision) -> None:
        """Make a decision, if there is something to decide."""
        match decision.kind:
            case "pause" | "resume":
                await (self._pause if decision.kind == "pause" else self.resume)()
            case "acknowledge":
                await self.acknowledge_strangers()
            case "resolve":
                for payout in self._payouts(PayoutState.NEEDS_REVIEW):
                    await self._resolve(payout)
            case "retry":
                for payout in self._payouts(PayoutState.NOT_SENT, PayoutState.DECLINED):
                    await self._retry(payout)
            case "renew":
                for payout in self._payouts(PayoutState.NOT_SENT, PayoutState.DECLINED):
                    await self._renew(payout)
            case "abandon" | "force":
                await self._abandon(force=decision.kind == "force")

    # -- single decisions --------------------------------------------------------------------------

    async def _pause(self) -> None:
        if await self._try("pause", self._worker.payouts.pause):
            self._world.journal.is_paused = True

    async def resume(self) -> None:
        """Let payouts depart again."""
        self._world.journal.is_paused = False
        await self._try("resume", self._worker.payouts.resume)

    async def acknowledge_strangers(self) -> None:
        """Say of what was withdrawn on the website that it is no payout."""
        for uuid in self._world.strangers_not_acknowledged():
            acknowledge = partial(self._worker.payouts.acknowledge, uuid, note="made on the website")
            await self._try(f"acknowledge({uuid!r})", acknowledge)

    async def _abandon(self, *, force: bool) -> None:
        """Give up one of the payouts that can be abandoned."""
        if found := self._payouts(*_ABANDONABLE):
            key = self._world.chance.choice(found).key
            abandon = partial(self._worker.payouts.abandon, key, force=force)
            await self._try(f"abandon({key!r}, force={force})", abandon)

    async def _retry(self, payout: Payout) -> bool:
        retry = partial(self._worker.payouts.retry, payout.key)
        return await self._try(f"retry({payout.key!r})", retry)

    async def _renew(self, payout: Payout) -> None:
        """Let a payout that was not sent be sent again, with a new nonce."""
        if payout.sent_request is not None and not await self._resolve(payout):
            return
        retry = partial(self._worker.payouts.retry, payout.key, new_nonce=True)
        if await self._try(f"retry({payout.key!r}, new_nonce=True)", retry):
            self._world.renewed[payout.key] += 1

    async def _resolve(self, payout: Payout) -> bool:
        """Record what the website shows of a payout; return whether it shows that nothing was sent."""
        world, key, resolve = self._world, payout.key, self._worker.payouts.resolve
        uuids = world.withdrawals_of(key)
        candidates = [each for each in payout.candidates if each not in uuids]
        if "TRUTH" in world.scenario.broken and world.chance.random() < _WRONG:
            uuids = [] if uuids else candidates
        if uuids:
            await self._try(f"resolve({key!r}, uuid={uuids[0]!r})", partial(resolve, key, uuid=uuids[0]))
            return False
        if world.is_under_way(key):
            return False  # the website does not show it yet
        works = await self._try(f"resolve({key!r}, not_sent=True)", partial(resolve, key, not_sent=True))
        world.misjudged[key] += bool(world.withdrawals_of(key))
        return works

    # -- the end -----------------------------------------------------------------------------------

    async def finish(self, payout: Payout) -> None:
        """Do what the library advises for a payout that is open."""
        key = payout.key
        own = self._world.withdrawals_of(key)
        known = {each.uuid for each in self._world.journal.payouts.values()}
        is_unknown = bool(own) and payout.uuid is None and own[0] not in known
        match payout.state:
            case PayoutState.NEEDS_REVIEW | PayoutState.ABANDONED:
                await self._resolve(payout)
            case PayoutState.NOT_SENT | PayoutState.QUEUED if is_unknown:
                resolve = partial(self._worker.payouts.resolve, key, uuid=own[0])
                await self._try(f"resolve({key!r}, uuid={own[0]!r})", resolve)
            case PayoutState.NOT_SENT if _needs_new_nonce(payout):
                await self._renew(payout)
            case PayoutState.NOT_SENT:
                if not await self._retry(payout):
                    await self._renew(payout)
            case PayoutState.QUEUED if isinstance(payout.error, ConfigurationError):
                await self._renew(payout)
            case PayoutState.QUEUED if isinstance(payout.error, JournalError):
                if payout.sent_request is None:
                    order = self._world.order(key)
                    await self._try(f"enqueue({key!r})", partial(call_for, self._worker, order))
                else:
                    await self._renew(payout)
            case PayoutState.QUEUED if isinstance(payout.error, PayoutBlocked):
                await self.acknowledge_strangers()
            case _:
                pass
        await anyio.sleep(_PAUSE)

    async def correct_matches(self) -> None:
        """Correct the payouts that were matched to a withdrawal on the website."""
        strangers = self._world.strangers()
        for payout in list(self._world.journal.payouts.values()):
            if payout.evidence is Evidence.MATCH and payout.uuid in strangers:
                await self._resolve(payout)


def _needs_new_nonce(payout: Payout) -> bool:
    return payout.sent_request is not None and (
        payout.sent_request.arrived or payout.sent_request.needs_new_nonce
    )
