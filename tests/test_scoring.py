"""Scorecards: three managers by hand, every kind of rule, what must hold of any table, pay, and what if."""

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab import InputError
from crmlab.measures import managers
from crmlab.policy import Entry, Line, PayPlan, Scorecard, ScoreRule, load

SOME = settings(deadline=None, max_examples=30)
QUARTER = date(2025, 3, 31)
OURS = load()
SCHEMA = {
    "manager_id": pl.String, "branch_id": pl.String, "peer_group": pl.String, "grade": pl.String, "period": pl.Date,
    "measure": pl.String, "value": pl.Int64, "n": pl.Int64, "n_events": pl.Int64, "base": pl.Int64, "target": pl.Int64,
}  # fmt: skip


def row(manager: str, measure: str, value: int | None, target=None, base=None, of=(None, None), **more) -> dict:
    events, n = of
    person = {"manager_id": manager, "branch_id": "B1", "peer_group": "small", "grade": "manager", "period": QUARTER}
    facts = {"measure": measure, "value": value, "n": n, "n_events": events, "base": base, "target": target}
    return person | facts | more


def table(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), SCHEMA)


def card(*rules: ScoreRule, **more) -> Scorecard:
    return Scorecard(**{"name": "Card", "rules": rules, "digits": 2} | more)


def rule(kind: str, measure: str = "net_new_money", name: str = "Rule", side: str = "results", **more) -> ScoreRule:
    on = {"attainment": "target"}.get(kind, "value")
    side = "deductions" if kind == "deduction" else side
    return ScoreRule(name, measure, kind, side, **({"on": on} | more))


def points(one: ScoreRule, value: int | None, **more) -> int:
    """What a rule gives for a value."""
    rows = table(row("M1", one.measure, value, **more), row("M1", "referred_customers", 0))
    return managers.scores(rows, card(one))["points"].sum()


MONEY = rule("attainment", weight=60_000, cap=150_000, floor=0, name="Money")
KYC = rule(
    "bands",
    "kyc_in_time",
    "Files",
    "process",
    weight=40_000,
    otherwise=100_000,
    at=((800_000, 50_000), (950_000, 100_000)),
)
GRIPES = rule("deduction", "complaints", "Gripes", points=2_000)
LATE = rule("deduction", "overdue_loans", "Late", points=1_000, every=100_000_00, is_started=True, cap=10_000)
LINES = (Line("danger", 60_000), Line("model", 95_000), Line("elite", 110_000))
THREE = card(MONEY, KYC, GRIPES, LATE, deduction_cap=12_000, floor=0, cap=120_000, lines=LINES)
# manager: money of a target of 1 m, files in time, complaints, overdue
MANAGERS = {
    "M1": (900_000_00, (19, 20), 1, 0),
    "M2": (2_000_000_00, (20, 20), 0, 1),
    "M3": (-50_000_00, (0, 0), 4, 2_000_000_00),
}


def three() -> pl.DataFrame:
    rows = []
    for manager, (money, of, gripes, late) in MANAGERS.items():
        share = 1_000_000 * of[0] // of[1] if of[1] else None
        rows += [
            row(manager, "net_new_money", money, target=1_000_000_00),
            row(manager, "kyc_in_time", share, of=of),
            row(manager, "complaints", gripes),
            row(manager, "overdue_loans", late),
        ]
    return table(*rows)


def test_three_managers():
    trace = managers.scores(three(), THREE)
    given_ = {key: rows.select("rule", "points").rows() for (key,), rows in trace.group_by("manager_id")}
    assert given_["M1"] == [("Money", 54_000), ("Files", 40_000), ("Gripes", -2_000), ("Late", 0)]
    assert given_["M2"] == [("Money", 90_000), ("Files", 40_000), ("Gripes", 0), ("Late", -1_000), ("Total", -9_000)]
    assert given_["M3"] == [
        ("Money", 0),  # at least 0
        ("Files", 40_000),  # nothing to judge
        ("Gripes", -8_000),
        ("Late", -10_000),  # at most 10
        ("All deductions", 6_000),  # together at most 12
    ]
    found = managers.totals(trace, THREE).drop("period", "card")
    assert found.rows() == [
        ("M1", 92_000, 54_000, 40_000, -2_000, "danger", 32_000, "model", 3_000),
        ("M2", 120_000, 90_000, 40_000, -10_000, "elite", 10_000, None, None),
        ("M3", 28_000, 0, 40_000, -12_000, None, None, "danger", 32_000),
    ]


