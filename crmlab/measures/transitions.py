"""Transitions: who stood where at one month end and where at a later one, with those who came and those who went.

A customer counts once, whatever happened between the two months. Who is with us but cannot be told where stands under
a name of their own, so that nobody is lost and the rows add to everybody.
"""

from datetime import date

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_64_bits, in_order, named, required
from crmlab.measures.uncertainty import cohen_h, difference, size, wilson

ENTRY, EXIT, UNKNOWN = "came", "gone", "cannot tell"
CELL = ["origin", "destination"]
MONEY = ["aum_start", "aum_end"]
COUNTS = ["n", "n_origin", "n_before", "n_origin_before"]


def pairs(rows: pl.DataFrame | pl.LazyFrame, start: date, end: date, by: str = "segment") -> pl.DataFrame:
    """Where each customer stood at two month ends.

    Parameters
    ----------
    rows
        customer_id, month (month ends), the column `by`, and if money is to be told aum (minor units, null: unknown);
        a row a customer and month, for those who are with us then.
    start, end
        Two month ends, `start` first.
    by
        What to follow: segment, state, tier, ... A null is with us, but not told where.

    Returns
    -------
    pl.DataFrame
        customer_id; origin, destination (the values of `by` as text, "cannot tell" where it is null; "came" for the
        origin and "gone" for the destination of who has no row); with aum in `rows` also aum_start, aum_end (0 of who
        has no row, null where unknown). A row a customer who is there at one end at least, in their order.

    Raises
    ------
    InputError
        When `start` is not before `end`, nobody has a row at one of them, a customer has two, a column is missing, or
        a value of `by` is one of the three names above.

    Examples
    --------
    >>> days = [date(2024, 1, 31), date(2024, 2, 29)]
    >>> rows = pl.DataFrame({"customer_id": [1, 2, 1, 3], "month": [days[0], days[0], days[1], days[1]],
    ...                      "segment": ["base", "gold", "gold", None]})
    >>> pairs(rows, *days).rows()
    [(1, 'base', 'gold'), (2, 'gold', 'gone'), (3, 'came', 'cannot tell')]
    """
    if start >= end:
        raise InputError(f"From {start} to {end} nobody can move. Choose a start before the end.")
    lazy = rows.lazy()
    names = lazy.collect_schema().names()
    named(names, ["customer_id", "month", by], "transitions.pairs")
    money = ["aum"] if "aum" in names else []
    ends = [_standing(lazy.select("customer_id", "month", by, *money), day, by) for day in (start, end)]
    columns = [dict(zip([by, *money], told, strict=False)) for told in zip(CELL, MONEY, strict=True)]
    before, after = (frame.rename(names) for frame, names in zip(ends, columns, strict=True))
    held = before.select("customer_id", "origin")
    came = after.join(held, on="customer_id", how="left").filter(pl.col("origin").is_null())
    absent = {amount: pl.col(place).is_null() for amount, place in zip(MONEY, CELL, strict=True) if money}
    return (
        pl.concat([before.join(after, on="customer_id", how="left"), came], how="diagonal")
        .with_columns(pl.when(is_absent).then(0).otherwise(name).alias(name) for name, is_absent in absent.items())
        .with_columns(pl.col("origin").fill_null(ENTRY), pl.col("destination").fill_null(EXIT))
        .select("customer_id", *CELL, *absent)
        .sort("customer_id")
    )


def matrix(pairs: pl.DataFrame) -> pl.DataFrame:
    """How many went from where to where: each origin's share by destination.

    Answers: who is moving, and where to?

    Parameters
    ----------
    pairs
        As `transitions.pairs` gives them, or the rows of one branch, manager, kind, ...

    Returns
    -------
    pl.DataFrame
        origin, destination, n (customers), n_origin (all from there), share (0 to 1, adding to 1 for each origin, those
        who came being one), lower, upper (Wilson, 95 %); with money also aum_start, aum_end (sums of what is known) and
        n_unknown (customers whose AUM is not known at one end, where they are with us). A row a way that somebody went,
        ordered by origin and destination, "came" and "gone" last.

    Raises
    ------
    InputError
        When there is no row, a column is missing, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> moves = pl.DataFrame({"origin": ["base"] * 4, "destination": ["base", "base", "gold", "gone"]})
    >>> matrix(moves.with_columns(customer_id=pl.int_range(4))).drop("lower", "upper").rows()
    [('base', 'base', 2, 4, 0.5), ('base', 'gold', 1, 4, 0.25), ('base', 'gone', 1, 4, 0.25)]
    """
    required(pairs, CELL, "transitions.matrix")
    money = [name for name in MONEY if name in pairs.columns]
    sums = [pl.col(money).cast(pl.Int128).sum()]
    if money:
        sums.append(pl.any_horizontal(pl.col(money).is_null()).sum().cast(pl.Int64).alias("n_unknown"))
    n, n_origin = pl.col("n"), pl.col("n_origin")
    return (
        in_64_bits(pairs.group_by(CELL).agg(pl.len().cast(pl.Int64).alias("n"), *sums))
        .with_columns(n_origin=n.sum().over("origin"))
        .with_columns((n / n_origin).alias("share"), *wilson(n, n_origin))
        .select(*CELL, "n", "n_origin", "share", "lower", "upper", *money, *(["n_unknown"] if money else []))
        .sort(pl.col("origin") == ENTRY, "origin", pl.col("destination") == EXIT, "destination")
    )


