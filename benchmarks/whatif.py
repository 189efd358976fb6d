"""What if the rules were others: 500 managers scored again under them, and who moves, as the page of managers does."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.managers import whatif
from crmlab.policy import MEASURES, PayPlan, Scorecard, load
from crmlab.views.managers.changing import Change, changed, with_targets

CARD = "Managers"
# A weight, a target and the points of a deduction, each in per cent of today.
CHANGES = [
    Change(CARD, "Contribution", part=150),
    Change(CARD, "Net new money", asked=110),
    Change(CARD, "Complaints", part=200),
]


class Scored(NamedTuple):
    """What the page has at hand when a control is moved."""

    rows: pl.DataFrame
    before: pl.DataFrame
    card: Scorecard
    plans: tuple[PayPlan, ...]


def scored(n: int) -> Scored:
    """What so many managers are scored by in a quarter, around what each rule asks for, and the outcome today."""
    policy, rng = load(), np.random.default_rng(1)
    card = next(one for one in policy.scorecards if one.name == CARD)
    asked = [rule.measure for rule in card.rules]
    names = [f"M{i:03d}" for i in range(n)]
    everybody = pl.DataFrame({"manager_id": names, "branch_id": [f"B{i // 20:02d}" for i in range(n)]})
    rows = everybody.join(pl.DataFrame({"measure": [one for one in MEASURES if one in asked]}), how="cross")
    base = rng.lognormal(14, 1, len(rows)).astype(np.int64)
    rate = pl.col("measure").is_in(["retention", "maturity_retention", "contacts_on_schedule", "kyc_in_time"])
    rows = rows.with_columns(
        peer_group=pl.lit("small"), grade=pl.lit("manager"), period=pl.lit(date(2025, 12, 31)), base=base,
        value=(base * rng.normal(1.02, 0.1, len(rows))).astype(np.int64), target=base, n=pl.lit(100),
        n_events=pl.lit(90), why=pl.lit(None, pl.String),
    ).with_columns(value=pl.when(rate).then(pl.col("value") % 1_000_000).otherwise("value"))  # fmt: skip
    return Scored(rows, whatif.outcome(rows, card, policy.pay), card, policy.pay)


def answered(given: Scored) -> whatif.Moved:
    """Who moves, by how much, and total pay under the changes."""
    made = with_targets(given.rows, changed(given.card, CHANGES), CHANGES)
    return whatif.moved(given.before, whatif.outcome(*made, given.plans))
