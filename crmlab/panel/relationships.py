"""Customers: customer × month × line in the base currency, summed from facts through the holders of each account."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

import polars as pl

from crmlab.bank.read import Bank
from crmlab.bank.schema import MILLION
from crmlab.errors import InputError
from crmlab.panel.flows import COUNTS

FLOWS = ["inflow", "outflow", "own_transfer", "interest", "fees", "valuation"]
MONEY = ["opening", *FLOWS, "closing", "balance_days"]
HUNDRED_MILLION = 10**8


def customers(facts: pl.LazyFrame, bank: Bank) -> pl.LazyFrame:
    """Customer × month × line in the base currency: only the lines a customer has, only the months in which.

    Answers: what does each customer have with us, line by line, and what moved it?

    Each account's figures are converted once (half to even) and split among its holders by largest remainder, so that
    the parts add to the whole. Balances are taken at the rate of their month end and flows at that of their month; what
    a change of rate does to a standing balance is `fx`.

    Parameters
    ----------
    facts
        As `panel.facts` gives them.
    bank
        The bank they come from.

    Returns
    -------
    pl.LazyFrame
        customer_id, month, line; opening, inflow, outflow, own_transfer, interest, fees, valuation, fx, closing,
        balance_days in minor units of the base currency; days (of the month, up to `as_of`: the average is balance_days
        over days); n_accounts (open on any day of the month), n_open (still open at its end), n_without_balance
        (without an anchor: their money is left out of every sum), n_without_average, the counts of `facts`,
        last_active_on. Activity is the owner's.

    Raises
    ------
    InputError
        Where an exchange rate is missing; currency and date are named.
    """
    months = facts.select(pl.col("month").unique().sort()).collect()["month"].to_list()
    return pl.concat(
        monthly_customers((facts.filter(pl.col("month") == month).collect() for month in months), bank)
    ).lazy()


def monthly_customers(facts_of_months: Iterable[pl.DataFrame], bank: Bank) -> Iterator[pl.DataFrame]:
    """The same from facts that come one month at a time."""
    owners, holders = _owners(bank), _joint_holders(bank)
    rates = _rates(bank)
    for frame in facts_of_months:
        yield _month(frame, owners, holders, rates, bank)


def _month(
    frame: pl.DataFrame, owners: pl.DataFrame, holders: pl.DataFrame, rates: pl.DataFrame, bank: Bank
) -> pl.DataFrame:
    month = frame["month"][0]
    known = frame.join(owners, on="account_id", how="left", maintain_order="left")
    end = min(month, bank.as_of)
    known = known.with_columns(n_open=(pl.col("closed_on").is_null() | (pl.col("closed_on") > end)).cast(pl.Int32))
    own = _in_base(_whole_months(known), month, rates, bank)
    if not holders.is_empty():
        shared = own.join(holders.select("account_id").unique(), on="account_id", how="semi")
        own = pl.concat([own.join(shared, on="account_id", how="anti"), _split(shared, holders).select(own.columns)])
    _fits(own, month)
    return (
        own.group_by("customer_id", "line")
        .agg(
            pl.col(*MONEY, "fx").sum(),
            pl.len().cast(pl.Int32).alias("n_accounts"),
            pl.col("n_open", "n_without_balance", "n_without_average", *COUNTS).sum(),
            pl.col("last_active_on").max(),
        )
        .with_columns(month=pl.lit(month), days=pl.lit(min(month, bank.as_of).day, pl.Int32))
        .select(
            "customer_id", "month", "line", "opening", *FLOWS, "fx", "closing", "balance_days", "days", "n_accounts",
            "n_open", "n_without_balance", "n_without_average", *COUNTS, "last_active_on",
        )
        .sort("customer_id", "line")
    )  # fmt: skip


def _whole_months(frame: pl.DataFrame) -> pl.DataFrame:
    """One row an account: the periods of a cut month put together again."""
    many = pl.col("account_id").is_duplicated()
    cut = frame.filter(many)
    if cut.is_empty():
        return frame
    keys = ["customer_id", "line", "currency", "month", "n_open"]
    joined = cut.group_by("account_id", maintain_order=True).agg(
        pl.col(*keys).first(),
        pl.col("opening").first(),
        pl.col("closing").last(),
        pl.col(*FLOWS, *COUNTS).sum(),
        pl.when(pl.col("balance_days").is_not_null().all()).then(pl.col("balance_days").sum()).alias("balance_days"),
        pl.col("last_active_on").max(),
    )
    return pl.concat([frame.filter(~many).select(joined.columns), joined])


def _owners(bank: Bank) -> pl.DataFrame:
    lines = bank.table("products").select("product_id", pl.col("line").cast(pl.String))
    return (
        bank.table("accounts")
        .join(lines, on="product_id", how="left")
        .select("account_id", "customer_id", "line", "currency", "closed_on")
        .collect()
    )


def _joint_holders(bank: Bank) -> pl.DataFrame:
    """Holders of the accounts that more than one customer has a share of; users have none."""
    return (
        bank.table("holders")
        .filter(pl.col("role") != "user", pl.col("share") < MILLION, pl.col("share") > 0)
        .select("account_id", holder_id="customer_id", share="share")
        .sort("account_id", pl.col("share"), "holder_id", descending=[False, True, False])
        .collect()
    )


def _split(accounts: pl.DataFrame, holders: pl.DataFrame) -> pl.DataFrame:
    """Accounts by holder: money by largest remainder, ties to the larger share and then the lower number.

    Each column is split for itself, so a holder's sums could miss the holder's closing by a minor unit; that unit
    passes between the holders as an own transfer. Counts and activity stay with the owner.
    """
    rows = accounts.join(holders, on="account_id").sort(
        "account_id", "share", "holder_id", descending=[False, True, False]
    )
    is_owner = pl.col("holder_id") == pl.col("customer_id")
    rows = rows.with_columns(_largest_remainder(pl.col(name), pl.col("share")).alias(name) for name in [*MONEY, "fx"])
    moved = (
        pl.col("inflow") - pl.col("outflow") + pl.col("interest") + pl.col("fees") + pl.col("valuation") + pl.col("fx")
    )
    return rows.with_columns(
        own_transfer=pl.col("closing") - pl.col("opening") - moved,
        last_active_on=pl.when(is_owner).then("last_active_on"),
        customer_id="holder_id",
        **{name: pl.when(is_owner).then(name).otherwise(0).cast(pl.Int32) for name in COUNTS},
    )


def _largest_remainder(value: pl.Expr, share: pl.Expr) -> pl.Expr:
    product = value.cast(pl.Int128) * share.cast(pl.Int128)
    part = product // MILLION
    rest = product - part * MILLION
    left_over = value.cast(pl.Int128) - part.sum().over("account_id")
    rank = rest.rank("ordinal", descending=True).over("account_id")
    return (part + (rank <= left_over).cast(pl.Int128)).cast(pl.Int64)


def _in_base(frame: pl.DataFrame, month: date, rates: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """Balances and flows in the base currency; money of accounts without a balance is left out and counted."""
    anchored = pl.col("closing").is_not_null() & pl.col("opening").is_not_null()
    frame = frame.with_columns(
        n_without_balance=(~anchored).cast(pl.Int32),
        n_without_average=(anchored & pl.col("balance_days").is_null()).cast(pl.Int32),
    ).with_columns(pl.when(anchored).then(pl.col(MONEY)).otherwise(None).fill_null(0))
    base = pl.col("currency") == bank.base_currency
    at_home = frame.filter(base).with_columns(fx=pl.lit(0, pl.Int64))
    abroad = frame.filter(~base)
    if abroad.is_empty():
        return at_home
    before = month.replace(day=1) - timedelta(days=1)
    pair = _rates_on(rates, abroad["currency"].unique().to_list(), before, month, bank)
    now = [name for name in MONEY if name != "opening"]
    abroad = (
        abroad.join(pair, on="currency", how="left")
        .with_columns(
            pl.col(now).pipe(converted, pl.col("numerator"), pl.col("denominator")),
            pl.col("opening").pipe(converted, pl.col("numerator_before"), pl.col("denominator")),
        )
        .with_columns(
            fx=pl.col("closing") - pl.col("opening") - pl.col("inflow") + pl.col("outflow")
            - pl.sum_horizontal("own_transfer", "interest", "fees", "valuation")
        )
    )  # fmt: skip
    return pl.concat([at_home, abroad.select(at_home.columns)])


def converted(value: pl.Expr, numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """`value` × numerator ÷ denominator in 128 bits, rounded half to even."""
    product = value.cast(pl.Int128) * numerator.cast(pl.Int128)
    whole = product // denominator
    twice = 2 * (product - whole * denominator)
    up = (twice > denominator) | ((twice == denominator) & (whole % 2 != 0))
    return (whole + up.cast(pl.Int128)).cast(pl.Int64)


def _rates(bank: Bank) -> pl.DataFrame:
    return bank.table("fx_rates").select("currency", "on", "rate").sort("currency", "on").collect()


def _rates_on(rates: pl.DataFrame, currencies: list[str], before: date, month: date, bank: Bank) -> pl.DataFrame:
    """The last rates at or before two month ends, as fractions from minor unit to minor unit."""
    rows = []
    for currency in sorted(currencies):
        of = rates.filter(pl.col("currency") == currency, pl.col("on") <= month)
        if of.is_empty():
            raise InputError(
                f"fx_rates holds no rate of {currency} at or before {month}. "
                f"Add one to the extract: what one {currency} is worth in {bank.base_currency}."
            )
        earlier = of.filter(pl.col("on") <= before)
        shift = bank.policy.digits(bank.base_currency) - bank.policy.digits(currency)
        up, down = 10 ** max(shift, 0), 10 ** max(-shift, 0)
        # In the first month of history nothing older is known, and nothing was revalued yet.
        old = (earlier if not earlier.is_empty() else of.head(1))["rate"][-1]
        rows.append((currency, of["rate"][-1] * up, old * up, HUNDRED_MILLION * down))
    return pl.DataFrame(
        rows,
        schema={"currency": pl.String, "numerator": pl.Int128, "numerator_before": pl.Int128, "denominator": pl.Int128},
        orient="row",
    )


def _fits(frame: pl.DataFrame, month: date) -> None:
    """Stop before a sum over the bank could wrap; Polars would do so silently."""
    largest = frame.select(pl.max_horizontal(pl.col(*MONEY, "fx").cast(pl.Float64).abs().sum())).item()
    if largest >= 2.0**63:
        raise InputError(
            f"The balance-days of {month:%Y-%m} add up to {largest:.3g} minor units, too much for 64 bits. "
            "Check the amounts and minor_digits in policy.toml."
        )
