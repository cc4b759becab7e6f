"""Knobs: every behaviour of the server that Upbit's documentation does not specify, with a default."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import attrs

from upbit_async.sandbox import validation

__all__ = ["ErrorSpec", "Knobs"]


@attrs.frozen
class ErrorSpec:
    """Status and name of the answer that refuses a request.

    Attributes:
        status: HTTP status.
        name: ``error.name`` in the body.

    Raises:
        ValueError: No answer can have this status.

    Example:
        .. code-block:: python

            from upbit_async.sandbox import ErrorSpec

            sandbox.knobs.insufficient_balance = ErrorSpec(400, "insufficient_funds")
    """

    status: int = attrs.field(validator=validation.check_status)
    name: str


@attrs.define(kw_only=True, field_transformer=validation.check_annotations)
class Knobs:
    """Behaviours of the server that Upbit's documentation does not specify.

    Each knob may be changed while the sandbox runs. The defaults follow the published samples where there are any.
    Elsewhere they are the more tolerant choice, so that a correct client works unchanged. Times are in seconds, from 0
    to 10^9.

    Raises:
        ValueError: A knob is set to a value that it does not accept; the text names the accepted ones.

    Example:
        .. code-block:: python

            sandbox.knobs.list_delay = 20  # a new transfer is missing in lists for 20 seconds
            sandbox.knobs.fee_on_top = False  # the fee is deducted from the amount
    """

    # -- signature and nonce -----------------------------------------------------------------------

    algorithms: frozenset[str] = frozenset({"HS256", "HS512"})
    """Accepted JWT algorithms. Pages of the documentation name one or the other."""
    nonce_memory: float | None = None
    """Time for which a nonce is refused a second time; ``None`` for ever. Undocumented."""
    rejected_burns_nonce: bool = True
    """Whether a correctly signed request uses up its nonce if it is refused for another reason. Undocumented."""
    space: Literal["plus", "space", "either"] = "either"
    """Character for a space in the text under ``query_hash``. The reference recipe implies a plus, other clients hash a
    space."""
    encoded_brackets: bool = True
    """Whether ``uuids%5B%5D=`` is read as ``uuids[]=``. The documentation shows raw brackets only."""
    null_members: Literal["left out", "null", "None"] = "left out"
    """Text of a JSON null under ``query_hash``, or none. Undocumented; the official SDK sends nulls and
    leaves them out of the hash."""

    # -- rate limits -------------------------------------------------------------------------------

    limit: int = 30
    """Calls per second and account in the group ``default``. Documented as 30; lower it to test 429 sooner."""
    window: Literal["fixed", "sliding"] = "fixed"
    """Whether a limit counts the calls of the clock's second or of the last second. The documentation says "per
    second"."""
    rejected_count: bool = False
    """Whether calls answered with 429 count against the limit. Undocumented."""
    remaining_on_429: bool = True
    """Whether a 429 has the header ``Remaining-Req``. Undocumented."""
    ban_after: int | None = 60
    """Number of 429 within ``ban_memory`` after which the next one is a 418; ``None`` for no bans. Undocumented."""
    ban_memory: float = 10.0
    """Time for which a 429 counts towards a ban. Undocumented."""
    ban_seconds: float = 60.0
    """Length of the first ban. Undocumented."""
    ban_escalation: float = 2.0
    """Factor by which each ban is longer than the one before. Documented to grow, but not by how much."""
    ban_name: str = "too_many_requests"
    """``error.name`` of a 418. Undocumented."""
    ban_message: str = "Too many API requests. You are blocked for {seconds} seconds."
    """``error.message`` of a 418; ``{seconds}`` is the remaining time, rounded up. Documented to contain the time, but
    not in which form."""
    ban_body: str | None = None
    """Body of a 418 instead of a JSON error; ``{seconds}`` as in ``ban_message``. Undocumented."""

    # -- answers -----------------------------------------------------------------------------------

    post_status: int = attrs.field(default=201, validator=validation.check_status)
    """Status of a successful POST. Documented as 201, but some pages show 200."""
    time_format: Literal["naive", "Z", "offset"] = "naive"
    """Whether times have no zone, ``Z``, or an offset. Samples differ; a sandbox of Korea uses ``offset``."""
    time_offset: timedelta = timedelta(hours=9)
    """Offset for ``time_format="offset"``. Korean samples have +09:00."""
    nulls: Literal["present", "dropped"] = "present"
    """Whether members without a value are null or absent, in every answer. Samples show both."""
    unit_currency: str | None = None
    """``unit_currency`` of a balance; ``None`` for the region's fiat. Singapore was recorded with ``USDT``."""
    two_factor_auth_verified: Literal["in Korea", "everywhere", "nowhere"] = "in Korea"
    """Regions whose withdrawal chance has ``two_factor_auth_verified``. Only Korea's page has it."""
    single_get_net_type: bool = True
    """Whether ``GET /v1/withdraw`` returns ``net_type``. One published sample lacks it."""
    list_net_type: bool = True
    """Whether ``GET /v1/withdraws`` returns ``net_type``. Records from before 2023-05 lack it."""
    language: Literal["en", "ko"] = "en"
    """Language of ``error.message``. Answers in both languages were recorded."""

    # -- amounts and fees --------------------------------------------------------------------------

    amounts: Literal["normalised", "as sent", "net of fee"] = "normalised"
    """Whether ``amount`` is returned without trailing zeros, as it was sent, or (withdrawals) less the fee.
    Undocumented."""
    fee_on_top: bool = True
    """Whether the fee of a withdrawal is added to its amount or deducted from it. Undocumented."""

    # -- lists -------------------------------------------------------------------------------------

    list_delay: float = 0.0
    """Time for which a new transfer is missing in lists. Undocumented; lists may lag behind."""
    get_delay: float = 0.0
    """Time for which a new transfer is not found by ``GET /v1/withdraw`` and ``GET /v1/deposit``. Undocumented."""
    list_order: Literal["created_at", "done_at", "oldest first"] = "created_at"
    """Sort key of lists; by ``done_at``, open transfers come last. ``oldest first`` ignores ``order_by``. Documented
    as by creation."""
    list_created_at_delay: float | None = 0.0
    """Time for which a new transfer has no ``created_at`` in lists and comes last; ``None`` for ever.
    Undocumented."""
    uuids: Literal["any case", "exact case"] = "any case"
    """Whether ids of transfers and exchanges match regardless of case. Undocumented."""
    cursors: Literal["exclusive", "inclusive"] = "exclusive"
    """Whether ``from`` and ``to`` include the transfer that they name. Undocumented; the official SDK assumes not."""
    cursors_with_filters: Literal["combined", "refused", "cursors ignored", "filters ignored"] = "combined"
    """Result of ``from`` or ``to`` together with filters (currency, state, ids). Undocumented."""
    deposit_uuids_with_txids: Literal["refused", "combined"] = "refused"
    """Result of ``uuids[]`` with ``txids[]`` for deposits. Documented as refused for withdrawals only."""
    unknown_cursor: Literal["refused", "ignored"] = "refused"
    """Result of a cursor that names no transfer. Undocumented."""

    # -- deposits and the travel rule --------------------------------------------------------------

    suspected_done_at: bool = True
    """Whether a deposit held by the travel rule has a ``done_at``. One published sample has one."""
    address_seconds: float | None = 3.0
    """Time that a deposit address takes to generate; ``None`` if time alone never completes it. Undocumented."""
    address_reads: int | None = None
    """Number of "not ready" answers after which a deposit address is ready; ``None`` for no effect. Undocumented."""
    address_status: int = attrs.field(default=200, validator=validation.check_status)
    """Status of a POST for a deposit address that is ready. Documented as 201 in Korea and 200 elsewhere."""
    address_permission: Literal["deposit", "view_deposits"] = "deposit"
    """Permission to generate a deposit address. Two pages of the documentation disagree."""
    already_recorded: frozenset[str] = frozenset(
        {"ACCEPTED", "CANCELLED", "REJECTED", "REFUNDING", "REFUNDED"}
    )
    """States in which a deposit can't be verified by its txid any more. The error is documented, its states are not."""
    verification_failed: str = "not_verified"
    """``verification_result`` of a failed verification. Only ``verified`` is published."""
    verification_interval: float = 600.0
    """Time before the same verification may be requested again. Documented as ten minutes."""
    beneficiary_required: bool = False
    """Whether Indonesia requires the three ``beneficiary_*`` members. One version of the documentation does."""

    # -- refusals ----------------------------------------------------------------------------------

    out_of_scope: ErrorSpec = ErrorSpec(403, "out_of_scope")
    """Refusal of a key without the permission. Older tables say 401."""
    unknown_wallet: ErrorSpec = ErrorSpec(400, "invalid_parameter")
    """Refusal of an unknown currency or network. Korea has documented ``currency_not_found`` (404) since 2026."""
    insufficient_balance: ErrorSpec = ErrorSpec(400, "withdraw_insufficient_balance")
    """Refusal of more than the balance. Undocumented; this name was recorded."""
    below_minimum: ErrorSpec = ErrorSpec(400, "withdraw_amount_below_minimum")
    """Refusal of an amount below the minimum. Undocumented."""
    too_many_decimals: ErrorSpec = ErrorSpec(400, "withdraw_decimal_places_exceeded")
    """Refusal of an amount with too many decimals. Undocumented."""
    wallet_suspended: ErrorSpec = ErrorSpec(400, "withdraw_maintain")
    """Refusal while the wallet does not support withdrawals. Undocumented."""
    account_locked: ErrorSpec = ErrorSpec(400, "request_fail")
    """Refusal while the account or its withdrawals are locked. Undocumented."""
    not_cancelable: ErrorSpec = ErrorSpec(400, "withdraw_not_cancelable")
    """Refusal to cancel a withdrawal that can no longer be cancelled. Undocumented."""
    deposits_suspended: ErrorSpec | None = ErrorSpec(400, "invalid_parameter")
    """Refusal to generate a first address while the wallet takes no deposits; ``None`` to generate it. Undocumented."""
    address_not_found: ErrorSpec = ErrorSpec(404, "coin_address_not_found")
    """Refusal of a deposit address that was never generated. Undocumented; this answer was recorded."""
    unknown_vasp: ErrorSpec = ErrorSpec(400, "invalid_parameter")
    """Refusal of an unknown exchange. Undocumented."""
    verification_too_soon: ErrorSpec = ErrorSpec(429, "too_many_requests")
    """Refusal of the same verification within ``verification_interval``. Undocumented."""
    not_in_region: ErrorSpec = ErrorSpec(404, "not_found")
    """Refusal of a path that exists in other regions only. Undocumented."""
