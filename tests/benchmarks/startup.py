"""Cost of the import and of the first client, each measured in a new process, in turns."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

from table import ratios, show, spread

ROUNDS = 11
FOUR = "import httpx, jwt, attrs, anyio"
NAMES = (
    "from upbit_async import UpbitClient, UpbitRegions, Region, Credentials, errors, models, RetryPolicy, "
    "Timeouts, PollSchedule, Safety, RateLimiter, LocalLimiter, NoLimiter, Observer"
)
KEYS = "access_key='A' * 40, secret_key='S' * 40"
CODE = {
    "the four libraries": FOUR,
    "the four and one httpx.AsyncClient()": f"{FOUR}; httpx.AsyncClient()",
    "upbit_async, its names": NAMES,
    "upbit_async, its names and a client": f"{NAMES}; UpbitClient('sg', credentials=Credentials({KEYS}))",
}
RIVALS = {
    "upbit-sdk and a client": ("upbit", f"import upbit; upbit.AsyncUpbit({KEYS}, environment='sg')"),
    "ccxt and a client": ("ccxt", "import ccxt.async_support as ccxt; ccxt.upbit()"),
}
# httpx brings its command line along where click is, and PyJWT all of cryptography where that is. Both are here
# only because others need them, and would make the four libraries look slow.
ALONE = "import sys; sys.modules.update(click=None, cryptography=None)\n"
REPORT = """
import resource, time
print(time.process_time() * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def _measure(code: str) -> tuple[float, float]:
    """Return a process's CPU milliseconds and its most memory in MiB."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code + REPORT]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    cpu, memory = map(float, printed.split())
    return cpu, memory


def main() -> None:
    """Print the table."""
    codes = {"nothing": "", **{title: ALONE + code for title, code in CODE.items()}}
    for title, (package, code) in RIVALS.items():
        if find_spec(package) is None:
            print(f"{title}: {package} is not installed, skipped")
        else:
            codes[title] = code
    for code in codes.values():
        _measure(code)  # writes the bytecode
    figures: dict[str, list[tuple[float, float]]] = {title: [] for title in codes}
    for _ in range(ROUNDS):
        for title, code in codes.items():
            figures[title].append(_measure(code))
    cpu = {
        title: [one[0] - idle[0] for one, idle in zip(each, figures["nothing"], strict=True)]
        for title, each in figures.items()
    }
    memory = {title: [one[1] for one in each] for title, each in figures.items()}
    references = dict.fromkeys(codes, "the four and one httpx.AsyncClient()")
    references |= dict.fromkeys(("the four libraries", "upbit_async, its names"), "the four libraries")
    rows = [
        (
            title,
            spread(cpu[title], 0, " ms"),
            spread(ratios(cpu[title], cpu[references[title]])),
            spread(memory[title], 0, " MiB"),
            spread(ratios(memory[title], memory[references[title]])),
        )
        for title in codes
        if title != "nothing"
    ]
    show(
        f"importing: CPU above a bare interpreter, and memory (medians of {ROUNDS}, least-most)",
        ("", "CPU", "over its like", "memory", "over its like"),
        rows,
    )
    print("  its like: the four libraries, or those and one httpx.AsyncClient() where a client is made")


if __name__ == "__main__":
    main()
