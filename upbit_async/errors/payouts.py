"""Errors of payouts and their journal."""

from __future__ import annotations

from upbit_async.errors.base import UpbitError

__all__ = ["JournalError", "PayoutBlocked", "PayoutConflict"]


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
