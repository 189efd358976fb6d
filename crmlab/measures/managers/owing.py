"""Whom a contact is owed, by whom and how often: customers by manager, tier and nomination, and the duties of each."""

from datetime import date

import polars as pl

from crmlab.measures.given import in_order, named, required
from crmlab.policy import Policy

A_YEAR = {"week": 52, "month": 12, "quarter": 4, "year": 1}
BY = ("leader", "middle", "manager")
EVER = date(1, 1, 1)
DAY = pl.duration(days=1)
ONE = ["customer_id", "by", "manager_id", "who", "times", "per"]  # what a duty is: the same one goes on


def spans(
    keeping: pl.DataFrame,
    with_us: pl.DataFrame,
    tiers: pl.DataFrame | None = None,
    nominated: pl.DataFrame | None = None,
    on: date | None = None,
) -> pl.DataFrame:
    """Who was whose customer, of which tier, nominated or not, from when to when: what `duties` asks for.

    Parameters
    ----------
    keeping
        customer_id, manager_id (null: nobody), from_on, to_on (null: still), as `panel.keeping` gives them.
    with_us
        customer_id, from_on, to_on (null: still): first and last day as a customer; others are left out.
    tiers
        customer_id, month, tier. A tier holds from the day after its month's end on; that of the first month there is
        held before it, too, since what was before is not known.
    nominated
        customer_id, from_on, to_on (both count; null: still).
    on
        For whom to call on a day: the tier of its month, as far as it is known by then, holds from that day on; what is
        later is not seen.

    Returns
    -------
    pl.DataFrame
        customer_id, manager_id, tier, is_nominated, from_on, to_on (null: still), by customer and day.

    Examples
    --------
    >>> keeping = pl.DataFrame({"customer_id": [7], "manager_id": "M1", "from_on": date(2024, 1, 1), "to_on": None},
    ...     schema_overrides={"to_on": pl.Date})
    >>> tiers = pl.DataFrame({"customer_id": 7, "month": [date(2024, 1, 31), date(2024, 2, 29)], "tier": ["a", "b"]})
    >>> spans(keeping, keeping.drop("manager_id"), tiers).select("tier", "from_on", "to_on").rows()
    [('a', datetime.date(2024, 1, 1), datetime.date(2024, 2, 29)), ('b', datetime.date(2024, 3, 1), None)]
    """
    ours = with_us.select("customer_id", first_on="from_on", last_on=pl.col("to_on").cast(pl.Date))
    spells = keeping.join(ours, on="customer_id").select(
        "customer_id",
        "manager_id",
        from_on=pl.max_horizontal("from_on", "first_on"),
        to_on=pl.min_horizontal(pl.col("to_on").cast(pl.Date), "last_on"),
    )
    spells = spells.filter(pl.col("to_on").is_null() | (pl.col("from_on") <= pl.col("to_on")))
    if on is not None:
        spells = spells.filter(pl.col("from_on") <= on)
    held, named_ones = _held(tiers, spells, on), _nominated(nominated, spells, on)
    edges = pl.concat([frame.select("customer_id", edge="at") for frame in (held, named_ones)]).unique()
    within = spells.join(edges, on="customer_id").filter(
        pl.col("edge") > pl.col("from_on"), pl.col("to_on").is_null() | (pl.col("edge") <= pl.col("to_on"))
    )
    cut = pl.concat([spells.with_columns(at="from_on"), within.rename({"edge": "at"}).select(*spells.columns, "at")])
    cut = cut.sort("customer_id", "from_on", "at")
    until = pl.col("at").shift(-1).over("customer_id", "from_on") - DAY
    cut = cut.with_columns(to_on=until.fill_null(pl.col("to_on")), from_on="at").sort("at")
    for known in (held, named_ones):
        cut = cut.join_asof(known.sort("at"), on="at", by="customer_id", check_sortedness=False)
    is_nominated = (pl.col("n_named") > 0).fill_null(False)
    return cut.select(
        "customer_id", "manager_id", "tier", is_nominated=is_nominated, from_on="from_on", to_on="to_on"
    ).sort("customer_id", "from_on")  # fmt: skip


def with_us(accounts: pl.DataFrame) -> pl.DataFrame:
    """First and last day of each customer with an account: customer_id, from_on, to_on (null: still).

    Examples
    --------
    >>> accounts = pl.DataFrame({"customer_id": [7, 7], "opened_on": [date(2024, 1, 5), date(2024, 3, 1)],
    ...     "closed_on": [date(2024, 9, 1), date(2024, 6, 1)]})
    >>> with_us(accounts).row(0)
    (7, datetime.date(2024, 1, 5), datetime.date(2024, 8, 31))
    """
    is_open = pl.col("closed_on").is_null().any()
    last = pl.when(~is_open).then(pl.col("closed_on").max() - DAY)
    return accounts.group_by("customer_id").agg(from_on=pl.col("opened_on").min(), to_on=last).sort("customer_id")


