"""What a model is fitted on: which months, which rows, which covariates."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.policy import Policy
from crmlab.policy.departing import CAUSES

MOST_ROWS = 1_000_000  # beyond, of those who stayed only every so many customers is taken, and counts for so many
LEAST_APART = 20  # customers: a covariate in which fewer differ from all others tells nothing
LEAST_LEAVERS = 5  # of a cause, on each side of a yes or no
SURE = 10  # leavers of a cause due on one side of a yes or no, and none came: nobody there leaves so
SAME = 1e-4  # of a covariate's variance left once the others are known: it follows from them
OTHER = "other"  # death, merger, a loan repaid: ways out that are not leaving


class Span(NamedTuple):
    """Numbers of the months that a model stands on."""

    first: int  # the first landmark
    until: int  # the last month whose leavers it is fitted on, and the first landmark it is calibrated on
    last: int  # the last month that can be told
    horizons: tuple[int, ...]


def span(first: int, at: int, policy: Policy, horizons: tuple[int, ...] | None) -> Span:
    """The months to fit and to calibrate on: those asked for, or as many of the policy's horizons as history bears."""
    rules, last = policy.leaving, at - policy.churn.confirm_months
    fewest, most = rules.calibration_months
    if wrong := [n for n in horizons or () if n < 1 or n % 1]:
        raise InputError(f"A horizon of {wrong[0]:g} months cannot be told. Give whole months, 1 or more.")
    wanted = tuple(sorted({int(n) for n in horizons or rules.horizons}))
    for n in range(len(wanted), 0, -1):
        longest = wanted[n - 1]
        learnt, latest = first + max(rules.train_months, longest), last - fewest - longest
        if latest >= learnt:
            return Span(first, max(learnt, last - most - longest), last, wanted[:n])
        if horizons:
            break
    longest = wanted[n - 1]
    due = max(rules.train_months, longest) + fewest + longest + policy.churn.confirm_months + 1
    raise InputError(
        f"The history is too short for the horizon: {longest} months need {due} month ends at which customers were at "
        f"risk, and there are {max(at - first + 1, 0)}. Wait, or ask for a shorter horizon under [leaving] in "
        "policy.toml."
    )


def training(landmarks: pl.DataFrame, months: Span, covariates: tuple[str, ...]) -> pl.DataFrame:
    """Rows to fit on: landmarks before `until`, followed up to it and no longer than the longest horizon.

    customer_id, kind, the covariates, duration, cause (null: still there), weight.
    """
    index = _number(pl.col("month"))
    most = pl.min_horizontal(months.until - index, pl.lit(months.horizons[-1]))
    cause = pl.col("cause").cast(pl.String)
    rows = (
        landmarks.lazy()
        .filter(index < months.until, pl.col("duration") > 0)
        .with_columns(
            duration=pl.min_horizontal("duration", most).cast(pl.Int32),
            cause=pl.when((pl.col("duration") <= most) & cause.is_not_null())
            .then(pl.when(cause.is_in(CAUSES)).then(cause).otherwise(pl.lit(OTHER))),
            ends=index + pl.col("duration"),
        )
        .select("customer_id", "kind", *covariates, "duration", "cause", "ends")
        .collect()
    )  # fmt: skip
    return _thinned(rows)


def months_of(number_: int) -> str:
    """A month's number as people write it."""
    return f"{(number_ - 1) // 12}-{(number_ - 1) % 12 + 1:02d}"


