"""The rules that say who customers are and where they stand: growth, segments, life cycle, groups, funnel, clusters."""

from itertools import pairwise, product

from crmlab.policy.rules import (
    GROWTH,
    WORDS_OF_A_NAME,
    ActivityLevel,
    Clusters,
    DynamicSegment,
    Funnel,
    Groups,
    Growth,
    LifeCycle,
    Profile,
    Segmentation,
)
from crmlab.policy.source import Source, named_once, row_of
from crmlab.policy.tiering import levels

KEYS = ("name", "activity", "earning", "growth", "means", "do")
ROWS = ("segments", "rows")


def growth(source: Source, base_digits: int) -> Growth:
    """The rules under ``[growth]``, money in minor units of a base currency with so many digits."""
    return Growth(
        months=source.whole("growth", "months", least=1),
        change=source.share("growth", "change"),
        least=source.minor("growth", "least", digits=base_digits),
    )


def segmentation(source: Source, base_digits: int) -> Segmentation:
    """The rules under ``[segments]``, once their rows cover each cell of activity, earning and growth once."""
    activity = _activity(source)
    earning = levels(source, ("segments", "earning_levels"), base_digits)
    axes = tuple(tuple(level.name for level in axis) for axis in (activity, earning))
    rows = tuple(_row(source, n, axes) for n in range(len(source.rows(*ROWS, of="segments"))))
    named_once(source, ROWS, [row.name for row in rows], "segments")
    _partition(source, rows, list(product(*axes, GROWTH)))
    return Segmentation(source.whole("segments", "contribution_months", least=1), activity, earning, rows)


def life_cycle(source: Source) -> LifeCycle:
    """The rules under ``[life_cycle]``."""
    return LifeCycle(*(source.whole("life_cycle", key, least=1) for key in ("new_months", "won_back_months")))


def groups(source: Source) -> Groups:
    """The rules under ``[groups]``."""
    return Groups(
        max_household=source.whole("groups", "max_household", least=2),
        surname=source.one_of("groups", "surname", known=WORDS_OF_A_NAME),
    )


def funnel(source: Source) -> Funnel:
    """The rules under ``[funnel]``."""
    return Funnel(settle_days=source.whole("funnel", "settle_days", least=0))


def clusters(source: Source) -> Clusters:
    """The rules under ``[clusters]``."""
    k = source.ends("clusters", "k", least=2)
    return Clusters(
        k=k,
        resamples=source.whole("clusters", "resamples", least=2),
        floor=source.share("clusters", "floor"),
        least=source.whole("clusters", "least", least=2 * k[1]),
        seed=source.whole("clusters", "seed", least=0),
    )


def profile(source: Source) -> Profile:
    """The rules under ``[profile]``."""
    return Profile(
        least_effect=source.factor("profile", "least_effect"),
        spending_months=source.whole("profile", "spending_months", least=1),
        salary_months=source.whole("profile", "salary_months", least=1),
    )


def _activity(source: Source) -> tuple[ActivityLevel, ...]:
    path = ("segments", "activity_levels")
    found = tuple(_activity_level(source, (*path, n)) for n in range(len(source.rows(*path, of="levels"))))
    named_once(source, path, [level.name for level in found], "levels")
    if found[0].within is not None:
        raise source.error((*path, 0), f"begin with {found[0].name}, which has a bound; begin with one that has none.")
    for n, (below, above) in enumerate(pairwise(found), 1):
        if above.within is None:
            raise source.error((*path, n), f"leave {above.name} without a bound; write within.")
        if n > 1 and above.within >= below.within:
            raise source.error((*path, n), f"have {below.name} and {above.name} overlap; write the lowest level first.")
    return found


def _activity_level(source: Source, path: tuple) -> ActivityLevel:
    given = row_of(source, path, ("name", "within"), ("name",))
    within = source.whole(*path, "within", least=1) if "within" in given else None
    return ActivityLevel(source.text_of(*path, "name"), within)


def _row(source: Source, n: int, axes: tuple[tuple[str, ...], ...]) -> DynamicSegment:
    here = (*ROWS, n)
    row_of(source, here, KEYS, KEYS)
    name, means, do = (source.text_of(*here, key) for key in ("name", "means", "do"))
    known = zip(("activity", "earning", "growth"), (*axes, GROWTH), strict=True)
    return DynamicSegment(name, *(source.names(*here, axis, known=names) for axis, names in known), means, do)


def _partition(source: Source, rows: tuple[DynamicSegment, ...], cells: list[tuple[str, ...]]) -> None:
    owner: dict[tuple[str, ...], str] = {}
    for n, row in enumerate(rows):
        for cell in row.cells():
            if owner.setdefault(cell, row.name) != row.name:
                raise source.error(
                    (*ROWS, n),
                    f"put cell ({', '.join(cell)}) into two, {owner[cell]} and {row.name}; take it out of one.",
                )
    missing = [cell for cell in cells if cell not in owner]
    if missing:
        raise source.error(
            (*ROWS, 0),
            f"leave {len(missing)} of {len(cells)} cells out (first: {', '.join(missing[0])}); put each into one.",
        )
