"""Journal contract: claims, which divide the open payouts between runners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import attrs

from upbit_async.payouts.payout import PayoutState
from upbit_async.testing.journal_contract.samples import HOST, noted, planned, sending, settled

if TYPE_CHECKING:
    from collections.abc import Collection

    from upbit_async.payouts.journal import Journal

__all__ = ["ClaimContract"]

_STATES: Final = [PayoutState.QUEUED, PayoutState.PLANNED, PayoutState.SENDING, PayoutState.ACCEPTED]
_LONG: Final = 600.0


async def _claim(
    journal: Journal,
    runner: str,
    *,
    limit: int = 100,
    lease: float = _LONG,
    states: Collection[PayoutState] = _STATES,
    released: Collection[str] = (),
) -> list[str]:
    found = await journal.claim(runner, lease=lease, limit=limit, states=states, released=released)
    return [payout.key for payout in found]


async def _add(journal: Journal, *keys: str) -> None:
    await journal.bind(HOST, "sg")
    for number, key in enumerate(keys):
        await journal.add(planned(key, amount=f"{number + 1}"))


class ClaimContract:
    """No two runners have a claim on one payout at the same time."""

    async def test_open_payouts_are_claimed_oldest_first(self, journal: Journal) -> None:
        """Up to the limit, without those that are claimed already, and without histories."""
        await _add(journal, "k0", "k1", "k2")
        sent = await sending(journal, "k3", amount="50")
        assert await _claim(journal, "a", limit=0) == []
        assert await _claim(journal, "a", limit=2) == ["k0", "k1"]
        (k2, k3) = await journal.claim("a", lease=_LONG, limit=2, states=_STATES)
        assert (k2.key, k2.history) == ("k2", ())
        assert k3 == attrs.evolve(sent, history=())
        assert await _claim(journal, "a") == []

    async def test_only_open_payouts_in_the_states_are_claimed(self, journal: Journal) -> None:
        """An abandoned payout is open only if it has candidates, or a loss that was recorded late."""
        await journal.bind(HOST, "sg")
        every = list(PayoutState)
        for number, state in enumerate(every):
            payout = await sending(journal, state.value, amount=f"{number + 1}")
            await journal.compare_and_swap(payout, attrs.evolve(payout, state=state))
        doubt = await settled(journal, "doubt", PayoutState.ABANDONED, amount="100")
        request = attrs.evolve(doubt.required_request, candidates=("w-1",))
        await journal.compare_and_swap(doubt, attrs.evolve(doubt, sent_request=request))
        assert await _claim(journal, "a", states=[PayoutState.UNKNOWN]) == ["unknown"]
        expected = {state.value for state in every if not state.is_final} - {"unknown"} | {"doubt"}
        assert set(await _claim(journal, "a", states=every)) == expected

    async def test_claims_of_two_runners_never_overlap(
        self, journal: Journal, second_journal: Journal
    ) -> None:
        """Also if they claim at the same time."""
        keys = [f"k{number:02}" for number in range(30)]
        await _add(journal, *keys)
        await second_journal.bind(HOST, "sg")
        claimed: list[str] = []

        async def claim(used: Journal, runner: str) -> None:
            while found := await _claim(used, runner, limit=4):
                claimed.extend(found)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(claim, journal, "a")
            tasks.start_soon(claim, second_journal, "b")
            tasks.start_soon(claim, journal, "c")
        assert sorted(claimed) == keys

    async def test_released_payouts_can_be_claimed_again(self, journal: Journal) -> None:
        """By any runner; and a runner can release its own claims only."""
        await _add(journal, "k0", "k1")
        assert await _claim(journal, "a") == ["k0", "k1"]
        assert await _claim(journal, "b", released=["k0"]) == []
        assert await _claim(journal, "a", limit=0, released=["k1", "unknown"]) == []
        assert await _claim(journal, "b") == ["k1"]
        assert await _claim(journal, "a") == []

    async def test_retired_runner_has_no_claims(self, journal: Journal) -> None:
        """Another runner need not wait for the end of its lease."""
        await _add(journal, "k0", "k1")
        await _claim(journal, "a")
        await journal.retire("a")
        await journal.retire("a runner that never claimed")
        assert await _claim(journal, "b") == ["k0", "k1"]

    async def test_claims_end_with_the_lease(self, journal: Journal, second_journal: Journal) -> None:
        """The payouts of a runner that died are claimed by others, but not before."""
        await _add(journal, "k0", "k1")
        await second_journal.bind(HOST, "sg")
        assert await _claim(journal, "a", lease=0.05) == ["k0", "k1"]
        await anyio.sleep(0.2)
        assert await _claim(second_journal, "b") == ["k0", "k1"]
        assert await _claim(journal, "a", lease=0.05) == []

    async def test_each_call_renews_all_claims(self, journal: Journal) -> None:
        """The length of the newest call's lease counts."""
        await _add(journal, "k0")
        assert await _claim(journal, "a", lease=0.05) == ["k0"]
        await _claim(journal, "a", lease=_LONG, limit=0)
        await anyio.sleep(0.2)
        assert await _claim(journal, "b") == []

    async def test_final_payout_is_not_claimed_any_more(self, journal: Journal) -> None:
        """If it becomes open again, as by a retry, any runner can claim it, also the one that had it."""
        await _add(journal, "k0")
        (payout,) = await journal.claim("a", lease=_LONG, limit=1, states=_STATES)
        over = attrs.evolve(noted(payout, "no"), state=PayoutState.DECLINED)
        payout = await journal.compare_and_swap(payout, over)
        await journal.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.QUEUED))
        assert await _claim(journal, "a") == ["k0"]

    async def test_change_of_an_open_payout_keeps_its_claim(self, journal: Journal) -> None:
        """A claim ends with its lease, its release, or the end of the payout."""
        await _add(journal, "k0")
        (payout,) = await journal.claim("a", lease=_LONG, limit=1, states=_STATES)
        await journal.compare_and_swap(payout, attrs.evolve(payout, state=PayoutState.QUEUED))
        assert await _claim(journal, "b") == []
