"""One case in a process of its own: its best time and peak memory.

`python -m benchmarks.once CASE [REPEATS [CUSTOMERS]]`; with a number of customers it is a case of `worth`, on the book
of that size, or of `segments`, or of `survive` on so many spells or, for `leaving`, customers,
or of `campaigns` on so many pairs, or of `next_best`, `rules` or `handover` on so many customers, or of `whatif` on so
many managers.
"""

import json
import re
import sys
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path

TMP = Path(__file__).with_name("tmp")
ROOMS = ("rules", "campaigns", "next_best", "handover", "whatif", "segments", "survive")
MADE = {
    "leaving": "landmarks",
    "settled": "pairs", "sketched": "last",
    "scored_offers": "asked", "fitted_offers": "history", "tried_offers": "history",
    "recut": "held", "wider_recut": "all_held", "answered": "scored",
    "found_rules": "rows", "mlxtend_rules": "wide", "mlxtend_rules_of_rows": "rows",
}  # fmt: skip


def room_of(name: str, customers: int):
    """Where a case stands; no later room is imported, so that a case has the memory it needs, not that of others."""
    for room in ROOMS:
        found = import_module(f"benchmarks.{room}")
        if hasattr(found, name):
            return found
    return import_module("benchmarks.worth" if customers else "benchmarks.cases")


def prepared(room, name: str, customers: int):
    """What a case is given, made before the clock starts."""
    if name in MADE:
        return getattr(room, MADE[name])(customers)
    if room.__name__ == "benchmarks.survive":
        return room.spells(customers)
    if room.__name__ == "benchmarks.segments":
        return room.standing(customers)
    if customers:
        return import_module("benchmarks.book").book(customers)
    if name in ("rfm", "lifetimes"):
        rows = room.rfm_rows(room.bank())
        return rows if name == "rfm" else rows.to_pandas()
    return room.bank()


def main(name: str, repeats: int = 3, customers: int = 0) -> None:
    """Run a case and print {"seconds": …, "peak_mb": …}."""
    warnings.simplefilter("ignore")
    room = room_of(name, customers)
    case, seconds = getattr(room, name), []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=TMP) as folder:
            given = Path(folder) if name in ("landing", "scan") else prepared(room, name, customers)
            start = time.perf_counter()
            case(given)
            seconds.append(time.perf_counter() - start)
            del given  # its memory is free before the next one is made
    print(json.dumps({"seconds": min(seconds), "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """The most memory this process had; what `resource` tells is at least that of the process that started it."""
    return int(re.search(r"^VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(), re.M)[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
