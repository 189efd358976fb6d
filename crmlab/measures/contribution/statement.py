"""The statement of a month: facts become components, components customers' lines, and nothing is lost between."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.measures.contribution.components import (
    OF_ACCOUNT,
    components_of,
    e_banking_pairs,
    service_cost,
    taxed,
    with_points,
)
from crmlab.measures.contribution.pricing import no_demand_price
from crmlab.measures.contribution.terms import MonthTerms, Terms, of_month, places, terms
from crmlab.panel.ahead import ahead
from crmlab.panel.align import beside
from crmlab.panel.bookkeeping import by_manager
from crmlab.panel.credit import Credit, credit, credited
from crmlab.panel.exact import converted
from crmlab.panel.relationships import Register, by_holder, by_month, days_of, rates_on, register

KEYS = ["customer_id", "month", "line", "manager_id"]
NEEDED = [
    "account_id", "month", "starts_on", "days", "balance_days", "outflow", "fees", "n_transactions", "n_counter",
    "n_atm", "n_online", "n_mobile", "n_pos",
]  # fmt: skip
PLACE = ["account_id", "starts_on", "pair", "is_shared"]
PRICED_BY = [
    "spread",
    "client",
    "risk",
    "limit",
    "is_accruing",
    "outflow",
    "days",
]  # done with once the components are there
BLOCK = 200_000
OWNERS = ["service_cost", "points_owner"]  # transactions are the owner's, and so is what they cost


class Ledger(NamedTuple):
    """What the contributions of all months are computed from, looked up once."""

    bank: Bank
    terms: Terms
    register: Register
    credit: Credit

    @property
    def currencies(self) -> list[str]:
        """The currencies of the accounts."""
        return self.terms.kinds["currency"].unique().sort().to_list()

    def lines(self, facts: pl.DataFrame, month: date, currency: str | None = None) -> pl.DataFrame:
        """`lines` of one month, from its facts."""
        return _lines(self, facts, month, currency)


def ledger(bank: Bank) -> Ledger:
    """What `lines` needs to know of a bank: terms, holders and managers of all accounts.

    Raises
    ------
    InputError
        Where the transfer price curve has a gap; product, term and date are named. Where the policy's amounts are in a
        currency with other decimals than the bank's.
    """
    _amounts_fit(bank)
    return Ledger(bank, terms(bank), register(bank), credit(bank))


def _amounts_fit(bank: Bank) -> None:
    """The policy's amounts are read in minor units: those of the bank's own currency, or they mean something else."""
    policy, own = bank.policy, bank.base_currency
    if policy.digits(own) != policy.digits(policy.base_currency):
        raise InputError(
            f"All accounts are in {own}, but policy.toml states its amounts in {policy.base_currency}, which has other "
            f'decimals. Write base_currency = "{own}" and the amounts in {own} into policy.toml.'
        )


def lines(facts: pl.LazyFrame, bank: Bank, currency: str | None = None) -> pl.LazyFrame:
    """Contribution of each customer, month by month and line by line, by the manager it counts for.

    Answers: what is this customer worth to us, and which business is it made of?

    Margin is (FTP − client rate) on the balance of every day of a deposit and (client rate − FTP) on that of a loan: a
    term deal at the curve's point of the day it was made or last repriced, other balances at the month's behavioural
    rate; nothing accrues on a loan more than the policy's days overdue, though its funding goes on. Fees are posted
    fees and the policy's commissions. Service cost is by channel and transaction; what online transactions that replace
    counter ones save is moved from the line where they are made to e-banking, if the customer has it. Expected loss is
    exposure × PD × LGD × days / 365. Each component is rounded once, half to even, at account × period, and then only
    converted and split. Source: the policy, `ftp_curve`, `repricings`, `loan_status`.

    Parameters
    ----------
    facts
        As `panel.facts` gives them.
    bank
        The bank they come from.
    currency
        Only accounts in this currency, in its own minor units; None for all of them in the base currency. Costs of
        service and points are of the base currency and stand only there.

    Returns
    -------
    pl.LazyFrame
        customer_id, month, line, manager_id (null: branch-public), a column a component (`components` of
        `policy.contribution`; minor units, signed as it enters the contribution), points (thousandths of a point). Rows
        without anything are left out.

    Raises
    ------
    InputError
        Where an exchange rate or a point of the transfer price curve is missing, or no account is in `currency`.
    """
    of = ledger(bank)
    if currency and currency not in of.currencies:
        raise InputError(f"No account is in {currency}. There are {', '.join(of.currencies)}.")
    months = by_month(facts.select(NEEDED))
    return pl.concat(ahead(lambda item: of.lines(item[1], item[0], currency), months)).lazy()


def long(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Contribution as one row a customer, month, line, manager and component; what is zero has no row.

    Returns
    -------
    pl.LazyFrame
        customer_id, month, line, manager_id, component, amount (minor units, signed: the sum is the contribution).

    Examples
    --------
    >>> row = {"customer_id": 1, "month": date(2024, 1, 31), "line": "deposits", "manager_id": None}
    >>> frame = pl.LazyFrame([row | {"margin": 120, "fee": 0, "service_cost": -30, "points": 5}])
    >>> long(frame).select("component", "amount").collect().rows()
    [('margin', 120), ('service_cost', -30)]
    """
    amounts = lines.drop("points").unpivot(index=KEYS, variable_name="component", value_name="amount")
    return amounts.filter(pl.col("amount") != 0)


