"""Scorecards: what each rule gives a manager, to the thousandth of a point, and what it adds up to."""

from collections.abc import Sequence

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_64_bits, in_order, named
from crmlab.measures.managers.points import given
from crmlab.policy import MEASURES, Scorecard
from crmlab.policy.scoring import DEDUCTIONS

KEY = ["manager_id", "period"]
NEEDED = [*KEY, "branch_id", "peer_group", "grade", "measure", "value", "n", "n_events", "base", "target"]
TRACE = {
    "manager_id": pl.String, "period": pl.Date, "card": pl.String, "place": pl.Int32, "rule": pl.String,
    "kind": pl.String, "side": pl.String, "measure": pl.String, "value": pl.Int64, "n": pl.Int64, "n_events": pl.Int64,
    "target": pl.Int64, "base": pl.Int64, "steps": pl.Int64, "score": pl.Int64, "points": pl.Int64,
    "is_capped": pl.Boolean, "is_void": pl.Boolean,
}  # fmt: skip


def scores(assessed: pl.DataFrame, cards: Scorecard | Sequence[Scorecard]) -> pl.DataFrame:
    """The trace: a row a manager, period and rule, and what it gives; the points of a total are the sum of its rows.

    Answers: where does every point come from?

    Beside a row a rule there is one an entry (0 points), one for the base, one that gives back what deductions exceed
    their common cap by, and one that brings a total within its floor and cap, these two only where they do something.

    Parameters
    ----------
    assessed
        A row a manager, period and measure: manager_id, branch_id, peer_group, grade, period, measure, value (in the
        measure's unit: minor units, counts, millionths, thousandths; null where there is nothing to judge), n and
        n_events (of a rate), base (of the period before), target (null: the rule's own).
    cards
        One scorecard, which then scores everybody, or several, of which the first that fits grade, peer group and year
        scores a manager.

    Returns
    -------
    manager_id, period, card, place (of the rule on the card), rule, kind, side (results, process, deductions), measure,
    value, n, n_events, target (the one that was used), base, steps, score and points (thousandths), is_capped (a floor
    or a cap held), is_void (an entry is not met). Sorted by manager, period, place.

    Raises
    ------
    InputError
        When a measure is unknown or not there for a manager, when nothing of a manager was measured, when a target is
        missing or not above 0, and when no card fits: how many, and which first.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab.policy.scoring import Scorecard, ScoreRule
    >>> rule = ScoreRule("Cards", "new_cards", "steps", "results", start=500, every=50, points=5_000)
    >>> card = Scorecard("All", (rule,), digits=2)
    >>> row = {"manager_id": "M1", "branch_id": "B1", "peer_group": "small", "grade": "manager",
    ...     "period": date(2025, 3, 31), "measure": "new_cards", "value": 649, "n": None, "n_events": None,
    ...     "base": None, "target": None}
    >>> scores(pl.DataFrame([row]), card).select("rule", "value", "steps", "points").row(0)
    ('Cards', 649, 2, 10000)
    """
    rows = _checked(assessed)
    trace = [_card_scores(part, card) for card, part in _by_card(rows, cards)]
    return pl.concat(trace).sort(*KEY, "place", maintain_order=True)


def totals(trace: pl.DataFrame, cards: Scorecard | Sequence[Scorecard]) -> pl.DataFrame:
    """What the trace adds up to, and the named lines above and below.

    Answers: who reached which line, and how far is it to the next?

    Parameters
    ----------
    trace
        As `scores` gives it.
    cards
        The scorecards it was made with.

    Returns
    -------
    manager_id, period, card, points = result_points + process_points + deduction_points (thousandths; the last with
    what caps and floors give back or take), line (the highest reached; null below all), above (points above it),
    next_line and missing (points up to it; null at the top).

    Examples
    --------
    >>> from crmlab.policy import load
    >>> row = {name: None for name in TRACE} | {"manager_id": "M1", "card": "Managers", "side": "results"}
    >>> trace = pl.DataFrame([row | {"points": 82_500}], TRACE)
    >>> totals(trace, load().scorecards).select("points", "line", "above", "next_line", "missing").row(0)
    (82500, 'lifeline', 7500, 'model', 12500)
    """
    sides = {"result_points": "results", "process_points": "process", "deduction_points": DEDUCTIONS}
    wide = pl.col("points").cast(pl.Int128)
    sums = trace.group_by(*KEY, "card", maintain_order=True).agg(
        wide.sum(), **{name: wide.filter(pl.col("side") == side).sum() for name, side in sides.items()}
    )
    exact = in_64_bits(sums)
    return pl.concat(
        [exact.filter(pl.col("card") == card.name).with_columns(**_lines(card)) for card in several(cards)]
    ).sort(KEY)


