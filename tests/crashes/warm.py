"""Imports everything that paying needs, once, in the fork server: its children start without imports."""

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
import service
from process import Task
from schedules import Invoice, Kill, Style

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def _try(program: Callable[[Task], Awaitable[None]], port: int, folder: Path) -> None:
    task = Task(
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
    programs = [backend.pay, service.serve, naive_client.pay_by_create, operators.operate, operators.audit]
    if importlib.util.find_spec("upbit") is not None:
        programs.append(naive_client.pay_by_sdk)
    with (
        socket.socket() as closed,
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        closed.bind(("127.0.0.1", 0))  # nothing listens on this port
        for program in programs:
            asyncio.run(_try(program, closed.getsockname()[1], Path(folder)))


_warm_up()
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join(1.0)  # no thread may run when the server forks
gc.collect()
gc.freeze()  # or a child's first garbage collection would copy all of it
