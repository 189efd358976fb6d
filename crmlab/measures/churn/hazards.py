"""Hazards by cause, a month at a time, and what they come to over a horizon."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from crmlab.measures.churn.causes import Effects, Training
from crmlab.measures.churn.training import OTHER
from crmlab.policy.departing import CAUSES

OF = [*CAUSES, OTHER]
FURTHEST = 20.0  # log of a hazard against the average: beyond, a number says no more


class Hazard(NamedTuple):
    """The hazard of one cause: by stratum and month for an average customer, and how covariates raise it."""

    cause: str
    effects: Effects
    baseline: np.ndarray  # strata × months

    def relative(self, x: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Hazard against the average up to the split, and after; `values` as they are, `x` less the average."""
        beta, split, only = self.effects
        early = _relative(x @ beta[0], values, only)
        return early, early if split >= self.baseline.shape[1] else _relative(x @ beta[1], values, only)


def hazards(data: Training, found: dict[str, Effects]) -> tuple[Hazard, ...]:
    """The hazard of each of `OF`; other exits have no effects, nor has a cause for which nobody left."""
    values = data.values()
    x = values - data.center.astype(np.float32)
    none = Effects(np.zeros((2, len(data.kept))), data.months, ())
    empty = np.zeros((data.n_strata, data.months))
    bare = [Hazard(cause, found.get(cause, none), empty) for cause in OF]
    return tuple(one._replace(baseline=_baseline(data, one, one.relative(x, values))) for one in bare)


def incidence(
    hazards: tuple[Hazard, ...], x: np.ndarray, values: np.ndarray, stratum: np.ndarray, horizons: tuple[int, ...]
) -> dict[int, np.ndarray]:
    """By horizon, the probability of each of `OF` (rows × causes) within so many months.

    Within a month, whoever goes is divided among the causes as their hazards stand to each other; so the causes and
    staying add to one.
    """
    found, by_horizon = np.zeros((len(x), len(hazards))), {}
    for month, going in enumerate(_going(hazards, x, values, stratum, max(horizons)), 1):
        found += going
        if month in horizons:
            by_horizon[month] = found.copy()
    return by_horizon


def shares(
    hazards: tuple[Hazard, ...], x: np.ndarray, values: np.ndarray, stratum: np.ndarray, months: int
) -> np.ndarray:
    """Of the probability to leave, what falls to each cause up to its split, and after it (2 × rows × causes)."""
    found = np.zeros((2, len(x), len(hazards) - 1))
    splits = np.array([of.effects.split for of in hazards[:-1]])
    for month, going in enumerate(_going(hazards, x, values, stratum, months), 1):
        is_late = month > splits
        found[0, :, ~is_late] += going[:, :-1].T[~is_late]
        found[1, :, is_late] += going[:, :-1].T[is_late]
    total = found.sum(axis=(0, 2))[:, None]
    return np.divide(found, total, out=np.zeros_like(found), where=total > 0)


def _going(
    hazards: tuple[Hazard, ...], x: np.ndarray, values: np.ndarray, stratum: np.ndarray, months: int
) -> Iterator[np.ndarray]:
    """Who goes in each month, of each of `OF`: the same array each time."""
    relative = [of.relative(x, values) for of in hazards]
    staying, going = np.ones(len(x)), np.zeros((len(x), len(hazards)))
    for month in range(months):
        for n, (of, ratio) in enumerate(zip(hazards, relative, strict=True)):
            np.multiply(of.baseline[stratum, month], ratio[month >= of.effects.split], out=going[:, n])
        total = going.sum(axis=1)
        gone = -np.expm1(-total) * staying
        going *= np.divide(gone, total, out=np.zeros_like(total), where=total > 0)[:, None]
        staying -= gone
        yield going


def _relative(log_hazard: np.ndarray, values: np.ndarray, only: tuple[tuple[int, float], ...]) -> np.ndarray:
    found = np.exp(np.clip(log_hazard, -FURTHEST, FURTHEST))
    for place, value in only:
        found[values[:, place] != np.float32(value)] = 0
    return found


def _baseline(data: Training, of: Hazard, relative: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Who left each month over the sum of relative hazards of those there; stratum 0 is everyone together."""
    duration, weight = data.rows["duration"].to_numpy(), data.rows["weight"].to_numpy()
    width = data.months + 1
    cell = data.rows["stratum"].to_numpy().astype(np.int64) * width + duration

    def sums(values: np.ndarray) -> np.ndarray:
        by_stratum = np.bincount(cell, values, data.n_strata * width).reshape(data.n_strata, width)
        by_stratum[0] = by_stratum.sum(axis=0)
        return by_stratum

    left = sums(weight * (data.rows["cause"] == of.cause).fill_null(False).to_numpy())
    early, late = (sums(weight * ratio)[:, ::-1].cumsum(axis=1)[:, ::-1] for ratio in relative)
    there = np.where(np.arange(width) <= of.effects.split, early, late)
    return np.divide(left, there, out=np.zeros_like(left), where=(left > 0) & (there > 0))[:, 1:]