def test_every_point_in_words():
    trace = managers.told(managers.scores(three(), THREE), THREE)
    assert trace.filter(pl.col("manager_id") != "M1")["sentence"].to_list() == [
        "Money 2 m, 200 % of the target (1 m) → score 150 (at most) × weight 60 / 100 → +90",
        "Files 100 % (20 of 20) → score 100 × weight 40 / 100 → +40",
        "Gripes 0 → +0",
        "Late 0.01 → 1 begun step of 100,000 → −1",
        "Total 129, kept to at most 120 → −9",
        "Money −50,000, −5 % of the target (1 m) → score 0 (at least) × weight 60 / 100 → +0",
        "Files: nothing to judge → score 100 × weight 40 / 100 → +40",
        "Gripes 4 → 4 × −2 → −8",
        "Late 2 m → 20 begun steps of 100,000, kept to 10 → −10",
        "All deductions −18, together at most −12 → +6",
    ]


CURVE = rule("curve", weight=50_000, at=((-10, 0), (0, 60_000), (30, 100_000)))
FALLING = rule(
    "curve", "cost_per_win", weight=100_000, on="target", at=((500_000, 120_000), (1_000_000, 100_000), (2_000_000, 0))
)
GROWN = rule(
    "curve", weight=100_000, on="base", otherwise=77_000, at=((0, 0), (1_000_000, 90_000), (2_000_000, 150_000))
)
BANDS = rule("bands", weight=100_000, on="target", at=((900_000, 80_000), (1_000_000, 100_000)))
STEPS = rule("steps", start=500, every=50, points=5_000, cap=12_000)
BELOW = rule("deduction", "collection", start=970_000, is_below=True, every=10_000, points=2_000)


@pytest.mark.parametrize(
    ("one", "value", "more", "expected"),
    [
        (MONEY, 1, {"target": 3}, 20_000),  # a score of 33.333
        (MONEY, 2, {"target": 3}, 40_000),  # 66.667 × 60 / 100, to the nearest thousandth
        (MONEY, -1, {"target": 3}, 0),
        (CURVE, -11, {}, 0),
        (CURVE, -10, {}, 0),
        (CURVE, -5, {}, 15_000),
        (CURVE, 0, {}, 30_000),
        (CURVE, 10, {}, 36_666),  # a score of 73.333, of which the half is 36.6665, to the even one
        (CURVE, 31, {}, 50_000),
        (FALLING, 50, {"target": 100}, 120_000),
        (FALLING, 75, {"target": 100}, 110_000),
        (FALLING, 199, {"target": 100}, 1_000),
        (FALLING, 500, {"target": 100}, 0),
        (GROWN, 150, {"base": 100}, 120_000),
        (GROWN, 150, {"base": 0}, 77_000),  # nothing to hold it against
        (GROWN, 150, {"base": -5}, 77_000),
        (GROWN, 150, {}, 77_000),
        (GROWN, None, {"base": 100}, 77_000),
        (BANDS, 899_999_999, {"target": 10**9}, 0),  # a billionth short of the bound is short of it
        (BANDS, 900_000_000, {"target": 10**9}, 80_000),
        (BANDS, 999_999_999, {"target": 10**9}, 80_000),
        (BANDS, 10**9, {"target": 10**9}, 100_000),
        (STEPS, 549, {}, 0),
        (STEPS, 550, {}, 5_000),
        (STEPS, 649, {}, 10_000),
        (STEPS, 650, {}, 12_000),
        (STEPS, 0, {}, 0),
        (STEPS, None, {}, 0),
        (BELOW, 970_000, {}, 0),
        (BELOW, 960_001, {}, 0),
        (BELOW, 960_000, {}, -2_000),
        (replace(BELOW, is_started=True), 969_999, {}, -2_000),
        (replace(BELOW, is_started=True), 970_000, {}, 0),
        (replace(BELOW, is_started=True), 960_000, {}, -2_000),
        (BELOW, None, {}, 0),
        (MONEY, 10**18, {"target": 10**18}, 60_000),  # no sum of 64 bits on the way
        (STEPS, 2**62, {}, 12_000),
    ],
)
def test_every_kind_of_rule(one, value, more, expected):
    assert points(one, value, **more) == expected


