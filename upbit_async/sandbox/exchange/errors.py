"""Refusals of the exchange, with Upbit's names and messages."""

from __future__ import annotations

from typing import Final

from upbit_async.sandbox.knobs import ErrorSpec

__all__ = [
    "ADDRESS_NOT_REGISTERED",
    "ALREADY_HAVE_DEPOSIT",
    "DEPOSIT_NOT_FOUND",
    "INVALID_PARAMETER",
    "WITHDRAW_NOT_FOUND",
    "Refusal",
    "invalid",
    "message_for",
]

INVALID_PARAMETER: Final = ErrorSpec(400, "invalid_parameter")
ADDRESS_NOT_REGISTERED: Final = ErrorSpec(400, "withdraw_address_not_registered")
ALREADY_HAVE_DEPOSIT: Final = ErrorSpec(400, "already_have_deposit_transaction")
WITHDRAW_NOT_FOUND: Final = ErrorSpec(404, "withdraw_not_found")
DEPOSIT_NOT_FOUND: Final = ErrorSpec(404, "deposit_not_found")

# The Korean texts are published or were seen in answers, except for names that are not documented at all.
_MESSAGES: Final = {
    "already_have_deposit_transaction": (
        "There already is a record of this deposit.",
        "이미 입금 이력이 존재합니다.",
    ),
    "coin_address_not_found": (
        "The deposit address was not found.",
        "디지털 자산 지갑정보를 찾지 못했습니다.",
    ),
    "deposit_not_found": ("The deposit was not found.", "입출금 정보를 찾지 못했습니다."),
    "expired_access_key": ("This key has expired.", "만료된 엑세스 키입니다."),
    "invalid_access_key": ("Invalid access key.", "잘못된 엑세스 키입니다."),
    "invalid_parameter": ("Invalid parameter.", "잘못된 파라미터"),
    "invalid_query_payload": (
        "Failed to verify the query of Jwt.",
        "Jwt의 query를 검증하는데 실패하였습니다.",
    ),
    "jwt_verification": ("Failed to verify Jwt token.", "Jwt 토큰 검증에 실패했습니다."),
    "no_authorization_ip": ("This is not a verified IP.", "인증된 IP가 아닙니다."),
    "no_authorization_token": ("There is no authorization token.", "인증 토큰이 없습니다."),
    "misdirected_request": (
        "This sandbox answers to localhost only; start it with --allow-remote to change that.",
        "이 샌드박스는 localhost로만 응답합니다. --allow-remote 옵션으로 바꿀 수 있습니다.",
    ),
    "nonce_used": ("This nonce has already been used.", "이미 사용된 nonce입니다."),
    "not_found": ("No such path.", "존재하지 않는 경로입니다."),
    "open_api_withdraw_locked": ("Withdrawals of this key are locked.", "출금 기능이 잠긴 키입니다."),
    "out_of_scope": ("This key lacks the permission.", "권한이 부족합니다."),
    "payload_too_large": ("The body is larger than 1 MiB.", "요청 본문이 1 MiB를 초과했습니다."),
    "request_fail": ("The request failed.", "요청에 실패했습니다."),
    "too_many_requests": ("Too many API requests.", "요청 수 제한을 초과했습니다."),
    "withdraw_address_not_registered": (
        "The withdrawal address is not registered.",
        "등록되지 않은 출금 주소입니다.",
    ),
    "withdraw_amount_below_minimum": ("The amount is below the minimum.", "최소 출금 금액보다 적습니다."),
    "withdraw_decimal_places_exceeded": (
        "The amount has too many decimals.",
        "소수점 자릿수를 초과했습니다.",
    ),
    "withdraw_insufficient_balance": ("The balance is not sufficient.", "출금 금액이 부족합니다."),
    "withdraw_maintain": ("Withdrawals are suspended.", "출금이 중단된 상태입니다."),
    "withdraw_not_cancelable": ("This withdrawal can no longer be cancelled.", "취소할 수 없는 출금입니다."),
    "withdraw_not_found": ("The withdrawal was not found.", "출금 정보를 찾지 못했습니다."),
}


class Refusal(Exception):
    """Refusal of a request; see https://global-docs.upbit.com/reference/rest-api-guide.

    Attributes:
        status: HTTP status of the answer.
        name: ``error.name`` of the answer.
        message: ``error.message`` if it depends on the request; ``None`` for the usual text.
    """

    def __init__(self, named: ErrorSpec, message: str | None = None) -> None:
        super().__init__(named, message)
        self.status = named.status
        self.name = named.name
        self.message = message


def invalid(*reasons: str) -> Refusal:
    """Return a ``validation_error`` with every reason, joined by commas as Upbit does."""
    return Refusal(ErrorSpec(400, "validation_error"), ", ".join(reasons))


def message_for(name: str, *, korean: bool) -> str:
    """Return the usual text for an error name, or the name itself if there is none."""
    english_text, korean_text = _MESSAGES.get(name, (name, name))
    return korean_text if korean else english_text
