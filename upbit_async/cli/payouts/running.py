"""The command ``upbit-async payouts run``: sends and follows payouts until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
from cyclopts import Parameter

from upbit_async.cli.exits import CommandError, Exit
from upbit_async.cli.payouts.journals import journal_for
from upbit_async.cli.payouts.log import changes_on_stdout
from upbit_async.cli.payouts.options import Options
from upbit_async.cli.payouts.session import opened
from upbit_async.logs import logger
from upbit_async.payouts import AmountLimit

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["amount_limit_from", "run"]

_log = logger("upbit_async.payouts.run")


def run(
    *,
    options: Options,
    concurrency: int = 32,
    shutdown_timeout: float = 25.0,
    settling_time: float = 30.0,
    check: bool = True,
    resend: Literal["manual", "automatic"] = "manual",
    amount_limit: Annotated[tuple[str, ...], Parameter(negative="")] = (),
) -> Exit:
    """Send queued payouts, settle lost answers and follow accepted payouts, until SIGTERM or Ctrl-C.

    Each state change is printed on a line. A missing journal is created.

    Args:
        concurrency: Number of payouts that are sent at once.
        shutdown_timeout: Time to finish requests that have begun, in seconds.
        settling_time: Time after the loss of an answer for which Upbit's list may lag, in seconds.
        check: Check addresses, wallets and balances before each payout.
        resend: Whether a not_sent payout is sent again without a retry.
        amount_limit: Limit of the amounts in a currency, such as USDT:per_payout=500,per_day=20000. May be repeated.
    """
    limits = [amount_limit_from(each) for each in amount_limit]

    async def work() -> None:
        settings = {"settling_time": settling_time, "check": check, "resend": resend, "amount_limits": limits}
        journal = journal_for(options, may_create=True)
        log = changes_on_stdout(as_json=options.json)
        async with opened(options, journal, log, **settings) as session:
            if not session.client.transport.key_digest:
                variables = [
                    f"UPBIT_{options.region.value.upper()}_{kind}_KEY" for kind in ("ACCESS", "SECRET")
                ]
                raise CommandError(f"run needs API keys: set {' and '.join(variables)}")
            async with session.payouts:
                _log.info("run begins, of %s on %s", options.journal, session.client.host)
                try:
                    with anyio.CancelScope() as scope, _cancelled_by_sigterm(scope):
                        await session.payouts.run(concurrency=concurrency, shutdown_timeout=shutdown_timeout)
                finally:
                    _log.info("run has ended, of %s", options.journal)

    asyncio.run(work())
    return Exit.OK


@contextlib.contextmanager
def _cancelled_by_sigterm(scope: anyio.CancelScope) -> Generator[None]:
    """Let SIGTERM end `run` in order, once: a second one ends the process at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_signal_handler(signal.SIGTERM)
        scope.cancel()

    with contextlib.suppress(NotImplementedError):  # on Windows, SIGTERM ends the process at once
        loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)


def amount_limit_from(value: str) -> AmountLimit:
    """Return a limit of amounts from its text, such as ``USDT:per_payout=500,per_day=20000``.

    Raises:
        CommandError: The text is no limit.
    """
    currency, _, rest = value.partition(":")
    limits: dict[str, str] = {}
    for part in rest.split(","):
        name, _, amount = part.partition("=")
        if name not in {"per_payout", "per_day"} or name in limits:
            raise _no_limit(value, "it must have per_payout, per_day or both, each once")
        limits[name] = amount
    try:
        return AmountLimit(currency, **limits)
    except ValueError as problem:
        raise _no_limit(value, str(problem)) from None


def _no_limit(value: str, problem: str) -> CommandError:
    text = f"--amount-limit must be like USDT:per_payout=500,per_day=20000, got {value!r}: {problem}"
    return CommandError(text, Exit.USAGE)
