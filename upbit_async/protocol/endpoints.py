"""Endpoints of Upbit's API that this library calls.

To add one, add its constant: `ENDPOINTS`, the documentation's table and the tests of all endpoints follow from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from upbit_async.models import (
    Account,
    ApiKey,
    Deposit,
    DepositAddress,
    DepositAddressRequest,
    DepositChance,
    TravelRuleVerification,
    Vasp,
    WalletStatus,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalChance,
)
from upbit_async.policy import Safety
from upbit_async.protocol.endpoint import Endpoint
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Mapping

_DOCS: Final = "https://global-docs.upbit.com/reference/"
_TRAVEL_RULE_REGIONS: Final = frozenset({Region.SG, Region.KR})
_TEN_MINUTES: Final = 600.0

LIST_ACCOUNTS: Final = Endpoint(
    method="GET",
    path="/v1/accounts",
    returns=list[Account],
    safety=Safety.READ,
    permission="view_account",
    docs=f"{_DOCS}get-balance",
)
LIST_API_KEYS: Final = Endpoint(
    method="GET",
    path="/v1/api_keys",
    returns=list[ApiKey],
    safety=Safety.READ,
    docs="https://docs.upbit.com/kr/reference/list-api-keys",
    regions=frozenset({Region.KR}),
)

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
    echoed_fields=("uuid", "txid", "currency"),
)
GET_WITHDRAWAL_CHANCE: Final = Endpoint(
    method="GET",
    path="/v1/withdraws/chance",
    returns=WithdrawalChance,
    safety=Safety.READ,
    permission="view_withdrawals",
    docs=f"{_DOCS}available-withdrawal-information",
    echoed_fields=("currency", "net_type"),
    echoed_in={
        "currency": ("currency.code", "account.currency", "withdraw_limit.currency"),
        "net_type": ("net_type", "currency.net_type"),
    },
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
    recovery_hint="call client.withdraws.reconcile(error)",
    echoed_fields=("currency", "net_type", "transaction_type", "amount"),
)
CANCEL_WITHDRAWAL: Final = Endpoint(
    method="DELETE",
    path="/v1/withdraws/coin",
    returns=Withdrawal,
    safety=Safety.REPEATABLE,
    permission="withdraw",
    docs=f"{_DOCS}cancel-withdrawal",
    echoed_fields=("uuid",),
)

LIST_DEPOSITS: Final = Endpoint(
    method="GET",
    path="/v1/deposits",
    returns=list[Deposit],
    safety=Safety.READ,
    permission="view_deposits",
    docs=f"{_DOCS}list-deposits",
)
GET_DEPOSIT: Final = Endpoint(
    method="GET",
    path="/v1/deposit",
    returns=Deposit,
    safety=Safety.READ,
    permission="view_deposits",
    docs=f"{_DOCS}get-deposit",
    echoed_fields=("uuid", "txid", "currency"),
)
GET_DEPOSIT_CHANCE: Final = Endpoint(
    method="GET",
    path="/v1/deposits/chance/coin",
    returns=DepositChance,
    safety=Safety.READ,
    permission="view_deposits",
    docs=f"{_DOCS}available-deposit-information",
    echoed_fields=("currency", "net_type"),
)
LIST_DEPOSIT_ADDRESSES: Final = Endpoint(
    method="GET",
    path="/v1/deposits/coin_addresses",
    returns=list[DepositAddress],
    safety=Safety.READ,
    permission="view_deposits",
    docs=f"{_DOCS}list-deposit-addresses",
)
GET_DEPOSIT_ADDRESS: Final = Endpoint(
    method="GET",
    path="/v1/deposits/coin_address",
    returns=DepositAddress,
    safety=Safety.READ,
    permission="view_deposits",
    docs=f"{_DOCS}get-deposit-address",
    echoed_fields=("currency", "net_type"),
)
CREATE_DEPOSIT_ADDRESS: Final = Endpoint(
    method="POST",
    path="/v1/deposits/generate_coin_address",
    returns=DepositAddressRequest,
    safety=Safety.REPEATABLE,  # one address for each currency and network, which never changes
    permission="deposit",
    docs=f"{_DOCS}create-deposit-address",
    echoed_fields=("currency", "net_type"),
)
LIST_VASPS: Final = Endpoint(
    method="GET",
    path="/v1/travel_rule/vasps",
    returns=list[Vasp],
    safety=Safety.READ,
    permission="view_deposits",
    docs=f"{_DOCS}list-travelrule-vasps",
    regions=_TRAVEL_RULE_REGIONS,
)
VERIFY_DEPOSIT_BY_UUID: Final = Endpoint(
    method="POST",
    path="/v1/travel_rule/deposit/uuid",
    returns=TravelRuleVerification,
    safety=Safety.ONCE,
    permission="deposit",
    docs=f"{_DOCS}verify-travelrule-by-uuid",
    regions=_TRAVEL_RULE_REGIONS,
    interval=_TEN_MINUTES,
    recovery_hint="read the deposit's state with client.deposits.get",
    echoed_fields=("deposit_uuid",),
)
VERIFY_DEPOSIT_BY_TXID: Final = Endpoint(
    method="POST",
    path="/v1/travel_rule/deposit/txid",
    returns=TravelRuleVerification,
    safety=Safety.ONCE,
    permission="deposit",
    docs=f"{_DOCS}verify-travelrule-by-txid",
    regions=_TRAVEL_RULE_REGIONS,
    interval=_TEN_MINUTES,
    recovery_hint="read the deposit's state with client.deposits.get(txid=...)",
)

_constants = cast("list[Endpoint[Any]]", [each for each in globals().values() if isinstance(each, Endpoint)])
ENDPOINTS: Final[Mapping[tuple[str, str], Endpoint[Any]]] = {
    (endpoint.method, endpoint.path): endpoint for endpoint in _constants
}
"""Every endpoint of this module by method and path."""
