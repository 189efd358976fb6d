"""One case in a process of its own: its best time and peak memory.

`python -m benchmarks.once CASE [REPEATS [CUSTOMERS]]`; with a number of customers it is a case of `worth`, on the book
of that size, or of `segments`, or of `survive` on so many spells or, for `leaving`, customers,
or of `campaigns` on so many pairs, or of `next_best` or `rules` on so many customers.
"""

import json
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks import book, campaigns, cases, next_best, rules, segments, survive, worth

MADE = {
    "leaving": survive.landmarks,
    "settled": campaigns.pairs, "sketched": campaigns.last,
    "scored_offers": next_best.asked, "fitted_offers": next_best.history, "tried_offers": next_best.history,
    "found_rules": rules.rows, "mlxtend_rules": rules.wide, "mlxtend_rules_of_rows": rules.rows,
}  # fmt: skip


def prepared(name: str, customers: int):
    """What a case is given, made before the clock starts."""
    if name in MADE:
        return MADE[name](customers)
    if hasattr(survive, name):
        return survive.spells(customers)
    if customers:
        return segments.standing(customers) if hasattr(segments, name) else book.book(customers)
    if name in ("rfm", "lifetimes"):
        rows = cases.rfm_rows(cases.bank())
        return rows if name == "rfm" else rows.to_pandas()
    return cases.bank()


def main(name: str, repeats: int = 3, customers: int = 0) -> None:
    """Run a case and print {"seconds": …, "peak_mb": …}."""
    warnings.simplefilter("ignore")
    own = [room for room in (segments, survive, campaigns, next_best, rules) if hasattr(room, name)]
    room = own[0] if own else worth if customers else cases
    case, seconds = getattr(room, name), []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=cases.TMP) as folder:
            given = Path(folder) if name in ("landing", "scan") else prepared(name, customers)
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