def test_points_beyond_64_bits_are_an_error_and_not_a_small_number():
    with pytest.raises(InputError, match=r"points adds up to .*, too much for 64 bits"):
        points(replace(STEPS, every=1, cap=None), 2**62)


@pytest.mark.parametrize(("unmet", "kept"), [("results", 0), ("base", 10_000)])
def test_without_the_entry_there_is_no_base_and_where_so_ruled_no_result(unmet, kept):
    entered = card(
        replace(STEPS, cap=None),
        rule("steps", "new_customers", "Process", "process", points=1_000),
        GRIPES,
        base=90_000,
        unmet=unmet,
        entries=(Entry("new_customers", 3), Entry("net_new_money", 500)),
    )

    def found(customers: int | None) -> list:
        rows = [row("M1", "net_new_money", 600), row("M1", "new_customers", customers), row("M1", "complaints", 1)]
        return managers.totals(managers.scores(table(*rows), entered), entered).row(0)[3:7]

    assert found(3) == (101_000, 100_000, 3_000, -2_000)
    assert found(2) == (kept, kept, 2_000, -2_000) if unmet == "base" else (0, 0, 2_000, -2_000)
    assert found(None)[1] == kept


def test_the_first_card_that_fits_scores_a_manager():
    junior = card(STEPS, name="Junior", grades=("junior",))
    small = card(STEPS, name="Small in 2025", peer_groups=("small",), years=(2025,))
    rest = card(STEPS, name="Rest")
    rows = table(
        row("M1", "net_new_money", 600, grade="junior"),
        row("M2", "net_new_money", 600),
        row("M2", "net_new_money", 600, period=date(2024, 12, 31)),
        row("M3", "net_new_money", 600, peer_group=None, grade=None),
    )
    trace = managers.scores(rows, [junior, small, rest])
    assert trace.select("manager_id", "period", "card").rows() == [
        ("M1", QUARTER, "Junior"),
        ("M2", date(2024, 12, 31), "Rest"),
        ("M2", QUARTER, "Small in 2025"),
        ("M3", QUARTER, "Rest"),
    ]
    assert managers.totals(trace, [junior, small, rest])["card"].to_list() == trace["card"].to_list()
    with pytest.raises(
        InputError, match=r"2 managers fit no scorecard \(first: M2, grade manager, peer group small, 2024"
    ):
        managers.scores(rows, [junior, small])


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [row("M1", "net_new_money", 1, target=5), row("M2", "net_new_money", 1), row("M3", "net_new_money", 1)],
            r"2 of 3 managers have no target for net_new_money \(first: M2 of branch B1, 2025-03-31\). Write them into",
        ),
        (
            [row("M1", "net_new_money", 1, target=5), row("M2", "net_new_money", 1, branch_id="B7")],
            r"1 of 2 managers have no target .*; nobody in 1 branches has one \(first: B7\)",
        ),
        (
            [row("M1", "net_new_money", 1, target=0)],
            "1 of 1 managers have a target for net_new_money that is not above",
        ),
        ([row("M1", "net_new_mony", 1)], "net_new_mony is no measure of managers. Did you mean net_new_money"),
        (
            [row("M1", "net_new_money", 1, target=5), row("M2", "net_new_money", None, target=5)],
            r"1 of 2 managers have no measure at all \(first: M2\)",
        ),
        (
            [row("M1", "net_new_money", 1, target=5), row("M2", "complaints", 1)],
            r"1 of 2 managers have no net_new_money, which scorecard Card asks for \(first: M2, 2025-03-31\)",
        ),
        ([row("M1", "complaints", 1)], "1 of 1 managers have no net_new_money"),
        ([row("M1", "net_new_money", 1, target=5)] * 2, "1 of 2 rows given to managers.scores repeat a manager_id"),
        ([], "managers.scores has been given no row"),
    ],
)
def test_what_cannot_be_scored_is_said(rows, says):
    with pytest.raises(InputError, match=says):
        managers.scores(table(*rows), card(MONEY))


