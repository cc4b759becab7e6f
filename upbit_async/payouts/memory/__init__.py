"""Journal in the memory of one process, for tests and simulations.

- `journal`: `MemoryJournal`. `table`: the payouts and their changes. `claims`: which runner has claimed which payouts.
- `withdrawals`: withdrawals that belong to no payout, and reconciliation marks.
"""

from __future__ import annotations

from upbit_async.payouts.memory.journal import MemoryJournal

__all__ = ["MemoryJournal"]
