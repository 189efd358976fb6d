"""Concentration: how much of the whole rests on how few customers, within kind.

Values rank from the best down. A null value is not known and counts nowhere. Where the whole is zero or less, a share
of it means nothing: null, which reads "cannot tell".
"""

from collections.abc import Sequence

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import keys, named

VALUE = pl.col("value").cast(pl.Float64)
WHOLE = VALUE.sum()
# Best first, from 0, as `_ranked` counts; which of two equal values comes first changes no sum.
PLACE = pl.col("place")


def curve(values: pl.DataFrame, by: str | Sequence[str] | None = "kind", points: int = 200) -> pl.DataFrame:
    """The whale curve: what share of the whole the best customers bring, from none of them to all.

    Answers: who earns our living, and who costs it?

    Parameters
    ----------
    values
        A row a customer: value (contribution, or a balance), and the columns of `by`.
    by
        Columns to rank within: kind, and month for a movement over time.
    points
        Into how many equal steps of customers to cut the curve, at least 1; between them it is a straight line.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n (customers); customers_share (0 to 1), value_share (of the whole, above 1 where others
        give back, null where the whole is not positive), is_peak (the highest point, which is always there).

    Raises
    ------
    InputError
        When no value is known, or a column is missing.

    Examples
    --------
    >>> values = pl.DataFrame({"kind": ["retail"] * 4, "value": [-20, 90, 30, 0]})
    >>> curve(values).select("customers_share", "value_share", "is_peak").rows()
    [(0.0, 0.0, False), (0.25, 0.9, False), (0.5, 1.2, True), (0.75, 1.2, False), (1.0, 1.0, False)]
    """
    groups, ranked = _ranked("concentration.curve", values, by)
    at = pl.col("place")
    running = ranked.select(
        *groups,
        n=_over(pl.len().cast(pl.Int64), groups),
        place=PLACE + 1,
        value_share=_over(pl.when(WHOLE > 0).then(VALUE.cum_sum() / WHOLE), groups),
        n_earning=_over((VALUE > 0).sum().cast(pl.Int64), groups),
    )
    start = running.filter(at == 1).with_columns(
        place=pl.lit(0, pl.Int64), value_share=pl.when(pl.col("value_share").is_not_null()).then(0.0)
    )
    # The first place at or beyond each step: place p is it where a step lies in (p − 1, p].
    is_step = at * points // pl.col("n") > (at - 1) * points // pl.col("n")
    peak = (at == pl.col("n_earning")) & pl.col("value_share").is_not_null()
    return (
        pl.concat([start, running.filter(is_step | peak)])
        .with_columns(customers_share=at / pl.col("n"), is_peak=peak)
        .sort(*groups, "place")
        .select(*groups, pl.col("n").cast(pl.Int32), "customers_share", "value_share", "is_peak")
    )


def peak(values: pl.DataFrame, by: str | Sequence[str] | None = "kind") -> pl.DataFrame:
    """The whale curve in one sentence: the best x % earn y % of the whole, the worst z % give back w %.

    Parameters
    ----------
    values
        As for `curve`.
    by
        As for `curve`.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n; best_share (customers with a value above 0), earned_share (their part of the whole),
        worst_share (customers below 0), given_back_share (theirs, positive): ``earned − given back = 1``. Shares of
        the whole are null where it is not positive.

    Raises
    ------
    InputError
        When no value is known, or a column is missing.

    Examples
    --------
    >>> peak(pl.DataFrame({"kind": ["retail"] * 4, "value": [-20, 90, 30, 0]})).row(0)
    ('retail', 4, 0.5, 1.2, 0.25, 0.2)
    """
    best, worst = VALUE > 0, VALUE < 0
    return _by_group("concentration.peak", values, by, {
        "best_share": best.mean(),
        "earned_share": _of_whole(VALUE.filter(best).sum()),
        "worst_share": worst.mean(),
        "given_back_share": _of_whole(VALUE.filter(worst).sum().abs()),
    })  # fmt: skip