def test_a_missing_column_and_a_missing_card_are_said():
    with pytest.raises(InputError, match=r"managers\.scores needs a column base"):
        managers.scores(three().drop("base"), THREE)
    with pytest.raises(InputError, match="There is no scorecard"):
        managers.scores(three(), [])


def test_a_target_of_the_rule_stands_where_the_manager_has_none():
    rows = table(row("M1", "net_new_money", 50), row("M2", "net_new_money", 50, target=50))
    trace = managers.scores(rows, card(replace(MONEY, target=100)))
    assert trace.select("target", "points").rows() == [(100, 30_000), (50, 60_000)]


# What our own cards give: rates in millionths, and every base 100,000.00.
PAR = {
    "deposits_average": 102_000_00, "contribution": 105_000_00, "net_new_money": 500_000_00, "new_customers": 4,
    "retention": 970_000, "maturity_retention": 850_000, "products_per_customer": 102_000_00,
    "contacts_on_schedule": 900_000, "kyc_in_time": 1_000_000, "file_completeness": 1_000_000, "satisfaction": 8_000,
    "complaints": 0, "overdue_loans": 0, "deviation": 0, "missed_loan_checks": 0, "integrity_breaches": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "points", "line"),
    [
        ({}, 100_000, "model"),
        (
            {"deposits_average": 100_000_00, "contribution": 100_000_00},
            97_000,
            "model",
        ),  # a book that only stays: 90 each
        ({"deposits_average": 80_000_00, "contribution": 80_000_00}, 70_000, "danger"),
        ({"net_new_money": 900_000_00, "new_customers": 9}, 107_500, "model"),  # 150 each, at most
        ({"maturity_retention": None, "satisfaction": None}, 100_000, "model"),  # nothing matured, nobody was asked
        ({"complaints": 9, "overdue_loans": 1, "deviation": 1_000_000_00}, 88_000, "lifeline"),  # 10, 1 and 1 off
        ({"integrity_breaches": 1, "complaints": 1}, 70_000, "danger"),  # together 30 at most
        ({"contacts_on_schedule": 500_000, "kyc_in_time": 900_000}, 80_000, "lifeline"),  # process counts
    ],
)
def test_our_own_scorecard(changed, points, line):
    rows = table(*(row("M1", measure, value, base=100_000_00) for measure, value in (PAR | changed).items()))
    found = managers.totals(managers.scores(rows, OURS.scorecards), OURS.scorecards)
    assert found.select("card", "points", "line").row(0) == ("Managers", points, line)


# --- what must hold of any table ------------------------------------------------------------------------------------

EVERY = card(  # a rule of each kind
    replace(MONEY, weight=20_000),
    replace(CURVE, name="Curve", measure="deposits_growth", weight=20_000),
    replace(GROWN, name="Grown", measure="contribution", weight=20_000),
    replace(KYC, weight=40_000),
    replace(STEPS, name="Steps", measure="new_cards", cap=50_000),
    GRIPES,
    LATE,
    entries=(Entry("new_cards", 3),),
    base=10_000,
    deduction_cap=12_000,
    floor=0,
    cap=120_000,
    lines=LINES,
)
OUR_CARD = OURS.scorecards[1]
AMOUNTS = st.one_of(st.none(), st.integers(-1_000, 1_000), st.integers(-(10**12), 10**12))


