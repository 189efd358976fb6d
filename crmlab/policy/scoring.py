"""What relationship managers are assessed by: the measures there are, and the scorecards that make them points."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from crmlab.policy.source import Path, Source, named_once, row_of

MONEY, COUNT, RATE, THOUSANDTHS = "money", "count", "rate", "thousandths"
MEASURES = {
    **dict.fromkeys(("deposits_average", "deposits_growth", "loans_average", "loans_growth"), MONEY),
    **dict.fromkeys(("investments_average", "investments_growth", "savings_average"), MONEY),
    **dict.fromkeys(("contribution", "contribution_growth", "net_new_money", "new_loans", "cost_per_win"), MONEY),
    **dict.fromkeys(("overdue_loans", "deviation"), MONEY),
    **dict.fromkeys(("new_customers", "referred_customers", "new_cards", "n_contacts"), COUNT),
    **dict.fromkeys(("complaints", "missed_loan_checks", "integrity_breaches"), COUNT),
    **dict.fromkeys(("overdue_1", "overdue_2", "overdue_3", "overdue_4"), COUNT),
    **dict.fromkeys(("retention", "maturity_retention", "ebanking_activation", "contacts_on_schedule"), RATE),
    **dict.fromkeys(("contact_to_sale", "kyc_in_time", "file_completeness", "collection"), RATE),
    **dict.fromkeys(("products_per_customer", "satisfaction"), THOUSANDTHS),
}
DIGITS = {COUNT: 0, RATE: 6, THOUSANDTHS: 3}  # of a measure's unit; money has those of the base currency
LABELS = {  # of measures whose names do not read as they stand
    "n_contacts": "contacts made", "ebanking_activation": "e-banking activation", "kyc_in_time": "KYC in time",
    "contact_to_sale": "contact-to-sale rate", "overdue_1": "loans 1 to 30 days overdue",
    "overdue_2": "loans 31 to 60 days overdue", "overdue_3": "loans 61 to 90 days overdue",
    "overdue_4": "loans more than 90 days overdue",
}  # fmt: skip
POINT = 1000  # points are counted in thousandths
POINT_DIGITS = 3
FULL = 100 * POINT  # a score of 100 earns the whole weight; weights add up to 100
SHARE_DIGITS = 6
SIDES = ("results", "process")
DEDUCTIONS = "deductions"
GRADED = ("side", "weight", "on", "target", "floor", "cap", "otherwise")
# What a rule of a kind may say beside name, measure and kind, and what of it there must be.
RULE_KEYS = {
    "steps": (("side", "from", "every", "points", "cap"), ("every", "points")),
    "attainment": (GRADED, ("weight",)),
    "bands": ((*GRADED, "at"), ("weight", "at")),
    "curve": ((*GRADED, "at"), ("weight", "at")),
    "deduction": (("from", "below", "every", "started", "points", "cap"), ("points",)),
}
CARD_KEYS = (
    "name", "period", "grades", "peer_groups", "years", "base", "entries", "unmet", "deduction_cap", "floor", "cap",
    "lines", "rules",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What must be reached before results count."""

    measure: str
    least: int  # in the measure's unit


@dataclass(frozen=True)
class ScoreRule:
    """How one measure becomes points; points, scores and weights in thousandths."""

    name: str
    measure: str
    kind: str  # of RULE_KEYS
    side: str  # results, process or deductions
    weight: int | None = None  # attainment, bands, curve: points for a score of 100
    on: str = "value"  # what is looked up: the value, or its share of the target or of the base (in millionths)
    target: int | None = None  # where the manager has none of their own
    floor: int | None = None  # of the score
    cap: int | None = None  # of the score, or of the points where there is no weight
    otherwise: int = 0  # the score where there is nothing to judge
    at: tuple[tuple[int, int], ...] = ()  # bands: from, score; curve: knots
    start: int = 0  # steps and deductions: counted from here
    every: int = 1
    points: int = 0  # for each
    is_below: bool = False  # a deduction counts down from `start`
    is_started: bool = False  # a deduction counts what has only begun


@dataclass(frozen=True)
class Line:
    """A named number of points."""

    name: str
    lower: int  # thousandths of a point, included


@dataclass(frozen=True)
class Scorecard:
    """One set of rules, and whom it is for; an empty tuple stands for all."""

    name: str
    rules: tuple[ScoreRule, ...]
    digits: int  # of the base currency
    period: str = "quarter"  # or month, year
    grades: tuple[str, ...] = ()
    peer_groups: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    base: int = 0  # points for the entries
    entries: tuple[Entry, ...] = ()
    unmet: str = "results"  # what counts for nothing where an entry is not met: base or results
    deduction_cap: int | None = None  # of all deductions together
    floor: int | None = None  # of the total
    cap: int | None = None
    lines: tuple[Line, ...] = ()  # lowest first


