"""Keys in the wrong argument: they appear in no message and in no local of the library's frames."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async import Credentials, UpbitClient, UpbitRegions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCESS, SECRET = "CANARYACCESS" + "a" * 28, "CANARYSECRET" + "s" * 28
PAIR: Any = (ACCESS, SECRET)
KEY: Any = ACCESS
KEYS = Credentials("made-up-access-key", "made-up-secret-key")

MISUSES: dict[str, Callable[[], object]] = {
    "a pair": lambda: UpbitClient("sg", credentials=PAIR),
    "a list": lambda: UpbitClient("sg", credentials=[*PAIR]),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "a key": lambda: UpbitClient("sg", credentials=KEY),
    "a key as the region": lambda: UpbitClient(KEY),
    "a pair as the region": lambda: UpbitClient(PAIR),
    "a key as the region, with keys": lambda: UpbitClient(KEY, credentials=KEYS),
    "a key as the URL": lambda: UpbitClient("sg", credentials=KEYS, base_url=SECRET),
    "a key in the URL": lambda: UpbitClient("sg", credentials=KEYS, base_url=f"https://{ACCESS}:{SECRET}@x"),
    "a key in the port": lambda: UpbitClient("sg", credentials=KEYS, base_url=f"https://x:{SECRET}"),
    "a key as an option": lambda: UpbitClient("sg", credentials=KEYS, observer=KEY),
    "a pair as HTTP client": lambda: UpbitClient("sg", credentials=KEYS, http=PAIR),
    "a key as the algorithm": lambda: UpbitClient("sg", credentials=KEYS, algorithm=KEY),
    "a key as a sibling's option": lambda: UpbitClient("sg", credentials=KEYS).with_options(retry=KEY),
    "regions with a pair": lambda: UpbitRegions({"sg": PAIR}),
    "regions with a key": lambda: UpbitRegions({"th": KEYS, "sg": KEY}),
    "a key as a region's name": lambda: UpbitRegions({ACCESS: SECRET}),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "regions with a bare pair": lambda: UpbitRegions(PAIR),
    "regions with a key alone": lambda: UpbitRegions(KEY),
    "a key as a region's URL": lambda: UpbitRegions({"sg": KEYS}, base_urls={"sg": SECRET}),
    "a key as the name in the environment": lambda: UpbitRegions.from_env(KEY),
    "a pair as a client": lambda: UpbitRegions.of(PAIR),
    "a key as a client": lambda: UpbitRegions.of(KEY),
    "a key as an index": lambda: UpbitRegions({"sg": KEYS})[KEY],
}


def _library_locals(error: BaseException) -> Iterator[object]:
    seen: list[BaseException | None] = [error]
    for one in seen:
        if one is None:
            continue
        seen += [one.__cause__, one.__context__]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "upbit_async" in frame.f_code.co_filename and frame.f_code.co_filename != __file__:
                yield from frame.f_locals.values()


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_misplaced_key_appears_in_no_error_and_no_frame(
    misuse: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPBIT_BASE_URL", raising=False)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each has its own kind
        misuse()
    error = caught.value
    # Half-made clients are among the locals; to show them must not fail.
    shown = [str(error), repr(error.args), *map(repr, _library_locals(error))]
    assert [text for text in shown if "CANARY" in text] == []
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("misuse", "kind", "text"),
    [
        ("a pair", TypeError, "credentials must be Credentials, got tuple"),
        (
            "a key as the region",
            ValueError,
            "region must be one of sg, id, th, kr, got a text of 40 characters",
        ),
        ("regions with a pair", TypeError, "the value for sg must be of type Credentials, got tuple"),
        (
            "regions with a bare pair",
            TypeError,
            "credentials must map regions to Credentials, got tuple",
        ),
        ("a pair as a client", TypeError, "clients must be of type UpbitClient, got tuple"),
        ("a key as an index", KeyError, "region must be one of"),
    ],
)
def test_error_says_which_type_is_needed(misuse: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        MISUSES[misuse]()


def test_misspelled_region_is_quoted() -> None:
    with pytest.raises(ValueError, match="got 'us'"):
        UpbitClient("us")


def test_partly_built_clients_have_a_repr() -> None:
    assert repr(object.__new__(UpbitClient)) == "<UpbitClient (not initialized)>"
    assert repr(object.__new__(UpbitRegions)) == "<UpbitRegions (not initialized)>"
