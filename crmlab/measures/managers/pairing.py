"""Which customer would be how well off with which manager: branch, fit, ties, and whether somebody loses them."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crmlab.policy import Weights

FITS = ("others of the industry", "others of the kind", "nobody of the kind")


@dataclass(frozen=True)
class Pairs:
    """Customers × managers: what a pair costs, and what of it can be told."""

    cost: np.ndarray
    is_near: np.ndarray  # same branch
    fit: np.ndarray  # place in `FITS`
    in_household: np.ndarray  # the manager looks after another one of the household
    in_group: np.ndarray  # the same of the group
    is_own: np.ndarray  # the manager looks after them now


def paired(movable: pl.DataFrame, kept: pl.DataFrame, managers: pl.DataFrame, weights: Weights) -> Pairs:
    """Each customer that may move beside each manager that may have them.

    Parameters
    ----------
    movable
        customer_id, manager_id, branch_id, kind, industry, household_id, group_id (these three may be null).
    kept
        The same of all customers who are looked after by a manager of `managers`.
    managers
        manager_id, branch_id.
    weights
        ``policy.recut``.

    Examples
    --------
    >>> customers = pl.DataFrame({"customer_id": [1, 2], "manager_id": ["M1", "M2"], "branch_id": "B1",
    ...     "kind": "retail", "industry": None, "household_id": ["H1", "H1"], "group_id": None})
    >>> managers = pl.DataFrame({"manager_id": ["M2", "M3"], "branch_id": ["B1", "B2"]})
    >>> from crmlab.policy import load
    >>> found = paired(customers[:1], customers[1:], managers, load().recut)
    >>> found.cost.tolist(), found.in_household.tolist()
    ([[0.0, 18.0]], [[True, False]])
    """
    names = managers["manager_id"]
    own = movable["manager_id"].to_numpy()[:, None] == names.to_numpy()[None]
    near = movable["branch_id"].to_numpy()[:, None] == managers["branch_id"].to_numpy()[None]
    has_kind = _others(movable, kept, names, ["kind"], own)
    has_industry = _others(movable, kept, names, ["kind", "industry"], own)
    knows = movable["industry"].is_not_null().to_numpy()[:, None]
    fit = np.where(own | np.where(knows, has_industry, has_kind), 0, np.where(has_kind, 1, 2))
    household = _others(movable, kept, names, ["household_id"], own)
    group = _others(movable, kept, names, ["group_id"], own)
    tied = household | group
    cost = (
        weights.other_branch * ~near
        + weights.fit * fit / 2
        + weights.tie * (tied.any(1)[:, None] & ~tied)
        + weights.taken * (own.any(1)[:, None] & ~own)
    )
    return Pairs(cost, near, np.where(~knows & (fit == 0), 1, fit), household, group, own)


def _others(movable: pl.DataFrame, kept: pl.DataFrame, names: pl.Series, key: list[str], own: np.ndarray) -> np.ndarray:
    """Whether each manager looks after another customer with the same key; nobody shares a key that is not known."""
    keys = kept.select(key).drop_nulls().unique(maintain_order=True).with_row_index("at")
    found = np.zeros((len(keys) + 1, len(names)), np.int64)  # the last row is for those without a key
    rows = kept.join(keys, on=key).select(
        "at", manager=pl.col("manager_id").replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64)
    )
    np.add.at(found, (rows["at"].to_numpy(), rows["manager"].to_numpy()), 1)
    at = movable.join(keys, on=key, how="left", maintain_order="left")["at"].fill_null(len(keys)).to_numpy()
    return found[at] > own
