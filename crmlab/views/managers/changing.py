"""Rules as a reader would have them: several changes that stand together, and the cards they make."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from crmlab.measures.managers import whatif
from crmlab.policy import Scorecard, ScoreRule
from crmlab.policy.scoring import FULL

AS_IT_IS = 100  # per cent of today's rule
PERCENT = 10_000  # in millionths


class Change(NamedTuple):
    """What a reader would have of one rule, in per cent of today."""

    card: str
    rule: str
    part: int = AS_IT_IS  # its weight, or its points for each
    asked: int = AS_IT_IS  # what it asks for, as `whatif.asks` says

    @property
    def is_none(self) -> bool:
        """Whether the rule stays as it is."""
        return (self.part, self.asked) == (AS_IT_IS, AS_IT_IS)


def with_change(changes: Sequence[Change], new: Change) -> tuple[Change, ...]:
    """The changes with what is now wanted of one rule in place of what was; a rule that stays as it is is left out.

    Examples
    --------
    >>> some = with_change([Change("Card", "Deposits", 150)], Change("Card", "Retention", 80))
    >>> [one.rule for one in some], with_change(some, Change("Card", "Deposits"))
    (['Deposits', 'Retention'], (Change(card='Card', rule='Retention', part=80, asked=100),))
    """
    kept = {(one.card, one.rule): one for one in changes} | {(new.card, new.rule): new}
    return tuple(one for one in kept.values() if not one.is_none)


def rule_of(cards: Sequence[Scorecard], card: str, rule: str) -> ScoreRule:
    """A rule by its card and its name."""
    return next(one for of in cards if of.name == card for one in of.rules if one.name == rule)


def part_of(rule: ScoreRule, part: int) -> int:
    """So many per cent of the weight of a rule, 100 at most, or of its points for each; in thousandths of a point."""
    if rule.weight is None:
        return round(rule.points * part / AS_IT_IS)
    return min(round(rule.weight * part / AS_IT_IS), FULL)


def changed(card: Scorecard, changes: Sequence[Change]) -> Scorecard:
    """The card with its rules as they are wanted; weights not named make up for those that are. Targets stay.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> card = load().scorecards[1]
    >>> made = changed(card, [Change("Managers", "Complaints", 150), Change("Managers", "Deposits", 200)])
    >>> [(rule.points, rule.weight) for rule in made.rules if rule.name in ("Complaints", "Deposits")]
    [(0, 30000), (3000, None)]
    """
    weights, made = {}, card
    for one in changes:
        rule = rule_of([card], card.name, one.rule)
        if one.part != AS_IT_IS and rule.weight is not None:
            weights[one.rule] = part_of(rule, one.part)
        elif one.part != AS_IT_IS:
            made = whatif.altered(made, one.rule, points=part_of(rule, one.part))
        if one.asked != AS_IT_IS and whatif.asks(rule) not in (None, "target"):
            made = whatif.stretched(made, one.rule, one.asked * PERCENT)
    return whatif.reweighted(made, weights)


def with_targets(rows: pl.DataFrame, card: Scorecard, changes: Sequence[Change]) -> tuple[pl.DataFrame, Scorecard]:
    """What is scored, and its card, with the targets that are wanted."""
    for one in changes:
        rule = rule_of([card], card.name, one.rule)
        if one.asked != AS_IT_IS and whatif.asks(rule) == "target":
            rows, [card] = whatif.retargeted(rows, replace(card), rule.measure, one.asked * PERCENT)
    return rows, card
