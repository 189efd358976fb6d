"""`python -m benchmarks`: every figure beside its peer, in one run, written to benchmarks/README.md."""

import json
import math
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import crmlab as crm
from benchmarks import campaigns, cases, extract, handover, page, rules, sheet
from crmlab import simulate

README = Path(__file__).with_name("README.md")
MARK = "<!-- written by make bench -->"
SIZES = (100_000, 1_000_000)  # customers
FITTED = 10_000  # customers whose 24 months offers are fitted on
MOVED = ("bare_movers", "movers", "bare_numbers")
LEFT = {
    "hazards": SIZES[1], "lifelines_hazards": SIZES[1], "clustered_hazards": SIZES[1],
    "own_hazards": SIZES[0], "lifelines_own_hazards": SIZES[0], "leaving": SIZES[1],
}  # fmt: skip
NEXT = {
    "found_rules": (3, SIZES[1]), "mlxtend_rules": (1, SIZES[1]), "mlxtend_rules_of_rows": (1, SIZES[1]),
    "scored_offers": (1, SIZES[1]), "fitted_offers": (1, FITTED), "tried_offers": (1, FITTED),
    "settled": (3, SIZES[0]), "sketched": (3, SIZES[0]),
}  # fmt: skip
RECUT = 2_000  # customers of the one who leaves, or of all
ASKED = 500  # managers of whom it is asked what if
CREDITED = ("bare_assessed", "assessed")
EARNED = ("bare_contribution", "contribution", "bare_bridge", "bridge", *CREDITED, "books")
LIBRARIES = ["polars", "duckdb", "pandas", "lifetimes", "lifelines", "mlxtend", "voila", "plotly"]


def main() -> None:
    """Time all cases, each in a process of its own, and write the table."""
    rows = extract.write(cases.EXTRACT)
    cases.bank()
    size = sum(path.stat().st_size for path in rows.rglob("*.csv")) / 1e6
    timed = {name: once(name) for name in ("bare", "facts", "panel", "sql", "facts_on_duckdb", "rfm", "bare")}
    timed |= {name: once(name, 1) for name in ("pandas", "lifetimes", "landing", "scan")}
    sized = {customers: worth(customers) for customers in SIZES}
    moved = {name: once(name, 3, SIZES[1]) for name in MOVED}
    left = {name: once(name, 1, size) for name, size in LEFT.items()}
    n_rules = rules.same(SIZES[1])
    following = {name: once(name, *numbers) for name, numbers in NEXT.items()}
    gap = campaigns.settled(campaigns.pairs(SIZES[0])).gap
    tables = [
        code(timed, size),
        earned(*sized.values()),
        movers(moved),
        leavers(left),
        offers(following, n_rules, gap),
        managers(*sized.values()),
        pages(page.rows(mart()) + sheet.rows(SIZES[1])),
    ]
    text = README.read_text("utf-8").split(MARK)[0]
    README.write_text("\n".join([text.rstrip(), "", MARK, machine(), "", *tables]), "utf-8")
    print(README.read_text("utf-8"))


def worth(customers: int) -> dict[str, dict]:
    """The cases of `benchmarks.worth` by name, on a book that is made before the clock starts."""
    subprocess.run([sys.executable, "-m", "benchmarks.book", str(customers)], check=True)
    return {name: once(name, 1 if name == "books" else 2, customers) for name in EARNED}


