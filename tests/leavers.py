"""Customers written month by month, and banks of leavers drawn at random."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
from hypothesis import strategies as st

import crmlab as crm
from crmlab.panel.timeline import COLUMNS as OF_EVENTS

RULE = crm.policy.load().churn
MONTHS = pl.date_range(date(2024, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end().to_list()
JAN, FEB, MAR, APR, MAY, JUN, JUL, AUG, SEP, OCT, NOV, DEC = MONTHS
STANDING = {
    "customer_id": pl.Int32, "month": pl.Date, "kind": pl.String, "first_on": pl.Date, "is_open": pl.Boolean,
    "balance_days": pl.Int64, "days": pl.Int32, "n_without_average": pl.Int32, "own_transfer": pl.Int64,
    "last_active_on": pl.Date,
}  # fmt: skip
OF_MATURITIES = {
    "customer_id": pl.Int32, "matures_on": pl.Date, "amount": pl.Int64, "before": pl.Int64, "after": pl.Int64,
}  # fmt: skip
GONE = None  # no row: no account on any day of the month
OLD = date(2020, 1, 15)


def through(customer_id: int, averages: list, **more) -> list[dict]:
    """A customer's months from January 2024 on, averages in thousands; a list in `more` goes month by month."""
    rows = []
    for n, average in enumerate(averages):
        if average is GONE:
            continue
        usual = {"kind": "retail", "first_on": OLD, "n_without_average": 0, "own_transfer": 0, "last_active_on": None}
        own = {name: of[n] if isinstance(of, list) else of for name, of in more.items()}
        later = averages[n + 1 : n + 2]
        row = {"customer_id": customer_id, "month": MONTHS[n], "is_open": later != [GONE], **usual, **own}
        row.setdefault("days", MONTHS[n].day)
        rows.append(row | {"balance_days": int(average * 100_000) * row["days"]})
    return rows


def standing(*customers: list[dict]) -> pl.DataFrame:
    return pl.DataFrame([row for rows in customers for row in rows], schema=STANDING).sort("month", "customer_id")


def events(*rows: tuple) -> pl.DataFrame:
    """customer_id, day, kind, and of a closing its reason, line and maturity."""
    names = ("customer_id", "on", "kind", "reason", "line", "matures_on")
    return pl.DataFrame([dict(zip(names, row, strict=False)) for row in rows], schema=OF_EVENTS)


def matured(*rows: tuple) -> pl.DataFrame:
    """customer_id, day, thousands before and after."""
    return pl.DataFrame(
        [(who, on, before * 100_000, before * 100_000, after * 100_000) for who, on, before, after in rows],
        schema=OF_MATURITIES,
        orient="row",
    )


def salaries(customer_id: int, *months: date) -> list[tuple]:
    return [(customer_id, month.replace(day=10), "salary") for month in months]


def told(rows: pl.DataFrame, *names: str) -> list[tuple]:
    return rows.select(names or ("customer_id", "starts_on", "ends_on", "cause")).rows()


@st.composite
def banks(draw) -> tuple:
    n, ids = draw(st.integers(3, 12)), draw(st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True))
    day = st.dates(date(2023, 11, 1), MONTHS[n - 1])
    rows, happened, known = through(0, [100] * n), [], []
    for who in ids:
        high, low = (
            st.sampled_from([100, 100, 101, 60, 2]) if draw(st.integers(0, 4)) else st.just(0.5),
            st.sampled_from([0, 1, 19, 20, 25, -3, GONE]),
        )
        fall, lasts, level = draw(st.integers(0, n + 3)), draw(st.integers(2, 9)), low
        if draw(st.booleans()):
            level = st.just(draw(low))
        averages = [draw(level if fall <= i < fall + lasts else high) for i in range(n)]
        moved = draw(st.lists(st.sampled_from([0] * 6 + [-100_000, -6_000_000, 500_000]), min_size=n, max_size=n))
        more = {
            "own_transfer": moved,
            "first_on": draw(st.none() | st.dates(date(2023, 1, 1), date(2024, 9, 1))),
            "n_without_average": draw(st.lists(st.sampled_from([0] * 12 + [1]), min_size=n, max_size=n)),
            "kind": draw(st.sampled_from(["retail", "corporate"])),
        }
        if draw(st.booleans()):
            more["is_open"] = draw(st.lists(st.sampled_from([True] * 5 + [False]), min_size=n, max_size=n))
        rows += through(who, averages, **more)
        until = draw(st.integers(0, n))
        happened += salaries(who, *MONTHS[: until if draw(st.booleans()) else 0])
        lines = st.tuples(st.sampled_from(["deposits", "loans"]), st.none() | st.just(DEC))
        happened += [
            (who, on, "closed", reason, *line)
            for on, reason, line in draw(
                st.lists(
                    st.tuples(day, st.sampled_from(["request", "request", "matured", "deceased", "merged"]), lines),
                    max_size=2,
                )
            )
        ]
        if averages[0] is not GONE and draw(st.integers(0, 3)) == 0:
            last = max(i for i in range(n) if averages[i] is not GONE)
            happened.append((who, MONTHS[last], "closed", "matured", "loans", DEC))
        happened += [(who, on, "opened", None, *draw(lines)) for on in draw(st.lists(day, max_size=2))]
        known += [
            (who, on, before, draw(st.sampled_from([0, 10, 25, 90])))
            for on, before in draw(st.lists(st.tuples(day, st.sampled_from([0, 100, 100])), max_size=3))
            if on + timedelta(RULE.maturity_days) <= MONTHS[n - 1]
        ]
    rule = replace(
        RULE,
        causes=draw(st.sampled_from([RULE.causes] * 4 + [("closure",), ("run-off",), ("maturity",), ("salary",)])),
        share=draw(st.sampled_from([200_000, 500_000, 1_000_000])),
        median_months=draw(st.integers(2, 4)),
        least_months=draw(st.integers(1, 2)),
        confirm_months=draw(st.integers(1, 2)),
        salary_months=draw(st.integers(1, 3)),
        maturity_days=draw(st.sampled_from([10, 30, 30, 75])),
    )
    kept = pl.col("matures_on") + pl.duration(days=rule.maturity_days) <= MONTHS[n - 1]
    return standing(rows), events(*happened), rule, matured(*known).filter(kept)


def cut(bank: tuple, month: date) -> tuple:
    """The bank as it was known at a month's end."""
    rows, happened, rule, known = bank
    found_on = pl.col("matures_on") + pl.duration(days=rule.maturity_days)
    known = known.filter(pl.col("matures_on") <= month).with_columns(after=pl.when(found_on <= month).then("after"))
    return rows.filter(pl.col("month") <= month), happened.filter(pl.col("on") <= month), rule, known
