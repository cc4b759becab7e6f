"""Command line that serves sandboxes on sockets."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import shlex
import signal
import sys
import threading
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args, get_origin, get_type_hints

from upbit_async.credentials import Credentials
from upbit_async.escaping import escaped
from upbit_async.region import Region
from upbit_async.sandbox import ErrorSpec, Fault, Knobs, Sandbox, Transitions
from upbit_async.sandbox.adapters.hosts import is_local
from upbit_async.sandbox.sandbox import EXTRA_PACKAGES, require_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from upbit_async.sandbox import RequestRecord

__all__ = ["argument_parser", "fault_from", "knob_from", "main", "stop_event", "transitions_from"]

T = TypeVar("T")

_ACCESS_KEY: Final = "UPBIT_SANDBOX_ACCESS_KEY"
_SECRET_KEY: Final = "UPBIT_SANDBOX_SECRET_KEY"  # noqa: S105 - the name of a variable
_ENDS: Final = ("DONE", "FAILED", "CANCELLED", "REJECTED")
_EPILOG: Final = f"""\
faults:
  lose_answer | reset_before | garbage | status CODE | slow SECONDS, then METHOD, PATH and options of that fault, as in
  --fault "status 503 GET /v1/accounts times=2" or --fault "lose_answer POST /v1/withdraws/coin how=cut times=all"

knobs:
  any of upbit_async.sandbox.Knobs, as in --knob list_delay=20 or --knob out_of_scope=401:out_of_scope

keys:
  {_ACCESS_KEY} and {_SECRET_KEY} if they are set, else random ones
"""


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m upbit_async.sandbox") -> int:
    """Serve sandboxes until SIGINT or SIGTERM, and return the exit code.

    Args:
        arguments: Command line without the command itself; that of the process if absent.
        prog: Command, for the help.
    """
    parser = argument_parser(prog)
    options = parser.parse_args(arguments)
    regions: list[str] = options.region or [Region.SG.value]
    if len(set(regions)) < len(regions):
        parser.error(f"each --region may be given once, got {', '.join(regions)}")
    if not options.allow_remote and not is_local(options.host):
        parser.error(
            f"--host {options.host!r} is not a loopback address; "
            "add --allow-remote to let other machines call the sandbox, unencrypted"
        )
    try:
        require_packages(*EXTRA_PACKAGES)
        credentials = _credentials_from_environment()
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except ValueError as error:
        parser.error(str(error))
    stopping = stop_event()
    with ExitStack() as exits:
        greeting = ""
        for number, region in enumerate(regions):
            sandbox = _sandbox(region, options, credentials)
            port = options.port + number if options.port else 0
            try:
                serving = sandbox.serve(host=options.host, port=port, allow_remote=options.allow_remote)
                base_url = exits.enter_context(serving)
            except (OSError, OverflowError) as error:
                parser.error(f"can't listen on {options.host}, port {port} ({error}); --port 0 takes any")
            prefix = "UPBIT" if len(regions) == 1 else f"UPBIT_{region.upper()}"
            greeting += _greeting(prefix, base_url, sandbox.credentials)
        sys.stdout.write(greeting)
        sys.stdout.flush()
        stopping.wait()
    return 0


def argument_parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        prog: Command, for the help.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Serve a local Upbit, and print the variables for a client of it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--region",
        action="append",
        choices=[region.value for region in Region],
        help="region (default: sg); several are served on ports that follow each other",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8787, help="port, 0 for any (default: %(default)s)")
    parser.add_argument(
        "--allow-remote", action="store_true", help="let other machines call the sandbox, unencrypted"
    )
    parser.add_argument("--no-limits", action="store_true", help="do not count calls")
    parser.add_argument(
        "--transitions",
        choices=["after-seconds", "after-reads", "immediate", "manual"],
        default="after-seconds",
        help="when transfers change their state (default: %(default)s)",
    )
    parser.add_argument("--every", type=float, help="seconds or reads per state (default: 3, 1)")
    parser.add_argument(
        "--end", choices=_ENDS, default="DONE", help="last state of withdrawals (default: %(default)s)"
    )
    parser.add_argument(
        "--fault", action="append", default=[], type=_argument(fault_from), help="fault to inject; repeatable"
    )
    parser.add_argument(
        "--knob",
        action="append",
        default=[],
        type=_argument(knob_from),
        metavar="NAME=VALUE",
        help="undocumented choice of the server; repeatable",
    )
    parser.add_argument("--log", action="store_true", help="write each request to standard error")
    return parser


def transitions_from(options: argparse.Namespace) -> Transitions:
    """Return the transitions that the options name."""
    end = None if options.end == "DONE" else options.end
    # deposits have no such states: they keep the usual ones
    states = None if end is None else ("PROCESSING", end)
    if options.transitions == "after-seconds":
        return Transitions.after_seconds(3.0 if options.every is None else options.every, states=states)
    if options.transitions == "after-reads":
        return Transitions.after_reads(1 if options.every is None else int(options.every), states=states)
    return Transitions.immediate(end) if options.transitions == "immediate" else Transitions.manual()


def fault_from(text: str) -> Fault:
    """Return the fault that a text such as ``status 503 GET /v1/accounts times=2`` describes.

    Raises:
        ValueError: It describes none; the text says what is allowed.
    """
    name, *words = shlex.split(text) or [""]
    if name not in _FAULTS:
        raise ValueError(f"fault must be one of {', '.join(_FAULTS)}, got {name!r}")
    constructor, leading = _FAULTS[name]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    positional: list[Any] = [word for word in words if "=" not in word]
    if len(positional) < len(leading) or len(positional) > len(leading) + 2:
        raise ValueError(
            f"{name} takes {' '.join([*leading, '[METHOD [PATH]]'])}, got {' '.join(positional)!r}"
        )
    for number, value_name in enumerate(leading):
        positional[number] = _converted(value_name, positional[number])
    known = [option for option in inspect.signature(constructor).parameters if option in _FAULT_VALUES]
    for option in options:
        if option not in known:
            raise ValueError(f"option of {name} must be one of {', '.join(known)}, got {option!r}")
    return constructor(*positional, **{option: _converted(option, text) for option, text in options.items()})


def knob_from(text: str) -> tuple[str, object]:
    """Return the name and the value of a knob that a text such as ``list_delay=20`` describes.

    Raises:
        ValueError: There is no such knob, or it does not accept the value.
    """
    name, _, value_text = text.partition("=")
    hints = get_type_hints(Knobs)
    if name not in hints:
        raise ValueError(f"knob must be one of {', '.join(hints)}, got {name!r}")
    value = _value_from(hints[name], value_text)
    setattr(Knobs(), name, value)  # validates it
    return name, value


def stop_event() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopping


def _sandbox(region: str, options: argparse.Namespace, credentials: Credentials | None) -> Sandbox:
    sandbox = Sandbox(
        region,
        transitions=transitions_from(options),
        limits=not options.no_limits,
        credentials=credentials,
    )
    for name, value in options.knob:
        setattr(sandbox.knobs, name, value)
    sandbox.faults.add(*options.fault)
    if options.log:
        sandbox.requests.listen(lambda record: sys.stderr.write(_log_line(region, record)))
    return sandbox


def _credentials_from_environment() -> Credentials | None:
    """Return the keys for the sandbox, or ``None`` for random ones.

    They are no options, because every user of a machine can read the command lines of its processes. Their variables
    differ from those of real accounts, because the sandbox prints its keys.

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


