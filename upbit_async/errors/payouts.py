"""Errors of payouts and their journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upbit_async.errors.base import UpbitError

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "AmountLimitExceeded",
    "ChangesCompacted",
    "JournalError",
    "PayoutBlocked",
    "PayoutConflict",
    "PayoutNotDone",
    "PayoutsPaused",
]


class PayoutConflict(UpbitError):
    """The key belongs to a payment with other parameters. Use the parameters of that payment, or another key.

    Example:
        .. code-block:: python

            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            await payouts.send("invoice-42", currency="USDT", amount="13", **destination)
            try:
                await payouts.send("invoice-42", currency="USDT", amount="14", **destination)
            except errors.PayoutConflict as error:
                print(error)
    """


class PayoutBlocked(UpbitError):
    """A payment of the same amount, currency and network, or a withdrawal that no payout owns, needs review first.

    Attributes:
        by_key: The key of the payment that needs review, or None.
        uuids: The ids, in lower case, of the withdrawals that no payout owns. Call `Payouts.acknowledge` for each of
            them that is another payment, then send again.

    Example:
        .. code-block:: python

            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            try:
                await payouts.send("invoice-42", currency="USDT", amount="13", **destination)
            except errors.PayoutBlocked as error:
                print(error.by_key, error.uuids)
    """

    def __init__(self, text: str, *, by_key: str | None = None, uuids: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.by_key = by_key
        self.uuids = uuids


class JournalError(UpbitError):
    """The payouts' journal can't be used: it is full, locked, damaged, read-only or owned by another user.

    If `Payouts.send` raises it, this call sent nothing: repair the journal, then call again with the same key. If it is
    a payout's `error`, there are two cases. Its newest change, such as an answer, is not in the journal yet, and is
    written as soon as possible. Or its row in the journal is not trusted, and `key` is set.

    Attributes:
        key: The payout whose row can't be trusted, if all other rows can be used; otherwise None.

    Example:
        .. code-block:: python

            try:
                payout = await payouts.get("invoice-42")
            except errors.JournalError as error:
                print(error, error.key)
    """

    def __init__(self, text: str, *, key: str | None = None) -> None:
        super().__init__(text)
        self.key = key


class PayoutNotDone(UpbitError):
    """A payout is in another state than ``done``. Read its state and reason; do not pay under another key yet.

    `Payout.raise_for_state` raises it. Only ``failed``, ``cancelled``, ``rejected`` and ``declined`` show that the
    amount was not paid.

    Attributes:
        payout: The payout, a `upbit_async.payouts.Payout`.

    Example:
        .. code-block:: python

            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            payout = await payouts.send("invoice-42", currency="USDT", amount="13", **destination)
            try:
                payout.raise_for_state()
            except errors.PayoutNotDone as error:
                print(error.payout.state, error.payout.reason)
    """

    payout: Any  # payouts stand above errors, so their class can't be named here

    def __init__(self, text: str, *, payout: object, may_have_executed: bool = False) -> None:
        super().__init__(text, may_have_executed=may_have_executed)
        self.payout = payout


class AmountLimitExceeded(UpbitError):
    """A payout would exceed an `AmountLimit`. Nothing was sent.

    Attributes:
        currency: The limit's currency.
        limit: The limit that would be exceeded.
        departed: Sum of the last 24 hours without this payout, for a limit per day; None for a limit per payout.

    Example:
        .. code-block:: python

            from upbit_async.payouts import AmountLimit

            limited = Payouts(client, journal, amount_limits=[AmountLimit("USDT", per_payout="10")])
            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            try:
                await limited.enqueue("invoice-42", currency="USDT", amount="13", **destination)
            except errors.AmountLimitExceeded as error:
                print(error.currency, error.limit)
    """

    def __init__(self, text: str, *, currency: str, limit: Decimal, departed: Decimal | None = None) -> None:
        super().__init__(text)
        self.currency = currency
        self.limit = limit
        self.departed = departed


class PayoutsPaused(UpbitError):
    """`Payouts.pause` keeps every payout of the journal from being sent. Nothing was sent; call `Payouts.resume`.

    Example:
        .. code-block:: python

            await payouts.pause(note="the treasury is being moved", actor="Ann")
            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            try:
                await payouts.send("invoice-42", currency="USDT", amount="13", **destination)
            except errors.PayoutsPaused as error:
                print(error)
    """


class ChangesCompacted(UpbitError):
    """`Payouts.compact` has removed changes after the given position. Read `Payouts.list`, then follow from `oldest`.

    Attributes:
        oldest: The oldest position after which no change is missing.

    Example:
        .. code-block:: python

            destination = {"net_type": "TRX", "address": "TFakeTronWithdrawAddressFakeFakeFa"}
            await payouts.enqueue("invoice-42", currency="USDT", amount="13", **destination)
            position = 0
            try:
                async for change in payouts.changes(after=position):
                    break
            except errors.ChangesCompacted as error:
                position = error.oldest
    """

    def __init__(self, text: str, *, oldest: int) -> None:
        super().__init__(text)
        self.oldest = oldest
