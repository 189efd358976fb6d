"""2,000 customers dealt to 40 managers: the book of one who leaves, or all books anew; with the proof."""

import numpy as np
import polars as pl

from crmlab.measures.managers import proposal
from crmlab.measures.managers.recut import Recut

MANAGERS, BRANCHES = 40, 5


def held(n: int, own: int = 200) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A book of so many customers beside those of the others, households across them; and the managers."""
    rng = np.random.default_rng(1)
    sizes = rng.poisson(own, MANAGERS)
    manager = np.concatenate([np.full(n, MANAGERS), np.repeat(np.arange(MANAGERS), sizes)])
    every = len(manager)
    branch = np.where(manager < MANAGERS, manager % BRANCHES, rng.integers(0, BRANCHES, every))
    home = rng.integers(0, 4 * every, every)
    customers = pl.DataFrame(
        {
            "customer_id": np.arange(every), "manager_id": [f"M{i:02d}" for i in manager],
            "branch_id": [f"B{i}" for i in branch],
            "kind": rng.choice(["retail", "small business", "corporate"], every, p=[0.7, 0.2, 0.1]),
            "industry": rng.choice(["trade", "farming", "building", "transport"], every),
            "contribution": np.rint(rng.lognormal(10, 1.2, every)).astype(np.int64),
            "contacts": rng.choice([4, 12, 104], every, p=[0.8, 0.17, 0.03]),
            "household_id": [f"H{i}" for i in home],
        }
    )  # fmt: skip
    names = [f"M{i:02d}" for i in range(MANAGERS)]
    return customers, pl.DataFrame(
        {"manager_id": names, "branch_id": [f"B{i % BRANCHES}" for i in range(MANAGERS)], "n_contacts": 220}
    )


def recut(given: tuple[pl.DataFrame, pl.DataFrame]) -> Recut:
    """The proposal, its bound, its prices and its reasons."""
    return proposal(*given, f"M{MANAGERS}")


def all_held(n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many customers in all, of whom one manager in 41 leaves a book as large as the others'."""
    return held(n // (MANAGERS + 1), n // (MANAGERS + 1))


def wider_recut(given: tuple[pl.DataFrame, pl.DataFrame]) -> Recut:
    """The same where the others' customers may move, too, at the cost of taking them."""
    return proposal(*given, f"M{MANAGERS}", wider=True)
