"""The funnel: how far from expected chance and ordinary differences take a manager, and who lies beyond that."""

from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.managers.shrinkage import bisected
from crmlab.measures.uncertainty import Z, discovery_rates

VERDICTS = ["clearly above", "as expected", "clearly below", "too few to say"]
Z_LIMIT = 3.090232306167813  # beyond it lie 0.2 %, half of them on each side: the limits of "clearly"
DISCOVERIES = 0.05  # of those told clearly above or below, so many may be chance
LEAST_CUSTOMERS = 20
LEAST_ALIKE = 5  # customers alike, who would tell as much as those there are: of fewer it hangs on one or two
LEAST_CASES = 5  # events expected, and cases expected without one, of customers of one credit
LEAST_MANAGERS = 10  # of fewer it is not known how much managers ordinarily differ
WINSORISED = 0.1  # of the managers at each end count as the last within: a few far out do not hide themselves
OF_NORMAL = 0.678706  # what so much winsorising leaves of the variance of a normal distribution
DEGREES = 0.72  # degrees of freedom a manager in that variance, as found by simulation
MOST_SKEWED = 2.0  # the normalisation is no good beyond


class Between(NamedTuple):
    """How much managers ordinarily differ beyond chance, as told from so many of them."""

    deviation: float  # in standard deviations of a customer
    degrees: float


def scored(told: pl.DataFrame, kind: str) -> pl.DataFrame:
    """How far each manager is from what is expected, by chance and by what managers ordinarily differ.

    The difference is read in standard deviations of a customer (for a rate as good as Cohen's h, twice the step between
    arc sines of roots; for an amount his d), so that a rate near 1 and one at a half, and a rich book and a poor one,
    have one scale. Its distribution by chance is made normal from its first three moments (Wilson and Hilferty's cube
    root, where that says less than the normal itself; half an event is given to chance). Managers differ ordinarily by
    a variance beyond chance, common to all (additive, Spiegelhalter 2005), at which the winsorised scores vary by just
    one (Paule and Mandel 1982); as that is estimated, limits are Student's.

    Parameters
    ----------
    told
        The result of `managers.expectation`, of one group of managers compared with each other.
    kind
        "rate" or "amount".

    Returns
    -------
    pl.DataFrame
        Columns added: why ("" where something can be said of the manager), effect and effect_error (in standard
        deviations of a customer), between (what managers ordinarily differ, the same unit), watch_lower, watch_upper
        (95 %), limit_lower and limit_upper (99.8 %: between which `observed` is nothing unusual), score (standard
        normal if the manager is as the others), p (two-sided), false_discovery_rate. Null where nothing can be said.

    Examples
    --------
    >>> told = pl.DataFrame({"manager_id": range(12), "n_customers": 100, "n_alone": 0, "n": 100, "n_alike": 100,
    ...     "observed": [20, 25, 15, 22, 18, 16, 24, 21, 19, 20, 23, 45], "expected": 20.0, "error": 4.0,
    ...     "wide_error": 4.0, "spread": 40.0, "skew": 0.15})
    >>> scored(told, "rate").select("manager_id", "effect", pl.col("limit_upper", "score").round(2)).row(11)
    (11, 0.625, 39.88, 3.47)
    """
    told = told.with_columns(why=_unsaid(kind))
    sure = told.filter(pl.col("why") == "")
    if 0 < len(sure) < LEAST_MANAGERS:
        few = f"only {len(sure)} managers can be compared, fewer than {LEAST_MANAGERS}"
        told, sure = (
            told.with_columns(why=pl.when(pl.col("why") == "").then(pl.lit(few)).otherwise("why")),
            sure.clear(),
        )
    can_be = pl.col("spread") > 0
    told = told.with_columns(
        effect=pl.when(can_be).then((pl.col("observed") - pl.col("expected")) / pl.col("spread")),
        effect_error=pl.when(can_be).then(pl.col("error") / pl.col("spread")),
    )
    if sure.is_empty():
        nothing = ["between", "watch_lower", "watch_upper", "limit_lower", "limit_upper", "score", "p", _RATE]
        return told.with_columns(pl.lit(None, pl.Float64).alias(name) for name in nothing)
    return told.join(_limits(sure, kind), on="manager_id", how="left", maintain_order="left").with_columns(
        discovery_rates(pl.col("p")).alias(_RATE)
    )


