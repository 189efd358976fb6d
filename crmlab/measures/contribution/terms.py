"""Terms: what each account earns and risks by its deal and its state, looked up once for all months."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.bank.read import Bank
from crmlab.measures.contribution.pricing import deal_prices, month_prices, no_demand_price
from crmlab.panel.deals import deals

KIND = ["line", "currency"]
EPOCH = date(1970, 1, 1)
DAY_BITS = 20


class Terms(NamedTuple):
    """States of accounts in the order of account and day, and the few kinds (line and currency) they are of.

    `states`: account_id, from_on, kind (place in `kinds`), client (rate in millionths; null if unknown, 0 while nothing
    accrues), ftp (of a term deal, else null), risk (PD × LGD, millionths of millionths), limit, is_accruing. `kinds`:
    line, currency, and what the policy says of them. `is_priced` is False where the bank delivers no curve. `numbers`
    tell account and day of each state in one, `firsts` the place of each account's first state, `laters` the places of
    all other states.
    """

    states: pl.DataFrame
    kinds: pl.DataFrame
    is_priced: bool
    numbers: np.ndarray
    firsts: np.ndarray
    laters: np.ndarray


def terms(bank: Bank) -> Terms:
    """Terms of all accounts known at `as_of`.

    Raises
    ------
    InputError
        Where the curve has a gap; the deal is named.
    """
    products = bank.table("products").select(
        "product_id",
        pl.col("line").cast(pl.String),
        pl.col("term").cast(pl.String),
        product=pl.coalesce("name", "product_id"),
    )
    wanted = ["account_id", "currency", "limit", "collateral", "term_months", "closed_on"]
    accounts = bank.table("accounts").join(products, on="product_id", how="left")
    accounts = accounts.select(*wanted, "line", "term", "product").collect()
    kinds = _kinds(accounts, bank)
    states = deals(bank).join(accounts, on="account_id", how="left", maintain_order="left")
    states = states.join(kinds.select(*KIND, "kind", "curve"), on=KIND, how="left", maintain_order="left")
    states = states.with_columns(
        client=pl.when("is_accruing").then("rate").otherwise(0), risk=_risk(bank), limit=pl.col("limit").fill_null(0)
    )
    is_priced = not bank.table("ftp_curve").head(1).collect().is_empty()
    states = _priced(states, bank) if is_priced else states.with_columns(ftp=pl.lit(None, pl.Int64))
    kept = ["account_id", "from_on", "kind", "client", "ftp", "risk", "limit", "is_accruing"]
    return Terms(states.select(kept), kinds, is_priced, *_index(states))


def _index(states: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    account = states["account_id"].to_numpy()
    is_first = np.diff(account, prepend=-1) != 0
    firsts = np.zeros(int(account.max(initial=-1)) + 1, np.int64)
    firsts[account[is_first]] = np.flatnonzero(is_first)
    return _numbers(account, states["from_on"]), firsts, np.flatnonzero(~is_first)


def _kinds(accounts: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """What the policy says of each line and currency that there is."""
    pricing, rules = bank.policy.pricing, bank.policy.contribution

    def of_line(table: dict[str, int]) -> pl.Expr:
        return pl.col("line").replace_strict(table, default=0, return_dtype=pl.Int64)

    def points(basis: str) -> pl.Expr:
        return of_line({line: rates.get(basis, 0) for line, rates in rules.points.items()})

    deposits = bank.policy.lines_of("deposits")
    year = {currency: pricing.year_days(currency) for currency in accounts["currency"].unique()}
    return (
        accounts.select(KIND)
        .unique()
        .sort(KIND)
        .with_row_index("kind")
        .with_columns(
            curve=pl.col("line").replace_strict(pricing.curves, default=None, return_dtype=pl.String),
            is_lent=pl.col("line").is_in([*pricing.curves, *rules.conversion, *rules.capital]),
            is_loan=pl.col("line").is_in([line for line in pricing.curves if line not in deposits]),
            is_deposit=pl.col("line").is_in(deposits),
            year_days=pl.col("currency").replace_strict(year, return_dtype=pl.Int64),
            on_balance=of_line(rules.commission_on_balance),
            on_turnover=of_line(rules.commission_on_turnover),
            conversion=of_line(rules.conversion),
            capital=of_line(rules.capital),
            points_average=points("average"),
            points_fee=points("fee"),
            points_transaction=points("transaction"),
        )
    )


def _risk(bank: Bank) -> pl.Expr:
    """PD by grade, else by five-grade class, else that of a normal loan; times LGD by collateral."""
    rules = bank.policy.contribution
    graded = pl.col("risk_grade").replace_strict(rules.pd, default=None, return_dtype=pl.Int64)
    classed = pl.col("five_grade").replace_strict(rules.pd_by_class, default=None, return_dtype=pl.Int64)
    lgd = pl.col("collateral").replace_strict(rules.lgd, default=rules.lgd["none"], return_dtype=pl.Int64)
    return pl.coalesce(graded, classed, pl.lit(rules.pd_by_class["normal"])) * lgd


def _priced(states: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """States with the transfer price of those that are term deals of a line with a curve, and alive in the history."""
    is_term = (pl.col("term_months").fill_null(0) > 0) & (pl.col("term").fill_null("term") != "demand")
    alive = pl.col("closed_on").is_null() | (pl.col("closed_on") >= bank.history_from)
    next_on = pl.when(pl.col("account_id") == pl.col("account_id").shift(-1)).then(pl.col("from_on").shift(-1))
    states = states.with_columns(
        is_deal=is_term & alive & pl.col("curve").is_not_null() & (next_on.is_null() | (next_on > bank.history_from))
    )
    made = deal_prices(
        states.filter("is_deal").select(
            "account_id", "from_on", "product", "curve", "currency", "term_months", "priced_on"
        ),
        bank,
    )
    place = states["is_deal"].arg_true()
    ftp = pl.repeat(None, states.height, dtype=pl.Int64, eager=True)
    return states.with_columns(ftp=ftp.scatter(place, made["ftp"]) if len(place) else ftp)


class MonthTerms(NamedTuple):
    """The terms in force in one month: of each state its spread (null if it cannot be told), and the kinds' prices."""

    spread: pl.Series
    kinds: pl.DataFrame


