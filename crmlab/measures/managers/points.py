"""What one rule gives: steps or a score, and points, all in whole numbers."""

import polars as pl

from crmlab.errors import InputError
from crmlab.policy import ScoreRule
from crmlab.policy.scoring import FULL

MILLION = 1_000_000


def given(rows: pl.DataFrame, rule: ScoreRule) -> pl.LazyFrame:
    """The rows with steps or score, points (thousandths) and is_capped: whether a floor or a cap held.

    The numbers are in 128 bits, and nothing is computed yet: a card has many rules, and one pass does for all of them.

    Parameters
    ----------
    rows
        manager_id, branch_id, period, value, base, target; a row a manager and period.
    rule
        What makes the value points.

    Raises
    ------
    InputError
        When the rule asks for a target and one is missing or not above 0: how many, and which first.

    Examples
    --------
    >>> from crmlab.policy.scoring import ScoreRule
    >>> rule = ScoreRule("Money", "net_new_money", "attainment", "results", weight=10_000, on="target", cap=150_000)
    >>> rows = pl.DataFrame({"value": [45, 200, None], "base": None, "target": [50, 100, 100]})
    >>> given(rows, rule).select("score", "points", "is_capped").collect().rows()
    [(90000, 9000, False), (150000, 15000, True), (0, 0, False)]
    """
    if rule.weight is None:
        return _counted(rows, rule)
    if rule.on == "target":
        rows = _targeted(rows, rule)
    value = pl.col("value").cast(pl.Int128)
    # What is looked up is the fraction top / under, kept as two whole numbers so that a bound is met exactly.
    under = pl.lit(1, pl.Int128) if rule.on == "value" else pl.col(rule.on).cast(pl.Int128)
    top = value if rule.on == "value" else value * MILLION
    looked_up = {"attainment": _attained, "bands": _banded, "curve": _curved}[rule.kind](top, under, rule)
    score = pl.col("judged") if rule.floor is None and rule.cap is None else pl.col("judged").clip(rule.floor, rule.cap)
    return (
        rows.lazy()
        .with_columns(judged=pl.when(under > 0).then(looked_up))
        .with_columns(score=score, is_capped=(score != pl.col("judged")).fill_null(False))
        .with_columns(pl.col("score").fill_null(rule.otherwise))
        .with_columns(points=divided(pl.col("score") * rule.weight, pl.lit(FULL, pl.Int128)))
        .drop("judged")
    )


def divided(top: pl.Expr, under: pl.Expr) -> pl.Expr:
    """A quotient to the nearest whole number, half to even; both are of 128 bits, and `under` is above 0.

    Examples
    --------
    >>> frame = pl.DataFrame({"a": [5, 7, -5], "b": [2, 2, 2]}, {"a": pl.Int128, "b": pl.Int128})
    >>> frame.select(divided(pl.col("a"), pl.col("b"))).to_series().to_list()
    [2, 4, -2]
    """
    whole = top // under
    twice = 2 * (top - whole * under)
    return whole + ((twice > under) | ((twice == under) & (whole % 2 == 1))).cast(pl.Int128)


def _counted(rows: pl.DataFrame, rule: ScoreRule) -> pl.LazyFrame:
    """So many points for each step from a start on, or, of a deduction, off for each; nothing measured, no step."""
    value = pl.col("value").cast(pl.Int128)
    beyond = rule.start - value if rule.is_below else value - rule.start
    steps = (beyond + (rule.every - 1 if rule.is_started else 0)) // rule.every
    whole = pl.col("steps") * rule.points
    kept = whole if rule.cap is None else whole.clip(None, rule.cap)
    sign = -1 if rule.kind == "deduction" else 1
    counted = rows.lazy().with_columns(steps=steps.clip(0).fill_null(0))
    return counted.with_columns(points=sign * kept, is_capped=kept != whole)


def _targeted(rows: pl.DataFrame, rule: ScoreRule) -> pl.DataFrame:
    """The rows with a target each: their own, or else the rule's."""
    rows = rows.with_columns(pl.col("target").fill_null(rule.target)) if rule.target is not None else rows
    missing = rows.filter(pl.col("target").is_null())
    if len(missing):
        branches = rows.group_by("branch_id").agg(pl.col("target").is_null().all()).filter("target")["branch_id"]
        nobody = f"; nobody in {len(branches)} branches has one (first: {branches.min()})" if len(branches) else ""
        raise InputError(
            f"{len(missing)} of {len(rows)} managers have no target for {rule.measure} (first: "
            f"{missing['manager_id'][0]} of branch {missing['branch_id'][0]}, {missing['period'][0]}){nobody}. Write "
            f"them into the table targets, or a target into the rule {rule.name} of policy.toml."
        )
    if len(low := rows.filter(pl.col("target") <= 0)):
        raise InputError(
            f"{len(low)} of {len(rows)} managers have a target for {rule.measure} that is not above 0 (first: "
            f"{low['manager_id'][0]}, {low['period'][0]}). Correct it in the table targets, or use a curve."
        )
    return rows


def _attained(top: pl.Expr, under: pl.Expr, rule: ScoreRule) -> pl.Expr:
    return divided(top * FULL, under * MILLION)


def _banded(top: pl.Expr, under: pl.Expr, rule: ScoreRule) -> pl.Expr:
    """The score of the highest bound that is reached, 0 below the first."""
    score = pl.when(top.is_not_null()).then(pl.lit(0, pl.Int128))
    for lower, points in rule.at:
        score = pl.when(top >= lower * under).then(pl.lit(points, pl.Int128)).otherwise(score)
    return score


def _curved(top: pl.Expr, under: pl.Expr, rule: ScoreRule) -> pl.Expr:
    """Straight between two knots, level before the first and after the last."""
    score = pl.when(top.is_not_null()).then(pl.lit(rule.at[0][1], pl.Int128))
    for (left, low), (right, high) in zip(rule.at, rule.at[1:], strict=False):
        along = low + divided((top - left * under) * (high - low), (right - left) * under)
        score = pl.when(top > left * under).then(along).otherwise(score)
    right, high = rule.at[-1]
    return pl.when(top >= right * under).then(pl.lit(high, pl.Int128)).otherwise(score)
