"""Whether targets are fair: does achievement follow the book a manager was handed?"""

from math import atanh, sqrt, tanh

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import finite, in_order, required
from crmlab.measures.managers.funnel import student
from crmlab.measures.uncertainty import Z

LEAST_AUDITED = 10  # managers; of fewer no line is drawn
FINDINGS = ["follows the book", "runs against the book", "does not show", "too few to say"]


def target_audit(rows: pl.DataFrame) -> pl.DataFrame:
    """Whether managers who began with more achieve more of their targets: then the targets pay for the book.

    Answers: are the targets fair to those with small books?

    Parameters
    ----------
    rows
        A row a manager: manager_id, start (the book when the period began, money), value and target (one unit).

    Returns
    -------
    pl.DataFrame
        One row: n_managers, n_without (no target, or nothing to begin with: left out), slope (points of achievement,
        1 being the whole target, for a book twice as large) with slope_lower and slope_upper (95 %, HC3), correlation
        (Spearman's, −1 to 1) with correlation_lower and correlation_upper (95 %, Bonett and Wright 2000), finding (Enum
        `FINDINGS`, by the correlation, which no single manager decides) and told, a sentence. Numbers are null where
        there are too few.

    Raises
    ------
    InputError
        When a column is missing, a manager has two rows, or no row has a target.

    Examples
    --------
    >>> rows = pl.DataFrame({"manager_id": range(16), "start": [1_000_000 * 2**i for i in range(16)],
    ...     "value": [80 + 3 * i + i % 3 for i in range(16)], "target": 100})
    >>> print(target_audit(rows)["told"].item())
    Achievement follows the starting book: twice the book goes with 3.0 points more of the target (95 %: 2.9 to 3.1); \
rank correlation 1.00 (0.99 to 1.00), 16 managers.
    """
    measure = "managers.target_audit"
    required(rows, ["manager_id"], measure)
    required(rows.drop_nulls("target") if "target" in rows.columns else rows, ["start", "value", "target"], measure)
    rows = in_order(rows, ["manager_id"], measure)
    finite(rows.drop_nulls("target"), ["start", "value", "target"], measure)
    known = rows.filter(pl.col("target") > 0, pl.col("start") > 0)
    if known.is_empty():
        raise InputError(f"None of {len(rows)} managers given to {measure} has a target and a book. Give targets.")
    counts = {"n_managers": len(known), "n_without": len(rows) - len(known)}
    book = known["start"].cast(pl.Float64).log(2).to_numpy()
    achieved = (known["value"] / known["target"]).to_numpy()
    if why := _unsaid(book, achieved):
        told = f"Nothing can be said of the targets: {why}."
        return pl.DataFrame([counts | dict.fromkeys(_NUMBERS) | {"finding": FINDINGS[3], "told": told}], _SCHEMA)
    numbers = dict(zip(_NUMBERS, (*_slope(book, achieved), *_correlation(book, achieved)), strict=True))
    finding = FINDINGS[0 if numbers["correlation_lower"] > 0 else 1 if numbers["correlation_upper"] < 0 else 2]
    told = _told(finding, numbers, len(known))
    return pl.DataFrame([counts | numbers | {"finding": finding, "told": told}], _SCHEMA)


_NUMBERS = ["slope", "slope_lower", "slope_upper", "correlation", "correlation_lower", "correlation_upper"]
_SCHEMA = {
    "n_managers": pl.Int64, "n_without": pl.Int64, **dict.fromkeys(_NUMBERS, pl.Float64), "finding": pl.Enum(FINDINGS),
    "told": pl.String,
}  # fmt: skip


def _unsaid(book: np.ndarray, achieved: np.ndarray) -> str | None:
    if len(book) < LEAST_AUDITED:
        return f"{len(book)} managers have a target and a book, fewer than {LEAST_AUDITED}"
    if np.ptp(book) < 1e-9:
        return "all began with books of one size"
    return "all achieved the same" if np.ptp(achieved) < 1e-9 else None


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """The least squares line with HC3 errors: neither equal spread nor equal weight is asked for."""
    away = x - x.mean()
    squares = (away**2).sum()
    slope = float((away * y).sum() / squares)
    residual = (y - y.mean() - slope * away) / np.maximum(1 - 1 / len(x) - away**2 / squares, 1e-9)
    half = student(Z, len(x) - 2) * sqrt(((away * residual) ** 2).sum()) / squares
    return slope, slope - half, slope + half


def _correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    ranks = (pl.Series(values).rank().to_numpy() for values in (x, y))
    r = float(np.clip(np.corrcoef(*ranks)[0, 1], -1, 1))
    if abs(r) > 1 - 1e-9:  # all in one order: what one manager less in order would give bounds it
        r = np.sign(r) * (1 - 6 * 2 / (len(x) * (len(x) ** 2 - 1)))
    half = Z * sqrt((1 + r * r / 2) / (len(x) - 3))
    return r, tanh(atanh(r) - half), tanh(atanh(r) + half)


def _told(finding: str, found: dict[str, float], n: int) -> str:
    begins = {
        FINDINGS[0]: "Achievement follows the starting book",
        FINDINGS[1]: "Achievement runs against the starting book",
        FINDINGS[2]: "That achievement follows the starting book does not show",
    }[finding]
    points = {name: 100 * found[name] for name in _NUMBERS[:3]}
    way = "more" if points["slope"] >= 0 else "less"
    ends = sorted((points["slope_lower"], points["slope_upper"]))
    if way == "less":
        ends = [-ends[1], -ends[0]]
    return (
        f"{begins}: twice the book goes with {abs(points['slope']):.1f} points {way} of the target "
        f"(95 %: {ends[0]:.1f} to {ends[1]:.1f}); rank correlation {found['correlation']:.2f} "
        f"({found['correlation_lower']:.2f} to {found['correlation_upper']:.2f}), {n} managers."
    ).replace("-", "−")
