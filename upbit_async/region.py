"""Upbit's exchanges, one per country, with their hosts and web pages."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Region"]

_FIAT = {"sg": "SGD", "id": "IDR", "th": "THB", "kr": "KRW"}


class Region(StrEnum):
    """One of Upbit's exchanges.

    Regions share no accounts, keys, listings or addresses, so a client belongs to one region.
    See https://global-docs.upbit.com/reference/rest-api-guide.

    Example:
        .. code-block:: python

            region = Region("sg")
            assert region is Region.SG
            print(region.host, region.key_management_page)
    """

    SG = "sg"
    """Singapore."""
    ID = "id"
    """Indonesia."""
    TH = "th"
    """Thailand. Upbit's documentation marks its API as beta."""
    KR = "kr"
    """Korea."""

    @property
    def host(self) -> str:
        """The host name of the API, such as ``sg-api.upbit.com``."""
        return "api.upbit.com" if self is Region.KR else f"{self.value}-api.upbit.com"

    @property
    def base_url(self) -> str:
        """The base URL of the API, without a trailing slash."""
        return f"https://{self.host}"

    @property
    def fiat(self) -> str:
        """The code of the region's fiat currency."""
        return _FIAT[self.value]

    @property
    def site(self) -> str:
        """The website, for managing keys, addresses and withdrawals by hand."""
        return "https://upbit.com" if self is Region.KR else f"https://{self.value}.upbit.com"

    @property
    def wallet_status_page(self) -> str:
        """The page with the current wallet status: that of the API may lag behind by minutes."""
        return f"{self.site}/service_center/wallet_status"

    @property
    def address_registration_page(self) -> str:
        """The page for registering withdrawal addresses; Upbit offers it on desktop computers only."""
        return f"{self.site}/mypage/open_api_management/withdraw_access_register"

    @property
    def key_management_page(self) -> str:
        """The page for issuing API keys."""
        return f"{self.site}/mypage/open_api_management"

    @property
    def names_counterparties(self) -> bool:
        """Whether registered addresses name their exchange, wallet product and beneficiary."""
        return self in {Region.SG, Region.KR}
