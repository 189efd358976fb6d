"""Contacts that are owed: who is next, for how long they have waited, and whether there is time for all of them."""

from datetime import date, timedelta

import polars as pl

from crmlab.measures.given import in_order, named
from crmlab.policy.phrases import counted

EVERY = {"week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}  # weeks begin on Monday
DUTY = ["customer_id", "manager_id", "by", "times", "per", "from_on", "to_on"]
DAY = timedelta(days=1)


def due(owed: pl.DataFrame, contacts: pl.DataFrame, on: date, since: date | None = None) -> pl.DataFrame:
    """Who was spoken with when, until when they must be again, and for how long that is overdue.

    Answers: whom do I call today?

    A duty of k times a period is kept as long as the period up to today has k days with a contact: it is due again a
    period after the k-th last of them. Whoever came to a manager later than that, or reached the tier or was nominated
    later, has a whole period from then on. Where the duty is older than the history and contacts before it would tell
    since when it is overdue, nobody knows: then overdue_days is null.

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
        From when on contacts are known; without it, all ever made are.

    Returns
    -------
    pl.DataFrame
        customer_id, branch_id, manager_id, by, who, times, per, owed_on (since when; null: longer than contacts are
        known), last_on (null: never), due_on (the last day that keeps the duty, or the latest it can have been), is_due
        (due_on is `on` or earlier), overdue_days (0 or more; null: overdue, not known since when), n_made (days with a
        contact in the month, up to `on`), n_needed (contacts from `on` to the end of the month that keep the duty, what
        is overdue among them), told (when they were last spoken with, in words); a row a customer and role, by due_on.

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
    days = days_spoken(contacts, on, measure).group_by("customer_id", "by").agg(days=pl.col("on").sort(descending=True))
    since_on = pl.lit(since or date.min, pl.Date)
    start = pl.max_horizontal("from_on", since_on)
    end = pl.lit(on).dt.month_end()
    slot = pl.col("days").list.get(pl.col("slot"), null_on_oob=True)
    every = pl.col("per").replace_strict(EVERY, return_dtype=pl.String)
    expiry = pl.when(slot >= start).then(slot.dt.offset_by(every)).otherwise(start.dt.offset_by(every) - DAY)
    # Each of the k last contacts is one that must be made again, a period after it, and weekly ones again after that.
    soon = pl.max_horizontal("expires_on", pl.lit(on))
    again = pl.when(pl.col("per") == "week").then((end - soon).dt.total_days() // 7).otherwise(0)
    late = (pl.lit(on) - pl.col("due_on")).dt.total_days().clip(0)
    this_month = pl.col("days").list.eval(pl.element() >= pl.lit(on.replace(day=1))).list.sum()
    slots = (
        then.join(days, on=["customer_id", "by"], how="left", maintain_order="left")
        .with_columns(slot=pl.int_ranges(pl.col("times")))
        .explode("slot")
        .with_columns(expires_on=expiry, is_dark=(pl.col("from_on") < since_on) & slot.is_null())
        .with_columns(n_needed=pl.when(pl.col("expires_on") <= end).then(1 + again).otherwise(0))
    )
    return (
        slots.group_by("customer_id", "by", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in ("branch_id", "manager_id", "who", "times", "per")),
            owed_on=pl.when(pl.col("from_on").first() >= since_on).then(pl.col("from_on").first()),
            last_on=pl.col("days").first().list.first(),
            is_dark=pl.col("is_dark").any(),
            due_on=pl.col("expires_on").min(),
            n_made=this_month.first().fill_null(0).cast(pl.Int64),
            n_needed=pl.col("n_needed").sum().cast(pl.Int64),
        )
        .with_columns(
            is_due=pl.col("due_on") <= on,
            overdue_days=pl.when(~pl.col("is_dark") | (pl.col("due_on") >= on)).then(late),
            told=_told(since),
        )
        .select(
            "customer_id", "branch_id", "manager_id", "by", "who", "times", "per", "owed_on", "last_on", "due_on",
            "is_due", "overdue_days", "n_made", "n_needed", "told",
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
        manager_id, month, n_customers, n_due, n_overdue, overdue_days (the longest that is known), n_made, n_needed,
        n_contacts (null: no capacity is known), n_over (made and needed beyond it, 0 or more; null), sentence; the most
        overloaded first.

    Examples
    --------
    >>> planned = pl.DataFrame({"manager_id": ["M1", "M1"], "by": "manager", "is_due": [True, False],
    ...     "due_on": [date(2025, 11, 28), date(2026, 2, 1)], "overdue_days": [12, 0], "n_made": [0, 1],
    ...     "n_needed": [1, 0]})
    >>> capacity = pl.DataFrame({"manager_id": ["M1"], "month": [date(2025, 12, 31)], "n_contacts": [1]})
    >>> workload(planned, capacity, date(2025, 12, 10))["sentence"].item()
    'M1 is to make 2 contacts in 2025-12, 1 of them made, and can make 1: 1 too many.'
    """
    measure = "managers.workload"
    named(planned.columns, ["manager_id", "by", "due_on", "is_due", "overdue_days", "n_made", "n_needed"], measure)
    named(capacity.columns, ["manager_id", "month", "n_contacts"], measure)
    month = pl.lit(on).dt.month_end()
    room = in_order(capacity.filter(pl.col("month") == month), ["manager_id"], measure)
    rows = (
        planned.filter(pl.col("by") == "manager", pl.col("manager_id").is_not_null())
        .group_by("manager_id")
        .agg(
            n_customers=pl.len().cast(pl.Int64), n_due=pl.col("is_due").sum().cast(pl.Int64),
            n_overdue=(pl.col("due_on") < on).sum().cast(pl.Int64), overdue_days=pl.col("overdue_days").max(),
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


def days_spoken(contacts: pl.DataFrame, on: date, measure: str) -> pl.DataFrame:
    """The days on which a role spoke with a customer, each once, none after `on`.

    Examples
    --------
    >>> contacts = pl.DataFrame({"customer_id": [7, 7], "on": [date(2025, 1, 9)] * 2})
    >>> days_spoken(contacts, date(2025, 1, 31), "managers.due").rows()
    [(7, datetime.date(2025, 1, 9), 'manager')]
    """
    named(contacts.columns, ["customer_id", "on"], measure)
    by = pl.col("by").cast(pl.String) if "by" in contacts.columns else pl.lit("manager")
    return contacts.filter(pl.col("on") <= on).select("customer_id", "on", by=by).unique()


def _told(since: date | None) -> pl.Expr:
    """When somebody was last spoken with, and what history cannot tell of it."""
    begins = pl.lit(f"; history begins on {since}" if since else "")
    dark = pl.when("is_dark").then(begins).otherwise(pl.lit(""))
    owed = pl.format("never contacted; owed since {}", pl.col("owed_on").cast(pl.String))
    never = pl.coalesce(owed, pl.format("never contacted{}", begins))
    return pl.coalesce(pl.format("last contacted on {}{}", pl.col("last_on").cast(pl.String), dark), never)


def _loaded(manager: str, made: int, needed: int, can: int | None, on: date) -> str:
    asked = f"{manager} is to make {counted(made + needed, 'contact')} in {on:%Y-%m}, {made:,} of them made"
    if can is None:
        return f"{asked}; how many they can make is not known."
    over = made + needed - can
    return f"{asked}, and can make {can:,}: " + (f"{over:,} too many." if over > 0 else f"{-over:,} to spare.")
