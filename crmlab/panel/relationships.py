"""Customers: customer × month × line in the base currency, summed from facts through the holders of each account."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.panel.align import beside, sums_by
from crmlab.panel.exact import converted, largest_remainder
from crmlab.panel.moves import COUNTS as ACCOUNT_COUNTS

FLOWS = ["inflow", "outflow", "own_transfer", "interest", "fees", "valuation"]
MONEY = ["opening", *FLOWS, "closing", "balance_days"]
# Active days do not add up over accounts: one day may be active on two of them.
COUNTS = [name for name in ACCOUNT_COUNTS if name != "n_active_days"]
COLUMNS = [
    "customer_id", "month", "line", "opening", *FLOWS, "fx", "closing", "balance_days", "days", "n_accounts", "n_open",
    "maturing", "n_without_balance", "n_without_average", *COUNTS, "last_active_on",
]  # fmt: skip
COLUMNS_TO_SUM = [*MONEY, "fx", "maturing", "n_accounts", "n_open", "n_without_balance", "n_without_average", *COUNTS]
PERIOD = ["account_id", "starts_on"]
BY_SHARE = ["account_id", "share", "customer_id"]
BY_SHARE_DESCENDING = [False, True, False]
HUNDRED_MILLION = 10**8
MATURES_SOON = 90  # days


def customers(facts: pl.LazyFrame, bank: Bank, by: str = "line") -> pl.LazyFrame:
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
    by
        "line", or "asset_class": the column `line` then holds the class of the product (its line where it has none).

    Returns
    -------
    pl.LazyFrame
        customer_id, month, line; opening, inflow, outflow, own_transfer, interest, fees, valuation, fx, closing,
        balance_days in minor units of the base currency; days (of the month, within the history and up to `as_of`: the
        average is balance_days over days); n_accounts (open on any day of the month), n_open (still open at its end),
        maturing (of closing, what matures within the next 90 days),
        n_without_balance (open and without an anchor: their money is left out of every sum), n_without_average (their
        closing is known, their average is not), the counts of `facts` but for active days, which do not add up over
        accounts, last_active_on. Activity is the owner's.

    Raises
    ------
    InputError
        Where an exchange rate is missing; currency and date are named.
    """
    of = register(bank, by)
    return pl.concat(
        [customers_of(parts_of(frame, of, bank), month, of, bank) for month, frame in by_month(facts)]
    ).lazy()


