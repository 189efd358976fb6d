"""How likely a customer is to leave, for which cause, and what speaks for it.

Cox's model of each cause on stacked monthly landmarks: the clock is months since the landmark, covariates are what was
known then. Probabilities are brought to what happened in later months.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.causes import Training, effects, left_out
from crmlab.measures.churn.covariates import COVARIATES
from crmlab.measures.churn.hazards import OF, Hazard, hazards, incidence
from crmlab.measures.churn.landmarking import OUTCOME, as_known, number
from crmlab.measures.churn.recalibration import Calibration, calibrate, calibrated, concordance
from crmlab.measures.churn.training import MOST_ROWS, Span, enough, month_end, span, training, usable, usual
from crmlab.measures.given import finite, named, required
from crmlab.policy import Policy
from crmlab.policy.departing import CAUSES

KEY = ["customer_id", "month", "kind"]
CHUNK = 2**18  # rows that are scored at a time
USUAL = 50  # customers of a kind: of fewer, their mean says nothing of what is usual
NUMBERS = [*CAUSES, "exit"]
QUALITY = {
    "horizon": pl.Int64, "from": pl.Date, "to": pl.Date, "n": pl.Int64, "n_customers": pl.Int64, "n_events": pl.Int64,
    "n_leavers": pl.Int64, "concordance": pl.Float64, "brier": pl.Float64, "brier_base": pl.Float64,
    "slope": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "intercept": pl.Float64, "calibrates": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    `as_of` the month end up to which all was known; `until` the month end up to which those who left were learnt from;
    `horizons` it can tell, in months; `covariates` it uses, `left_out` why it does not use others; `kinds` it has
    seen (where few left, its baseline is everyone's, raised or lowered as far as they tell); `n_events` leavers by
    cause. `center`, `lowest`, `highest` of the covariates it was fitted on: what lies further counts as that far.
    `means` of the portfolio at `as_of`, everyone's first, then those of `kinds`.
    """

    as_of: date
    until: date
    horizons: tuple[int, ...]
    covariates: tuple[str, ...]
    left_out: dict[str, str]
    kinds: tuple[str, ...]
    n_events: dict[str, int]
    center: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    means: np.ndarray
    hazards: tuple[Hazard, ...]
    calibrations: dict[int, Calibration]
    coefficients: pl.DataFrame
    quality: pl.DataFrame


def fit(
    landmarks: pl.DataFrame,
    as_of: date,
    policy: Policy,
    horizons: tuple[int, ...] | None = None,
    covariates: tuple[str, ...] = tuple(COVARIATES),
) -> Fit:
    """Fit who leaves, for which cause, and bring it to what happened.

    Answers: what goes before leaving?

    Parameters
    ----------
    landmarks
        As `churn.landmarks` gives them; only what was known at `as_of` is used.
    as_of
        The day that it stands on: its month end, or the last one before.
    policy
        ``policy.leaving`` and ``policy.churn.confirm_months``.
    horizons
        Months; those of the policy that the history bears, where left out.
    covariates
        Columns of `landmarks` to use. One that tells nobody apart, follows from others or differs for fewer than 20
        customers is left out, and `coefficients` says so.

    Returns
    -------
    Fit
        See there.

    Raises
    ------
    InputError
        When a column or value is missing, the history is too short for the horizon, fewer than
        ``policy.leaving.least_events`` left or everyone did, or no covariate tells customers apart.

    Examples
    --------
    >>> from crmlab import policy
    >>> rng = np.random.default_rng(1)
    >>> ends = pl.date_range(date(2023, 1, 1), date(2024, 6, 1), "1mo", eager=True).dt.month_end()
    >>> paid = rng.integers(0, 2, 900)
    >>> gone = rng.geometric(np.where(paid, 0.02, 0.06))
    >>> who, at = np.nonzero(np.arange(18) < gone[:, None])
    >>> rows = pl.DataFrame({"customer_id": who, "month": ends[at], "kind": "retail", "salary": paid[who],
    ...     "duration": np.maximum(np.minimum(gone[who], 15) - at, 0), "event": (gone[who] <= 15) & (at < 15),
    ...     "known_on": ends[np.minimum(gone[who] + 2, 17)], "lost": 0})
    >>> rows = rows.with_columns(cause=pl.when("event").then(pl.lit("closure")))
    >>> found = fit(rows, date(2024, 6, 30), policy.load(), horizons=(3,), covariates=("salary",))
    >>> [round(value, 1) for value in coefficients(found).row(0)[2:5]]
    [0.3, 0.2, 0.5]
    >>> now = rows.filter(month=ends[-1]).unique("salary", maintain_order=True).sort("salary")
    >>> probability(found, now, 3)["probability"].round(2).to_list()
    [0.18, 0.05]
    """
    covariates = tuple(dict.fromkeys(covariates))
    named(landmarks.columns, OUTCOME, "churn.fit")
    required(landmarks, [*KEY, *covariates, "duration", "event"], "churn.fit")
    finite(landmarks, covariates, "churn.fit")
    at = min(_month_end(as_of), landmarks["month"].max())
    known = as_known(landmarks, at, policy)
    months = span(number(known["month"].min()), number(at), policy, horizons)
    rows = training(known, months, covariates)
    n_each = enough(rows, months, policy)
    values_of = usual(rows, covariates)
    kept, why = usable(rows, values_of)
    kinds = tuple(rows["kind"].unique().sort())
    rows = rows.with_columns(stratum=_stratum(kinds))
    values = rows.select(kept)
    center = values.mean().to_numpy()[0].astype(np.float64)
    data = Training(rows, kept, values_of, center, _leavers(rows, kinds), policy.leaving.least_events,
                    months.horizons[-1])  # fmt: skip
    found, table = effects(data, n_each)
    table = pl.concat([table, left_out(why, n_each)])
    lowest, highest = (values.select(end).to_numpy()[0] for end in (pl.all().min(), pl.all().max()))
    bare = Fit(
        at, month_end(months.until), months.horizons, kept, why, kinds, n_each, center, lowest, highest,
        np.zeros((len(kinds) + 1, len(kept))), hazards(data, found), {}, table, pl.DataFrame(schema=QUALITY),
    )  # fmt: skip
    return _brought(_with_means(bare, known.filter(pl.col("month") == at)), known, months, policy)