def scorecards(source: Source, base_digits: int) -> tuple[Scorecard, ...]:
    """The rules ``[[scorecards]]``, in the order in which they are tried; money in minor units."""
    found = tuple(_card(source, ("scorecards", n), base_digits) for n in range(len(source.value("scorecards"))))
    named_once(source, ("scorecards",), [card.name for card in found], "scorecards")
    for n, card in enumerate(found):
        for before in found[:n]:
            if all(_covers(getattr(before, key), getattr(card, key)) for key in ("grades", "peer_groups", "years")):
                raise source.error(
                    ("scorecards", n),
                    f"have {before.name} before {card.name}, which fits all whom that is for; a "
                    "manager has one card a period. Write the narrower one first, or take one out.",
                )
    return found


def unit_digits(measure: str, base_digits: int) -> int:
    """Digits after the point of a measure's unit.

    Examples
    --------
    >>> unit_digits("new_cards", 2), unit_digits("collection", 2), unit_digits("contribution", 2)
    (0, 6, 2)
    """
    return DIGITS.get(MEASURES[measure], base_digits)


def measure_label(measure: str) -> str:
    """What a measure is called in a sentence.

    Examples
    --------
    >>> measure_label("kyc_in_time"), measure_label("net_new_money"), measure_label("overdue_1")
    ('KYC in time', 'net new money', 'loans 1 to 30 days overdue')
    """
    return LABELS.get(measure, measure.replace("_", " "))


def bounds(source: Source, path: Path, kind: str, digits: int) -> tuple[tuple[int, int], ...]:
    """Pairs of a bound, the lowest first, and the score there, both in whole numbers; a curve has two at least.

    The bounds are in a unit of which `digits` make a whole.
    """
    for n, pair in enumerate(source.rows(*path, of="pairs")):
        if not isinstance(pair, list) or len(pair) != 2:
            raise source.error((*path, n), f'has {pair!r}; write a bound and a score, such as ["0.9", "80"].')
    found = tuple(
        (source.scaled(*path, n, 0, digits=digits), source.scaled(*path, n, 1, digits=POINT_DIGITS))
        for n in range(len(source.value(*path)))
    )
    if kind == "curve" and len(found) < 2:
        raise source.error(path, "has one knot; write two at least.")
    for n, (below, above) in enumerate(pairwise(found), 1):
        if above[0] <= below[0]:
            before, after = (source.value(*path, place, 0) for place in (n - 1, n))
            raise source.error((*path, n), f"has {after} after {before}; write the lowest bound first, and each once.")
    return found


def points_of(source: Source, path: Path) -> int | None:
    """Points in thousandths, where there are some at this path."""
    return None if source.value(*path) is None else source.scaled(*path, digits=POINT_DIGITS)


def _covers(wide: tuple, narrow: tuple) -> bool:
    """Whether what is allowed holds all of something else; nothing named stands for all."""
    return not wide or (bool(narrow) and set(wide) >= set(narrow))


def texts(source: Source, path: Path) -> tuple[str, ...]:
    """Names in a list, none where there is no list at this path."""
    rows = source.rows(*path, of="names") if source.value(*path) is not None else []
    return tuple(source.text_of(*path, n) for n in range(len(rows)))


def _card(source: Source, here: Path, digits: int) -> Scorecard:
    given = row_of(source, here, CARD_KEYS, ("name", "rules"))
    name = source.text_of(*here, "name")
    rules = tuple(
        _rule(source, (*here, "rules", n), digits) for n in range(len(source.rows(*here, "rules", of="rules")))
    )
    named_once(source, (*here, "rules"), [rule.name for rule in rules], "rules")
    weights = [rule.weight for rule in rules if rule.weight is not None]
    if weights and sum(weights) != FULL:
        raise source.error((*here, "rules"), f"of {name} have weights that add up to {_points(sum(weights))}, not 100.")
    points = {key: points_of(source, (*here, key)) for key in ("base", "deduction_cap", "floor", "cap")}
    _in_order(source, here, points["floor"], points["cap"])
    entries = source.rows(*here, "entries", of="entries") if "entries" in given else []
    return Scorecard(
        name=name,
        period=source.one_of(*here, "period", known=("month", "quarter", "year")) if "period" in given else "quarter",
        grades=texts(source, (*here, "grades")),
        peer_groups=texts(source, (*here, "peer_groups")),
        years=source.wholes(*here, "years", least=1900, most=2200) if "years" in given else (),
        base=points["base"] or 0,
        entries=tuple(_entry(source, (*here, "entries", n), digits) for n in range(len(entries))),
        unmet=source.one_of(*here, "unmet", known=("base", "results")) if "unmet" in given else "results",
        rules=rules,
        deduction_cap=points["deduction_cap"],
        floor=points["floor"],
        cap=points["cap"],
        lines=_lines(source, (*here, "lines")) if "lines" in given else (),
        digits=digits,
    )


