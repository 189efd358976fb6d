"""The sheet of one customer, timed on a mart of many: `python -m benchmarks.sheet [CUSTOMERS]` prints what was reached.

The mart is made here, not built: its files have the names, columns, order, row groups and sizes of a built one, their
values are put in. Nothing but the sheet can be read from it.
"""

import json
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from playwright.sync_api import sync_playwright

from benchmarks import page
from crmlab.mart.snapshot import FORMAT, POINTER, SNAPSHOTS
from crmlab.panel.calendar import month_ends

ROW_GROUP = 50_000  # as the build writes them
TMP = Path(__file__).with_name("tmp")
FIRST, AS_OF = date(2023, 1, 31), date(2024, 12, 31)
MONTHS = month_ends(FIRST, AS_OF)
LINES = ["deposits", "e-banking", "wealth"]
EVENTS = 30  # a customer
DETAILS = ["call, service", "food", "M0001"]
SEGMENTS = ["Gold", "Potential", "Base", "Everyday", "Slipping", "Quiet earners", "Fading", "Sleeping money", "Asleep"]
STATES = ["new", "growing", "mature", "declining", "dormant", "left", "won back"]
TIERS = ["basic", "silver", "gold", "platinum"]
KINDS = ["opened", "salary", "large_inflow", "outflow_other_bank", "contact", "complaint", "offer", "manager_change"]
OPEN = """async (number) => {
  const texts = ['.crmlab-who h2', '.crmlab-sheet .crmlab-small', '.crmlab-dealings'];
  const seen = () => texts.map((name) => [...document.querySelectorAll(name)].map((one) => one.innerText).join());
  const field = document.querySelector('.crmlab-finder input');
  const before = seen(), start = performance.now();
  field.value = number;
  field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
  while (seen().some((text, i) => text === before[i])) await new Promise((go) => setTimeout(go, 4));
  return (performance.now() - start) / 1000;
}"""


def rows(customers: int) -> list[page.Row]:
    """How long a sheet takes to open: in the kernel, and in a browser from the number typed to all of the first screen.

    Each time it is another customer, anywhere among all.
    """
    folder, size = mart(customers), f"{customers:,} customers"
    numbers = [f"C{at:08}" for at in np.random.default_rng(5).integers(0, customers, 30)]
    first, whole = in_kernel(folder, numbers)
    with page.served(folder) as (address, _), sync_playwright() as playwright:
        context = page.fresh(playwright)
        shown = context.new_page()
        shown.goto(f"{address}?page=customer&customer={numbers[0]}", wait_until="commit")
        shown.wait_for_selector(".crmlab-dealings", timeout=60_000)
        shown.wait_for_timeout(3000)
        typed = []
        for number in numbers[1:10]:
            typed.append(shown.evaluate(OPEN, number))
            shown.wait_for_timeout(1000)  # what lies below the first screen is still being drawn
        context.browser.close()
    return [
        (f"a customer's sheet, in the kernel, {size}", "0.3 s", page.seconds(first)),
        (f"all of it, scrolled to or not, in the kernel, {size}", "", page.seconds(whole)),
        (f"a customer's sheet, from number typed to first screen, {size}", "0.3 s", page.seconds(typed)),
    ]


def in_kernel(folder: Path, numbers: list[str]) -> tuple[list[float], list[float]]:
    """Seconds in which the kernel makes the first screen of a sheet, and all of it."""
    from crmlab.mart import snapshot
    from crmlab.views.pages import customer
    from crmlab.views.parts import Reader

    def sights(box: object) -> Iterator:
        for child in getattr(box, "children", ()):
            yield from [child] if type(child).__name__ == "Sight" else sights(child)

    reader = Reader(page="customer", customer=numbers[0])
    parts = list(sights(customer.page(snapshot.open(folder), reader)))
    taken = []
    for is_seen, some in ((False, numbers[1:10]), (True, numbers[10:19])):
        for part in parts:
            part.is_seen = is_seen
        taken.append([_timed(reader, number) for number in some])
    return taken[0], taken[1]


def _timed(reader: object, number: str) -> float:
    start = time.perf_counter()
    reader.open(number)
    return time.perf_counter() - start


def mart(customers: int) -> Path:
    """The mart of so many customers, made unless it is there."""
    folder = TMP / f"sheet-{customers}"
    if (folder / POINTER).exists():
        return folder
    made, rng = folder / SNAPSHOTS / "made", np.random.default_rng(3)
    for name in ("pages", "customers", "contribution", "standing", "facts"):
        (made / name).mkdir(parents=True, exist_ok=True)
    ids = np.arange(customers, dtype=np.int32)
    for month in MONTHS:
        _month(made, month, ids, rng)
    _once(made, ids, rng)
    for name, frame in _pages(ids, rng).items():
        frame.rechunk().write_ipc(made / "pages" / f"{name}.arrow", compression="uncompressed")
    (made / "manifest.json").write_text(json.dumps(MANIFEST), "utf-8")
    (folder / POINTER).write_text("made", "utf-8")
    return folder


