"""The report of `check` in words."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.schema import TABLES

if TYPE_CHECKING:
    from crmlab.bank.check import Report

LISTED = 20
QUARTERS = 4
LATE = 31  # days after which one asks whether transactions are missing


def told(report: "Report") -> str:
    """The whole report, the verdict last."""
    parts = [_covered, _totals, _rejects, _balances, _anchors, _facts, _staff, _quarters, _verdict]
    blocks = ["\n".join(part(report)) for part in parts]
    return "\n\n".join(block for block in blocks if block)


def _covered(report: "Report") -> Iterator[str]:
    bank = report.bank
    n = report.n_rows
    currencies = bank.table("accounts").select(pl.col("currency").unique().sort()).collect()["currency"]
    last = bank.manifest["history_to"]
    yield f"The bank as of {bank.as_of}; transactions delivered from {bank.history_from} to {last}."
    n_days = (bank.as_of - date.fromisoformat(last)).days
    if n_days > LATE:
        yield f"As of {bank.as_of} lies {n_days} days after the last transaction: months without any are built."
    yield (
        f"Known by that day: {_count(n['customers'], 'customer')}, {_count(n['accounts'], 'account')} "
        f"({', '.join(currencies)}), {_count(n['transactions'], 'transaction')}."
    )
    absent = [name for name in TABLES if not bank.has(name)]
    if absent:
        yield f"Not delivered: {', '.join(absent)}."
    yield from _silent(report.silent_months)
    yield from bank.manifest["unread"]


def _silent(months: pl.DataFrame) -> Iterator[str]:
    for row in months.head(LISTED).iter_rows(named=True):
        where = f"branch {row['branch_id']}" if row["branch_id"] else "the whole bank"
        yield f"Nothing was booked in {row['month']:%Y-%m} in {where}; usually it is {row['usual']:,.0f} rows a month."
    yield from _more(months.height)


def _totals(report: "Report") -> Iterator[str]:
    yield "Delivered = loaded + rejected"
    rows = [("table", "rows", "loaded", "rejected", "")]
    money = []
    for name, table in report.bank.manifest["tables"].items():
        counts = [table[key] for key in ("rows_in", "loaded", "rejected")]
        rows.append((name, *(f"{count:,}" for count in counts), _agrees(*counts)))
        for currency, sums in table.get("control", {}).items():
            totals = [sums[key] for key in ("in", "loaded", "rejected")]
            written = [_money(report, total, currency) for total in totals]
            money.append((f"{name}, {currency}", *written, _agrees(*totals)))
    yield from _table(rows)
    yield ""
    yield from _table([("sum of", "delivered", "loaded", "rejected", ""), *money])
    for name, table in report.bank.manifest["tables"].items():
        if table.get("unreadable"):
            yield f"{table['unreadable']} rejected {name} have no amount that could be summed."


def _agrees(delivered: int, loaded: int, rejected: int) -> str:
    off = delivered - loaded - rejected
    return "agrees" if off == 0 else f"off by {off}"


def _rejects(report: "Report") -> Iterator[str]:
    entries = report.bank.manifest["rejects"]
    yield "Rejected" if entries else "Nothing was rejected."
    for entry in [*entries, *report.bank.manifest["notes"]]:
        yield f"  {entry['says']}."


def _balances(report: "Report") -> Iterator[str]:
    if not report.n_controls:
        yield "Balances from flows: no recorded balance (kind control) to compare with."
        return
    n, n_odd, limit = report.breaks.height, report.sizes["n"].sum(), report.bank.policy.tolerance
    of = f"{n_odd:,} of {_count(report.n_controls, 'recorded balance')}"
    yield f"Balances from flows: {of} differ from their flows, {n:,} by more than {limit}."
    if n_odd:
        currency = report.bank.base_currency
        common = [
            f"{_money(report, size, currency)} {times:,} times" for size, times in report.sizes.head(5).iter_rows()
        ]
        largest = _money(report, report.sizes["difference"].max(), currency)
        yield f"  By size: {', '.join(common)}; the largest {largest}; on {_count(report.n_accounts_off, 'account')}."
    if n:
        listed = [
            (
                row["account_no"],
                f"{row['on']}",
                *(_money(report, row[key], row["currency"]) for key in ("recorded", "from_flows", "difference")),
            )
            for row in report.breaks.head(LISTED).iter_rows(named=True)
        ]
        yield from _table([("account", "on", "recorded", "from flows", "difference"), *listed])
        yield from _more(n)


def _anchors(report: "Report") -> Iterator[str]:
    n = report.unanchored.height
    if not n:
        yield "Every account opens with a known balance."
        return
    first = report.bank.history_from
    yield f"Without an anchor (older than the history, no balance at or before {first}), kept out of averages: {n:,}"
    yield f"  {', '.join(report.unanchored['account_no'].head(LISTED))}"
    yield from _more(n)


def _facts(report: "Report") -> Iterator[str]:
    yield "Business facts, loaded as they are"
    groups = report.duplicates
    first = f" (first: {', '.join(groups['customers'][0])})" if groups.height else ""
    yield f"  persons under several customer numbers: {groups.height:,}{first}"
    rows = report.overlaps
    first = ""
    if rows.height:
        row = rows.row(0, named=True)
        what = f"{row['role']} {row['scope']} {row['object']}"
        first = f" (first: {what}, {_percent(row['share'] / MILLION, '.0f')} from {row['from_on']})"
    yield f"  assigned beyond the whole: {rows.height:,}{first}"
    rows = report.overdrafts
    first = ""
    if rows.height:
        row = rows.row(0, named=True)
        first = f" (first: {row['account_no']}, {_money(report, row['closing'], row['currency'])} on {row['month']})"
    yield f"  accounts overdrawn at a month's end without leave: {rows.height:,}{first}"


def _staff(report: "Report") -> Iterator[str]:
    if report.unmet:
        yield "Managers and the rules for them"
        yield from (f"  {sentence}" for sentence in report.unmet)


def _quarters(report: "Report") -> Iterator[str]:
    if report.deviations.is_empty():
        yield "Closing against average at quarter ends: no whole quarter end in the history."
        return
    last = report.deviations["quarter"].unique().sort().tail(QUARTERS)
    yield f"Closing against the month's average at the last {QUARTERS} quarter ends"
    rows = [
        (f"{row['quarter']}", row["currency"], row["line"], _money(report, row["closing"], row["currency"]),
         _money(report, row["average"], row["currency"]), _percent(row["deviation_share"], "+.1f"))
        for row in report.deviations.filter(pl.col("quarter").is_in(last.implode())).iter_rows(named=True)
    ]  # fmt: skip
    yield from _table([("quarter", "currency", "line", "closing", "average", "deviation"), *rows])


def _verdict(report: "Report") -> Iterator[str]:
    reasons = []
    if not report.is_reconciled:
        reasons.append("loaded and rejected do not add up to what was delivered")
    if report.breaks.height:
        broken = _count(report.breaks.height, "recorded balance")
        reasons.append(f"{broken} off by more than {report.bank.policy.tolerance}")
    if report.unanchored.height:
        reasons.append(f"{_count(report.unanchored.height, 'account')} without an anchor")
    if report.silent_months.height:
        reasons.append(f"{_count(report.silent_months.height, 'month')} without a booking")
    yield f"Not clean: {'; '.join(reasons)}." if reasons else "Clean within tolerance."


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + "s" * (n != 1)


def _money(report: "Report", minor: int, currency: str) -> str:
    digits = report.bank.policy.digits(currency)
    sign, whole = "−" * (minor < 0), abs(minor)
    return f"{sign}{whole // 10**digits:,}" + (f".{whole % 10**digits:0{digits}}" if digits else "")


def _percent(share: float, form: str) -> str:
    return f"{share * 100:{form}} %".replace("-", "−")


def _more(n: int) -> Iterator[str]:
    if n > LISTED:
        yield f"  … and {n - LISTED:,} more."


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Rows in columns, the first to the left and numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    to_left = [not any(row[i][-1:].isdigit() for row in rows[1:]) or i == 0 for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if left else f"{cell:>{width}}"
            for cell, width, left in zip(row, widths, to_left, strict=True)
        ]
        yield ("  " + "  ".join(cells)).rstrip()
