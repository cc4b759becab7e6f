"""Command line: options, and exit codes for what happened."""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter, Token

from upbit_async._version import VERSION
from upbit_async.cli import demo
from upbit_async.cli.exits import Exit
from upbit_async.cli.show import Show, console_for
from upbit_async.escaping import escaped
from upbit_async.region import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Do what a command line asks for, and return the exit code; no error leaves a traceback.

    Args:
        arguments: The command line without the command itself.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("upbit-async: interrupted\n")
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a user is told what went wrong, without a traceback
        sys.stderr.write(f"upbit-async: {type(error).__name__}: {escaped(str(error))}\n")
        return Exit.FAILED


def _run(arguments: Sequence[str]) -> int:
    console = console_for(sys.stdout)
    try:
        _app(console)(arguments, console=console, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        errors = console_for(sys.stderr)
        _app(errors).help_print(error.command_chain or (), console=errors)
        sys.stderr.write(f"\nupbit-async: {escaped(str(error))}\n")
        return Exit.USAGE
    return Exit.OK


def _app(console: Console) -> App:
    app = App(
        name="upbit-async",
        help="The command line of upbit_async, a client for the Upbit exchange.",
        version=f"upbit-async {VERSION}",
        help_formatter="default" if console.is_terminal else "plain",
        help_format="plaintext",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command(_demo, name="demo")
    return app


def _read_amount(_kind: object, tokens: Sequence[Token]) -> Decimal:
    try:
        amount = Decimal(tokens[0].value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise ValueError(f'"{tokens[0].value}" is no number greater than zero.')
    return amount


def _check_speed(_kind: object, speed: float) -> None:
    if not 0 < speed <= demo.FASTEST:
        raise ValueError(f"It must be greater than zero, and at most {demo.FASTEST}.")


def _demo(
    *,
    region: Region = Region.SG,
    end: demo.End = demo.End.DONE,
    lose_answer: Annotated[bool, Parameter(negative="")] = False,
    speed: Annotated[float, Parameter(validator=_check_speed)] = 1.0,
    amount: Annotated[Decimal, Parameter(converter=_read_amount)] = Decimal(13),
    currency: str = "USDT",
    net_type: str = "TRX",
) -> None:
    """Withdraw on a sandbox, step by step, over real HTTP on this machine.

    It needs no account and no keys, and moves no money.

    Args:
        region: Whose exchange the sandbox is.
        end: How the withdrawal ends.
        lose_answer: Lose the answer to the withdrawal on its way, and find out what became of it.
        speed: How many times faster than usual.
        amount: How much to withdraw.
        currency: The currency's code.
        net_type: The network's identifier.
    """
    wish = demo.Wish(
        region=region,
        end=end,
        lose_answer=lose_answer,
        speed=speed,
        amount=amount,
        currency=currency,
        net_type=net_type,
    )
    asyncio.run(demo.tell(wish, Show(console_for(sys.stdout))))
