"""Landmarks of offers: three customers by hand, and the wall: nothing that came later changes what was known."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures.churn.covariates import COVARIATES, Covariate, Past
from crmlab.measures.crosssell.taking import TAKES, as_known, landmarks
from tests.test_churn_landmarks import ENDS, EVENTS, book, standing

POLICY = rules.load()
SPELL = {"customer_id": pl.Int32, "product_id": pl.String, "opened_on": pl.Date, "closed_on": pl.Date}
PRODUCTS = ["account", "card", "fund", "loan"]


def frame(rows: list[tuple], schema: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


JUNE = date(2024, 6, 30)
THREE = standing({"customer_id": 1}, {"customer_id": 2, "kind": "corporate"}, {"customer_id": 3}).with_columns(
    is_open=(pl.col("customer_id") != 3) | (pl.col("month") < JUNE)
)
HELD = frame(
    [
        (1, "account", date(2019, 1, 1), None),
        (1, "card", date(2024, 6, 30), date(2024, 8, 1)),  # taken on the day itself: held
        (1, "fund", date(2024, 9, 2), None),
        (1, "fund", date(2024, 7, 1), date(2024, 7, 20)),  # the first of two to come
        (2, "account", date(2023, 1, 1), date(2024, 6, 30)),  # given up that day: held no more
        (2, "card", date(2024, 1, 1), date(2024, 2, 1)),
        (2, "account", date(2024, 8, 31), None),
        (3, "account", date(2024, 1, 1), None),
        (9, "loan", date(2024, 1, 1), None),
    ],
    SPELL,
)
HAPPENED = frame(
    [(1, date(2024, 5, 20), "inflow_stayed", 5), (2, date(2024, 7, 1), "salary_rise", 5),
     (2, date(2024, 3, 31), "salary_rise", 5), (2, date(2024, 6, 30), "maturing_soon", 5)],
    EVENTS,
)  # fmt: skip
PEOPLE = pl.DataFrame({"customer_id": [1, 2], "birth_on": [date(1984, 6, 30), None]})


def test_what_was_known_of_three_customers_and_what_they_took():
    found = landmarks(THREE, HAPPENED, HELD, POLICY, PEOPLE).filter(month=JUNE)
    assert found["customer_id"].to_list() == [1, 2]  # the third has no account open
    held = found.select(pl.col("^holds:.*$").name.map(lambda name: name.removeprefix("holds:")))
    assert held.rows(named=True) == [
        {"account": True, "card": True, "fund": False, "loan": False},
        {"account": False, "card": False, "fund": False, "loan": False},
    ]
    assert found.select(TAKES + name for name in PRODUCTS).rows() == [(None, None, 1, None), (2, None, None, None)]
    assert found.select("has_age", pl.col("age").round(1)).rows() == [(1.0, 40.0), (0.0, 0.0)]
    fresh = ["inflow_stayed", "maturing_soon", "salary_rise"]
    assert found.select(fresh).rows() == [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]  # salary_rise: 91 days ago, and tomorrow
    assert found["settled"].exp().to_list() == pytest.approx([1, 1 + 181 / 30.4375])


def test_an_age_is_not_known_of_those_not_told():
    assert landmarks(THREE, HAPPENED, HELD, POLICY)["has_age"].sum() == 0


def test_what_is_offered_can_be_said():
    found = landmarks(THREE, HAPPENED, HELD, POLICY, products=["fund", "new"], months=[JUNE])
    assert [name for name in found.columns if ":" in name] == ["holds:fund", "holds:new", "takes:fund", "takes:new"]
    assert found["takes:new"].null_count() == len(found) == 2


def test_as_known_forgets_what_was_taken_later():
    rows = pl.DataFrame({"month": [JUNE, JUNE, date(2024, 7, 31)], TAKES + "fund": [2, 3, 1]})
    assert as_known(rows, date(2024, 8, 31))[TAKES + "fund"].to_list() == [2, None, 1]
    assert len(as_known(rows, JUNE)) == 2


def drawn(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Customers with random lives over 18 months, what happened to them, and what they held."""
    rng = np.random.default_rng(seed)
    rows, events, _ = book(seed)
    spells = [
        (int(rng.integers(1, 13)), PRODUCTS[n % 4], start, start + timedelta(int(rng.integers(1, 300))))
        for n in range(80)
        for start in [date(2023, 6, 1) + timedelta(int(rng.integers(0, 760)))]
    ]
    kinds = ["inflow_stayed", "maturing_soon", "salary_rise"]
    more = [
        (int(rng.integers(1, 13)), date(2024, 1, 1) + timedelta(int(rng.integers(540))), kinds[n % 3], 1)
        for n in range(60)
    ]
    open_ = rows.with_columns(is_open=pl.col("n_lines") > 0)
    return open_, pl.concat([events, frame(more, EVENTS)]), frame(spells, SPELL)


