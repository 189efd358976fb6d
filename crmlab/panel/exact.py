"""Whole numbers that are multiplied by a rate or split by shares, without losing a unit."""

import polars as pl

from crmlab.bank.columns import MILLION


def half_even(product: pl.Expr, divisor: pl.Expr | int) -> pl.Expr:
    """A whole product divided by a positive number, rounded half to even; in 64 bits where the product is.

    Examples
    --------
    >>> pl.DataFrame({"x": [5, 15, -5, -7]}).select(half_even(pl.col("x"), 10))["x"].to_list()
    [0, 2, 0, -1]
    """
    whole = product // divisor
    twice = 2 * (product - whole * divisor)
    up = (twice > divisor) | ((twice == divisor) & (whole % 2 != 0))
    return (whole + up.cast(pl.Int64)).cast(pl.Int64)


def converted(value: pl.Expr, numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """`value` × numerator ÷ denominator in 128 bits, rounded half to even.

    Examples
    --------
    >>> frame = pl.DataFrame({"x": [10**15], "up": [7 * 10**8], "down": [10**8]})
    >>> frame.select(converted(pl.col("x"), pl.col("up"), pl.col("down")))["x"].to_list()
    [7000000000000000]
    """
    return half_even(value.cast(pl.Int128) * numerator.cast(pl.Int128), denominator.cast(pl.Int128))


def largest_remainder(value: pl.Expr, share: pl.Expr, whole: list[str]) -> pl.Expr:
    """The parts of a value by shares in millionths that add to one within `whole`, so that the parts add to the value.

    What is left after rounding down goes to the largest remainders; ties go to the row that stands first.

    Examples
    --------
    >>> frame = pl.DataFrame({"account": [1, 1, 1], "x": [100] * 3, "share": [333_334, 333_333, 333_333]})
    >>> frame.select(largest_remainder(pl.col("x"), pl.col("share"), ["account"]))["x"].to_list()
    [34, 33, 33]
    """
    product = value.cast(pl.Int128) * share.cast(pl.Int128)
    part = product // MILLION
    rest = product - part * MILLION
    left_over = value.cast(pl.Int128) - part.sum().over(whole)
    rank = rest.rank("ordinal", descending=True).over(whole)
    return (part + (rank <= left_over).cast(pl.Int128)).cast(pl.Int64)
