"""The profile of a group against numbers worked by hand and by brute force, and who is too few to have one."""

from datetime import date
from math import asin, pi, sqrt
from statistics import median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import uncertainty
from crmlab.measures.segments import profile

SOME = settings(deadline=None, max_examples=60)
# Three gold customers, five others.
HAND = pl.DataFrame({
    "customer_id": range(8),
    "customer_no": [f"C{place}" for place in range(8)],
    "branch_id": ["B1"] * 8,
    "is_gold": [True] * 3 + [False] * 5,
    "has_loans": [True, False, None, True, False, False, False, None],
    "aum": [900, None, 500, 10, 500, None, 90, 0],
    "city": ["Ludao", "Ludao", "Baishi", "Baishi", "Baishi", "Baishi", None, "Qinghe"],
    "score": [1.0, float("nan"), None, None, None, None, float("nan"), None],
})  # fmt: skip
COLUMNS = [
    "trait", "value", "n", "n_rest", "n_unknown", "of_group", "of_rest", "difference", "lower", "upper", "effect",
    "is_notable",
]  # fmt: skip


def h(p1: float, p2: float) -> float:
    return 2 * asin(sqrt(p1)) - 2 * asin(sqrt(p2))


def test_a_profile_worked_by_hand():
    found = profile(HAND, "is_gold", 0.7)
    assert found.columns == COLUMNS
    # trait, value, n, n_rest, of whom it is not known, rate or median of the group and of the rest, effect
    expected = [
        ("city", "Qinghe", 3, 4, 1, 0, 1 / 4, h(0, 1 / 4), True),  # −1.05
        ("aum", None, 2, 4, 2, 700, 50, (4 + 3 - 0) / 8, True),  # 900 beats 4, 500 beats 3 and ties once: 7/8
        ("city", "Baishi", 3, 4, 1, 1 / 3, 3 / 4, h(1 / 3, 3 / 4), True),  # −0.86
        ("has_loans", None, 2, 4, 2, 1 / 2, 1 / 4, h(1 / 2, 1 / 4), False),
        ("score", None, 1, 0, 7, 1, None, None, None),
    ]
    ludao = ("city", "Ludao", 3, 4, 1, 2 / 3, 0, h(2 / 3, 0), True)  # 1.91
    said = found.select(*COLUMNS[:7], "effect", "is_notable").rows()
    assert said == [pytest.approx(row) for row in [ludao, *expected]]


def test_rates_carry_the_interval_of_their_difference_and_numbers_none():
    rows = {row["trait"]: row for row in profile(HAND.drop("city"), "is_gold", 0.2).iter_rows(named=True)}
    counts = pl.DataFrame({"k": [1], "n": [2], "k_rest": [1], "n_rest": [4]})
    ends = counts.select(uncertainty.difference(*(pl.col(name) for name in counts.columns))).row(0)
    assert (rows["has_loans"]["lower"], rows["has_loans"]["upper"]) == ends
    assert (rows["has_loans"]["difference"], rows["aum"]["difference"]) == (0.25, 650)
    assert (rows["aum"]["lower"], rows["aum"]["upper"]) == (None, None)


def test_keys_are_no_traits():
    assert set(profile(HAND, "is_gold", 0)["trait"]) == {"has_loans", "aum", "city", "score"}


CUSTOMERS = st.lists(
    st.tuples(
        st.booleans(), st.none() | st.booleans(), st.none() | st.integers(-3, 3), st.none() | st.sampled_from("ab")
    ),
    min_size=4,
    max_size=30,
).filter(lambda rows: 2 <= sum(row[0] for row in rows) <= len(rows) - 2)
SCHEMA = {"is_in": pl.Boolean, "yes": pl.Boolean, "many": pl.Int32, "which": pl.Enum(["b", "a"])}