def change(matrix: pl.DataFrame, before: pl.DataFrame, least_effect: float) -> pl.DataFrame:
    """What moves otherwise than it did, such as against the same months a year before.

    The interval takes the two for different customers. Where the same ones are in both, it is rough, and where
    customers move together, too narrow: read the effect first.

    Parameters
    ----------
    matrix, before
        Two matrices, as `transitions.matrix` gives them; in a way that only one has, nobody went in the other.
    least_effect
        The size of effect (Cohen's h, 0 to π) from which a change is worth a look.

    Returns
    -------
    pl.DataFrame
        origin, destination, n, n_origin, share, n_before, n_origin_before, share_before, difference (share −
        share_before), lower, upper (its 95 % interval, Newcombe), effect (Cohen's h, positive where more go now),
        is_notable (``|effect| >= least_effect``). Where nobody had that origin in one of the two, its share and all
        that follows from it are null: cannot tell. The largest effect first, up or down.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> now = pl.DataFrame({"origin": ["base"] * 2, "destination": ["base", "gold"], "n": [60, 40], "n_origin": 100})
    >>> then = now.with_columns(n=pl.Series([80, 20]))
    >>> change(now, then, 0.2).select("destination", "share", "share_before", "is_notable").rows()
    [('base', 0.6, 0.8, True), ('gold', 0.4, 0.2, True)]
    """
    n, n_origin, n_before, n_origin_before = (pl.col(name) for name in COUNTS)
    for frame in (matrix, before):
        required(frame, [*CELL, "n", "n_origin"], "transitions.change")
    now, then = (frame.select(*CELL, "n") for frame in (matrix, before))
    bases = [frame.select("origin", "n_origin").unique() for frame in (matrix, before)]
    return (
        now.join(then, on=CELL, how="full", coalesce=True, suffix="_before")
        .join(bases[0], on="origin", how="left")
        .join(bases[1], on="origin", how="left", suffix="_before")
        .with_columns(pl.col(COUNTS).fill_null(0))
        .with_columns(share=_share(n, n_origin), share_before=_share(n_before, n_origin_before))
        .with_columns(
            *difference(n, n_origin, n_before, n_origin_before),
            difference=pl.col("share") - pl.col("share_before"),
            effect=cohen_h(pl.col("share"), pl.col("share_before")),
        )
        .with_columns(is_notable=size(pl.col("effect")) >= least_effect)
        .sort(size(pl.col("effect")), *CELL, descending=[True, False, False], nulls_last=True)
        .select(*CELL, "n", "n_origin", "share", "n_before", "n_origin_before", "share_before", "difference",
                "lower", "upper", "effect", "is_notable")
    )  # fmt: skip


def movers(pairs: pl.DataFrame, origin: str, destination: str) -> pl.DataFrame:
    """The customers behind one cell of the matrix, those with the most money at either end first.

    Parameters
    ----------
    pairs
        As `transitions.pairs` gives them.
    origin, destination
        Where they stood at the start and at the end.

    Returns
    -------
    pl.DataFrame
        The rows of `pairs` that are theirs; ties, and pairs without money, by customer_id.

    Raises
    ------
    InputError
        When a column is missing, or nobody has that origin or that destination.

    Examples
    --------
    >>> moves = pl.DataFrame({"customer_id": [1, 2, 3], "origin": ["base", "base", "gold"],
    ...                       "destination": ["gone"] * 3, "aum_start": [50, 90, 10], "aum_end": [0] * 3})
    >>> movers(moves, "base", "gone")["customer_id"].to_list()
    [2, 1]
    """
    named(pairs.columns, ["customer_id", *CELL], "transitions.movers")
    for column, name in zip(CELL, (origin, destination), strict=True):
        held = pairs[column].unique().sort().to_list()
        if name not in held:
            raise InputError(f"Nobody has the {column} {name}. {near_miss(name, held)}")
    money = [name for name in MONEY if name in pairs.columns]
    found = pairs.filter(pl.col("origin") == origin, pl.col("destination") == destination)
    largest = [-pl.max_horizontal(pl.col(money).abs())] if money else []
    return found.sort(*largest, "customer_id", nulls_last=True)


def _share(n: pl.Expr, n_origin: pl.Expr) -> pl.Expr:
    return pl.when(n_origin > 0).then(n / n_origin)


def _standing(rows: pl.LazyFrame, day: date, by: str) -> pl.DataFrame:
    """The rows of one month, `by` as text."""
    found = rows.filter(pl.col("month") == day).drop("month").collect()
    if found.is_empty():
        held = rows.select(first=pl.col("month").min(), last=pl.col("month").max()).collect().row(0)
        theirs = f"their months go from {held[0]} to {held[1]}" if held[0] else "there are none at all"
        raise InputError(f"No row is of the month {day}: {theirs}. Choose a month that is there.")
    required(found, ["customer_id"], "transitions.pairs")
    told = in_order(found, ["customer_id"], "transitions.pairs").with_columns(pl.col(by).cast(pl.String))
    if taken := {ENTRY, EXIT, UNKNOWN} & set(told[by].unique()):
        raise InputError(
            f"A {by} is named {min(taken)}, which here says what became of a customer. Give it another name."
        )
    # Polars joins what it knows to be sorted fifty times as fast.
    return told.with_columns(pl.col("customer_id").set_sorted(), pl.col(by).fill_null(UNKNOWN))
