"""Routes that exist in Korea only: the list of keys, and transfers of won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.region import Region
from upbit_async.sandbox.body import Body
from upbit_async.sandbox.exchange.transfers import Arrival
from upbit_async.sandbox.exchange.transitions import Transitions
from upbit_async.sandbox.routes.parameters import Members
from upbit_async.sandbox.routes.route import Route, RouteContext
from upbit_async.sandbox.views import api_key_view, deposit_view, withdrawal_view

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.sandbox.messages import SandboxResponse

__all__ = ["ROUTES"]

_REGIONS: Final = frozenset({Region.KR})
_SECOND_FACTORS: Final = ("kakao", "naver", "hana")


def _keys(context: RouteContext) -> SandboxResponse:
    """https://docs.upbit.com/kr/reference/list-api-keys."""
    return context.answer(200, [api_key_view(key) for key in context.exchange.keys])


def _withdraw(context: RouteContext) -> SandboxResponse:
    """https://docs.upbit.com/kr/reference/withdraw-krw."""
    knobs = context.exchange.knobs
    record = context.exchange.withdrawals.withdraw_fiat(*_amount(context), context.now)
    return context.answer(knobs.post_status, withdrawal_view(record, knobs))


def _deposit(context: RouteContext) -> SandboxResponse:
    """https://docs.upbit.com/kr/reference/deposit-krw; the deposit waits for the user's confirmation in the app."""
    knobs = context.exchange.knobs
    amount, amount_text = _amount(context)
    arrival = Arrival(
        currency=context.exchange.region.fiat,
        net_type=None,
        amount=amount,
        amount_text=amount_text,
        transitions=Transitions.manual(),
    )
    record = context.exchange.deposits.arrive(arrival, context.now)
    return context.answer(knobs.post_status, deposit_view(record, knobs))


def _amount(context: RouteContext) -> tuple[Decimal, str]:
    members = Members(Body.of(context.request))
    amount, amount_text = members.amount("amount")
    members.choice("two_factor_type", _SECOND_FACTORS)
    members.raise_if_invalid()
    return amount, amount_text


ROUTES: Final = (
    Route("GET", "/v1/api_keys", None, _keys, regions=_REGIONS),
    Route("POST", "/v1/withdraws/krw", "withdraw", _withdraw, regions=_REGIONS),
    Route("POST", "/v1/deposits/krw", "deposit", _deposit, regions=_REGIONS),
)
