"""What if the rules were others: the same table scored again, and who moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_64_bits, named
from crmlab.measures.managers.pay import paid
from crmlab.measures.managers.scoring import KEY, scores, several, totals
from crmlab.policy import PayPlan, Scorecard, ScoreRule
from crmlab.policy.scoring import FULL

COMPARED = ("points", "line", "pay")


@dataclass(frozen=True)
class Moved:
    """Who moves, and what all of it costs."""

    people: pl.DataFrame  # a row a manager who moves
    n: int  # managers and periods compared
    pay_before: int  # minor units, all of them together
    pay_after: int


def moved(before: pl.DataFrame, after: pl.DataFrame) -> Moved:
    """Who moves between two outcomes, by how much, and total pay.

    Answers: who would gain and who would lose?

    Parameters
    ----------
    before, after
        As `outcome` gives them, of the same managers and periods.

    Returns
    -------
    people: manager_id, period, and before, after and change of points (thousandths), rank (1 the best of a period, ties
    share a rank; a negative change is a rise) and pay (minor units), line_before and line_after. Only those whose
    points, line, rank or pay differ; those with the largest change of pay, then of points, first.

    Raises
    ------
    InputError
        When the two are not of the same managers and periods.

    Examples
    --------
    >>> from datetime import date
    >>> before = pl.DataFrame({"manager_id": ["A", "B", "C"], "period": [date(2025, 3, 31)] * 3,
    ...     "points": [90_000, 80_000, 10_000], "line": ["model", "lifeline", None], "pay": [600_000, 500_000, 0]})
    >>> after = before.with_columns(points=pl.Series([90_000, 95_000, 10_000]), pay=pl.Series([600_000, 650_000, 0]))
    >>> found = moved(before, after)
    >>> found.people.select("manager_id", "points_change", "rank_change", "pay_change").rows()
    [('B', 15000, -1, 150000), ('A', 0, 1, 0)]
    >>> found.pay_before, found.pay_after
    (1100000, 1250000)
    """
    for frame in (before, after):
        named(frame.columns, [*KEY, *COMPARED], "managers.moved")
    ranked = [_ranked(frame, end) for frame, end in ((before, "before"), (after, "after"))]
    both = ranked[0].join(ranked[1], on=KEY, how="full", coalesce=True)
    if n := both.select((pl.col("points_before").is_null() | pl.col("points_after").is_null()).sum()).item():
        raise InputError(
            f"{n} of {len(both)} managers are in one of the two outcomes only. Compare the same managers and periods."
        )
    people = both.with_columns(
        **{
            f"{name}_change": pl.col(f"{name}_after").cast(pl.Int64) - pl.col(f"{name}_before").cast(pl.Int64)
            for name in ("points", "rank", "pay")
        }
    )
    is_moved = pl.any_horizontal(
        *(pl.col(f"{name}_change") != 0 for name in ("points", "rank", "pay")),
        pl.col("line_before").ne_missing(pl.col("line_after")),
    )
    sums = in_64_bits(people.select(pl.col("pay_before", "pay_after").cast(pl.Int128).sum()))
    largest = [pl.col("pay_change").abs(), pl.col("points_change").abs(), *map(pl.col, KEY)]
    ordered = people.filter(is_moved).sort(largest, descending=[True, True, False, False])
    return Moved(ordered.select(_columns()), len(people), *sums.row(0))


def outcome(assessed: pl.DataFrame, cards: Scorecard | Sequence[Scorecard], plans: Sequence[PayPlan]) -> pl.DataFrame:
    """Points, lines and pay of everybody under these rules: what two of are compared by `moved`.

    Parameters
    ----------
    assessed
        As `scoring.scores` asks for it.
    cards, plans
        The rules.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> rules = load()
    >>> outcome(pl.DataFrame(schema={"manager_id": pl.String}), rules.scorecards, rules.pay)
    Traceback (most recent call last):
    crmlab.errors.InputError: managers.scores needs a column period. Known: manager_id.
    """
    return paid(totals(scores(assessed, cards), cards), plans)


def reweighted(card: Scorecard, weights: Mapping[str, int]) -> Scorecard:
    """The card with other weights of some rules; the others keep their proportions, and all add up to 100 again.

    Parameters
    ----------
    card
        A scorecard.
    weights
        By the names of rules that have one: thousandths of a point, from 0 to 100,000.

    Raises
    ------
    InputError
        When a rule has no weight, a weight is out of range, or the others cannot make up for what is given.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> card = reweighted(load().scorecards[1], {"Deposits": 0})
    >>> [(rule.name, rule.weight) for rule in card.rules][:3]
    [('Deposits', 0), ('Contribution', 17647), ('Net new money', 11765)]
    >>> sum(rule.weight or 0 for rule in card.rules)
    100000
    """
    for rule, weight in weights.items():
        if _rule(card, rule).weight is None:
            raise InputError(
                f"{rule} of scorecard {card.name} has no weight: its points are counted. Change its points."
            )
        if not 0 <= weight <= FULL:
            raise InputError(f"{weight / 1000:g} is no weight. Give one from 0 to 100.")
    if all(_rule(card, rule).weight == weight for rule, weight in weights.items()):
        return card
    given, others = (
        sum(weights.values()),
        [one for one in card.rules if one.weight is not None and one.name not in weights],
    )
    if given > FULL or (given < FULL and not others):
        raise InputError(
            f"The weights given for scorecard {card.name} add up to {given / 1000:g}, and the others cannot make up "
            "for that to 100. Change fewer of them, or by less."
        )
    shares = dict(zip((one.name for one in others), _split(FULL - given, [one.weight for one in others]), strict=True))
    shares |= weights
    return replace(card, rules=tuple(replace(one, weight=shares.get(one.name, one.weight)) for one in card.rules))


def altered(card: Scorecard, rule: str, **changes: int | None) -> Scorecard:
    """The card with one of its rules changed: points, every, start, cap, floor, target, otherwise.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> card = altered(load().scorecards[1], "Complaints", points=4_000)
    >>> [one.points for one in card.rules if one.name == "Complaints"]
    [4000]
    """
    chosen = _rule(card, rule)
    if "weight" in changes:
        raise InputError("A weight is changed together with the others. Use managers.reweighted.")
    return replace(card, rules=tuple(replace(one, **changes) if one is chosen else one for one in card.rules))


def asks(rule: ScoreRule) -> str | None:
    """By what a rule asks for more or less: target, at (its bounds), start, every (each step), or by nothing.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> [asks(rule) for rule in load().scorecards[1].rules if rule.name in ("Deposits", "Net new money", "Complaints")]
    ['at', 'target', None]
    """
    if rule.on == "target":
        return "target"
    if rule.at:
        return "at"
    if rule.weight is not None:
        return None
    return "start" if rule.start else "every" if rule.every > 1 else None


def stretched(card: Scorecard, rule: str, factor: int) -> Scorecard:
    """The card with what one rule asks for, but for targets, times a factor in millionths, rounded half to even.

    Targets are those of managers, too: `retargeted` changes them.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> card = stretched(load().scorecards[1], "Deposits", 1_100_000)
    >>> [knot for knot, _ in load().scorecards[1].rules[0].at], [knot for knot, _ in card.rules[0].at]
    ([800000, 1000000, 1020000, 1150000], [880000, 1100000, 1122000, 1265000])
    """
    chosen = _rule(card, rule)
    by = asks(chosen)
    if by in (None, "target"):
        raise InputError(
            f"{rule} of scorecard {card.name} has no bounds and no steps. Change its target or its points."
        )
    if by != "at":
        return altered(card, rule, **{by: _times(getattr(chosen, by), factor)})
    at = tuple((_times(bound, factor), score) for bound, score in chosen.at)
    if len({bound for bound, _ in at}) < len(at):
        raise InputError(
            f"The bounds of {rule} fall together at {factor / 10_000:g} % of what they are. Change them by less."
        )
    return altered(card, rule, at=at)


def retargeted(
    assessed: pl.DataFrame, cards: Scorecard | Sequence[Scorecard], measure: str, factor: int
) -> tuple[pl.DataFrame, list[Scorecard]]:
    """The table and the cards with all targets of a measure times a factor in millionths, rounded half to even.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> table = pl.DataFrame({"measure": ["net_new_money"], "target": [100]})
    >>> higher, cards = retargeted(table, load().scorecards, "net_new_money", 1_100_000)
    >>> higher["target"].item(), [rule.target for rule in cards[1].rules if rule.measure == "net_new_money"]
    (110, [55000000])
    """
    if factor <= 0:
        raise InputError(f"A factor of {factor / 1_000_000:g} leaves no target. Give one above 0.")
    scaled = pl.Series([_times(target, factor) for target in assessed["target"]], dtype=pl.Int64)
    table = assessed.with_columns(target=pl.when(pl.col("measure") == measure).then(scaled).otherwise("target"))
    changed = [
        replace(
            card,
            rules=tuple(
                replace(rule, target=_times(rule.target, factor)) if rule.measure == measure else rule
                for rule in card.rules
            ),
        )
        for card in several(cards)
    ]
    return table, changed


def _times(target: int | None, factor: int) -> int | None:
    if target is None:
        return None
    whole, part = divmod(target * factor, 1_000_000)
    return whole + (part > 500_000 or (part == 500_000 and whole % 2 == 1))


def _ranked(frame: pl.DataFrame, end: str) -> pl.DataFrame:
    rank = pl.col("points").rank("min", descending=True).over("period").cast(pl.Int64)
    return frame.select(*KEY, *COMPARED, rank=rank).rename({name: f"{name}_{end}" for name in (*COMPARED, "rank")})


def _columns() -> list[str]:
    changes = [f"{name}_{end}" for name in ("points", "rank", "pay") for end in ("before", "after", "change")]
    return [*KEY, *changes, "line_before", "line_after"]


def _rule(card: Scorecard, name: str) -> ScoreRule:
    for rule in card.rules:
        if rule.name == name:
            return rule
    raise InputError(
        f"{name} is no rule of scorecard {card.name}. {near_miss(name, [rule.name for rule in card.rules])}"
    )


def _split(whole: int, weights: list[int]) -> list[int]:
    """A whole split in proportion, by largest remainder; in equal parts where all weights are 0."""
    weights = weights if any(weights) else [1] * len(weights)
    parts = [whole * weight // sum(weights) for weight in weights]
    left = sorted(range(len(weights)), key=lambda n: (-(whole * weights[n] % sum(weights)), n))
    for n in left[: whole - sum(parts)]:
        parts[n] += 1
    return parts