def coverage(ledger: Ledger, facts: pl.LazyFrame) -> dict:
    """What the contribution is made of, what it lacks and why, and how many accounts bear a margin nobody can tell.

    Returns
    -------
    dict
        components, missing (component to reason), n_unpriced: accounts of a line with a curve whose client rate or
        balance is not known.
    """
    of = ledger.terms
    return {
        "components": list(ledger.bank.policy.contribution.components),
        "missing": {} if of.is_priced else {"margin": "the extract holds no ftp_curve"},
        "n_unpriced": _n_unpriced(of, facts) if of.is_priced else 0,
    }


def _n_unpriced(terms: Terms, facts: pl.LazyFrame) -> int:
    """Accounts of the facts with a curve, but without a client rate in one of their states, or without a balance."""
    has_curve = terms.kinds["curve"].is_not_null().gather(terms.states["kind"])
    priced = terms.states.filter(has_curve)
    rateless = priced.filter(pl.col("client").is_null())["account_id"].unique().implode()
    is_unpriced = pl.col("account_id").is_in(rateless) | pl.col("balance_days").is_null()
    asked = facts.filter(is_unpriced).select(pl.col("account_id").unique()).collect()["account_id"]
    return asked.is_in(priced["account_id"].unique().implode()).sum()


def _lines(ledger: Ledger, facts: pl.DataFrame, month: date, currency: str | None) -> pl.DataFrame:
    bank, kept = ledger.bank, ledger.bank.policy.contribution.components
    rows = _earned(ledger, facts, month, currency)
    _fits(rows, month, [*(name for name in kept if name != "tax"), "points", "points_owner"])
    rows = taxed(rows, bank.policy)
    before = {name: rows[name].sum() for name in kept}
    shared = rows["is_shared"]
    if shared.any():
        money = [name for name in (*kept, "points") if name not in OWNERS]
        split = by_holder(rows.filter(shared), ledger.register.shares, money, OWNERS)
        rows = pl.concat([rows.filter(~shared), split.select(rows.columns)])
    rows = rows.with_columns(points=pl.col("points") + pl.col("points_owner"))
    rows = credited(rows, ledger.register.pairs, ledger.credit, month, [*kept, "points"])
    sums = by_manager(rows, ledger.register, ledger.credit, month, [*kept, "points"])
    for name, total in before.items():
        if sums[name].sum() != total:
            raise ArithmeticError(f"{name} of {month:%Y-%m}: customers sum to {sums[name].sum()}, accounts to {total}.")
    return sums.filter(pl.any_horizontal(pl.col(*kept, "points") != 0)).select(*KEYS, *kept, "points")


