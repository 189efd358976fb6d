"""The rules in words, a sentence each: what `crmlab policy` prints."""

import calendar
from collections.abc import Iterable
from decimal import Decimal

import polars as pl

from crmlab.policy.phrases import amount, capital_first, counted, joined, minor, money, percent, plain, verb
from crmlab.policy.rules import Policy, TierRule
from crmlab.policy.source import MILLION
from crmlab.policy.words_customers import customer_words
from crmlab.policy.words_managing import managing_words
from crmlab.policy.words_offering import offering_words

VALUES = {
    "aum_average": "the average AUM of {}",
    "weighted_average": "the weighted average of assets of {}",
    "contribution": "the contribution of {}",
    "points": "the points of {}",
}
SMALLEST = {"points": (3, "points")}  # what a tier's bound is counted in, where it is not money


def words(policy: Policy) -> list[str]:
    """All rules of a bank in sentences under headings, a line each.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> words(load())[:2]
    ['Product lines', '  Deposits, wealth and insurance make up AUM.']
    """
    sections = {
        "Product lines": _lines(policy),
        "Extracts": _extracts(policy),
        "Activity": _activity(policy),
        "Recency, frequency, monetary": _rfm(policy),
        "Margin": _margin(policy),
        "Fees and commission": _commission(policy),
        "Service cost": _cost(policy),
        "Expected loss": _loss(policy),
        "Capital and tax": _capital(policy),
        "Points": _points(policy),
        **{f"Tiers: {rule.name}": _tier(policy, rule) for rule in policy.tiers},
        "Completeness": _completeness(policy),
        "Deviation": _deviation(policy),
        **customer_words(policy),
        **offering_words(policy),
        **managing_words(policy),
    }
    return [line for heading, said in sections.items() for line in section(heading, said)]


def section(heading: str, sentences: Iterable[str]) -> list[str]:
    """A heading, its sentences indented below it, and an empty line.

    Examples
    --------
    >>> section("Points", ["There are none."])
    ['Points', '  There are none.', '']
    """
    return [heading, *(f"  {capital_first(sentence)}" for sentence in sentences), ""]


def prices(policy: Policy, curve: pl.DataFrame) -> list[str]:
    """What each line earns at the latest transfer prices, a sentence a currency and tenor.

    Parameters
    ----------
    policy
        The rules, which say what curve funds a line and at which tenors it is read.
    curve
        Rows of ftp_curve: currency, line, term_months, on, rate (millionths a year).

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab.policy import load
    >>> row = {"currency": "CNY", "line": "deposits", "term_months": 12, "on": date(2025, 3, 1), "rate": 23500}
    >>> prices(load(), pl.DataFrame([row]))
    ['Deposits in CNY of 12 months made on 2025-03-01 earn 2.35 % (FTP) less the client rate.']
    """
    latest = curve.filter(
        pl.col("on") == pl.col("on").max().over("currency", "line", "term_months"),
        pl.col("term_months").is_in(policy.pricing.tenors),
    ).sort("currency", "term_months")
    return [
        _price(policy, line, row)
        for line, funded_by in policy.pricing.curves.items()
        for row in latest.filter(pl.col("line").cast(pl.String) == funded_by).iter_rows(named=True)
    ]


def _price(policy: Policy, line: str, row: dict) -> str:
    months, on, rate = row["term_months"], row["on"], percent(row["rate"])
    deal = f"of {counted(months, 'month')} made on {on}" if months else f"on demand on {on}"
    is_owed = policy.lines[row["line"]] == "loans"
    earned = f"the client rate less {rate} (FTP)" if is_owed else f"{rate} (FTP) less the client rate"
    return f"{capital_first(line)} in {row['currency']} {deal} {verb([line], 'earn')} {earned}."


