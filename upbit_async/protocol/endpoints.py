"""The endpoints that this library knows. Tests walk them: each has a method, a route and a sample."""

from __future__ import annotations

from typing import Any, Final

from upbit_async.models import WalletStatus, Withdrawal, WithdrawalAddress, WithdrawalChance
from upbit_async.policy import Safety
from upbit_async.protocol.endpoint import Endpoint

__all__ = [
    "CANCEL_WITHDRAWAL",
    "CREATE_WITHDRAWAL",
    "ENDPOINTS",
    "GET_WITHDRAWAL",
    "GET_WITHDRAWAL_CHANCE",
    "LIST_WALLETS",
    "LIST_WITHDRAWALS",
    "LIST_WITHDRAWAL_ADDRESSES",
]

_DOCS: Final = "https://global-docs.upbit.com/reference/"

LIST_WALLETS: Final = Endpoint(
    method="GET",
    path="/v1/status/wallet",
    returns=list[WalletStatus],
    safety=Safety.READ,
    docs=f"{_DOCS}get-service-status",
)
LIST_WITHDRAWALS: Final = Endpoint(
    method="GET",
    path="/v1/withdraws",
    returns=list[Withdrawal],
    safety=Safety.READ,
    permission="view_withdrawals",
    docs=f"{_DOCS}list-withdrawals",
)
GET_WITHDRAWAL: Final = Endpoint(
    method="GET",
    path="/v1/withdraw",
    returns=Withdrawal,
    safety=Safety.READ,
    permission="view_withdrawals",
    docs=f"{_DOCS}get-withdrawal",
)
GET_WITHDRAWAL_CHANCE: Final = Endpoint(
    method="GET",
    path="/v1/withdraws/chance",
    returns=WithdrawalChance,
    safety=Safety.READ,
    permission="view_withdrawals",
    docs=f"{_DOCS}available-withdrawal-information",
)
LIST_WITHDRAWAL_ADDRESSES: Final = Endpoint(
    method="GET",
    path="/v1/withdraws/coin_addresses",
    returns=list[WithdrawalAddress],
    safety=Safety.READ,
    permission="view_withdrawals",
    docs=f"{_DOCS}list-withdrawal-addresses",
)
CREATE_WITHDRAWAL: Final = Endpoint(
    method="POST",
    path="/v1/withdraws/coin",
    returns=Withdrawal,
    safety=Safety.ONCE,
    permission="withdraw",
    docs=f"{_DOCS}withdraw",
)
CANCEL_WITHDRAWAL: Final = Endpoint(
    method="DELETE",
    path="/v1/withdraws/coin",
    returns=Withdrawal,
    safety=Safety.REPEATABLE,
    permission="withdraw",
    docs=f"{_DOCS}cancel-withdrawal",
)

ENDPOINTS: Final[dict[tuple[str, str], Endpoint[Any]]] = {
    (endpoint.method, endpoint.path): endpoint
    for endpoint in (
        LIST_WALLETS,
        LIST_WITHDRAWALS,
        GET_WITHDRAWAL,
        GET_WITHDRAWAL_CHANCE,
        LIST_WITHDRAWAL_ADDRESSES,
        CREATE_WITHDRAWAL,
        CANCEL_WITHDRAWAL,
    )
}
