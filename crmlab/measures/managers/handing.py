"""A re-cut in frames and words: who goes where and why, what it does to each manager, or why there is none."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.managers.dealing import Deal, Dealt
from crmlab.measures.managers.pairing import FITS, Pairs
from crmlab.policy.phrases import capital_first, counted, joined

Conditions = list[tuple[str, str | None]]  # contacts, customers, or most or least of a kind; of which kind
NAMED = 3  # conditions in the way that are named one by one
MONTHS = 12


class Names(NamedTuple):
    """What managers and branches are called in sentences; any other is told by its number."""

    managers: Mapping[str, str] = {}
    branches: Mapping[str, str] = {}


def loads_told(after: pl.DataFrame, staff: pl.DataFrame, weight: dict[str, float]) -> pl.DataFrame:
    """What the re-cut does to each manager; `after` has manager_id (now), to_id (then) and the loads.

    Examples
    --------
    >>> after = pl.DataFrame({"manager_id": ["M1", "M2"], "to_id": ["M2", "M2"], "number": 1, "contribution": 5,
    ...     "contacts": 4})
    >>> staff = pl.DataFrame({"manager_id": ["M2"], "branch_id": "B1", "n_contacts": 9})
    >>> loads_told(after, staff, {"number": 1.0, "contribution": 0.0, "contacts": 0.0})["load_before"].to_list()
    [0.5]
    """
    rows = staff.select("manager_id", "branch_id", "n_contacts")
    moved = pl.col("manager_id") != pl.col("to_id")
    sums = {"n": "number", "contribution": "contribution", "contacts": "contacts"}
    totals = [pl.col(what).sum().alias(name) for name, what in sums.items()]
    for time, key in (("before", "manager_id"), ("after", "to_id")):
        of = after.group_by(manager_id=key).agg(one.name.suffix(f"_{time}") for one in totals)
        rows = rows.join(of, on="manager_id", how="left", maintain_order="left")
    for name, key in (("n_received", "to_id"), ("n_given", "manager_id")):
        of = after.filter(moved).group_by(manager_id=key).agg(pl.len().cast(pl.Int64).alias(name))
        rows = rows.join(of, on="manager_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.selectors.starts_with("n_", "contribution_", "contacts_").fill_null(0))
    return rows.select(
        "manager_id", "branch_id", "n_received", "n_given",
        *(f"{name}_{time}" for name in sums for time in ("before", "after")), "n_contacts",
        *(_load(time, sums, weight).alias(f"load_{time}") for time in ("before", "after")),
    )  # fmt: skip


def _load(time: str, sums: dict[str, str], weight: dict[str, float]) -> pl.Expr:
    parts = [
        pl.col(f"{name}_{time}") / pl.col(f"{name}_after").mean() * weight[what]
        for name, what in sums.items()
        if weight[what]
    ]
    return pl.sum_horizontal(parts) / sum(weight.values()) if parts else pl.lit(None, pl.Float64)


def lines_told(
    moved: pl.DataFrame, to: np.ndarray, pairs: Pairs, loads: pl.DataFrame, units: np.ndarray, names: Names
) -> pl.DataFrame:
    """A line a customer who changes managers, with what the pair costs and why it is that one.

    Parameters
    ----------
    moved
        The customers that might move, with to_id.
    to, pairs
        The place of to_id among the managers, and all pairs.
    loads
        As `loads_told` gives them.
    units
        Which customers go together.
    names
        For the reasons.
    """
    load = dict(loads.select("manager_id", "load_after").iter_rows())
    before = dict(loads.select("manager_id", "load_before").iter_rows())
    at = np.arange(len(to))
    together = np.bincount(units)[units] - 1
    best = pairs.cost.argmin(1)
    rows = moved.select(
        "customer_id", "kind", "branch_id", "household_id", "to_id", "contribution", "contacts", from_id="manager_id",
        is_taken=pl.Series(pairs.is_own.any(1)), cost=pl.Series(pairs.cost[at, to]),
        load=pl.col("to_id").replace_strict(load, return_dtype=pl.Float64),
        is_near=pl.Series(pairs.is_near[at, to]), fit=pl.Series(pairs.fit[at, to]),
        in_household=pl.Series(pairs.in_household[at, to]), in_group=pl.Series(pairs.in_group[at, to]),
        together=pl.Series(together), nearer=pl.Series(loads["manager_id"].to_numpy()[best], dtype=pl.String),
        is_best=pl.Series(pairs.cost[at, to] <= pairs.cost[at, best] + 1e-9),
        to_branch=pl.Series(loads["branch_id"].to_numpy()[to], dtype=pl.String),
    ).filter(pl.col("from_id") != pl.col("to_id"))  # fmt: skip
    said = [_reason(row, load, before, names) for row in rows.iter_rows(named=True)]
    return rows.select(
        "customer_id", "kind", "branch_id", "household_id", "from_id", "to_id", "is_taken", "contribution", "contacts",
        "cost", "load", reason=pl.Series(said, dtype=pl.String),
    )  # fmt: skip


def _reason(row: dict, load: dict[str, float], before: dict[str, float], names: Names) -> str:
    to, home = (names.branches.get(row[key], row[key]) for key in ("to_branch", "branch_id"))
    giver, nearer = (names.managers.get(row[key], row[key]) for key in ("from_id", "nearer"))
    tie = "household" if row["in_household"] else "group"
    parts = [
        "same branch" if row["is_near"] else f"branch {to} in place of {home}",
        *([f"looks after their {tie}"] if row["in_household"] or row["in_group"] else []),
        *([f"goes with {counted(row['together'], 'other')} of the household"] if row["together"] else []),
        f"looks after {FITS[row['fit']]}",
        f"load {_ratio(row['load'])} of the mean",
    ]
    if row["is_taken"]:
        parts.append(f"taken from {giver}, whose load was {_ratio(before[row['from_id']])}")
    if not row["is_best"] and row["nearer"] != row["from_id"]:
        parts.append(f"{nearer} would be nearer to them and has {_ratio(load[row['nearer']])}")
    return f"{capital_first('; '.join(parts))}."


def _ratio(load: float | None) -> str:
    return "not known" if load is None else f"{load:.2f}"


def kinds_told(lines: pl.DataFrame) -> pl.DataFrame:
    """What each manager receives of the book by kind: manager_id, kind, n, share (of that), book_share.

    Examples
    --------
    >>> lines = pl.DataFrame({"to_id": ["M2", "M2"], "kind": ["retail", "retail"], "is_taken": [False, True]})
    >>> kinds_told(lines).rows()
    [('M2', 'retail', 1, 1.0, 1.0)]
    """
    of_book = lines.filter(~pl.col("is_taken"))
    book = of_book.group_by("kind").agg(book_share=pl.len() / len(of_book))
    return (
        of_book.group_by("kind", manager_id="to_id")
        .agg(n=pl.len().cast(pl.Int64))
        .with_columns(share=pl.col("n") / pl.col("n").sum().over("manager_id"))
        .join(book, on="kind")
        .select("manager_id", "kind", "n", "share", "book_share")
        .sort("manager_id", "kind")
    )


def proof(found: Dealt, deal: Deal, gap: float) -> tuple[dict[str, float], str]:
    """How good a dealing is at least, in numbers and in a sentence."""
    n, n_candidates = int(np.isfinite(deal.cost).sum()), int(found.candidates.sum())
    numbers = {
        "n": n, "n_candidates": n_candidates, "n_most": int(found.candidates.sum(1).max()),
        "n_omitted": n - n_candidates, "dearer": found.dearer, "n_rounds": found.rounds,
    }  # fmt: skip
    omitted = (
        f"the other {n - n_candidates:,} were priced, and none could lower the cost"
        if n > n_candidates
        else "none was left out"
    )
    return numbers, (
        f"Of {counted(n, 'pair')} {n_candidates:,} were candidates, at most {numbers['n_most']} a customer or "
        f"household; {omitted}. No re-cut costs less than {found.bound:,.2f}; this one costs {found.value:,.2f}, "
        f"at most {100 * gap:.2f} % of which need not be."
    )


def refusal(
    lacking: np.ndarray, deal: Deal, conditions: Conditions, staff: pl.DataFrame, movable: pl.DataFrame, names: Names
) -> str:
    """Why there is no re-cut: what all rooms together lack, or which of them stand in the way.

    Parameters
    ----------
    lacking
        Managers × conditions: by how much a room would have to grow.
    deal, conditions
        The program, and what its conditions are.
    staff
        manager_id of each, in order.
    movable
        The customers to be dealt.
    names
        Of the managers.
    """
    for at, (condition, kind) in enumerate(conditions):
        asked, room = deal.uses[:, at].sum(), deal.room[:, at].sum()
        if kind is None and asked > room + 1e-6:
            what = "contacts a year" if condition == "contacts" else "customers"
            return (
                f"The capacity is below what is asked: {counted(len(movable), 'customer')} need room for {asked:,.0f} "
                f"{what}, and {counted(len(staff), 'manager')} have room for {room:,.0f}. Name further managers, or "
                "give them more room."
            )
    found = [(at, condition) for at, condition in np.argwhere(lacking > 0)]
    who = [names.managers.get(one, one) for one in staff["manager_id"]]
    said = [_lacks(who[int(at)], *conditions[int(c)], float(lacking[at, c])) for at, c in found[:NAMED]]
    if len(found) > NAMED:
        said.append(f"{len(found) - NAMED:,} more conditions")
    return (
        f"No re-cut meets all conditions. In the way: {joined(said)}. Give more room there, a wider tolerance, or "
        "allow more pairs."
    )


def _lacks(manager: str, condition: str, kind: str | None, much: float) -> str:
    if kind is None:
        what = "contacts a year" if condition == "contacts" else "customers"
        return f"{manager} has room for {much:,.1f} {what} too few"
    return f"at {manager} the share of {kind} is too {'large' if condition == 'most' else 'small'}"
