"""The trace in words: a sentence a measure and a kind of rule, in its own unit, as a manager would check it."""

from dataclasses import replace
from functools import partial

import polars as pl
import pytest

from crmlab.measures import managers
from crmlab.policy import MEASURES, Entry
from tests.test_scoring import card, row, rule, table


def said(one, value: int | None, *, entry: int | None = None, **more) -> str:
    """What is said of one rule on a card, the last row of the trace."""
    entries = (Entry(one.measure, entry),) if entry is not None else ()
    of = card(one, entries=entries)
    other = (
        "complaints" if one.measure != "complaints" else "new_cards"
    )  # somebody of whom nothing is known has no card
    rows = table(row("M1", one.measure, value, **more), row("M1", other, 0))
    return managers.told(managers.scores(rows, of), of)["sentence"][-1]


def steps(measure: str, every: int, start: int = 0):
    return rule("steps", measure, start=start, every=every, points=5_000)


def grown(measure: str):
    return replace(rule("attainment", measure, weight=10_000, floor=0, cap=150_000), on="base")


def target(measure: str):
    return rule("attainment", measure, weight=10_000, floor=0)


def curve(measure: str, full: int):
    return rule("curve", measure, weight=10_000, at=((0, 0), (full, 100_000)))


def bands(measure: str, full: int):
    return rule("bands", measure, weight=10_000, at=((full, 100_000),))


def off(measure: str, every: int = 1, **more):
    return rule("deduction", measure, points=2_000, every=every, **more)


