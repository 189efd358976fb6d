"""Who left, when and why, and who is still at risk: one pass over the months, each known some months later.

A customer may be found to have left in a month only once `confirm_months` more have gone by, whatever the cause. So all
that is said of a month rests on what was known by then, and what is said does not change when more months come.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from crmlab.measures.churn.clauses import CAUSE, CLOSURE, NEEDED, REPAID, SALARY, UNKNOWN, Happened, happened
from crmlab.measures.churn.path import STATES, ended, stood
from crmlab.measures.given import named, required
from crmlab.measures.history import History, history
from crmlab.measures.uncertainty import wilson
from crmlab.policy.departing import Churn

STATE = pl.Enum(STATES)
COLUMNS = {
    "customer_id": pl.Int32, "kind": pl.String, "episode": pl.Int32, "entry": pl.Int32, "duration": pl.Int32,
    "event": pl.Boolean, "cause": CAUSE, "starts_on": pl.Date, "ends_on": pl.Date, "known_on": pl.Date,
    "lost": pl.Int64,
}  # fmt: skip
WATCHED = {
    "customer_id": pl.Int32, "month": pl.Date, "state": STATE, "reference": pl.Int64, "average": pl.Int64,
}  # fmt: skip


def episodes(
    customers: pl.DataFrame, events: pl.DataFrame, definition: Churn, maturities: pl.DataFrame | None = None
) -> pl.DataFrame:
    """From when to when each customer could be lost, and whether and why they left.

    Answers: how many were there to lose, who left, and what for?

    What is usual is the median of the average AUM of the last months; who has fallen below before that is known is not
    at risk, and counted nowhere. Leaving is *closure*, no account open; *run-off*, AUM below a share of the usual, and
    by at least a floor, once what went to own loans and cards beyond the ordinary is taken off the usual; *salary*,
    none after regular ones, or no everyday deposit account while others are open: each in a month and in all months
    that confirm it; *maturity*, AUM below that share of what it was the day before money matured, some days later, or a
    closure or a run-off in between, unless AUM was below that share of the usual the day before already. The first
    month wins; in one month the order is maturity, closure, run-off, salary. *Death* and *merger* are by the reason of
    closing any account; *repaid* is a closure where all that closed last were loans that had run their term. Who died
    or was merged is never at risk again; who left otherwise is once an account has been open, and AUM not below that
    share, for a month more than confirms a run; after a salary, for as many months as make the usual.

    Parameters
    ----------
    customers
        As `standing.table` gives it: customer × month, every month of a history. A last month that is not over is left
        out.
    events
        As `panel.events` gives them.
    definition
        ``policy.churn``.
    maturities
        As `panel.maturities` gives them; without them no cause is maturity.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, episode (1, 2, …), entry and duration (months since the first account, at the episode's
        start and end), event (left), cause (Enum; of an exit that is not leaving, too; null: still there), starts_on
        (month end of the first month at risk, the usual then being known), ends_on (of leaving, exit, or the last month
        that can be told), known_on (the month end that confirmed it; null where there is no cause), lost (the usual
        less what stayed at confirmation, at least 0, minor units of the base currency; null unless they left, or where
        it is not known). Ordered by customer and episode; nobody before history is long enough.

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, or a customer has a month twice.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> from crmlab.panel.timeline import COLUMNS as OF_EVENTS
    >>> ends = pl.date_range(date(2024, 1, 1), date(2024, 8, 1), "1mo", eager=True).dt.month_end()
    >>> rows = pl.DataFrame({"customer_id": 1, "month": ends, "days": ends.dt.day(), "kind": "retail", "is_open": True,
    ...     "first_on": date(2023, 7, 9), "n_without_average": 0, "own_transfer": 0})
    >>> rows = rows.with_columns(balance_days=pl.Series([900_000] * 5 + [90_000] * 3) * pl.col("days"))
    >>> found = episodes(rows, pl.DataFrame(schema=OF_EVENTS), policy.load().churn)
    >>> found.select("entry", "duration", "cause", "ends_on", "known_on", "lost").row(0)
    (9, 12, 'run-off', datetime.date(2024, 6, 30), datetime.date(2024, 8, 31), 810000)
    """
    past = _history(customers)
    if past is None:
        return pl.DataFrame(schema=COLUMNS)
    return _episodes(past, happened(events, maturities, past.ends, definition), definition)


def watch(
    customers: pl.DataFrame, events: pl.DataFrame, definition: Churn, maturities: pl.DataFrame | None = None
) -> pl.DataFrame:
    """How each customer stood month by month, by what was known at each month's end.

    Answers: who is still there to be kept, and who may be leaving just now?

    Parameters
    ----------
    customers, events, definition, maturities
        As for `episodes`.

    Returns
    -------
    pl.DataFrame
        customer_id, month, state (Enum: *not yet*, the usual is not known; *at risk*; *unconfirmed*, a clause has held
        since this month or one before, not yet for long enough; *gone*, left, or no account open), reference (the usual
        AUM; null where it is not known), average (AUM of the month; null where it is not known); minor units of the
        base currency. A row for each of `customers`, ordered by month and customer.

    Raises
    ------
    InputError
        As for `episodes`.

    Examples
    --------
    >>> from datetime import date
    >>> from crmlab import policy
    >>> from crmlab.panel.timeline import COLUMNS as OF_EVENTS
    >>> ends = pl.date_range(date(2024, 1, 1), date(2024, 6, 1), "1mo", eager=True).dt.month_end()
    >>> rows = pl.DataFrame({"customer_id": 1, "month": ends, "days": ends.dt.day(), "kind": "retail", "is_open": True,
    ...     "first_on": date(2023, 7, 9), "n_without_average": 0, "own_transfer": 0})
    >>> rows = rows.with_columns(balance_days=pl.Series([900_000] * 5 + [90_000]) * pl.col("days"))
    >>> watch(rows, pl.DataFrame(schema=OF_EVENTS), policy.load().churn)["state"].to_list()
    ['not yet', 'not yet', 'not yet', 'at risk', 'at risk', 'unconfirmed']
    """
    past = _history(customers)
    if past is None:
        return pl.DataFrame(schema=WATCHED)
    what = happened(events, maturities, past.ends, definition)
    months = past.each(lambda block: stood(block, what, definition))
    return pl.concat(
        pl.DataFrame(dict(zip(("customer_id", "state", "reference", "average"), arrays, strict=True))).select(
            pl.col("customer_id").cast(pl.Int32),
            pl.lit(end).alias("month"),
            pl.col("state").cat.to(STATE),
            *(pl.when(pl.col(name) != UNKNOWN).then(name).alias(name) for name in ("reference", "average")),
        )
        for end, arrays in zip(past.ends, months, strict=True)
    )


def overlap(
    customers: pl.DataFrame,
    events: pl.DataFrame,
    definition: Churn,
    maturities: pl.DataFrame | None = None,
    dormant_days: int = 90,
) -> pl.DataFrame:
    """What each clause would find alone, how often a year, and how many of these the others find, too.

    Answers: does it matter which definition of leaving is in force?

    Parameters
    ----------
    customers, events, definition, maturities
        As for `episodes`; `customers` with last_active_on.
    dormant_days
        Who has done nothing themselves for so long is dormant; ``policy.activity_window_days``.

    Returns
    -------
    pl.DataFrame
        clause ("any": the definition as it is; each of its causes; "dormant": fell asleep while at risk), n (times),
        months (customer-months at risk), rate (the share that would go so in a year), lower, upper, and a column for
        each of the others: of how many of the n customers it finds a leaving, at any time.

    Raises
    ------
    InputError
        As for `episodes`.
    """
    named(customers.columns, ["last_active_on"], "churn.overlap")
    past = _history(customers)
    alone = {cause: replace(definition, causes=(cause,)) for cause in definition.causes}
    if maturities is None:
        alone.pop("maturity", None)
    rules = {"any": definition} | alone
    if past is None:
        found = dict.fromkeys(rules, pl.DataFrame(schema=COLUMNS))
    else:
        what = happened(events, maturities, past.ends, definition)
        found = {name: _episodes(past, what, rule) for name, rule in rules.items()}
    left = {name: rows.filter("event")["customer_id"] for name, rows in found.items()}
    months = {name: int((rows["duration"] - rows["entry"]).sum()) for name, rows in found.items()}
    watched = watch(customers, events, definition, maturities)
    left["dormant"], months["dormant"] = _asleep(customers, watched, dormant_days)
    rows = [
        {"clause": name, "n": len(who), "months": months[name]}
        | {other: int(who.is_in(of.implode()).sum()) for other, of in left.items()}
        for name, who in left.items()
    ]
    a_year = pl.col("rate", "lower", "upper")
    n, of = pl.col("n"), pl.col("months")
    return (
        pl.DataFrame(rows)
        .with_columns(pl.when(of > 0).then(n / of).alias("rate"), *wilson(n, of))
        .with_columns((1 - (1 - a_year).pow(12)).name.keep())
        .select("clause", "n", "months", "rate", "lower", "upper", *left)
    )


def _history(customers: pl.DataFrame) -> History | None:
    """The months that are over; None where there is none."""
    required(customers, ["customer_id", "month", "days", "kind"], "churn.episodes")
    last = customers["month"].max()
    is_over = customers.filter(pl.col("month") == last)["days"].max() == last.day
    rows = customers if is_over else customers.filter(pl.col("month") < last)
    return None if rows.is_empty() else history(rows, NEEDED, ["first_on"], "churn.episodes")


def _episodes(past: History, what: Happened, definition: Churn) -> pl.DataFrame:
    blocks = past.each(lambda block: ended(block, what, definition))
    found = [np.concatenate(arrays) for arrays in zip(*blocks, strict=True)]
    names = ("customer_id", "episode", "start", "end", "code", "lost", "since")
    return _told(pl.DataFrame(dict(zip(names, found, strict=True))), past, definition)


def _told(found: pl.DataFrame, past: History, rule: Churn) -> pl.DataFrame:
    """Episodes by place in the history as they are told."""
    code = pl.col("code")
    ends = pl.Series(past.ends)
    is_cause = code.is_between(CLOSURE, REPAID)
    known = (pl.col("end") + rule.confirm_months).clip(upper_bound=len(ends) - 1)
    rows = (
        _with_kind(found, past)
        .sort("customer_id", "episode")
        .with_columns(
            entry=pl.col("start") - pl.col("since"),
            duration=pl.col("end") - pl.col("since") + 1,
            event=code.is_between(CLOSURE, SALARY),
            cause=pl.when(is_cause).then(code - 1).cast(pl.UInt8).cat.to(CAUSE),
            starts_on=_at(ends, pl.col("start")),
            ends_on=_at(ends, pl.col("end")),
            known_on=pl.when(is_cause).then(_at(ends, known)),
        )
    )
    lost = pl.when("event", pl.col("lost") != UNKNOWN).then("lost")
    return rows.with_columns(lost=lost).select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())


def _with_kind(found: pl.DataFrame, past: History) -> pl.DataFrame:
    """The kind of each as the episode began: everybody had an account the month before."""
    parts = [found.head(0).with_columns(kind=pl.lit(None, pl.String))]
    for (start,), part in found.group_by("start"):
        rows = past.rows[start - 1]
        at = rows["customer_id"].search_sorted(part["customer_id"])
        parts.append(part.with_columns(kind=rows["kind"].gather(at).cast(pl.String)))
    return pl.concat(parts)


def _at(values: pl.Series, number: pl.Expr) -> pl.Expr:
    return pl.lit(values).gather(number.cast(pl.UInt32))


def _asleep(customers: pl.DataFrame, watched: pl.DataFrame, days: int) -> tuple[pl.Series, int]:
    """Who fell asleep while at risk, a customer each time, and for how many months at risk customers were awake."""
    key = ["customer_id", "month"]
    idle = (pl.col("month") - pl.coalesce("last_active_on", pl.col("month").min().dt.month_start())).dt.total_days()
    rows = (
        customers.select(*key, is_dormant=idle >= days)
        .join(watched.select(*key, "state"), on=key)
        .sort(key)
        .with_columns(was=pl.col("is_dormant").shift().over("customer_id"))
        .filter(pl.col("state") == "at risk", ~pl.col("was"))
    )
    return rows.filter("is_dormant")["customer_id"], len(rows)
