"""What a year of a line is worth: of customers of a kind and tier where enough are known, and set by no giant."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import crosssell

ENDS = pl.date_range(date(2024, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end()


def months(a_month: list[int], line: str = "loans", n_months: int = 12, first: int = 0) -> pl.DataFrame:
    """Customers from `first` on, and what each earned us in every one of so many months."""
    rows = pl.DataFrame({"customer_id": range(first, first + len(a_month)), "earned": a_month})
    return rows.join(pl.DataFrame({"month": ENDS[:n_months]}), how="cross").with_columns(line=pl.lit(line))


def people(n: int, tier: str | None, first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": range(first, first + n), "kind": "corporate", "tier": pl.Series([tier] * n, dtype=pl.String)}
    )


SMALL, LARGE = people(40, "gold"), people(40, "diamond", 40)
EVERYONE = pl.concat([SMALL, LARGE])
YEAR = pl.concat([months([100] * 40), months([9_000] * 40, first=40)])


def told(pairs: list[tuple[int, str]], who: pl.DataFrame, rows: pl.DataFrame) -> list[tuple]:
    asked = pl.DataFrame(pairs, schema=["customer_id", "line"], orient="row")
    return crosssell.priced(asked, who, crosssell.earned(rows, who)).select("a_year", "basis").rows()


def test_small_and_large_of_a_kind_are_told_what_those_of_their_size_earn():
    due = [(1_200, "kind and tier"), (108_000, "kind and tier")]
    assert told([(0, "loans"), (79, "loans")], EVERYONE, YEAR) == due


@pytest.mark.parametrize(
    ("n", "n_months", "basis"), [(30, 12, "kind and tier"), (29, 12, "kind"), (40, 9, "kind and tier"), (40, 8, "kind")]
)
def test_of_fewer_than_thirty_years_of_a_tier_all_of_the_kind_are_asked(n, n_months, basis):
    rows = pl.concat([months([100] * n, n_months=n_months), months([9_000] * 40, first=40)])
    assert told([(0, "loans")], EVERYONE, rows)[0][1] == basis


def test_who_has_no_tier_is_told_what_the_kind_earns_and_where_nobody_held_it_nothing():
    who = pl.concat([EVERYONE, people(1, None, 80)])
    assert told([(80, "loans"), (80, "wealth")], who, YEAR) == [(54_600, "kind"), (0, None)]


def test_no_giant_and_no_lost_loan_sets_a_year():
    for odd in (10**9, -(10**9)):
        rows = months([100] * 39 + [odd])
        assert crosssell.earned(rows, SMALL)["a_year"].to_list() == [1_200, 1_200]


def test_a_part_of_a_year_counts_for_its_months():
    rows = pl.concat([months([100] * 20), months([400] * 20, first=20, n_months=3)])
    found = crosssell.earned(rows, SMALL)
    assert found["a_year"].to_list() == [12 * (100 * 12 + 400 * 3) // 15] * 2
    assert found["years"].to_list() == [25.0, 25.0]


@given(st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=40))
def test_a_year_lies_within_those_of_the_holders_and_more_never_makes_it_less(a_month):
    found = crosssell.earned(months(a_month), SMALL)["a_year"][0]
    assert 12 * min(a_month) <= found <= 12 * max(a_month)
    assert crosssell.earned(months([one + 1 for one in a_month]), SMALL)["a_year"][0] == found + 12


def test_a_customer_twice_is_refused():
    with pytest.raises(InputError, match="0"):
        crosssell.earned(YEAR, pl.concat([SMALL, SMALL]))
