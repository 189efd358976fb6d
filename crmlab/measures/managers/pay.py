"""What points are paid: a declared function of them, exact in minor units."""

from collections.abc import Sequence

import polars as pl

from crmlab.measures.given import in_64_bits, named
from crmlab.measures.managers.points import divided
from crmlab.policy import PayPlan
from crmlab.policy.scoring import POINT


def paid(totals: pl.DataFrame, plans: Sequence[PayPlan]) -> pl.DataFrame:
    """The totals with what they are paid.

    Answers: what does a point more earn?

    Parameters
    ----------
    totals
        As `scoring.totals` gives them: card, points (thousandths) and more.
    plans
        The plans of a bank, of which the first that is for a manager's card applies.

    Returns
    -------
    The totals with plan (null: no plan is for this card) and pay (minor units, at least 0; 0 without a plan), in the
    order they came in. A part of a minor unit is rounded once, half to even.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> from crmlab.policy import PayPlan
    >>> plan = PayPlan("Bonus", (), lower=60_000, base=300_000, per_point=10_000, most=1_000_000, bands=())
    >>> totals = pl.DataFrame({"card": ["A", "A", "A"], "points": [59_999, 60_000, 82_505]})
    >>> paid(totals, [plan])["pay"].to_list()
    [0, 300000, 525050]
    """
    named(totals.columns, ["card", "points"], "managers.paid")
    plan, pay = pl.lit(None, pl.String), pl.lit(0, pl.Int128)
    for one in reversed(plans):
        fits = pl.col("card").is_in(list(one.scorecards)) if one.scorecards else pl.lit(True)
        plan = pl.when(fits).then(pl.lit(one.name)).otherwise(plan)
        pay = pl.when(fits).then(_banded(one) if one.bands else _linear(one)).otherwise(pay)
    return in_64_bits(totals.with_columns(plan=plan, pay=pay))


def _linear(plan: PayPlan) -> pl.Expr:
    beyond = divided((pl.col("points").cast(pl.Int128) - plan.lower) * plan.per_point, pl.lit(POINT, pl.Int128))
    pay = pl.when(pl.col("points") >= plan.lower).then(plan.base + beyond).otherwise(pl.lit(0, pl.Int128))
    return _at_most(pay, plan)


def _banded(plan: PayPlan) -> pl.Expr:
    pay = pl.lit(0, pl.Int128)
    for lower, money in plan.bands:
        pay = pl.when(pl.col("points") >= lower).then(pl.lit(money, pl.Int128)).otherwise(pay)
    return _at_most(pay, plan)


def _at_most(pay: pl.Expr, plan: PayPlan) -> pl.Expr:
    return pay if plan.most is None else pay.clip(None, plan.most)