def duties(customers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Who must speak with each customer, and how often, by ``[[duties]]``.

    Answers: whom do we owe a contact, and through whom?

    Of several duties of one role towards a customer the most frequent holds. The rest are those towards whom no other
    duty of that role holds. A duty that goes on through the next span is one, from its first day on.

    Parameters
    ----------
    customers
        customer_id, manager_id (who looks after them; null: nobody), tier (null: none), from_on (since when; a customer
        may have several rows, one a span), and where known branch_id, is_nominated (by the branch) and to_on (the last
        day; null: still).
    policy
        The bank's rules: `duties`, and of `completeness` the key tiers.

    Returns
    -------
    pl.DataFrame
        customer_id, branch_id, manager_id, by (leader, middle, manager), who (nominated, key, rest, or the tier),
        times, per (week, month, quarter, year), a_year (contacts), from_on (since when it is owed: the latest of
        assignment, tier and nomination, as the spans have them), to_on; a row a customer, duty and role that owes.

    Raises
    ------
    InputError
        When a column is missing, a customer has no from_on, or a span is there twice.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab.policy import load
    >>> customers = pl.DataFrame({"customer_id": [1, 2], "manager_id": "M1", "tier": None, "from_on": date(2025, 1, 1),
    ...     "is_nominated": [True, False]})
    >>> duties(customers, load()).select("customer_id", "by", "times", "per").rows()[1:]
    [(1, 'middle', 1, 'month'), (1, 'manager', 2, 'week'), (2, 'manager', 1, 'quarter')]
    """
    measure = "managers.duties"
    named(customers.columns, ["manager_id", "tier"], measure)
    required(customers, ["customer_id", "from_on"], measure)
    rows = in_order(customers, ["customer_id", "from_on"], measure)
    known = {"branch_id": pl.String, "is_nominated": pl.Boolean, "to_on": pl.Date}
    rows = rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in known.items() if name not in rows.columns)
    owed = pl.concat([_owed(rows, policy, by).with_columns(place=n) for n, by in enumerate(BY)])
    return (
        _going_on(owed)
        .sort("customer_id", "from_on", "place")
        .select("customer_id", "branch_id", "manager_id", "by", "who", "times", "per", "a_year", "from_on", "to_on")
    )


def _held(tiers: pl.DataFrame | None, spells: pl.DataFrame, on: date | None) -> pl.DataFrame:
    """The days on which tiers change: customer_id, at, tier."""
    none = {"customer_id": spells.schema["customer_id"], "at": pl.Date, "tier": pl.String}
    if tiers is None or tiers.is_empty():
        return pl.DataFrame(schema=none)
    tiers = tiers if on is None else tiers.filter(pl.col("month") <= pl.lit(on).dt.month_end())
    since = pl.col("month") + DAY if on is None else pl.min_horizontal(pl.col("month") + DAY, pl.lit(on))
    rows = tiers.sort("customer_id", "month").select(
        "customer_id",
        at=pl.when(pl.col("month") == pl.col("month").min()).then(pl.lit(EVER)).otherwise(since),
        tier=pl.col("tier").cast(pl.String),
    )
    is_same = pl.col("tier").eq_missing(pl.col("tier").shift()) & (
        pl.col("customer_id") == pl.col("customer_id").shift()
    )
    return rows.filter(~is_same.fill_null(False)).cast(none)


def _nominated(nominated: pl.DataFrame | None, spells: pl.DataFrame, on: date | None) -> pl.DataFrame:
    """The days on which nominations begin or are over: customer_id, at, n_named (how many hold from then on)."""
    none = {"customer_id": spells.schema["customer_id"], "at": pl.Date, "n_named": pl.Int64}
    if nominated is None or nominated.is_empty():
        return pl.DataFrame(schema=none)
    begin = nominated.select("customer_id", at="from_on", n_named=1)
    over = nominated.drop_nulls("to_on").select("customer_id", at=pl.col("to_on") + DAY, n_named=-1)
    days = pl.concat([begin, over], how="vertical_relaxed").group_by("customer_id", "at").agg(pl.col("n_named").sum())
    days = days.filter(pl.col("at") <= on) if on is not None else days
    return days.sort("customer_id", "at").with_columns(pl.col("n_named").cum_sum().over("customer_id")).cast(none)


def _going_on(owed: pl.DataFrame) -> pl.DataFrame:
    """Spans that follow each other with the same duty of the same manager as one."""
    rows = owed.sort("customer_id", "place", "from_on")
    before = [pl.col(name).eq_missing(pl.col(name).shift()) for name in ONE]
    follows = pl.all_horizontal(*before, pl.col("from_on") == pl.col("to_on").shift() + DAY).fill_null(False)
    whole = rows.with_columns(run=(~follows).cum_sum()).group_by("run", maintain_order=True)
    return whole.agg(pl.exclude("to_on").first(), pl.col("to_on").last())


def _owed(rows: pl.DataFrame, policy: Policy, by: str) -> pl.DataFrame:
    """What one role owes: of the duties that hold towards a customer the most frequent."""
    named_ones = [(who, duty) for duty in policy.duties if duty.by == by for who in duty.who]
    named_ones.sort(key=lambda one: -one[1].times * A_YEAR[one[1].per])
    nominated, key = pl.col("is_nominated").fill_null(False), pl.col("tier").is_in(policy.completeness.key_tiers)
    holds = {"nominated": nominated, "key": key.fill_null(False)}
    meant = {who: holds.get(who, (pl.col("tier") == who).fill_null(False)) for who, _ in named_ones if who != "rest"}
    meant["rest"] = ~pl.any_horizontal(*meant.values()) if meant else pl.lit(True)
    place = pl.lit(None, pl.Int32)
    for n, (who, _) in reversed(list(enumerate(named_ones))):
        place = pl.when(meant[who]).then(n).otherwise(place)
    rules = pl.DataFrame(
        [(n, by, who, duty.times, duty.per, duty.times * A_YEAR[duty.per]) for n, (who, duty) in enumerate(named_ones)],
        {"rule": pl.Int32, "by": pl.String, "who": pl.String, "times": pl.Int64, "per": pl.String, "a_year": pl.Int64},
        orient="row",
    )
    return rows.with_columns(pl.col("tier").cast(pl.String)).with_columns(rule=place).join(rules, on="rule").select(
        "customer_id", "branch_id", "manager_id", *rules.columns[1:], "from_on", "to_on"
    )  # fmt: skip