def _month(made: Path, month: date, ids: np.ndarray, rng: np.random.Generator) -> None:
    """Three lines and three accounts a customer."""
    n, owner = 3 * len(ids), np.repeat(ids, 3)
    closing = rng.integers(0, 10**7, n)
    keys = pl.select(customer_id=pl.Series(owner), month=pl.lit(month), line=pl.Series(LINES * len(ids)))
    flows = {name: rng.integers(0, 10**4, n) for name in ("opening", "inflow", "outflow", "interest", "fees")}
    counts = {name: pl.lit(0, pl.Int32) for name in ("n_without_balance", "n_without_average", "n_mobile", "n_pos")}
    held = keys.with_columns(
        **flows, closing=closing, balance_days=closing * 30, days=pl.lit(30, pl.Int32), n_open=pl.lit(1, pl.Int32),
        n_transactions=rng.integers(0, 20, n, np.int32), **counts,
    )  # fmt: skip
    amounts = {name: rng.integers(-(10**4), 10**5, n) for name in ("margin", "fee", "service_cost", "expected_loss")}
    earned = keys.with_columns(manager_id=pl.lit("M0001"), **amounts, points=pl.lit(0, pl.Int64))
    facts = held.select(pl.arange(0, n, dtype=pl.Int32).alias("account_id"), pl.exclude("customer_id", "line"))
    facts = facts.with_columns(starts_on=pl.lit(month.replace(day=1)), ends_on=pl.lit(month))
    for name, frame in (("customers", held), ("contribution", earned), ("facts", facts)):
        frame.write_parquet(made / name / f"{month:%Y-%m}.parquet", row_group_size=ROW_GROUP)


def _once(made: Path, ids: np.ndarray, rng: np.random.Generator) -> None:
    """Accounts, events and identities."""
    n, owner = 3 * len(ids), np.repeat(ids, 3)
    matures = pl.Series(rng.integers(-300, 600, n)).cast(pl.Int32)
    accounts = pl.select(
        account_id=pl.arange(0, n, dtype=pl.Int32), customer_id=pl.Series(owner), line=pl.Series(LINES * len(ids)),
        account_no="A" + pl.arange(0, n, dtype=pl.Int32).cast(pl.String), product=pl.lit("Fixed deposit"),
        currency=pl.lit("CNY"), opened_on=pl.lit(date(2020, 1, 1)), closed_on=pl.lit(None, pl.Date),
        close_reason=pl.lit(None, pl.String), rate=pl.lit(21_500), term_months=pl.lit(12, pl.Int32),
        matures_on=pl.lit(AS_OF) + pl.duration(days=matures), limit=pl.lit(None, pl.Int64),
    )  # fmt: skip
    n = EVENTS * len(ids)
    days = np.sort(rng.integers(0, (AS_OF - FIRST).days, (len(ids), EVENTS)).astype(np.int32), axis=1).ravel()
    events = pl.select(
        customer_id=pl.Series(np.repeat(ids, EVENTS)), on=_days(days),
        kind=pl.Series(rng.integers(0, len(KINDS), n, np.uint8)).cat.to(pl.Enum(KINDS)),
        account_id=pl.Series(rng.integers(0, 3 * len(ids), n, np.int32)), amount=pl.Series(rng.integers(0, 10**7, n)),
        detail=pl.Series(rng.integers(0, 3, n, np.uint8)).cat.to(pl.Enum(DETAILS)).cast(pl.String),
    )  # fmt: skip
    identity = pl.select(
        customer_id=pl.Series(ids), name=pl.lit("Wang Xiaoming"), mobile=_no("138", ids), address=_no("Road ", ids),
        national_id=_no("3101", ids),
    )  # fmt: skip
    for name, frame in (("accounts", accounts), ("events", events), ("identity", identity)):
        frame.write_parquet(made / f"{name}.parquet", row_group_size=ROW_GROUP)


