"""Several threads decode one model for the first time, in another process because a failure ends it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import threading

import attrs

from upbit_async.protocol.decode import decode

sys.setswitchinterval(1e-6)

def new_model():
    inner = attrs.make_class("Inner", {"uuid": attrs.field(type=str)}, frozen=True)
    fields = {"uuid": str, "inner": inner, "note": str | None, "number": int | None}
    members = {name: attrs.field(type=kind, default=None) for name, kind in fields.items()}
    return attrs.make_class("Outer", members, frozen=True)

def decode_one(model, ready, read):
    ready.wait()
    read.append(decode(model, b'{"uuid": "1", "inner": {"uuid": "2"}}', asked="GET /v1/thing"))

for _ in range(100):
    model, ready, read = new_model(), threading.Barrier(4), []
    threads = [threading.Thread(target=decode_one, args=(model, ready, read)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(each.uuid, each.inner.uuid) for each in read] == [("1", "2")] * 4, read
"""


def test_model_decoded_first_by_several_threads_is_built_once() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