def _entry(source: Source, here: Path, digits: int) -> Entry:
    row_of(source, here, ("measure", "least"), ("measure", "least"))
    measure = source.one_of(*here, "measure", known=tuple(MEASURES))
    return Entry(measure, source.scaled(*here, "least", digits=unit_digits(measure, digits)))


def _lines(source: Source, path: Path) -> tuple[Line, ...]:
    for n in range(len(source.rows(*path, of="lines"))):
        row_of(source, (*path, n), ("name", "from"), ("name", "from"))
    found = tuple(
        Line(source.text_of(*path, n, "name"), source.scaled(*path, n, "from", digits=POINT_DIGITS))
        for n in range(len(source.value(*path)))
    )
    named_once(source, path, [line.name for line in found], "lines")
    for n, (below, above) in enumerate(pairwise(found), 1):
        if above.lower <= below.lower:
            raise source.error((*path, n), f"have {below.name} and {above.name} out of order; write the lowest first.")
    return found


def _rule(source: Source, here: Path, digits: int) -> ScoreRule:
    every_key = tuple(dict.fromkeys(key for keys, _ in RULE_KEYS.values() for key in keys))
    row_of(source, here, ("name", "measure", "kind", *every_key), ("name", "measure", "kind"))
    kind = source.one_of(*here, "kind", known=tuple(RULE_KEYS))
    may, must = RULE_KEYS[kind]
    given = row_of(source, here, ("name", "measure", "kind", *may), must)
    measure = source.one_of(*here, "measure", known=tuple(MEASURES))
    if kind != "deduction":
        side = source.one_of(*here, "side", known=SIDES) if "side" in given else "results"
    else:
        side = DEDUCTIONS
    common = {"name": source.text_of(*here, "name"), "measure": measure, "kind": kind, "side": side}
    counts = kind in ("steps", "deduction")
    return ScoreRule(**common, **(_counted if counts else _graded)(source, here, given, unit_digits(measure, digits)))


def _counted(source: Source, here: Path, given: dict, digits: int) -> dict:
    """Of a rule that counts: so many points for each."""
    if "from" in given and "below" in given:
        raise source.error(here, f"give {given['name']} both from and below; write one.")
    bound = "below" if "below" in given else "from"
    every = source.scaled(*here, "every", digits=digits, least=0) if "every" in given else 10**digits
    if not every:
        raise source.error((*here, "every"), "is 0; write a number above 0.")
    return {
        "start": source.scaled(*here, bound, digits=digits) if bound in given else 0,
        "every": every,
        "points": source.scaled(*here, "points", digits=POINT_DIGITS, least=0),
        "cap": points_of(source, (*here, "cap")),
        "is_below": bound == "below",
        "is_started": source.yes_or_no(*here, "started") if "started" in given else False,
    }


def _graded(source: Source, here: Path, given: dict, digits: int) -> dict:
    """Of a rule that gives a score of about 100, which a weight makes points."""
    kind = given["kind"]
    compared = ("target", "base") if kind == "attainment" else ("value", "target", "base")
    on = source.one_of(*here, "on", known=compared) if "on" in given else compared[0]
    floor, cap = (points_of(source, (*here, key)) for key in ("floor", "cap"))
    # Without a floor of its own, an attainment would take points away from where little was lost.
    floor = 0 if floor is None and kind == "attainment" else floor
    _in_order(source, here, floor, cap)
    if "target" in given and on != "target":
        raise source.error((*here, "target"), f'is of no use where on is {on}; leave it out, or write on = "target".')
    target = source.scaled(*here, "target", digits=digits) if "target" in given else None
    if target is not None and target <= 0:
        raise source.error((*here, "target"), f"is {given['target']!r}; write a number above 0.")
    return {
        "weight": source.scaled(*here, "weight", digits=POINT_DIGITS, least=0),
        "on": on,
        "target": target,
        "floor": floor,
        "cap": cap,
        "otherwise": points_of(source, (*here, "otherwise")) or 0,
        "at": bounds(source, (*here, "at"), kind, digits if on == "value" else SHARE_DIGITS) if "at" in given else (),
    }


def _in_order(source: Source, here: Path, floor: int | None, cap: int | None) -> None:
    if floor is not None and cap is not None and floor > cap:
        raise source.error((*here, "floor"), f"is {_points(floor)}, above the cap of {_points(cap)}; write it lower.")


def _points(thousandths: int) -> str:
    return f"{Decimal(thousandths).scaleb(-POINT_DIGITS).normalize():f}"
