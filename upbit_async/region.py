"""Upbit's exchanges, one per country."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Region"]

_FIAT = {"sg": "SGD", "id": "IDR", "th": "THB", "kr": "KRW"}


class Region(StrEnum):
    """One of Upbit's exchanges.

    Accounts, keys, listings and addresses are not shared between regions, so a client is bound to one.
    See https://global-docs.upbit.com/reference/rest-api-guide.
    """

    SG = "sg"
    """Singapore."""
    ID = "id"
    """Indonesia."""
    TH = "th"
    """Thailand; Upbit marks its address as beta."""
    KR = "kr"
    """Korea."""

    @property
    def host(self) -> str:
        """The API's host name, such as ``sg-api.upbit.com``."""
        return "api.upbit.com" if self is Region.KR else f"{self.value}-api.upbit.com"

    @property
    def base_url(self) -> str:
        """The API's base URL, without a trailing slash."""
        return f"https://{self.host}"

    @property
    def fiat(self) -> str:
        """The code of the region's fiat currency."""
        return _FIAT[self.value]

    @property
    def site(self) -> str:
        """The website on which a person manages keys, addresses and withdrawals."""
        return "https://upbit.com" if self is Region.KR else f"https://{self.value}.upbit.com"

    @property
    def wallet_status_page(self) -> str:
        """The page to consult before money moves: the API's wallet status may lag behind by minutes."""
        return f"{self.site}/service_center/wallet_status"

    @property
    def address_registration_page(self) -> str:
        """The page on which withdrawal addresses are registered (on a PC only)."""
        return f"{self.site}/mypage/open_api_management/withdraw_access_register"

    @property
    def key_management_page(self) -> str:
        """The page on which API keys are issued."""
        return f"{self.site}/mypage/open_api_management"

    @property
    def names_counterparties(self) -> bool:
        """Whether registered addresses tell their exchange, wallet product and beneficiary."""
        return self in {Region.SG, Region.KR}
