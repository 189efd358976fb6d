"""The bridge of a book: what a manager had, what came and went, what was handed over, and what is there now."""

from collections.abc import Sequence

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, keys, named
from crmlab.measures.movement import COLUMNS

# The signs with which the bars of the bridge add from opening to closing.
BARS = {
    "opening": 1, "new": 1, "net_new_money": 1, "lost": -1, "handed_in": 1, "handed_out": -1, "interest": 1,
    "valuation": 1, "fx": 1,
}  # fmt: skip
MANAGER = ("branch_id", "manager_id")


def bridge(spans: pl.DataFrame, managers: pl.DataFrame, by: str | Sequence[str] | None = MANAGER) -> pl.DataFrame:
    """What moved the book of each manager between two month ends, to the minor unit.

    Answers: did this manager's book grow, or was it handed over?

    ``opening + new + net_new_money − lost + handed_in − handed_out + interest + valuation + fx = closing``. A book
    is of its manager's branch, what nobody maintains of the customer's; the rows of managers add to those of branches
    and of the bank, where handed_in equals handed_out.

    Parameters
    ----------
    spans
        As `movement.spans`, `movement.between` or `movement.contribution_spans` give them: a row a customer and
        manager, with branch_id (the customer's).
    managers
        manager_id, branch_id.
    by
        Columns to tell apart: branch_id, manager_id, or others of `spans`; none for the bank.

    Returns
    -------
    pl.DataFrame
        The columns of `by` (manager_id null: branch-public); n_customers (with us at the start or the end and with this
        manager between them), n_new, n_lost, n_handed_in, n_handed_out (customers); opening, new (flow of customers not
        with us at the start), net_new_money (flow of those with us at both ends, signed), lost (positive where money
        went; flow of customers not with us at the end), handed_in, handed_out (at least 0), interest, valuation, fx,
        closing in minor units of the base currency; sorted by `by`, null last.

    Raises
    ------
    InputError
        When there is no row, a column is missing, a manager is there twice, or a sum does not fit into 64 bits.

    Notes
    -----
    Handed is what no flow of a manager explains, customer by customer (`movement.spans`): who takes over and gives back
    between the two ends shows in neither bar.

    Examples
    --------
    >>> spans = pl.DataFrame({"customer_id": [1, 1], "manager_id": ["M1", "M2"], "branch_id": "B1", "opening": [100, 0],
    ...     "flow": [-30, 5], "interest": [1, 0], "valuation": 0, "fx": 0, "handed": [-71, 71], "closing": [0, 76],
    ...     "was_open": True, "is_open": True, "bucket": "shrunk"})
    >>> managers = pl.DataFrame({"manager_id": ["M1", "M2"], "branch_id": ["B1", "B2"]})
    >>> found = bridge(spans, managers)
    >>> found.select("branch_id", "opening", "net_new_money", "handed_in", "handed_out", "interest", "closing").rows()
    [('B1', 100, -30, 0, 71, 1, 0), ('B2', 0, 5, 71, 0, 0, 76)]
    """
    groups = keys(by)
    rows = _with_branch(spans, managers)
    named(rows.columns, groups, "managers.bridge")
    wide = pl.col("opening", "flow", "handed", "interest", "valuation", "fx", "closing").cast(pl.Int128)
    bucket = pl.col("bucket").cast(pl.String)
    is_new, is_lost = bucket == "new", bucket == "lost"
    flow, handed = pl.col("flow"), pl.col("handed")
    is_with_us = pl.col("was_open") | pl.col("is_open")
    sums = [
        *(
            pl.col("customer_id").filter(some).n_unique().cast(pl.Int32).alias(name)
            for name, some in {
                "n_customers": is_with_us, "n_new": is_new, "n_lost": is_lost, "n_handed_in": handed > 0,
                "n_handed_out": handed < 0,
            }.items()
        ),
        pl.col("opening").sum(),
        flow.filter(is_new).sum().alias("new"),
        flow.filter(~is_new & ~is_lost).sum().alias("net_new_money"),
        (0 - flow.filter(is_lost).sum()).alias("lost"),
        handed.clip(lower_bound=0).sum().alias("handed_in"),
        (0 - handed.clip(upper_bound=0).sum()).alias("handed_out"),
        pl.col("interest", "valuation", "fx", "closing").sum(),
    ]  # fmt: skip
    rows = rows.with_columns(wide)
    found = rows.group_by(groups).agg(sums).sort(groups, nulls_last=True) if groups else rows.select(sums)
    return in_64_bits(found)


def _with_branch(spans: pl.DataFrame, managers: pl.DataFrame) -> pl.DataFrame:
    """The spans with the branch whose book each part is in."""
    named(spans.columns, [*COLUMNS, "branch_id"], "managers.bridge")
    named(managers.columns, ["manager_id", "branch_id"], "managers.bridge")
    if spans.is_empty():
        raise InputError("There is no customer to bridge: the selection is empty. Choose a wider one.")
    of = managers.select("manager_id", of_manager="branch_id")
    if n := len(of) - of["manager_id"].n_unique():
        raise InputError(
            f"{n} of {len(of)} managers are there twice (first: "
            f"{of.filter(pl.col('manager_id').is_duplicated())['manager_id'].min()}). Give each once."
        )
    rows = spans.join(of, on="manager_id", how="left", maintain_order="left")
    return rows.with_columns(branch_id=pl.coalesce("of_manager", "branch_id")).drop("of_manager")