def probability(fit: Fit, customers: pl.DataFrame, horizon_months: int) -> pl.DataFrame:
    """How likely each customer is to leave within so many months, and for which cause.

    Answers: who is about to leave?

    Hazards of all causes compete: who dies or leaves for one cause cannot leave for another. Calibrated; never lower
    than for a shorter horizon.

    Parameters
    ----------
    fit
        As `fit` gives it.
    customers
        Rows of `churn.landmarks`: kind and the covariates. Of a kind that the model does not know, everyone's hazard.
    horizon_months
        One of `fit.horizons`.

    Returns
    -------
    pl.DataFrame
        In the order of `customers`: customer_id, probability (0..1), a column a cause, which add to it, and exit
        (death, merger, a loan repaid); the rest stay.

    Raises
    ------
    InputError
        When the horizon is not one of the model's, or a column or value is missing.
    """
    if horizon_months not in fit.horizons:
        raise InputError(
            f"The model tells of {', '.join(map(str, fit.horizons))} months, not of {horizon_months}. Choose one of "
            "these, or fit it with horizons=."
        )
    usable_rows(fit, customers, "churn.probability")
    parts = [_calibrated(fit, part, horizon_months) for part in chunks(customers)]
    found = pl.DataFrame(np.concatenate([np.zeros((0, len(OF))), *parts]), schema=NUMBERS)
    total = pl.sum_horizontal(CAUSES).alias("probability")
    return customers.select("customer_id").hstack(found.select(total, *NUMBERS))


def coefficients(fit: Fit) -> pl.DataFrame:
    """What raises and lowers the hazard of each cause.

    Answers: what goes before leaving, by how much, and how sure is that?

    Returns
    -------
    pl.DataFrame
        cause, covariate; hazard_ratio for 1 more of the covariate (`covariates.COVARIATES` says what 1 is), lower and
        upper (95 %, the months of a customer taken together), p; n_events (customers who left so), is_shared (too few
        left so: the coefficients are those of all causes together); early, late (hazard ratios in both halves of the
        follow-up), is_proportional (whether they are near enough to each other; null: cannot tell), split_at (months up
        to which the model uses early, and late from then on: where one covariate of the cause is not proportional;
        null: it uses hazard_ratio), advice. Where hazard_ratio is null, advice says why.
    """
    return fit.coefficients


def quality(fit: Fit) -> pl.DataFrame:
    """How good the model was in the months on which it was calibrated, none of whose leavers it had been fitted on.

    Answers: how far may it be trusted?

    Returns
    -------
    pl.DataFrame
        A row a horizon: horizon, from and to (landmarks), n, n_customers, n_events (landmarks after which they left
        within the horizon), n_leavers (customers); concordance (of pairs of one who left and one who stayed, the share
        in which the first was thought likelier; 0.5 is chance); brier, and brier_base (everyone thought as likely as
        all are); slope with lower and upper, intercept (before calibration: 1 and 0 need none); calibrates (what is
        corrected: slope and level, level where few left, or nothing).
    """
    return fit.quality


def _month_end(day: date) -> date:
    """This day if it ends its month, else the end of the month before."""
    return day if (day + timedelta(1)).day == 1 else day.replace(day=1) - timedelta(1)


