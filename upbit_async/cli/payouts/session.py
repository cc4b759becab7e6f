"""The client, the journal and the output of one command on payouts."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import attrs

from upbit_async.cli.exits import CommandError
from upbit_async.cli.payouts.journals import journal_for
from upbit_async.cli.payouts.log import warnings_on_stderr
from upbit_async.cli.payouts.options import JournalOptions
from upbit_async.cli.payouts.records import line_of, payout_record
from upbit_async.cli.payouts.text import show_payout
from upbit_async.cli.show import Show, console_for
from upbit_async.client import UpbitClient
from upbit_async.payouts import Journal, Payouts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractContextManager

    from upbit_async.payouts import Payout

__all__ = ["Session", "opened"]


@attrs.frozen
class Session:
    """What a command works with.

    Attributes:
        options: The options of the command.
        client: Client of the region. It may have no API keys, which only calls to Upbit need.
        journal: The journal.
        payouts: The payouts of the journal.
        show: Standard output.
    """

    options: JournalOptions
    client: UpbitClient
    journal: Journal
    payouts: Payouts
    show: Show

    async def payout(self, key: str) -> Payout:
        """Return a payout that must exist.

        Raises:
            CommandError: There is none of that key.
        """
        payout = await self.payouts.get(key)
        if payout is None:
            raise CommandError(f"there is no payout {key!r} in this journal")
        return payout

    def print_json(self, record: Mapping[str, Any]) -> None:
        """Print a JSON object on a line."""
        self.show.raw(line_of(record))

    def print_payout(self, payout: Payout) -> None:
        """Print a payout as JSON, or as text without its history."""
        if self.options.json:
            self.print_json(payout_record(payout, full_addresses=self.options.full_addresses))
        else:
            show_payout(payout, self.options, self.show)


@contextlib.asynccontextmanager
async def opened(
    options: JournalOptions,
    journal: Journal | None = None,
    log: AbstractContextManager[None] | None = None,
    **settings: Any,
) -> AsyncGenerator[Session]:
    """Open a session, whose journal is opened when it is first used.

    Args:
        options: The options of the command.
        journal: The journal; None, the default, for the one that the options name.
        log: Context in which the library's log is shown; None, the default, for its warnings on standard error.
        settings: Further arguments of `Payouts`.

    Raises:
        CommandError: There is no journal, or this user must not open it.
    """
    journal = journal or journal_for(options)
    with log or warnings_on_stderr():
        async with UpbitClient(options.region) as client:
            payouts = Payouts(client, journal, **settings)
            try:
                yield Session(options, client, journal, payouts, Show(console_for(sys.stdout)))
            finally:
                await payouts.aclose()
