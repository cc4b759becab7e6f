"""``python -m upbit_async.sandbox``: a local Upbit on a socket."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from upbit_async.credentials import Credentials
from upbit_async.region import Region
from upbit_async.sandbox import Sandbox, Transitions
from upbit_async.sandbox.adapters.hosts import is_local
from upbit_async.sandbox.extra import PACKAGES, require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["command_line", "main", "plan_from", "stop_event"]

_ACCESS_KEY: Final = "UPBIT_SANDBOX_ACCESS_KEY"
_SECRET_KEY: Final = "UPBIT_SANDBOX_SECRET_KEY"  # noqa: S105 - the name of a variable
_ENDS: Final = ("DONE", "FAILED", "CANCELLED", "REJECTED")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves a sandbox until it is told to stop by SIGINT or SIGTERM.

    Args:
        arguments: The command line without the command; that of the process if absent.
    """
    parser = command_line()
    options = parser.parse_args(arguments)
    if not options.allow_remote and not is_local(options.host):
        parser.error(
            f"--host {options.host!r} is not a loopback address; "
            "add --allow-remote to let other machines call the sandbox, unencrypted"
        )
    try:
        require(*PACKAGES)
        credentials = _credentials_from_environment()
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ValueError as error:
        parser.error(str(error))
    sandbox = Sandbox(
        options.region,
        transitions=plan_from(options),
        limits=not options.no_limits,
        credentials=credentials,
    )
    told_to_stop = stop_event()
    with ExitStack() as exits:
        try:
            serving = sandbox.serve(host=options.host, port=options.port, allow_remote=options.allow_remote)
            base_url = exits.enter_context(serving)
        except (OSError, OverflowError) as error:
            parser.error(f"can't listen on {options.host}, port {options.port} ({error}); port 0 takes any")
        sys.stdout.write(_greeting(base_url, sandbox.credentials))
        sys.stdout.flush()
        told_to_stop.wait()
    return 0


def _credentials_from_environment() -> Credentials | None:
    """Return the keys that the sandbox is to have, or ``None`` if it makes them up.

    They are no options, because every user of the machine can read the command line of a process. They do not
    have the names under which the library finds the keys of a real account, because they are printed.

    Raises:
        ValueError: One of the two is missing or unusable.
    """
    access_key, secret_key = os.environ.get(_ACCESS_KEY), os.environ.get(_SECRET_KEY)
    if access_key is None and secret_key is None:
        return None
    problem = "both must be set, or neither"
    if access_key is not None and secret_key is not None:
        try:
            return Credentials(access_key, secret_key)
        except ValueError as error:
            problem = str(error)
    raise ValueError(f"{_ACCESS_KEY} and {_SECRET_KEY}: {problem}")


def _greeting(base_url: str, credentials: Credentials) -> str:
    """Lines that a shell can evaluate; the keys open nothing but this sandbox."""
    return (
        f"UPBIT_BASE_URL={base_url}\n"
        f"UPBIT_ACCESS_KEY={credentials.access_key.reveal()}\n"
        f"UPBIT_SECRET_KEY={credentials.secret_key.reveal()}\n"
    )


def command_line() -> argparse.ArgumentParser:
    """The options and what they mean."""
    parser = argparse.ArgumentParser(
        prog="python -m upbit_async.sandbox",
        description="Serve a local Upbit.",
        epilog=f"The keys of the account are {_ACCESS_KEY} and {_SECRET_KEY}, or made up if these are not set.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--allow-remote", action="store_true", help="let other machines call the sandbox, unencrypted"
    )
    parser.add_argument("--port", type=int, default=8787, help="port, 0 for any (default: %(default)s)")
    parser.add_argument("--region", choices=[region.value for region in Region], default="sg")
    parser.add_argument("--no-limits", action="store_true", help="do not count calls")
    parser.add_argument(
        "--progress",
        choices=["seconds", "reads", "at-once", "never"],
        default="seconds",
        help="what moves a transfer on: time, being read, nothing more is needed, or nothing at all",
    )
    parser.add_argument("--every", type=float, help="seconds or reads between two states (default: 3, 1)")
    parser.add_argument("--end", choices=_ENDS, default="DONE", help="how withdrawals end")
    return parser


def plan_from(options: argparse.Namespace) -> Transitions:
    """How transfers are to progress; only the usual end suits deposits too."""
    end = None if options.end == "DONE" else options.end
    path = None if end is None else ("PROCESSING", end)
    if options.progress == "seconds":
        return Transitions.after_seconds(3.0 if options.every is None else options.every, states=path)
    if options.progress == "reads":
        return Transitions.after_reads(1 if options.every is None else int(options.every), states=path)
    return Transitions.immediate(end) if options.progress == "at-once" else Transitions.manual()


def stop_event() -> threading.Event:
    """An event that is set by the first SIGINT or SIGTERM."""
    told_to_stop = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        told_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return told_to_stop


if __name__ == "__main__":
    sys.exit(main())
