"""Contacts that are owed: with whom and how often, who is next, whether there is time, and whether it was done."""

from datetime import date, timedelta

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_order, named, required
from crmlab.measures.uncertainty import wilson
from crmlab.policy import Policy
from crmlab.policy.phrases import counted

EVERY = {"week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}  # weeks begin on Monday
A_YEAR = {"week": 52, "month": 12, "quarter": 4, "year": 1}
BY = ("leader", "middle", "manager")
DUTY = ["customer_id", "manager_id", "by", "times", "per", "from_on", "to_on"]
DAY = timedelta(days=1)


def duties(customers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Who must speak with each customer, and how often, by ``[[duties]]``.

    Answers: whom do we owe a contact, and through whom?

    Of several duties of one role towards a customer the most frequent holds. The rest are those towards whom no other
    duty of that role holds.

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
        times, per (week, month, quarter, year), a_year (contacts), from_on, to_on; a row a customer, span and role that
        owes.

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
    return owed.sort("customer_id", "from_on", "place").select(
        "customer_id", "branch_id", "manager_id", "by", "who", "times", "per", "a_year", "from_on", "to_on"
    )


def due(owed: pl.DataFrame, contacts: pl.DataFrame, on: date, since: date | None = None) -> pl.DataFrame:
    """Who was spoken with when, until when they must be again, and for how long that is overdue.

    Answers: whom do I call today?

    A duty of k times a period is kept as long as the period up to today has k days with a contact: it is due again a
    period after the k-th last of them. Whoever came to a manager later than that has a whole period from then on.

    Parameters
    ----------
    owed
        As `duties` gives it.
    contacts
        customer_id, on, and by (leader, middle, manager; without the column all are the manager's). Whoever of a role
        spoke with the customer, it counts; leave out what is no contact, such as calls that reached nobody.
    on
        The day: what is later is not seen.
    since
        From when on contacts are known: nobody waits since an earlier day.

    Returns
    -------
    pl.DataFrame
        customer_id, branch_id, manager_id, by, who, times, per, last_on (null: never), due_on (the last day that keeps
        the duty), is_due (due_on is `on` or earlier), overdue_days (0 or more), n_made (days with a contact in the
        month, up to `on`), n_needed (contacts from `on` to the end of the month that keep the duty, what is overdue
        among them); a row a customer and role, by due_on.

    Raises
    ------
    InputError
        When a column is missing, or a customer has two spans on that day.

    Examples
    --------
    >>> owed = pl.DataFrame({"customer_id": [1], "branch_id": "B1", "manager_id": "M1", "by": "manager", "who": "rest",
    ...     "times": 1, "per": "quarter", "from_on": date(2024, 1, 1), "to_on": date(2030, 1, 1)})
    >>> contacts = pl.DataFrame({"customer_id": [1, 1], "on": [date(2024, 8, 30), date(2025, 2, 1)]})
    >>> due(owed, contacts, date(2024, 12, 31)).select("last_on", "due_on", "overdue_days").row(0)
    (datetime.date(2024, 8, 30), datetime.date(2024, 11, 30), 31)
    """
    measure = "managers.due"
    named(owed.columns, DUTY, measure)
    then = owed.filter(pl.col("from_on") <= on, pl.col("to_on").is_null() | (pl.col("to_on") >= on))
    then = in_order(then, ["customer_id", "by"], measure)
    days = _days(contacts, on, measure).group_by("customer_id", "by").agg(days=pl.col("on").sort(descending=True))
    start = pl.max_horizontal("from_on", pl.lit(since, pl.Date))
    end = pl.lit(on).dt.month_end()
    slot = pl.col("days").list.get(pl.col("slot"), null_on_oob=True)
    every = pl.col("per").replace_strict(EVERY, return_dtype=pl.String)
    expiry = pl.when(slot >= start).then(slot.dt.offset_by(every)).otherwise(start.dt.offset_by(every) - DAY)
    # Each of the k last contacts is one that must be made again, a period after it, and weekly ones again after that.
    soon = pl.max_horizontal("expires_on", pl.lit(on))
    again = pl.when(pl.col("per") == "week").then((end - soon).dt.total_days() // 7).otherwise(0)
    this_month = pl.col("days").list.eval(pl.element() >= pl.lit(on.replace(day=1))).list.sum()
    slots = (
        then.join(days, on=["customer_id", "by"], how="left", maintain_order="left")
        .with_columns(slot=pl.int_ranges(pl.col("times")))
        .explode("slot")
        .with_columns(expires_on=expiry)
        .with_columns(n_needed=pl.when(pl.col("expires_on") <= end).then(1 + again).otherwise(0))
    )
    return (
        slots.group_by("customer_id", "by", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in ("branch_id", "manager_id", "who", "times", "per")),
            last_on=pl.col("days").first().list.first(),
            due_on=pl.col("expires_on").min(),
            n_made=this_month.first().fill_null(0).cast(pl.Int64),
            n_needed=pl.col("n_needed").sum().cast(pl.Int64),
        )
        .with_columns(
            is_due=pl.col("due_on") <= on,
            overdue_days=(pl.lit(on) - pl.col("due_on")).dt.total_days().clip(0),
        )
        .select(
            "customer_id", "branch_id", "manager_id", "by", "who", "times", "per", "last_on", "due_on", "is_due",
            "overdue_days", "n_made", "n_needed",
        )
        .sort("due_on", "customer_id", maintain_order=True)
    )  # fmt: skip


def workload(planned: pl.DataFrame, capacity: pl.DataFrame, on: date) -> pl.DataFrame:
    """What managers must do this month beside what they can.

    Answers: who has more to do than there is time for?

    Parameters
    ----------
    planned
        As `due` gives it for `on`; only what managers owe themselves counts.
    capacity
        manager_id, month (a month end), n_contacts: as the bank's table has it.
    on
        The day.

    Returns
    -------
    pl.DataFrame
        manager_id, month, n_customers, n_due, n_overdue, overdue_days (the longest), n_made, n_needed, n_contacts
        (null: no capacity is known), n_over (made and needed beyond it, 0 or more; null), sentence; the most overloaded
        first.

    Examples
    --------
    >>> planned = pl.DataFrame({"manager_id": ["M1", "M1"], "by": "manager", "is_due": [True, False],
    ...     "overdue_days": [12, 0], "n_made": [0, 1], "n_needed": [1, 0]})
    >>> capacity = pl.DataFrame({"manager_id": ["M1"], "month": [date(2025, 12, 31)], "n_contacts": [1]})
    >>> workload(planned, capacity, date(2025, 12, 10))["sentence"].item()
    'M1 is to make 2 contacts in 2025-12, 1 of them made, and can make 1: 1 too many.'
    """
    measure = "managers.workload"
    named(planned.columns, ["manager_id", "by", "is_due", "overdue_days", "n_made", "n_needed"], measure)
    named(capacity.columns, ["manager_id", "month", "n_contacts"], measure)
    month = pl.lit(on).dt.month_end()
    room = in_order(capacity.filter(pl.col("month") == month), ["manager_id"], measure)
    rows = (
        planned.filter(pl.col("by") == "manager", pl.col("manager_id").is_not_null())
        .group_by("manager_id")
        .agg(
            n_customers=pl.len().cast(pl.Int64), n_due=pl.col("is_due").sum().cast(pl.Int64),
            n_overdue=(pl.col("overdue_days") > 0).sum().cast(pl.Int64), overdue_days=pl.col("overdue_days").max(),
            n_made=pl.col("n_made").sum(), n_needed=pl.col("n_needed").sum(),
        )
        .join(room.select("manager_id", pl.col("n_contacts").cast(pl.Int64)), on="manager_id", how="left")
    )  # fmt: skip
    over = (pl.col("n_made") + pl.col("n_needed") - pl.col("n_contacts")).clip(0)
    rows = rows.with_columns(n_over=over, month=month).sort(
        "n_over", "manager_id", descending=[True, False], nulls_last=True
    )
    told = [_loaded(*row, on) for row in rows.select("manager_id", "n_made", "n_needed", "n_contacts").iter_rows()]
    return rows.select(
        "manager_id", "month", "n_customers", "n_due", "n_overdue", "overdue_days", "n_made", "n_needed", "n_contacts",
        "n_over", sentence=pl.Series(told, dtype=pl.String),
    )  # fmt: skip


def on_schedule(
    owed: pl.DataFrame, contacts: pl.DataFrame, on: date, since: date, period: str = "quarter"
) -> pl.DataFrame:
    """How often managers spoke with their customers as often as they must: what scorecards call `contacts_on_schedule`.

    Answers: are customers looked after as promised?

    A calendar week, month, quarter or year in which a duty held from the first day to the last counts once, in the
    period in which it ends; it is kept with as many days with a contact as the duty asks for. Nobody is judged by a
    part of one. Who keeps to the days that `due` tells keeps all of them.

    Parameters
    ----------
    owed
        As `duties` gives it, with all spans that count.
    contacts
        As for `due`.
    on
        What is later is not seen; periods that end later are not told.
    since
        From when on contacts are known: what began earlier does not count.
    period
        month, quarter or year.

    Returns
    -------
    pl.DataFrame
        manager_id, period (its last day), n (duties in whole weeks, months, …), n_events (kept), rate, lower, upper;
        ordered. Customers of nobody do not count, nor what leaders owe.

    Raises
    ------
    InputError
        When a column is missing, or the period is none.

    Examples
    --------
    >>> owed = pl.DataFrame({"customer_id": [1, 2], "manager_id": "M1", "by": "manager", "times": 1, "per": "month",
    ...     "from_on": date(2025, 1, 1), "to_on": None}, schema_overrides={"to_on": pl.Date})
    >>> contacts = pl.DataFrame({"customer_id": [1, 1], "on": [date(2025, 1, 9), date(2025, 3, 9)]})
    >>> on_schedule(owed, contacts, date(2025, 3, 31), date(2025, 1, 1))["n", "n_events"].rows()
    [(6, 2)]
    """
    measure = "managers.on_schedule"
    named(owed.columns, DUTY, measure)
    if period not in ("month", "quarter", "year"):
        raise InputError(f"{measure} knows no period {period}. Known: month, quarter, year.")
    rows = owed.filter(pl.col("by") == "manager", pl.col("manager_id").is_not_null())
    days = _days(contacts, on, measure).filter(pl.col("by") == "manager")
    found = pl.concat([_windows(rows, days, per, since, on) for per in EVERY])
    last = pl.col("end").dt.truncate(EVERY[period]).dt.offset_by(EVERY[period]) - DAY
    lower, upper = wilson(pl.col("n_events"), pl.col("n"))
    return (
        found.group_by("manager_id", period=last)
        .agg(pl.col("n", "n_events").sum())
        .filter(pl.col("period") <= on)
        .with_columns(lower, upper, rate=pl.col("n_events") / pl.col("n"))
        .select("manager_id", "period", "n", "n_events", "rate", "lower", "upper")
        .sort("manager_id", "period")
    )


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


def _days(contacts: pl.DataFrame, on: date, measure: str) -> pl.DataFrame:
    """The days on which a role spoke with a customer, each once, none after `on`."""
    named(contacts.columns, ["customer_id", "on"], measure)
    by = pl.col("by").cast(pl.String) if "by" in contacts.columns else pl.lit("manager")
    return contacts.filter(pl.col("on") <= on).select("customer_id", "on", by=by).unique()


def _windows(rows: pl.DataFrame, days: pl.DataFrame, per: str, since: date, on: date) -> pl.DataFrame:
    """How many duties each manager had in each whole week, month, quarter or year, and how many were kept."""
    every = EVERY[per]
    start = pl.max_horizontal("from_on", pl.lit(since))
    whole = (
        pl.when(start == start.dt.truncate(every)).then(start).otherwise(start.dt.truncate(every).dt.offset_by(every))
    )
    beyond = (pl.min_horizontal("to_on", pl.lit(on)) + DAY).dt.truncate(every)
    spans = rows.filter(pl.col("per") == per).with_columns(first=whole, beyond=beyond)
    spans = spans.filter(pl.col("first") < pl.col("beyond"))
    made = days.group_by("customer_id", begin=pl.col("on").dt.truncate(every)).agg(made=pl.len())
    return (
        spans.with_columns(begin=pl.date_ranges("first", "beyond", every, closed="left"))
        .explode("begin")
        .join(made, on=["customer_id", "begin"], how="left")
        .group_by("manager_id", "begin")
        .agg(n=pl.len().cast(pl.Int64), n_events=(pl.col("made") >= pl.col("times")).sum().cast(pl.Int64))
        .select("manager_id", "n", "n_events", end=pl.col("begin").dt.offset_by(every) - DAY)
    )


def _loaded(manager: str, made: int, needed: int, can: int | None, on: date) -> str:
    asked = f"{manager} is to make {counted(made + needed, 'contact')} in {on:%Y-%m}, {made:,} of them made"
    if can is None:
        return f"{asked}; how many they can make is not known."
    over = made + needed - can
    return f"{asked}, and can make {can:,}: " + (f"{over:,} too many." if over > 0 else f"{-over:,} to spare.")