@st.composite
def assessed(draw) -> pl.DataFrame:
    """Up to three managers with every measure of the card above, at random and now and then absent."""
    rows = []
    for manager in ["M1", "M2", "M3"][: draw(st.integers(1, 3))]:
        for one in EVERY.rules:
            rows.append(row(manager, one.measure, draw(AMOUNTS), draw(st.integers(1, 10**6)), draw(AMOUNTS)))
        rows.append(row(manager, "referred_customers", 0))  # nobody is without any measure
    return table(*rows)


@SOME
@given(assessed())
def test_a_total_is_the_sum_of_its_trace_and_keeps_caps_and_floors(rows):
    trace = managers.scores(rows, EVERY)
    totals = managers.totals(trace, EVERY)
    parts = totals["result_points"] + totals["process_points"] + totals["deduction_points"]
    assert totals["points"].to_list() == parts.to_list()
    assert (
        totals["points"].to_list()
        == trace.group_by("manager_id").agg(pl.col("points").sum()).sort("manager_id")["points"].to_list()
    )
    assert totals["points"].is_between(0, 120_000).all()
    off = trace.filter(pl.col("side") == "deductions", pl.col("rule") != "Total")
    assert off.group_by("manager_id").agg(pl.col("points").sum())["points"].is_between(-12_000, 0).all()
    by_rule = {name: part for (name,), part in trace.group_by("rule")}
    assert by_rule["Money"]["score"].is_between(0, 150_000).all()
    assert by_rule["Steps"]["points"].is_between(0, 50_000).all()
    assert by_rule["Late"]["points"].is_between(-10_000, 0).all()


@SOME
@given(assessed())
def test_lines_are_where_they_stand(rows):
    bounds = {line.name: line.lower for line in LINES}
    for one in managers.totals(managers.scores(rows, EVERY), EVERY).iter_rows(named=True):
        reached = [name for name, lower in bounds.items() if lower <= one["points"]]
        assert one["line"] == (reached[-1] if reached else None)
        assert one["above"] == (one["points"] - bounds[one["line"]] if reached else None)
        missing = [lower - one["points"] for lower in bounds.values() if lower > one["points"]]
        assert one["missing"] == min(missing, default=None)
        assert (one["next_line"] is None) == (one["line"] == "elite")


