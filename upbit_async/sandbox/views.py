"""JSON representations of the exchange's records."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from upbit_async.region import Region

if TYPE_CHECKING:
    from decimal import Decimal

    from upbit_async.sandbox.exchange.accounts import (
        AccountRecord,
        Balance,
        MemberLevelRecord,
        RegisteredAddress,
    )
    from upbit_async.sandbox.exchange.assets import WalletRecord
    from upbit_async.sandbox.exchange.deposit_addresses import DepositAddressRecord
    from upbit_async.sandbox.exchange.exchange import Exchange
    from upbit_async.sandbox.exchange.keys import ApiKeyRecord
    from upbit_async.sandbox.exchange.transfers import DepositRecord, TransferRecord, WithdrawalRecord
    from upbit_async.sandbox.exchange.travel_rule import VaspRecord, Verification
    from upbit_async.sandbox.knobs import Knobs
    from upbit_async.sandbox.messages import Json

__all__ = [
    "account_view",
    "address_view",
    "amount_text",
    "api_key_view",
    "chance_view",
    "deposit_address_view",
    "deposit_chance_view",
    "deposit_view",
    "time_text",
    "vasp_view",
    "verification_view",
    "wallet_view",
    "withdrawal_view",
]

_KOREA: Final = timezone(timedelta(hours=9))
_SUSPENDED: Final = "Deposits and withdrawals are temporarily suspended due to a network upgrade"


def amount_text(amount: Decimal) -> str:
    """Return an amount as Upbit writes most of them: positional, without trailing zeros, at least one decimal."""
    whole, _, fraction = format(amount, "f").partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def time_text(moment: datetime, knobs: Knobs) -> str:
    """Return a time in full seconds, in the form of ``Knobs.time_format``."""
    moment = moment.replace(microsecond=0)
    if knobs.time_format == "naive":
        return moment.replace(tzinfo=None).isoformat()
    if knobs.time_format == "Z":
        return moment.replace(tzinfo=None).isoformat() + "Z"
    return moment.astimezone(timezone(knobs.time_offset)).isoformat()


def wallet_view(wallet: WalletRecord, now: datetime) -> dict[str, Json]:
    """Return a row of ``GET /v1/status/wallet``."""
    age = wallet.block_age
    block_at = None if age is None else now - timedelta(seconds=age)
    return {
        "currency": wallet.currency,
        "wallet_state": wallet.wallet_state,
        "block_state": wallet.block_state,
        "block_height": wallet.block_height,
        "block_updated_at": None if block_at is None else block_at.isoformat(timespec="milliseconds"),
        "block_elapsed_minutes": None if age is None else int(age // 60),
        "net_type": wallet.net_type,
        "network_name": wallet.network_name,
    }


def account_view(currency: str, balance: Balance, region: Region, knobs: Knobs) -> dict[str, Json]:
    """Return a row of ``GET /v1/accounts``."""
    return {
        "currency": currency,
        "balance": amount_text(balance.available),
        "locked": amount_text(balance.locked),
        "avg_buy_price": balance.avg_buy_price,
        "avg_buy_price_modified": balance.avg_buy_price_modified,
        "unit_currency": region.fiat if knobs.unit_currency is None else knobs.unit_currency,
    }


def address_view(address: RegisteredAddress, region: Region) -> dict[str, Json]:
    """Return a row of ``GET /v1/withdraws/coin_addresses``."""
    view: dict[str, Json] = {
        "currency": address.currency,
        "net_type": address.net_type,
        "network_name": address.network_name,
        "withdraw_address": address.withdraw_address,
        "secondary_address": address.secondary_address,
    }
    if region in {Region.SG, Region.KR}:
        view |= {
            "beneficiary_name": address.beneficiary_name,
            "beneficiary_company_name": address.beneficiary_company_name,
            "beneficiary_type": address.beneficiary_type,
            "exchange_name": address.exchange_name,
            "wallet_type": address.wallet_type,
        }
    return view


def withdrawal_view(
    record: WithdrawalRecord, knobs: Knobs, *, is_cancelable: bool | None = None
) -> dict[str, Json]:
    """Return a withdrawal; ``is_cancelable`` overrides the record's."""
    view = _transfer_view("withdraw", record, knobs)
    if knobs.amounts == "net of fee":
        view["amount"] = amount_text(record.amount - record.fee)
    view["is_cancelable"] = record.is_cancelable if is_cancelable is None else is_cancelable
    return view


def deposit_view(record: DepositRecord, knobs: Knobs) -> dict[str, Json]:
    """Return a deposit."""
    return _transfer_view("deposit", record, knobs)


