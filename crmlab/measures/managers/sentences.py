"""Each row of a trace as a sentence that can be checked with a pencil."""

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from crmlab.measures.managers.scoring import several
from crmlab.policy import MEASURES, Scorecard, ScoreRule
from crmlab.policy.phrases import amount, counted
from crmlab.policy.scoring import COUNT, DIGITS, MONEY, POINT_DIGITS, RATE, measure_label

MILLION = 1_000_000
OF_MONEY = ("maturity_retention", "collection")  # shares of an amount, not of a number


def told(trace: pl.DataFrame, cards: Scorecard | Sequence[Scorecard]) -> pl.DataFrame:
    """The trace with a sentence a row.

    Parameters
    ----------
    trace
        As `scoring.scores` gives it.
    cards
        The scorecards it was made with.

    Returns
    -------
    The trace with sentence.

    Examples
    --------
    >>> from crmlab.policy.scoring import Entry, Scorecard, ScoreRule
    >>> rule = ScoreRule("Savings average", "savings_average", "steps", "results", start=300_000_000,
    ...     every=50_000_000, points=5_000)
    >>> entry = Entry("savings_average", 300_000_000)
    >>> card = Scorecard("All", (rule,), digits=2, entries=(entry,))
    >>> trace = pl.DataFrame({"card": ["All"], "rule": ["Savings average"], "kind": ["steps"], "place": [2],
    ...     "measure": ["savings_average"], "value": [412_000_000], "n": [None], "n_events": [None], "target": [None],
    ...     "base": [None], "steps": [2], "score": [None], "points": [10_000], "is_capped": [False],
    ...     "is_void": [False]})
    >>> told(trace, card)["sentence"].item()
    'Savings average 4.12 m, 1.12 m above entry → 2 full steps of 500,000 → +10'
    """
    by_name = {card.name: card for card in several(cards)}
    rules = {(card.name, rule.name): rule for card in by_name.values() for rule in card.rules}
    said = [
        _sentence(row, by_name[row["card"]], rules.get((row["card"], row["rule"])))
        for row in trace.iter_rows(named=True)
    ]
    return trace.with_columns(sentence=pl.Series(said, dtype=pl.String))


def quantity(measure: str, number: int, digits: int) -> str:
    """A value of a measure, exact: money in millions only where two digits after the point say all of it.

    Examples
    --------
    >>> quantity("savings_average", 412_000_000, 2), quantity("savings_average", 399_999_900, 2)
    ('4.12 m', '3,999,999')
    >>> quantity("collection", 969_900, 2), quantity("satisfaction", 8_250, 2), quantity("new_cards", 649, 2)
    ('96.99 %', '8.25', '649')
    """
    return f"{'−' if number < 0 else ''}{_size(measure, abs(number), digits)}"


def signed(points: int) -> str:
    """Points with their sign.

    Examples
    --------
    >>> signed(10_000), signed(-2_500), signed(0)
    ('+10', '−2.5', '+0')
    """
    return f"{'−' if points < 0 else '+'}{_points(abs(points))}"


def _sentence(row: dict, card: Scorecard, rule: ScoreRule | None) -> str:
    end = f" → {signed(row['points'])}"
    if row["kind"] == "entry":
        return _entry(row, card)
    if row["kind"] == "base":
        return f"Base: {'an entry is not met' if row['is_void'] else 'every entry is met'}{end}"
    if row["kind"] == "bound":
        return _bound(row, card) + end
    if row["is_void"]:
        return f"{_measured(row, card)}: an entry is not met, so it counts for nothing{end}"
    if rule.weight is None:
        return _counted(row, card, rule) + end
    return _graded(row, card, rule) + end


def _entry(row: dict, card: Scorecard) -> str:
    least = next(entry.least for entry in card.entries if entry.measure == row["measure"])
    label = measure_label(row["measure"])
    asked = quantity(row["measure"], least, card.digits)
    if row["value"] is None:
        return f"Entry: {label} of {asked} at least, not measured → not met"
    value = quantity(row["measure"], row["value"], card.digits)
    gap = _gap(row["measure"], least - row["value"], card.digits)
    met = "not met" if row["is_void"] else "met"
    return f"Entry: {label} {value}, {f'{gap} short of' if row['is_void'] else 'at least'} {asked} → {met}"


def _bound(row: dict, card: Scorecard) -> str:
    if row["rule"] == "Total":
        is_low = row["points"] > 0
        kept = f"{'at least' if is_low else 'at most'} {_points(card.floor if is_low else card.cap)}"
        return f"Total {_points(row['value'])}, kept to {kept}"
    return f"All deductions {signed(row['value'])}, together at most {signed(-card.deduction_cap)}"


