"""A rule set for personal-banking managers that circulates publicly, out of a policy.toml alone, with its trace."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crmlab.measures import managers
from crmlab.policy import load

RULES = load(Path(__file__).parents[2] / "data" / "published" / "personal-banking-managers.toml")
QUARTER = date(2025, 3, 31)
DEDUCTED = (
    "complaints",
    "missed_loan_checks",
    "integrity_breaches",
    "overdue_1",
    "overdue_2",
    "overdue_3",
    "overdue_4",
)
LOWER, SENIOR = (3_000_000, 500, 0), (5_000_000, 0, 8_000_000)


def assessed(
    grade: str, savings: float, cards: int, loans: float, collection: str | None = "97", **deducted: int
) -> pl.DataFrame:
    """One manager's quarter: money in yuan, the collection rate in percent."""
    rate = None if collection is None else round(float(collection) * 10_000)
    values = {
        "savings_average": round(savings * 100),
        "new_cards": cards,
        "new_loans": round(loans * 100),
        "collection": rate,
        **dict.fromkeys(DEDUCTED, 0),
        **deducted,
    }
    return pl.DataFrame(
        {"measure": list(values), "value": list(values.values())}, {"measure": pl.String, "value": pl.Int64}
    ).with_columns(
        manager_id=pl.lit("M1"),
        branch_id=pl.lit("B1"),
        peer_group=pl.lit("small"),
        grade=pl.lit(grade),
        period=pl.lit(QUARTER),
        **{name: pl.lit(None, pl.Int64) for name in ("n", "n_events", "base", "target")},
    )


def outcome(*row, **more) -> tuple[float, str | None]:
    """Points and grade."""
    table = assessed(*row, **more)
    found = managers.totals(managers.scores(table, RULES.scorecards), RULES.scorecards).row(0, named=True)
    return found["points"] / 1000, found["line"]


@pytest.mark.parametrize(
    ("grade", "savings", "cards", "loans", "points", "line"),
    [
        ("manager", *LOWER, 90, "grade 1"),  # just at entry
        ("manager", 3_490_000, 500, 0, 90, "grade 1"),
        ("manager", 3_500_000, 500, 0, 95, "grade 2"),
        ("manager", 3_990_000, 500, 0, 95, "grade 2"),  # 990,000 above entry is still one step
        ("manager", 3_999_999.99, 500, 0, 95, "grade 2"),  # a cent short of two
        ("manager", 4_000_000, 500, 0, 100, "grade 3"),  # exactly 1,000,000 is two
        ("manager", 4_120_000, 500, 0, 100, "grade 3"),
        ("assistant", 3_000_000, 549, 0, 90, "grade 1"),
        ("assistant", 3_000_000, 550, 0, 95, "grade 2"),
        ("assistant", 3_000_000, 600, 0, 100, "grade 3"),
        ("manager", 3_000_000, 500, 499_999.99, 90, "grade 1"),  # loans have no entry here: counted from 0
        ("manager", 3_000_000, 500, 500_000, 95, "grade 2"),
        ("manager", 3_000_000, 500, -4_000_000, 90, "grade 1"),  # loans that shrink take no step back
        ("manager", 4_990_000, 620, 1_300_000, 90 + 15 + 10 + 10, "grade 8"),
        ("manager", 2_999_999.99, 5_000, 9_000_000, 0, None),  # an entry not met: results count for nothing
        ("manager", 30_000_000, 499, 9_000_000, 0, None),
        ("senior manager", *SENIOR, 90, "grade 1"),
        ("senior manager", 5_990_000, 49, 8_990_000, 100, "grade 3"),
        ("senior manager", 6_000_000, 50, 9_000_000, 115, "grade 6"),
        ("principal manager", 5_000_000, 0, 7_999_999.99, 0, None),
        ("senior manager", 4_999_999, 900, 20_000_000, 0, None),
        ("manager", 12_000_000, 500, 0, 180, "grade 19"),
        ("manager", 12_500_000, 500, 0, 185, "grade 20"),
        ("manager", 13_000_000, 700, 0, 185, "grade 20"),  # no more than the highest grade
    ],
)
def test_steps_beyond_entry(grade, savings, cards, loans, points, line):
    assert outcome(grade, savings, cards, loans) == (points, line)


