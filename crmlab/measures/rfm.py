"""Recency, frequency, monetary: who came lately, who comes often, who moves much."""

from datetime import date, datetime, time
from typing import NamedTuple

import narwhals.stable.v2 as nw
import polars as pl

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures.bands import band
from crmlab.measures.given import named

NOT_TURNOVER = ["own_transfer", "principal", "interest", "fee", "reversal"]
AXES = {"r": "recency_days", "f": "frequency", "m": "monetary"}


class Scores(NamedTuple):
    """Customers with their bands, the values at which the bands begin and end, and how many bands there are."""

    customers: pl.DataFrame
    thresholds: pl.DataFrame
    n: int


def summary(transactions, as_of: date, window_days: int, policy: rules.Policy | None = None):
    """How lately, on how many days and with how much money each customer acted in a window up to `as_of`.

    Answers: who is really in touch with us?

    Where `transactions` has `kind` and `initiated_by`, recency and frequency count only what the policy takes for a
    sign of life, and monetary leaves out transfers between own accounts, interest, fees and reversals; without them
    every row counts as the customer's own act.

    Parameters
    ----------
    transactions
        customer_id, booked_on (date, or with a time), amount, and optionally kind, initiated_by; Polars or DuckDB.
    as_of
        Last day of the window; later rows are not looked at.
    window_days
        Length of the window, at least 1.
    policy
        Signs of life; crmlab's own rules where none is given.

    Returns
    -------
    frame of the same library
        customer_id; recency_days (from the last active day to `as_of`, also where that lies before the window; null if
        there is none), frequency (active days in the window, not postings), monetary (sum of |amount| in the window,
        in the unit of `amount`). A customer with rows only before the window is there with frequency and monetary 0.

    Raises
    ------
    InputError
        When a column is missing or the window is empty; for a frame in memory also when `as_of` is before the first
        transaction or a sum does not fit into 64 bits (a lazy one then comes back empty, or is not looked at).

    Examples
    --------
    >>> days = [date(2024, 1, 5), date(2024, 1, 9), date(2023, 1, 1)]
    >>> rows = pl.DataFrame({"customer_id": [1, 1, 2], "booked_on": days, "amount": [100, -50, 70]})
    >>> summary(rows, date(2024, 1, 10), window_days=30).sort("customer_id").rows()
    [(1, 1, 2, 150), (2, 374, 0, 0)]
    """
    frame = nw.from_native(transactions)
    if frame.implementation.is_pandas_like():
        raise InputError(
            "rfm.summary reads Polars and DuckDB frames. Hand a pandas frame over as pl.from_pandas(frame)."
        )
    schema = frame.collect_schema()
    names = schema.names()
    named(names, ["customer_id", "booked_on", "amount"], "rfm.summary")
    if window_days < 1:
        raise InputError(f"A window of {window_days} days holds nothing. Give at least 1.")
    policy = policy or rules.load()
    day, amount = nw.col("booked_on"), nw.col("amount")
    frame = frame if schema["booked_on"] == nw.Date else frame.with_columns(day.dt.truncate("1d"))
    last, start = (_like(schema["booked_on"], as_of, back) for back in (0, window_days - 1))
    known = frame.lazy().filter(day <= nw.lit(last))
    acted, turned = _signs_of_life(names, policy)
    inside = day >= nw.lit(start)
    sums = (
        known.with_columns(
            active_on=nw.when(acted).then(day),
            active_inside_on=nw.when(acted & inside).then(day),
            turnover=nw.when(turned & inside).then(amount.abs()).otherwise(nw.lit(0)),
        )
        .group_by("customer_id")
        .agg(
            nw.col("active_on").max().alias("last_active_on"),
            nw.col("active_inside_on").n_unique().alias("n_days"),
            nw.col("active_inside_on").count().alias("n_acts"),
            nw.len().alias("n_rows"),
            nw.col("turnover").sum().alias("monetary"),
        )
    )
    result = _finished(sums, as_of, schema["amount"].is_integer())
    if isinstance(frame, nw.DataFrame):
        streamed = {"engine": "streaming"} if frame.implementation.is_polars() else {}
        _fits(frame)
        result = result.collect(frame.implementation, **streamed)
        if result.is_empty():
            raise InputError(f"as_of {as_of} is before the first transaction. Choose a later date.")
    return result.to_native()


def _fits(frame: nw.DataFrame) -> None:
    """Stop before a sum could wrap; Polars would do so silently."""
    ends = [abs(float(end)) for end in (frame["amount"].min(), frame["amount"].max()) if end is not None]
    if len(frame) * max(ends, default=0.0) < 2.0**63:
        return
    moved = float(frame["amount"].cast(nw.Float64).abs().sum())
    if moved >= 2.0**63:
        raise InputError(f"The amounts add up to {moved:.3g}, too much for 64 bits. Check their unit.")


def _like(dtype: nw.dtypes.DType, as_of: date, back: int) -> date | datetime:
    """The day `back` days before `as_of`, as a date or, beside a column with times, as its midnight."""
    day = date.fromordinal(as_of.toordinal() - back)
    return day if dtype == nw.Date else datetime.combine(day, time.min)


