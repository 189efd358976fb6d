"""A list of offers from 100,000 eligible pairs and 200 managers: settled, and previewed under other limits."""

import numpy as np
import polars as pl

from crmlab.measures.campaigns import Limits, Preview, Settled, preview, settle

MANAGERS, PRODUCTS = 200, 20


def pairs(n: int) -> pl.DataFrame:
    """So many pairs of customers, two and a half each, and products, with values of a long tail."""
    rng = np.random.default_rng(1)
    customer = rng.integers(0, n * 2 // 5, n)
    manager = rng.integers(0, MANAGERS, n)[customer]
    product = rng.integers(0, PRODUCTS, n)
    return pl.DataFrame(
        {
            "customer_id": customer, "product_id": [f"P{i:02d}" for i in product],
            "manager_id": [f"M{i:03d}" for i in manager], "branch_id": [f"B{i // 10:02d}" for i in manager],
            "value": np.rint(rng.lognormal(9, 1, n)).astype(np.int64),
            "cost": rng.choice([500, 2_000, 5_000, 12_000], PRODUCTS)[product],
            "minutes": rng.choice([15, 30, 45, 60], PRODUCTS)[product],
        }
    ).unique(["customer_id", "product_id"], maintain_order=True)  # fmt: skip


def limits(given: pl.DataFrame, share: int = 100) -> Limits:
    """A budget and hours that are scarce, numbers that are scarce for some; a share (%) of the budget."""
    return Limits(int(given["cost"].mean() * 8_000) * share // 100, 2_400, 1_500, 150)


def settled(given: pl.DataFrame) -> Settled:
    """The list, its gap, its prices and its reasons."""
    return settle(given, limits(given))


def sketched(given: tuple[pl.DataFrame, pl.DataFrame]) -> Preview:
    """About the list under nine tenths of the budget, from the prices of the last one."""
    rows, prices = given
    return preview(rows, prices, limits(rows, 90))


def last(n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs and the prices of a list settled before the clock starts."""
    given = pairs(n)
    return given, settled(given).prices
