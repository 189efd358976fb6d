"""Channels: where customers do what they do, and how many have begun to do it online or on the phone."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, keys, named, required
from crmlab.measures.uncertainty import wilson
from crmlab.policy import Policy

CHANNELS = ["counter", "atm", "pos", "online", "mobile"]
DIGITAL = ["online", "mobile"]
COUNTS = [f"n_{channel}" for channel in CHANNELS]


def summary(rows: pl.LazyFrame | pl.DataFrame, start: date, end: date, policy: Policy) -> pl.DataFrame:
    """How often each customer acted through each channel, month by month.

    Answers: where do we meet this customer?

    Acts are what the policy takes for signs of life: what the customer did, not what a counterparty sent or a mandate
    paid through the same channel, and no transfer between own accounts.

    Parameters
    ----------
    rows
        Transactions beside their customer: customer_id, booked_on, kind, channel, initiated_by.
    start, end
        The first and the last day to look at.
    policy
        What counts as an act.

    Returns
    -------
    pl.DataFrame
        customer_id, month, n_counter, n_atm, n_pos, n_online, n_mobile; customers without an act through one of them
        have no row. By customer and month.

    Raises
    ------
    InputError
        When `start` is after `end`, or a column is missing.

    Examples
    --------
    >>> from crmlab import policy
    >>> rows = pl.DataFrame({"customer_id": 7, "booked_on": date(2024, 3, 5), "kind": ["transfer", "transfer"],
    ...     "channel": "mobile", "initiated_by": ["customer", "counterparty"]})
    >>> summary(rows, date(2024, 3, 1), date(2024, 3, 31), policy.load()).row(0)
    (7, datetime.date(2024, 3, 31), 0, 0, 0, 0, 1)
    """
    lazy = rows.lazy()
    needed = ["customer_id", "booked_on", "kind", "channel", "initiated_by"]
    named(lazy.collect_schema().names(), needed, "channels.summary")
    if start > end:
        raise InputError(f"channels.summary is asked from {start} to {end}, which is no time. Choose an earlier start.")
    is_act = pl.col("kind").is_in(policy.activity_kinds) & pl.col("initiated_by").is_in(policy.activity_initiators)
    through = pl.col("channel").cast(pl.String)
    return (
        lazy.filter(pl.col("booked_on").is_between(start, end), is_act, through.is_in(CHANNELS))
        .group_by("customer_id", month=pl.col("booked_on").dt.month_end())
        .agg((through == channel).sum().cast(pl.Int32).alias(f"n_{channel}") for channel in CHANNELS)
        .collect(engine="streaming")
        .sort("customer_id", "month")
    )


def totals(rows: pl.DataFrame, by: str | Sequence[str]) -> pl.DataFrame:
    """Acts by channel, and money that left, in groups small enough for a page to hold.

    Parameters
    ----------
    rows
        A row a customer (and month, where `by` holds it), also of those who did nothing: the counts of `summary` and
        the money of `spending.outflow`, null or 0 where there was none, and the columns of `by`.
    by
        Columns to tell apart, such as month, branch_id and kind.

    Returns
    -------
    pl.DataFrame
        The columns of `by`, n_customers, n_digital (of them, with an act online or mobile), n_counter, n_atm, n_pos,
        n_online, n_mobile (acts), outflow, other_banks (minor units), n_other_banks (customers with some); in order of
        `by`.

    Raises
    ------
    InputError
        When there is no row, a column is missing, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> rows = pl.DataFrame({"kind": "retail", "n_counter": [2, None], "n_atm": 0, "n_pos": 0, "n_online": 0,
    ...     "n_mobile": [3, None], "outflow": [900, 50], "other_banks": [400, 0]})
    >>> totals(rows, "kind").row(0)
    ('retail', 2, 1, 2, 0, 0, 0, 3, 950, 400, 1)
    """
    groups = keys(by)
    required(rows, [], "channels.totals")
    named(rows.columns, [*COUNTS, "outflow", "other_banks", *groups], "channels.totals")
    acts_digitally = pl.sum_horizontal(f"n_{channel}" for channel in DIGITAL) > 0
    sums = rows.group_by(groups).agg(
        n_customers=pl.len().cast(pl.Int64),
        n_digital=acts_digitally.sum().cast(pl.Int64),
        **{name: pl.col(name).cast(pl.Int64).sum() for name in COUNTS},
        **{name: pl.col(name).cast(pl.Int128).sum() for name in ("outflow", "other_banks")},
        n_other_banks=(pl.col("other_banks") > 0).sum().cast(pl.Int64),
    )
    return in_64_bits(sums).sort(groups, nulls_last=True)


def mix(rows: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How acts divide among channels.

    Answers: is the counter giving way to the phone?

    Parameters
    ----------
    rows
        As `summary` or `totals` gives them, or a selection.
    by
        Columns to tell apart, such as month; none for all rows together.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; channel (Enum `CHANNELS`), n (acts through it), share (of the acts of the group, 0 to 1;
        null where there is none). Acts of one customer go together, so there is no interval: see `activation`.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> rows = pl.DataFrame({"n_counter": [1], "n_atm": 0, "n_pos": 0, "n_online": 0, "n_mobile": 3})
    >>> mix(rows).filter(pl.col("n") > 0).rows()
    [('counter', 1, 0.25), ('mobile', 3, 0.75)]
    """
    groups = keys(by)
    required(rows, [], "channels.mix")
    named(rows.columns, [*COUNTS, *groups], "channels.mix")
    sums = [pl.col(COUNTS).cast(pl.Int64).sum()]
    told = rows.group_by(groups).agg(sums) if groups else rows.select(sums)
    acts = pl.sum_horizontal(COUNTS)
    return (
        told.with_columns(acts=acts)
        .unpivot(COUNTS, index=[*groups, "acts"], variable_name="channel", value_name="n")
        .select(
            *groups,
            pl.col("channel").str.strip_prefix("n_").cast(pl.Enum(CHANNELS)),
            "n",
            share=pl.when(pl.col("acts") > 0).then(pl.col("n") / pl.col("acts")),
        )
        .sort(*groups, "channel", nulls_last=True)
    )


def activation(rows: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How many customers act online or on the phone.

    Answers: have they begun to use what we built?

    Parameters
    ----------
    rows
        As `totals` gives them, or a selection; several months of one group count a customer as often as there are.
    by
        Columns to tell apart, such as month; none for all rows together.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n (customers), n_digital, share (0 to 1) with lower and upper (95 %, Wilson); null where
        there is no customer.

    Raises
    ------
    InputError
        When there is no row, or a column is missing.

    Examples
    --------
    >>> activation(pl.DataFrame({"n_customers": [30, 10], "n_digital": [8, 2]})).select("n", "share").row(0)
    (40, 0.25)
    """
    groups = keys(by)
    required(rows, ["n_customers", "n_digital"], "channels.activation")
    named(rows.columns, groups, "channels.activation")
    sums = [pl.col("n_customers").cast(pl.Int64).sum().alias("n"), pl.col("n_digital").cast(pl.Int64).sum()]
    told = rows.group_by(groups).agg(sums) if groups else rows.select(sums)
    lower, upper = wilson(pl.col("n_digital"), pl.col("n"))
    share = pl.when(pl.col("n") > 0).then(pl.col("n_digital") / pl.col("n"))
    return told.with_columns(share=share, lower=lower, upper=upper).sort(groups or "n", nulls_last=True)