def month_end(number_: int) -> date:
    """The month end of a number.

    Examples
    --------
    >>> month_end(2024 * 12 + 2)
    datetime.date(2024, 2, 29)
    """
    return pl.select(pl.date((number_ - 1) // 12, (number_ - 1) % 12 + 1, 1).dt.month_end()).item()


def leavers(rows: pl.DataFrame) -> dict[str, int]:
    """How many left for each cause; who is seen at several landmarks counts once."""
    left = rows.filter(pl.col("cause").is_in(CAUSES)).unique(["customer_id", "ends"])
    counts = dict(left["cause"].value_counts().iter_rows())
    return {cause: counts.get(cause, 0) for cause in CAUSES}


def enough(rows: pl.DataFrame, months: Span, policy: Policy) -> dict[str, int]:
    """How many left for each cause, once there is something to learn from."""
    if rows.is_empty():
        raise InputError(
            f"Nobody at risk before {months_of(months.until)} was seen for a month. Give a longer history."
        )
    n_each = leavers(rows)
    n, least = sum(n_each.values()), policy.leaving.least_events
    when = f"between {months_of(months.first)} and {months_of(months.until)}"
    if n < least:
        n_all = rows["customer_id"].n_unique()
        raise InputError(
            f"{n or 'None'} of {n_all} customers left {when}, too few to learn from: {least} are needed. Give a longer "
            "history, look for more causes under [churn] in policy.toml, or lower `least_events` under [leaving]."
        )
    n_customers = rows["customer_id"].n_unique()
    if rows.filter(pl.col("cause").is_in(CAUSES))["customer_id"].n_unique() == n_customers:
        raise InputError(
            f"All of the {n_customers} customers at risk left {when}: nobody is there to compare "
            "them with. Check what leaving means under [churn] in policy.toml, and the customers selected."
        )
    return n_each


class Usual(NamedTuple):
    """A covariate's most frequent value."""

    value: float
    other: float | None  # the only other one, of a yes or no
    share: float  # of the time at risk with other values
    n_apart: int  # customers with other values


def usual(rows: pl.DataFrame, covariates: tuple[str, ...]) -> dict[str, Usual]:
    """Each covariate's most frequent value, and how many have others."""
    found, n_rows = {}, rows.select((pl.col("duration") * pl.col("weight")).sum()).item()
    for name in covariates:
        counts = rows[name].value_counts()
        value = counts.filter(pl.col("count") == pl.col("count").max())[name].min()
        others = counts.filter(pl.col(name) != value)[name]
        apart = rows.lazy().filter(pl.col(name) != value)
        n, time = apart.select(
            pl.col("customer_id").n_unique(), (pl.col("duration") * pl.col("weight")).sum().alias("time")
        ).collect().row(0)  # fmt: skip
        found[name] = Usual(value, others[0] if len(others) == 1 else None, time / n_rows, n)
    return found


def usable(rows: pl.DataFrame, known: dict[str, Usual]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The covariates that tell customers apart, and why the others do not."""
    left_out, n = {}, rows["customer_id"].n_unique()
    for name, of in known.items():
        if not of.n_apart:
            left_out[name] = "the same for everyone"
        elif of.n_apart < LEAST_APART:
            left_out[name] = f"only {of.n_apart} of {n} customers differ"
    kept = [name for name in known if name not in left_out]
    return _independent(rows, kept, left_out)


def of_cause(
    rows: pl.DataFrame, kept: tuple[str, ...], is_event: pl.Expr, known: dict[str, Usual]
) -> tuple[tuple[str, ...], dict[str, str], dict[str, float]]:
    """The covariates that tell who leaves for a cause; why others do not; what those who do all are.

    Where one side of a yes or no would have seen ten leavers and saw none, nobody there leaves for this cause: the
    cause is fitted among the others only; where a few came, their hazard is that much lower. With fewer due, that few
    came says nothing.
    """
    who = pl.col("customer_id").cast(pl.Int64) * 2**20 + pl.col("ends")
    gone = rows.lazy().filter(is_event).select(*kept, who=who).collect()
    n, left_out, only = gone["who"].n_unique(), {}, {}
    for name in kept:
        of, is_apart = known[name], pl.col(name) != known[name].value
        sides = (pl.col("who").filter(side).n_unique().alias(str(n)) for n, side in enumerate((is_apart, ~is_apart)))
        apart, as_usual = gone.select(*sides).row(0)
        if of.other is None:
            if apart < LEAST_LEAVERS:
                left_out[name] = f"only {apart} of {n} who left differ from most"
            continue
        rare = (apart, of.share, of.other, of.value), (as_usual, 1 - of.share, of.value, of.other)
        few, share, here, there = min(rare)
        is_due = n * share >= SURE
        if few == 0 and is_due:
            only[name] = there
        elif few < LEAST_LEAVERS and not is_due:
            left_out[name] = f"only {few} of {n} who left had {here:g} here"
    return tuple(name for name in kept if name not in left_out and name not in only), left_out, only


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    """Of those who stayed, one customer in so many, by number; who is taken stands for the others."""
    if len(rows) <= MOST_ROWS:
        return rows.with_columns(weight=pl.lit(1, pl.Int32))
    gone = rows.filter(pl.col("cause").is_not_null()).select("customer_id").unique()
    is_gone = pl.col("customer_id").is_in(gone["customer_id"].implode())
    n_gone = rows.select(is_gone.sum()).item()
    step = -(-(len(rows) - n_gone) // max(MOST_ROWS - n_gone, MOST_ROWS // 4))
    # The number is stirred, since neighbours may have come on one day.
    is_taken = (pl.col("customer_id").cast(pl.UInt64) * 2_654_435_761 // 2**16) % step == 0
    return rows.filter(is_gone | is_taken).with_columns(weight=pl.when(is_gone).then(1).otherwise(step).cast(pl.Int32))


def _independent(
    rows: pl.DataFrame, names: list[str], left_out: dict[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Leave out what follows from those before it."""
    if not names:
        why_not = ", ".join(f"{name} is {why}" for name, why in left_out.items()) or "none is given"
        raise InputError(f"No covariate tells customers apart: {why_not}. Give more customers or a longer history.")
    x = rows.select(names).to_numpy().astype(np.float64)
    x -= x.mean(axis=0)
    x /= x.std(axis=0)
    gram, kept = x.T @ x / len(x), []
    for n, name in enumerate(names):
        known = np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, n]) if kept else np.zeros(0)
        if gram[n, n] - known @ gram[kept, n] < SAME:
            left_out[name] = "follows from " + ", ".join(names[k] for k in np.array(kept)[np.abs(known) > 0.01])
        else:
            kept.append(n)
    return tuple(names[n] for n in kept), left_out


def _number(month: pl.Expr) -> pl.Expr:
    return month.dt.year().cast(pl.Int32) * 12 + month.dt.month()