def _lines(policy: Policy) -> list[str]:
    kinds = {class_: policy.lines_of(class_) for class_ in ("loans", "services")}
    aum = policy.lines_of("deposits", "investments")
    said = [f"{joined(aum)} {verb(aum, 'make')} up AUM."] if aum else []
    return said + [f"{joined(lines)} {verb(lines, 'count')} as {class_}." for class_, lines in kinds.items() if lines]


def _extracts(policy: Policy) -> list[str]:
    return [
        f"Sums over several currencies are in {policy.base_currency}.",
        f"A table of which more than {percent(round(policy.max_reject_share * MILLION))} is rejected is not loaded.",
        f"A recorded balance may differ from its flows by up to {amount(policy.tolerance)} of its currency.",
    ]


def _activity(policy: Policy) -> list[str]:
    return [
        f"A sign of life is a transaction of the kind {joined(policy.activity_kinds, 'or')} that the "
        f"{joined(policy.activity_initiators, 'or')} initiated.",
        f"A customer without one for {counted(policy.activity_window_days, 'day')} is not active.",
        f"Churn: {policy.churn_words.rstrip('.')}.",
        f"A single credit from outside of at least {money(policy, policy.large_inflow)} is a large inflow.",
    ]


def _rfm(policy: Policy) -> list[str]:
    return [
        f"What happened in the last {counted(policy.rfm_window_days, 'day')} is scored in {policy.rfm_bands} bands, "
        f"{policy.rfm_bands} the best.",
        *(
            f"{segment.name} have recency {_range(segment.r)}, frequency {_range(segment.f)} "
            f"and monetary {_range(segment.m)}."
            for segment in policy.rfm_segments
        ),
    ]


def _margin(policy: Policy) -> list[str]:
    pricing = policy.pricing
    without = [line for line in policy.lines if line not in pricing.curves]
    return [
        *(
            f"{line} {verb([line], 'earn')} their margin on the curve of {curve}."
            for line, curve in pricing.curves.items()
        ),
        *([f"{joined(without)} {verb(without, 'bear')} no margin."] if without else []),
        f"Curves are read at {joined([str(tenor) for tenor in pricing.tenors])} months, a deal at the longest of these "
        "that is not beyond its term.",
        f"An overdraft bears {percent(pricing.overdraft_rate)} a year and is funded on the curve of "
        f"{pricing.overdraft_curve}.",
        f"No client interest accrues beyond {counted(pricing.accrual_days, 'day')} overdue.",
        f"A year of interest has {_days(pricing.day_count)}; it has 365 days in any other currency.",
    ]


def _commission(policy: Policy) -> list[str]:
    rules = policy.contribution
    return [
        *(
            f"{line} {verb([line], 'yield')} {percent(rate)} a year of the average balance in commission."
            for line, rate in rules.commission_on_balance.items()
        ),
        *(
            f"{line} {verb([line], 'yield')} {percent(rate)} of what is spent in commission."
            for line, rate in rules.commission_on_turnover.items()
        ),
    ] or ["There is no commission."]


def _cost(policy: Policy) -> list[str]:
    rules = policy.contribution
    cost = {channel: minor(policy, units) for channel, units in rules.cost.items()}
    saved = {channel: minor(policy, rules.cost["counter"] - rules.cost[channel]) for channel in ("online", "mobile")}
    return [
        *(f"A transaction in the channel {channel} costs {said}." for channel, said in cost.items()),
        f"In place of one at the counter, an online transaction saves {saved['online']}, "
        f"a mobile one {saved['mobile']}.",
        f"{percent(rules.substituted_share)} of online and mobile transactions are in place of one at the counter.",
    ]


def _loss(policy: Policy) -> list[str]:
    rules = policy.contribution
    return [
        "Expected loss is exposure × probability of default × loss given default × days / 365.",
        *(f"A customer of grade {grade} defaults with {percent(pd)} a year." for grade, pd in rules.pd.items()),
        *(
            f"Without a grade, a loan of the class {class_} defaults with {percent(pd)} a year."
            for class_, pd in rules.pd_by_class.items()
        ),
        *(f"A default {_secured(collateral)} loses {percent(lgd)}." for collateral, lgd in rules.lgd.items()),
        *(f"{percent(share)} of an undrawn limit of {line} is exposure." for line, share in rules.conversion.items()),
    ]


