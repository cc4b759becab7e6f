"""The examples in docstrings run, and every public class and every method of the main path has one.

What needs an example:

- every class that `upbit_async`, `upbit_async.payouts` or `upbit_async.sandbox` exports;
- every public method of the classes on the main path: the client, its namespaces, its pollers and `UpbitRegions`,
  `Payouts`, `Sandbox` with its controls and ``faults.add``, and the constructors of `Fault` and `Transitions`;
- the models, except for enums: their members say what each means;
- `UpbitError`, its direct subclasses, and the further errors with attributes: the others are caught like their base;
- of the events, `Observer` and `Event`: an observer receives all kinds in one way.

Properties, ``aclose`` and methods marked ``:meta private:`` need none. An inherited method needs one where it is
defined.
"""

from __future__ import annotations

import asyncio
import enum
import inspect
from decimal import Decimal
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest
from docstring_examples import Docstring, DocstringExample, docstrings_in, run_source
from virtual_time import VirtualTimeLoop

import upbit_async
from upbit_async import (
    DepositPoller,
    Region,
    UpbitClient,
    UpbitRegions,
    WithdrawalPoller,
    errors,
    events,
    models,
    payouts,
    sandbox,
)
from upbit_async.payouts import Payouts, SqliteJournal
from upbit_async.sandbox import Fault, Sandbox, Transitions

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(upbit_async.__file__).parent
DOCSTRINGS = list(docstrings_in(PACKAGE))
EXAMPLES = [example for docstring in DOCSTRINGS for example in docstring.examples]


