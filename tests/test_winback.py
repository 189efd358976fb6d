"""Win-back: money that came back counted by hand, who is counted when, and who is asked."""

from datetime import date
from math import floor

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab import InputError
from crmlab.measures.churn import winback

SOME = settings(deadline=None, max_examples=40)
AS_OF = date(2024, 12, 31)
LEFT = {
    "customer_id": pl.Int32, "customer_no": pl.String, "event": pl.Boolean, "cause": pl.String, "ends_on": pl.Date,
    "known_on": pl.Date, "lost": pl.Int64, "contribution_year": pl.Int64,
}  # fmt: skip
HELD = {
    "customer_id": pl.Int32, "month": pl.Date, "balance_days": pl.Int64, "days": pl.Int32,
    "n_without_average": pl.Int32,
}  # fmt: skip


def end(number: int) -> date:
    """The end of a month counted from January 2024."""
    return pl.select(pl.lit(date(2024, 1, 31)).dt.offset_by(f"{number - 1}mo").dt.month_end()).item()


def gone(*rows: tuple) -> pl.DataFrame:
    """customer, cause, month of leaving, months until known, lost, contribution."""
    made = [
        (who, f"C{who}", cause in winback.CAUSES, cause, end(month), end(month + later), lost, earned)
        for who, cause, month, later, lost, earned in rows
    ]
    return pl.DataFrame(made, LEFT, orient="row")


def held(averages: dict[int, dict[int, int]], unknown: int = 0) -> pl.DataFrame:
    """Average AUM by customer and month; an average is rounded down from days of its month."""
    rows = [(who, end(m), aum * 30, 30, unknown) for who, path in averages.items() for m, aum in path.items()]
    return pl.DataFrame(rows, HELD, orient="row")


def one(found: pl.DataFrame, cause: str, months: int) -> dict:
    return found.filter(pl.col("cause") == cause, pl.col("months") == months).row(0, named=True)


@pytest.mark.parametrize(
    ("row", "path", "back"),
    [
        ((1, "closure", 1, 0, 100, 0), {1: 50}, 0),  # gone for good
        ((1, "closure", 1, 0, 100, 0), {1: 50, 7: 60}, 60),
        ((1, "closure", 1, 0, 100, 0), {1: 50, 7: 500}, 100),  # at most what was lost
        ((1, "closure", 1, 0, 100, 0), {1: 50, 5: 90, 6: 90}, 0),  # came and went again
        ((1, "run-off", 1, 2, 100, 0), {1: 30, 2: 20, 3: 25, 7: 60}, 40),  # above the lowest until known
        ((1, "run-off", 1, 2, 100, 0), {1: 30, 3: 25, 7: 60}, 60),  # nothing was there in February
        ((1, "run-off", 1, 2, 100, 0), {1: 20, 2: 20, 3: 20, 4: 0, 7: 10}, 0),  # less than there was
        ((1, "run-off", 1, 2, 100, 0), {1: 0, 2: -90, 3: -90, 7: 0}, 0),  # an overdraft paid back is no money
        ((1, "run-off", 1, 2, 100, 0), {1: 0, 2: -90, 3: -90, 7: 60}, 60),
    ],
)
def test_what_is_back_after_half_a_year(row, path, back):
    found = one(winback.returns(gone(row), held({1: path}), AS_OF), row[1], 6)
    assert (found["n"], found["back"], found["n_returned"]) == (1, back, back >= 50)


def test_rates_and_denominators():
    left = gone(
        (1, "closure", 1, 0, 100, 0), (2, "closure", 1, 0, 300, 0), (3, "closure", 8, 0, 100, 0),
        (4, "run-off", 1, 2, 0, 0), (5, "death", 1, 0, None, 0), (6, "maturity", 6, 9, 100, 0),
    )  # fmt: skip
    found = winback.returns(left, held({1: {7: 80}, 2: {7: 100}}), AS_OF)
    closure = one(found, "closure", 6)
    assert [closure[name] for name in ("n", "n_returned", "rate", "lost", "back", "money_rate", "n_waiting")] == [
        2, 1, 0.5, 400, 180, 0.45, 1,
    ]  # fmt: skip
    assert one(found, "closure", 12)["n"] == 0  # of January: its year is over a month later
    assert one(found, "closure", 12)["n_waiting"] == 3
    assert one(found, "run-off", 6)["n"] == 0  # took nothing
    assert one(found, "maturity", 6)["n_waiting"] == 0  # not known yet
    assert {name: one(found, "all", 6)[name] for name in ("n", "lost")} == {"n": 2, "lost": 400}
    assert found.height == 10


def test_what_is_not_known_is_neither_back_nor_gone():
    found = one(winback.returns(gone((1, "closure", 1, 0, 100, 0)), held({1: {7: 80}}, unknown=1), AS_OF), "closure", 6)
    assert (found["n"], found["n_unknown"], found["rate"], found["money_rate"]) == (0, 1, None, None)


def test_a_month_that_has_not_ended_is_not_looked_at():
    left, there = gone((1, "closure", 6, 0, 100, 0)), held({1: {12: 100}})
    assert one(winback.returns(left, there, date(2024, 12, 30)), "closure", 6)["n_waiting"] == 1
    assert one(winback.returns(left, there, AS_OF), "closure", 6)["n_returned"] == 1


def test_nobody_has_left():
    found = winback.returns(gone(), held({}), AS_OF)
    assert (found["n"].sum(), found["rate"].null_count(), found.height) == (0, 10, 10)
    assert winback.win_back_list(gone(), held({}), AS_OF).height == 0


