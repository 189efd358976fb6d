"""The rules of what comes next: what goes together, where life events lead, whom to offer what, and lists."""

from dataclasses import dataclass

from crmlab.policy.known import KINDS, LINES
from crmlab.policy.source import Source, named_once, row_of

# Where a life event leads: a line, or what of it has a term.
TARGETS = (*LINES, *(f"term {line}" for line in LINES))
RISKS = ("R1", "R2", "R3", "R4", "R5")
# Why a customer may not be offered a product, in the order in which it is said.
EXCLUSIONS = ("status", "owned", "kind", "age", "risk", "kyc", "consent", "complaint", "contact", "exposure", "staff")
# Of these a value may be missing; of the others its absence says no.
MAY_BE_MISSING = ("age", "risk", "kyc", "consent", "exposure", "staff")
DEALT_WITH = ("exclude", "keep")
# Kind of a trigger -> what it is measured by, besides what all have.
MEASURED_BY = {
    "inflow_stayed": ("times", "months", "floor", "days", "share"),
    "maturing_soon": ("days",),
    "salary_rise": ("times", "months", "months_before"),
}
COMMON = ("name", "kind", "follow_days", "fresh_days")


@dataclass(frozen=True)
class CrossSell:
    """Which products go together and who takes which next, and how that is tested."""

    gap_days: int  # accounts of a product no further apart are one holding
    horizons: tuple[int, ...]  # months
    least_support: int  # millionths of the customers
    least_confidence: int  # millionths
    false_discovery_rate: int  # millionths of the rules told
    calibration_months: int
    train_months: int
    least_events: int  # a product that fewer took has no model of its own


@dataclass(frozen=True)
class Trigger:
    """A life event, what it is measured by (None: not of this kind), and what it leads to."""

    name: str
    kind: str  # one of MEASURED_BY, and a kind of panel.events
    times: int | None  # millionths: at least so many times the usual
    months: int | None  # inflow: what is usual is the median of so many; salary: it has risen in each of so many
    months_before: int | None  # the salary's mean of so many
    floor: int | None  # minor units that come in at least
    days: int | None  # inflow: held so long after the month; maturity: seen so long before
    share: int | None  # millionths of what exceeded the usual, still there
    follow_days: int  # what is taken within so many days has followed
    fresh_days: int  # no older than this it is worth a call
    lines: tuple[str, ...]  # of TARGETS
    products: tuple[str, ...]


@dataclass(frozen=True)
class Eligibility:
    """Who may be offered what."""

    rules: tuple[str, ...]  # of EXCLUSIONS, those in force
    kinds: dict[str, tuple[str, ...]]  # line or product -> kinds of customer; a product before its line
    age: dict[str, tuple[int | None, int | None]]  # line or product -> years, both included; of people only
    highest_risk: dict[str, str]  # risk grade of a customer -> riskiest product
    exposure_cap: dict[str, int]  # kind -> minor units owed at which no more is lent
    staff_lines: tuple[str, ...]  # not for those related to staff
    missing: dict[str, str]  # rule -> exclude or keep, where what it asks for is not known


@dataclass(frozen=True)
class Campaigns:
    """How a list of offers is settled, issued and judged."""

    control_share: int  # millionths
    contact_days: int  # nobody is asked again sooner
    read_out_days: int
    minutes: int  # a contact takes
    cost: int  # minor units a contact
    least_per_branch: int
    gap: int  # millionths of the bound that a list may fall short of it


def crosssell(source: Source) -> CrossSell:
    """The rules under ``[crosssell]``."""
    top = "crosssell"
    shares = ("least_support", "least_confidence", "false_discovery_rate")
    return CrossSell(
        gap_days=source.whole(top, "gap_days", least=0),
        horizons=source.wholes(top, "horizons", least=1, most=60),
        **{name: source.share(top, name) for name in shares},
        **{name: source.whole(top, name, least=1) for name in ("calibration_months", "train_months")},
        least_events=source.whole(top, "least_events", least=10),
    )


def triggers(source: Source, base_digits: int) -> tuple[Trigger, ...]:
    """The rules ``[[triggers]]``, money in minor units of a base currency with so many digits; there may be none."""
    found = tuple(_trigger(source, n, base_digits) for n in range(len(source.value("triggers"))))
    named_once(source, ("triggers",), [trigger.name for trigger in found], "triggers")
    kinds = [trigger.kind for trigger in found]
    for n, kind in enumerate(kinds):
        if kind in kinds[:n]:
            raise source.error(("triggers", n), f"have two of the kind {kind}; write one.")
    return found


