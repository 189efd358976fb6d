"""What a customer is assessed on: an average of balances or a sum of months, at the end of each assessment month."""

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.errors import InputError
from crmlab.measures.given import LARGEST, in_order, required
from crmlab.measures.tiers.calendar import month_number, months_of
from crmlab.panel.exact import half_even
from crmlab.policy import TierRule

AMOUNTS = {
    "aum_average": "balance_days",
    "weighted_average": "balance_days",
    "contribution": "contribution",
    "points": "points",
}
EVERY_MONTH = tuple(range(1, 13))


def values(monthly: pl.DataFrame, rule: TierRule) -> pl.DataFrame:
    """The amount a tier rule looks at, customer by customer, at each assessment.

    Answers: on what does the bank judge this customer?

    The window is the assessment month and the ``rule.months - 1`` before it. A customer with a shorter history is
    judged on the months there are: an average over their days, a sum of what they have brought so far. Who has no row
    in the assessment month is not with the bank and not assessed.

    Parameters
    ----------
    monthly
        customer_id, kind, month (its end), and what the rule is `on`: balance_days and days of AUM (aum_average), of
        `weighted` (weighted_average), contribution, or points. A row for each month with the bank.
    rule
        One of ``policy.tiers``.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, month, value (Int64), ordered by customer and month. An average is Σ balance_days // Σ days,
        rounded down, in minor units of the base currency: half a unit short of a threshold is short of it. A sum is
        in minor units (contribution) or thousandths of a point.

    Raises
    ------
    InputError
        When a column or a value is missing, nobody is given, a customer has a month twice, a month is missing for
        all, no month is one of assessment, a row has no days, or a sum would not fit into 64 bits.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> rows = pl.DataFrame({"customer_id": [1, 1], "kind": "retail", "month": [date(2024, 1, 31), date(2024, 2, 29)],
    ...                      "balance_days": [31 * 5_000_000, 29 * 6_000_000 - 1], "days": [31, 29]})
    >>> values(rows, policy.load().tiers[0])["value"].to_list()
    [5000000, 5999999]
    """
    amount = AMOUNTS[rule.on]
    summed = [amount, "days"] if amount == "balance_days" else [amount]
    required(monthly, ["customer_id", "kind", "month", *summed], "tiers.values")
    _check(monthly, amount, rule)
    rows = in_order(monthly.select("customer_id", "kind", "month", *summed), ["customer_id", "month"], "tiers.values")
    value = pl.col(amount) // pl.col("days") if amount == "balance_days" else pl.col(amount)
    assessed = pl.col("month").dt.month().is_in(rule.assessed)
    return (
        _windows(rows, summed, rule.months)
        .filter(assessed)
        .select("customer_id", "kind", "month", value=value.cast(pl.Int64))
    )


def weighted(assets: pl.DataFrame, rule: TierRule) -> pl.DataFrame:
    """Balance-days of each customer and month, every asset class counted with the rule's coefficient.

    Answers: what are this customer's assets worth to us, where 100 in a fund count for more or less than 100 in cash?

    One rounding, half to even, at customer × month; the products are summed in 128 bits.

    Parameters
    ----------
    assets
        customer_id, kind, month, balance_days, days (of the month), and asset_class or line or both: the line stands in
        where there is no asset class.
    rule
        A rule on ``weighted_average``; its weights are millionths.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, month, balance_days (weighted, Int64), days (the most of any class), as `values` reads them.

    Raises
    ------
    InputError
        When a column or a value is missing, nobody is given, a class has no weight, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from datetime import date
    >>> from crmlab import policy
    >>> rule = replace(policy.load().tiers[0], weights={"deposits": 1_000_000, "wealth": 500_000})
    >>> rows = pl.DataFrame({"customer_id": [1, 1], "kind": "retail", "month": date(2024, 1, 31), "days": 31,
    ...                      "line": ["deposits", "wealth"], "balance_days": [3_100, 3_101]})
    >>> weighted(rows, rule)["balance_days"].to_list()
    [4650]
    """
    key = ["customer_id", "kind", "month"]
    classes = [name for name in ("asset_class", "line") if name in assets.columns]
    required(assets, [*key, "balance_days", "days", *([] if classes else ["asset_class"])], "tiers.weighted")
    rows = assets.with_columns(asset_class=pl.coalesce(pl.col(classes).cast(pl.String)))
    required(rows, ["asset_class"], "tiers.weighted")
    _all_weighted(rows["asset_class"], rule)
    weight = pl.col("asset_class").replace_strict(rule.weights, return_dtype=pl.Int128)
    product = (pl.col("balance_days").cast(pl.Int128) * weight).sum()
    sums = rows.group_by(key).agg(balance_days=product, days=pl.col("days").max())
    _fits(max(abs(sums["balance_days"].min()), abs(sums["balance_days"].max())) // MILLION, "balance_days", 1)
    return sums.with_columns(half_even(pl.col("balance_days"), MILLION)).sort("customer_id", "month")


def _check(monthly: pl.DataFrame, amount: str, rule: TierRule) -> None:
    months = months_of(monthly, EVERY_MONTH, "tiers.values")
    if not months.dt.month().is_in(rule.assessed).any():
        raise InputError(
            f"No month from {months[0]:%Y-%m} to {months[-1]:%Y-%m} is one at whose end rule {rule.name} is assessed "
            f"({', '.join(map(str, rule.assessed))}). Give a longer history, or change `assessed` in policy.toml."
        )
    if amount == "balance_days" and (n := (monthly["days"] < 1).sum()):
        raise InputError(f"{n} of {len(monthly)} rows given to tiers.values have no days. Leave such months out.")
    _fits(max(abs(monthly[amount].min()), abs(monthly[amount].max())), amount, rule.months)


def _fits(largest: int, what: str, months: int) -> None:
    """Stop before a sum could wrap; Polars would do so silently."""
    if largest * months > LARGEST:
        raise InputError(f"{what} of {largest:.3g} over {months} months is too much for 64 bits. Check its unit.")


def _windows(rows: pl.DataFrame, summed: list[str], months: int) -> pl.DataFrame:
    """Each row with the sums of the months up to its own."""
    if months == 1:
        return rows
    numbered = rows.with_columns(number=month_number(pl.col("month")))
    windows = numbered.rolling("number", period=f"{months}i", group_by="customer_id")
    return rows.with_columns(windows.agg(pl.col(summed).sum()).select(summed))


def _all_weighted(classes: pl.Series, rule: TierRule) -> None:
    without = classes.filter(~classes.is_in(list(rule.weights))).unique().sort()
    if len(without):
        raise InputError(
            f"{len(without)} of {classes.n_unique()} asset classes have no weight in rule {rule.name} (first: "
            f'{without[0]}). Write {without[0]} = "1" under its weights in policy.toml, or the share that counts.'
        )