def verdicts(scores: pl.DataFrame) -> pl.DataFrame:
    """What is said of each manager: clearly above or below beyond 99.8 % limits, and few of those by chance.

    Answers: who is better or worse than the book, and of whom can nothing be said?

    Parameters
    ----------
    scores
        The result of `scored`.

    Returns
    -------
    pl.DataFrame
        Columns added: verdict (Enum `VERDICTS`) and is_watch (beyond 95 % limits, not clearly so: worth a look and no
        verdict).

    Examples
    --------
    >>> scores = pl.DataFrame({"score": [3.5, 2.4, -3.2, None], _RATE: [0.01, 0.1, 0.06, None]})
    >>> verdicts(scores).select("verdict", "is_watch").rows()
    [('clearly above', False), ('as expected', True), ('as expected', True), ('too few to say', False)]
    """
    score = pl.col("score")
    is_clear = (score.abs() > Z_LIMIT) & (pl.col(_RATE) <= DISCOVERIES)
    verdict = (
        pl.when(score.is_null()).then(pl.lit("too few to say"))
        .when(is_clear & (score > 0)).then(pl.lit("clearly above"))
        .when(is_clear).then(pl.lit("clearly below"))
        .otherwise(pl.lit("as expected"))
    )  # fmt: skip
    is_watch = ((score.abs() > Z) & ~is_clear).fill_null(False)
    return scores.with_columns(verdict=verdict.cast(pl.Enum(VERDICTS)), is_watch=is_watch)


def ordinary(effect: np.ndarray, error: np.ndarray, skew: np.ndarray | float = 0.0) -> Between:
    """How much managers differ beyond chance, a few far out left aside.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> effect = rng.normal(0, 0.2, 400) + rng.normal(0, 0.1, 400)
    >>> effect[:20] = 5
    >>> round(ordinary(effect, np.full(400, 0.1)).deviation, 2)
    0.23
    """

    def variance(between: float) -> float:
        score = _score(effect, error, skew, between)
        ends = np.quantile(score, [WINSORISED, 1 - WINSORISED])
        return float((np.clip(score, *ends) ** 2).mean()) - OF_NORMAL

    found = bisected(variance, float((effect**2).max() / OF_NORMAL))
    return Between(float(np.sqrt(found)), DEGREES * len(effect))


def student(z: float, degrees: float) -> float:
    """Student's t as far out as a normal score (Wallace 1959): the quantiles of many managers, or of few.

    Examples
    --------
    >>> round(student(1.96, 8), 2), round(student(1.96, 1000), 2)
    (2.31, 1.96)
    """
    squeezed = z * (8 * degrees + 3) / (8 * degrees + 1)
    return float(np.sign(z) * np.sqrt(degrees * np.expm1(squeezed**2 / degrees)))


_RATE = "false_discovery_rate"


