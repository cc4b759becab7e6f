"""Errors of requests that have no usable answer, or were not sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from upbit_async.errors.base import RAW_CAP, UpbitError
from upbit_async.escaping import escaped

if TYPE_CHECKING:
    from upbit_async.models import Intent

__all__ = ["DecodeError", "NotSent", "OutcomeUnknown", "RepeatTooSoon", "TransportError"]


class TransportError(UpbitError):
    """No usable answer arrived, and the request is safe to repeat: call again later.

    Example:
        .. code-block:: python

            try:
                wallets = await client.status.wallets()
            except errors.TransportError:
                wallets = []  # the retry policy has already repeated the request
    """


class NotSent(TransportError):
    """The request provably never left this machine: call again, even if it must not happen twice."""


class OutcomeUnknown(UpbitError):
    """The answer to a request that must not happen twice was lost. Upbit may or may not have executed the request.

    Do not send it again. Pass the error of a withdrawal to `client.withdraws.reconcile`; after a travel-rule
    verification, read the deposit.

    Attributes:
        intent: The request: endpoint, parameters and time.
        raw: The body that was received, if any, up to 64 KiB; not part of str, repr or pickle.
        status: The HTTP status that was received, or None.
        name: Upbit's code for the error, if the answer had one. ``nonce_used`` means that a copy of this request
            has arrived.
        uuid: The id in an answer that accepts a request but can't be read, or does not match this request. It may be
            the id of another withdrawal. None without such an answer.
        connection_bounded: Whether the operating system discards the rest of the request when the connection closes,
            so that the request can't arrive later. False if that is not known, as with HTTP/2 and with HTTP clients
            that do not give access to their connections: then the request may still arrive for about 16 minutes
            after ``intent.started_at``.

    Example:
        .. code-block:: python

            destination = {"currency": "USDT", "net_type": "TRX", "exchange_name": "Binance"}
            try:
                poller = await client.withdraws.send(amount="13", **destination)
            except errors.OutcomeUnknown as unknown:
                reconciliation = await client.withdraws.reconcile(unknown)
                print(reconciliation.status, reconciliation.withdrawal)
    """

    _not_pickled = frozenset({"raw"})

    def __init__(
        self,
        text: str,
        *,
        intent: Intent,
        raw: str = "",
        status: int | None = None,
        name: str = "",
        uuid: str | None = None,
        connection_bounded: bool = False,
    ) -> None:
        super().__init__(text, may_have_executed=True)
        self.intent = intent
        self.raw = raw[:RAW_CAP]
        self.status = status
        self.name = escaped(name)
        self.uuid = uuid
        self.connection_bounded = connection_bounded


class DecodeError(UpbitError):
    """An answer is not what Upbit documents. Compare `path` with Upbit's page, and report it to this project.

    Attributes:
        path: The position in the answer, such as ``$[3].amount``.
        raw: The answer, up to 64 KiB; not part of str, repr or pickle.
        uuid: The id of the record that can't be decoded, if it is only one and its id can; otherwise None.

    Example:
        .. code-block:: python

            try:
                withdrawals = await client.withdraws.list(currency="USDT")
            except errors.DecodeError as error:
                print(error.path, error.uuid)
    """

    _not_pickled = frozenset({"raw"})

    def __init__(
        self,
        text: str,
        *,
        path: str = "$",
        raw: str = "",
        may_have_executed: bool = False,
        uuid: str | None = None,
    ) -> None:
        super().__init__(text, may_have_executed=may_have_executed)
        self.path = escaped(path)
        self.raw = raw[:RAW_CAP]
        self.uuid = uuid


class RepeatTooSoon(UpbitError):
    """This library refused a call that Upbit accepts only once in a period. Call again after `retry_after`.

    Attributes:
        retry_after: The time until the call is allowed again, in seconds.

    Example:
        .. code-block:: python

            deposit = await client.deposits.latest()
            vasps = await client.travel_rule.vasps()
            try:
                await client.travel_rule.verify_by_uuid(deposit.uuid, vasps[0].vasp_uuid)
            except errors.RepeatTooSoon as error:
                print(f"try again in {error.retry_after:.0f} s")
            except errors.APIError as error:
                print(error.name)
    """

    def __init__(self, text: str, *, retry_after: float) -> None:
        super().__init__(text)
        self.retry_after = retry_after
