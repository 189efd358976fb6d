"""Affinity: who holds what, how many products they hold, and which go together."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import keys, named, required
from crmlab.measures.uncertainty import Z, ratio, wilson

MANY = 5  # customers by chance, with and without the other product (Cochran 1954)


def baskets(
    holdings: pl.DataFrame, on: date, item: str = "product", by: str | Sequence[str] | None = "kind"
) -> pl.DataFrame:
    """What each customer holds at the end of a day; who holds nothing then is not among them.

    Parameters
    ----------
    holdings
        As `panel.holdings` gives them.
    on
        A day, not after their `as_of`.
    item
        What to put into the baskets: product, product_id or line.
    by
        Columns of `holdings` to keep, one value a customer.

    Returns
    -------
    pl.DataFrame
        id (the customer), item, and the columns `by`; a row each item of each customer, in order.

    Raises
    ------
    InputError
        When a column is missing, or nobody holds anything that day.

    Examples
    --------
    >>> held = pl.DataFrame({"customer_id": [1, 1, 2], "kind": "retail", "product": ["card", "salary", "card"],
    ...     "opened_on": [date(2024, 1, 5), date(2024, 2, 1), date(2023, 7, 1)],
    ...     "closed_on": [None, None, date(2024, 1, 9)]})
    >>> baskets(held, date(2024, 1, 8)).rows()
    [(1, 'card', 'retail'), (2, 'card', 'retail')]
    """
    named(holdings.columns, ["customer_id", item, "opened_on", "closed_on", *keys(by)], "crosssell.baskets")
    held = holdings.filter(_open(on))
    if held.is_empty():
        raise InputError(f"Of {len(holdings)} holdings none is open at the end of {on}. Choose a day in their time.")
    return (
        held.select(pl.col("customer_id").alias("id"), pl.col(item).cast(pl.String).alias("item"), *keys(by))
        .unique()
        .sort("id", "item")
    )


def penetration(baskets: pl.DataFrame, by: str | Sequence[str] | None = "kind") -> pl.DataFrame:
    """How many of the customers hold each product.

    Answers: how far has each product come, and with whom?

    Parameters
    ----------
    baskets
        As `crosssell.baskets` gives them: id, item (null: an empty basket, which counts), and the columns `by`.
    by
        Columns to group by; None for all together.

    Returns
    -------
    pl.DataFrame
        The columns `by`, item, n (baskets), n_holders (of them with the item), rate (0 to 1), lower, upper (Wilson,
        95 %). A row each item in each group, none held included; by group, the most held first.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> held = pl.DataFrame({"id": [1, 1, 2], "item": ["card", "salary", "card"]})
    >>> penetration(held, None).select("item", "n", "n_holders", "rate").rows()
    [('card', 2, 2, 1.0), ('salary', 2, 1, 0.5)]
    """
    by, rows = keys(by), _usable(baskets, keys(by), "crosssell.penetration")
    held = rows.group_by(*by, "item").agg(n_holders=_count())
    n, k = pl.col("n"), pl.col("n_holders")
    return (
        _groups(rows, by)
        .join(rows.select(pl.col("item").drop_nulls().unique()), how="cross")
        .join(held, on=[*by, "item"], how="left", nulls_equal=True)
        .with_columns(k.fill_null(0))
        .with_columns((k / n).alias("rate"), *wilson(k, n))
        .sort(*by, "n_holders", "item", descending=[*[False] * len(by), True, False])
        .select(*by, "item", "n", "n_holders", "rate", "lower", "upper")
    )


def per_customer(baskets: pl.DataFrame, by: str | Sequence[str] | None = "kind") -> pl.DataFrame:
    """How many customers hold one product, how many two, and so on.

    Answers: how many products has a customer?

    Parameters
    ----------
    baskets, by
        As for `crosssell.penetration`.

    Returns
    -------
    pl.DataFrame
        The columns `by`, n_items, n (customers who hold so many), share (0 to 1, adding to 1 in a group), mean (items a
        customer of the group). Ordered by group and n_items; numbers that nobody holds are left out.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> per_customer(pl.DataFrame({"id": [1, 1, 2], "item": ["card", "salary", "card"]}), None).rows()
    [(1, 1, 0.5, 1.5), (2, 1, 0.5, 1.5)]
    """
    by, rows = keys(by), _usable(baskets, keys(by), "crosssell.per_customer")
    n, of_group = pl.col("n"), (lambda sums: sums.over(by) if by else sums)
    return (
        rows.group_by(*by, "id")
        .agg(n_items=pl.col("item").count().cast(pl.Int64))
        .group_by(*by, "n_items")
        .agg(n=_count())
        .sort(*by, "n_items")
        .with_columns(share=n / of_group(n.sum()), mean=of_group((n * pl.col("n_items")).sum()) / of_group(n.sum()))
    )


def together(baskets: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How often two products are held together, against how often if they had nothing to do with each other.

    Answers: which products go together?

    Lift over kinds of customer together tells mostly who is of which kind: give the baskets of one kind, or `by`.

    Parameters
    ----------
    baskets, by
        As for `crosssell.penetration`.

    Returns
    -------
    pl.DataFrame
        The columns `by`, item, other, n (baskets), n_item, n_other, n_both, confidence (of those with `item`, those
        with `other`), lift (by how much more than of all; 1: as many), lower, upper (its 95 % interval, on the log
        scale; where nobody holds both, up to the lift at which that would still be likely; wider where of those who
        hold the rarer of the two fewer than 5 would hold, or not hold, the other by chance), leverage (the share that
        holds both, less what it would be then). A row each way round of each pair of items that somebody in the group
        holds, in order of the names.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> held = pl.DataFrame({"id": [1, 1, 2, 2, 3, 4], "item": ["card", "salary", "card", "salary", "card", None]})
    >>> together(held).select("item", "other", "n_both", "confidence", "leverage").row(1)
    ('salary', 'card', 2, 1.0, 0.125)
    """
    by, rows = keys(by), _usable(baskets, keys(by), "crosssell.together")
    held = rows.filter(pl.col("item").is_not_null())
    alone = held.group_by(*by, "item").agg(n_item=_count())
    ways = held.group_by(*by, "id").agg(pl.col("item").sort()).group_by(*by, "item").agg(n_both=_count())
    both = (
        ways.with_columns(other="item")
        .explode("item")
        .explode("other")
        .group_by(*by, "item", "other")
        .agg(pl.col("n_both").sum())
    )
    left = _groups(rows, by).join(alone, on=by, nulls_equal=True) if by else _groups(rows, by).join(alone, how="cross")
    other = alone.rename({"item": "other", "n_item": "n_other"})
    found = (
        (left.join(other, on=by, nulls_equal=True) if by else left.join(other, how="cross"))
        .filter(pl.col("item") != pl.col("other"))
        .join(both, on=[*by, "item", "other"], how="left", nulls_equal=True)
        .with_columns(pl.col("n_both").fill_null(0))
    )
    return (
        found.with_columns(**_strength())
        .sort(*by, "item", "other")
        .select(*by, "item", "other", "n", "n_item", "n_other", "n_both", "confidence", "lift", "lower", "upper",
                "leverage")
    )  # fmt: skip


