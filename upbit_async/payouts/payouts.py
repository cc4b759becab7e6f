"""`Payouts`, the entry point: at most one withdrawal for each key, kept in a journal."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal

from upbit_async.client import UpbitClient
from upbit_async.payouts import arguments
from upbit_async.payouts.driver import Driver
from upbit_async.payouts.journal import Journal
from upbit_async.payouts.judging import Judge
from upbit_async.payouts.operating import OperatingMethods
from upbit_async.payouts.reading import ReadingMethods
from upbit_async.payouts.reconciliation import Reconciler
from upbit_async.payouts.repository import PayoutRepository
from upbit_async.payouts.requesting import RequestingMethods
from upbit_async.payouts.resolving import ManualDecisionMethods
from upbit_async.payouts.running import RunningMethods
from upbit_async.payouts.sending import Sender
from upbit_async.payouts.settling import Settler
from upbit_async.payouts.shared_reads import SharedReads
from upbit_async.payouts.snapshot import SnapshotReader
from upbit_async.payouts.unowned import UnownedCheck
from upbit_async.resources import inputs
from upbit_async.validation import flag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from upbit_async.events import Observer
    from upbit_async.payouts.amount_limit import AmountLimit

__all__ = ["Payouts"]

_JOURNAL_METHODS: Final = tuple(name for name in vars(Journal) if not name.startswith("_"))


class Payouts(RequestingMethods, RunningMethods, ManualDecisionMethods, OperatingMethods, ReadingMethods):
    """Withdrawals with idempotency keys: at most one for each key, from any task or process and after any crash.

    Upbit has no idempotency key for withdrawals (https://global-docs.upbit.com/reference/withdraw), so the keys are
    kept in a journal. A payout is on the disk before its request is sent. If the answer is lost, the payout is compared
    with Upbit's list of withdrawals.

    `enqueue` accepts a payout, and `run` sends it: start `running` once in each process of a service. `send` does both
    for one payout. Use one journal for one account, in all services that pay from it. Use a `Payouts` as an async
    context manager, or call `aclose`; the client stays open. It belongs to one event loop at a time; other threads and
    processes create their own.

    Args:
        client: Client of the account that pays.
        journal: Store of the payouts, such as `SqliteJournal`.
        settling_time: Time after the loss of an answer for which Upbit's list may lag, in seconds. If it lags for
            longer, a payout that was carried out may become ``not_sent``. Then only the nonce prevents Upbit from
            carrying out a further copy.
        check: Whether `client.withdraws.check` comes before each payout. The default is True.
        resend: With ``automatic``, `run` and `send` send a ``not_sent`` payout again, as exactly the same request
            with the same nonce, which Upbit accepts only once. Not if Upbit has answered ``nonce_used``. With
            ``manual``, the default, it is sent again only after `retry`.
        on_unowned: What to do if Upbit shows a withdrawal that no payout owns and that could be this payment: ``block``
            the payout until `acknowledge` is called, or ``allow`` it.
        amount_limits: Limits of the amounts that may be sent. The journal checks them when a payout departs.
        journal_keys: Keys that authenticate the journal's rows, of at least 16 bytes each: the first for new rows, any
            of them for others. The default is ``UPBIT_PAYOUTS_KEY``, and without that a key that is derived from the
            client's secret key.
        observer: Receiver of the events of these payouts and of their requests. The default is the client's own.
        clock: Clock for the history, UTC; for tests. Leases and settling times use the journal's clock.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: `settling_time` is negative or infinite, a journal key is too short, or an option is unknown.
        ConfigurationError: ``UPBIT_PAYOUTS_KEY`` is set but empty, or too short.

    Example:
        .. code-block:: python

            address = "TFakeTronWithdrawAddressFakeFakeFa"
            async with Payouts(client, journal=SqliteJournal("payouts.db")) as payouts:
                payout = await payouts.send(
                    "invoice-42", currency="USDT", net_type="TRX", amount="13", address=address
                )
    """

    def __init__(  # noqa: PLR0913 - options, and keyword-only
        self,
        client: UpbitClient,
        journal: Journal,
        *,
        settling_time: float = 30.0,
        check: bool = True,
        resend: Literal["manual", "automatic"] = "manual",
        on_unowned: Literal["block", "allow"] = "block",
        amount_limits: Sequence[AmountLimit] = (),
        journal_keys: Sequence[bytes] = (),
        observer: Observer | None = None,
        clock: Callable[[], dt.datetime] | None = None,
    ) -> None:
        if not isinstance(client, UpbitClient):
            raise TypeError(f"client must be an UpbitClient, got {type(client).__name__}")
        if not all(callable(getattr(journal, name, None)) for name in _JOURNAL_METHODS):
            raise TypeError(f"journal must be a Journal such as SqliteJournal, got {type(journal).__name__}")
        if observer is not None:
            client = client.with_options(observer=observer)
        self._amount_limits = arguments.checked_limits(amount_limits)
        seconds = inputs.seconds("settling_time", settling_time)
        keys = arguments.journal_keys_from(journal_keys)
        repository = PayoutRepository(journal, client.transport, clock or _utc_now, keys)
        reads = SharedReads()
        snapshots = SnapshotReader(
            client.transport, repository, reads, client.withdraws.watcher, trailing=seconds
        )
        judge = Judge(client, snapshots)
        settler = Settler(client, repository, judge, seconds)
        self._reconciler = Reconciler(
            client.transport, repository, snapshots, judge, settler, settling_time=seconds
        )
        super().__init__(client, repository, settler)  # keeps them, for all methods
        unowned_check = UnownedCheck(
            repository,
            settler,
            snapshots,
            blocks=inputs.choice("on_unowned", on_unowned, ("block", "allow")) == "block",
        )
        self._sender = Sender(client, repository, settler, unowned_check, amount_limits=self._amount_limits)
        self._driver = Driver(
            client,
            repository,
            self._sender,
            settler,
            reads,
            check=flag("check", check),
            resends=inputs.choice("resend", resend, ("manual", "automatic")) == "automatic",
        )


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
