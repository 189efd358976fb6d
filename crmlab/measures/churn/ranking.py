"""Ranking: whether those who left stood in front, by the model, by simple rules and by chance."""

from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import named, required
from crmlab.measures.uncertainty import Z

MODEL, RANDOM = "model", "random"
SIMPLE = ("fell most in money", "fell most in share")
OUTCOME = ["customer_id", "probability", "event", "duration"]


class Auc(NamedTuple):
    """An area under the ROC curve; its interval is None where one case, or one other, is all there is."""

    auc: float
    error: float | None
    lower: float | None
    upper: float | None


def accuracy(scored: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """How well each method puts those who left in front, month by month, and how far off the probabilities are.

    Answers: does the model know who leaves, better than a glance at the balance?

    Who leaves for another reason (death, merger, a loan repaid) counts as one who did not leave, to the end of the
    horizon. AUC of a month: of one who had left by then and one who had not, how often the first stands in front, ties
    counting half. Concordance (Harrell) asks the same of the earlier and the later.

    Parameters
    ----------
    scored
        A row a customer, or a row a customer and landmark: customer_id, probability (0 to 1), event (left), duration
        (months to it, or at risk), aum, aum_change (minor units; null is not known and stands last). Columns p1, p2, …
        are probabilities of leaving within so many months.
    horizon
        Months that `probability` looks ahead. What comes later is not looked at.

    Returns
    -------
    pl.DataFrame
        Ordered by method (model, fell most in money, fell most in share, random) and month (1 to `horizon`): n,
        n_events (left by then); auc (0 to 1, 0.5 is chance; null while nobody, or everybody, has left), lower, upper
        (95 %, Obuchowski 1997: DeLong's where each customer comes once; null where it cannot be told); concordance (of
        all months, so the same in each); brier (mean squared error of the probability; of the model, where there is one
        of that month), brier_base (of the share that left, told of everybody), brier_scaled (1 − brier / brier_base: 1
        is perfect, 0 no use; null while nobody, or everybody, has left).

    Raises
    ------
    InputError
        When a column or a value is missing, a probability is none, or nobody or everybody left.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": [1, 2, 3, 4], "probability": [0.9, 0.4, 0.4, 0.1],
    ...     "event": [True, True, False, False], "duration": [1, 2, 2, 2], "aum": [50] * 4, "aum_change": [0] * 4})
    >>> accuracy(rows, 2).filter(method="model").select("month", "n_events", "auc", "brier").rows()
    [(1, 1, 1.0, None), (2, 2, 0.875, 0.135)]
    """
    rows = outcome(scored, horizon, "churn.accuracy", ["aum", "aum_change"])
    left_in, cluster = left_in_month(rows, horizon), clusters(rows)
    ranks = {name: dense(score) for name, score in scores(rows, (MODEL, *SIMPLE)).items()}
    base = _base(rows, left_in, horizon)
    frames = [_of_method(base, name, rank, left_in, horizon, cluster) for name, rank in ranks.items()]
    chance = base.with_columns(method=pl.lit(RANDOM), concordance=0.5, brier=None).with_columns(
        pl.when(pl.col("n_events") > 0, pl.col("n_events") < pl.col("n")).then(0.5).alias(name)
        for name in ("auc", "lower", "upper")
    )
    order = ["method", "month", "n", "n_events", "auc", "lower", "upper", "concordance", "brier", "brier_base"]
    found = pl.concat([*(frame.select(order) for frame in frames), chance.select(order)], how="vertical_relaxed")
    some = pl.col("brier_base") > 0
    return found.with_columns(brier_scaled=pl.when(some).then(1 - pl.col("brier") / pl.col("brier_base")))


def concordance(duration: np.ndarray, event: np.ndarray, score: np.ndarray) -> float | None:
    """Of two of whom it is known who left first, how often that one has the higher score; ties count half (Harrell).

    Who stays as many months as another needed to leave stayed longer; two who left in one month are no pair.

    Parameters
    ----------
    duration
        Whole months, at least 0.
    event
        Whether they left then; else they were still there, and no more is known.
    score
        The higher, the earlier they should leave.

    Returns
    -------
    float | None
        0 to 1; None where there is no pair.

    Examples
    --------
    >>> concordance(np.array([1, 2, 3]), np.array([True, True, False]), np.array([0.9, 0.2, 0.2]))
    0.8333333333333334
    """
    rank = dense(np.asarray(score, float))
    stays = np.bincount(rank, minlength=1)
    n_pairs = n_right = 0.0
    for month in range(int(duration.max(initial=-1)) + 1):
        ends = duration == month
        goes = np.bincount(rank[ends & event], minlength=len(stays))
        stays = stays - goes
        n_pairs += float(goes.sum()) * float(stays.sum())
        n_right += float(goes @ _behind(stays))
        stays = stays - np.bincount(rank[ends & ~event], minlength=len(stays))
    return n_right / n_pairs if n_pairs else None


def auc(rank: np.ndarray, is_case: np.ndarray, cluster: np.ndarray | None = None) -> Auc | None:
    """The area under the ROC curve with its 95 % interval on the logit scale; None without cases or without others.

    Parameters
    ----------
    rank
        Of the score, whole numbers from 0, equal for equal scores (`dense`).
    is_case
        Who left.
    cluster
        Whose rows they are, whole numbers from 0; None where each customer comes once.

    Returns
    -------
    Auc | None
        auc, error (its standard error), lower, upper.

    Examples
    --------
    >>> found = auc(np.array([2, 1, 1, 0, 0]), np.array([True, True, False, False, True]))
    >>> round(found.auc, 3), round(found.error, 3), round(found.lower, 3)
    (0.667, 0.276, 0.149)
    """
    if not is_case.any() or is_case.all():
        return None
    if cluster is None:
        cases = np.bincount(rank[is_case], minlength=int(rank.max()) + 1)
        value, error = _of_counts(cases, np.bincount(rank) - cases)
    else:
        value, off = placed(rank, is_case)
        error = standard_error(off, is_case, cluster)
    if not error or not 0 < value < 1:
        return Auc(value, None, None, None)
    middle, reach = np.log(value / (1 - value)), Z * error / (value * (1 - value))
    ends = 1 / (1 + np.exp(-(middle + reach * np.array([-1, 1]))))
    return Auc(value, error, *(float(end) for end in ends))


def placed(rank: np.ndarray, is_case: np.ndarray) -> tuple[float, np.ndarray]:
    """The AUC, and by how much each row's own share of the others it stands right of differs from it."""
    cases = np.bincount(rank[is_case], minlength=int(rank.max()) + 1)
    value, right, ahead = _places(cases, np.bincount(rank) - cases)
    return value, np.where(is_case, right[rank], ahead[rank]) - value


def standard_error(off: np.ndarray, is_case: np.ndarray, cluster: np.ndarray | None = None) -> float | None:
    """The standard error of an AUC, or of a difference of two, from what `placed` gives (Obuchowski 1997)."""
    n_cases = int(is_case.sum())
    n_others = len(off) - n_cases
    if cluster is None:
        if n_cases < 2 or n_others < 2:
            return None
        of_cases = float(np.square(off[is_case]).sum()) / (n_cases - 1)
        of_others = float(np.square(off[~is_case]).sum()) / (n_others - 1)
        return float(np.sqrt(of_cases / n_cases + of_others / n_others))
    size = int(cluster.max()) + 1
    sides = []
    for side, n in ((is_case, n_cases), (~is_case, n_others)):
        sums = np.bincount(cluster[side], off[side], minlength=size)
        sides.append((sums / n, int((np.bincount(cluster[side], minlength=size) > 0).sum())))
    (cases, n_first), (others, n_second) = sides
    if n_first < 2 or n_second < 2:
        return None
    square = cases @ cases * n_first / (n_first - 1) + others @ others * n_second / (n_second - 1)
    return float(np.sqrt(max(square + 2 * (cases @ others) * size / (size - 1), 0)))


def scores(rows: pl.DataFrame, methods: tuple[str, ...], worth: str = "aum") -> dict[str, np.ndarray]:
    """What each method ranks by, highest first; what is not known stands last."""
    fell = -pl.col("aum_change").cast(pl.Float64)
    before = pl.col("aum").cast(pl.Float64) + fell
    ways = {
        MODEL: pl.col("probability"),
        "probability": pl.col("probability"),
        "worklist": pl.col("probability") * pl.col(worth).cast(pl.Float64).clip(0).fill_null(0),
        SIMPLE[0]: fell,
        SIMPLE[1]: pl.when(before > 0).then(fell / before),
    }
    found = rows.select(ways[name].cast(pl.Float64).fill_nan(None).fill_null(-np.inf).alias(name) for name in methods)
    return {name: found[name].to_numpy() for name in methods}


def dense(score: np.ndarray) -> np.ndarray:
    """Ranks from 0 for the lowest, without gaps, equal for equal scores."""
    return pl.Series(score).rank("dense").to_numpy().astype(np.int64) - 1


def outcome(scored: pl.DataFrame, horizon: int, measure: str, columns: list[str]) -> pl.DataFrame:
    """The rows with what came of them within the horizon; stops where something is missing, or nothing can be told."""
    required(scored, OUTCOME, measure)
    named(scored.columns, columns, measure)
    _probable(scored, measure)
    if n := scored.filter(pl.col("duration") < 0).height:
        raise InputError(f"{n} of {len(scored)} rows given to {measure} have a duration below 0. Leave them out.")
    said = scored["event"]
    if said.dtype != pl.Boolean and not (said.dtype.is_integer() and said.is_between(0, 1).all()):
        raise InputError(f"The event of rows given to {measure} is {said.dtype}. Give true (left) or false.")
    rows = scored.with_columns(event=pl.col("event").cast(pl.Boolean) & (pl.col("duration") <= horizon))
    n_events = int(rows["event"].sum())
    if n_events in (0, len(rows)):
        who = "Nobody" if n_events == 0 else "Everybody"
        raise InputError(
            f"{who} of the {len(rows)} customers given to {measure} left within {horizon} months, so nothing can be "
            "compared. Test another month, a longer horizon or more customers."
        )
    return rows


def left_in_month(rows: pl.DataFrame, horizon: int) -> np.ndarray:
    """The month after the landmark in which each left; beyond the horizon for all others."""
    return rows.select(pl.when("event").then("duration").otherwise(horizon + 1)).to_series().to_numpy()


def clusters(rows: pl.DataFrame) -> np.ndarray | None:
    """Whose rows they are, as whole numbers from 0; None where each customer comes once."""
    ids = rows["customer_id"]
    return None if ids.n_unique() == len(ids) else ids.rank("dense").to_numpy().astype(np.int64) - 1


def _places(cases: np.ndarray, others: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """From how many have each rank: the AUC, of the others those a case beats, of the cases those that beat another."""
    n_cases = cases.sum()
    right, ahead = _behind(others) / others.sum(), 1 - _behind(cases) / n_cases
    return float(cases @ right / n_cases), right, ahead


def _of_counts(cases: np.ndarray, others: np.ndarray) -> tuple[float, float | None]:
    """The AUC and its standard error, where each customer comes once (DeLong 1988)."""
    value, right, ahead = _places(cases, others)
    n_cases, n_others = int(cases.sum()), int(others.sum())
    if n_cases < 2 or n_others < 2:
        return value, None
    of_cases = cases @ np.square(right - value) / (n_cases - 1)
    of_others = others @ np.square(ahead - value) / (n_others - 1)
    return value, float(np.sqrt(of_cases / n_cases + of_others / n_others))


def _behind(count: np.ndarray) -> np.ndarray:
    """By rank, how many stand behind it, equal ones counting half."""
    return np.cumsum(count) - count / 2


def _base(rows: pl.DataFrame, left_in: np.ndarray, horizon: int) -> pl.DataFrame:
    """By month: how many had left, and what the probabilities were worth."""
    found = []
    for month in range(1, horizon + 1):
        left = left_in <= month
        share = float(left.mean())
        name = "probability" if month == horizon else f"p{month}"
        told = rows[name].to_numpy() if name in rows.columns else None
        brier = None if told is None else float(np.square(told - left).mean())
        found.append((month, len(rows), int(left.sum()), brier, share * (1 - share)))
    types = [pl.Int32, pl.Int64, pl.Int64, pl.Float64, pl.Float64]
    names = ["month", "n", "n_events", "brier", "brier_base"]
    return pl.DataFrame(found, schema=dict(zip(names, types, strict=True)), orient="row")


def _of_method(base, name: str, rank, left_in, horizon: int, cluster) -> pl.DataFrame:
    found = [auc(rank, left_in <= month, cluster) for month in range(1, horizon + 1)]
    ends = {
        column: pl.Series([one and getattr(one, column) for one in found], dtype=pl.Float64)
        for column in ("auc", "lower", "upper")
    }
    told = pl.col("brier") if name == MODEL else pl.lit(None, pl.Float64)
    stayed = np.minimum(left_in, horizon)
    return base.with_columns(
        method=pl.lit(name), brier=told, concordance=pl.lit(concordance(stayed, left_in <= horizon, rank)), **ends
    )


def _probable(scored: pl.DataFrame, measure: str) -> None:
    wrong = scored.filter(~pl.col("probability").is_between(0, 1))
    if len(wrong):
        raise InputError(
            f"{len(wrong)} of {len(scored)} probabilities given to {measure} do not lie between 0 and 1 (first: "
            f"customer {wrong['customer_id'][0]}, {wrong['probability'][0]:g}). Give them as churn.probability does."
        )
