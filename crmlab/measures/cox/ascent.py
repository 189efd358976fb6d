"""The way up a partial likelihood by Newton's steps, and the sentences where there is no top."""

import numpy as np

from crmlab.errors import InputError
from crmlab.measures.cox.risksets import Point, RiskSets, information, likelihood

STEPS = 60  # six are usual
ENOUGH = 1e-12  # a squared step in standard errors: the next one changes no digit
FLAT = 1e-11  # share of its information that is left to a coefficient on its way to infinity
SAME = 1e-12  # variance among those at risk, of that among all, which is rounding
KNOWN = 1e-10  # share of a covariate's variance that others must leave untold
PART = 0.1  # of the largest part in a combination: who has as much is named with it


class Untold(InputError):  # noqa: N818, a case of InputError, which bears the suffix
    """No coefficient can be told for some `covariates`; without them there may be one for the others."""

    def __init__(self, covariates: list[str], sentence: str):
        super().__init__(sentence)
        self.covariates = covariates


def top(rows: RiskSets, names: list[str]) -> tuple[np.ndarray, Point, np.ndarray, int, float]:
    """Coefficients at the maximum, the likelihood and information there, steps made, and the value at 0.

    Covariates of `rows` have mean 0 and standard deviation 1.

    Raises
    ------
    Untold
        When a covariate does not differ among those at risk together, is told by others, or has no finite coefficient.
    """
    beta = np.zeros(len(names))
    at = likelihood(rows, beta)
    null, first = at.log_likelihood, information(rows, at)
    _differ(first, at.n_left @ at.mean_weight, names)
    _alone(first, names)
    found = first
    for step in range(1, STEPS + 1 if names else 1):
        if _flattest(found, first)[0] < FLAT:
            break
        way = np.linalg.solve(found, at.gradient)
        gain = way @ at.gradient
        beta, at = _climbed(rows, beta, way, at)
        found = information(rows, at)
        if gain < ENOUGH:
            return beta, at, found, step, null
    if not names:
        return beta, at, found, 0, null
    way = np.abs(_flattest(found, first)[1])
    endless = [name for name, part in zip(names, way, strict=True) if part >= PART * way.max()]
    one = len(endless) == 1
    raise Untold(
        endless,
        f"cox.fit finds no end for the coefficient{'s' * (not one)} of {_listed(endless)}: "
        f"{'it separates' if one else 'together they separate'} those who left from those who stayed. "
        f"Leave {'it' if one else 'one of them'} out, or join rare values with their neighbours.",
    )


def _climbed(rows: RiskSets, beta: np.ndarray, way: np.ndarray, at: Point) -> tuple[np.ndarray, Point]:
    """As far along a way as the likelihood does not fall, halving it; where it was, if nowhere."""
    least = at.log_likelihood - 1e-11 * abs(at.log_likelihood)
    for halvings in range(30):
        further = beta + way / 2**halvings
        there = likelihood(rows, further)
        if there.log_likelihood >= least:
            return further, there
    return beta, at


def _flattest(found: np.ndarray, first: np.ndarray) -> tuple[float, np.ndarray]:
    """The least share that is left of the information there was at first, and the direction it is lost in."""
    inverse = np.linalg.inv(np.linalg.cholesky(first))
    shares, ways = np.linalg.eigh(inverse @ found @ inverse.T)
    return shares[0], inverse.T @ ways[:, 0]


def _differ(first: np.ndarray, n_events: float, names: list[str]) -> None:
    same = [name for name, variance in zip(names, np.diag(first), strict=True) if variance <= SAME * n_events]
    if same:
        raise Untold(
            same,
            f"{_listed(same)} {'does' if len(same) == 1 else 'do'} not differ among those at risk together when "
            "somebody left, so cox.fit cannot tell what goes along with it. Leave it out, or use other strata.",
        )


def _alone(first: np.ndarray, names: list[str]) -> None:
    """Stop at the first covariate that the ones before it tell, by how much each of them is needed."""
    spread = np.sqrt(np.diag(first))
    alike = first / np.outer(spread, spread)
    for j in range(1, len(names)):
        parts = np.linalg.solve(alike[:j, :j], alike[:j, j])
        if 1 - parts @ alike[:j, j] <= KNOWN:
            by = [name for name, part in zip(names, np.abs(parts), strict=False) if part >= 1e-4 * np.abs(parts).max()]
            raise Untold(
                [names[j]],
                f"{names[j]} is told by {_listed(by)} already (collinear), so cox.fit cannot tell them apart. "
                "Leave one of them out.",
            )


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