@SOME
@given(assessed(), st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    assert_frame_equal(managers.scores(rows[order], EVERY), managers.scores(rows, EVERY))


@SOME
@given(assessed())
def test_every_row_has_a_sentence_that_ends_in_its_points(rows):
    told = managers.told(managers.scores(rows, EVERY), EVERY).filter(pl.col("kind") != "entry")
    for sentence, thousandths in told.select("sentence", "points").rows():
        number = sentence.rpartition("→ ")[2].replace("−", "-").replace(",", "")
        assert Decimal(number) * 1000 == thousandths


@SOME
@given(
    st.sampled_from([MONEY, BANDS, FALLING, GROWN]),
    st.integers(-(10**9), 10**9),
    st.integers(1, 10**9),
    st.integers(1, 1000),
)
def test_scaling_target_and_value_together_changes_nothing(one, value, under, times):
    def scaled(k):
        return points(one, value * k, **{"base" if one.on == "base" else "target": under * k})

    assert scaled(1) == scaled(times)


@SOME
@given(
    st.sampled_from([MONEY, BANDS, GROWN, CURVE, STEPS, BELOW]),
    st.lists(st.integers(-2_000_000, 3_000_000), min_size=2, max_size=8),
    st.integers(1, 10**6),
)
def test_more_is_never_worth_less(one, values, under):
    rows = [row(f"M{n}", one.measure, value, under, under) for n, value in enumerate(sorted(values))]
    given_ = managers.scores(table(*rows), card(one))["points"].to_list()
    assert given_ == sorted(given_)


@SOME
@given(st.lists(st.integers(-500, 500), min_size=2, max_size=8))
def test_where_a_curve_falls_more_is_never_worth_more(values):
    rows = [row(f"M{n}", "cost_per_win", value, 100) for n, value in enumerate(sorted(values))]
    given_ = managers.scores(table(*rows), card(FALLING))["points"].to_list()
    assert given_ == sorted(given_, reverse=True)


def rounded(exact: Fraction) -> int:
    return int((Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(Decimal(1), ROUND_HALF_EVEN))


@SOME
@given(st.integers(-(10**7), 10**7), st.integers(1, 10**6))
def test_a_curve_is_the_straight_line_in_exact_numbers(value, base):
    share = Fraction(value, base) * 1_000_000
    knots = GROWN.at
    score = Fraction(knots[0][1] if share <= knots[0][0] else knots[-1][1])
    for (left, low), (right, high) in pairwise(knots):
        if left < share <= right:
            score = low + (share - left) * (high - low) / (right - left)
    assert points(GROWN, value, base=base) == rounded(score)


# --- pay ------------------------------------------------------------------------------------------------------------

LINEAR = PayPlan("Linear", (), lower=60_000, base=300_000, per_point=10_001, most=600_000, bands=())
BANDED = PayPlan("Bands", ("Junior",), 0, 0, 0, 150_000, ((60_000, 100_000), (90_000, 200_000)))


def paid(*rows: tuple[str, int], plans=(BANDED, LINEAR)) -> list[tuple]:
    found = managers.paid(pl.DataFrame(list(rows), {"card": pl.String, "points": pl.Int64}, orient="row"), plans)
    return found.select("plan", "pay").rows()


def test_points_are_paid_by_the_first_plan_that_fits():
    assert paid(("Junior", 59_999), ("Junior", 60_000), ("Junior", 95_000)) == [
        ("Bands", 0), ("Bands", 100_000), ("Bands", 150_000),
    ]  # fmt: skip
    linear = paid(*(("Senior", thousandths) for thousandths in (59_999, 60_000, 60_500, 61_500, 999_000)))
    assert {plan for plan, _ in linear} == {"Linear"}
    assert [money for _, money in linear] == [
        0,
        300_000,
        305_000,
        315_002,
        600_000,
    ]  # 5,000.5 and 15,001.5: to the even
    assert paid(("Senior", 90_000), plans=[BANDED]) == [(None, 0)]
    assert paid(("Senior", 90_000), plans=[]) == [(None, 0)]


@SOME
@given(st.lists(st.integers(-10_000, 200_000), min_size=2, max_size=9))
def test_more_points_are_never_paid_less(thousandths):
    for name in ("Junior", "Senior"):
        pay = [row[1] for row in paid(*((name, one) for one in sorted(thousandths)))]
        assert pay == sorted(pay)


# --- what if --------------------------------------------------------------------------------------------------------


@SOME
@given(assessed())
def test_zero_change_moves_nobody(rows):
    before = managers.outcome(rows, EVERY, [LINEAR])
    same, [unchanged] = managers.retargeted(rows, EVERY, "net_new_money", 1_000_000)
    for one in EVERY.rules:
        unchanged = managers.altered(unchanged, one.name, cap=one.cap)
        unchanged = unchanged if one.weight is None else managers.reweighted(unchanged, {one.name: one.weight})
    found = managers.moved(before, managers.outcome(same, unchanged, [LINEAR]))
    assert found.people.is_empty()
    assert found.pay_before == found.pay_after == before["pay"].sum()
    assert found.n == len(before)


def test_who_moves_and_what_it_costs():
    before = managers.outcome(three(), THREE, [LINEAR])
    changed = managers.altered(THREE, "Gripes", points=10_000)
    found = managers.moved(before, managers.outcome(three(), changed, [LINEAR]))
    # M1 loses 8 more points; M3 has reached the cap of all deductions, and M2 has no complaint.
    assert found.people.drop("period").rows() == [
        ("M1", 92_000, 84_000, -8_000, 2, 2, 0, 600_000, 540_024, -59_976, "danger", "danger"),
    ]
    assert (found.n, found.pay_before, found.pay_after) == (3, 1_200_000, 1_140_024)


def test_higher_targets_move_those_who_are_measured_by_them():
    before = managers.outcome(three(), THREE, [LINEAR])
    rows, cards = managers.retargeted(three(), THREE, "net_new_money", 1_500_000)
    found = managers.moved(before, managers.outcome(rows, cards, [LINEAR]))
    assert found.people.select("manager_id", "points_change").rows() == [("M1", -18_000), ("M2", -1_000)]


@SOME
@given(st.integers(0, 100_000), st.sampled_from([one.name for one in OUR_CARD.rules if one.weight is not None]))
def test_weights_add_up_to_100_whatever_is_moved(weight, name):
    changed = managers.reweighted(OUR_CARD, {name: weight})
    weights = {one.name: one.weight for one in changed.rules if one.weight is not None}
    assert sum(weights.values()) == 100_000
    assert weights[name] == weight
    assert min(weights.values()) >= 0
    other = [one for one in OUR_CARD.rules if one.weight is not None and one.name != name]
    by_old = [weights[one.name] for one in sorted(other, key=lambda one: one.weight)]
    assert all(right - left >= -1 for left, right in pairwise(by_old))  # who weighed more still does


def test_weights_that_were_given_stay_and_the_others_make_up_for_them():
    changed = managers.reweighted(OUR_CARD, {"Deposits": 30_000, "Retention": 5_000})
    weights = {one.name: one.weight for one in changed.rules if one.weight is not None}
    assert (weights["Deposits"], weights["Retention"], sum(weights.values())) == (30_000, 5_000, 100_000)
    assert weights["Contribution"] == 13_000  # 15 of the 75 that the others had


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [("Steps", 500_000, 250), ("Late", 1_500_000, 150_000_00), ("Files", 1_000_000, KYC.at)],
)
def test_a_rule_asks_for_more_by_its_start_its_steps_or_its_bounds(name, factor, expected):
    changed = managers.stretched(card(MONEY, KYC, LATE, replace(STEPS, name="Steps")), name, factor)
    one = next(rule for rule in changed.rules if rule.name == name)
    found = {"Steps": one.start, "Late": one.every, "Files": one.at}[name]
    assert found == expected


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: managers.reweighted(THREE, {"Mony": 1}), "Mony is no rule of scorecard Card. Did you mean Money"),
        (lambda: managers.reweighted(THREE, {"Gripes": 1}), "Gripes of scorecard Card has no weight: its points"),
        (lambda: managers.reweighted(THREE, {"Money": -1}), "-0.001 is no weight. Give one from 0 to 100"),
        (
            lambda: managers.reweighted(card(replace(MONEY, weight=100_000)), {"Money": 5}),
            "add up to 0.005, and the others",
        ),
        (lambda: managers.stretched(THREE, "Gripes", 500_000), "Gripes of scorecard Card has no bounds and no steps"),
        (lambda: managers.altered(THREE, "Money", weight=5), "A weight is changed together with the others"),
        (lambda: managers.retargeted(three(), THREE, "net_new_money", 0), "A factor of 0 leaves no target"),
    ],
)
def test_a_change_that_cannot_be_made_is_said(change, says):
    with pytest.raises(InputError, match=says):
        change()


def test_two_outcomes_of_different_managers_are_not_compared():
    before = managers.outcome(three(), THREE, [LINEAR])
    with pytest.raises(InputError, match="1 of 3 managers are in one of the two outcomes only"):
        managers.moved(before, before[1:])