def _unsaid(kind: str) -> pl.Expr:
    """Why nothing can be said of a manager; empty where something can."""
    n, alone, expected = pl.col("n_customers"), pl.col("n_alone"), pl.col("expected")
    # Of money that matured, one customer's may be half: cases are counted as customers of one credit.
    cases = pl.col("n_alike") * expected / pl.col("n")
    without = pl.col("n_alike") - cases
    alike = (pl.col("spread") / pl.col("wide_error")) ** 2  # so many customers of like variance would tell as much
    why = (
        pl.when((n == 0) & (alone == 0)).then(pl.lit("no customers in this period"))
        .when(n == 0).then(pl.format("none of {} customers has enough like it at other managers", alone))
        .when(n < LEAST_CUSTOMERS).then(pl.format(f"only {{}} customers to compare, fewer than {LEAST_CUSTOMERS}", n))
        .when(~(pl.col("error") > 0)).then(pl.lit("customers like these all do the same"))
        .when(alike < LEAST_ALIKE).then(
            pl.format(f"it hangs on few: as good as {{}} customers alike, fewer than {LEAST_ALIKE}", alike.round(1))
        )
    )  # fmt: skip
    if kind == "amount":
        return why.otherwise(pl.lit(""))
    few_events = pl.format(f"only {{}} events are expected, fewer than {LEAST_CASES}", cases.round(1))
    few_without = pl.format(f"only {{}} cases are expected without one, fewer than {LEAST_CASES}", without.round(1))
    return (
        why.when(cases < LEAST_CASES)
        .then(few_events)
        .when(without < LEAST_CASES)
        .then(few_without)
        .otherwise(pl.lit(""))
    )


def _limits(sure: pl.DataFrame, kind: str) -> pl.DataFrame:
    names = ("n", "observed", "expected", "wide_error", "spread", "skew")
    n, observed, expected, error, spread, skew = (sure[name].cast(pl.Float64).to_numpy() for name in names)
    effect, error, by_chance = (observed - expected) / spread, error / spread, np.clip(skew, -MOST_SKEWED, MOST_SKEWED)
    half = 0.5 / spread if kind == "rate" else 0.0  # counts step: half an event to either side is none
    between = ordinary(effect, error, by_chance)
    inside = np.sign(effect) * np.maximum(np.abs(effect) - half, 0)
    total, skew = _total(error, by_chance, between.deviation**2)
    score = _of_student(_nearer(inside / total, skew), between.degrees)
    found = {"between": np.full(len(sure), between.deviation), "score": score}
    for name, z in (("watch", Z), ("limit", Z_LIMIT)):
        for end, sign in (("lower", -1), ("upper", 1)):
            t = student(sign * z, between.degrees)
            reached = sign * np.maximum(sign * _of_normal(t, skew), abs(t))
            limit = expected + spread * (reached * total + sign * half)
            found[f"{name}_{end}"] = np.clip(limit, 0, n) if kind == "rate" else limit
    found["p"] = [erfc(abs(z) / sqrt(2)) for z in score]
    return pl.DataFrame({"manager_id": sure["manager_id"], **found})


def _total(error: np.ndarray, skew: np.ndarray | float, between: float) -> tuple[np.ndarray, np.ndarray]:
    """Error and skew of an effect by chance and by what managers differ, which is not skewed."""
    total = np.sqrt(error**2 + between)
    return total, skew * (error / total) ** 3


def _score(effect: np.ndarray, error: np.ndarray, skew: np.ndarray | float, between: float) -> np.ndarray:
    total, skew = _total(error, skew, between)
    return _normal(effect / total, skew)


def _nearer(z: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """The score as normal or as skewed, whichever says less: the short tail of a skewed sum is not sure enough."""
    skewed = _normal(z, skew)
    return np.where(z > 0, np.clip(skewed, 0, z), np.clip(skewed, z, 0))


def _normal(z: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """A score with this skew as a normal one."""
    some = np.where(np.abs(skew) < 1e-4, 1e-4, skew)
    return (np.cbrt(np.maximum(some * z / 2 + 1, 1e-9)) - 1) * 6 / some + some / 6


def _of_normal(w: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """What `_normal` makes `w` of; beyond the end of the distribution its end."""
    some = np.where(np.abs(skew) < 1e-4, 1e-4, skew)
    return (np.maximum((w - some / 6) * some / 6 + 1, 0) ** 3 - 1) * 2 / some


def _of_student(t: np.ndarray, degrees: float) -> np.ndarray:
    """Student's t as a normal score (Wallace 1959)."""
    stretched = (8 * degrees + 1) / (8 * degrees + 3)
    return np.sign(t) * stretched * np.sqrt(degrees * np.log1p(t * t / degrees))