def _transfer_view(kind: str, record: TransferRecord, knobs: Knobs) -> dict[str, Json]:
    return {
        "type": kind,
        "uuid": record.uuid,
        "currency": record.currency,
        "net_type": record.net_type,
        "txid": record.txid,
        "state": record.state,
        "created_at": time_text(record.created_at, knobs),
        "done_at": None if record.done_at is None else time_text(record.done_at, knobs),
        "amount": record.amount_text if knobs.amounts == "as sent" else amount_text(record.amount),
        "fee": amount_text(record.fee),
        "transaction_type": record.transaction_type,
    }


def chance_view(exchange: Exchange, wallet: WalletRecord) -> dict[str, Json]:
    """Return the answer of ``GET /v1/withdraws/chance``."""
    account, region = exchange.account, exchange.region
    return {
        "member_level": _member_level_view(account.member_level, region, exchange.knobs),
        "currency": {
            "code": wallet.currency,
            "withdraw_fee": amount_text(wallet.withdraw_fee),
            "is_coin": True,
            # documented as "was ever supported"; wallet_support says what is possible now
            "wallet_state": "unsupported" if wallet.wallet_state == "unsupported" else "working",
            "wallet_support": list(wallet.support),
        },
        "account": account_view(wallet.currency, account.balance(wallet.currency), region, exchange.knobs),
        "withdraw_limit": _limit_view(account, wallet, region),
    }


def _member_level_view(level: MemberLevelRecord, region: Region, knobs: Knobs) -> dict[str, Json]:
    view: dict[str, Json] = {
        "security_level": level.security_level,
        "fee_level": level.fee_level,
        "email_verified": level.email_verified,
        "identity_auth_verified": level.identity_auth_verified,
        "bank_account_verified": level.bank_account_verified,
    }
    where = knobs.two_factor_auth_verified
    if where == "everywhere" or (where == "in Korea" and region is Region.KR):
        view["two_factor_auth_verified"] = level.two_factor_auth_verified
    return view | {"locked": level.locked, "wallet_locked": level.wallet_locked}


def _limit_view(account: AccountRecord, wallet: WalletRecord, region: Region) -> dict[str, Json]:
    remaining = amount_text(account.remaining_daily_fiat)
    view: dict[str, Json] = {
        "currency": wallet.currency,
        "onetime": "50.0",
        "daily": None,
        "remaining_daily": "0.0",
        "remaining_daily_fiat": remaining,
        "fiat_currency": region.fiat,
        "minimum": amount_text(wallet.minimum),
        "fixed": wallet.decimals,
        "withdraw_delayed_fiat": amount_text(account.withdraw_delayed_fiat),
        "can_withdraw": wallet.wallet_state != "unsupported",
    }
    if region in {Region.SG, Region.KR}:  # the deprecated predecessor of remaining_daily_fiat
        view[f"remaining_daily_{region.fiat.lower()}"] = remaining
    return view


def deposit_chance_view(wallet: WalletRecord) -> dict[str, Json]:
    """Return the answer of ``GET /v1/deposits/chance/coin``."""
    possible = "deposit" in wallet.support
    return {
        "currency": wallet.currency,
        "net_type": wallet.net_type,
        "is_deposit_possible": possible,
        "deposit_impossible_reason": "" if possible else _SUSPENDED,
        "minimum_deposit_amount": amount_text(wallet.minimum_deposit),
        "minimum_deposit_confirmations": wallet.confirmations,
        "decimal_precision": wallet.deposit_decimals,
    }


def deposit_address_view(address: DepositAddressRecord) -> dict[str, Json]:
    """Return a row of ``GET /v1/deposits/coin_addresses``; until it is ready, the address is null."""
    return {
        "currency": address.currency,
        "net_type": address.net_type,
        "deposit_address": address.deposit_address if address.is_ready else None,
        "secondary_address": address.secondary_address if address.is_ready else None,
    }


def vasp_view(vasp: VaspRecord) -> dict[str, Json]:
    """Return a row of ``GET /v1/travel_rule/vasps``."""
    return {
        "vasp_name": vasp.vasp_name,
        "vasp_uuid": vasp.vasp_uuid,
        "depositable": vasp.depositable,
        "withdrawable": vasp.withdrawable,
    }


def verification_view(verification: Verification) -> dict[str, Json]:
    """Return the answer of both verifications."""
    return {
        "deposit_uuid": verification.deposit.uuid,
        "verification_result": verification.result,
        "deposit_state": verification.deposit.state,
    }


def api_key_view(key: ApiKeyRecord) -> dict[str, Json]:
    """Return a row of ``GET /v1/api_keys``, whose times are Korean."""
    expires_at = key.expires_at
    return {
        "access_key": key.access_key,
        "expire_at": None if expires_at is None else expires_at.astimezone(_KOREA).isoformat("T", "seconds"),
    }