def _earned(ledger: Ledger, facts: pl.DataFrame, month: date, currency: str | None) -> pl.DataFrame:
    """Components and points of account × period in the base currency, or of the accounts in one currency in that."""
    place = places(ledger.terms, facts, month)
    if currency:
        kind = ledger.terms.states["kind"].gather(place)
        mine = (ledger.terms.kinds["currency"] == currency).gather(kind)
        facts, place = facts.filter(mine), place[mine.to_numpy()]
    prices = of_month(ledger.terms, month, ledger.bank, place)
    accounts = ledger.register.accounts.select("account_id", "pair", "is_shared")
    rows = beside(facts.select(NEEDED), accounts, ["account_id"])
    apps = e_banking_pairs(ledger.register, rows["pair"])
    # In blocks, because fresh memory for whole columns takes as long as the arithmetic.
    blocks = [slice(start, start + BLOCK) for start in range(0, max(rows.height, 1), BLOCK)]
    return pl.concat(_block(ledger, rows[at], place[at], prices, apps, month, currency) for at in blocks)


def _block(
    ledger: Ledger,
    rows: pl.DataFrame,
    place: np.ndarray,
    prices: MonthTerms,
    apps: pl.Series,
    month: date,
    currency: str | None,
) -> pl.DataFrame:
    bank, states, kinds = ledger.bank, ledger.terms.states, prices.kinds
    rows = rows.with_columns(
        prices.spread.gather(place).alias("spread"),
        *(states[name].gather(place) for name in ("client", "risk", "limit", "is_accruing", "kind")),
    )
    _overdrafts_priced(rows, kinds, month, ledger)
    rows = components_of(rows, kinds, bank.policy).drop(PRICED_BY)
    rows = service_cost(rows, kinds, apps, bank.policy, counts=currency in (None, bank.base_currency))
    rows = _in_base(rows, ledger, month, currency)
    earned = [name for name in bank.policy.contribution.components if name != "tax"]
    return rows.select(*PLACE, *earned, "points", "points_owner")


def _overdrafts_priced(rows: pl.DataFrame, kinds: pl.DataFrame, month: date, ledger: Ledger) -> None:
    unpriced = kinds.filter("is_deposit", pl.col("overdraft").is_null())
    short = rows.filter(pl.col("balance_days") < 0, pl.col("kind").is_in(unpriced["kind"].implode()))
    if short.height:
        currency = kinds["currency"][short["kind"][0]]
        raise no_demand_price(ledger.bank.policy.pricing.overdraft_curve, currency, month, ledger.bank)


def _in_base(rows: pl.DataFrame, ledger: Ledger, month: date, currency: str | None) -> pl.DataFrame:
    """Components of foreign accounts at the rate of the month's end, each rounded once more; and points on all."""
    bank, kinds = ledger.bank, ledger.terms.kinds
    days = days_of(month, bank)
    if currency not in (None, bank.base_currency):
        return rows.with_columns(points=pl.lit(0, pl.Int64), points_owner=pl.lit(0, pl.Int64))
    abroad = (kinds["currency"] != bank.base_currency).gather(rows["kind"]).arg_true()
    if len(abroad):
        before = month.replace(day=1) - timedelta(days=1)
        currencies = kinds["currency"].gather(rows["kind"].gather(abroad))
        rates = rates_on(ledger.register.rates, currencies.unique().to_list(), before, month, bank)
        money = [name for name in OF_ACCOUNT if name in rows.columns]
        foreign = rows[abroad].with_columns(currency=currencies).join(rates, on="currency", maintain_order="left")
        foreign = foreign.select(pl.col(money).pipe(converted, pl.col("numerator"), pl.col("denominator")))
        rows = rows.with_columns(rows[name].scatter(abroad, foreign[name]) for name in money)
    return with_points(rows, kinds, bank, days)


def _fits(rows: pl.DataFrame, month: date, names: list[str]) -> None:
    """Stop before a sum over the bank, or over components, could wrap; Polars would do so silently."""
    largest = rows.select(pl.sum_horizontal(pl.col(names).cast(pl.Float64).abs().sum())).item()
    if largest >= 2.0**63:
        raise InputError(
            f"The contributions of {month:%Y-%m} add up to {largest:.3g} minor units, too much for 64 bits. "
            "Check the amounts and minor_digits in policy.toml."
        )