def _signs_of_life(names: list[str], policy: rules.Policy) -> tuple[nw.Expr, nw.Expr]:
    acted = turned = ~nw.col("booked_on").is_null()
    if "kind" in names:
        acted = nw.col("kind").is_in(policy.activity_kinds)
        turned = ~nw.col("kind").is_in(NOT_TURNOVER)
    if "initiated_by" in names:
        acted = acted & nw.col("initiated_by").is_in(policy.activity_initiators)
    return acted, turned


def _finished(frame: nw.LazyFrame, as_of: date, is_whole: bool) -> nw.LazyFrame:
    return frame.select(
        "customer_id",
        recency_days=(as_of.toordinal() - _ordinal(nw.col("last_active_on"))).cast(nw.Int32),
        # `n_unique` takes the rows that are no act, all null, for one more day.
        frequency=(nw.col("n_days") - (nw.col("n_acts") < nw.col("n_rows")).cast(nw.Int64)).cast(nw.Int32),
        monetary=nw.col("monetary").cast(nw.Int64) if is_whole else nw.col("monetary"),
    )


def _ordinal(day: nw.Expr) -> nw.Expr:
    """`date.toordinal` in whole numbers, the one form of date difference that every engine shares."""
    years = day.dt.year().cast(nw.Int64) - 1
    return 365 * years + years // 4 - years // 100 + years // 400 + day.dt.ordinal_day().cast(nw.Int64)


def scores(summary: pl.DataFrame, n: int = 5) -> Scores:
    """Bands of recency, frequency and monetary from 1 to `n`, `n` best, within customer kind where `kind` is a column.

    Answers: who stands where among customers of the same kind?

    Equal values share a band; a customer without activity is in band 1, not absent.

    Parameters
    ----------
    summary
        customer_id, recency_days, frequency, monetary, and optionally kind (of the customer); further columns stay.
    n
        Number of bands, at least 2.

    Returns
    -------
    Scores
        `customers`: the summary with r, f, m (Int8). `thresholds`: kind, measure (r, f, m), band, lower, upper (of
        recency_days, frequency or monetary, inclusive), n (customers).

    Raises
    ------
    InputError
        When a column is missing, the summary is empty, or `n` is below 2.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": [1, 2, 3], "recency_days": [2, 90, None], "frequency": [9, 1, 0],
    ...                      "monetary": [500, 20, 0]})
    >>> scores(rows, n=3).customers.select("customer_id", "r", "f", "m").rows()
    [(1, 3, 3, 3), (2, 2, 2, 2), (3, 1, 1, 1)]
    """
    _check(summary, n)
    by = "kind" if "kind" in summary.columns else None
    freshness = -pl.col("recency_days").cast(pl.Int64)
    customers = summary.with_columns(
        r=band(freshness, n, by), f=band(pl.col("frequency"), n, by), m=band(pl.col("monetary"), n, by)
    )
    return Scores(customers, _thresholds(customers, by), n)


def segments(scores: Scores, policy: rules.Policy | None = None) -> pl.DataFrame:
    """The customers of `scores` with the name of their segment; the policy's map covers every cell exactly once.

    Parameters
    ----------
    scores
        As `scores` gives them, with the policy's number of bands.
    policy
        The map; crmlab's own rules where none is given.

    Returns
    -------
    pl.DataFrame
        The columns of `scores.customers` and segment.

    Raises
    ------
    InputError
        When the scores have another number of bands than the map.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": range(5), "recency_days": [1, 2, 3, 4, None], "frequency": [9, 7, 5, 3, 0],
    ...                      "monetary": [90, 70, 50, 30, 0]})
    >>> segments(scores(rows))["segment"].to_list()
    ['Champions', 'Champions', 'Slipping', 'Fading', 'Quiet and rare']
    """
    policy = policy or rules.load()
    if scores.n != policy.rfm_bands:
        raise InputError(
            f"The scores have {scores.n} bands, the segment map {policy.rfm_bands}. "
            f"Score with n={policy.rfm_bands}, or map {scores.n} bands in policy.toml."
        )
    cells = pl.DataFrame(
        [(*cell, segment.name) for segment in policy.rfm_segments for cell in segment.cells()],
        schema={"r": pl.Int8, "f": pl.Int8, "m": pl.Int8, "segment": pl.String},
        orient="row",
    )
    return scores.customers.join(cells, on=["r", "f", "m"], how="left", maintain_order="left")


def _check(summary: pl.DataFrame, n: int) -> None:
    named(summary.columns, ["customer_id", *AXES.values()], "rfm.scores")
    if n < 2:
        raise InputError(f"{n} bands tell nobody apart. Give at least 2.")
    if summary.is_empty():
        raise InputError("There is no customer to score: the summary is empty.")


def _thresholds(customers: pl.DataFrame, by: str | None) -> pl.DataFrame:
    if by is None:
        customers = customers.with_columns(kind=pl.lit("all"))
    tables = [
        customers.group_by(pl.col("kind").cast(pl.String), measure=pl.lit(axis), band=axis).agg(
            lower=pl.col(value).min(), upper=pl.col(value).max(), n=pl.len().cast(pl.Int32)
        )
        for axis, value in AXES.items()
    ]
    return pl.concat(tables, how="vertical_relaxed").sort("kind", "measure", "band")