def cut(bank: tuple, at: date) -> tuple:
    """The same as it was known at the end of a day."""
    rows, events, spells = bank
    spells = spells.filter(pl.col("opened_on") <= at)
    return (
        rows.filter(pl.col("month") <= at),
        events.filter(pl.col("on") <= at),
        spells.with_columns(closed_on=pl.when(pl.col("closed_on") <= at).then("closed_on")),
    )


def knows_no_future(covariates: dict[str, Covariate], bank: tuple, at: date) -> bool:
    """Whether landmarks up to a month end, as known then, are those from what there was then."""
    past = cut(bank, at)
    known = [as_known(landmarks(*some, POLICY, products=PRODUCTS, covariates=covariates), at) for some in (bank, past)]
    return known[0].equals(known[1])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(ENDS[4:-1]))
def test_the_wall(seed: int, at: date):
    assert knows_no_future(COVARIATES, drawn(seed), at)


def _next_month(past: Past) -> np.ndarray:
    """What no covariate may do: the balance-days of the month to come, where there is one."""
    values = np.zeros(past.size)
    if past.number + 1 < len(past.months):
        ahead = past.months[past.number + 1]
        values[ahead.at] = ahead.values["balance_days"]
    return values[past.asked]


def test_the_wall_finds_a_leak():
    bank = drawn(1)
    assert not knows_no_future(COVARIATES | {"leak": Covariate("what comes next", _next_month)}, bank, ENDS[10])
    assert knows_no_future({"size": COVARIATES["size"]}, bank, ENDS[10])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_held_and_taken_equal_a_look_at_every_spell(seed: int):
    rows, events, spells = drawn(seed)
    found = landmarks(rows, events, spells, POLICY, products=PRODUCTS, covariates={"size": COVARIATES["size"]})
    for row in found.sample(30, seed=1).iter_rows(named=True):
        own = spells.filter(customer_id=row["customer_id"])
        for name in PRODUCTS:
            of = own.filter(product_id=name)
            held = any(a <= row["month"] < b for a, b in of.select("opened_on", "closed_on").iter_rows())
            later = [a for a in of["opened_on"] if a > row["month"] and not held]
            due = min(((a.year - row["month"].year) * 12 + a.month - row["month"].month for a in later), default=None)
            assert (row["holds:" + name], row["takes:" + name]) == (held, due)


BAD = [
    (dict(holdings=HELD.filter(product_id="account")), "All that is held is account: what comes next needs two"),
    (dict(holdings=HELD.clear()), "nobody is selected"),
    (dict(holdings=HELD.drop("product_id")), "crosssell.landmarks needs a column product_id"),
    (dict(standing=THREE.drop("is_open")), "crosssell.landmarks needs a column is_open"),
    (dict(standing=THREE.with_columns(is_open=False)), "Nobody has an account"),
    (dict(months=[date(2031, 1, 31)]), "Nobody has an account"),
    (dict(people=pl.concat([PEOPLE, PEOPLE])), "2 of 4 rows given to crosssell.landmarks repeat a customer_id"),
    (dict(products=["fund"]), "All that is held is fund"),
]


@pytest.mark.parametrize(("given_", "said"), BAD)
def test_bad_input_is_said(given_: dict, said: str):
    with pytest.raises(InputError, match=said):
        landmarks(**dict(standing=THREE, events=HAPPENED, holdings=HELD, policy=POLICY) | given_)


def test_a_day_before_all_landmarks():
    with pytest.raises(InputError, match="The first landmark is 2024-06-30"):
        as_known(pl.DataFrame({"month": [JUNE], TAKES + "fund": [1]}), date(2024, 5, 31))


def test_the_order_of_rows_given_changes_nothing():
    bank = drawn(3)
    again = tuple(part.sample(fraction=1, shuffle=True, seed=2) for part in bank)
    assert_frame_equal(landmarks(*bank, POLICY), landmarks(*again, POLICY))