@pytest.fixture
def names(
    sandboxes: dict[Region, Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What examples find defined: the public names, and one of each object that a reader has by then."""
    monkeypatch.chdir(tmp_path)
    client = sandboxes[Region.SG].client()
    journal = SqliteJournal(tmp_path / "journal.db")
    public = {
        name: getattr(module, name) for module in (upbit_async, payouts, sandbox) for name in module.__all__
    }
    return {
        **public,
        "Decimal": Decimal,
        "client": client,
        "journal": journal,
        "payouts": Payouts(client, journal=journal),
        "regions": UpbitRegions.from_env("sg", "id", "th"),
        "sandbox": sandboxes[Region.SG],
        "sandboxes": sandboxes,
    }


@pytest.fixture
def runner(names: dict[str, Any]) -> Iterator[asyncio.Runner]:
    """Runs an example in virtual time, and closes what it found defined."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        yield runner
        for name in ("payouts", "regions", "client", "sandbox"):
            runner.run(names[name].aclose())


def shown(example: DocstringExample) -> str:
    return f"{example.path.relative_to(PACKAGE).as_posix()}:{example.line}"


@pytest.mark.parametrize("example", EXAMPLES, ids=shown)
def test_an_example_runs(example: DocstringExample, names: dict[str, Any], runner: asyncio.Runner) -> None:
    run_source(example.source, path=example.path, line=example.line, names=names, runner=runner)


def test_every_example_has_the_form_that_is_executed() -> None:
    assert [problem for docstring in DOCSTRINGS for problem in docstring.problems] == []


def test_every_public_object_on_the_main_path_has_an_example() -> None:
    with_example = {docstring.name for docstring in DOCSTRINGS if docstring.examples}
    missing = {
        each.__qualname__
        for each in required()
        if f"{each.__module__}.{each.__qualname__}" not in with_example
    }
    assert sorted(missing) == [], "these need an example in their docstring"


def required() -> Iterator[Any]:
    """Yield every class and function that needs an example."""
    for module in (upbit_async, payouts, sandbox):
        yield from classes_of(module)
    yield from (kind for kind in classes_of(models) if not issubclass(kind, enum.Enum))
    yield from (kind for kind in classes_of(errors) if needs_example(kind))
    yield from (events.Event, events.Observer)
    for kind in main_path():
        yield from methods_of(kind)
    for kind in (Fault, Transitions):
        yield from (each for each in methods_of(kind) if inspect.ismethod(getattr(kind, each.__name__)))
    yield type(Sandbox("sg").faults).add


def classes_of(module: Any) -> Iterator[type[Any]]:
    return (each for name in module.__all__ if inspect.isclass(each := getattr(module, name)))


def needs_example(error: type[Any]) -> bool:
    is_base = error is errors.UpbitError or errors.UpbitError in error.__bases__
    return issubclass(error, errors.UpbitError) and (is_base or "__init__" in vars(error))


def main_path() -> Iterator[type[Any]]:
    sandbox_ = Sandbox("sg")
    yield from (UpbitClient, UpbitRegions, WithdrawalPoller, DepositPoller, Payouts, Sandbox)
    yield from attributes_from("upbit_async.resources.", sandbox_.client())
    yield from attributes_from("upbit_async.sandbox.controls.", sandbox_)


NAMES_FOR_EXTENSIONS = {"known_withdrawals", "transport"}


def attributes_from(room: str, owner: object) -> Iterator[type[Any]]:
    """Yield the classes of an object's public attributes that are defined in a room."""
    for name in dir(owner):
        value: Any = getattr(owner, name)
        if name in NAMES_FOR_EXTENSIONS or name.startswith("_"):
            continue
        if type(value).__module__.startswith(room):
            yield type(value)


def methods_of(kind: type[Any]) -> Iterator[Any]:
    for base in kind.__mro__:
        if base.__module__.startswith("upbit_async."):
            for name, member in vars(base).items():
                function = inspect.unwrap(getattr(member, "__func__", member))
                private = name.startswith("_") or ":meta private:" in (inspect.getdoc(function) or "")
                if inspect.isfunction(function) and not private and name != "aclose":
                    yield function


def test_the_rule_finds_what_it_is_about() -> None:
    found = {each.__qualname__ for each in required()}
    assert found >= {
        "AccountControl.fund",
        "Banned",
        "DepositControl.arrive",
        "Fault.lose_answer",
        "ReadingMethods.changes",
        "RequestingMethods.send",
        "RunningMethods.running",
        "Region",
        "Sandbox",
        "Status.wallet",
        "TransferPoller.wait",
        "TransferRecords.list",
        "Transitions.immediate",
        "UpbitClient",
        "UpbitRegions.from_env",
        "WalletStatus",
        "WithdrawalPoller.result",
    }
    assert found.isdisjoint(
        {"WithdrawalFailed", "WithdrawalState", "AttemptStarted", "RunningMethods.aclose"}
    )


def docstring(text: str) -> Docstring:
    return Docstring("a.name", Path("a.py"), 10, indent(text, "    "))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Example:\n    ```python\n    await f()\n    ```", "write an example as"),
        ("Example:\n    >>> f()", "write an example as"),
        ("Example:\n    Use it.", "needs a `.. code-block:: python`"),
        ("As in::\n\n    await f()", "is not executed"),
    ],
)
def test_an_example_in_another_form_is_found(text: str, problem: str) -> None:
    assert any(problem in each for each in docstring(text).problems)


def test_an_example_is_read_without_its_indentation_and_with_its_line() -> None:
    found = docstring(
        "Do it.\n\nExample:\n    .. code-block:: python\n\n        if a:\n            b()\n\nReturns:\n    it"
    )
    assert found.problems == []
    (example,) = found.examples
    assert example.source.strip("\n") == "if a:\n    b()"
    assert example.line == 14


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("await client.status.wallet('NOPE', 'TRX')", "NOPE"),
        ("async with Sandbox('sg') as sandbox:\n    assert 0, 'wrong'", "wrong"),
        ("undefined", "undefined"),
    ],
)
def test_an_example_that_is_wrong_fails(
    source: str, complaint: str, names: dict[str, Any], runner: asyncio.Runner
) -> None:
    with pytest.raises((AssertionError, NameError, errors.NotFound), match=complaint):
        run_source(source, path="example.py", line=1, names=names, runner=runner)
