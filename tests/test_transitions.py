"""Who moved where, on a bank of seven checkable in the head, and what must hold on any: nobody is lost."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab.errors import InputError
from crmlab.measures import transitions, uncertainty

JAN, FEB, MAR = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)
SEGMENTS = ["gold", "base", "asleep"]  # an order that is not the alphabet's
SCHEMA = {"customer_id": pl.Int32, "month": pl.Date, "segment": pl.Enum(SEGMENTS), "aum": pl.Int64}
# customer, month, segment, AUM
HAND = [
    (1, JAN, "gold", 900), (2, JAN, "gold", 500), (3, JAN, "base", 40), (4, JAN, "base", 10), (5, JAN, None, 7),
    (1, FEB, "base", 0), (2, FEB, "gold", 0), (3, FEB, "gold", 0), (4, FEB, "base", 0), (7, FEB, "base", 0),
    (1, MAR, "gold", 950), (2, MAR, "asleep", None), (4, MAR, "base", 12), (5, MAR, "base", 9), (6, MAR, "base", 60),
]  # fmt: skip
# customer, origin, destination, AUM at the start and at the end
PAIRS = [
    (1, "gold", "gold", 900, 950),
    (2, "gold", "asleep", 500, None),
    (3, "base", "gone", 40, 0),
    (4, "base", "base", 10, 12),
    (5, "cannot tell", "base", 7, 9),
    (6, "came", "base", 0, 60),
]
# origin, destination, n, n_origin, share, AUM at the start and at the end, of whom it is unknown
MATRIX = [
    ("base", "base", 1, 2, 0.5, 10, 12, 0),
    ("base", "gone", 1, 2, 0.5, 40, 0, 0),
    ("cannot tell", "base", 1, 1, 1.0, 7, 9, 0),
    ("gold", "asleep", 1, 2, 0.5, 500, 0, 1),
    ("gold", "gold", 1, 2, 0.5, 900, 950, 0),
    ("came", "base", 1, 1, 1.0, 0, 60, 0),
]


def book(rows: list[tuple] = HAND) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def counts(rows: list[tuple]) -> pl.DataFrame:
    """A matrix of customers alone: origin, destination, n."""
    frame = pl.DataFrame(rows, schema={"origin": pl.String, "destination": pl.String, "n": pl.Int64}, orient="row")
    return frame.with_columns(n_origin=pl.col("n").sum().over("origin"))


def test_pairs_worked_by_hand():
    assert transitions.pairs(book(), JAN, MAR).rows() == PAIRS
    assert transitions.pairs(book().lazy(), JAN, MAR).rows() == PAIRS
    without = transitions.pairs(book().drop("aum"), JAN, MAR)
    assert without.rows() == [row[:3] for row in PAIRS]


def test_the_matrix_worked_by_hand():
    found = transitions.matrix(transitions.pairs(book(), JAN, MAR))
    assert found.drop("lower", "upper").rows() == MATRIX
    ends = pl.DataFrame({"k": [1], "n": [2]}).select(uncertainty.wilson(pl.col("k"), pl.col("n"))).row(0)
    assert found.select("lower", "upper").row(0) == ends
    assert "aum_start" not in transitions.matrix(transitions.pairs(book().drop("aum"), JAN, MAR)).columns


def test_who_moved_and_with_how_much_money():
    rows = [(who, JAN, "gold", aum) for who, aum in [(1, 5), (2, None), (3, 80), (4, 5), (5, -90)]]
    found = transitions.pairs(book([*rows, (6, MAR, "base", 3)]), JAN, MAR)
    assert transitions.movers(found, "gold", "gone")["customer_id"].to_list() == [5, 3, 1, 4, 2]
    assert transitions.movers(found, "came", "base").rows() == [(6, "came", "base", 0, 3)]
    assert transitions.movers(found, "gold", "base").is_empty()
    assert transitions.movers(found.drop("aum_start", "aum_end"), "gold", "gone")["customer_id"].to_list()[0] == 1


def test_having_left_is_a_state_and_no_exit():
    states = [(1, JAN, "mature"), (1, FEB, "left"), (2, JAN, "left"), (2, FEB, "won back"), (3, FEB, "new")]
    rows = pl.DataFrame(states, schema=["customer_id", "month", "state"], orient="row")
    found = transitions.pairs(rows, JAN, FEB, by="state")
    assert found.rows() == [(1, "mature", "left"), (2, "left", "won back"), (3, "came", "new")]


SHARES = {"n": 10, "n_origin": 100, "share": 0.1, "n_before": 30, "n_origin_before": 100, "share_before": 0.3}


def test_a_change_against_the_year_before():
    now = counts([("gold", "gold", 90), ("gold", "base", 10), ("base", "base", 7), ("came", "base", 5)])
    before = counts([("gold", "gold", 60), ("gold", "base", 30), ("gold", "gone", 10), ("base", "base", 5)])
    found = transitions.change(now, before, 0.2)
    cells = found.select("origin", "destination", "is_notable").rows()
    assert cells == [
        ("gold", "gold", True),  # 0.6 to 0.9: h = 0.725
        ("gold", "gone", True),  # 0.1 to none: h = −0.644
        ("gold", "base", True),  # 0.3 to 0.1: h = −0.516
        ("base", "base", False),  # every one of them, then as now
        ("came", "base", None),  # nobody came then: how many of them went to base cannot be told
    ]
    base = found.row(2, named=True)
    assert {name: base[name] for name in SHARES} == SHARES
    assert (base["difference"], base["effect"]) == pytest.approx((-0.2, 0.6435 - 1.1593), abs=5e-5)
    assert base["lower"] < -0.2 < base["upper"] < 0
    assert found.row(4)[2:] == (5, 5, 1.0, 0, 0, None, None, None, None, None, None)
    assert found["effect"].to_list()[3] == 0
    assert [row[2:4] for row in found.filter(pl.col("destination") == "gone").rows()] == [(0, 100)]


def test_a_change_of_the_declared_size_is_notable():
    now, before = counts([("a", "a", 1), ("a", "b", 1)]), counts([("a", "a", 1), ("a", "b", 3)])
    # From a quarter to a half, and the other way round: π/6 = 0.5235987756, with rounding errors of their own.
    for least, expected in [(0.523598775, [True, True]), (0.523598777, [False, False])]:
        assert transitions.change(now, before, least)["is_notable"].to_list() == expected
    assert transitions.change(now, before, 0)["destination"].to_list() == ["a", "b"]


PLACES = st.sampled_from([*SEGMENTS, None])
STANDINGS = st.lists(
    st.tuples(st.integers(1, 25), st.sampled_from([JAN, FEB, MAR]), PLACES, st.none() | st.integers(-50, 10**9)),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
).filter(lambda rows: {JAN, MAR} <= {row[1] for row in rows})
SOME = settings(deadline=None, max_examples=60)


@given(STANDINGS, st.randoms())
@SOME
def test_nobody_is_lost(rows, random):
    pairs = transitions.pairs(book(rows), JAN, MAR)
    matrix = transitions.matrix(pairs)
    at = {day: [row for row in rows if row[1] == day] for day in (JAN, MAR)}
    assert pairs["customer_id"].to_list() == sorted({row[0] for day in at for row in at[day]})
    shares = matrix.group_by("origin").agg(pl.col("share", "n").sum(), pl.col("n_origin").first())
    assert shares["share"].to_list() == pytest.approx([1] * len(shares))
    assert shares["n"].to_list() == shares["n_origin"].to_list()
    for end, day, absent in [("origin", JAN, "came"), ("destination", MAR, "gone")]:
        there = matrix.filter(pl.col(end) != absent)
        assert there["n"].sum() == len(at[day])
        money = {"origin": "aum_start", "destination": "aum_end"}[end]
        assert matrix[money].sum() == sum(row[3] or 0 for row in at[day])
    behind = [transitions.movers(pairs, *cell) for cell in matrix.select("origin", "destination").rows()]
    assert [len(frame) for frame in behind] == matrix["n"].to_list()
    assert_frame_equal(pl.concat(behind).sort("customer_id"), pairs)
    # Neither the order of rows nor a month that is not asked for changes anything.
    random.shuffle(rows)
    assert_frame_equal(transitions.pairs(book([row for row in rows if row[1] != FEB]), JAN, MAR), pairs)


@given(STANDINGS)
@SOME
def test_nothing_changed_where_nothing_differs(rows):
    matrix = transitions.matrix(transitions.pairs(book(rows), JAN, MAR))
    found = transitions.change(matrix, matrix, 0.1)
    assert set(found["difference"]) == set(found["effect"]) == {0}
    assert not found["is_notable"].any()
    assert found.select((pl.col("lower") <= 0) & (pl.col("upper") >= 0)).to_series().all()


def test_sums_too_large_are_told_and_not_wrapped():
    rows = book([(who, day, "gold", 2**62) for who in (1, 2) for day in (JAN, MAR)])
    with pytest.raises(InputError, match=r"aum_start adds up to 9\.22e\+18"):
        transitions.matrix(transitions.pairs(rows, JAN, MAR))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: transitions.pairs(book(), MAR, JAN), "From 2024-03-31 to 2024-01-31 nobody can move."),
        (lambda: transitions.pairs(book(), JAN, JAN), "nobody can move"),
        (
            lambda: transitions.pairs(book(), date(2023, 12, 31), JAN),
            "No row is of the month 2023-12-31: their months go from 2024-01-31 to 2024-03-31.",
        ),
        (lambda: transitions.pairs(book([]), JAN, MAR), "there are none at all"),
        (lambda: transitions.pairs(book(), JAN, MAR, by="segmnt"), "needs a column segmnt. Did you mean segment?"),
        (lambda: transitions.pairs(book([*HAND, HAND[0]]), JAN, MAR), r"repeat a customer_id \(first: 1\)"),
        (lambda: transitions.pairs(book([*HAND, (None, JAN, "gold", 1)]), JAN, MAR), "have no customer_id"),
        (lambda: transitions.matrix(transitions.pairs(book(), JAN, MAR).clear()), "nobody is selected"),
        (lambda: transitions.matrix(book()), "needs a column origin"),
        (lambda: transitions.change(counts([]), counts([("a", "b", 1)]), 0.2), "nobody is selected"),
        (lambda: transitions.movers(transitions.pairs(book(), JAN, MAR), "gld", "gone"), "Did you mean gold?"),
        (lambda: transitions.movers(transitions.pairs(book(), JAN, MAR), "gold", "came"), "has the destination came"),
    ],
)
def test_what_cannot_be_told_is_said(call, said):
    with pytest.raises(InputError, match=said):
        call()


@pytest.mark.parametrize("name", ["came", "gone", "cannot tell"])
@pytest.mark.parametrize("day", [JAN, MAR])
def test_a_segment_may_not_be_named_as_what_became_of_a_customer(name, day):
    rows = book().with_columns(pl.col("segment").cast(pl.String))
    taken = rows.with_columns(pl.when(pl.col("month") == day).then(pl.lit(name)).otherwise("segment").alias("segment"))
    with pytest.raises(InputError, match=f"A segment is named {name}"):
        transitions.pairs(taken, JAN, MAR)
