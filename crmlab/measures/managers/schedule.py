"""Whether the contacts that are owed were made: each whole week, month, quarter or year of a duty, kept or not."""

from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import named
from crmlab.measures.managers.books import kept_on
from crmlab.measures.managers.planning import DAY, DUTY, EVERY, days_spoken
from crmlab.measures.uncertainty import wilson
from crmlab.policy import Managing


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
    found = kept(owed.filter(pl.col("by") == "manager", pl.col("manager_id").is_not_null()), contacts, on, since)
    last = pl.col("on").dt.truncate(EVERY[period]).dt.offset_by(EVERY[period]) - DAY
    lower, upper = wilson(pl.col("n_events"), pl.col("n"))
    return (
        found.group_by("manager_id", period=last)
        .agg(pl.col("n", "n_events").sum())
        .filter(pl.col("period") <= on)
        .with_columns(lower, upper, rate=pl.col("n_events") / pl.col("n"))
        .select("manager_id", "period", "n", "n_events", "rate", "lower", "upper")
        .sort("manager_id", "period")
    )


def kept(owed: pl.DataFrame, contacts: pl.DataFrame, on: date, since: date | None) -> pl.DataFrame:
    """Each whole week, month, quarter or year of a duty, and whether it was kept; as `on_schedule` counts them.

    Parameters
    ----------
    owed, contacts, on, since
        As for `on_schedule`; `since` null: contacts are known from the beginning.

    Returns
    -------
    pl.DataFrame
        customer_id, manager_id, by, on (the last day), n (1), n_events (1: kept, else 0).

    Examples
    --------
    >>> owed = pl.DataFrame({"customer_id": [1], "manager_id": "M1", "by": "manager", "times": 1, "per": "month",
    ...     "from_on": date(2025, 1, 1), "to_on": date(2025, 3, 30)})
    >>> contacts = pl.DataFrame({"customer_id": [1], "on": [date(2025, 1, 9)]})
    >>> kept(owed, contacts, date(2025, 3, 31), None).select("on", "n_events").rows()
    [(datetime.date(2025, 1, 31), 1), (datetime.date(2025, 2, 28), 0)]
    """
    days = days_spoken(contacts, on, "managers.on_schedule")
    return pl.concat([_windows(owed, days, per, since, on) for per in EVERY])


def reaching(contacts: pl.DataFrame) -> pl.DataFrame:
    """The contacts that reached somebody: those whose outcome is not ``not reached``.

    Examples
    --------
    >>> reaching(pl.DataFrame({"customer_id": [7, 8], "outcome": ["not reached", None]}))["customer_id"].to_list()
    [8]
    """
    outcome = pl.col("outcome").cast(pl.String)
    return contacts.filter(outcome.is_null() | (outcome != "not reached"))


def by_role(contacts: pl.DataFrame, managers: pl.DataFrame, keeping: pl.DataFrame, rules: Managing) -> pl.DataFrame:
    """The contacts with whose they were: the leader's, the middle's or the manager's.

    Whose grade is one of ``managing.leader_grades`` speaks as the leader, of ``managing.middle_grades`` as the middle,
    and anybody else, or of whom the grade of the day is not told, as a manager. Who looks after the customer
    speaks as their manager whatever the grade: the contact then counts as both.

    Parameters
    ----------
    contacts
        customer_id, on, and where known manager_id (who made it).
    managers
        manager_id, grade (null: not told), graded_on (since when at least; null: always).
    keeping
        As `panel.keeping` gives it.
    rules
        ``policy.managing``.

    Returns
    -------
    pl.DataFrame
        customer_id, on, by.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> contacts = pl.DataFrame({"customer_id": [7, 7], "on": [date(2025, 1, 9)] * 2, "manager_id": ["M1", "M9"]})
    >>> staff = pl.DataFrame({"manager_id": ["M1", "M9"], "grade": ["manager", "branch manager"], "graded_on": None})
    >>> keeping = pl.DataFrame({"customer_id": [7], "manager_id": ["M1"], "from_on": [date(2024, 1, 1)]})
    >>> by_role(contacts, staff, keeping, load().managing)["by"].to_list()
    ['manager', 'leader']
    """
    if "manager_id" not in contacts.columns:
        return contacts.select("customer_id", "on", by=pl.lit("manager"))
    grades = managers.select("manager_id", "grade", pl.col("graded_on").cast(pl.Date))
    rows = contacts.select("customer_id", "on", "manager_id").join(
        grades, on="manager_id", how="left", maintain_order="left"
    )
    told = pl.col("graded_on").is_null() | (pl.col("graded_on") <= pl.col("on"))
    role = pl.lit("manager")
    for by, of in (("middle", rules.middle_grades), ("leader", rules.leader_grades)):
        role = pl.when(told & pl.col("grade").is_in(list(of))).then(pl.lit(by)).otherwise(role)
    rows = rows.with_columns(by=role).rename({"manager_id": "made_by"})
    above = kept_on(keeping, rows.filter(pl.col("by") != "manager"), "on")
    own = above.filter(pl.col("manager_id") == pl.col("made_by")).with_columns(by=pl.lit("manager"))
    return pl.concat([frame.select("customer_id", "on", "by") for frame in (rows, own)])


def _windows(rows: pl.DataFrame, days: pl.DataFrame, per: str, since: date, on: date) -> pl.DataFrame:
    """The whole weeks, months, quarters or years of duties that are counted by them."""
    every = EVERY[per]
    start = pl.max_horizontal("from_on", pl.lit(since, pl.Date))
    whole = (
        pl.when(start == start.dt.truncate(every)).then(start).otherwise(start.dt.truncate(every).dt.offset_by(every))
    )
    beyond = (pl.min_horizontal("to_on", pl.lit(on)) + DAY).dt.truncate(every)
    spans = rows.filter(pl.col("per") == per).with_columns(first=whole, beyond=beyond)
    spans = spans.filter(pl.col("first") < pl.col("beyond"))
    made = days.group_by("customer_id", "by", begin=pl.col("on").dt.truncate(every)).agg(made=pl.len())
    is_kept = (pl.col("made") >= pl.col("times")).fill_null(False).cast(pl.Int64)
    return (
        spans.with_columns(begin=pl.date_ranges("first", "beyond", every, closed="left"))
        .explode("begin")
        .join(made, on=["customer_id", "by", "begin"], how="left")
        .select(
            "customer_id", "manager_id", "by", on=pl.col("begin").dt.offset_by(every) - DAY, n=pl.lit(1, pl.Int64),
            n_events=is_kept,
        )
    )  # fmt: skip