def frame(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(CUSTOMERS, st.randoms())
@SOME
def test_a_profile_by_brute_force(rows, random):
    found = profile(frame(rows), "is_in", 0.5)
    for row in found.iter_rows(named=True):
        column = list(SCHEMA).index(row["trait"])
        sides = [[of[column] for of in rows if of[0] is side and of[column] is not None] for side in (True, False)]
        assert [row["n"], row["n_rest"]] == [len(side) for side in sides]
        assert row["n"] + row["n_rest"] + row["n_unknown"] == len(rows)
        if row["trait"] == "many":
            assert [row["of_group"], row["of_rest"]] == [median(side) if side else None for side in sides]
            assert row["effect"] == uncertainty.cliff_delta(*(pl.Series(side, dtype=pl.Int32) for side in sides))
        else:
            value = row["value"] if row["trait"] == "which" else True
            rates = [sum(one == value for one in side) / len(side) if side else None for side in sides]
            # Polars divides by a number that is the same for all rows by multiplying: the last digit may differ.
            told = [rate if rate is None else pytest.approx(rate) for rate in rates]
            assert [row["of_group"], row["of_rest"]] == told
            assert row["effect"] == (pytest.approx(h(*rates)) if None not in rates else None)
        assert row["is_notable"] == (abs(row["effect"]) >= 0.5 - 1e-9 if row["effect"] is not None else None)
    sizes = [round(abs(effect), 9) if effect is not None else -1 for effect in found["effect"]]
    assert sizes == sorted(sizes, reverse=True)
    random.shuffle(rows)
    assert profile(frame(rows), "is_in", 0.5).equals(found)


@given(CUSTOMERS)
@SOME
def test_the_rest_is_the_mirror_of_the_group(rows):
    columns = ["trait", "value", "difference", "effect", "lower", "upper"]
    one = profile(frame(rows), "is_in", 0.5).select(columns).rows()
    other = profile(frame(rows).with_columns(~pl.col("is_in")), "is_in", 0.5).select(columns)
    turned = other.with_columns(-pl.col("difference", "effect"), lower=-pl.col("upper"), upper=-pl.col("lower"))
    assert turned.rows() == [pytest.approx(row) for row in one]


@given(CUSTOMERS)
@SOME
def test_nothing_is_notable_where_nothing_differs(rows):
    half = frame(rows)
    both = pl.concat([half.with_columns(is_in=pl.lit(side)) for side in (True, False)])
    found = profile(both, "is_in", 0.01)
    assert set(found["effect"].drop_nulls()) <= {0}
    assert set(found["difference"].drop_nulls()) <= {0}
    assert not found["is_notable"].any()


def test_ties_stand_in_the_order_of_columns_and_of_values():
    rows = {"is_in": [True, True, False, False], "b": [1, 2, 3, 4], "a": [True, True, False, False], "c": [4, 3, 2, 1]}
    assert profile(pl.DataFrame(rows), "is_in", 0)["trait"].to_list() == ["a", "b", "c"]
    texts = {"is_in": rows["is_in"], "z": list("bbaa"), "k": pl.Series(list("xxyy"), dtype=pl.Enum(["y", "x"]))}
    found = profile(pl.DataFrame(texts), "is_in", 0).select("trait", "value", "effect").rows()
    assert found == [("z", "a", -pi), ("z", "b", pi), ("k", "y", -pi), ("k", "x", pi)]


NOBODY = [None] * 8


@pytest.mark.parametrize(
    ("customers", "by", "said"),
    [
        (HAND.with_columns(is_gold=pl.int_range(8) == 3), "is_gold", r"Of 8 customers 1 is in the group \(is_gold\)"),
        (HAND.with_columns(is_gold=pl.lit(False)), "is_gold", "Of 8 customers none are in the group"),
        (HAND.with_columns(is_gold=pl.lit(True)), "is_gold", "Of 8 customers none are outside of it"),
        (HAND.with_columns(is_gold=pl.int_range(8) != 3), "is_gold", "Of 8 customers 1 is outside of it"),
        (HAND.clear(), "is_gold", "nobody is selected"),
        (HAND, "is_golden", r"needs a column is_golden. Did you mean is_gold\?"),
        (HAND, "has_loans", "2 of 8 rows given to segments.profile have no has_loans"),
        (HAND, "aum", "have no aum"),
        (HAND, "customer_no", "customer_no is String, not Boolean"),
        (HAND.select("customer_id", "is_gold"), "is_gold", "no trait to compare"),
        (HAND.with_columns(since=date(2024, 1, 1)), "is_gold", "since is Date, which is no trait"),
        (HAND.with_columns(lines=[["loans"]] * 8), "is_gold", "lines is List"),
    ],
)
def test_who_is_too_few_and_what_is_no_trait(customers, by, said):
    with pytest.raises(InputError, match=said):
        profile(customers, by, 0.2)


@pytest.mark.parametrize(
    ("trait", "expected"),
    [
        (pl.Series("yes", NOBODY, dtype=pl.Boolean), [(0, 0, 8, None)]),
        (pl.Series("many", NOBODY, dtype=pl.Int64), [(0, 0, 8, None)]),
        (pl.Series("which", NOBODY, dtype=pl.String), []),
        (pl.Series("which", ["a", "a", *NOBODY[2:]], dtype=pl.String), [(2, 0, 6, None)]),
    ],
)
def test_what_is_known_of_nobody_cannot_be_told(trait, expected):
    found = profile(pl.DataFrame({"is_in": [True] * 3 + [False] * 5}).with_columns(trait), "is_in", 0.2)
    assert found.select("n", "n_rest", "n_unknown", "effect").rows() == expected