def shares(
    values: pl.DataFrame, tops: Sequence[float] = (0.01, 0.04, 0.2), by: str | Sequence[str] | None = "kind"
) -> pl.DataFrame:
    """What share of the whole the best 1, 4 and 20 % of the customers bring.

    Where a percentage falls within a customer, that part of the customer counts (the curve is a straight line there),
    so neither ties nor the order of rows matter.

    Parameters
    ----------
    values
        As for `curve`.
    tops
        Shares of the customers, above 0, up to 1.
    by
        As for `curve`.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n; for each of `tops` a column, top_1, top_4, top_20: a share of the whole, above 1 where
        others give back, null where the whole is not positive.

    Raises
    ------
    InputError
        When no value is known, a column is missing, or a top is not within 0 and 1.

    Examples
    --------
    >>> shares(pl.DataFrame({"kind": ["retail"] * 4, "value": [50, 30, 15, 5]}), tops=(0.25, 0.375)).row(0)
    ('retail', 4, 0.5, 0.65)
    """
    for top in tops:
        if not 0 < top <= 1:
            raise InputError(f"The best {top:g} of the customers is no share of them. Give one above 0, up to 1.")
    parts = {f"top_{100 * top:g}": _of_whole((VALUE * (top * pl.len() - PLACE).clip(0, 1)).sum()) for top in tops}
    return _by_group("concentration.shares", values, by, parts)


def gini(values: pl.DataFrame, by: str | Sequence[str] | None = "kind") -> pl.DataFrame:
    """The Gini coefficient of balances: 0 where all hold the same, near 1 where one holds everything.

    ``Σ (2i − n − 1) x_i / (n Σ x)`` with x_1 the smallest: half the mean difference between two customers, over the
    mean. It is defined for what can be owned; who is overdrawn owns nothing and counts as 0 (n_negative says how many).

    Parameters
    ----------
    values
        As for `curve`, of balances.
    by
        As for `curve`.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n; n_negative (counted as 0), gini (0 to 1 − 1/n, null where nobody holds anything).

    Raises
    ------
    InputError
        When no value is known, or a column is missing.

    Examples
    --------
    >>> gini(pl.DataFrame({"kind": ["retail"] * 4, "value": [1, 2, 3, 4]})).row(0)
    ('retail', 4, 0, 0.25)
    """
    n, held = pl.len().cast(pl.Float64), VALUE.clip(0)
    # From the best down, 2i − n − 1 is n − 1 − 2 · place.
    spread = ((n - 1 - 2 * PLACE) * held).sum()
    return _by_group("concentration.gini", values, by, {
        "n_negative": (VALUE < 0).sum().cast(pl.Int32),
        "gini": pl.when(held.sum() > 0).then(spread / (n * held.sum())),
    })  # fmt: skip


def _of_whole(amount: pl.Expr) -> pl.Expr:
    return pl.when(WHOLE > 0).then(amount / WHOLE)


def _over(value: pl.Expr, groups: list[str]) -> pl.Expr:
    return value.over(groups) if groups else value


def _by_group(
    name: str, values: pl.DataFrame, by: str | Sequence[str] | None, told: dict[str, pl.Expr]
) -> pl.DataFrame:
    groups, ranked = _ranked(name, values, by)
    columns = {"n": pl.len().cast(pl.Int32), **told}
    return ranked.group_by(groups).agg(**columns).sort(groups) if groups else ranked.select(**columns)


def _ranked(name: str, values: pl.DataFrame, by: str | Sequence[str] | None) -> tuple[list[str], pl.DataFrame]:
    groups = keys(by)
    named(values.columns, ["value", *groups], name)
    known = values.select(*groups, "value").filter(pl.col("value").is_not_null())
    if known.is_empty():
        raise InputError("There is no customer with a known value: the selection is empty. Choose a wider one.")
    place = _over(pl.int_range(pl.len(), dtype=pl.Int64), groups)
    return groups, known.sort("value", descending=True).with_columns(place=place)
