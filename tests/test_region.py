"""Regions, with their hosts and pages."""

from __future__ import annotations

import pytest

from upbit_async import Region


def test_there_are_four_regions() -> None:
    assert [(region.name, region.value) for region in Region] == [
        ("SG", "sg"),
        ("ID", "id"),
        ("TH", "th"),
        ("KR", "kr"),
    ]


@pytest.mark.parametrize(
    ("region", "host", "site", "fiat", "names_counterparties"),
    [
        (Region.SG, "sg-api.upbit.com", "https://sg.upbit.com", "SGD", True),
        (Region.ID, "id-api.upbit.com", "https://id.upbit.com", "IDR", False),
        (Region.TH, "th-api.upbit.com", "https://th.upbit.com", "THB", False),
        (Region.KR, "api.upbit.com", "https://upbit.com", "KRW", True),
    ],
)
def test_region_has_its_host_site_and_pages(
    region: Region, host: str, site: str, fiat: str, *, names_counterparties: bool
) -> None:
    assert (region.host, region.base_url) == (host, f"https://{host}")
    assert (region.site, region.fiat) == (site, fiat)
    assert region.names_counterparties is names_counterparties
    assert region.key_management_page == f"{site}/mypage/open_api_management"
    assert region.address_registration_page == f"{region.key_management_page}/withdraw_access_register"
    assert region.wallet_status_page.startswith(f"{site}/")
    assert "wallet_status" in region.wallet_status_page