MILLION = 1_000_000_00  # of money, in minor units
SAID = {
    "deposits_average": (
        partial(said, grown("deposits_average"), 4_120_000_00, base=4 * MILLION),
        "Rule 4.12 m, 103 % of the period before (4 m) → score 103 × weight 10 / 100 → +10.3",
    ),
    "deposits_growth": (
        partial(said, steps("deposits_growth", 100_000_00), -250_000_00),
        "Rule −250,000 → no full step of 100,000 → +0",
    ),
    "loans_average": (
        partial(said, target("loans_average"), 6_000_000_50, target=8 * MILLION),
        "Rule 6,000,000.50, 75 % of the target (8 m) → score 75 × weight 10 / 100 → +7.5",
    ),
    "loans_growth": (
        partial(said, steps("loans_growth", 500_000_00), 990_000_00),
        "Rule 990,000 → 1 full step of 500,000 → +5",
    ),
    "investments_average": (
        partial(said, curve("investments_average", 2 * MILLION), MILLION),
        "Rule 1 m → score 50 × weight 10 / 100 → +5",
    ),
    "investments_growth": (
        partial(said, bands("investments_growth", 50_000_00), 49_999_99),
        "Rule 49,999.99 → score 0 × weight 10 / 100 → +0",
    ),
    "savings_average": (
        partial(said, steps("savings_average", 500_000_00, 3 * MILLION), 4_120_000_00, entry=3 * MILLION),
        "Rule 4.12 m, 1.12 m above entry → 2 full steps of 500,000 → +10",
    ),
    "contribution": (
        partial(said, grown("contribution"), 41_953_60, base=50_941_13),
        "Rule 41,953.60, 82.36 % of the period before (50,941.13) → score 82.357 × weight 10 / 100 → +8.236",
    ),
    "contribution_growth": (
        partial(said, steps("contribution_growth", 10_000_00, 5_000_00), 4_000_00),
        "Rule 4,000, 1,000 below 5,000 → no full step of 10,000 → +0",
    ),
    "net_new_money": (
        partial(said, target("net_new_money"), -50_000_00, target=MILLION),
        "Rule −50,000, −5 % of the target (1 m) → score 0 (at least) × weight 10 / 100 → +0",
    ),
    "new_loans": (
        partial(said, steps("new_loans", 500_000_00, 8 * MILLION), 8 * MILLION, entry=8 * MILLION),
        "Rule 8 m, just entry → no full step of 500,000 → +0",
    ),
    "cost_per_win": (
        partial(said, curve("cost_per_win", 200_00), 123_45, of=(370_35, 3)),
        "Rule 123.45 (370.35 for 3 wins) → score 61.725 × weight 10 / 100 → +6.172",
    ),
    "overdue_loans": (
        partial(said, off("overdue_loans", 100_000_00, is_started=True), 2_087_624_81),
        "Rule 2,087,624.81 → 21 begun steps of 100,000 → −42",
    ),
    "deviation": (
        partial(said, off("deviation", 500_000_00, start=500_000_00), -298_355_53),
        "Rule −298,355.53, 798,355.53 below 500,000 → no full step of 500,000 → +0",
    ),
    "new_customers": (
        partial(said, target("new_customers"), 1, target=4),
        "Rule 1, 25 % of the target (4) → score 25 × weight 10 / 100 → +2.5",
    ),
    "referred_customers": (partial(said, steps("referred_customers", 1), 3), "Rule 3 → 3 × 5 → +15"),
    "new_cards": (
        partial(said, steps("new_cards", 50, 500), 649, entry=500),
        "Rule 649, 149 above entry → 2 full steps of 50 → +10",
    ),
    "n_contacts": (
        partial(said, target("n_contacts"), 180, target=225),
        "Rule 180, 80 % of the target (225) → score 80 × weight 10 / 100 → +8",
    ),
    "complaints": (partial(said, off("complaints", cap=5_000), 4), "Rule 4 → 4 × −2, kept to 5 → −5"),
    "missed_loan_checks": (partial(said, off("missed_loan_checks"), None), "Rule: nothing to judge → +0"),
    "integrity_breaches": (partial(said, off("integrity_breaches"), 1), "Rule 1 → −2"),
    "overdue_1": (partial(said, off("overdue_1"), 0), "Rule 0 → +0"),
    "overdue_2": (partial(said, off("overdue_2"), 2), "Rule 2 → 2 × −2 → −4"),
    "overdue_3": (partial(said, off("overdue_3"), 1), "Rule 1 → −2"),
    "overdue_4": (partial(said, off("overdue_4", 2), 3), "Rule 3 → 1 full step of 2 → −2"),
    "retention": (
        partial(said, curve("retention", 1_000_000), 958_333, of=(69, 72)),
        "Rule 95.8333 % (69 of 72) → score 95.833 × weight 10 / 100 → +9.583",
    ),
    "maturity_retention": (
        partial(said, bands("maturity_retention", 850_000), 996_906, of=(31_066_195, 31_162_606)),
        "Rule 99.6906 % (310,661.95 of 311,626.06) → score 100 × weight 10 / 100 → +10",
    ),
    "ebanking_activation": (
        partial(said, target("ebanking_activation"), 500_000, of=(5, 10), target=625_000),
        "Rule 50 % (5 of 10), 80 % of the target (62.5 %) → score 80 × weight 10 / 100 → +8",
    ),
    "contacts_on_schedule": (
        partial(said, grown("contacts_on_schedule"), 500_000, of=(4, 8), base=250_000),
        "Rule 50 % (4 of 8), 200 % of the period before (25 %) → score 150 (at most) × weight 10 / 100 → +15",
    ),
    "contact_to_sale": (
        partial(said, steps("contact_to_sale", 10_000, 50_000), 62_500, of=(5, 80)),
        "Rule 6.25 % (5 of 80), 1.25 percentage points above 5 % → 1 full step of 1 percentage point → +5",
    ),
    "kyc_in_time": (
        partial(said, off("kyc_in_time", 10_000, start=970_000, is_below=True), 950_000, of=(19, 20), entry=960_000),
        "Rule 95 % (19 of 20), 2 percentage points below 97 % → 2 full steps of 1 percentage point → −4",
    ),
    "file_completeness": (
        partial(said, bands("file_completeness", 1), None, of=(0, 0)),
        "Rule: nothing to judge → score 0 × weight 10 / 100 → +0",
    ),
    "collection": (
        partial(said, off("collection", 10_000, start=970_000, is_below=True), 960_000, of=(96_000_00, 100_000_00)),
        "Rule 96 % (96,000 of 100,000), 1 percentage point below 97 % → 1 full step of 1 percentage point → −2",
    ),
    "products_per_customer": (
        partial(said, grown("products_per_customer"), 3_161, of=(98, 31), base=3_290),
        "Rule 3.161 (98 products of 31 customers), 96.08 % of the period before (3.29) → score 96.079 × weight 10 / 100"
        " → +9.608",
    ),
    "satisfaction": (
        partial(said, curve("satisfaction", 10_000), 7_750, of=(31, 4)),
        "Rule 7.75 (from 4 answers) → score 77.5 × weight 10 / 100 → +7.75",
    ),
}


def test_every_measure_has_its_sentence():
    assert list(SAID) == list(MEASURES)


@pytest.mark.parametrize("measure", SAID)
def test_a_measure_is_told_in_its_own_unit(measure):
    found, expected = SAID[measure]
    assert found() == expected


def test_an_entry_is_told_by_what_it_is_of():
    of = card(steps("new_cards", 50), entries=(Entry("kyc_in_time", 970_000), Entry("overdue_1", 3)), base=5_000)
    rows = table(
        row("M1", "new_cards", 60), row("M1", "kyc_in_time", 950_000, of=(19, 20)), row("M1", "overdue_1", None)
    )
    assert managers.told(managers.scores(rows, of), of)["sentence"].to_list() == [
        "Entry: KYC in time 95 %, 2 percentage points short of 97 % → not met",
        "Entry: loans 1 to 30 days overdue of 3 at least, not measured → not met",
        "Base: an entry is not met → +0",
        "Rule 60: an entry is not met, so it counts for nothing → +0",
    ]


def test_what_runs_against_the_book_is_told_with_a_minus_sign():
    rows = pl.DataFrame(
        {"manager_id": range(16), "start": [1_000_000 * 2**n for n in range(16)], "target": 100,
         "value": [120 - 3 * n - n % 3 for n in range(16)]}
    )  # fmt: skip
    told = managers.target_audit(rows)["told"].item()
    assert "rank correlation −1.00 (−1.00 to −0.99)" in told
    assert "-" not in told