def _greeting(prefix: str, base_url: str, credentials: Credentials) -> str:
    """Return lines that a shell can evaluate; the keys are valid for this sandbox only."""
    return (
        f"{prefix}_BASE_URL={base_url}\n"
        f"{prefix}_ACCESS_KEY={credentials.access_key.reveal()}\n"
        f"{prefix}_SECRET_KEY={credentials.secret_key.reveal()}\n"
    )


def _log_line(region: str, record: RequestRecord) -> str:
    """Return a line without query and body, which may contain addresses."""
    request = escaped(f"{record.method} {record.path}") if record.method else "unreadable request"
    return f"{record.at:%H:%M:%S} {region} {request} {record.status or 'no response'}\n"


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser of an option's value whose message argparse shows."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None

    return parse_argument


def _value_from(hint: Any, text: str) -> object:
    """Return the value of a knob with this annotation; a text that does not fit is left to the knob's validation."""
    kinds = (
        get_args(hint) if get_origin(hint) not in {None, frozenset} and type(None) in get_args(hint) else ()
    )
    if kinds:  # the type, and None
        return None if text == "none" else _value_from(kinds[0], text)
    if get_origin(hint) is frozenset:
        return frozenset(text.split(","))
    if hint is ErrorSpec and re.fullmatch("[0-9]+:.+", text):
        status, _, name = text.partition(":")
        return ErrorSpec(int(status), name)
    convert = _KNOB_VALUES.get(hint)
    try:
        return text if convert is None else convert(text)
    except (ValueError, KeyError):
        return text


def _converted(name: str, text: str) -> Any:
    convert, wanted = _FAULT_VALUES[name]
    try:
        return convert(text)
    except (ValueError, KeyError):
        raise ValueError(f"{name} must be {wanted}, got {text!r}") from None


def _bool(text: str) -> bool:
    return {"true": True, "false": False}[text]


_FAULTS: Final[dict[str, tuple[Callable[..., Fault], tuple[str, ...]]]] = {
    "lose_answer": (Fault.lose_answer, ()),
    "reset_before": (Fault.reset_before, ()),
    "status": (Fault.status, ("CODE",)),
    "slow": (Fault.slow, ("SECONDS",)),
    "garbage": (Fault.garbage, ()),
}
"""Constructors by name, with the values that each needs first."""
_FAULT_VALUES: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "CODE": (int, "a whole number"),
    "SECONDS": (float, "a number"),
    "how": (str, "a text"),
    "body": (str, "a text"),
    "name": (str, "a text"),
    "before": (_bool, "true or false"),
    "times": (lambda text: None if text == "all" else int(text), "a whole number or all"),
    "skip": (int, "a whole number"),
}
"""Conversion and description of each value of a fault."""
_KNOB_VALUES: Final[dict[Any, Callable[[str], object]]] = {
    bool: _bool,
    int: int,
    float: float,
    timedelta: lambda text: timedelta(seconds=float(text)),
}
