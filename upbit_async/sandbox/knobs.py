"""Knobs: each choice that Upbit's documents leave open, with a default."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import attrs

from upbit_async.sandbox import knob_values

__all__ = ["ErrorSpec", "Knobs"]


@attrs.frozen
class ErrorSpec:
    """How one kind of refusal is answered.

    Attributes:
        status: The HTTP status.
        name: The ``error.name`` in the body.

    Raises:
        ValueError: No answer can have this status.
    """

    status: int = attrs.field(validator=knob_values.status)
    name: str


@attrs.define(kw_only=True, field_transformer=knob_values.checked)
class Knobs:
    """The server's undocumented choices; every one may be changed while the sandbox runs.

    The defaults follow the published samples where there are any and are the gentler choice elsewhere, so
    that a correct client of any make works unchanged. Times are in seconds, from 0 to 10^9.

    Raises:
        ValueError: A knob is set to a value that it does not take, now or later.

    Attributes:
        algorithms: The JWT ``alg`` values that are accepted.
        nonce_memory: How long a nonce is remembered; ``None`` means for ever.
        rejected_burns_nonce: Whether a well signed request that is then refused still uses up its nonce.
        space: How a space is expected in the text under ``query_hash``; the documents disagree.
        encoded_brackets: Whether ``uuids%5B%5D=`` is taken like ``uuids[]=``.
        null_members: Whether a JSON null is left out of the hashed text, or stands there as such a word.
        limit: Calls per second and account in the group ``default``.
        window: Whether the second is the clock's (``fixed``) or the last one (``sliding``).
        rejected_count: Whether calls answered 429 use up the budget too.
        remaining_on_429: Whether a 429 carries ``Remaining-Req``.
        ban_after: How many 429 within ``ban_memory`` lead to 418; ``None`` switches bans off.
        ban_memory: How long a 429 is held against the account.
        ban_seconds: How long the first ban lasts.
        ban_escalation: By how much each further ban is longer.
        ban_name: The ``error.name`` of a 418.
        ban_message: The ``error.message`` of a 418; ``{seconds}`` is the time left, rounded up.
        ban_body: The whole body of a 418 where it is not to be a JSON error; ``{seconds}`` as above.
        post_status: The status of a POST that succeeded.
        time_format: Whether times carry no zone, ``Z``, or an offset, as a sandbox of Korea's does by default.
        time_offset: The offset of ``time_format="offset"``.
        nulls: Whether members without a value are there as null, or dropped, in every answer.
        unit_currency: The ``unit_currency`` of a balance; ``None`` means the region's fiat. Answers of Singapore
            have been recorded with ``USDT``.
        two_factor_auth_verified: Where ``GET /v1/withdraws/chance`` tells ``two_factor_auth_verified``; the
            documents disagree.
        single_get_net_type: Whether ``GET /v1/withdraw`` tells ``net_type`` (one published sample does not).
        list_net_type: Whether ``GET /v1/withdraws`` tells ``net_type``.
        amounts: Whether ``amount`` comes back with at least one decimal and no idle zeros, as it was sent, or
            without the fee (of a withdrawal), as the documents do not rule out.
        fee_on_top: Whether the fee is taken beside the amount, or out of it.
        list_delay: How long a new transfer is missing in ``GET /v1/withdraws`` and ``GET /v1/deposits``.
        get_delay: How long a new transfer is missing in ``GET /v1/withdraw`` and ``GET /v1/deposit``.
        list_order: By what lists are ordered, newest first unless ``order_by`` says otherwise; by ``done_at``,
            transfers without one come last. ``oldest first`` is by creation, whatever ``order_by`` says.
        list_created_at_delay: How long a new transfer has no ``created_at`` in lists, and comes last there;
            ``None`` means that no transfer ever has one in lists.
        uuids: Whether the id of a transfer, or of an exchange, may be asked for in any case of letters.
        cursors: Whether ``from`` and ``to`` include the transfer they name.
        cursors_with_filters: Whether a list takes ``from`` or ``to`` together with filters (currency, state,
            ids): it combines them, refuses them, or ignores one kind.
        deposit_uuids_with_txids: Whether ``GET /v1/deposits`` takes ``uuids[]`` together with ``txids[]``; for
            withdrawals it is documented that it is refused.
        unknown_cursor: Whether a cursor that names no transfer is refused or ignored.
        suspected_done_at: Whether ``done_at`` is set when the travel rule holds a deposit up (in one published
            sample it is).
        address_seconds: How long a deposit address is in the making; ``None`` means that time alone never ends
            it.
        address_looks: After how many answers that it is not ready a deposit address is; ``None`` means that
            looks alone never end it.
        address_status: The status of a POST that finds the deposit address ready (201 in Korea).
        address_permission: What generating a deposit address takes; the documents disagree.
        already_recorded: The states of a deposit in which it is too late to verify it by its txid.
        verification_failed: The ``verification_result`` that means no; only ``verified`` is published.
        verification_interval: How long the same verification is not to be asked for again.
        beneficiary_required: Whether Indonesia asks for the three ``beneficiary_*`` members.
        language: The language of ``error.message``.
        out_of_scope: Refusal of a key without the permission (401 in older tables).
        unknown_wallet: Refusal of an unknown currency or network.
        insufficient_balance: Refusal of more than there is.
        below_minimum: Refusal of an amount below the minimum.
        too_many_decimals: Refusal of an amount that is too fine.
        wallet_suspended: Refusal while the wallet does not pay out.
        account_locked: Refusal while the account or its withdrawals are locked.
        not_cancelable: Refusal to cancel what can no longer be cancelled.
        deposits_suspended: Refusal to generate a first address while the wallet takes no deposits; ``None``
            means that it is generated all the same.
        address_not_found: Refusal of an address that was never generated.
        unknown_vasp: Refusal of an unknown exchange.
        verification_too_soon: Refusal of the same verification again.
        not_in_region: Refusal of what there is in other regions only.
    """

    algorithms: frozenset[str] = frozenset({"HS256", "HS512"})
    nonce_memory: float | None = None
    rejected_burns_nonce: bool = True
    space: Literal["plus", "space", "either"] = "either"
    encoded_brackets: bool = True
    null_members: Literal["left out", "null", "None"] = "left out"

    limit: int = 30
    window: Literal["fixed", "sliding"] = "fixed"
    rejected_count: bool = False
    remaining_on_429: bool = True
    ban_after: int | None = 60
    ban_memory: float = 10.0
    ban_seconds: float = 60.0
    ban_escalation: float = 2.0
    ban_name: str = "too_many_requests"
    ban_message: str = "Too many API requests. You are blocked for {seconds} seconds."
    ban_body: str | None = None

    post_status: int = attrs.field(default=201, validator=knob_values.status)
    time_format: Literal["naive", "Z", "offset"] = "naive"
    time_offset: timedelta = timedelta(hours=9)
    nulls: Literal["present", "dropped"] = "present"
    unit_currency: str | None = None
    two_factor_auth_verified: Literal["in Korea", "everywhere", "nowhere"] = "in Korea"
    single_get_net_type: bool = True
    list_net_type: bool = True
    amounts: Literal["normalised", "as sent", "net of fee"] = "normalised"
    fee_on_top: bool = True
    list_delay: float = 0.0
    get_delay: float = 0.0
    list_order: Literal["created_at", "done_at", "oldest first"] = "created_at"
    list_created_at_delay: float | None = 0.0
    cursors: Literal["exclusive", "inclusive"] = "exclusive"
    uuids: Literal["any case", "as told"] = "any case"
    cursors_with_filters: Literal["combined", "refused", "cursors ignored", "filters ignored"] = "combined"
    deposit_uuids_with_txids: Literal["refused", "combined"] = "refused"
    unknown_cursor: Literal["refused", "ignored"] = "refused"
    suspected_done_at: bool = True
    address_seconds: float | None = 3.0
    address_looks: int | None = None
    address_status: int = attrs.field(default=200, validator=knob_values.status)
    address_permission: Literal["deposit", "view_deposits"] = "deposit"
    already_recorded: frozenset[str] = frozenset(
        {"ACCEPTED", "CANCELLED", "REJECTED", "REFUNDING", "REFUNDED"}
    )
    verification_failed: str = "not_verified"
    verification_interval: float = 600.0
    beneficiary_required: bool = False

    language: Literal["en", "ko"] = "en"
    out_of_scope: ErrorSpec = ErrorSpec(403, "out_of_scope")
    unknown_wallet: ErrorSpec = ErrorSpec(400, "invalid_parameter")
    insufficient_balance: ErrorSpec = ErrorSpec(400, "withdraw_insufficient_balance")
    below_minimum: ErrorSpec = ErrorSpec(400, "withdraw_amount_below_minimum")
    too_many_decimals: ErrorSpec = ErrorSpec(400, "withdraw_decimal_places_exceeded")
    wallet_suspended: ErrorSpec = ErrorSpec(400, "withdraw_maintain")
    account_locked: ErrorSpec = ErrorSpec(400, "request_fail")
    not_cancelable: ErrorSpec = ErrorSpec(400, "withdraw_not_cancelable")
    deposits_suspended: ErrorSpec | None = ErrorSpec(400, "invalid_parameter")
    address_not_found: ErrorSpec = ErrorSpec(404, "coin_address_not_found")
    unknown_vasp: ErrorSpec = ErrorSpec(400, "invalid_parameter")
    verification_too_soon: ErrorSpec = ErrorSpec(429, "too_many_requests")
    not_in_region: ErrorSpec = ErrorSpec(404, "not_found")
