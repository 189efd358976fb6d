"""Standing: one row a customer and month: what they hold, earn us and do. Segments and life cycle read it."""

import polars as pl

from crmlab.measures.given import named
from crmlab.policy import Policy

MOVED = ["maturing", "inflow", "outflow", "own_transfer"]  # of AUM
CHANNELS = ["n_counter", "n_atm", "n_online", "n_mobile", "n_pos"]
HELD = [
    "customer_id", "month", "line", "closing", "balance_days", "days", "n_open", "n_without_balance",
    "n_without_average", *MOVED, *CHANNELS, "last_active_on",
]  # fmt: skip


def table(
    customers: pl.DataFrame,
    contribution: pl.DataFrame,
    people: pl.DataFrame,
    policy: Policy,
    seen: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """What each customer had, earned us and did, month by month.

    Answers: where does this customer stand this month?

    Parameters
    ----------
    customers
        As `panel.customers` gives them, of one month or of several.
    contribution
        As `contribution.lines` gives them, of the same months.
    people
        customer_id, kind, first_on (the day their first account was opened).
    policy
        Which lines are AUM, which loans, and what contribution is made of.
    seen
        customer_id, last_active_on before the first of these months; nobody's where left out.

    Returns
    -------
    pl.DataFrame
        customer_id, month, kind, first_on, is_open (an account is open at the month's end); aum, deposits, loans
        (closing, loans as positive outstanding; null where an account's balance is not known); balance_days and days
        of AUM, n_without_average (its accounts without a known average); of AUM, too, maturing (within 90 days),
        inflow, outflow and own_transfer (negative: to a loan or card of their own); n_lines (open); contribution,
        points; n_acts (postings by counter, machine, online, phone and card), n_card; last_active_on (the last thing
        they did themselves up to this month; null: none). Money in minor units of the base currency. Ordered by month
        and customer.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> day = date(2024, 1, 31)
    >>> held = pl.DataFrame({"customer_id": [1, 1], "month": day, "line": ["deposits", "loans"], "closing": [500, -900],
    ...     "balance_days": [15_500, -27_900], "days": 31, "n_open": 1, "n_without_balance": 0, "n_without_average": 0,
    ...     **dict.fromkeys(MOVED + CHANNELS, 0), "last_active_on": [day, None]})
    >>> earned = pl.DataFrame({"customer_id": 1, "month": day, "margin": 7, "fee": 1, "service_cost": -2,
    ...     "expected_loss": -1, "points": 0})
    >>> people = pl.DataFrame({"customer_id": [1], "kind": ["retail"], "first_on": [date(2020, 5, 1)]})
    >>> table(held, earned, people, policy.load()).select("aum", "loans", "n_lines", "contribution").row(0)
    (500, 900, 2, 5)
    """
    components = list(policy.contribution.components)
    named(customers.columns, HELD, "standing.table")
    named(contribution.columns, ["customer_id", "month", *components, "points"], "standing.table")
    key = ["customer_id", "month"]
    earned = contribution.group_by(key).agg(
        contribution=pl.sum_horizontal(pl.col(components).sum()), points=pl.col("points").sum()
    )
    rows = (
        customers.group_by(key)
        .agg(*_held(policy))
        .join(earned, on=key, how="left")
        .join(people.select("customer_id", "kind", "first_on"), on="customer_id", how="left")
        .with_columns(pl.col("contribution", "points").fill_null(0))
        .sort("month", "customer_id")
    )
    return _active_so_far(rows, seen).select(
        *key, "kind", "first_on", "is_open", "aum", "deposits", "loans", "balance_days", "days", "n_without_average",
        *MOVED, "n_lines", "contribution", "points", "n_acts", "n_card", "last_active_on",
    )  # fmt: skip


def _held(policy: Policy) -> list[pl.Expr]:
    def closing(*classes: str) -> pl.Expr:
        of = pl.col("line").is_in(policy.lines_of(*classes))
        return pl.when(pl.col("n_without_balance").filter(of).sum() == 0).then(pl.col("closing").filter(of).sum())

    is_aum = pl.col("line").is_in(policy.lines_of("deposits", "investments"))
    unknown = pl.col("n_without_balance") + pl.col("n_without_average")
    return [
        (pl.col("n_open") > 0).any().alias("is_open"),
        closing("deposits", "investments").alias("aum"),
        closing("deposits").alias("deposits"),
        -closing("loans").alias("loans"),
        pl.col("balance_days").filter(is_aum).sum(),
        pl.col("days").first(),
        unknown.filter(is_aum).sum().alias("n_without_average"),
        pl.col(MOVED).filter(is_aum).sum(),
        (pl.col("n_open") > 0).sum().cast(pl.Int32).alias("n_lines"),
        pl.sum_horizontal(pl.col(CHANNELS).sum()).cast(pl.Int32).alias("n_acts"),
        pl.col("n_pos").sum().cast(pl.Int32).alias("n_card"),
        pl.col("last_active_on").max(),
    ]


def _active_so_far(rows: pl.DataFrame, seen: pl.DataFrame | None) -> pl.DataFrame:
    """The last act of a month where there was one, else that of the months before."""
    if rows["month"].n_unique() > 1:
        so_far = pl.col("last_active_on").forward_fill().over("customer_id", order_by="month")
        rows = rows.with_columns(so_far)
    if seen is None:
        return rows
    before = seen.select("customer_id", before="last_active_on")
    rows = rows.join(before, on="customer_id", how="left", maintain_order="left")
    return rows.with_columns(last_active_on=pl.coalesce("last_active_on", "before"))