PATHS = st.dictionaries(st.integers(1, 12), st.integers(0, 200), max_size=12)
PEOPLE = st.lists(
    st.tuples(st.sampled_from(winback.CAUSES), st.integers(1, 11), st.integers(0, 3), st.integers(0, 150), PATHS),
    min_size=1,
    max_size=20,
)


@given(PEOPLE, st.integers(1, 8))
@SOME
def test_back_by_a_loop_over_customers(people, months):
    left = gone(*((i, cause, m, k, lost, 0) for i, (cause, m, k, lost, _) in enumerate(people)))
    found = winback.returns(left, held({i: path for i, (*_, path) in enumerate(people)}), AS_OF, [months])
    for cause in [*winback.CAUSES, "all"]:
        told = [row for row in people if cause in (row[0], "all") and row[3] > 0 and row[1] + row[2] <= 12]
        due = [row for row in told if row[1] + months <= 12]
        back = [
            min(max(path.get(m + months, 0) - min(path.get(i, 0) for i in range(m, min(m + max(k, 1), m + months) + 1)),
                    0), lost)
            for _, m, k, lost, path in due
        ]  # fmt: skip
        row = one(found, cause, months)
        assert (row["n"], row["n_waiting"], row["back"]) == (len(due), len(told) - len(due), sum(back))
        assert row["n_returned"] == sum(2 * b >= lost for b, (_, _, _, lost, _) in zip(back, due, strict=True))


# --- whom to ask


def test_who_is_asked():
    left = gone(
        (1, "closure", 6, 0, 100, 5_000), (2, "run-off", 6, 2, 100, 9_000), (3, "closure", 6, 0, 100, -10),
        (4, "closure", 6, 0, 100, 9_000),  # back already
        (5, "death", 6, 0, None, 9_000),
        (6, "run-off", 3, 2, 100, 9_000), (6, "death", 6, 0, None, 9_000),
        (7, "closure", 1, 0, 100, 9_000),
        (8, "run-off", 11, 2, 100, 9_000),  # not known yet
        (9, "closure", 6, 0, 100, 9_000),  # complains
        (10, "salary", 6, 2, 0, 4_000),  # took nothing but the salary
        (11, "closure", 12, 0, 100, 3_000),  # this month
    )  # fmt: skip
    there = held({4: {12: 50}, 11: {12: 90}})
    apart = pl.DataFrame({"customer_id": [9]}, {"customer_id": pl.Int32})
    found = winback.win_back_list(left, there, AS_OF, within_months=11, apart=apart)
    assert found["customer_no"].sort().to_list() == ["C1", "C10", "C11", "C2"]
    assert found["rank"].to_list() == [1, 2, 3, 4]
    assert found["expected"].is_sorted(descending=True)
    assert found.row(0, named=True)["customer_no"] == "C2"


def test_the_rate_of_a_rare_cause_is_drawn_towards_all():
    left = gone(*((i, "closure", 1, 0, 100, 1_000) for i in range(60)), (60, "maturity", 1, 0, 100, 1_000))
    there = held({**{i: {7: 100} for i in range(30)}, 60: {7: 100}})
    asked = gone((70, "closure", 11, 0, 100, 1_000), (71, "maturity", 11, 0, 100, 1_000))
    found = winback.win_back_list(pl.concat([left, asked]), there, AS_OF, within_months=3)
    of_all = 31.5 / 62
    rates = {"closure": (30 + 20 * of_all) / 80, "maturity": (1 + 20 * of_all) / 21}
    assert found.select("customer_no", "returned_rate", "expected").rows() == [
        ("C71", pytest.approx(rates["maturity"]), floor(1_000 * rates["maturity"] + 0.5)),
        ("C70", pytest.approx(rates["closure"]), floor(1_000 * rates["closure"] + 0.5)),
    ]


def test_before_any_rate_can_be_told_what_they_earned_us_ranks_them():
    left = gone((1, "closure", 11, 0, 100, 500), (2, "closure", 11, 0, 100, 900), (3, "salary", 11, 0, 0, 500))
    found = winback.win_back_list(left, held({}), AS_OF)
    assert found.select("customer_no", "expected").rows() == [("C2", None), ("C1", None), ("C3", None)]


def test_a_customer_who_left_twice_is_asked_once():
    left = gone((1, "run-off", 2, 2, 100, 500), (1, "closure", 10, 0, 70, 300))
    found = winback.win_back_list(left, held({}), AS_OF)
    assert found.select("cause", "lost").rows() == [("closure", 70)]


@pytest.mark.parametrize("function", [winback.returns, winback.win_back_list])
@pytest.mark.parametrize(
    ("left", "there", "said"),
    [
        (gone().drop("lost"), held({}), "needs a column lost"),
        (gone(), held({}).drop("days"), "needs a column days"),
        (
            gone((1, "closure", 1, 0, 1, 1)).with_columns(cause=pl.lit("run off")),
            held({}),
            "1 of 1 departures have the cause run off. Known: closure, run-off",
        ),
    ],
)
def test_what_cannot_be_counted_is_said(function, left, there, said):
    with pytest.raises(InputError, match=said):
        function(left, there, AS_OF)


def test_months_before_the_first_are_refused():
    with pytest.raises(InputError, match=r"at least 1 month after it left, not \[0, 6\]"):
        winback.returns(gone(), held({}), AS_OF, [0, 6])
    with pytest.raises(InputError, match="Look back at least 1 month"):
        winback.win_back_list(gone(), held({}), AS_OF, within_months=0)
