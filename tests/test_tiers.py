"""Tiers: values, the rule against flip-flop and what it is proven to do, thresholds near, class by grade."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab import policy
from crmlab.errors import InputError
from crmlab.measures import tiers
from crmlab.policy import Level

TIER, GRADE = policy.load().tiers
MILLION = 1_000_000
JAN, FEB, MAR, APR, MAY, JUN = (date(2024, month, day) for month, day in enumerate((31, 29, 31, 30, 31, 30), 1))
MONTHS = pl.date_range(date(2023, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end().to_list()

# Three thresholds, 100, 200 and 300, in the smallest unit.
STEPS = replace(
    TIER, buffer=0, confirm=1, near=100_000,
    levels=tuple(Level(name, lower, None) for name, lower in zip("dcba", (None, 100, 200, 300), strict=True)),
)  # fmt: skip
TOPS = replace(STEPS, levels=(Level("C", None, None), Level("B", None, 500_000), Level("A", None, 200_000)))

WALKS = st.lists(st.lists(st.integers(-50, 400), min_size=1, max_size=12), min_size=1, max_size=5)
BUFFERS = st.sampled_from([0, 1, 50_000, 100_000, 200_000, 330_000, 500_000, 990_000, MILLION])
RULES = st.sampled_from([STEPS, TOPS])
thorough = settings(deadline=None, max_examples=50)


def assessed(walks: list[list[int]], kind: str = "retail", first_id: int = 1) -> pl.DataFrame:
    """A customer a list, a value a month."""
    rows = [
        (number, kind, month, value)
        for number, walk in enumerate(walks, first_id)
        for month, value in zip(MONTHS, walk, strict=False)
    ]
    schema = {"customer_id": pl.Int32, "kind": pl.String, "month": pl.Date, "value": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def path(walk: list[int], rule) -> str:
    """The tiers of one customer, a letter an assessment."""
    return "".join(tiers.history(assessed([walk]), rule)["tier"])


def n_flips(values: pl.DataFrame, rule) -> int:
    """Thresholds crossed, both ways."""
    total = tiers.flips(tiers.history(values, rule))
    return total["n_up"].item() + total["n_down"].item()


def monthly(customer: int, kind: str = "retail", **columns: list) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": customer, "kind": kind, **columns})


def test_an_average_weighs_months_by_their_days_and_rounds_down():
    rows = monthly(1, month=[JAN, FEB, MAR], balance_days=[3100, 5800, 31 * 250], days=[31, 29, 31])
    assert tiers.values(rows, replace(TIER, months=2))["value"].to_list() == [100, 8900 // 60, 13550 // 60]
    below_zero = monthly(1, month=[JAN], balance_days=[-1], days=[31])
    assert tiers.values(below_zero, TIER)["value"].to_list() == [-1]


@pytest.mark.parametrize("on", ["contribution", "points"])
def test_a_sum_goes_over_calendar_months_and_a_shorter_history_uses_what_it_has(on):
    rows = pl.concat(
        [
            monthly(1, month=[JAN, FEB, MAR, APR], **{on: [1, 10, 100, 1000]}),
            monthly(2, month=[JAN, APR], **{on: [7, 70]}),  # away in between
        ]
    )
    found = tiers.values(rows, replace(GRADE, on=on, months=3))
    assert found.filter(customer_id=1)["value"].to_list() == [1, 11, 111, 1110]
    assert found.filter(customer_id=2)["value"].to_list() == [7, 70]


def test_values_stand_at_assessments_only_but_look_at_every_month():
    rows = monthly(1, month=MONTHS, points=[1] * 24)
    found = tiers.values(rows, replace(GRADE, on="points", months=4, assessed=(2, 6, 12)))
    assert found.select("month", "value").rows() == [
        (date(2023, 2, 28), 2), (date(2023, 6, 30), 4), (date(2023, 12, 31), 4),
        (date(2024, 2, 29), 4), (date(2024, 6, 30), 4), (date(2024, 12, 31), 4),
    ]  # fmt: skip


@given(WALKS, st.integers(1, 13), st.randoms())
@thorough
def test_sums_are_those_of_a_plain_loop_in_any_order_of_rows(walks, months, random):
    rows = assessed(walks).rename({"value": "contribution"})
    order = list(range(len(rows)))
    random.shuffle(order)
    expected = [sum(walk[max(0, at - months + 1) : at + 1]) for walk in walks for at in range(len(walk))]
    assert tiers.values(rows[order], replace(GRADE, months=months))["value"].to_list() == expected


def test_assets_are_weighted_with_one_rounding_half_to_even():
    weights = {"cash": MILLION, "fund": 500_000, "deposits": 250_000}
    rows = pl.DataFrame(
        {
            "customer_id": [1, 1, 2, 2], "kind": "retail", "month": JAN, "days": 31,
            "asset_class": ["fund", "fund", "cash", None], "line": ["wealth", "wealth", "deposits", "deposits"],
            "balance_days": [1, 2, 10, 3],
        }
    )  # fmt: skip
    found = tiers.weighted(rows, replace(TIER, on="weighted_average", weights=weights))
    assert found.select("balance_days", "days").rows() == [(2, 31), (11, 31)]  # 1.5 -> 2, 10.75 -> 11
    half = tiers.weighted(rows[:1], replace(TIER, weights=weights))["balance_days"].to_list()
    assert half == [0]  # 0.5 -> 0


@pytest.mark.parametrize(
    ("buffer", "confirm", "walk", "expected"),
    [
        (0, 1, [99, 100, 199, 200, 299, 300], "dccbba"),  # bounds are inclusive
        (100_000, 1, [200, 180, 179, 180, 199, 200], "bbcccb"),  # kept down to 180, gained from 200
        (0, 2, [200, 150, 200, 150, 150, 150], "bbbbcc"),  # promoted in between: the count begins again
        (0, 2, [300, 150, 50, 150, 150], "aaccc"),  # as deep as both agree on: c, not d
        (0, 2, [300, 50, 150, 50, 50], "aaccd"),
        (0, 3, [300, 250, 150, 50, 50, 50], "aaabcd"),
        (0, 3, [50, 50, 100, 50, 50, 50], "ddcccd"),
        (100_000, 2, [300, 269, 270, 269, 269], "aaaab"),  # 270 is not a call for a fall
        (100_000, 1, [300, 95, 95, 89], "accd"),  # half-way: c is kept by the buffer
        (MILLION, 1, [300, 0, -1], "aad"),
    ],
)
def test_paths_worked_by_hand(buffer, confirm, walk, expected):
    assert path(walk, replace(STEPS, buffer=buffer, confirm=confirm)) == expected


def test_a_bound_below_zero_is_buffered_downward():
    rule = replace(STEPS, buffer=100_000, levels=(Level("loss", None, None), Level("even", -100, None)))
    found = tiers.history(assessed([[-100, -110, -111, -101, -100]]), rule)
    assert found["tier"].to_list() == ["even", "even", "loss", "loss", "even"]


def test_after_an_absence_a_customer_begins_again():
    rows = assessed([[300, 50, 50], [0, 0, 0]]).filter(~((pl.col("customer_id") == 1) & (pl.col("month") == MONTHS[1])))
    found = tiers.history(rows, replace(STEPS, confirm=3, buffer=MILLION))
    assert found.filter(customer_id=1)["tier"].to_list() == ["a", "d"]


def test_levels_by_rank_share_ties_and_leave_a_mass_at_the_bottom():
    def levels(*values: int) -> str:
        return "".join(tiers.history(assessed([[value] for value in values]), TOPS)["plain"])

    assert levels(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) == "CCCCCBBBAA"
    assert levels(1, 2, 3, 4, 5, 6, 7, 8, 8, 8) == "CCCCCBBBBB"  # three at the top are more than a fifth
    assert levels(*[0] * 9, 1) == "CCCCCCCCCA"
    assert levels(7) == "C"


def test_a_buffer_on_ranks_keeps_who_is_among_a_few_more():
    before, after = list(range(100)), list(range(100))
    after[80], after[79], after[78] = 78, 80, 81  # the weakest of the best 20 is now the 22nd
    walks = [list(pair) for pair in zip(before, after, strict=True)]
    tier_of = {buffer: tiers.history(assessed(walks), replace(TOPS, buffer=buffer)) for buffer in (0, 100_000)}
    last = {b: found.filter(pl.col("month") == MONTHS[1])["tier"].to_list()[80] for b, found in tier_of.items()}
    assert last == {0: "B", 100_000: "A"}


@given(WALKS, RULES)
@thorough
def test_no_buffer_and_no_confirmation_are_the_plain_tiers(walks, rule):
    found = tiers.history(assessed(walks), rule)
    assert found["tier"].equals(found["plain"])
    assert tiers.flips(found).select("n_avoided", "n_mis_tiered", "mis_tiered_value").row(0) == (0, 0, 0)


@given(WALKS, RULES, BUFFERS, BUFFERS, st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None, max_examples=150)
def test_flips_never_rise_as_the_buffer_or_the_confirmation_grows(walks, rule, a, b, c, d):
    values = assessed(walks)
    small = n_flips(values, replace(rule, buffer=min(a, b), confirm=min(c, d)))
    assert n_flips(values, replace(rule, buffer=max(a, b), confirm=max(c, d))) <= small


def test_changes_of_tier_may_rise_with_the_buffer_where_thresholds_crossed_do_not():
    walk = [300, 95, 50]
    assert path(walk, STEPS) == "add"  # one change, three thresholds
    assert path(walk, replace(STEPS, buffer=100_000)) == "acd"  # two changes, three thresholds
    assert {n_flips(assessed([walk]), replace(STEPS, buffer=b)) for b in (0, 100_000)} == {3}


@given(WALKS, BUFFERS, st.integers(1, 4))
@thorough
def test_no_path_within_the_same_bounds_crosses_fewer_thresholds(walks, buffer, confirm):
    rule = replace(STEPS, buffer=buffer, confirm=confirm)
    gains = [level.lower for level in rule.levels[1:]]
    history = tiers.history(assessed(walks), rule)
    for number, walk in enumerate(walks, 1):
        plain = [sum(value >= gain for gain in gains) for value in walk]
        # value ≥ gain × (1 − buffer), in whole numbers
        kept = [sum(value * MILLION >= gain * (MILLION - buffer) for gain in gains) for value in walk]
        most = [max(kept[max(0, at - confirm + 1) : at + 1]) for at in range(len(walk))]
        cost = {plain[0]: 0}
        for low, high in list(zip(plain, most, strict=True))[1:]:
            cost = {to: min(n + abs(to - at) for at, n in cost.items()) for to in range(low, high + 1)}
        found = history.filter(customer_id=number)["tier"].to_physical().cast(pl.Int64).to_list()
        assert all(low <= tier <= high for low, tier, high in zip(plain, found, most, strict=True))
        assert sum(abs(b - a) for a, b in pairwise(found)) == min(cost.values())


@given(WALKS, RULES, BUFFERS, st.integers(1, 3), st.randoms())
@thorough
def test_order_of_rows_scale_and_other_kinds_change_nothing(walks, rule, buffer, confirm, random):
    rule = replace(rule, buffer=buffer, confirm=confirm)
    values = assessed(walks)
    found = tiers.history(values, rule)
    order = list(range(len(values)))
    random.shuffle(order)
    assert tiers.history(values[order], rule).equals(found)

    others = assessed([[value * 3 - 100 for value in walk] for walk in walks], "corporate", first_id=100)
    assert tiers.history(pl.concat([values, others]), rule).filter(kind="retail").equals(found)

    larger = tuple(replace(level, lower=level.lower and level.lower * MILLION) for level in rule.levels)
    scaled = tiers.history(values.with_columns(pl.col("value") * MILLION), replace(rule, levels=larger))
    assert scaled.drop("value").equals(found.drop("value"))


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=30))
@thorough
def test_ranks_share_ties_keep_order_and_are_never_overfull(walks):
    for _, month in tiers.history(assessed(walks), TOPS).group_by("month"):
        level = month.sort("value").select("value", pl.col("plain").to_physical()).rows()
        assert all(b <= d and (a != c or b == d) for (a, b), (c, d) in pairwise(level))
        assert 5 * sum(n == 2 for _, n in level) <= len(level)
        assert 2 * sum(n >= 1 for _, n in level) <= len(level)


@given(WALKS, RULES)
@thorough
def test_every_assessment_has_one_tier_of_the_rule(walks, rule):
    values = assessed(walks)
    found = tiers.history(values, rule)
    assert found.select("customer_id", "kind", "month", "value").equals(values)
    assert found["tier"].null_count() == found["plain"].null_count() == 0
    assert found.schema["tier"] == pl.Enum([level.name for level in rule.levels])


def test_flips_by_month_and_in_all():
    history = tiers.history(assessed([[200, 190, 200], [50, 300, 150]]), replace(STEPS, buffer=100_000))
    names = ["n", "n_up", "n_down", "n_up_plain", "n_down_plain", "n_avoided", "n_mis_tiered", "mis_tiered_value"]
    assert tiers.flips(history).select(names).row(0) == (6, 3, 2, 4, 3, 2, 1, 190)
    assert tiers.flips(history, "month").select("month", *names).rows() == [
        (MONTHS[0], 2, 0, 0, 0, 0, 0, 0, 0),
        (MONTHS[1], 2, 3, 0, 3, 1, 1, 1, 190),
        (MONTHS[2], 2, 0, 2, 1, 2, 1, 0, 0),
    ]
    assert tiers.flips(history, "month")["mis_tiered_share"].to_list() == [0, 0.5, 0]
    assert tiers.flips(history, "kind", "month").height == 3


def test_near_names_the_missing_amount_the_next_tier_and_the_manager():
    rule = replace(STEPS, buffer=200_000)
    history = tiers.history(assessed([[90, 90], [89, 89], [185, 190], [300, 280], [331, 331], [200, 221]]), rule)
    managers = pl.DataFrame({"customer_id": [1, 3], "manager_id": ["M1", None]})
    found = tiers.near(history, rule, managers)
    names = ["tier", "next_tier", "missing", "above", "is_near_up", "is_near_down", "manager_id"]
    assert found.select(names).rows() == [
        ("d", "c", 10, None, True, False, "M1"),
        ("d", "c", 11, None, False, False, None),
        ("c", "b", 10, 90, True, False, None),
        ("a", None, None, -20, False, True, None),  # below its bound, kept by the buffer
        ("a", None, None, 31, False, False, None),
        ("b", "a", 79, 21, False, False, None),
    ]
    assert "manager_id" not in tiers.near(history, rule).columns


def test_nobody_is_near_a_level_by_rank():
    found = tiers.near(tiers.history(assessed([[1], [2], [3]]), TOPS), TOPS)
    assert found.select("next_tier", "missing", "above").null_count().row(0) == (3, 3, 3)
    assert not found.select(pl.any_horizontal("is_near_up", "is_near_down").any()).item()


def test_matrix_counts_every_customer_once_in_the_order_of_the_levels():
    aum = tiers.history(assessed([[0, 100], [0, 300], [0, 320], [0, 50]]), STEPS)
    grade = tiers.history(assessed([[0, 9], [0, 1], [0, 5]]), TOPS)
    cells = tiers.matrix(aum, grade)
    assert cells.filter(pl.col("n") > 0).rows() == [
        ("retail", "d", None, 1, 1.0, 50, 0),
        ("retail", "c", "B", 1, 1.0, 100, 9),
        ("retail", "a", "C", 2, 1.0, 620, 6),
    ]
    assert len(cells) == 4 * 3 + 1
    assert cells.filter(tier="b")["share"].to_list() == [None] * 3


DAYS = monthly(1, month=[JAN, FEB, MAR], balance_days=[1, 2, 3], days=[31, 29, 31])
SUMS = DAYS.select("customer_id", "kind", "month", contribution="balance_days")
GOOD = assessed([[1, 2, 3]])
TYPE = pl.Enum("dcba")
HUGE = assessed([[2**62], [2**62], [2**62 - 1]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: tiers.values(DAYS.rename({"kind": "kinds"}), TIER), "column kind. Did you mean kinds?"),
        (lambda: tiers.values(DAYS.clear(), TIER), "no row: nobody is selected"),
        (lambda: tiers.values(pl.concat([DAYS, DAYS[1:2]]), TIER), r"1 of 4 rows .* \(first: 1, 2024-02-29\)"),
        (lambda: tiers.values(DAYS[[0, 2]], TIER), "no row of 2024-02, though"),
        (lambda: tiers.values(DAYS[[0, 2]].with_columns(month=pl.Series([JAN, JUN])), TIER), r"2024-02 \(and 3 more\)"),
        (lambda: tiers.values(DAYS.with_columns(month=pl.Series([JAN, FEB, date(2024, 2, 1)])), TIER), "both 2024-02-"),
        (lambda: tiers.values(DAYS.with_columns(days=pl.Series([31, 0, 31])), TIER), "1 of 3 rows .* no days"),
        (lambda: tiers.values(DAYS.with_columns(balance_days=None), TIER), "3 of 3 rows .* no balance_days"),
        (lambda: tiers.values(DAYS, replace(TIER, assessed=(6, 12))), r"2024-01 to 2024-03 .* \(6, 12\)"),
        (lambda: tiers.values(SUMS.with_columns(contribution=2**60), GRADE), "too much for 64 bits"),
        (lambda: tiers.weighted(DAYS, TIER), "needs a column asset_class"),
        (
            lambda: tiers.weighted(DAYS.with_columns(line=pl.lit("gold")), replace(TIER, weights={"cash": 1})),
            r"1 of 1 asset classes have no weight .* Write gold = ",
        ),
        (
            lambda: tiers.weighted(
                DAYS.with_columns(line=pl.lit("cash"), balance_days=2**62), replace(TIER, weights={"cash": 4 * MILLION})
            ),
            "too much for 64 bits",
        ),
        (lambda: tiers.history(GOOD.with_columns(value=None), TIER), "no value"),
        (lambda: tiers.history(GOOD[[0, 2]], TIER), "no row of 2023-02"),
        (lambda: tiers.history(GOOD, replace(TIER, assessed=(1, 2))), r"1 of 3 months .* \(first: 2023-03\)"),
        (lambda: tiers.history(pl.concat([GOOD, GOOD]), TIER), "3 of 6 rows"),
        (lambda: tiers.flips(tiers.history(GOOD, TIER), "branch_id"), "needs a column branch_id"),
        (lambda: tiers.flips(tiers.history(HUGE, STEPS).with_columns(plain=pl.lit("d", TYPE))), "too much for 64 bits"),
        (lambda: tiers.near(tiers.history(GOOD, TIER), STEPS), "is not of rule tier"),
        (
            lambda: tiers.near(tiers.history(GOOD, TIER), TIER, pl.DataFrame({"customer_id": [1, 1], "manager_id": 2})),
            "repeat a customer_id",
        ),
        (lambda: tiers.matrix(tiers.history(HUGE, STEPS), tiers.history(HUGE, TOPS)), "too much for 64 bits"),
        (lambda: tiers.matrix(tiers.history(GOOD, TIER).clear(), tiers.history(GOOD, GRADE)), "no row"),
    ],
)  # fmt: skip
def test_bad_input_is_told(call, says):
    with pytest.raises(InputError, match=says):
        call()