def once(name: str, *numbers: int) -> dict:
    """One case, in a process of its own."""
    print(name, *numbers, "…", flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "benchmarks.once", name, *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def mart() -> Path:
    """The mart of a simulated bank of 100,000 customers over 24 months."""
    bank, folder = cases.TMP / "bank", cases.TMP / "mart"
    if not (folder / "CURRENT").exists():
        simulate.bank(bank, customers=100_000, months=24, seed=7)
        crm.build(bank, "2024-12-31", folder)
    return folder


def machine() -> str:
    """The line that says where and with what this was measured."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {libraries}."


def taken(found: dict) -> str:
    """Time and memory in words."""
    return f"{found['seconds']:.2f} s, {found['peak_mb']:,.0f} MB"


def earned(small: dict[str, dict], large: dict[str, dict]) -> str:
    """Contribution and bridge beside a bare pass at the larger size, and how they grow from the smaller to it."""
    rows = []
    for name in ("contribution", "bridge"):
        rows += grown(name, f"{name} / bare Polars pass", name, small, large)
    rows.append(("books", taken(large["books"]), "", "", ""))
    head = "| what | crmlab | peer | goal | reached |\n|---|---|---|---|---|"
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"## {SIZES[1]:,} customers, three accounts each, 24 months", "", head, *lines, ""])


def grown(name: str, beside: str, alone: str, small: dict[str, dict], large: dict[str, dict]) -> list[tuple[str, ...]]:
    """A case beside its bare pass at the larger size, and how its time grows from the smaller to it."""
    ours, peer = large[name], large[f"bare_{name}"]
    growth = math.log(ours["seconds"] / small[name]["seconds"], SIZES[1] / SIZES[0])
    return [
        (beside, taken(ours), taken(peer), "≤ 3 ×", f"{ours['seconds'] / peer['seconds']:.1f} ×"),
        (f"{alone} at {SIZES[0]:,} customers: exponent", taken(small[name]), "", "≤ 1.1", f"{growth:.2f}"),
    ]


def movers(timed: dict[str, dict]) -> str:
    """Segments, life cycle and a matrix beside a bare pass over their columns, and beside one that spares kind."""
    ours = timed["movers"]
    rows = [
        ("bare Polars pass", "bare_movers", "≤ 2 ×"),
        ("bare Polars pass that does not read kind", "bare_numbers", ""),
    ]
    lines = [
        f"| segments, life cycle, matrix / {what} | {taken(ours)} | {taken(timed[name])} | {goal} "
        f"| {ours['seconds'] / timed[name]['seconds']:.1f} × |"
        for what, name, goal in rows
    ]
    head = "| what | crmlab | peer | goal | reached |\n|---|---|---|---|---|"
    return "\n".join([f"## Who moved, of {SIZES[1]:,} customers in 24 months", "", head, *lines, ""])


def leavers(timed: dict[str, dict]) -> str:
    """Cox's hazards beside lifelines, and all that is told of who may leave."""
    rows = [
        ("cox.fit with late entry / lifelines", "hazards", "lifelines_hazards", "≥ 5 × faster"),
        ("the same, errors by customer / lifelines without", "clustered_hazards", "lifelines_hazards", ""),
        (f"errors by row, {SIZES[0]:,} / lifelines robust=True", "own_hazards", "lifelines_own_hazards", ""),
    ]
    lines = [
        f"| {what} | {taken(timed[ours])} | {taken(timed[peer])} | {goal} "
        f"| {timed[peer]['seconds'] / timed[ours]['seconds']:.0f} × faster |"
        for what, ours, peer, goal in rows
    ]
    lines.append(
        f"| fit, calibrate, back-test, score {SIZES[1]:,} customers | {taken(timed['leaving'])} | | minutes | |"
    )
    head = "| what | crmlab | peer | goal | reached |\n|---|---|---|---|---|"
    return "\n".join([f"## Who may leave: {SIZES[1]:,} spells, 8 covariates, whole months", "", head, *lines, ""])


def offers(timed: dict[str, dict], n_rules: int, gap: float) -> str:
    """Rules beside mlxtend, offers scored, fitted and tried, a list settled and its preview."""
    ours = timed["found_rules"]

    def beside(what: str, name: str, goal: str) -> tuple[str, ...]:
        peer = timed[name]
        reached = f"{peer['seconds'] / ours['seconds']:.0f} × faster, {n_rules:,} rules, the same"
        return what, taken(ours), taken(peer), goal, reached

    def alone(what: str, name: str, goal: str = "", digits: int = 0) -> tuple[str, ...]:
        return what, taken(timed[name]), "", goal, f"{timed[name]['seconds']:.{digits}f} s"

    rows = [
        beside("rules from rows / mlxtend from a frame of booleans", "mlxtend_rules", "≥ 20 × faster, in less memory"),
        beside("rules from rows / mlxtend from rows", "mlxtend_rules_of_rows", ""),
        alone(f"{SIZES[1]:,} customers × 20 products scored", "scored_offers", "≤ 60 s"),
        alone(f"models fitted on {FITTED:,} customers' 24 months", "fitted_offers"),
        alone("the same tried on an earlier day", "tried_offers"),
        alone(f"list from {SIZES[0]:,} pairs and {campaigns.MANAGERS} managers", "settled", "≤ 30 s"),
        ("its gap to the bound", "", "", "≤ 0.1 %", f"{gap:.3%}"),
        alone("its preview, from its prices", "sketched", "≤ 0.15 s", 2),
    ]
    head = "| what | crmlab | peer | goal | reached |\n|---|---|---|---|---|"
    return "\n".join(["## What they need next", "", head, *(f"| {' | '.join(row)} |" for row in rows), ""])


def managers(small: dict[str, dict], large: dict[str, dict]) -> str:
    """Credit by day beside a bare join and sum, rules changed, a book dealt anew, and all books."""
    answer = once("answered", 5, ASKED)
    rows = [
        *grown("assessed", "credit by day, with bases / bare join and group-by", "credit by day", small, large),
        (f"a weight, a target and a rule changed, {ASKED} managers", taken(answer), "", "≤ 0.15 s",
         f"{answer['seconds']:.2f} s"),
        recut_of("the book of one who leaves", "recut", handover.recut(handover.held(RECUT))),
        recut_of("all books, at the cost of taking", "wider_recut", handover.wider_recut(handover.all_held(RECUT))),
    ]  # fmt: skip
    head = "| what | crmlab | peer | goal | reached |\n|---|---|---|---|---|"
    return "\n".join(["## What managers add", "", head, *(f"| {' | '.join(row)} |" for row in rows), ""])


def recut_of(what: str, name: str, found) -> tuple[str, ...]:
    """A re-cut with what is proven of it."""
    proven = f"{found.gap:.2%} from the bound at most, {found.pairs['n_omitted']:,.0f} omitted pairs priced"
    named = f"{RECUT:,} customers over {handover.MANAGERS} managers: {what}"
    return named, taken(once(name, 3, RECUT)), "", "seconds, proven", proven


def code(timed: dict[str, dict], size: float) -> str:
    """Cases beside their peers, as ratios of the same run."""

    def row(what: str, ours: str, peer: str, goal: str, reached: str) -> str:
        return f"| {' | '.join([what, taken(timed[ours]), taken(timed[peer]), goal, reached])} |"

    def ratio(ours: str, peer: str) -> float:
        return timed[ours]["seconds"] / timed[peer]["seconds"]

    rows = [
        row("facts / bare Polars pass", "facts", "bare", "≤ 2.0 ×", f"{ratio('facts', 'bare'):.1f} ×"),
        row("facts, customers, books / bare Polars pass", "panel", "bare", "≤ 4 ×", f"{ratio('panel', 'bare'):.1f} ×"),
        row("facts / plain SQL on DuckDB", "facts", "sql", "not slower", f"{1 / ratio('facts', 'sql'):.1f} × faster"),
        row("facts / pandas", "facts", "pandas", "≥ 8 × faster", f"{1 / ratio('facts', 'pandas'):.1f} × faster"),
        row("facts on DuckDB / plain SQL", "facts_on_duckdb", "sql", "", f"{ratio('facts_on_duckdb', 'sql'):.1f} ×"),
        row(
            "rfm.summary / lifetimes", "rfm", "lifetimes", "≥ 10 × faster",
            f"{1 / ratio('rfm', 'lifetimes'):.0f} × faster",
        ),
        row(
            "landing / bare scan_csv to sink_parquet", "landing", "scan", "",
            f"{size / timed['landing']['seconds']:.0f} MB/s against {size / timed['scan']['seconds']:.0f} MB/s",
        ),
    ]  # fmt: skip
    head = "| what | crmlab | peer | goal | reached |\n|---|---|---|---|---|"
    return "\n".join(["## 10 million transactions, 200,000 accounts, 24 months", "", head, *rows, ""])


def pages(rows: list[tuple[str, str, str]]) -> str:
    """What the browser measured."""
    head = "| what | goal | reached |\n|---|---|---|"
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["## The page, at 100,000 customers", "", head, *lines, ""])


if __name__ == "__main__":
    main()