def _pages(ids: np.ndarray, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """The page tables that the sheet reads."""
    n = len(ids)
    people = pl.select(
        customer_id=pl.Series(ids), customer_no=_no("C", ids), kind=pl.lit("retail"), branch_id=pl.lit("B01"),
        name=pl.lit("W…"), since=pl.lit(FIRST), first_on=pl.lit(FIRST), manager_id=pl.lit("M0001"),
    )  # fmt: skip

    def any_of(names: list[str]) -> pl.Series:
        return pl.Series(rng.integers(0, len(names), n, np.uint8)).cat.to(pl.Enum(names))

    paths = people.select("customer_id", "kind", "branch_id", "manager_id").with_columns(
        **{f"{name} {month}": any_of(values) for name, values in
           (("segment", SEGMENTS), ("state", STATES), ("tier", TIERS)) for month in MONTHS},
        **{f"aum {month}": pl.Series(rng.integers(0, 10**7, n)) for month in MONTHS},
    )  # fmt: skip
    money = {name: pl.Series(rng.integers(0, 10**7, n)) for name in ("aum", "aum_average", "loans", "aum_change_year")}
    roster = people.drop("first_on").with_columns(
        **money, branch=pl.lit("Nanjing Road"), manager=pl.lit("Li Na"), segment=any_of(SEGMENTS).cast(pl.String),
        state=any_of(STATES).cast(pl.String), tier=any_of(TIERS).cast(pl.String), rfm_segment=pl.lit("Loyal"),
        n_lines=pl.lit(3, pl.Int32), recency_days=pl.Series(rng.integers(0, 90, n, np.int32)),
        tenure_months=pl.lit(79, pl.Int32),
    )  # fmt: skip
    worth = people.select("customer_id").with_columns(
        contribution=pl.Series(rng.integers(-(10**4), 10**6, n)),
        contribution_before=pl.Series(rng.integers(1, 10**6, n)),
        grade=pl.lit("B"), next_tier=pl.lit("gold"), missing=pl.lit(1_000_00), above=pl.lit(5_000_00),
        is_near_up=pl.Series(rng.random(n) < 0.1), is_near_down=pl.lit(False),
    )  # fmt: skip
    home, other = ids // 3 * 3, np.minimum(ids // 3 * 3 + (ids + 1) % 3, n - 1)
    members = pl.DataFrame({"customer_id": ids, "household_id": home}).with_columns(
        n_household=pl.len().over("household_id").cast(pl.Int32), group_id=pl.lit(None, pl.Int32),
        n_group=pl.lit(None, pl.Int32),
    )  # fmt: skip
    links = pl.DataFrame({"customer_id": ids, "other_id": other.astype(np.int32), "via": "kin"})
    some = np.sort(rng.choice(ids, n // 20, replace=False))
    complaints = pl.select(
        customer_id=pl.Series(some), on=_days(rng.integers(600, 700, len(some))), topic=pl.lit("fees"),
        resolved_on=pl.lit(None, pl.Date),
    )  # fmt: skip
    offers = pl.select(
        customer_id=pl.Series(ids), on=_days(rng.integers(0, 700, n)), name=pl.lit("Autumn"), product=pl.lit("Fund"),
        responded_on=pl.lit(None, pl.Date), opened_on=pl.lit(None, pl.Date),
    )  # fmt: skip
    jointly = pl.select(customer_id=pl.Series(some), account_id=pl.Series(some), share=pl.lit(500_000, pl.Int64))
    incomplete = pl.select(
        customer_id=pl.Series(some), n_required=pl.lit(6, pl.Int32), n_filled=pl.lit(5, pl.Int32),
        missing=pl.lit("mobile"),
    )  # fmt: skip
    texts = {"activity": "", "earning": "", "growth": "", "means": "They pay their way.", "do": "Call them."}
    return {
        "people": people, "paths": paths, "roster": roster, "worth": worth, "members": members, "links": links,
        "jointly": jointly, "complaints": complaints, "offers": offers, "completeness": incomplete,
        "segments": pl.DataFrame({"name": SEGMENTS}).with_columns(**{name: pl.lit(of) for name, of in texts.items()}),
        "trend": pl.DataFrame({"line": LINES, "class": ["deposits", "services", "investments"]}),
        "worth_tiers": pl.DataFrame({"rule": "tier", "name": TIERS, "rank": range(len(TIERS))}),
        "branches": pl.DataFrame({"branch_id": ["B01"], "name": ["Nanjing Road"]}),
        "managers": pl.DataFrame({"manager_id": ["M0001"], "name": ["Li Na"], "branch_id": ["B01"]}),
    }  # fmt: skip


def _no(letter: str, ids: np.ndarray) -> pl.Expr:
    return letter + pl.lit(pl.Series(ids)).cast(pl.String).str.zfill(8)


def _days(since: np.ndarray) -> pl.Expr:
    return pl.lit(FIRST) + pl.duration(days=pl.lit(pl.Series(since)))


MANIFEST = {
    "format": FORMAT, "as_of": str(AS_OF), "base_currency": "CNY", "minor_digits": 2,
    "digits_of_currencies": {"JPY": 0}, "churn_words": "", "tables": {}, "history_from": str(FIRST.replace(day=1)),
    "contribution": {"components": ["margin", "fee", "service_cost", "expected_loss"], "missing": {}, "n_unpriced": 0},
}  # fmt: skip


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print("{:75} {:8} {}".format(*row))
