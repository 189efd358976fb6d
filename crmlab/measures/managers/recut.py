"""A book dealt anew when its manager leaves: who gets whom, why, and how far from the best that may be."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_order, named, required
from crmlab.measures.managers.dealing import Deal, Dealt, dealt
from crmlab.measures.managers.handing import Conditions, Names, kinds_told, lines_told, loads_told, proof, refusal
from crmlab.measures.managers.pairing import Pairs, paired
from crmlab.policy import Weights, load

CUSTOMERS = ["customer_id", "branch_id", "kind", "contribution", "contacts"]
KNOWN = ["industry", "household_id", "group_id"]  # null, or no column: not known, or none
LOADS = ("number", "contribution", "contacts")
MONTHS = 12


@dataclass(frozen=True)
class Recut:
    """A proposal, what it does to each manager, and how good it is at least."""

    lines: pl.DataFrame  # a row a customer who moves
    loads: pl.DataFrame  # a row a manager
    kinds: pl.DataFrame  # a row a manager and kind: what they receive of the book
    prices: pl.DataFrame  # manager_id, condition, price: what one more there would save; see `proposal`
    cost: float  # in average customers, as ``policy.recut`` has it
    bound: float  # no re-cut costs less
    gap: float  # 1 − bound / cost, 0 to 1; 0 where it costs nothing
    pairs: Mapping[str, float]  # n, n_candidates, n_most (a customer), n_omitted, dearer, n_rounds
    sentence: str  # the same in words


def proposal(
    customers: pl.DataFrame,
    managers: pl.DataFrame,
    leaving: str,
    weights: Weights | None = None,
    *,
    wider: bool = False,
    excluded: pl.DataFrame | None = None,
    names: Names | None = None,
) -> Recut:
    """The book of a manager who leaves dealt to the others, so that loads end near their mean.

    Answers: who looks after them from now on, and is that fair to the others?

    Loads are the number of customers, what they contribute, and the contacts due. A household that the manager looks
    after goes to one other. Hard conditions are the contacts a manager can make, the customers a manager may have, and
    that each kind's share in what a manager receives is that of the book, within a tolerance and one customer.

    Parameters
    ----------
    customers
        customer_id (once each), manager_id (who looks after them; null: nobody), branch_id, kind, contribution (a year,
        minor units), contacts (due a year: a_year of `duties`), and where known industry, household_id,
        group_id. Customers of nobody, or of managers not given, are left out.
    managers
        manager_id (once each), branch_id, n_contacts (can be made a month), and where set most (customers, or null);
        all who may receive customers. The one who leaves may be among them.
    leaving
        Whose book is dealt.
    weights
        ``policy.recut``: what counts how much; ours where nothing is given.
    wider
        Whether customers of the others may move too, at the cost of taking them.
    excluded
        customer_id, manager_id: pairs that may not be.
    names
        What managers and branches are called in the reasons; by their numbers where nothing is given.

    Returns
    -------
    Recut
        lines: customer_id, kind, branch_id, household_id, from_id, to_id, is_taken (from a manager who stays),
        contribution, contacts, cost (of the pair), load (of who receives, after: 1 is the mean), reason.
        loads: manager_id, branch_id, n_received, n_given, n_before, n_after, contribution_before, contribution_after
        (minor units), contacts_before, contacts_after (a year), n_contacts (a month; null without), load_before,
        load_after (1: the mean of all after it; the three loads by their weights).
        kinds: manager_id, kind, n, share (of what they receive), book_share.
        prices: conditions number, contribution, contacts (an average customer's worth more there would save so much;
        below 0: would cost) and room for contacts, room for customers (one more there would save).

    Raises
    ------
    InputError
        When nobody is left to receive, the one who leaves looks after nobody, a customer or manager is there twice, a
        manager has no capacity, all managers are excluded for somebody, or the rooms do not suffice: which, and by
        how much.

    Examples
    --------
    >>> customers = pl.DataFrame({"customer_id": [1, 2, 3, 4], "manager_id": ["M1", "M1", "M2", "M3"],
    ...     "branch_id": "B1", "kind": "retail", "contribution": 100, "contacts": 4,
    ...     "household_id": ["H1", None, "H1", None]})
    >>> managers = pl.DataFrame({"manager_id": ["M2", "M3"], "branch_id": "B1", "n_contacts": 9})
    >>> found = proposal(customers, managers, "M1")
    >>> found.lines.select("customer_id", "to_id").rows(), found.gap
    ([(1, 'M2'), (2, 'M3')], 0.0)
    >>> found.lines["reason"][0]
    'Same branch; looks after their household; looks after others of the kind; load 1.00 of the mean.'
    """
    weights, names = weights or load().recut, names or Names()
    staff = _staff(managers, leaving)
    known = _known(customers, staff, leaving)
    is_open = pl.lit(True) if wider else pl.col("manager_id") == leaving
    movable, kept = known.filter(is_open), known.filter(pl.col("manager_id") != leaving)
    pairs = paired(movable, kept, staff, weights)
    units = movable.select(_unit().rank("dense") - 1).to_series().to_numpy()
    cost = _by_unit(np.where(_excluded(excluded, movable, staff), np.inf, pairs.cost), units)
    _somebody(cost, movable, units, staff)
    fixed = known.filter(~is_open)
    deal, conditions = _deal(cost, units, movable, fixed, staff, leaving, weights)
    found = dealt(deal, weights.candidates)
    if isinstance(found, np.ndarray):
        raise InputError(refusal(found, deal, conditions, staff, movable, names))
    return _told(found, deal, conditions, known, movable, units, staff, pairs, weights, names)


def _staff(managers: pl.DataFrame, leaving: str) -> pl.DataFrame:
    measure = "managers.proposal"
    named(managers.columns, ["manager_id", "branch_id", "n_contacts"], measure)
    rows = in_order(managers.filter(pl.col("manager_id") != leaving), ["manager_id"], measure)
    if rows.is_empty():
        raise InputError(f"There is no manager left to look after the customers of {leaving}. Name others who may.")
    without = rows.filter(pl.col("n_contacts").is_null())
    if not without.is_empty():
        raise InputError(
            f"{len(without)} of {len(rows)} managers have no capacity (first: {without['manager_id'][0]}). Say how "
            "many contacts a month they can make, or 0."
        )
    required(rows, ["branch_id"], measure)
    most = pl.col("most") if "most" in rows.columns else pl.lit(None)
    return rows.select("manager_id", "branch_id", "n_contacts", most=most.cast(pl.Int64))


def _known(customers: pl.DataFrame, staff: pl.DataFrame, leaving: str) -> pl.DataFrame:
    measure = "managers.proposal"
    named(customers.columns, ["manager_id", *CUSTOMERS], measure)
    of = [*staff["manager_id"], leaving]
    rows = in_order(customers, ["customer_id"], measure).filter(pl.col("manager_id").is_in(of))
    if leaving not in rows["manager_id"]:
        raise InputError(f"{leaving} looks after nobody, so there is nothing to deal. Check the manager_id.")
    required(rows, CUSTOMERS, measure)
    for name in ("contribution", "contacts"):
        if not rows.schema[name].is_integer():
            raise InputError(f"{name} given to {measure} is {rows.schema[name]}. Give whole numbers.")
    more = [(pl.col(name) if name in rows.columns else pl.lit(None)).cast(pl.String).alias(name) for name in KNOWN]
    return rows.select("manager_id", *CUSTOMERS, *more).with_columns(number=pl.lit(1))


def _unit() -> pl.Expr:
    """Who goes together: customers of one household that one manager looks after; others each alone."""
    first = pl.col("customer_id").min().over("manager_id", "household_id")
    return pl.when(pl.col("household_id").is_not_null()).then(first).otherwise("customer_id")


def _by_unit(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    found = np.zeros((int(units.max()) + 1, *values.shape[1:]))
    np.add.at(found, units, values)
    return found


def _excluded(excluded: pl.DataFrame | None, movable: pl.DataFrame, staff: pl.DataFrame) -> np.ndarray:
    found = np.zeros((len(movable), len(staff)), bool)
    if excluded is not None:
        named(excluded.columns, ["customer_id", "manager_id"], "managers.proposal")
        at = excluded.join(movable.select("customer_id").with_row_index("row"), on="customer_id")
        at = at.join(staff.select("manager_id").with_row_index("column"), on="manager_id")
        found[at["row"].to_numpy(), at["column"].to_numpy()] = True
    return found


def _somebody(cost: np.ndarray, movable: pl.DataFrame, units: np.ndarray, staff: pl.DataFrame) -> None:
    nobody = ~np.isfinite(cost).any(1)
    if nobody.any():
        of = movable["customer_id"].filter(pl.Series(nobody[units]))
        raise InputError(
            f"All {len(staff)} managers are excluded for {len(of)} of {len(movable)} customers, or for some of the "
            f"household (first: {of[0]}). Allow one, or name further managers."
        )


def _deal(cost, units, movable, fixed, staff, leaving, weights) -> tuple[Deal, Conditions]:
    """The program, and which conditions its rooms are."""
    every = pl.concat([movable, fixed])
    base = staff.select("manager_id").join(
        fixed.group_by("manager_id").agg(pl.col(LOADS).sum()), on="manager_id", how="left", maintain_order="left"
    )
    base = base.select(LOADS).fill_null(0).cast(pl.Float64).to_numpy()
    total = every.select(pl.col(name).cast(pl.Float64).sum() for name in LOADS).to_numpy()[0]
    # A load counts in averages of a customer; one that adds up to nothing has no mean to be near.
    one = np.where(total > 0, total / len(every), 1.0)
    weight = np.where(total > 0, [weights.number, weights.contribution, weights.contacts], 0.0)
    each = _by_unit(movable.select(pl.col(LOADS).cast(pl.Float64)).to_numpy(), units)
    mean = total / len(staff)
    uses, room, conditions = [each[:, 2]], [np.maximum(MONTHS * staff["n_contacts"].to_numpy() - base[:, 2], 0)], []
    conditions.append(("contacts", None))
    if staff["most"].is_not_null().any():
        uses.append(each[:, 0])
        free = staff["most"].fill_null(len(every)).to_numpy() - base[:, 0]
        room.append(np.maximum(free, 0))
        conditions.append(("customers", None))
    if weights.tolerance < 1:
        of_book = (movable["manager_id"] == leaving).to_numpy()
        for kind in movable.filter(pl.Series(of_book))["kind"].unique().sort():
            is_kind = (movable["kind"] == kind).to_numpy()
            share = is_kind[of_book].mean()
            for sign, side in ((1, "most"), (-1, "least")):
                above = sign * (is_kind - share) - weights.tolerance
                uses.append(_by_unit(np.where(of_book, above, 0.0), units))
                room.append(np.ones(len(staff)))
                conditions.append((side, str(kind)))
    step = np.maximum(weights.step * np.abs(mean) / one, 1e-9)
    grain = np.gcd.reduce(each.astype(np.int64), axis=0) / one
    deal = Deal(
        cost, each / one, (mean - base) / one, step, weight, np.column_stack(uses), np.column_stack(room), grain
    )
    return deal, conditions


def _told(
    found: Dealt, deal: Deal, conditions, known, movable, units, staff, pairs: Pairs, weights: Weights, names: Names
) -> Recut:
    to = found.who[units]
    ids = staff["manager_id"].to_numpy()
    moved = movable.with_columns(to_id=pl.Series(ids[to], dtype=pl.String))
    after = known.join(moved.select("customer_id", "to_id"), on="customer_id", how="left", maintain_order="left")
    after = after.with_columns(pl.coalesce("to_id", "manager_id"))
    loads = loads_told(after, staff, dict(zip(LOADS, deal.weight, strict=True)))
    lines = lines_told(moved, to, pairs, loads, units, names)
    gap = 1 - found.bound / found.value if found.value > 1e-9 else 0.0
    numbers, sentence = proof(found, deal, gap)
    return Recut(
        lines, loads, kinds_told(lines), _prices(found, conditions, ids), found.value, found.bound,
        gap, numbers, sentence,
    )  # fmt: skip


def _prices(found: Dealt, conditions: Conditions, names: np.ndarray) -> pl.DataFrame:
    worth = {name: found.prices.load[:, n] for n, name in enumerate(LOADS)}
    for n, (condition, kind) in enumerate(conditions):
        if kind is None:
            worth[f"room for {condition}"] = -found.prices.room[:, n]
    return pl.DataFrame(
        [(name, what, float(price[at]) + 0.0) for at, name in enumerate(names) for what, price in worth.items()],
        {"manager_id": pl.String, "condition": pl.String, "price": pl.Float64}, orient="row",
    )  # fmt: skip
