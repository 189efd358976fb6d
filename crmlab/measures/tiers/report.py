"""What a tier rule does: the flips it avoids, whom it mis-tiers, who is near a threshold, and one rule by another."""

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, in_order, named, required
from crmlab.measures.tiers.ladder import KEY, levels, starts
from crmlab.policy import TierRule


def flips(history: pl.DataFrame, *by: str) -> pl.DataFrame:
    """How often tiers change with the rule against flip-flop and without it, and what that costs in wrong tiers.

    Answers: is the buffer worth it?

    A flip is one threshold crossed between two assessments in a row: a fall by two levels is two. Counted so, a wider
    buffer or a longer confirmation never makes more of them (changes of tier, whatever their size, could become more:
    one deep fall is one change, the same fall held up half-way is two).

    Parameters
    ----------
    history
        As `history` gives it, or some customers of it.
    by
        Columns to tell apart: "month", "kind", or others joined to the history; none for all together.

    Returns
    -------
    pl.DataFrame
        The columns `by`; n (assessments), n_up, n_down (thresholds crossed with the rule), n_up_plain, n_down_plain
        (without), n_avoided (the difference of both directions), n_mis_tiered (assessments whose tier is not that of
        their value, always a higher one), mis_tiered_share (of n, 0 to 1), mis_tiered_value (the sum of their values,
        in the unit of value). A first assessment flips nothing.

    Raises
    ------
    InputError
        When a column or a value is missing, nobody is given, a customer has a month twice, or values do not fit into
        64 bits.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> from crmlab.measures import tiers
    >>> months = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
    >>> rows = pl.DataFrame({"customer_id": 1, "kind": "retail", "month": months,
    ...                      "value": [50_000_00, 45_000_00, 50_000_00]})
    >>> flips(tiers.history(rows, policy.load().tiers[0])).row(0)
    (3, 0, 0, 1, 1, 2, 1, 0.3333333333333333, 4500000)
    """
    required(history, [*KEY, "value", "plain", "tier", *by], "tiers.flips")
    rows = in_order(history, KEY, "tiers.flips")
    first = starts(rows)
    wrong = pl.col("tier") != pl.col("plain")
    steps = rows.with_columns(
        rule=_step("tier", first), plain=_step("plain", first), wrong=wrong, wrong_value=pl.when(wrong).then("value")
    )
    counts = {
        "n": pl.len().cast(pl.Int64),
        "n_up": pl.col("rule").clip(lower_bound=0).sum(),
        "n_down": -pl.col("rule").clip(upper_bound=0).sum(),
        "n_up_plain": pl.col("plain").clip(lower_bound=0).sum(),
        "n_down_plain": -pl.col("plain").clip(upper_bound=0).sum(),
        "n_avoided": pl.col("plain").abs().sum() - pl.col("rule").abs().sum(),
        "n_mis_tiered": pl.col("wrong").sum().cast(pl.Int64),
        "mis_tiered_share": pl.col("wrong").mean(),
        "mis_tiered_value": pl.col("wrong_value").cast(pl.Int128).sum(),
    }
    return in_64_bits(steps.group_by(by).agg(**counts).sort(by) if by else steps.select(**counts))


def near(history: pl.DataFrame, rule: TierRule, managers: pl.DataFrame | None = None) -> pl.DataFrame:
    """How far each customer is from the next tier and from losing their own, at the last assessment of a history.

    Answers: whom to call before the next assessment, and about how much?

    Parameters
    ----------
    history
        As `history` gives it for the same rule.
    rule
        Near a threshold is within ``rule.near`` of it.
    managers
        customer_id, manager_id: who looks after whom, at most one each; the column is left out where it is not given.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, month, value, tier; next_tier, missing (from value to next_tier, above 0; null at the top);
        above (value over the lower bound of the own tier, negative where only the buffer or a missing confirmation
        holds it; null in the lowest); is_near_up, is_near_down; manager_id (null: nobody's). A customer may be near
        both. Levels by rank have no amounts: next_tier, missing and above are null, and nobody is near.

    Raises
    ------
    InputError
        When a column or a value is missing, nobody is given, a customer is there twice, or the history is of another
        rule.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> from crmlab.measures import tiers
    >>> rule = policy.load().tiers[0]
    >>> rows = pl.DataFrame({"customer_id": [1, 2], "kind": "retail", "month": date(2024, 1, 31),
    ...                      "value": [46_000_00, 51_000_00]})
    >>> near(tiers.history(rows, rule), rule).select("tier", "next_tier", "missing", "above", "is_near_up").rows()
    [('basic', 'gold', 400000, None, True), ('gold', 'platinum', 14900000, 100000, False)]
    """
    rows = _last(history, "tiers.near").select("customer_id", "kind", "month", "value", "tier")
    if rows.schema["tier"] != levels(rule):
        raise InputError(f"The history given to tiers.near is not of rule {rule.name}. Give the history of that rule.")
    rows = (
        rows.join(_distances(rule), on="tier", how="left", maintain_order="left")
        .with_columns(missing=pl.col("next_lower") - pl.col("value"), above=pl.col("value") - pl.col("lower"))
        .with_columns(
            is_near_up=(pl.col("missing") <= pl.col("near_next")).fill_null(False),
            is_near_down=(pl.col("above") <= pl.col("near_own")).fill_null(False),
        )
        .drop("lower", "next_lower", "near_own", "near_next")
    )
    if managers is None:
        return rows
    named(managers.columns, ["customer_id", "manager_id"], "tiers.near")
    kept = in_order(managers, ["customer_id"], "tiers.near").select("customer_id", "manager_id")
    return rows.join(kept, on="customer_id", how="left", maintain_order="left")


