"""``policy.toml`` laid over crmlab's own rules, validated, and read into a `Policy`."""

import hashlib
import json
import tomllib
from itertools import product
from pathlib import Path

from crmlab.errors import InputError, near_miss
from crmlab.policy import rules
from crmlab.policy.customers import clusters, funnel, groups, growth, life_cycle, profile, segmentation
from crmlab.policy.departing import churn, leaving, life_value, worklist
from crmlab.policy.earning import contribution, pricing
from crmlab.policy.known import LINES
from crmlab.policy.managing import duties, managing, pay, recut
from crmlab.policy.offering import campaigns, crosssell, eligibility, triggers
from crmlab.policy.rules import Policy, Segment
from crmlab.policy.scoring import scorecards
from crmlab.policy.source import MILLION, Source
from crmlab.policy.tiering import completeness, tiers

DEFAULT = Path(__file__).parents[1] / "policy.toml"
# Tables to which a bank may add keys; which ones is checked where they are read.
OPEN_TABLES = (
    "minor_digits", "pricing.curves", "pricing.day_count", "contribution.cost", "contribution.commission_on_balance",
    "contribution.commission_on_turnover", "contribution.pd", "contribution.pd_by_class", "contribution.lgd",
    "contribution.conversion", "contribution.capital", "contribution.points", "completeness.fields",
    "eligibility.kinds", "eligibility.age", "eligibility.highest_risk", "eligibility.exposure_cap",
)  # fmt: skip


def load(path: Path | str | None = None) -> Policy:
    """Read the rules of a bank, or crmlab's own where no file is named.

    A bank's file needs to hold only what differs: its tables (``[activity]``, ``[lines]``) are laid over ours, key by
    key; its lists (``[[tiers]]``) stand in place of ours.

    Raises
    ------
    InputError
        When the file is absent or not TOML, when a key is unknown, or when a value cannot be used: which line and key.
    """
    own = Path(path) if path is not None else DEFAULT
    if not own.is_file():
        raise InputError(f"There is no policy file {own}. Name an existing one, or leave it out to use crmlab's own.")
    try:
        text = own.read_text("utf-8")
        said = tomllib.loads(text)
    except UnicodeDecodeError:
        raise InputError(f"{own} is not UTF-8. Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{own} is not valid TOML: {error}. Correct that line.") from None
    ours = tomllib.loads(DEFAULT.read_text("utf-8"))
    return _policy(Source(own.name, text, said, _laid_over(ours, said, Source(own.name, text, said, ours))))


def _laid_over(ours: dict, own: dict, source: Source, path: tuple[str, ...] = ()) -> dict:
    merged = dict(ours)
    is_open = ".".join(path[:2]) in OPEN_TABLES
    for key, value in own.items():
        if key not in ours and not is_open:
            raise source.error((*path, key), f"is not a rule. {near_miss(key, list(ours))}")
        if key in ours and _shape(ours[key]) != _shape(value):
            raise source.error((*path, key), f"must be a {_shape(ours[key])}.")
        is_table = isinstance(value, dict) and key in ours
        merged[key] = _laid_over(ours[key], value, source, (*path, key)) if is_table else value
    return merged


def _shape(value: object) -> str:
    return "table" if isinstance(value, dict) else "list" if isinstance(value, list) else "value"


def _policy(source: Source) -> Policy:
    bands = source.whole("rfm", "bands", least=2, most=100)
    minor_digits = source.by_currency("minor_digits", least=0)
    base_currency = source.currency("base_currency")
    base_digits = minor_digits.get(base_currency, 2)
    tier_rules = tiers(source, base_digits)
    cards = scorecards(source, base_digits)
    return Policy(
        base_currency=base_currency,
        minor_digits=minor_digits,
        max_reject_share=source.share("landing", "max_reject_share") / MILLION,
        tolerance=source.money("landing", "tolerance"),
        lines=source.table("lines", known=LINES, what="product line", read=lambda *at: _class(source, at)),
        activity_kinds=source.names("activity", "kinds", known=rules.ENTRY_KINDS),
        activity_initiators=source.names("activity", "initiated_by", known=rules.INITIATORS),
        activity_window_days=source.whole("activity", "window_days", least=1),
        large_inflow=source.money("events", "large_inflow"),
        rfm_window_days=source.whole("rfm", "window_days", least=1),
        rfm_bands=bands,
        rfm_segments=_segments(source, bands),
        pricing=pricing(source),
        contribution=contribution(source, base_digits),
        deviation=rules.Deviation(source.share("deviation", "flag"), source.money("deviation", "least")),
        tiers=tier_rules,
        completeness=completeness(source, tier_rules[0]),
        growth=growth(source, base_digits),
        segmentation=segmentation(source, base_digits),
        life_cycle=life_cycle(source),
        groups=groups(source),
        funnel=funnel(source),
        clusters=clusters(source),
        profile=profile(source),
        churn=churn(source, base_digits),
        leaving=leaving(source),
        worklist=worklist(source, base_digits),
        life_value=life_value(source),
        crosssell=crosssell(source),
        triggers=triggers(source, base_digits),
        eligibility=eligibility(source, base_digits),
        campaigns=campaigns(source, base_digits),
        managing=managing(source, base_digits),
        recut=recut(source),
        duties=duties(source, tuple(level.name for level in tier_rules[0].levels)),
        scorecards=cards,
        pay=pay(source, cards, base_digits),
        hash=hashlib.sha256(json.dumps(source.rules, sort_keys=True, default=str).encode()).hexdigest(),
    )


def _class(source: Source, path: tuple[str, ...]) -> str:
    class_ = source.value(*path)
    if class_ not in rules.CLASSES:
        raise source.error(path, f"counts as {class_!r}. {near_miss(str(class_), list(rules.CLASSES))}")
    return class_


def _segments(source: Source, bands: int) -> tuple[Segment, ...]:
    path = ("rfm", "segments")
    try:
        segments = tuple(
            Segment(row["name"], *((*map(int, row[axis]),) for axis in "rfm")) for row in source.value(*path)
        )
        cells = [(cell, segment.name) for segment in segments for cell in segment.cells()]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise source.error(path, "each need a name, and r, f and m as [low, high].") from None
    owner: dict[tuple, str] = {}
    for cell, name in cells:
        if owner.setdefault(cell, name) != name:
            raise source.error(path, f"put cell {cell} into two, {owner[cell]} and {name}.")
    space = set(product(range(1, bands + 1), repeat=3))
    missing, outside = sorted(space - owner.keys()), sorted(owner.keys() - space)
    if missing:
        raise source.error(path, f"leave {len(missing)} of {bands**3} cells out (first: {missing[0]}).")
    if outside:
        raise source.error(path, f"have {len(outside)} cells outside 1 to {bands} (first: {outside[0]}).")
    return segments
