"""Back-testing: the model as it would have stood earlier, against what came, and against a glance at the balance."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.capture import LISTS, MONEY, checked, drawn_anew, ends, held_by, n_called, on_list
from crmlab.measures.churn.covariates import COVARIATES
from crmlab.measures.churn.landmarking import as_known, number
from crmlab.measures.churn.model import Fit, fit, probability
from crmlab.measures.churn.ranking import (
    MODEL,
    SIMPLE,
    clusters,
    dense,
    outcome,
    placed,
    scores,
    standard_error,
)
from crmlab.measures.churn.training import month_end, span
from crmlab.measures.given import in_order, required
from crmlab.measures.uncertainty import Z
from crmlab.policy import Policy

PAIRED = 200  # steps of two lists drawn together: all pairs of them are told apart
LEAST = 20  # leavers: of fewer no interval says anything
SCORED = ["customer_id", "kind", "month", "probability", "event", "duration", "lost", "aum", "aum_change"]


class Trial(NamedTuple):
    """A model as it would have stood, and what came of those it scored."""

    fit: Fit  # from what was known at `at`
    horizon: int
    at: date  # the month end it stood on
    known_at: date  # the month end at which what came was known
    scored: pl.DataFrame  # everyone at risk at `at`
    later: pl.DataFrame  # the same, and those of the months after, followed as far as is known


WHOLE = (-1.0, 1.0)  # the interval of a difference that one customer's money makes: nothing is known


class Verdict(NamedTuple):
    """Whether a list held more of the money that left than a simple rule's list of the same length."""

    is_better: bool | None  # None: cannot tell
    sentence: str
    method: str  # the simple rule
    budget: float
    n: int
    n_events: int
    share: float | None  # of lost money, held by the list
    rule_share: float | None
    difference: float | None  # the list's share less the rule's
    lower: float | None
    upper: float | None
    auc_difference: float
    auc_lower: float | None
    auc_upper: float | None


def trial(
    landmarks: pl.DataFrame, policy: Policy, horizon: int, covariates: tuple[str, ...] = tuple(COVARIATES)
) -> Trial:
    """Fit the model on what was known so long ago that all its horizon has passed since, and say what came.

    Answers: was last year's list any good?

    The last month end at which what came of everyone within the horizon is known today is `horizon` and
    ``policy.churn.confirm_months`` before the last landmark. The model is fitted and calibrated on what was known then.

    Parameters
    ----------
    landmarks
        As `churn.landmarks` gives them, up to the last month end.
    policy
        ``policy.leaving`` and ``policy.churn.confirm_months``.
    horizon
        Months, one of those that `testable` finds.
    covariates
        As for `churn.fit`.

    Returns
    -------
    Trial
        fit, horizon, at, known_at; scored: a row a customer at risk at `at`, in order: customer_id, kind, month,
        probability, p1, p2, … (of shorter horizons of the policy), event (left within the horizon), duration (months
        to it, to another exit, else the horizon), lost (minor units; null unless they left), aum, aum_change, and
        contribution where landmarks have it; later: the same for each month from `at` on that can be followed, months
        that cannot be followed to the horizon with what is known.

    Raises
    ------
    InputError
        When the history is too short for the horizon, or `churn.fit` cannot fit on it.

    Examples
    --------
    >>> from crmlab import policy
    >>> rows = pl.DataFrame({"month": [date(2024, 6, 30)]})
    >>> trial(rows, policy.load(), 3)
    Traceback (most recent call last):
    crmlab.errors.InputError: 3 months cannot be tested yet: that needs 20 month ends with customers at risk in a row, \
and there are 1. Wait, or test a shorter horizon.
    """
    required(landmarks, ["month"], "churn.trial")
    _, is_testable, at, _, sentence = _test(landmarks, policy, horizon)
    if not is_testable:
        raise InputError(sentence)
    known_at = landmarks["month"].max()
    shorter = tuple(months for months in policy.leaving.horizons if months < horizon)
    model = fit(as_known(landmarks, at, policy), at, policy, (*shorter, horizon), covariates)
    now = as_known(landmarks, known_at, policy)
    last = month_end(number(known_at) - policy.churn.confirm_months - 1)
    months = now.filter(pl.col("month").is_between(at, last)).partition_by("month", maintain_order=True)
    later = pl.concat(_scored(model, rows, horizon) for rows in months)
    return Trial(model, horizon, at, known_at, later.filter(pl.col("month") == at), later)


