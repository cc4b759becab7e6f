"""Bad arguments to every public method: `TypeError` or `ValueError`, before anything is sent."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from upbit_async import Credentials, UpbitClient
from upbit_async.resources import inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upbit_async.sandbox import Sandbox

Kind = dict[str, Any]
EMPTY = ("", " ", "\t\n", "\u3000")
NO_TEXT = (0, 7, 1.5, True, b"BTC", ["BTC"], object())
TEXT: Kind = {"bad": (*EMPTY, *NO_TEXT), "required": True}
OPTIONAL: Kind = {"bad": (*EMPTY, *NO_TEXT), "required": False}
COUNT: Kind = {"bad": (0, -1, 1.0, "5", True, b"5", Decimal(5)), "required": False}
LIMIT: Kind = {"bad": (*COUNT["bad"], 101, None), "required": False}
IDS: Kind = {
    "bad": ("u", b"u", 5, True, {"u": 1}, [""], [None], ["u", 5], [b"u"], "u" * 36),
    "required": False,
}
SECONDS: Kind = {"bad": (-1, float("nan"), float("inf"), "5", True, None), "required": False}
TIMEOUT: Kind = {"bad": (-1, float("nan"), "5", True), "required": False}
AMOUNTS = (
    *EMPTY,
    *(13.0, 0.1, float("nan"), float("inf"), True, False, b"13", None, ["13"], complex(1)),
    *("0", "0.0", "-1", "+1", " 1", "1 ", "1\n", "1e3", "1E-8", "1_0", "1,000", ".5", "5.", "0x10", "NaN"),
    *("Infinity", "１", "٣", "13.２", "--1", "1.2.3", "USDT", "9" * 65),
    *(0, -1, 10**70, Decimal(0), Decimal("-0"), Decimal(-1), Decimal("NaN"), Decimal("sNaN")),
    *(Decimal("Infinity"), Decimal("-Infinity"), Decimal("1E+100"), Decimal("1E-100")),
    *(Decimal("1E+999999999999999999"), Decimal("1E-999999999999999999")),
)
AMOUNT: Kind = {"bad": AMOUNTS, "required": True}
TRANSACTION_TYPE: Kind = {"bad": (*EMPTY, *NO_TEXT, "express", "default ", "defаult"), "required": False}
ORDER: Kind = {"bad": (None, "", "DESC", "up", 1, True, b"asc", ["asc"]), "required": False}
FLAG: Kind = {"bad": (None, 0, 1, "yes", "", b""), "required": False}
EXTRA: Kind = {
    "bad": (
        *("beneficiary_name=x", b"x", 5, True, ["a"], {"": "x"}, {5: "x"}, {None: "x"}, {b"a": "x"}),
        *({"a": 1.5}, {"a": float("nan")}, {"a": Decimal("NaN")}, {"a": {"b": "c"}}, {"a": b"x"}),
        *({"a": [1.5]}, {"a": []}, {"a": object()}, {"amount": "1"}),
        *({"Address": "x"}, {"address[]": "x"}, {"ADDRESS[]": ["x"]}, {"amount\u200b": "1"}),
        *(
            {"a&address=E": "x"},
            {"\u0430ddress": "x"},
            {"a b": "x"},
            {"a\n": "x"},
            {"a[": "x"},
            {"a[]b": "x"},
        ),
        *(
            {"[]": "x"},
            {"a[][]": "x"},
            {"a.b": "x"},
            {"a-b": "x"},
            {"amount\x00": "1"},
            {"a" * 5000 + "!": "x"},
        ),
        *({"a": "1", "A": "2"}, {"a": "1", "a[]": ["2"]}, {"Secondary_Address": "x"}),
    ),
    "required": False,
}
GOOD = {
    "currency": "USDT",
    "net_type": "TRX",
    "amount": "13",
    "address": "TFakeTronWithdrawAddressFakeFakeFa",
    "uuid": "u",
    "deposit_uuid": "d",
    "vasp_uuid": "v",
    "txid": "t",
    "resume_token": "{}",
}
KINDS: dict[str, Kind] = {
    "amount": AMOUNT,
    "transaction_type": TRANSACTION_TYPE,
    "extra": EXTRA,
    "order_by": ORDER,
    "limit": LIMIT,
    "page": COUNT,
    "max_items": COUNT,
    "uuids": IDS,
    "txids": IDS,
    "interval": SECONDS,
    "timeout": TIMEOUT,
    "round_down": FLAG,
    "wait": FLAG,
}
"""Parameters that are not text. One that is missing here is tried as text, and fails."""


def _kind(name: str, parameters: Mapping[str, inspect.Parameter]) -> Kind:
    is_either_id = name == "uuid" and "txid" in parameters
    is_required = parameters[name].default is inspect.Parameter.empty or is_either_id
    return KINDS.get(name, TEXT if is_required else OPTIONAL)


def _methods() -> dict[str, dict[str, Kind]]:
    """Return the parameters of every public method of every namespace."""
    client = UpbitClient("sg", credentials=Credentials("a", "b"), base_url="https://nowhere.invalid")
    found: dict[str, dict[str, Kind]] = {}
    for room, namespace in vars(client).items():
        if not room.startswith("_") and type(namespace).__module__.startswith("upbit_async.resources."):
            for name, method in inspect.getmembers(namespace, inspect.ismethod):
                parameters = inspect.signature(method).parameters
                found[f"{room}.{name}"] = {each: _kind(each, parameters) for each in parameters}
    # `reconcile` takes an error of the library; wrong arguments are tried where it is tested.
    return {
        path: kinds for path, kinds in found.items() if "._" not in path and path != "withdraws.reconcile"
    }


METHODS = _methods()


async def call(client: UpbitClient, path: str, arguments: dict[str, Any]) -> None:
    room, _, method = path.partition(".")
    result = getattr(getattr(client, room), method)(**arguments)
    if inspect.isawaitable(result):
        await result


@pytest.mark.parametrize(("path", "name"), [(path, name) for path in METHODS for name in METHODS[path]])
async def test_bad_argument_is_refused_before_sending(
    client: UpbitClient, sandbox: Sandbox, path: str, name: str
) -> None:
    kinds = METHODS[path]
    good = {each: GOOD.get(each, "x") for each, kind in kinds.items() if kind["required"]}
    if name == "txid" and kinds[name] is OPTIONAL and "uuid" in good:
        del good["uuid"]  # it is one or the other
    for value in (*kinds[name]["bad"], *([None] if kinds[name]["required"] else [])):
        with pytest.raises((TypeError, ValueError)) as caught:
            await call(client, path, {**good, name: value})
        assert len(str(caught.value)) < 400
        assert len(sandbox.requests) == 0


@pytest.mark.parametrize("path", METHODS)
async def test_required_arguments_have_no_default(client: UpbitClient, path: str) -> None:
    if any(kind["required"] for kind in METHODS[path].values()):
        with pytest.raises((TypeError, ValueError)):
            await call(client, path, {})


def test_every_namespace_and_every_kind_of_parameter_is_found() -> None:
    rooms = {path.partition(".")[0] for path in METHODS}
    assert rooms >= {"status", "withdraws", "deposits", "accounts", "travel_rule"}
    assert METHODS.keys() >= {
        "withdraws.create",
        "withdraws.send",
        "withdraws.cancel",
        "travel_rule.verify_by_uuid",
    }
    assert METHODS["withdraws.create"].keys() >= {"currency", "net_type", "amount", "address", "extra"}
    assert KINDS.keys() <= {name for kinds in METHODS.values() for name in kinds}


@pytest.mark.parametrize(
    "name", ["Address", "address[]", "ADDRESS[]", "secondary_address[]", "Transaction_Type", "NET_TYPE"]
)
def test_extra_member_that_repeats_a_parameter_is_refused(name: str) -> None:
    parameter = name.removesuffix("[]").lower()
    known: dict[str, Any] = dict.fromkeys(("net_type", "address", "secondary_address", "transaction_type"))
    with pytest.raises(ValueError, match=rf"extra must not hold .*{parameter} is a parameter already"):
        inputs.added(known, {name: "x"})


@pytest.mark.parametrize(
    "name", ["amount\u200b", "a&address=E", "\u0430ddress", "a b", "a\x1b[31m", "x" * 9999 + "-"]
)
def test_extra_member_with_an_odd_name_is_refused_and_escaped(name: str) -> None:
    with pytest.raises(ValueError, match="names in extra must be made of") as caught:
        inputs.added({"address": "x"}, {name: "x"})
    text = str(caught.value)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 300


def test_extra_member_in_two_spellings_is_refused() -> None:
    for twice in ({"note": "1", "Note": "2"}, {"note": "1", "note[]": ["2"]}):
        with pytest.raises(ValueError, match="extra must not hold the same field twice: 'note' and "):
            inputs.added({}, twice)


def test_extra_members_with_plain_names_are_kept() -> None:
    extra: dict[str, Any] = {"beneficiary_name": "x", "Tag2": "x", "codes[]": ["x"], "_": "x", "0": None}
    assert inputs.added({"address": "y"}, extra) == {"address": "y", **extra}


@pytest.mark.parametrize("value", [13.0, 0.1, float("nan")])
def test_float_amount_is_refused_with_the_reason(value: float) -> None:
    with pytest.raises(TypeError, match=r"amount must be .*, got float; write it as text"):
        inputs.decimal_text("amount", value)


@pytest.mark.parametrize("value", [True, False, None, b"13", [13]])
def test_amount_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="price must be text, a whole number or a Decimal"):
        inputs.decimal_text("price", value)


@pytest.mark.parametrize("value", ["ＵＳＤＴ", " leading and trailing ", "ㄱ", "0x\u0000"])
def test_ids_and_addresses_are_not_changed(value: str) -> None:
    assert inputs.text("address", value) == value
