"""Imports of everything that a paying process needs, done once before it is forked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import backend
import naive_client
import operators
from schedules import Invoice, Kill, Style

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _try(program: Callable[[backend.Task], Awaitable[None]], port: int, folder: Path) -> None:
    task = backend.Task(
        url=f"http://127.0.0.1:{port}",
        access_key="A" * 40,
        secret_key="S" * 40,
        folder=folder,
        invoices=(Invoice(key="a", currency="BTC", net_type="BTC", amount="1", address="a"),),
        style=Style(),
        settling_time=0.1,
        kill=Kill(moment="time"),
    )
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(program(task), 0.5)


def _warm_up() -> None:
    programs = [backend.pay, naive_client.pay_by_create, operators.abandon, operators.audit]
    if importlib.util.find_spec("upbit") is not None:
        programs.append(naive_client.pay_by_sdk)
    with (
        socket.socket() as closed,
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        for program in programs:
            asyncio.run(_try(program, closed.getsockname()[1], Path(folder)))


_warm_up()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(1.0)  # none is to be there when others are forked
gc.collect()
gc.freeze()  # or each process would copy all of it when it collects its own