def _open(on: date) -> pl.Expr:
    return (pl.col("opened_on") <= on) & (pl.col("closed_on").is_null() | (pl.col("closed_on") > on))


def _usable(baskets: pl.DataFrame, by: list[str], measure: str) -> pl.DataFrame:
    """Each item of each basket once."""
    named(baskets.columns, ["item", *by], measure)
    required(baskets, ["id"], measure)
    return baskets.select(*by, "id", pl.col("item").cast(pl.String)).unique()


def _groups(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """How many baskets there are in each group."""
    n = pl.col("id").n_unique().cast(pl.Int64).alias("n")
    return rows.group_by(by).agg(n) if by else rows.select(n)


def _count() -> pl.Expr:
    return pl.len().cast(pl.Int64)


def _strength() -> dict[str, pl.Expr]:
    """Confidence, lift and leverage of a pair, and the ends of its lift.

    They are those of the delta method on log lift (multinomial counts), and of pairs that few hold, where these would
    be too close, of the rate among those with the rarer product against that of all.
    """
    n, item, other, both = (pl.col(name).cast(pl.Float64) for name in ("n", "n_item", "n_other", "n_both"))
    lift, rarer, larger = both * n / (item * other), pl.min_horizontal(item, other), pl.max_horizontal(item, other)
    is_many = rarer * pl.min_horizontal(larger, n - larger) / n >= MANY
    # Of pairs that lie one within the other rounding may leave a little less than nothing.
    error = (1 / both - 1 / item - 1 / other + (2 * lift - 1) / n).clip(lower_bound=0).sqrt()
    none = Z * Z / (n + Z * Z) * n * n / (item * other)  # the upper end of 0 of n (Wilson)
    many = pl.when(both > 0).then(lift * (-Z * error).exp()), pl.when(both > 0).then(lift * (Z * error).exp())
    few = ratio(both, rarer, larger, n)
    return {
        "confidence": both / item,
        "lift": lift,
        "lower": pl.when(is_many).then(many[0].otherwise(0.0)).otherwise(few[0]),
        "upper": pl.when(is_many).then(many[1].otherwise(none)).otherwise(few[1]),
        "leverage": both / n - item * other / (n * n),
    }
