"""Components: what each account earns and costs in a period, each rounded once, half to even."""

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.panel.align import by_account
from crmlab.panel.exact import half_even
from crmlab.panel.relationships import Register
from crmlab.policy import Policy

CHANNELS = ("counter", "atm", "online", "mobile", "pos")
OF_ACCOUNT = ("margin", "fee", "expected_loss", "capital", "fees", "balance_days")  # in the account's currency at first
RISK_YEAR = 365
E_BANKING = "e-banking"


def components_of(rows: pl.DataFrame, kinds: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Margin, fee, expected loss and capital of account × period, in the account's currency.

    Parameters
    ----------
    rows
        balance_days, outflow, fees, days, spread (FTP less client rate; null: not known), is_accruing, risk (PD × LGD),
        limit, kind.
    kinds
        What the policy and the month say of each kind, in the order of their numbers.
    policy
        The bank's rules.

    Returns
    -------
    pl.DataFrame
        `rows` with margin, fee, expected_loss and, where the policy asks for it, capital.
    """
    of = _of_kind(kinds, rows["kind"])
    rows = rows.with_columns(pl.col("balance_days").fill_null(0), pl.col("spread").fill_null(0))
    overdrawn = (rows["balance_days"] < 0) & of("is_deposit")
    rows = rows.with_columns(
        margin=_margin(rows, overdrawn, of), fee=_fee(rows, kinds), expected_loss=pl.lit(0, pl.Int64)
    )
    if "capital" in policy.contribution.components:
        rows = rows.with_columns(capital=pl.lit(0, pl.Int64))
    return _with_risk(rows, of)


def _of_kind(kinds: pl.DataFrame, kind: pl.Series):
    return lambda name: kinds[name].gather(kind)


def _wide(*sizes: pl.Series) -> type[pl.DataType]:
    """64 bits where the product of values of these sizes surely fits, else 128."""
    bound = 4.0
    for values in sizes:
        bound *= max(abs(float(values.max() or 0)), abs(float(values.min() or 0)), 1.0)
    return pl.Int64 if bound < 2.0**63 else pl.Int128


def _margin(rows: pl.DataFrame, overdrawn: pl.Series, of) -> pl.Series:
    """(FTP − client rate) × balance_days ÷ the year's days: of a loan, whose balance is negative, client rate − FTP."""
    overdraft = pl.when(rows["is_accruing"]).then(of("overdraft")).otherwise(of("unpaid_overdraft"))
    # What is overpaid on a loan or a card is money of the customer that bears no interest.
    overpaid = (rows["balance_days"] > 0) & of("is_loan")
    rate = pl.when(overdrawn).then(overdraft).when(overpaid).then(rows["spread"] + rows["client"])
    rate = pl.select(rate.otherwise(rows["spread"])).to_series().fill_null(0)
    return _rounded(_product(rows["balance_days"], rate), of("year_days") * MILLION)


def _product(values: pl.Series, rates: pl.Series) -> pl.Series:
    width = _wide(values, rates)
    return values.cast(width) * rates.cast(width)


def _rounded(product: pl.Series, divisor: pl.Series | int) -> pl.Series:
    frame = pl.DataFrame({"product": product}).with_columns(divisor=divisor)
    return frame.select(half_even(pl.col("product"), pl.col("divisor").cast(product.dtype))).to_series()


def _fee(rows: pl.DataFrame, kinds: pl.DataFrame) -> pl.Series:
    """Posted fees, and the policy's commissions on what is held and what is spent."""
    place = _bearing(kinds["on_balance"] + kinds["on_turnover"], rows["kind"])
    some = rows.select(pl.col("balance_days", "outflow", "kind").gather(place))
    of = _of_kind(kinds, some["kind"])
    on_balance, on_turnover, year = of("on_balance"), of("on_turnover"), of("year_days")
    held = some["balance_days"].clip(lower_bound=0)
    width = _wide(pl.concat([held, some["outflow"]]), pl.concat([on_balance, on_turnover]), year)
    product = held.cast(width) * on_balance.cast(width) + some["outflow"].cast(width) * (on_turnover * year).cast(width)
    return _spread(place, _rounded(product, year * MILLION), rows.height) - rows["fees"]


def _with_risk(rows: pl.DataFrame, of) -> pl.DataFrame:
    """Expected loss, and capital, of the rows that bear an exposure: what is drawn, and a part of what could be."""
    rates = {"conversion": of("conversion"), "charge": of("capital")}
    is_drawn = (rows["balance_days"] < 0) & of("is_lent")
    exposed = (is_drawn | ((rates["conversion"] > 0) & (rows["limit"] > 0))).arg_true()
    if not len(exposed):
        return rows
    some = rows.select("balance_days", "limit", "days", "risk").with_columns(**rates)[exposed].cast(pl.Int128)
    drawn = (0 - pl.col("balance_days")).clip(lower_bound=0)
    undrawn = (pl.col("limit") * pl.col("days") - drawn).clip(lower_bound=0)
    exposure = drawn * MILLION + undrawn * pl.col("conversion")  # millionths of minor units × days
    losses = some.with_columns(exposure=exposure).select(
        expected_loss=pl.col("exposure") * pl.col("risk"), capital=pl.col("exposure") * pl.col("charge")
    )
    year = pl.lit(RISK_YEAR * MILLION, pl.Int128)
    found = losses.select(
        expected_loss=-half_even(pl.col("expected_loss"), year * MILLION * MILLION),
        capital=-half_even(pl.col("capital"), year * MILLION),
    )
    kept = [name for name in found.columns if name in rows.columns]
    return rows.with_columns(rows[name].scatter(exposed, found[name]) for name in kept)


def service_cost(
    rows: pl.DataFrame, kinds: pl.DataFrame, apps: pl.Series, policy: Policy, counts: bool = True
) -> pl.DataFrame:
    """`rows` with service_cost in base currency, and a row more for e-banking where the customer has it this month.

    Online transactions that replace one at the counter are charged to their line at the counter's cost, and e-banking
    is credited with the difference: the line shows what it saved, and the customer's total what was really spent. All
    online transactions count for e-banking's points.

    Parameters
    ----------
    rows
        n_transactions and the number by channel, pair, kind.
    kinds
        The kinds, of which e-banking is one where any customer has it.
    apps
        `e_banking_pairs` of the month.
    policy
        Cost by channel, and the share of online transactions that replace one at the counter.
    counts
        False where the rows are told in another currency than that of costs: nothing is charged then.
    """
    if not counts:
        return rows.with_columns(service_cost=pl.lit(0, pl.Int64))
    rules, cost = policy.contribution, policy.contribution.cost
    number = {name: pl.col(f"n_{name}").cast(pl.Int64) for name in CHANNELS}
    other = pl.col("n_transactions").cast(pl.Int64) - pl.sum_horizontal(number.values())
    spent = pl.sum_horizontal(number[name] * cost[name] for name in CHANNELS) + other * cost["system"]
    cheaper = pl.sum_horizontal(number[name] * (cost["counter"] - cost[name]) for name in ("online", "mobile"))
    costs = rows.lazy().select(service_cost=-spent, saved=half_even(cheaper * rules.substituted_share, MILLION))
    rows = rows.hstack(costs.collect(engine="streaming")).with_columns(e_pair=apps.gather(rows["pair"]))
    is_online = pl.col("n_online") + pl.col("n_mobile") > 0
    moved = is_online & pl.col("e_pair").is_not_null() & (pl.col("e_pair") != pl.col("pair"))
    credited = rows.filter(moved)
    credited = credited.with_columns(
        *(pl.lit(0, pl.Int64).alias(name) for name in OF_ACCOUNT if name in rows.columns),
        n_transactions=pl.col("n_online") + pl.col("n_mobile"),
        kind=pl.lit(kinds.filter(pl.col("line") == E_BANKING)["kind"].first(), rows.schema["kind"]),
        service_cost="saved",
        pair="e_pair",
        is_shared=pl.lit(False),
    )
    rows = rows.with_columns(service_cost=pl.col("service_cost") - pl.when(moved).then("saved").otherwise(0))
    counted = ["saved", "e_pair", *(f"n_{name}" for name in CHANNELS)]
    return pl.concat([rows.drop(counted), credited.drop(counted)])


def e_banking_pairs(register: Register, present: pl.Series) -> pl.Series:
    """Of each pair of customer and line, the customer's pair with e-banking if that is present; else null."""
    pairs = register.pairs
    is_present = pl.repeat(False, pairs.height, eager=True).scatter(present, True)
    held = pairs.filter(is_present & (pairs["line"] == E_BANKING))
    size = (pairs["customer_id"].max() or 0) + 1
    return by_account(held["customer_id"], held["pair"], size).gather(pairs["customer_id"])


def taxed(rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """`rows` with tax on the sum of the other components, where the policy asks for it; a loss lowers it."""
    others = [name for name in policy.contribution.components if name != "tax"]
    if "tax" not in policy.contribution.components:
        return rows
    base = pl.sum_horizontal(others).cast(pl.Int128)
    return rows.with_columns(tax=-half_even(base * policy.contribution.tax, MILLION))


def with_points(rows: pl.DataFrame, kinds: pl.DataFrame, bank: Bank, days: int) -> pl.DataFrame:
    """`rows`, in base currency, with points (thousandths) on balances and fees, and points_owner on transactions.

    Parameters
    ----------
    days
        The days of the month, over which a balance is averaged.
    """
    major = 10 ** bank.policy.digits(bank.base_currency) * 1000

    def points(values: pl.Series, rates: pl.Series, divisor: int) -> pl.Series:
        place = _bearing(rates, rows["kind"])
        product = _product(values.gather(place), rates.gather(rows["kind"].gather(place)))
        return _spread(place, _rounded(product, divisor), rows.height)

    on_average = points(rows["balance_days"].abs(), kinds["points_average"], days * major)
    on_fees = points(-rows["fees"], kinds["points_fee"], major)
    on_number = points(rows["n_transactions"].cast(pl.Int64), kinds["points_transaction"], 1000)
    return rows.with_columns(points=on_average + on_fees, points_owner=on_number)


def _bearing(rates: pl.Series, kind: pl.Series) -> pl.Series:
    """The rows of the kinds whose rate is not 0: the others, often most of them, need no product."""
    return (rates != 0).gather(kind).arg_true()


def _spread(place: pl.Series, values: pl.Series, height: int) -> pl.Series:
    """Values at their places, 0 elsewhere."""
    zeros = pl.repeat(0, height, dtype=pl.Int64, eager=True)
    return zeros.scatter(place, values) if len(place) else zeros