def testable(landmarks: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The horizons that the history can test, and why not the others.

    Answers: how far ahead may we be believed?

    Parameters
    ----------
    landmarks
        As `churn.landmarks` gives them; only month is looked at.
    policy
        ``policy.leaving`` and ``policy.churn.confirm_months``.

    Returns
    -------
    pl.DataFrame
        A row a horizon of the policy: horizon, is_testable, at (the month end on which the trial's model stands; null
        where there is none), needed (month ends), sentence. A model may still find too few leavers: `trial` says so.

    Raises
    ------
    InputError
        When there is no landmark.

    Examples
    --------
    >>> from crmlab import policy
    >>> ends = pl.date_range(date(2023, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end()
    >>> testable(pl.DataFrame({"month": ends}), policy.load()).select("horizon", "is_testable", "at", "needed").rows()
    [(3, True, datetime.date(2024, 7, 31), 20), (6, False, None, 26), (12, False, None, 44)]
    """
    required(landmarks, ["month"], "churn.testable")
    rows = [_test(landmarks, policy, horizon) for horizon in policy.leaving.horizons]
    types = {"horizon": pl.Int32, "is_testable": pl.Boolean, "at": pl.Date, "needed": pl.Int32, "sentence": pl.String}
    return pl.DataFrame(rows, schema=types, orient="row")


def verdict(
    scored: pl.DataFrame,
    horizon: int,
    budget: float,
    method: str = "worklist",
    rule: str = SIMPLE[0],
    worth: str = "aum",
    seed: int = 1,
) -> Verdict:
    """Whether the list held more of the money that left than a simple rule's list of the same length.

    Answers: is the model worth having, or does a glance at the balance do?

    The difference of both shares, with a 95 % interval from customers drawn anew, each draw for both lists (Poisson
    weights), wider where few large accounts make it. Better or worse is said only where the interval lies on one side
    of 0 and at least 20 customers left. Beside it the difference of the AUCs of the probability and the rule, its
    interval as DeLong's (1988).

    Parameters
    ----------
    scored
        As for `gains`.
    horizon
        Months within which leaving counts.
    budget
        The share of customers that can be called, 0 to 1.
    method, rule
        Two of the methods of `gains`.
    worth, seed
        As for `gains`.

    Returns
    -------
    Verdict
        is_better (None: cannot tell), sentence, method (the rule), budget, n, n_events; share, rule_share, difference,
        lower, upper (of lost money; None where none was lost); auc_difference, auc_lower, auc_upper.

    Raises
    ------
    InputError
        As `gains`; or when a method is none.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": range(100), "duration": 3, "lost": 5, "aum": 10})
    >>> rows = rows.with_columns(probability=pl.col("customer_id") / 100, event=pl.col("customer_id") > 60,
    ...     aum_change=pl.col("customer_id") - 100)
    >>> found = verdict(rows, 3, 0.2)
    >>> found.is_better, round(found.difference, 3), round(found.auc_difference, 3)
    (True, 0.513, 1.0)
    """
    for name in (method, rule):
        if name not in LISTS:
            raise InputError(f"{name} is no method to make a list by. Choose one of {', '.join(LISTS)}.")
    rows = in_order(outcome(scored, horizon, "churn.verdict", [*MONEY, worth]), ["customer_id"], "churn.verdict")
    budgets = checked([budget])
    called = n_called(len(rows), budgets)
    found = scores(rows, (method, rule, MODEL), worth)
    lists = [found[method], found[rule]]
    held = np.array([held_by(score, rows, called)[0, 1] for score in lists])
    auc = _auc_difference(found[MODEL], found[rule], rows)
    share, rule_share = (None if np.isnan(one) else float(one) for one in held)
    difference = lower = upper = is_better = None
    if share is not None:
        drawn = drawn_anew(lists, rows, called / len(rows), seed, PAIRED)[:, :, 0, 1]
        difference = share - rule_share
        lower, upper = _widened(difference, ends(drawn[:, 0] - drawn[:, 1]), lists, rows, called)
        is_better = _told(lower, upper, int(rows["event"].sum()))
    bare = Verdict(is_better, "", rule, float(budget), len(rows), int(rows["event"].sum()), share, rule_share,
                   difference, lower, upper, *auc)  # fmt: skip
    return bare._replace(sentence=_sentence(bare, horizon))


def _scored(model: Fit, rows: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """The rows of a month with their probabilities, and what came of them within the horizon."""
    told = {f"p{months}": probability(model, rows, months)["probability"] for months in model.horizons}
    left = pl.col("event") & (pl.col("duration") <= horizon)
    names = [*SCORED, *(name for name in told if name != f"p{horizon}")]
    return rows.with_columns(
        probability=told[f"p{horizon}"],
        event=left,
        duration=pl.min_horizontal("duration", pl.lit(horizon)).cast(pl.Int32),
        lost=pl.when(left).then("lost"),
        **told,
    ).select(*names, *(name for name in ("contribution",) if name in rows.columns))


def _test(landmarks: pl.DataFrame, policy: Policy, horizon: int) -> tuple[int, bool, date | None, int, str]:
    """One row of `testable`."""
    first, last = number(landmarks["month"].min()), number(landmarks["month"].max())
    at = last - policy.churn.confirm_months - horizon
    rules = policy.leaving
    # As `training.span` asks for at `at`, and from `at` to the last month what the horizon takes to be known.
    ahead = horizon + policy.churn.confirm_months
    needed = max(rules.train_months, horizon) + rules.calibration_months[0] + 2 * ahead + 1
    shorter = tuple(months for months in rules.horizons if months < horizon)
    try:
        span(first, at, policy, (*shorter, horizon))
    except InputError:
        return (
            horizon, False, None, needed,
            f"{horizon} months cannot be tested yet: that needs {needed} month ends with customers at risk in a row, "
            f"and there are {last - first + 1}. Wait, or test a shorter horizon.",
        )  # fmt: skip
    return horizon, True, month_end(at), needed, f"{horizon} months can be tested on {month_end(at)}."


def _auc_difference(
    model: np.ndarray, rule: np.ndarray, rows: pl.DataFrame
) -> tuple[float, float | None, float | None]:
    left = rows["event"].to_numpy()
    (value, off), (other, its_off) = (placed(dense(score), left) for score in (model, rule))
    error = standard_error(off - its_off, left, clusters(rows))
    if error is None:
        return value - other, None, None
    return value - other, value - other - Z * error, value - other + Z * error


def _widened(
    difference: float, drawn: np.ndarray, lists: list[np.ndarray], rows: pl.DataFrame, called: np.ndarray
) -> tuple[float, float]:
    """Ends as they were drawn, √(n / (n − 1)) times as far off: drawing anew tells too little where n is small.

    n is how many leavers make the difference: those on one of the lists only, who count by their money (Kish 1965).
    """
    lost = rows.select(pl.when("event").then(pl.col("lost").fill_null(0)).otherwise(0)).to_series().to_numpy()
    money = np.abs(on_list(lists[0], called) - on_list(lists[1], called)) * lost
    n = money.sum() ** 2 / (money**2).sum() if money.any() else np.inf
    if n <= 1:  # one account makes all of it
        return WHOLE
    lower, upper = np.clip(difference + (drawn - difference) / np.sqrt(1 - 1 / n), -1, 1)
    return float(lower), float(upper)


def _told(lower: float, upper: float, n_events: int) -> bool | None:
    if n_events < LEAST or lower <= 0 <= upper:
        return None
    return lower > 0


def _sentence(found: Verdict, horizon: int) -> str:
    rule = f"“{found.method}”"
    if found.difference is None:
        return f"Of those who left within {horizon} months none took money, so the list cannot be compared with {rule}."
    points = [f"{100 * one:.1f}".replace("-", "−") for one in (found.difference, found.lower, found.upper)]
    interval = f"{points[0]} points, 95 % interval {points[1]} to {points[2]}"
    if (found.lower, found.upper) == WHOLE:
        interval = f"{points[0]} points, all of them the money of one customer"
    held = (
        f"With {100 * found.budget:g} % of customers called, the list held {100 * found.share:.0f} % of the money that "
        f"left within {horizon} months, {rule} {100 * found.rule_share:.0f} %"
    )
    if found.is_better is None:
        few = f" Only {found.n_events} left." if found.n_events < LEAST else ""
        return f"{held}: whether the list is better cannot be told ({interval}).{few}"
    return f"{held}: the list is {'better' if found.is_better else 'worse'} ({interval})."