@pytest.mark.parametrize(
    ("deducted", "off"),
    [
        ({"complaints": 1}, 2),
        ({"missed_loan_checks": 1}, 5),
        ({"integrity_breaches": 1}, 50),
        ({"collection": "97"}, 0),
        ({"collection": "96.99"}, 0),  # no full point under 97 %
        ({"collection": "96.01"}, 0),
        ({"collection": "96"}, 2),
        ({"collection": "95"}, 4),
        ({"collection": "94.99"}, 4),
        ({"collection": None}, 0),  # nothing fell due
        ({"overdue_1": 1}, 1),
        ({"overdue_2": 1}, 2),
        ({"overdue_3": 1}, 4),
        ({"overdue_4": 1}, 10),
        ({"complaints": 3, "missed_loan_checks": 1, "collection": "95", "overdue_4": 2}, 6 + 5 + 4 + 20),
        ({"missed_loan_checks": 10}, 50),
        ({"missed_loan_checks": 10, "complaints": 1}, 50),  # 52, together capped at 50
        ({"integrity_breaches": 2}, 50),
        ({"integrity_breaches": 1, "overdue_4": 9, "collection": "50"}, 50),
    ],
)
def test_deductions_are_together_capped_at_50(deducted, off):
    assert outcome("manager", 6_000_000, 500, 0, **deducted)[0] == 120 - off
    assert outcome("senior manager", 8_000_000, 0, 8_000_000, **deducted)[0] == 120 - off


def test_points_do_not_fall_below_0():
    assert outcome("manager", 1, 0, 0, complaints=3) == (0, None)


def test_grades_in_steps_of_5_from_90_to_185():
    for card in RULES.scorecards:
        assert [line.lower for line in card.lines] == list(range(90_000, 185_001, 5_000))
    for step in range(25):
        points, line = outcome("manager", 3_000_000 + 500_000 * step, 500, 0)
        assert (points, line) == (min(90 + 5 * step, 185), f"grade {min(step + 1, 20)}")


def test_the_distance_to_the_next_grade():
    table = assessed("manager", 4_120_000, 500, 0, complaints=1)
    found = managers.totals(managers.scores(table, RULES.scorecards), RULES.scorecards)
    assert found.select("points", "line", "above", "next_line", "missing").row(0) == (
        98_000, "grade 2", 3_000, "grade 3", 2_000,
    )  # fmt: skip


def test_the_trace_in_words():
    table = assessed(
        "manager", 4_120_000, 549, 990_000, collection="95", integrity_breaches=1, complaints=2, overdue_2=1
    )
    trace = managers.told(managers.scores(table, RULES.scorecards), RULES.scorecards)
    assert trace["sentence"].to_list() == [
        "Entry: savings average 4.12 m, at least 3 m → met",
        "Entry: new cards 549, at least 500 → met",
        "Base: every entry is met → +90",
        "Savings average 4.12 m, 1.12 m above entry → 2 full steps of 500,000 → +10",
        "New effective cards 549, 49 above entry → no full step of 50 → +0",
        "New loans 990,000 → 1 full step of 500,000 → +5",
        "Complaints 2 → 2 × −2 → −4",
        "Missed loan checks 0 → +0",
        "Integrity 1 → −50",
        "Collection rate 95 %, 2 percentage points below 97 % → 2 full steps of 1 percentage point → −4",
        "Overdue, first band 0 → +0",
        "Overdue, second band 1 → −2",
        "Overdue, third band 0 → +0",
        "Overdue, fourth band 0 → +0",
        "All deductions −60, together at most −50 → +10",
    ]
    assert trace["points"].sum() == 55_000


def test_an_entry_that_is_not_met_says_by_how_much():
    table = assessed("manager", 4_120_000, 480, 0)
    trace = managers.told(managers.scores(table, RULES.scorecards), RULES.scorecards)
    assert trace["sentence"].to_list()[1:4] == [
        "Entry: new cards 480, 20 short of 500 → not met",
        "Base: an entry is not met → +0",
        "Savings average 4.12 m: an entry is not met, so it counts for nothing → +0",
    ]


def test_what_was_assumed_stands_in_the_file():
    text = (Path(__file__).parents[2] / "data" / "published" / "personal-banking-managers.toml").read_text("utf-8")
    assert RULES.pay == ()
    assert "What the text leaves open, and what is assumed here:" in text
    assert RULES.managing.effective_card == 10_000
