"""Customers whose hazards of taking products are known: what they hold raises some, what they are raises others."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.crosssell.popularity import Book
from crmlab.measures.crosssell.taking import HOLDS, TAKES

ENDS = pl.date_range(date(2021, 1, 1), date(2026, 12, 1), "1mo", eager=True).dt.month_end()
KINDS = ("retail", "small business")
# product -> hazard a month, the share that holds it to begin with, and by how much the log hazard is raised by what
PRODUCTS = {
    "account": (0.0, 1.0, {}),
    "card": (0.002, 0.4, {"salary": 0.8}),
    "fund": (0.004, 0.1, {"holds:card": 1.5}),
    "loan": (0.004, 0.1, {"size": -0.9}),
    "insurance": (0.006, 0.1, {}),
    "safe": (0.00005, 0.02, {}),
}


class Drawn(NamedTuple):
    """Landmarks, what rules are found in, and the hazard a month of each product at the last landmark."""

    landmarks: pl.DataFrame
    book: Book
    hazards: pl.DataFrame


def drawn(seed: int, n: int = 3_000, months: int = 30, products: dict = PRODUCTS, noise: tuple[str, ...] = ()) -> Drawn:
    """Customers known from the first month to the end of the last, who keep what they take."""
    rng = np.random.default_rng(seed)
    x = {"size": rng.normal(0, 1, n).astype(np.float32), "salary": (rng.random(n) < 0.5).astype(np.float32)}
    x |= {name: rng.normal(0, 1, n).astype(np.float32) for name in noise}
    kind = pl.Series(KINDS)[(rng.random(n) < 0.2).astype(int)]
    held = np.column_stack([rng.random(n) < share for _, share, _ in products.values()])
    opened = np.where(held, -1, 10**4)  # the month it was taken in, counted from the first one
    frames, hazard = [], np.zeros(held.shape)
    for month in range(months):
        known = x | {HOLDS + name: held[:, at] for at, name in enumerate(products)}
        for at, (base, _, effects) in enumerate(products.values()):
            hazard[:, at] = base * np.exp(sum((beta * known[of] for of, beta in effects.items()), np.zeros(n)))
        frames.append(held.copy())
        # The month to come; at the last landmark it is not known yet.
        takes = ~held & (rng.random(held.shape) < -np.expm1(-hazard)) & (month + 1 < months)
        opened[takes] = month + 1
        held = held | takes
    ends = ENDS[:months]
    base = pl.DataFrame({"customer_id": np.arange(n, dtype=np.int32)}).with_columns(kind=kind)
    rows = []
    for month, then in enumerate(frames):
        ahead = np.where(then | (opened > months), 0, opened - month).astype(np.int16)
        rows.append(
            base.select("customer_id", pl.lit(ends[month]).alias("month"), "kind").with_columns(
                *(pl.Series(name, of) for name, of in x.items()),
                *(pl.Series(HOLDS + name, then[:, at]) for at, name in enumerate(products)),
                *(pl.Series(TAKES + name, ahead[:, at]).replace(0, None) for at, name in enumerate(products)),
            )
        )
    who, what = np.nonzero(opened < months)
    day = [ENDS[0] - timedelta(400) if m < 0 else ends[m].replace(day=15) for m in opened[who, what].tolist()]
    names = pl.Series(list(products))[what]
    holdings = pl.DataFrame({"customer_id": who.astype(np.int32), "product_id": names, "product": names})
    holdings = holdings.with_columns(
        kind[who].alias("kind"), pl.Series("opened_on", day), closed_on=pl.lit(None, pl.Date)
    )
    book = Book(holdings, base.select("customer_id", since=pl.lit(ENDS[0] - timedelta(400))))
    truth = pl.DataFrame({name: hazard[:, at] for at, name in enumerate(products)})
    return Drawn(pl.concat(rows), book, truth)