def _leavers(rows: pl.DataFrame, kinds: tuple[str, ...]) -> np.ndarray:
    """How many left, everyone and of each kind."""
    left = rows.filter(pl.col("cause").is_in(CAUSES)).unique(["customer_id", "ends"])["kind"]
    return np.array([len(left), *((left == kind).sum() for kind in kinds)])


def _stratum(kinds: tuple[str, ...]) -> pl.Expr:
    return pl.col("kind").replace_strict(list(kinds), range(1, len(kinds) + 1), default=0, return_dtype=pl.Int64)


def usable_rows(fit: Fit, customers: pl.DataFrame, measure: str) -> None:
    """Stop where rows lack what a model needs; nobody at all is no mistake."""
    names = ["customer_id", "kind", *fit.covariates]
    named(customers.columns, names, measure)
    if len(customers):
        required(customers, names, measure)
        finite(customers, fit.covariates, measure)


def chunks(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows in parts that need little memory at a time."""
    return rows.iter_slices(CHUNK)


def centred(fit: Fit, rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Covariates less the centre, as they are, and strata."""
    values = np.clip(rows.select(fit.covariates).to_numpy(), fit.lowest, fit.highest)
    return values - fit.center, values, rows.select(_stratum(fit.kinds)).to_series().to_numpy()


def _with_means(fit: Fit, now: pl.DataFrame) -> Fit:
    if now.is_empty():
        raise InputError(
            f"Nobody was at risk on {fit.as_of}, so there is no portfolio to compare with. Choose another day."
        )
    x, _, stratum = centred(fit, now)
    means = np.array([x[stratum == n].mean(axis=0) if n and (stratum == n).sum() >= USUAL else x.mean(axis=0)
                      for n in range(len(fit.kinds) + 1)])  # fmt: skip
    return replace(fit, means=means + fit.center)


def _incidence(fit: Fit, rows: pl.DataFrame) -> dict[int, np.ndarray]:
    return incidence(fit.hazards, *centred(fit, rows), fit.horizons)


def _calibrated(fit: Fit, rows: pl.DataFrame, horizon: int) -> np.ndarray:
    """Probabilities of each cause and of exits."""
    found = _incidence(fit, rows)
    raw = found[horizon]
    # Of more months more leavers are known: what is told of fewer gives way where it is more.
    longer = [months for months in fit.horizons if months >= horizon]
    now = np.min([calibrated(found[of][:, :-1].sum(axis=1), fit.calibrations[of]) for of in longer], axis=0)
    before = raw[:, :-1].sum(axis=1)
    factor = np.divide(now, before, out=np.zeros(len(rows)), where=before > 0)
    # Whoever stays or exits is as many fewer as leave.
    rest = np.divide(1 - now, 1 - before, out=np.zeros(len(rows)), where=before < 1)
    return np.column_stack([raw[:, :-1] * factor[:, None], raw[:, -1] * rest])


def _brought(fit: Fit, known: pl.DataFrame, months: Span, policy: Policy) -> Fit:
    """Calibrate each horizon on the landmarks from `until` on that can be followed to its end."""
    found, rows = {}, []
    for horizon in months.horizons:
        part = _thinned(
            known.filter(pl.col("month").is_between(month_end(months.until), month_end(months.last - horizon)))
        )
        if part.is_empty():
            raise InputError(
                f"Nobody was at risk in the months that {horizon} months are calibrated on, from "
                f"{month_end(months.until)} to {month_end(months.last - horizon)}. Give landmarks of these, too."
            )
        said = np.concatenate([_incidence(fit, one)[horizon][:, :-1].sum(axis=1) for one in chunks(part)])
        left = (part["event"] & (part["duration"] <= horizon)).to_numpy()
        customer = part["customer_id"].to_numpy()
        found[horizon] = calibrate(said, left, customer, policy.leaving.least_events)
        now, base = calibrated(said, found[horizon]), left.mean()
        rows.append((
            horizon, part["month"].min(), part["month"].max(), len(part), len(np.unique(customer)), int(left.sum()),
            len(np.unique(customer[left])), concordance(said, left), float(((now - left) ** 2).mean()),
            float(base * (1 - base)), found[horizon].found, found[horizon].lower, found[horizon].upper,
            found[horizon].intercept, found[horizon].uses,
        ))  # fmt: skip
    table = pl.DataFrame(rows, schema=QUALITY, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))
    return replace(fit, calibrations=found, quality=table)


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    """All months of every so many customers, where there are more than anyone needs."""
    step = -(-len(rows) // MOST_ROWS)
    if step < 2:
        return rows
    return rows.filter((pl.col("customer_id").cast(pl.UInt64) * 2_654_435_761 // 2**16) % step == 0)