def matrix(classes: pl.DataFrame, grades: pl.DataFrame) -> pl.DataFrame:
    """Class by grade: how two rules divide the same customers, at the last assessment of each.

    Answers: who has much with us and earns us little, and the reverse?

    Parameters
    ----------
    classes
        The history of the rule that makes the rows, such as the tier on average AUM.
    grades
        The history of the rule that makes the columns, such as the grade on contribution.

    Returns
    -------
    pl.DataFrame
        kind, tier, grade, n, share (of the customers of the same kind and tier, 0 to 1; null where there are none),
        tier_value and grade_value (what the two rules look at, added over the n customers). Every cell is there, the
        empty ones too, in the order of the levels; customers without a grade have a row of their own, grade null.

    Raises
    ------
    InputError
        When a column or a value is missing, nobody is given, a customer is there twice, or values do not fit into 64
        bits.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> from crmlab.measures import tiers
    >>> tier, grade = policy.load().tiers
    >>> rows = pl.DataFrame({"customer_id": [1, 2], "kind": "retail", "month": date(2024, 1, 31),
    ...                      "value": [70_000_00, 10_000_00]})
    >>> cells = matrix(tiers.history(rows, tier), tiers.history(rows, grade))
    >>> cells.filter(pl.col("n") > 0).select("tier", "grade", "n", "share", "tier_value").rows()
    [('basic', 'C', 1, 1.0, 1000000), ('gold', 'B', 1, 1.0, 7000000)]
    """
    rows = _last(classes, "tiers.matrix").select("customer_id", "kind", "tier", tier_value="value")
    grade = _last(grades, "tiers.matrix").select("customer_id", grade="tier", grade_value="value")
    cells = (
        rows.join(grade, on="customer_id", how="left")
        .group_by("kind", "tier", "grade")
        .agg(
            n=pl.len().cast(pl.Int64),
            tier_value=pl.col("tier_value").cast(pl.Int128).sum(),
            grade_value=pl.col("grade_value").cast(pl.Int128).sum(),
        )
    )
    key = ["kind", "tier", "grade"]
    of_row = pl.col("n").sum().over("kind", "tier")
    return (
        _grid(rows, grade)
        .join(in_64_bits(cells), on=key, how="full", nulls_equal=True, coalesce=True)
        .with_columns(pl.col("n", "tier_value", "grade_value").fill_null(0))
        .with_columns(share=pl.when(of_row > 0).then(pl.col("n") / of_row))
        .select(*key, "n", "share", "tier_value", "grade_value")
        .sort(key, nulls_last=True)
    )


def _step(tier: str, first: pl.Expr) -> pl.Expr:
    """Levels gained since the assessment before, negative where lost."""
    return pl.when(first).then(0).otherwise(pl.col(tier).to_physical().cast(pl.Int64).diff())


def _last(history: pl.DataFrame, measure: str) -> pl.DataFrame:
    """A row a customer assessed at the end of a history."""
    required(history, ["customer_id", "kind", "month", "value", "tier"], measure)
    return in_order(history.filter(pl.col("month") == pl.col("month").max()), ["customer_id"], measure)


def _distances(rule: TierRule) -> pl.DataFrame:
    """By tier: its lower bound, the next one's, and what is near each; only where levels are amounts."""
    bounds = [level.lower for level in rule.levels]
    close = [None if lower is None else abs(lower) * rule.near // MILLION for lower in bounds]
    names = [level.name for level in rule.levels]
    next_names = [name if lower is not None else None for name, lower in zip(names[1:], bounds[1:], strict=True)]
    whole = dict.fromkeys(("lower", "near_own", "next_lower", "near_next"), pl.Int64)
    columns = [names, [*next_names, None], bounds, close, [*bounds[1:], None], [*close[1:], None]]
    return pl.DataFrame(columns, schema={"tier": levels(rule), "next_tier": levels(rule), **whole})


def _grid(rows: pl.DataFrame, grades: pl.DataFrame) -> pl.DataFrame:
    tier, grade = (frame.schema[name] for frame, name in ((rows, "tier"), (grades, "grade")))
    return (
        rows.select(pl.col("kind").unique())
        .join(pl.DataFrame({"tier": tier.categories.cast(tier)}), how="cross")
        .join(pl.DataFrame({"grade": grade.categories.cast(grade)}), how="cross")
    )