def _secured(collateral: str) -> str:
    return "without a listed collateral" if collateral == "none" else f"with {collateral} as collateral"


def _capital(policy: Policy) -> list[str]:
    rules = policy.contribution
    costs = [f"Capital costs {percent(rate)} a year of the exposure of {line}." for line, rate in rules.capital.items()]
    tax = f"Tax takes {percent(rules.tax)} of what is left." if rules.tax else "Contribution is before tax."
    return [*(costs or ["Contribution bears no cost of capital."]), tax]


def _points(policy: Policy) -> list[str]:
    unit = {"average": "{} of average balance", "fee": "{} of fees", "transaction": "transaction"}
    return [
        f"{line} {verb([line], 'earn')} {plain(rate)} points a month for each "
        f"{unit[basis].format(policy.base_currency)}."
        for line, rates in policy.contribution.points.items()
        for basis, rate in rates.items()
    ] or ["There are no points."]


def _tier(policy: Policy, rule: TierRule) -> list[str]:
    span = "the last month" if rule.months == 1 else f"the last {rule.months} months"
    months = [calendar.month_name[month] for month in rule.assessed]
    when = "every month" if len(months) == 12 else joined(months)
    weights = [f"{name} counts with {percent(weight)}" for name, weight in rule.weights.items()]
    return [
        f"It is assessed at the end of {when} on {VALUES[rule.on].format(span)}.",
        *([f"{joined(weights)}."] if weights else []),
        _bounds(policy, rule),
        "A promotion is at once.",
        _fall(rule),
        *([f"Within {percent(rule.near)} of a bound a customer is near it."] if rule.near else []),
    ]


def _bounds(policy: Policy, rule: TierRule) -> str:
    lowest, *others = rule.levels
    if any(level.top is not None for level in others):
        tops = [f"the best {percent(level.top)} are {level.name}" for level in others]
        return f"Of the customers of a kind, {joined(tops)}; all others are {lowest.name}."
    digits, unit = SMALLEST.get(rule.on, (policy.digits(policy.base_currency), policy.base_currency))
    bounds = [f"from {amount(Decimal(level.lower).scaleb(-digits))} {unit} {level.name}" for level in others]
    return f"A customer is {lowest.name}, {joined(bounds)}." if bounds else f"Every customer is {lowest.name}."


def _fall(rule: TierRule) -> str:
    how_far = f"more than {percent(rule.buffer)} below the bound of the level" if rule.buffer else "below the level"
    how_often = f"when {rule.confirm} assessments in a row say so" if rule.confirm > 1 else "at once"
    return f"Whoever is {how_far} falls {how_often}."


def _completeness(policy: Policy) -> list[str]:
    rules = policy.completeness
    return [
        f"Key customers are those of the {policy.tiers[0].name} {joined(rules.key_tiers, 'or')}.",
        *(
            f"Of a key customer of the kind {kind} the bank must know {joined(fields)}."
            for kind, fields in rules.fields.items()
            if fields
        ),
    ]


def _deviation(policy: Policy) -> list[str]:
    rule = policy.deviation
    return [
        f"A quarter end is a spike where closing exceeds the month's average by at least {percent(rule.flag)} of it "
        f"and by at least {money(policy, rule.least)}."
    ]


def _days(day_count: dict[str, int]) -> str:
    by_days = {
        days: [code for code in day_count if day_count[code] == days] for days in sorted(set(day_count.values()))
    }
    return joined([f"{days} days in {joined(codes)}" for days, codes in by_days.items()])


def _range(bands: tuple[int, int]) -> str:
    return str(bands[0]) if bands[0] == bands[1] else f"{bands[0]} to {bands[1]}"
