"""Whether a coefficient holds for the whole time: both halves of the follow-up, fitted apart."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.cox.ascent import Untold
from crmlab.measures.cox.checks import Columns, checked, codes, events
from crmlab.measures.cox.fitting import Cox, fitted
from crmlab.measures.uncertainty import Z

LATE = "entry to the late half"
LEAST = 1.25  # times a hazard ratio must change from early to late to matter

PROPORTIONALITY = {
    "covariate": pl.String, "early": pl.Float64, "late": pl.Float64, "difference": pl.Float64, "lower": pl.Float64,
    "upper": pl.Float64, "step": pl.Float64, "split_at": pl.Float64, "is_proportional": pl.Boolean, "advice": pl.String,
}  # fmt: skip


def proportionality(fit: Cox, rows: pl.DataFrame) -> pl.DataFrame:
    """Whether a coefficient is the same early and late: both halves of the follow-up, fitted apart.

    Answers: may one number stand for the whole time, and if not, what is to be done?

    The follow-up is split where half of the events have happened. At a million rows any difference is sure, so what
    counts is how large it is: a hazard ratio that changes 1.25 times for a step of the covariate. The interval of the
    difference heeds clusters, where the fit has them.

    Parameters
    ----------
    rows
        What the fit was made of.

    Returns
    -------
    pl.DataFrame
        covariate, early, late (coefficients), difference (late − early), lower, upper (95 %, of the difference), step
        (a standard deviation, or the way from one value to the other if there are two), split_at (early until and at
        this time), is_proportional (true: the whole interval is within 1.25 times a step; false: the whole interval is
        beyond; null: cannot tell), advice. A covariate that cannot be fitted in a half has neither coefficient.

    Raises
    ------
    InputError
        As `fit`, and when all events are at one time.

    Examples
    --------
    >>> from crmlab.measures import cox
    >>> rng = np.random.default_rng(1)
    >>> rows = pl.DataFrame({"debt": rng.integers(0, 2, 9_000)}).with_columns(
    ...     duration=pl.Series(rng.geometric(0.1, 9_000)), event=True)
    >>> cox.proportionality(cox.fit(rows, ["debt"]), rows).select("covariate", "is_proportional", "advice").row(0)
    ('debt', True, 'none needed')
    """
    columns, untold = fit.columns, {}
    checked(rows, list(fit.covariates), columns)
    split = _middle(rows, columns)
    told, halves = list(fit.covariates), None
    while told and halves is None:
        try:
            halves = list(_halves(rows, told, columns, split))
        except Untold as error:
            untold |= dict.fromkeys(error.covariates, f"cannot tell: {error}")
            told = [name for name in told if name not in untold]
    return _compared(fit, rows, told, halves, untold, split)


def _middle(rows: pl.DataFrame, columns: Columns) -> float:
    """The time of an event, not of the last, until which about half of them have happened."""
    times, n = np.unique(rows[columns.duration].to_numpy()[events(rows, columns.event)], return_counts=True)
    if len(times) == 1:
        raise InputError(f"All events are at {times[0]}, so that there is no early and late to compare. Follow longer.")
    return times[np.argmin(np.abs(np.cumsum(n)[:-1] / n.sum() - 0.5))].item()


def _halves(rows: pl.DataFrame, covariates: list[str], columns: Columns, split: float) -> Iterator[tuple]:
    """The fit until a time, then the one after it, and how far each group, numbered alike in both, draws them."""
    groups, known = (None, []) if columns.cluster is None else codes(rows[columns.cluster])
    end, late_entry = pl.col(columns.duration), columns.entry or LATE
    start = pl.lit(0) if columns.entry is None else pl.col(columns.entry)
    until = pl.col(columns.event).cast(pl.Boolean) & (end <= split)
    is_early, is_late = rows.select(early=start < split, late=end > split)
    halves = [
        (is_early, columns, [until.alias(columns.event), end.clip(upper_bound=split)]),
        (is_late, replace(columns, entry=late_entry), [pl.max_horizontal(start, split).alias(late_entry)]),
    ]
    for kept, own, changed in halves:  # one half in memory at a time
        mine = None if groups is None else groups[kept.to_numpy()]
        yield fitted(rows.filter(kept).with_columns(changed), covariates, own, mine, len(known))


def _compared(
    fit: Cox, rows: pl.DataFrame, told: list[str], halves: list[tuple] | None, untold: dict[str, str], split: float
) -> pl.DataFrame:
    found = []
    if halves is not None:
        (early, early_drawn), (late, late_drawn) = halves
        both = np.diag(early.covariance + late.covariance)
        se = np.sqrt(both if early_drawn is None else ((late_drawn - early_drawn) ** 2).sum(axis=1))
        change = late.beta - early.beta
        found = zip(told, early.beta, late.beta, change, change - Z * se, change + Z * se, strict=True)
    values = {name: numbers for name, *numbers in found}
    lines = []
    for name in fit.covariates:
        column = rows[name].cast(pl.Float64)
        step = column.max() - column.min() if column.n_unique() == 2 else column.std(ddof=0)
        numbers = [None if number is None else float(number) for number in values.get(name, [None] * 5)]
        lines.append([name, *numbers, step, split, *_verdict(numbers[3], numbers[4], step, untold.get(name))])
    return pl.DataFrame(lines, PROPORTIONALITY, orient="row")


def _verdict(lower: float | None, upper: float | None, step: float, why: str | None) -> tuple[bool | None, str]:
    if lower is None:
        return None, why
    least = np.log(LEAST) / step
    if -least < lower and upper < least:
        return True, "none needed"
    if lower > least or upper < -least:
        return False, "one coefficient for each half, or strata by it; until split_at the early one holds"
    return None, "cannot tell: too few events for so small a difference"