def several(cards: Scorecard | Sequence[Scorecard]) -> list[Scorecard]:
    """One scorecard, or several, as a list.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> cards = load().scorecards
    >>> several(cards[0]) == list(cards[:1]), several(cards) == list(cards)
    (True, True)
    """
    found = [cards] if isinstance(cards, Scorecard) else list(cards)
    if not found:
        raise InputError("There is no scorecard. Write one into policy.toml.")
    return found


def _checked(assessed: pl.DataFrame) -> pl.DataFrame:
    named(assessed.columns, NEEDED, "managers.scores")
    if assessed.is_empty():
        raise InputError("managers.scores has been given no row: nobody is selected. Widen the selection.")
    rows = in_order(assessed, [*KEY, "measure"], "managers.scores")
    for measure in rows["measure"].unique().sort():
        if measure not in MEASURES:
            raise InputError(f"{measure} is no measure of managers. {near_miss(str(measure), list(MEASURES))}")
    silent = rows.group_by(KEY).agg(pl.col("value").is_null().all()).filter("value")["manager_id"].unique().sort()
    if len(silent):
        raise InputError(
            f"{len(silent)} of {rows['manager_id'].n_unique()} managers have no measure at all (first: {silent[0]}). "
            "Leave them out, or look for their assignments."
        )
    return rows


def _by_card(rows: pl.DataFrame, cards: Scorecard | Sequence[Scorecard]) -> list[tuple[Scorecard, pl.DataFrame]]:
    """Each card with the rows of those it scores; cards that score nobody are left out."""
    if isinstance(cards, Scorecard):
        return [(cards, rows)]
    parts = []
    for card in several(cards):
        fits = pl.all_horizontal(
            pl.lit(True),
            *(
                pl.col(column).is_in(list(allowed)).fill_null(False)
                for column, allowed in (("grade", card.grades), ("peer_group", card.peer_groups))
                if allowed
            ),
            *([pl.col("period").dt.year().is_in(list(card.years))] if card.years else []),
        )
        # A manager has one grade and peer group in a period, so that all rows of one go the same way.
        if not (part := rows.filter(fits)).is_empty():
            parts.append((card, part))
        rows = rows.filter(~fits)
    if not rows.is_empty():
        first = rows.row(0, named=True)
        raise InputError(
            f"{rows['manager_id'].n_unique()} managers fit no scorecard (first: {first['manager_id']}, grade "
            f"{first['grade']}, peer group {first['peer_group']}, {first['period']}). Add one to policy.toml that fits "
            "them, such as a last one without grades, peer_groups and years."
        )
    return parts


def _card_scores(rows: pl.DataFrame, card: Scorecard) -> pl.DataFrame:
    people = rows.select(KEY).unique(maintain_order=True)
    by_measure = _measured(rows, people, card)
    entries = [by_measure[entry.measure].with_columns(is_void=_not_reached(entry.least)) for entry in card.entries]
    # Every frame has the same people in the same order.
    void = pl.any_horizontal(pl.lit(False), *(entry["is_void"] for entry in entries))
    is_void = people.select(is_void=void)["is_void"]
    parts = [_placed(entry.lazy(), "Entry", "entry", "results", place) for place, entry in enumerate(entries)]
    if card.entries or card.base:
        base = people.lazy().with_columns(is_void, points=pl.when(is_void).then(0).otherwise(card.base))
        parts.append(_placed(base, "Base", "base", "results", len(parts)))
    for rule in card.rules:
        earned = given(by_measure[rule.measure], rule)
        if card.unmet == "results" and rule.side == "results":
            earned = earned.with_columns(is_void, points=pl.when(is_void).then(0).otherwise("points"))
        parts.append(_placed(earned, rule.name, rule.kind, rule.side, len(parts)))
    trace = _collected(parts)
    for rule, lower, upper, some in _bounds(card):
        beyond = _kept_within(trace.filter(some), people, lower, upper)
        trace = pl.concat([trace, _collected([_placed(beyond, rule, "bound", DEDUCTIONS, trace["place"].max() + 1)])])
    return trace.with_columns(card=pl.lit(card.name))


