"""Every answer of the sandbox, held against the official SDK's own types."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async.sandbox import Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

upbit: Any = import_module("upbit")

TRON = {"currency": "USDT", "net_type": "TRX"}
BTC = {"currency": "BTC", "net_type": "BTC"}
ADDRESS = "TFakeTronWithdrawAddressFakeFakeFa"
VASP = "00000000-0000-4000-8000-000000000901"
OPEN = "00000000-0000-4000-8000-000000000006"
SUSPECTED = "00000000-0000-4000-8000-000000000102"
SUSPECTED_TXID = f"{'f' * 60}{102:04x}"

CALLS: dict[str, Callable[[Any], Any]] = {
    "accounts": lambda sdk: sdk.accounts.list(),
    "wallets": lambda sdk: sdk.wallet_status.list(),
    "markets": lambda sdk: sdk.trading_pairs.list(),
    "markets in detail": lambda sdk: sdk.trading_pairs.list(is_details=True),
    "withdrawals": lambda sdk: sdk.withdraws.list().items,
    "withdrawal": lambda sdk: sdk.withdraws.retrieve(),
    "withdrawal chance": lambda sdk: sdk.withdraws.retrieve_chance(**TRON),
    "withdrawal addresses": lambda sdk: sdk.withdraws.list_coin_addresses(),
    "withdraw": lambda sdk: sdk.withdraws.create_withdrawal(**TRON, amount="13", address=ADDRESS),
    "cancel": lambda sdk: sdk.withdraws.cancel_withdrawal(uuid=OPEN),
    "deposits": lambda sdk: sdk.deposits.list().items,
    "deposit": lambda sdk: sdk.deposits.retrieve(),
    "deposit chance": lambda sdk: sdk.deposits.retrieve_chance(**TRON),
    "deposit address": lambda sdk: sdk.deposits.retrieve_coin_address(**BTC),
    "deposit addresses": lambda sdk: sdk.deposits.list_coin_addresses(),
    "make an address": lambda sdk: sdk.deposits.create_coin_address(**TRON),
    "repeat an address": lambda sdk: sdk.deposits.create_coin_address(**BTC),
    "exchanges": lambda sdk: sdk.travel_rule.list_vasps(),
    "verify by uuid": lambda sdk: sdk.travel_rule.verify_deposit_by_uuid(
        deposit_uuid=SUSPECTED, vasp_uuid=VASP
    ),
    "verify by txid": lambda sdk: sdk.travel_rule.verify_deposit_by_txid(
        txid=SUSPECTED_TXID, vasp_uuid=VASP, **TRON
    ),
    "deposit won": lambda sdk: sdk.deposits.deposit_krw(amount="10000", two_factor_type="hana"),
}
NARROWER = {  # where its types say less than the documents
    ("sg", "markets"): "korean_name",
    ("sg", "markets in detail"): "korean_name",
    ("sg", "withdrawal chance"): "two_factor_auth_verified",
    ("sg", "wallets"): "block_elapsed_minutes",
    ("kr", "wallets"): "block_elapsed_minutes",
}


@pytest.fixture
def strict(url: str, keys: dict[str, str], sandbox: Sandbox) -> Generator[Any]:
    sandbox.withdrawals.transitions = Transitions.manual()
    with upbit.Upbit(base_url=url, **keys, max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest.mark.parametrize("region", ["sg", "kr"])
@pytest.mark.parametrize("name", CALLS)
def test_the_types_hold(strict: Any, region: str, name: str) -> None:
    missing = NARROWER.get((region, name))
    if (region, name) == ("sg", "deposit won"):
        with pytest.raises(upbit.NotFoundError):
            CALLS[name](strict)
    elif missing is None:
        assert CALLS[name](strict)
    else:
        with pytest.raises(upbit.APIResponseValidationError) as raised:
            CALLS[name](strict)
        assert missing in str(raised.value.__cause__)


@pytest.mark.parametrize("region", ["kr"])
def test_won_are_withdrawn_in_states_that_the_sdk_writes_in_lower_case(strict: Any) -> None:
    with pytest.raises(upbit.APIResponseValidationError) as raised:
        strict.withdraws.create_krw_withdrawal(amount="10000", two_factor_type="kakao")
    assert "state" in str(raised.value.__cause__)
