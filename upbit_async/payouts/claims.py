"""Claims: the payouts that one runner works on, for a lease that it renews. They divide the work and give no safety."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upbit_async.payouts.payout import Payout, PayoutState
    from upbit_async.payouts.repository import PayoutRepository

__all__ = ["CLAIM_LEASE", "RunnerClaims"]

CLAIM_LEASE: Final = 5.0
"""Time after its last claim for which a runner keeps its payouts, in seconds."""


class RunnerClaims:
    """Claims of one runner.

    Args:
        repository: Repository of the payouts.
    """

    def __init__(self, repository: PayoutRepository) -> None:
        self._repository = repository
        self._released: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Go on under a new name: the journal may have claimed what it could not return.

        The claims of the old name end with their lease.
        """
        self._name = f"runner {uuid.uuid4()}"

    async def claim(self, states: frozenset[PayoutState], limit: int) -> Sequence[Payout]:
        """Renew the lease, release what is done, and claim payouts in some states that no other runner has claimed."""
        released = frozenset(self._released)
        claimed = await self._repository.journal.claim(
            self._name, lease=CLAIM_LEASE, limit=limit, states=states, released=released
        )
        self._released -= released
        return claimed

    def release(self, key: str) -> None:
        """Release a payout with the next claim."""
        self._released.add(key)

    async def retire(self) -> None:
        """Release all payouts."""
        await self._repository.journal.retire(self._name)