def _measured(row: dict, card: Scorecard) -> str:
    """The rule's name and the value, a rate with the numbers it is made of."""
    if row["value"] is None:
        return f"{row['rule']}: nothing to judge"
    return f"{row['rule']} {quantity(row['measure'], row['value'], card.digits)}{_made_of(row, card.digits)}"


def _made_of(row: dict, digits: int) -> str:
    """What a rate or a mean was counted from, each part in its own unit."""
    if row["n"] is None or row["n_events"] is None:
        return ""
    events, n = row["n_events"], row["n"]
    if row["measure"] in OF_MONEY:
        return f" ({_money(events, digits)} of {_money(n, digits)})"
    said = {
        "cost_per_win": f"{_money(events, digits)} for {counted(n, 'win')}",
        "products_per_customer": f"{counted(events, 'product')} of {counted(n, 'customer')}",
        "satisfaction": f"from {counted(n, 'answer')}",
    }
    return f" ({said.get(row['measure'], f'{events:,} of {n:,}')})"


def _money(minor: int, digits: int) -> str:
    return quantity("contribution", minor, digits)


def _counted(row: dict, card: Scorecard, rule: ScoreRule) -> str:
    said = _measured(row, card)
    if row["value"] is None:
        return said
    kept = f", kept to {_points(rule.cap)}" if row["is_capped"] else ""
    if MEASURES[rule.measure] == COUNT and rule.every == 1:
        sign = "−" if rule.kind == "deduction" else ""
        steps = f" → {row['steps']:,} × {sign}{_points(rule.points)}" if row["steps"] > 1 else ""
    else:
        steps = f" → {_steps(row, card, rule)}"
    return f"{said}{_beyond(row, card, rule)}{steps}{kept}"


def _steps(row: dict, card: Scorecard, rule: ScoreRule) -> str:
    n, whole = row["steps"], "begun" if rule.is_started else "full"
    steps = f"{n:,} {whole} step{'' if n == 1 else 's'}" if n else f"no {whole} step"
    return f"{steps} of {_gap(rule.measure, rule.every, card.digits)}"


def _beyond(row: dict, card: Scorecard, rule: ScoreRule) -> str:
    """How far the value is from where steps begin, where that is not at 0."""
    if not rule.start:
        return ""
    entries = {entry.measure: entry.least for entry in card.entries}
    start = "entry" if entries.get(rule.measure) == rule.start else quantity(rule.measure, rule.start, card.digits)
    gap = row["value"] - rule.start
    by = _gap(rule.measure, abs(gap), card.digits)
    return f", {by} {'above' if gap > 0 else 'below'} {start}" if gap else f", just {start}"


def _gap(measure: str, number: int, digits: int) -> str:
    """How far two values are apart; of rates in percentage points, as 2 % of 97 % would be something else."""
    said = quantity(measure, number, digits)
    return f"{said.removesuffix(' %')} percentage point{'' if said == '1 %' else 's'}" if said.endswith("%") else said


def _graded(row: dict, card: Scorecard, rule: ScoreRule) -> str:
    said = _measured(row, card) + _compared(row, card, rule)
    kept = ""
    if row["is_capped"]:
        is_low = row["score"] == rule.floor
        kept = f" (at {'least' if is_low else 'most'})"
    return f"{said} → score {_points(row['score'])}{kept} × weight {_points(rule.weight)} / 100"


def _compared(row: dict, card: Scorecard, rule: ScoreRule) -> str:
    """What share of the target or of the base it is, to a hundredth of a percent."""
    if rule.on == "value" or row["value"] is None:
        return ""
    under = row[rule.on]
    what = {"target": "the target", "base": "the period before"}[rule.on]
    if under is None or under <= 0:
        return f", nothing in {what} to hold it against"
    share = quantity("retention", round(Decimal(row["value"]) / under * 10_000) * 100, card.digits)
    return f", {share} of {what} ({quantity(row['measure'], under, card.digits)})"


def _size(measure: str, number: int, digits: int) -> str:
    unit = MEASURES[measure]
    if unit == RATE:
        return f"{amount(Decimal(number).scaleb(-4), least=0)} %"
    exact = Decimal(number).scaleb(-DIGITS.get(unit, digits))
    if unit == MONEY and exact >= MILLION and exact % 10_000 == 0:
        return f"{amount(exact / MILLION, least=0)} m"
    return amount(exact, least=2 if unit == MONEY else 0)


def _points(thousandths: int) -> str:
    return amount(Decimal(thousandths).scaleb(-POINT_DIGITS), least=0).replace("-", "−")
