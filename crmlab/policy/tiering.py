"""The rules that put customers into tiers, and what must be known about those in the upper ones."""

from itertools import pairwise

from crmlab.policy.known import KINDS
from crmlab.policy.rules import FIELDS, TIER_VALUES, Completeness, Level, TierRule
from crmlab.policy.source import Source, named_once, row_of

BOUNDS = ("from", "above", "top")
POINT_DIGITS = 3  # points are counted in thousandths
KEYS = ("name", "on", "months", "assessed", "buffer", "confirm", "near", "weights", "levels")


def tiers(source: Source, base_digits: int) -> tuple[TierRule, ...]:
    """The rules ``[[tiers]]``, the first of them the tier and the second the grade."""
    rules = tuple(_rule(source, n, base_digits) for n in range(len(source.rows("tiers", of="rules"))))
    named_once(source, ("tiers",), [rule.name for rule in rules], "rules")
    return rules


def completeness(source: Source, tier: TierRule) -> Completeness:
    """The rules under ``[completeness]``, for levels of the rule `tier`."""
    top = "completeness"
    names = tuple(level.name for level in tier.levels)
    return Completeness(
        key_tiers=source.names(top, "key_tiers", known=names),
        fields=source.table(
            top,
            "fields",
            known=KINDS,
            what="kind of customer",
            read=lambda *at: source.names(*at, known=FIELDS, may_be_empty=True),
        ),
    )


def _rule(source: Source, n: int, base_digits: int) -> TierRule:
    here = ("tiers", n)
    given = row_of(source, here, KEYS, ("name", "on", "levels"))
    on = source.one_of(*here, "on", known=TIER_VALUES)
    if ("weights" in given) != (on == "weighted_average"):
        raise source.error(
            (*here, "weights"), f"must be there where on is weighted_average, and only there; it is {on}."
        )
    return TierRule(
        name=source.text_of(*here, "name"),
        on=on,
        months=source.whole(*here, "months", least=1) if "months" in given else 1,
        assessed=source.wholes(*here, "assessed", least=1, most=12) if "assessed" in given else tuple(range(1, 13)),
        buffer=source.share(*here, "buffer") if "buffer" in given else 0,
        confirm=source.whole(*here, "confirm", least=1) if "confirm" in given else 1,
        near=source.share(*here, "near") if "near" in given else 0,
        weights=source.table(*here, "weights", read=source.factor) if "weights" in given else {},
        levels=levels(source, (*here, "levels"), POINT_DIGITS if on == "points" else base_digits),
    )


def levels(source: Source, path: tuple, digits: int) -> tuple[Level, ...]:
    """Levels by amount or by rank, the lowest first; amounts in a unit of which so many digits make a whole."""
    found = tuple(_level(source, (*path, n), digits) for n in range(len(source.rows(*path, of="levels"))))
    named_once(source, path, [level.name for level in found], "levels")
    if found[0].lower is not None or found[0].top is not None:
        raise source.error((*path, 0), f"begin with {found[0].name}, which has a bound; begin with one that has none.")
    if any(level.lower is not None for level in found) and any(level.top is not None for level in found):
        raise source.error(path, "mix amounts (from, above) and shares (top); write one of the two in all of them.")
    for n, (below, above) in enumerate(pairwise(found), 1):
        if above.lower is None and above.top is None:
            raise source.error((*path, n), f"leave {above.name} without a bound; write from, above or top.")
        if n > 1 and not _is_above(below, above):
            raise source.error((*path, n), f"have {below.name} and {above.name} overlap; write the lowest level first.")
    return found


def _is_above(below: Level, above: Level) -> bool:
    return above.top < below.top if above.lower is None else above.lower > below.lower


def _level(source: Source, path: tuple, digits: int) -> Level:
    given = row_of(source, path, ("name", *BOUNDS), ("name",))
    name, bounds = source.text_of(*path, "name"), [key for key in BOUNDS if key in given]
    if len(bounds) > 1:
        raise source.error(path, f"give {name} two bounds, {bounds[0]} and {bounds[1]}; write one.")
    if not bounds:
        return Level(name, None, None)
    at = (*path, bounds[0])
    if bounds[0] == "top":
        return Level(name, None, source.share(*at))
    return Level(name, source.minor(*at, digits=digits) + (bounds[0] == "above"), None)
