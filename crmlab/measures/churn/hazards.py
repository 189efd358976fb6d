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
    bare = [Hazard(cause, found.get(cause, none), np.zeros((len(data.n_left), data.months))) for cause in OF]
    counts = [_counts(data, one, one.relative(x, values)) for one in bare]
    level = _levels(data, counts[:-1])
    of_others = np.where(np.isnan(level), np.nan, 1.0)
    levels = [level] * (len(OF) - 1) + [of_others]
    return tuple(
        one._replace(baseline=_baseline(*count, at)) for one, count, at in zip(bare, counts, levels, strict=True)
    )


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


def _counts(data: Training, of: Hazard, relative: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Who left each month, and the sum of relative hazards of those there; stratum 0 is everyone together."""
    duration, weight = data.rows["duration"].to_numpy(), data.rows["weight"].to_numpy()
    width, n_strata = data.months + 1, len(data.n_left)
    cell = data.rows["stratum"].to_numpy().astype(np.int64) * width + duration

    def sums(values: np.ndarray) -> np.ndarray:
        by_stratum = np.bincount(cell, values, n_strata * width).reshape(n_strata, width)
        by_stratum[0] = by_stratum.sum(axis=0)
        return by_stratum

    left = sums(weight * (data.rows["cause"] == of.cause).fill_null(False).to_numpy())
    early, late = (sums(weight * ratio)[:, ::-1].cumsum(axis=1)[:, ::-1] for ratio in relative)
    there = np.where(np.arange(width) <= of.effects.split, early, late)
    return left[:, 1:], there[:, 1:]


def _levels(data: Training, counts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """By stratum, how its hazard stands to everyone's; not a number where enough left for a baseline of its own.

    Leavers over those due at everyone's hazard, one added to both: before anybody is seen, a kind is as others are (the
    mean of a gamma distribution of which one leaver is known).
    """
    due = sum((_over(left[0], there[0]) * there).sum(axis=1) for left, there in counts)
    n_due = due * (data.n_left[0] / due[0] if due[0] else 0)  # each leaver once, not at every landmark
    level = (data.n_left + 1) / (n_due + 1)
    level[(data.n_left >= data.least) | (np.arange(len(level)) == 0)] = np.nan
    return level


def _baseline(left: np.ndarray, there: np.ndarray, level: np.ndarray) -> np.ndarray:
    own = _over(left, there)
    return np.where(np.isnan(level)[:, None], own, own[0] * level[:, None])


def _over(left: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.divide(left, there, out=np.zeros_like(left), where=(left > 0) & (there > 0))