def by_month(facts: pl.LazyFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """The facts of one month after the other."""
    for month in facts.select(pl.col("month").unique().sort()).collect()["month"]:
        yield month, facts.filter(pl.col("month") == month).collect()


class Register(NamedTuple):
    """What each account counts for: its place among the pairs of customer and line, and who shares it."""

    accounts: pl.DataFrame
    pairs: pl.DataFrame
    shares: pl.DataFrame
    rates: pl.DataFrame


def register(bank: Bank, by: str = "line") -> Register:
    """The register of a bank's accounts by line, or by another column of products, the line where that is empty."""
    line = pl.coalesce(by, pl.col("line").cast(pl.String)) if by != "line" else pl.col("line").cast(pl.String)
    lines = bank.table("products").select("product_id", line=line)
    owned = (
        bank.table("accounts")
        .join(lines, on="product_id", how="left")
        .select("account_id", "customer_id", "line", "currency", "closed_on", "matures_on")
        .collect()
    )
    shares = _shares(bank, owned)
    # One number a customer and line: numbers are sorted and found many times faster than texts.
    names = owned["line"].unique().sort()
    line = pl.col("line").cast(pl.Enum(names)).to_physical()
    number = (pl.col("customer_id").cast(pl.Int64) * len(names) + line).alias("number")
    owner, holder = owned.select(number).to_series(), shares.select(number).to_series()
    numbers = pl.concat([owner, holder]).unique().sort()
    pairs = pl.DataFrame(
        {"customer_id": (numbers // len(names)).cast(pl.Int32), "line": names.gather(numbers % len(names))}
    ).with_row_index("pair")
    accounts = owned.select(
        "account_id",
        numbers.search_sorted(owner).alias("pair"),
        "currency",
        "closed_on",
        "matures_on",
        is_shared=pl.col("account_id").is_in(shares["account_id"].implode()),
    )
    shares = shares.with_columns(numbers.search_sorted(holder).alias("holder_pair")).drop("line")
    rates = bank.table("fx_rates").select("currency", "on", "rate").sort("currency", "on").collect()
    return Register(accounts, pairs, shares, rates)


def _shares(bank: Bank, owned: pl.DataFrame) -> pl.DataFrame:
    """Who holds how much of each account that is not its owner's alone; what nobody holds is the owner's."""
    held = (
        bank.table("holders")
        .filter(pl.col("role") != "user", pl.col("share") > 0)
        .select("account_id", "customer_id", "share")
        .collect()
    )
    owners = owned.select("account_id", "line", owner_id="customer_id")
    left_over = (
        held.group_by("account_id")
        .agg(share=MILLION - pl.col("share").sum())
        .filter(pl.col("share") > 0)
        .join(owners, on="account_id")
        .select("account_id", customer_id="owner_id", share="share")
    )
    shares = (
        pl.concat([held, left_over])
        .group_by("account_id", "customer_id")
        .agg(pl.col("share").sum())
        .join(owners, on="account_id")
        .sort(*BY_SHARE, descending=BY_SHARE_DESCENDING)
    )
    owner, first = pl.col("customer_id") == pl.col("owner_id"), pl.col("account_id").is_first_distinct()
    return (
        shares.with_columns(is_owner=pl.when(owner.any().over("account_id")).then(owner).otherwise(first))
        .filter((~owner).any().over("account_id"))
        .drop("owner_id")
    )


def customers_of(parts: pl.DataFrame, month: date, register: Register, bank: Bank) -> pl.DataFrame:
    """Customers of one month from its parts."""
    end = min(month, bank.as_of)
    is_due = (pl.col("matures_on") > end) & (pl.col("matures_on") <= end + timedelta(MATURES_SOON))
    rows = parts.with_columns(
        maturing=pl.when("is_last", is_due).then("closing").otherwise(0),
    ).with_columns(
        pl.when("is_first").then(pl.col("opening")).otherwise(0),
        pl.when("is_last").then(pl.col("closing", "n_open", "n_without_balance", "n_without_average")).otherwise(0),
        n_accounts=pl.col("is_first").cast(pl.Int32),
    )
    sums = sums_by("pair", rows, COLUMNS_TO_SUM, latest="last_active_on")
    return (
        sums.hstack(register.pairs.select(pl.col("customer_id", "line").gather(sums["pair"])))
        .with_columns(month=pl.lit(month), days=pl.lit(days_of(month, bank), pl.Int32))
        .select(COLUMNS)
    )


def days_of(month: date, bank: Bank) -> int:
    """The days of a month that lie within the history and up to `as_of`."""
    return (min(month, bank.as_of) - max(month.replace(day=1), bank.history_from)).days + 1


def parts_of(facts: pl.DataFrame, register: Register, bank: Bank) -> pl.DataFrame:
    """The facts of one month in base currency, a row a holder, with the number of the pair of customer and line."""
    month = facts["month"].max() or bank.as_of  # no rows where every account is closed
    end = min(month, bank.as_of)
    known = pl.col("closing").is_not_null()
    flow = pl.col("inflow") - pl.col("outflow") + pl.sum_horizontal("own_transfer", "interest", "fees")
    is_open = pl.col("closed_on").is_null() | (pl.col("closed_on") > end)
    rows = beside(facts, register.accounts, ["account_id"]).with_columns(
        # A balance that is stated for the first time comes in as a valuation, so that the bridge closes.
        valuation=pl.when(pl.col("opening").is_null() & known).then(pl.col("closing") - flow).otherwise("valuation"),
        n_open=is_open.cast(pl.Int32),
        n_without_balance=(~known & is_open).cast(pl.Int32),
        n_without_average=(known & pl.col("balance_days").is_null()).cast(pl.Int32),
        is_first=facts["account_id"].is_first_distinct(),
        is_last=facts["account_id"].is_last_distinct(),
    )
    rows = rows.with_columns(pl.when(known).then(pl.col(MONEY)).fill_null(0))
    rows = _in_base(rows, month, register.rates, bank)
    if rows["is_shared"].any():
        shared = _split(rows.filter("is_shared"), register.shares)
        rows = pl.concat([rows.filter(~pl.col("is_shared")), shared.select(rows.columns)])
    _fits(rows, month)
    return rows


def _split(accounts: pl.DataFrame, shares: pl.DataFrame) -> pl.DataFrame:
    """Accounts by holder; that a balance is not known holds for each of them.

    Each column is split for itself, so a holder's sums could miss the holder's closing by a minor unit; that unit
    passes between the holders as an own transfer.
    """
    rows = by_holder(accounts, shares, money=[*MONEY, "fx"], owners=COUNTS)
    moved = pl.col("inflow") - pl.col("outflow") + pl.sum_horizontal("interest", "fees", "valuation", "fx")
    return rows.with_columns(
        own_transfer=pl.col("closing") - pl.col("opening") - moved,
        last_active_on=pl.when("is_owner").then("last_active_on"),
    )


def by_holder(rows: pl.DataFrame, shares: pl.DataFrame, money: list[str], owners: list[str]) -> pl.DataFrame:
    """Shared accounts, a row a holder: money by largest remainder, ties to the larger share and then the lower number.

    What stands in `owners` (transactions, activity) stays with the owner; `pair` becomes the holder's.
    """
    split = rows.join(shares, on="account_id").sort(*BY_SHARE, descending=BY_SHARE_DESCENDING)
    return split.with_columns(
        *(largest_remainder(pl.col(name), pl.col("share"), PERIOD).alias(name) for name in money),
        *(pl.when("is_owner").then(name).otherwise(0).cast(rows.schema[name]).alias(name) for name in owners),
        pair="holder_pair",
    )


def _in_base(rows: pl.DataFrame, month: date, rates: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """Balances and flows in the base currency; what a change of rate does to a standing balance is fx."""
    at_home = rows["currency"] == bank.base_currency
    if at_home.all():
        return rows
    abroad = rows.filter(~at_home)
    before = month.replace(day=1) - timedelta(days=1)
    opened_at = pl.when("is_first").then("numerator_before").otherwise("numerator")
    pair = rates_on(rates, abroad["currency"].unique().to_list(), before, month, bank)
    now = [name for name in MONEY if name != "opening"]
    moved = pl.col("inflow") - pl.col("outflow") + pl.sum_horizontal("own_transfer", "interest", "fees", "valuation")
    abroad = (
        abroad.join(pair, on="currency", how="left")
        .with_columns(
            pl.col(now).pipe(converted, pl.col("numerator"), pl.col("denominator")),
            pl.col("opening").pipe(converted, opened_at, pl.col("denominator")),
        )
        .with_columns(fx=pl.col("closing") - pl.col("opening") - moved)
    )
    return pl.concat([rows.filter(at_home), abroad.select(rows.columns)])


def rates_on(rates: pl.DataFrame, currencies: list[str], before: date, month: date, bank: Bank) -> pl.DataFrame:
    """By currency, the last rates at or before two month ends, as fractions from minor unit to minor unit."""
    rows = []
    for currency in sorted(currencies):
        of = rates.filter(pl.col("currency") == currency, pl.col("on") <= month)
        if of.is_empty():
            raise no_rate(currency, min(month, bank.as_of), bank)
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


def no_rate(currency: str, on: date, bank: Bank) -> InputError:
    """What to say where an exchange rate is missing."""
    return InputError(
        f"fx_rates holds no rate of {currency} at or before {on}. "
        f"Add one to the extract: what one {currency} is worth in {bank.base_currency}."
    )


def _fits(frame: pl.DataFrame, month: date) -> None:
    """Stop before a sum over the bank could wrap; Polars would do so silently."""
    largest = frame.select(pl.max_horizontal(pl.col(*MONEY, "fx").cast(pl.Float64).abs().sum())).item()
    if largest >= 2.0**63:
        raise InputError(
            f"The balance-days of {month:%Y-%m} add up to {largest:.3g} minor units, too much for 64 bits. "
            "Check the amounts and minor_digits in policy.toml."
        )
