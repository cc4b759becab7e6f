"""Routes that exist in Korea only: the list of keys, and transfers of won."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from upbit_async.region import Region
from upbit_async.sandbox.body import Body
from upbit_async.sandbox.exchange.deposits import Arrival
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


def _keys(call: RouteContext) -> SandboxResponse:
    """https://docs.upbit.com/kr/reference/list-api-keys."""
    return call.answer(200, [api_key_view(key) for key in call.exchange.keys])


def _withdraw(call: RouteContext) -> SandboxResponse:
    """https://docs.upbit.com/kr/reference/withdraw-krw."""
    knobs = call.exchange.knobs
    record = call.exchange.withdrawals.withdraw_fiat(*_amount(call), call.now)
    return call.answer(knobs.post_status, withdrawal_view(record, knobs))


def _deposit(call: RouteContext) -> SandboxResponse:
    """https://docs.upbit.com/kr/reference/deposit-krw: it waits for a hand, the user's in the app."""
    knobs = call.exchange.knobs
    amount, amount_text = _amount(call)
    arrival = Arrival(
        currency=call.exchange.region.fiat,
        net_type=None,
        amount=amount,
        amount_text=amount_text,
        transitions=Transitions.manual(),
    )
    record = call.exchange.deposits.arrive(arrival, call.now)
    return call.answer(knobs.post_status, deposit_view(record, knobs))


def _amount(call: RouteContext) -> tuple[Decimal, str]:
    members = Members(Body.of(call.request))
    amount, amount_text = members.amount("amount")
    members.choice("two_factor_type", _SECOND_FACTORS)
    members.refuse_faults()
    return amount, amount_text


ROUTES: Final = (
    Route("GET", "/v1/api_keys", None, _keys, regions=_REGIONS),
    Route("POST", "/v1/withdraws/krw", "withdraw", _withdraw, regions=_REGIONS),
    Route("POST", "/v1/deposits/krw", "deposit", _deposit, regions=_REGIONS),
)