def eligibility(source: Source, base_digits: int) -> Eligibility:
    """The rules under ``[eligibility]``, money in minor units of a base currency with so many digits."""
    top = "eligibility"
    kinds = source.table(top, "kinds", read=lambda *at: source.names(*at, known=KINDS))
    caps = source.table(
        top,
        "exposure_cap",
        known=KINDS,
        what="kind of customer",
        read=lambda *at: source.minor(*at, digits=base_digits),
    )
    return Eligibility(
        rules=source.names(top, "rules", known=EXCLUSIONS, may_be_empty=True),
        kinds=kinds,
        age=source.table(top, "age", read=lambda *at: _ages(source, at)),
        highest_risk=source.table(top, "highest_risk", read=lambda *at: source.one_of(*at, known=RISKS)),
        exposure_cap={kind: cap for kind, cap in caps.items() if cap},
        staff_lines=source.names(top, "staff_lines", known=LINES, may_be_empty=True),
        missing=source.table(
            top,
            "missing",
            known=MAY_BE_MISSING,
            what="rule that asks for a value",
            read=lambda *at: source.one_of(*at, known=DEALT_WITH),
        ),
    )


def campaigns(source: Source, base_digits: int) -> Campaigns:
    """The rules under ``[campaigns]``, money in minor units of a base currency with so many digits."""
    top = "campaigns"
    return Campaigns(
        control_share=source.share(top, "control_share"),
        contact_days=source.whole(top, "contact_days", least=0),
        read_out_days=source.whole(top, "read_out_days", least=1),
        minutes=source.whole(top, "minutes", least=1),
        cost=source.minor(top, "cost", digits=base_digits),
        least_per_branch=source.whole(top, "least_per_branch", least=0),
        gap=source.share(top, "gap"),
    )


def _trigger(source: Source, n: int, base_digits: int) -> Trigger:
    here = ("triggers", n)
    row_of(source, here, _keys(*MEASURED_BY), ("name", "kind"))
    kind = source.one_of(*here, "kind", known=tuple(MEASURED_BY))
    given = row_of(source, here, _keys(kind), (*COMMON, *MEASURED_BY[kind]))
    if not given.get("lines") and not given.get("products"):
        raise source.error(here, f"let {given['name']} lead nowhere; write lines or products.")
    read = {
        "times": source.factor,
        "months": lambda *at: source.whole(*at, least=1, most=60),
        "months_before": lambda *at: source.whole(*at, least=1, most=60),
        "floor": lambda *at: source.minor(*at, digits=base_digits),
        # What comes in is judged before the next month has ended: two months never wait on one another.
        "days": lambda *at: source.whole(*at, least=1, most=28 if kind == "inflow_stayed" else 366),
        "share": source.share,
    }
    return Trigger(
        name=source.text_of(*here, "name"),
        kind=kind,
        **{key: one(*here, key) if key in MEASURED_BY[kind] else None for key, one in read.items()},
        follow_days=source.whole(*here, "follow_days", least=1, most=366),
        fresh_days=source.whole(*here, "fresh_days", least=1, most=366),
        lines=source.names(*here, "lines", known=TARGETS, may_be_empty=True) if "lines" in given else (),
        products=_products(source, (*here, "products")) if "products" in given else (),
    )


def _keys(*kinds: str) -> tuple[str, ...]:
    """What a trigger of one of these kinds may say."""
    return (*COMMON, "lines", "products", *dict.fromkeys(key for kind in kinds for key in MEASURED_BY[kind]))


def _products(source: Source, path: tuple) -> tuple[str, ...]:
    return tuple(source.text_of(*path, n) for n in range(len(source.rows(*path, of="products"))))


def _ages(source: Source, path: tuple) -> tuple[int | None, int | None]:
    """The youngest and the oldest; a 0 takes a bound of ours out."""
    given = row_of(source, path, ("from", "to"), ())
    low, high = (
        (source.whole(*path, end, least=0, most=150) or None) if end in given else None for end in ("from", "to")
    )
    if low and high and low > high:
        raise source.error(path, f"is from {low} to {high}; write the youngest first.")
    return low, high
