"""Corporate groups: firms that one hand holds."""

import numpy as np
import polars as pl

from crmlab.bank.read import Bank
from crmlab.measures.groups import components, ties
from crmlab.measures.groups.ties import PAIR


def corporate(bank: Bank) -> pl.DataFrame:
    """Divide all customers that are not retail into groups by control and legal representative.

    Answers: which firms are one risk and one client?

    Firms are of one group where one controls the other, or the same person controls or represents both, also under two
    customer numbers. Persons tie firms but are no members, and a person's kin tie nothing.

    Parameters
    ----------
    bank
        As read; optional tables that were not delivered tie nobody.

    Returns
    -------
    pl.DataFrame
        customer_id, group_id (the lowest customer_id of the group), n_members: a row a customer that is not retail,
        ordered by customer_id. A firm that nothing ties is a group of one.

    Examples
    --------
    >>> components.lowest(4, np.array([3, 3]), np.array([1, 2])).tolist()  # person 3 controls the firms 1 and 2
    [0, 1, 1, 1]
    """
    customers = bank.table("customers").select("customer_id", "kind").sort("customer_id").collect()
    firms = customers.filter(pl.col("kind") != "retail").select("customer_id")
    hands = pl.concat([ties.related(bank, "controls"), ties.named_by(bank, "legal_rep_id")])
    hands = hands.join(firms, left_on="other_id", right_on="customer_id", how="semi")
    persons = ties.pairs(ties.numbers(bank), bank.policy.groups.max_household)
    left, right = pl.concat([hands, persons]).select(PAIR).to_numpy().astype(np.intp).T
    root = components.lowest((customers["customer_id"].max() or 0) + 1, left, right)
    return firms.with_columns(root=pl.Series(root[firms["customer_id"].to_numpy()])).select(
        "customer_id",
        group_id=pl.col("customer_id").min().over("root"),
        n_members=pl.len().over("root").cast(pl.Int32),
    )