def of_month(terms: Terms, month: date, bank: Bank, used: np.ndarray) -> MonthTerms:
    """What one month adds to the terms: the behavioural rate of balances without a term, and of overdrafts.

    Parameters
    ----------
    used
        The states that are in force in the month (`places`).

    Raises
    ------
    InputError
        Where the month has no behavioural rate for a state that needs one.
    """
    pricing, kinds = bank.policy.pricing, terms.kinds
    if not terms.is_priced:
        nothing = pl.repeat(0, terms.states.height, dtype=pl.Int64, eager=True)
        unknown = pl.lit(0, pl.Int64)
        return MonthTerms(nothing, kinds.with_columns(demand=unknown, overdraft=unknown, unpaid_overdraft=unknown))
    demand = month_prices(kinds.select("curve", "currency"), month, bank)["ftp"]
    loans = month_prices(kinds.select("currency", curve=pl.lit(pricing.overdraft_curve)), month, bank)["ftp"]
    kinds = kinds.with_columns(demand=demand, overdraft=loans - pricing.overdraft_rate, unpaid_overdraft=loans)
    states = terms.states.select("kind", "client", "ftp", demand=kinds["demand"].gather(terms.states["kind"]))
    has_curve = kinds["curve"].is_not_null().gather(states["kind"])
    lacking = has_curve & states["ftp"].is_null() & states["demand"].is_null()
    if lacking.any() and lacking.gather(used).any():
        kind = kinds.row(states["kind"].gather(used).filter(lacking.gather(used))[0], named=True)
        raise no_demand_price(kind["curve"], kind["currency"], month, bank)
    spread = states.select(
        pl.when(has_curve).then(pl.coalesce("ftp", "demand") - pl.col("client")).otherwise(0)
    ).to_series()
    return MonthTerms(spread, kinds)


def places(terms: Terms, rows: pl.DataFrame, month: date) -> np.ndarray:
    """The state in force on the first day of each row, as its place in `terms.states`.

    Parameters
    ----------
    rows
        account_id, starts_on: the first day of a stretch within one state, in `month`.
    """
    first = month.replace(day=1)
    day = terms.numbers[terms.laters] & ((1 << DAY_BITS) - 1)
    known = terms.laters[day <= (first - EPOCH).days]
    latest = terms.firsts.copy()
    latest[terms.numbers[known] >> DAY_BITS] = known  # where an index stands twice, numpy keeps the last
    account = rows["account_id"].to_numpy()
    found = latest[account]
    inside = (rows["starts_on"] > first).arg_true().to_numpy()
    number = _numbers(account[inside], rows["starts_on"].gather(inside))
    found[inside] = np.maximum(np.searchsorted(terms.numbers, number, "right") - 1, found[inside])
    return found


def _numbers(account: np.ndarray, day: pl.Series) -> np.ndarray:
    """Account and day as one number; of the days before 1970, which all count as the first, the last state holds."""
    return account.astype(np.int64) << DAY_BITS | np.maximum(day.to_physical().to_numpy().astype(np.int64), 0)
