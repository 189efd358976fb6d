"""A rule's levels as a ladder of thresholds, and the climbing of it from one assessment to the next."""

from typing import NamedTuple

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.errors import InputError
from crmlab.measures.given import in_order, required
from crmlab.measures.tiers.calendar import months_of
from crmlab.policy import Level, TierRule

KEY = ["customer_id", "month"]
COLUMNS = ["customer_id", "kind", "month", "value", "plain", "tier"]


class Rung(NamedTuple):
    """A threshold: who reaches `gain` has it, who has it keeps it down to `keep`; both inclusive."""

    gain: int
    keep: int


def history(values: pl.DataFrame, rule: TierRule) -> pl.DataFrame:
    """Each customer's tier at each assessment, with the rule against flip-flop and without.

    Answers: which tier is this customer in, and since when?

    Every threshold is looked at by itself. It is gained at once, when the value reaches it. It is lost when the value
    has been below threshold × (1 − buffer) at ``rule.confirm`` assessments in a row. The tier is the level above the
    highest threshold held: a fall leads as deep as all of the confirming assessments agree on, and not deeper.

    Hence no rule that keeps to the same bounds crosses fewer thresholds, and a wider buffer or a longer confirmation
    never crosses more. A fall straight to the level of the last value would break this: it goes too deep after a
    passing low, and comes back.

    A first assessment, and the first after one that a customer was not at, gives the plain tier. For levels by rank
    (``top``) the value is the share of the customers of the same kind and month with less: the best 20 % are those
    with at least 80 % below them, equal values share a level (the lower one, so a level is never overfull and a mass
    tied at the bottom stays there), and with a buffer of 10 % one stays among the best 22 %.

    Parameters
    ----------
    values
        customer_id, kind, month, value: as `values` gives them.
    rule
        The same rule.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, month, value, plain (the level of the value alone), tier (with buffer and confirmation);
        both Enums of the rule's levels, the lowest first. Ordered by customer and month.

    Raises
    ------
    InputError
        When a column or a value is missing, nobody is given, a customer has a month twice, an assessment is missing
        for all, or a month is not one of assessment.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> months = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
    >>> rows = pl.DataFrame({"customer_id": 1, "kind": "retail", "month": months,
    ...                      "value": [50_000_00, 45_000_00, 44_999_99]})
    >>> history(rows, policy.load().tiers[0]).select("plain", "tier").rows()
    [('gold', 'gold'), ('basic', 'gold'), ('basic', 'basic')]
    """
    required(values, COLUMNS[:4], "tiers.history")
    _only_assessments(months_of(values, rule.assessed, "tiers.history"), rule)
    rows = in_order(values.select(COLUMNS[:4]), KEY, "tiers.history")
    rungs = [_rung(level, rule.buffer) for level in rule.levels[1:]]
    score = _share_below() if rule.levels[-1].top is not None else pl.col("value")
    return (
        rows.lazy()
        .with_columns(score=score, starts=starts(rows))
        .with_columns(
            plain=_level([pl.col("score") >= rung.gain for rung in rungs], rule),
            tier=_level([_held(rung, rule.confirm) for rung in rungs], rule),
        )
        .select(COLUMNS)
        .collect()
    )


def levels(rule: TierRule) -> pl.Enum:
    """The names of a rule's levels as an ordered type, the lowest first."""
    return pl.Enum([level.name for level in rule.levels])


def starts(rows: pl.DataFrame) -> pl.Expr:
    """Where a customer's assessments begin: the first, and the first after an absence; rows ordered by customer, month.

    A row earlier in the frame is the assessment before exactly where this is false.
    """
    assessment = pl.lit(rows["month"].unique().sort()).search_sorted(pl.col("month")).cast(pl.Int32)
    follows = (pl.col("customer_id") == pl.col("customer_id").shift()) & (assessment.diff() == 1)
    return ~follows.fill_null(False)


def _only_assessments(months: pl.Series, rule: TierRule) -> None:
    others = months.filter(~months.dt.month().is_in(rule.assessed))
    if len(others):
        raise InputError(
            f"{len(others)} of {len(months)} months given to tiers.history are none of rule {rule.name}'s assessments "
            f"(first: {others[0]:%Y-%m}). Give it what tiers.values gives for the same rule."
        )


def _rung(level: Level, buffer: int) -> Rung:
    if level.top is not None:
        return Rung(MILLION - level.top, MILLION - level.top * (MILLION + buffer) // MILLION)
    return Rung(level.lower, level.lower - abs(level.lower) * buffer // MILLION)


def _share_below() -> pl.Expr:
    """Millionths of the customers of the same kind and month with a lower value, rounded down."""
    lower = pl.col("value").rank("min").cast(pl.Int64) - 1
    return (lower * MILLION // pl.len()).over("kind", "month")


def _held(rung: Rung, confirm: int) -> pl.Expr:
    """Whether a threshold is held: what the last assessment said that gained or lost it."""
    # A run shorter than `confirm` looks back into another customer's: it loses only what it never gained.
    below = pl.col("score") < rung.keep
    lost = pl.all_horizontal(below.shift(back) for back in range(confirm))
    gained = pl.col("score") >= rung.gain
    return pl.when(gained).then(True).when(pl.col("starts") | lost).then(False).forward_fill()


def _level(held: list[pl.Expr], rule: TierRule) -> pl.Expr:
    count = pl.sum_horizontal(pl.lit(0, pl.UInt32), *(threshold.cast(pl.UInt32) for threshold in held))
    return count.cat.to(levels(rule))