def _measured(rows: pl.DataFrame, people: pl.DataFrame, card: Scorecard) -> dict[str, pl.DataFrame]:
    """The measures of a card, each of everybody."""
    parts = rows.partition_by("measure", as_dict=True, maintain_order=True)
    found = {}
    for measure in dict.fromkeys(one.measure for one in (*card.entries, *card.rules)):
        found[measure] = parts.get((measure,), rows.clear())
        if len(found[measure]) < len(people):
            without = people.join(found[measure], on=KEY, how="anti", maintain_order="left")
            raise InputError(
                f"{len(without)} of {len(people)} managers have no {measure}, which scorecard {card.name} asks for "
                f"(first: {without['manager_id'][0]}, {without['period'][0]}). Measure it, or take the rule out of "
                "policy.toml."
            )
    return found


def _not_reached(least: int) -> pl.Expr:
    return pl.col("value").lt(least).fill_null(True)


def _bounds(card: Scorecard) -> list[tuple[str, int | None, int | None, pl.Expr]]:
    """What sums of points are kept within: the deductions, then the total."""
    found = []
    if card.deduction_cap is not None:
        found.append(("All deductions", -card.deduction_cap, None, pl.col("side") == DEDUCTIONS))
    if card.floor is not None or card.cap is not None:
        found.append(("Total", card.floor, card.cap, pl.lit(True)))
    return found


def _kept_within(some: pl.DataFrame, people: pl.DataFrame, lower: int | None, upper: int | None) -> pl.LazyFrame:
    """A row for everybody whose sum of some rows is not within bounds: what brings it there; its value is the sum."""
    sums = in_64_bits(some.group_by(KEY).agg(value=pl.col("points").cast(pl.Int128).sum()))
    return (
        people.join(sums, on=KEY, how="left", maintain_order="left")
        .lazy()
        .with_columns(pl.col("value").fill_null(0))
        .with_columns(points=pl.col("value").clip(lower, upper) - pl.col("value"), is_capped=pl.lit(True))
        .filter(pl.col("points") != 0)
    )


def _placed(rows: pl.LazyFrame, rule: str, kind: str, side: str, place: int) -> pl.LazyFrame:
    return rows.with_columns(rule=pl.lit(rule), kind=pl.lit(kind), side=pl.lit(side), place=pl.lit(place, pl.Int32))


def _collected(parts: list[pl.LazyFrame]) -> pl.DataFrame:
    """All rows with the columns of a trace, what a row does not have being null, no points, or false."""
    like = pl.LazyFrame(schema=TRACE | dict.fromkeys(("points", "steps", "score"), pl.Int128))
    rows = pl.concat([like, *parts], how="diagonal_relaxed").select(list(TRACE)).collect()
    return in_64_bits(rows.with_columns(pl.col("points").fill_null(0), pl.col("is_capped", "is_void").fill_null(False)))


def _lines(card: Scorecard) -> dict[str, pl.Expr]:
    """Of a card's lines the highest reached and the next, and how far it is to either."""
    points, here, next_ = pl.col("points"), pl.lit(None, pl.String), pl.lit(None, pl.String)
    lower, upper = pl.lit(None, pl.Int64), pl.lit(None, pl.Int64)
    for line in card.lines:
        here = pl.when(points >= line.lower).then(pl.lit(line.name)).otherwise(here)
        lower = pl.when(points >= line.lower).then(pl.lit(line.lower)).otherwise(lower)
    for line in reversed(card.lines):
        next_ = pl.when(points < line.lower).then(pl.lit(line.name)).otherwise(next_)
        upper = pl.when(points < line.lower).then(pl.lit(line.lower)).otherwise(upper)
    return {"line": here, "above": points - lower, "next_line": next_, "missing": upper - points}
