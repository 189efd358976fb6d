"""Holdings drawn from what is known: some customers hold much and take much, and one product may lead to another."""

from datetime import date, timedelta

import numpy as np
import polars as pl

SPLIT, UNTIL = date(2023, 12, 31), date(2024, 12, 31)
ITEMS = ["account", "card", "deposit", "fund", "insurance", "loan", "phone", "plan"]
HELD = np.array([0.6, 0.35, 0.3, 0.15, 0.12, 0.15, 0.4, 0.2])  # of customers like most
KINDS = ["retail", "small business"]


def drawn(
    rng: np.random.Generator, n: int, leads: tuple[tuple[str, str], ...] = (), more: float = 0.0, spread: float = 1.0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Holdings and customers. Holders of the first of each of `leads` take the second oftener by `more`, whoever it is.

    How active a customer is (`spread`: standard deviation of its logarithm) moves what is held and what is taken.
    """
    kind, years = rng.choice(2, n, p=[0.75, 0.25]), rng.choice([0.5, 2.0, 5.0, 12.0], n)
    active = np.exp(spread * rng.standard_normal(n)) * np.where(kind == 1, 1.5, 1.0) * np.where(years < 1, 0.6, 1.0)
    odds = active[:, None] * HELD / (1 - HELD)
    held = rng.random((n, len(ITEMS))) < odds / (1 + odds)
    chance = 0.12 * odds / (1 + odds)
    for first, second in leads:
        at, to = ITEMS.index(first), ITEMS.index(second)
        # At the split they go together, too, whoever it is: else the rule would not be found.
        held[:, to] |= held[:, at] & (rng.random(n) < 0.25)
        chance[:, to] += more * held[:, at]
    taken = ~held & (rng.random(held.shape) < chance) & held.any(axis=1, keepdims=True)
    who, what = np.nonzero(held | taken)
    early, late = (pl.Series(rng.integers(1, days, len(who))) for days in (2000, 366))
    rows = pl.DataFrame({
        "customer_id": who, "kind": np.array(KINDS)[kind[who]], "product": np.array(ITEMS)[what],
        "is_taken": taken[who, what], "years": years[who],
    })  # fmt: skip
    opened = pl.when("is_taken").then(SPLIT + pl.duration(days=late)).otherwise(SPLIT - pl.duration(days=early))
    since = [SPLIT - timedelta(days=int(365.25 * one) + 1) for one in years]
    return rows.select(
        pl.col("customer_id").cast(pl.Int32), "kind", "product", product_id="product", opened_on=opened.cast(pl.Date),
        closed_on=pl.lit(None, pl.Date), stratum=pl.struct("kind", "years").rank("dense"),
    ), pl.DataFrame({"customer_id": np.arange(n), "since": since}).cast({"customer_id": pl.Int32})  # fmt: skip


def swapped(holdings: pl.DataFrame, rng: np.random.Generator, times: int = 5) -> pl.DataFrame:
    """The same holdings in other hands: each customer holds as many, each product has as many holders, on its days.

    Two holdings of a stratum change hands again and again, wherever neither customer has the other's product.
    """
    who, what = holdings["customer_id"].to_list(), holdings["product"].to_list()
    have = set(zip(who, what, strict=True))
    for rows in holdings.with_row_index().partition_by("stratum"):
        places = rows["index"].to_numpy()
        for one, other in rng.choice(places, (times * len(places), 2)).tolist():
            mine, theirs = (who[one], what[other]), (who[other], what[one])
            if what[one] != what[other] and mine not in have and theirs not in have:
                have -= {(who[one], what[one]), (who[other], what[other])}
                have |= {mine, theirs}
                who[one], who[other] = who[other], who[one]
    return holdings.with_columns(customer_id=pl.Series(who, dtype=pl.Int32))
