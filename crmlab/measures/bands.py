"""Bands: ordered classes of nearly equal size, by rank, in whole numbers."""

import polars as pl


def band(value: pl.Expr, n: int, by: str | None = None) -> pl.Expr:
    """The band of each value, 1 (lowest) to `n`: ``((rank − 1) · n) // count + 1``, ties taking the lowest rank.

    Equal values share a band and scaling changes nothing. A mass tied at the bottom is band 1, however large; the rank
    of the highest tie would score 85 % inactive customers 5. Nulls rank below everything.

    Parameters
    ----------
    value
        What to rank.
    n
        How many bands.
    by
        A column within whose groups to rank.

    Examples
    --------
    >>> pl.DataFrame({"x": [0, 0, 0, 1, 2]}).with_columns(band=band(pl.col("x"), 5))["band"].to_list()
    [1, 1, 1, 4, 5]
    """
    rank = value.rank("min").cast(pl.Int64) + value.null_count()
    rank = pl.when(value.is_null()).then(1).otherwise(rank)
    result = ((rank - 1) * n // pl.len() + 1).cast(pl.Int8)
    return result.over(by) if by else result
