"""Value over a life: worked out month by month, cut where the curve ends, and quick over a million customers."""

from decimal import ROUND_HALF_EVEN, Decimal
from math import sqrt
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import survival
from crmlab.measures.churn.value import life_value
from crmlab.measures.uncertainty import Z

SOME = settings(deadline=None, max_examples=25)
# Of 4 at risk one leaves at 2, of 3 one at 4; the last is seen until 6.
RETAIL = pl.DataFrame({"kind": "retail", "duration": [2, 4, 5, 6], "event": [True, True, False, False]})
# Nobody of five leaves; they come at a tenure of 3.
SMALL = pl.DataFrame({"kind": "corporate", "entry": 3, "duration": [9] * 5, "event": False})
CURVES = survival.curves(pl.concat([RETAIL.with_columns(entry=0), SMALL], how="diagonal_relaxed"), "kind")


def policy(months: int, discount: int = 0) -> SimpleNamespace:
    return SimpleNamespace(life_value=SimpleNamespace(months=months, discount=discount))


def customers(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["customer_id", "kind", "tenure_months", "contribution_year"], orient="row")


# tenure, months, discount, contribution a year: the shares that are paid month by month, in the order of months.
CASES = {
    "from the start": (0, 3, 0, 12_000, [1, 3 / 4, 3 / 4]),
    "who has lasted to 2 leaves no more at 2": (2, 3, 0, 12_000, [1, 2 / 3, 2 / 3]),
    "discounted by the year": (2, 2, 210_000, 12_000, [1 / 1.21 ** (1 / 12), 2 / 3 / 1.21 ** (2 / 12)]),
    "no further than the curve": (4, 60, 0, 12_000, [1, 1]),
    "who costs money": (2, 3, 0, -12_000, [1, 2 / 3, 2 / 3]),
    "who brings nothing": (2, 3, 0, 0, [1, 2 / 3, 2 / 3]),
}


@pytest.mark.parametrize("name", CASES)
def test_month_by_month(name):
    tenure, months, discount, year, paid = CASES[name]
    found = life_value(CURVES, customers((1, "retail", tenure, year)), policy(months, discount)).row(0, named=True)
    expected = Decimal(sum(paid) * year / 12).quantize(0, ROUND_HALF_EVEN)
    assert (found["value"], found["months_told"]) == (expected, len(paid))
    assert found["lower"] <= found["value"] <= found["upper"]


def test_interval_is_that_of_the_conditional_curve():
    """From 2 on only what leaves at 4 is uncertain: 1 of 3, variance 1/6, which moves months 2 and 3."""
    found = life_value(CURVES, customers((1, "retail", 2, 12_000_000)), policy(3)).row(0, named=True)
    error = Z * sqrt(1 / 6) * (2 / 3 + 2 / 3)
    assert found["lower"] == round(1_000_000 * (7 / 3 - error))
    assert found["upper"] == round(1_000_000 * min(7 / 3 + error, 3))


def test_of_tenures_nobody_was_seen_at_nothing_is_told():
    rows = [(1, "retail", 6, 100), (2, "retail", 99, 100), (3, "corporate", 2, 100), (4, "corporate", 3, 1200)]
    found = life_value(CURVES, customers(*rows), policy(60))
    assert found.select("customer_id", "value", "months_told").rows() == [
        (1, None, 0),
        (2, None, 0),
        (3, None, 0),
        (4, 600, 6),
    ]
    assert found["lower"].null_count() == found["upper"].null_count() == 3


def test_nobody_of_five_left_is_no_certainty():
    """Wilson's lower end for five of five."""
    found = life_value(CURVES, customers((1, "corporate", 3, 120_000)), policy(6)).row(0, named=True)
    assert (found["value"], found["upper"]) == (60_000, 60_000)
    assert found["lower"] == round(60_000 * 5 / (5 + Z**2))


def test_money_is_rounded_once_half_to_even():
    rows = [(year, "corporate", 3, year) for year in (1, 3, 5, 7, -1, -3)]
    found = life_value(CURVES, customers(*rows), policy(6))
    assert found["value"].to_list() == [0, 2, 2, 4, 0, -2]
    assert found["value"].dtype == pl.Int64


@given(st.integers(0, 5), st.integers(1, 12), st.integers(0, 10**6), st.integers(-(10**12), 10**12))
@SOME
def test_more_months_are_worth_more_and_a_discount_less(tenure, months, discount, year):
    def value(months, discount):
        return life_value(CURVES, customers((1, "retail", tenure, year)), policy(months, discount)).row(0, named=True)

    told, longer, plain = value(months, discount), value(months + 1, discount), value(months, 0)
    assert abs(told["value"]) <= abs(longer["value"])
    assert abs(told["value"]) <= abs(plain["value"])
    assert abs(plain["value"]) <= abs(year) * plain["months_told"] / 12 + 1
    assert told["lower"] <= told["value"] <= told["upper"]


def test_a_value_is_one_of_kind_and_tenure_and_keeps_the_order():
    rows = [(9, "retail", 2, 12_000), (3, "corporate", 4, 24_000), (5, "retail", 2, 24_000)]
    found = life_value(CURVES, customers(*rows).with_columns(value=1), policy(2))
    assert found["customer_id"].to_list() == [9, 3, 5]
    assert found.columns == ["customer_id", "value", "lower", "upper", "months_told"]
    assert found["value"].to_list() == [round(1000 * 5 / 3), 4000, round(2000 * 5 / 3)]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [(1, "retail", 1, 5), (2, "institution", 1, 5)],
            "1 of 2 customers .* kind without a curve .first: institution",
        ),
        ([(1, "retail", None, 5), (2, "retail", 1, 5)], "1 of 2 rows given to churn.life_value have no tenure_months"),
        ([(1, "corporate", 3, 2**62), (2, "corporate", 3, 5)], "adds up to .* too much for 64 bits"),
    ],
)
def test_what_has_no_value_is_told(rows, sentence):
    long = pl.DataFrame({"kind": ["retail", "corporate"], "duration": 60, "entry": 0, "event": False})
    with pytest.raises(InputError, match=sentence):
        life_value(survival.curves(long, "kind"), customers(*rows), policy(60))


def test_curves_by_more_than_kind_are_told():
    rows = pl.DataFrame({"kind": "retail", "segment": [*"ab"], "duration": 9, "event": False})
    with pytest.raises(InputError, match=r"4 of 4 rows .* several curves of one kind"):
        life_value(survival.curves(rows, ["kind", "segment"]), customers((1, "retail", 1, 5)), policy(60))
