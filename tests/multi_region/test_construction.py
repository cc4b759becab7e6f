"""Construction and closing of `UpbitRegions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
from internals import poll_schedule_of, transport_of

from upbit_async import Credentials, PollSchedule, Region, RetryPolicy, Timeouts, UpbitClient, UpbitRegions
from upbit_async.errors import ConfigurationError, ServerError
from upbit_async.events import AttemptStarted
from upbit_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from upbit_async.events import Event

SG, TH = (
    Credentials("made-up-key-sg", "made-up-secret-sg"),
    Credentials("made-up-key-th", "made-up-secret-th"),
)
ELSEWHERE = {"sg": "https://sg.example", "id": "https://id.example", "th": "https://th.example"}


def set_keys(monkeypatch: pytest.MonkeyPatch, prefix: str, keys: Credentials = SG) -> None:
    monkeypatch.setenv(f"{prefix}_ACCESS_KEY", keys.access_key.reveal())
    monkeypatch.setenv(f"{prefix}_SECRET_KEY", keys.secret_key.reveal())


# -- a mapping -------------------------------------------------------------------------------------


def test_regions_are_a_mapping_in_the_order_given() -> None:
    regions = UpbitRegions({"TH": TH, Region.SG: SG})
    assert list(regions) == [Region.TH, Region.SG]
    assert len(regions) == 2
    assert [client.host for client in regions.values()] == ["th-api.upbit.com", "sg-api.upbit.com"]
    assert repr(regions) == "<UpbitRegions th, sg>"


@pytest.mark.parametrize("name", ["sg", "SG", Region.SG])
def test_client_is_found_by_any_spelling_of_its_region(name: str) -> None:
    regions = UpbitRegions({"sg": SG})
    assert name in regions
    assert regions[name] is regions["sg"]
    assert regions[name].region is Region.SG


@pytest.mark.parametrize("name", ["th", "us", "", None, 5, ["sg"]])
def test_other_keys_are_not_in_the_mapping(name: Any) -> None:
    regions = UpbitRegions({"sg": SG})
    assert name not in regions
    assert regions.get(name) is None
    with pytest.raises(KeyError):
        regions[name]


def test_at_least_one_region_is_required() -> None:
    makers: list[Callable[[], UpbitRegions]] = [
        lambda: UpbitRegions({}),
        UpbitRegions.from_env,
        UpbitRegions.of,
    ]
    for make in makers:
        with pytest.raises(ValueError, match="at least one region"):
            make()


def test_duplicate_region_is_refused() -> None:
    with pytest.raises(ValueError, match="regions must be unique, got sg twice"):
        UpbitRegions({"sg": SG, "SG": TH})


def test_unknown_region_is_refused() -> None:
    with pytest.raises(ValueError, match="region must be one of"):
        UpbitRegions({"us": SG})


@pytest.mark.parametrize("keys", [None, "key", ("a", "b")])
def test_keys_of_a_wrong_type_are_refused(monkeypatch: pytest.MonkeyPatch, keys: Any) -> None:
    set_keys(monkeypatch, "UPBIT")
    with pytest.raises(TypeError, match="the value for th must be of type Credentials"):
        UpbitRegions({"sg": SG, "th": keys})


# -- options ---------------------------------------------------------------------------------------


async def test_options_are_the_same_for_all_clients(sandboxes: dict[Region, Sandbox]) -> None:
    events: list[Event] = []
    regions = UpbitRegions(
        {"sg": SG, "th": TH},
        base_urls={"sg": "http://127.0.0.1:9", "th": "http://127.0.0.1:9/th"},
        retry=RetryPolicy(attempts=1),
        timeouts=Timeouts(total=3),
        poll=PollSchedule(first=7),
        observer=events.append,
        algorithm="HS512",
    )
    for client in regions.values():
        transport = transport_of(client)
        assert (transport.retry.attempts, transport.timeouts.total) == (1, 3)
        assert transport.observer == events.append
        assert poll_schedule_of(client).first == 7
        assert jwt.get_unverified_header(transport.shared.token("nonce", None))["alg"] == "HS512"
    siblings = [
        each.client(retry=RetryPolicy(attempts=1), observer=events.append) for each in sandboxes.values()
    ]
    await UpbitRegions.of(*siblings).map(lambda client: client.status.wallets())
    hosts = {event.host for event in events if isinstance(event, AttemptStarted)}
    assert hosts == {client.host for client in siblings}


@pytest.mark.parametrize("make", [UpbitRegions, UpbitRegions.from_env])
def test_base_url_for_all_regions_is_refused(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    set_keys(monkeypatch, "UPBIT_SG")
    with pytest.raises(TypeError, match="base_url"):
        make({"sg": SG} if make is UpbitRegions else "sg", base_url="https://one.example")


# -- the environment -------------------------------------------------------------------------------


def test_from_env_reads_the_variables_of_each_region(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "UPBIT_TH", TH)
    set_keys(monkeypatch, "UPBIT_SG")
    regions = UpbitRegions.from_env("th", Region.SG, "TH", timeouts=Timeouts(total=3))
    assert list(regions) == [Region.TH, Region.SG]
    limiters = [client.limiter for client in regions.values()]
    own = [UpbitClient("th", credentials=TH), UpbitClient("sg", credentials=SG)]
    # Clients with one key at one host share a limiter.
    assert limiters == [client.limiter for client in own]
    assert transport_of(regions["th"]).timeouts.total == 3


@pytest.mark.parametrize("prefix", ["UPBIT", "UPBIT_OPEN_API"])
def test_key_without_a_region_is_not_used(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    set_keys(monkeypatch, prefix)
    set_keys(monkeypatch, "UPBIT_SG")
    with pytest.raises(ConfigurationError) as caught:
        UpbitRegions.from_env("sg", "id", "th")
    assert str(caught.value) == (
        "keys are missing: set UPBIT_ID_ACCESS_KEY and UPBIT_ID_SECRET_KEY, "
        "UPBIT_TH_ACCESS_KEY and UPBIT_TH_SECRET_KEY"
    )


def test_empty_key_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "UPBIT_SG")
    monkeypatch.setenv("UPBIT_ID_ACCESS_KEY", "")
    with pytest.raises(ConfigurationError, match="UPBIT_ID_ACCESS_KEY is set but empty"):
        UpbitRegions.from_env("sg", "id")


def test_variables_without_a_region_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "UPBIT_SG")
    monkeypatch.setenv("UPBIT_ACCESS_KEY", "")
    monkeypatch.setenv("UPBIT_OPEN_API_SECRET_KEY", "half")
    assert UpbitRegions.from_env("sg")["sg"].host == "sg-api.upbit.com"


def test_half_a_key_pair_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_ID_ACCESS_KEY", "half")
    with pytest.raises(ConfigurationError, match="UPBIT_ID_SECRET_KEY is not set"):
        UpbitRegions.from_env("id")


# -- the servers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL"])
def test_server_named_for_all_regions_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "https://one.example")
    for region, keys in (("sg", SG), ("th", TH)):
        set_keys(monkeypatch, f"UPBIT_{region}".upper(), keys)
    for urls in (None, {}, {"sg": "https://sg.example"}):
        with pytest.raises(ConfigurationError, match=r"one server can't.* base_urls .*for (sg|th) too"):
            UpbitRegions({"sg": SG, "th": TH}, base_urls=urls)
        with pytest.raises(ConfigurationError, match=rf"{name}.*UPBIT_(SG|TH)_ACCESS_KEY"):
            UpbitRegions.from_env("sg", "th", base_urls=urls)
    both = {name: ELSEWHERE[name] for name in ("sg", "th")}
    for regions in (
        UpbitRegions({"sg": SG, "th": TH}, base_urls=both),
        UpbitRegions.from_env("sg", "th", base_urls=both),
    ):
        assert [client.host for client in regions.values()] == ["sg.example", "th.example"]


def test_server_named_for_all_regions_may_be_the_only_regions_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_BASE_URL", "https://sg-api.upbit.com/")
    assert UpbitRegions({"sg": SG})["sg"].host == "sg-api.upbit.com"
    with pytest.raises(ConfigurationError, match="for th too"):
        UpbitRegions({"sg": SG, "th": TH})


@pytest.mark.parametrize("name", ["UPBIT_BASE_URL", "UPBIT_OPEN_API_SERVER_URL", "UPBIT_SG_BASE_URL"])
def test_empty_base_url_does_not_mean_the_real_exchange(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_keys(monkeypatch, "UPBIT_SG")
    monkeypatch.setenv(name, "")
    with pytest.raises(ConfigurationError, match=f"{name} is set but empty"):
        UpbitRegions({"sg": SG})
    with pytest.raises(ConfigurationError, match=f"{name} is set but empty"):
        UpbitRegions.from_env("sg")
    assert UpbitRegions({"sg": SG}, base_urls={"sg": "https://sg.example"})["sg"].host == "sg.example"


def test_base_url_of_each_region_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch, "UPBIT_SG")
    set_keys(monkeypatch, "UPBIT_TH", TH)
    monkeypatch.setenv("UPBIT_SG_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("UPBIT_TH_BASE_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("UPBIT_BASE_URL", "http://127.0.0.1:3")
    for regions in (UpbitRegions({"sg": SG, "th": TH}), UpbitRegions.from_env("sg", "th")):
        assert [client.host for client in regions.values()] == ["127.0.0.1:1", "127.0.0.1:2"]


def test_base_urls_may_cover_some_regions_only() -> None:
    regions = UpbitRegions({"sg": SG, "th": TH}, base_urls={Region.TH: "https://th.example"})
    assert [client.host for client in regions.values()] == ["sg-api.upbit.com", "th.example"]


def test_base_urls_of_regions_without_keys_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"base_urls must only have regions with keys \(sg\), got sg, id, th"
    ):
        UpbitRegions({"sg": SG}, base_urls=ELSEWHERE)
    with pytest.raises(TypeError, match="the value for sg must be of type str"):
        UpbitRegions({"sg": SG}, base_urls={"sg": None})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="must be https"):
        UpbitRegions({"sg": SG}, base_urls={"sg": "http://sg.example"})


# -- ready-made clients ----------------------------------------------------------------------------


def test_of_holds_the_given_clients() -> None:
    clients = UpbitClient("th", credentials=TH), UpbitClient("sg", credentials=SG)
    regions = UpbitRegions.of(*clients)
    assert (*regions.values(),) == clients


async def test_of_refuses_two_clients_of_one_region(sandboxes: dict[Region, Sandbox]) -> None:
    with pytest.raises(ValueError, match="regions must be unique, got sg twice"):
        UpbitRegions.of(sandboxes[Region.SG].client(), UpbitClient("sg", credentials=SG))
    with pytest.raises(TypeError, match="the value for sg must be of type UpbitClient, got Sandbox"):
        UpbitRegions.of(sandboxes[Region.SG])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- closing ---------------------------------------------------------------------------------------


async def test_leaving_the_context_closes_every_client(regions: UpbitRegions) -> None:
    async with regions as entered:
        assert entered is regions
        assert (await regions.map(lambda client: client.status.wallets())).unwrap()
    outcomes = await regions.map(lambda client: client.status.wallets())
    assert list(outcomes.errors) == list(regions)
    assert all("closed" in str(error) for error in outcomes.errors.values())


async def test_client_that_fails_to_close_leaves_none_open(
    regions: UpbitRegions, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise OSError("stuck")

    for name in regions:
        with monkeypatch.context() as patch:
            patch.setattr(regions[name], "aclose", fail)
            with pytest.raises(OSError, match="stuck"):
                await regions.aclose()
    outcomes = await regions.map(lambda client: client.status.wallets())
    assert all(isinstance(error, ConfigurationError) for error in outcomes.errors.values())


async def test_error_in_the_context_closes_every_client(
    regions: UpbitRegions, sandboxes: dict[Region, Sandbox]
) -> None:
    sandboxes[Region.TH].faults.add(Fault.status(503, times=None))
    with pytest.raises(ExceptionGroup) as caught:
        async with regions:
            (await regions.map(lambda client: client.status.wallets())).unwrap()
    assert caught.group_contains(ServerError)
    with pytest.raises(ConfigurationError, match="closed"):
        await regions["sg"].status.wallets()
