"""Landmarks: each customer at each month end at which they might still leave: what was known then, what came of it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.covariates import (
    COVARIATES,
    DATES,
    MAY_LACK,
    QUARTER,
    STANDING,
    Covariate,
    Past,
)
from crmlab.measures.given import named, required
from crmlab.measures.history import history
from crmlab.policy import Policy

OUTCOME = ["duration", "event", "cause", "known_on", "lost"]
EPISODES = ["customer_id", "event", "cause", "starts_on", "ends_on", "known_on", "lost"]


def landmarks(
    standing: pl.DataFrame,
    events: pl.DataFrame,
    episodes: pl.DataFrame,
    watched: pl.DataFrame,
    policy: Policy,
    months: Iterable[date] | None = None,
    covariates: Mapping[str, Covariate] = COVARIATES,
) -> pl.DataFrame:
    """Who might leave, month end by month end, what was known of them then, and what came of it.

    Answers: what did we know of each customer before they left?

    A row a customer and month end at which they were at risk as far as was known then. Covariates use rows of months up
    to that one and events up to that day. What came of it is as known today: months to the leaving or to another exit,
    else to the last month that can be told, `policy.churn.confirm_months` before the last one.

    Parameters
    ----------
    standing
        As `standing.table` gives it, every month of a history.
    events
        As `panel.events` gives them.
    episodes, watched
        As `churn.episodes` and `churn.watch` give them.
    policy
        ``policy.churn.confirm_months``, and the digits of the base currency.
    months
        The month ends wanted; all where left out. Those at which today's customers are scored need no others.
    covariates
        What is to be known, by name.

    Returns
    -------
    pl.DataFrame
        Ordered by month and customer: customer_id, month, kind; the covariates (Float32, `covariates.COVARIATES` says
        what they mean; none is missing); aum (average of the month) and aum_change (against three months before; null
        where an average is not known), contribution (of twelve months), in minor units of the base currency; duration
        (months, 0 where nothing can be told yet), event (True: left), cause (also of another exit), known_on and lost
        (null where nobody left).

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, or nobody was at risk.

    Examples
    --------
    >>> from crmlab import policy
    >>> ends = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
    >>> standing = pl.DataFrame({"customer_id": 7, "month": ends, "kind": "retail", "first_on": date(2020, 5, 1),
    ...     "days": [31, 29, 31, 30], "balance_days": [310_000, 290_000, 310_000, 150_000], "n_lines": [2, 2, 2, 1],
    ...     "last_active_on": ends[0], **dict.fromkeys(["n_without_average", "maturing", "contribution", "n_acts",
    ...     "n_card", "aum", "loans"], 0)})
    >>> events = pl.DataFrame(schema={"customer_id": pl.Int32, "on": pl.Date, "kind": pl.String, "amount": pl.Int64})
    >>> left = pl.DataFrame({"customer_id": 7, "event": [False], "cause": pl.Series([None], dtype=pl.String),
    ...     "starts_on": ends[3], "ends_on": ends[3], "known_on": pl.Series([None], dtype=pl.Date), "lost": 0})
    >>> watched = pl.DataFrame({"customer_id": 7, "month": ends, "state": ["not yet"] * 3 + ["at risk"]})
    >>> landmarks(standing, events, left, watched, policy.load()).select("month", "aum", "aum_change", "closed").row(0)
    (datetime.date(2024, 4, 30), 5000, -5000, 1.0)
    """
    named(standing.columns, ["kind", *DATES, *STANDING], "churn.landmarks")
    named(events.columns, ["customer_id", "on", "kind", "amount"], "churn.landmarks")
    named(episodes.columns, EPISODES, "churn.landmarks")
    required(watched, ["customer_id", "month", "state"], "churn.landmarks")
    risk = _at_risk(watched, months)
    rows = standing.with_columns(pl.col(MAY_LACK).fill_null(0))
    found = history(rows, STANDING, DATES, "churn.landmarks")
    unit = 10 ** policy.digits(policy.base_currency)
    known = pl.concat(_known(found, Past(found, events, unit), risk, covariates))
    return _with_outcome(known, episodes, watched["month"].max(), policy)


def as_known(landmarks: pl.DataFrame, at: date, policy: Policy) -> pl.DataFrame:
    """Landmarks as they would have been made at an earlier month end, from what was known then.

    Answers: what could we have learnt from, that day?

    Parameters
    ----------
    landmarks
        As `landmarks` gives them.
    at
        A month end. Landmarks up to it are kept; who left counts where that was known by then, all others as still
        there `policy.churn.confirm_months` before it.
    policy
        ``policy.churn.confirm_months``.

    Returns
    -------
    pl.DataFrame
        The same columns.

    Raises
    ------
    InputError
        When no landmark lies so early.

    Examples
    --------
    >>> from crmlab import policy
    >>> row = {"month": date(2024, 1, 31), "duration": 2, "event": True, "cause": "closure", "lost": 5,
    ...     "known_on": date(2024, 5, 31)}
    >>> as_known(pl.DataFrame([row]), date(2024, 4, 30), policy.load()).select("duration", "event", "cause").row(0)
    (1, False, None)
    """
    named(landmarks.columns, ["month", *OUTCOME], "churn.as_known")
    rows = landmarks.filter(pl.col("month") <= at)
    if rows.is_empty():
        first = f" The first landmark is {landmarks['month'].min()}." if len(landmarks) else ""
        raise InputError(f"No landmark lies at or before {at}.{first} Choose a later month.")
    last = number(at) - policy.churn.confirm_months
    ended_in = _number(pl.col("month")) + pl.col("duration")
    is_known = (pl.col("cause").is_not_null() & (pl.col("known_on") <= at) & (ended_in <= last)).fill_null(False)
    left = (last - _number(pl.col("month"))).clip(0)
    return rows.with_columns(
        duration=pl.when(is_known).then("duration").otherwise(left).cast(pl.Int32),
        event=pl.col("event") & is_known,
        **{name: pl.when(is_known).then(name) for name in ("cause", "known_on", "lost")},
    )


def number(month: date) -> int:
    """The number of a month, so that later less earlier is the months between them.

    Examples
    --------
    >>> number(date(2024, 2, 29)) - number(date(2023, 12, 31))
    2
    """
    return month.year * 12 + month.month


def _number(month: pl.Expr) -> pl.Expr:
    return month.dt.year().cast(pl.Int32) * 12 + month.dt.month()


def _at_risk(watched: pl.DataFrame, months: Iterable[date] | None) -> dict[date, np.ndarray]:
    """The customers at risk by month."""
    rows = watched.lazy().filter(pl.col("state").cast(pl.String) == "at risk")
    if months is not None:
        rows = rows.filter(pl.col("month").is_in(list(months)))
    found = rows.select("month", "customer_id").sort("month", "customer_id").collect()
    if found.is_empty():
        raise InputError(
            "Nobody was at risk of leaving at a month's end. Give a longer history, or lower `least_months` under "
            "[churn] in policy.toml."
        )
    runs = found["month"].rle().struct.unnest()
    cuts, ids = [0, *runs["len"].cum_sum()], found["customer_id"].to_numpy()
    return {month: ids[slice(*cut)] for month, cut in zip(runs["value"], pairwise(cuts), strict=True)}


def _known(found, past: Past, risk: dict[date, np.ndarray], covariates: Mapping[str, Covariate]) -> Iterator:
    """What was known, a frame a month that is wanted."""
    for end, rows in zip(found.ends, found.rows, strict=True):
        past.add()
        if end not in risk:
            continue
        here = rows[past.ask(risk[end].astype(np.int64) - found.first_id)]
        values = {name: np.asarray(one.value(past), np.float32) for name, one in covariates.items()}
        average, before = (pl.Series(past.back("average", n), nan_to_null=True) for n in (0, QUARTER))
        yield here.select("customer_id", "month", "kind").with_columns(
            *(pl.Series(name, of) for name, of in values.items()),
            aum=average.floor().cast(pl.Int64),
            aum_change=(average - before).floor().cast(pl.Int64),
            contribution=pl.Series(past.contribution.total[past.asked]),
        )
        if end == max(risk):
            return


def _with_outcome(known: pl.DataFrame, episodes: pl.DataFrame, end: date, policy: Policy) -> pl.DataFrame:
    """What came of each: the episode that had begun last says it, if it was still going on."""
    spells = episodes.select(EPISODES).sort("starts_on")
    spells = spells.with_columns(pl.col("customer_id").cast(known.schema["customer_id"]))
    joined = known.select("customer_id", "month").join_asof(
        spells, left_on="month", right_on="starts_on", by="customer_id", check_sortedness=False
    )
    is_ahead = (pl.col("ends_on") > pl.col("month")).fill_null(False)
    left, ended = _number(pl.col("ends_on")) - _number(pl.col("month")), is_ahead & pl.col("cause").is_not_null()
    last = number(end) - policy.churn.confirm_months - _number(pl.col("month"))
    months = pl.when(ended).then(left).when(is_ahead).then(pl.min_horizontal(left, last)).otherwise(0).clip(0)
    outcome = joined.select(
        duration=months.cast(pl.Int32),
        event=pl.col("event").fill_null(False) & is_ahead,
        **{name: pl.when(ended).then(name) for name in ("cause", "known_on", "lost")},
    )
    return known.hstack(outcome)
