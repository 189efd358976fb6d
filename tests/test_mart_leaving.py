"""What the page tables of leaving say of who left: where they stood before, and none of what came later."""

from datetime import date
from types import SimpleNamespace

import polars as pl

from crmlab.mart import leaving
from crmlab.measures.churn.definition import COLUMNS

MONTHS = pl.date_range(date(2023, 1, 1), date(2025, 12, 1), "1mo", eager=True).dt.month_end().to_list()


def known(segments: list[tuple]) -> SimpleNamespace:
    """One customer of whom a month tells its segment, and 1 is earned a month."""
    path = pl.DataFrame(segments, {"customer_id": pl.Int32, "month": pl.Date, "segment": pl.String}, orient="row")
    earned = pl.DataFrame({"customer_id": 1, "month": MONTHS, "aum": range(36), "contribution": 1})
    return SimpleNamespace(
        people=pl.DataFrame({"customer_id": 1, "customer_no": "C1", "branch_id": "B1", "manager_id": "M1"}).cast(
            {"customer_id": pl.Int32}
        ),
        standing=earned.cast({"customer_id": pl.Int32}),
        paths=SimpleNamespace(segment=path, tier=path.rename({"segment": "tier"})),
    )


def left(starts_on: date, ends_on: date) -> pl.DataFrame:
    """A customer since January 2023."""
    entry, duration = starts_on.year * 12 + starts_on.month - 2023 * 12 - 1, (ends_on.year - 2023) * 12 + ends_on.month
    row = {name: None for name in COLUMNS} | {"customer_id": 1, "event": True, "cause": "closure"}
    when = {"starts_on": starts_on, "ends_on": ends_on, "entry": entry, "duration": duration}
    return pl.DataFrame([row | when], COLUMNS)


def test_a_year_is_twelve_months_also_after_a_leap_year():
    for month, earlier in ((date(2025, 3, 31), date(2025, 2, 28)), (date(2024, 3, 31), date(2024, 2, 29))):
        found = leaving._departures(known([(1, earlier, "core")]), left(date(2024, 1, 31), month))
        assert found.select("contribution_year", "aum_then", "segment").row(0) == (12, MONTHS.index(earlier), "core")


def test_curves_tell_customers_apart_by_what_they_were_when_the_first_month_at_risk_began():
    path = known([(1, date(2024, 1, 31), "core"), (1, date(2024, 2, 29), "lost")]).paths.segment
    found = leaving._as_they_stood(left(date(2024, 2, 29), date(2024, 2, 29)), path, "segment")
    assert found.select("entry", "duration", "segment").row(0) == (13, 14, "core")


def test_who_was_at_risk_before_their_segment_could_be_told_enters_once_it_can():
    path = known([(1, date(2024, 6, 30), "core"), (1, date(2024, 7, 31), "lost")]).paths.segment
    found = leaving._as_they_stood(left(date(2024, 2, 29), date(2024, 9, 30)), path, "segment")
    assert found.select("entry", "duration", "segment").row(0) == (18, 21, "core")  # from July on
    for ends_on, n in ((date(2024, 7, 31), 1), (date(2024, 6, 30), 0)):
        assert leaving._as_they_stood(left(date(2024, 2, 29), ends_on), path, "segment").height == n


def test_a_horizon_that_cannot_tell_stands_beside_one_that_can():
    tables = [pl.DataFrame([{"is_better": told, "difference": of}]) for told, of in ((None, None), (True, 0.1))]
    found = leaving._stacked([{"verdict": table} for table in tables], "verdict")
    assert found.rows() == [(None, None), (True, 0.1)]
