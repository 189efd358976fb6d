"""Households: persons who live or keep house together, as far as a bank can tell."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crmlab.bank.read import Bank
from crmlab.measures.groups import components, ties
from crmlab.measures.groups.ties import PAIR

# The strongest first: what is weaker joins households only as far as there is room.
STRENGTH = ("same person", "kin", "joint account", "guarantees", "same address")


@dataclass(frozen=True)
class Households:
    """Who belongs to which household, and why."""

    members: pl.DataFrame  # customer_id, household_id (lowest customer_id), n_members: a row a customer of any kind
    links: pl.DataFrame  # customer_id, other_id (the higher), via (Enum, strongest first): both in one household
    refused: pl.DataFrame  # the same columns: ties that would have made a household too large
    crowded: pl.DataFrame  # address (as compared), n_customers: addresses with too many customers to tell anything


def households(bank: Bank) -> Households:
    """Divide all customers into households of at most ``policy.groups.max_household``.

    Answers: whose decision do I lose when I lose this one?

    Retail customers are joined by what ties them, strongest first: the same person under two numbers, declared kin,
    joint holders of an open account, guarantors, and an address shared with the same mobile or surname. All ties of a
    kind are joined at once; where they would make a household of more than the policy's number, none of them is joined
    there, and what was joined before stands, since which of them to leave out nobody could say. So neither the order of
    rows nor that of customer numbers decides. An address with more retail customers than that number ties nobody.
    Everybody else is a household of one.

    Parameters
    ----------
    bank
        As read; optional tables that were not delivered tie nobody.

    Returns
    -------
    Households
        Frames of members, links, refused and crowded, described there; in order of customers, crowded of addresses.

    Examples
    --------
    >>> joined(5, [(np.array([0, 1]), np.array([1, 2])), (np.array([2, 3]), np.array([3, 4]))], most=3).tolist()
    [0, 0, 0, 3, 4]
    """
    most = bank.policy.groups.max_household
    customers = bank.table("customers").select("customer_id", "kind").sort("customer_id").collect()
    retail = customers.filter(pl.col("kind") == "retail").select("customer_id")
    evidence, crowded = _evidence(bank, retail, most)
    numbers = customers["customer_id"].to_numpy()
    levels = [
        tuple(evidence.filter(pl.col("via") == via).select(PAIR).to_numpy().astype(np.intp).T) for via in STRENGTH
    ]
    household = joined(int(numbers.max(initial=-1)) + 1, levels, most)
    size = np.bincount(household[numbers], minlength=len(household))
    members = customers.select(
        "customer_id",
        household_id=pl.Series(household[numbers].astype(np.int32)),
        n_members=pl.Series(size[household[numbers]].astype(np.int32)),
    )
    left, right = evidence.select(PAIR).to_numpy().astype(np.intp).T
    is_made = pl.Series(household[left] == household[right], dtype=pl.Boolean)
    evidence = evidence.with_columns(is_made=is_made).sort("customer_id", "via", "other_id")
    made, refused = evidence.filter("is_made").drop("is_made"), evidence.filter(~pl.col("is_made")).drop("is_made")
    return Households(members, made, refused, crowded)


def joined(n: int, levels: list[tuple[np.ndarray, np.ndarray]], most: int) -> np.ndarray:
    """For each of `n` customers the lowest of its household, its pairs joined level by level while there is room."""
    household = np.arange(n)
    for left, right in levels:
        together = components.lowest(n, household[left], household[right])[household]
        fits = np.bincount(together, minlength=n)[together] <= most
        household = np.where(fits, together, household)
    return household


def _evidence(bank: Bank, retail: pl.DataFrame, most: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All pairs of retail customers that something ties, and the crowded addresses."""

    def of_retail(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
        for column in columns:
            rows = rows.join(retail, left_on=column, right_on="customer_id", how="semi")
        return rows

    at_home, crowded = ties.same_address(bank)
    found = {
        "same person": ties.pairs(of_retail(ties.numbers(bank), "customer_id"), most),
        "kin": of_retail(ties.undirected(ties.related(bank, "kin")), *PAIR),
        "joint account": ties.pairs(of_retail(ties.holders(bank), "customer_id"), most),
        "guarantees": of_retail(ties.undirected(ties.related(bank, "guarantees")), *PAIR),
        "same address": at_home,
    }
    kind = pl.Enum(STRENGTH)
    return pl.concat([rows.with_columns(via=pl.lit(via, kind)) for via, rows in found.items()]), crowded
