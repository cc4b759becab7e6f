"""Journal contract: the tests that every implementation of `upbit_async.payouts.Journal` must pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.testing.journal_contract.claims import ClaimContract
from upbit_async.testing.journal_contract.departures import DepartureContract
from upbit_async.testing.journal_contract.reports import ReportContract
from upbit_async.testing.journal_contract.storage import StorageContract
from upbit_async.testing.journal_contract.swaps import SwapContract
from upbit_async.testing.journal_contract.withdrawals import WithdrawalContract

if TYPE_CHECKING:
    from upbit_async.payouts.journal import Journal

__all__ = ["JournalContract"]


@pytest.mark.anyio
class JournalContract(
    StorageContract, SwapContract, DepartureContract, ClaimContract, WithdrawalContract, ReportContract
):
    """Tests of a journal. Subclass it, and override the fixtures `journal` and `second_journal`.

    Each test gets a new journal, which is bound to nothing yet; the fixtures close what they open. The tests run on
    the back ends of the fixture ``anyio_backend``. The second journal uses the store of the first, as another process
    does, and takes part in the tests of races. Without it, both are the same journal.

    A journal that passes keeps the promises that payouts rely on, except for durability: no test can cut the power of
    a machine.

    Example:
        .. code-block:: python

            import pytest
            from upbit_async.payouts import SqliteJournal
            from upbit_async.testing.journal_contract import JournalContract


            class TestMyJournal(JournalContract):
                @pytest.fixture
                async def journal(self, private_folder):
                    journal = SqliteJournal(private_folder / "payouts.db")
                    yield journal
                    await journal.aclose()

                @pytest.fixture
                async def second_journal(self, private_folder, journal):
                    journal = SqliteJournal(private_folder / "payouts.db")
                    yield journal
                    await journal.aclose()
    """

    @pytest.fixture
    def journal(self) -> Any:
        """Return or yield a new journal."""
        raise NotImplementedError("override the fixture `journal` in a subclass of JournalContract")

    @pytest.fixture
    def second_journal(self, journal: Journal) -> Any:
        """Return or yield another journal on the same store; by default it is the same journal."""
        return journal
