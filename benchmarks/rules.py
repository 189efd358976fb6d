"""Which products go together: two to six of twenty products each, by our rules and by mlxtend's FP-growth.

Products are drawn by three traits of a customer and by how common they are. Rows, and what mlxtend reads, are made once
a size and read from files, so that a case has the memory it needs, not that of the making.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from crmlab.measures import crosssell

if TYPE_CHECKING:
    import pandas as pd  # what ours does without is not counted among its memory

TMP = Path(__file__).with_name("tmp")
PRODUCTS, MOST, AT_ONCE = 20, 6, 50_000
SUPPORT, CONFIDENCE, LONGEST = 0.001, 0.1, 3
SIDES = ["antecedent", "consequent"]


def rows(customers: int) -> pl.DataFrame:
    """id, item: a row each product that a customer holds, customer by customer."""
    path = TMP / f"rules-{customers}.parquet"
    if not path.exists():
        _drawn(customers).write_parquet(path)
    return pl.read_parquet(path)


def wide(customers: int) -> "pd.DataFrame":
    """The same holdings as mlxtend reads them: True and False, customers × products."""
    import pandas as pd

    path = TMP / f"rules-{customers}.npy"
    if not path.exists():
        np.save(path, one_hot(rows(customers)).to_numpy())
    return pd.DataFrame(np.load(path), columns=_names())


def one_hot(rows: pl.DataFrame) -> "pd.DataFrame":
    """True and False, customers × products, with less work than `pivot` or `crosstab` have."""
    import pandas as pd

    held = np.zeros((rows["id"].max() + 1, PRODUCTS), bool)
    held[rows["id"].to_numpy(), rows["item"].cast(pl.Enum(_names())).to_physical().to_numpy()] = True
    return pd.DataFrame(held, columns=_names())


def found_rules(rows: pl.DataFrame) -> pl.DataFrame:
    """Ours, from rows."""
    return crosssell.rules(rows, str(SUPPORT), str(CONFIDENCE), LONGEST)


def mlxtend_rules(held: "pd.DataFrame") -> "pd.DataFrame":
    """mlxtend's, from what it reads."""
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    sets = fpgrowth(held, SUPPORT, use_colnames=True, max_len=LONGEST)
    return association_rules(sets, metric="confidence", min_threshold=CONFIDENCE)


def mlxtend_rules_of_rows(rows: pl.DataFrame) -> "pd.DataFrame":
    """mlxtend's, from rows."""
    return mlxtend_rules(one_hot(rows))


def same(customers: int) -> int:
    """How many rules both find; an error unless they are the same, by the same whole numbers."""
    ours = found_rules(rows(customers)).select(*SIDES, "n_antecedent", "n_consequent", "n_both")
    told = mlxtend_rules(wide(customers))
    sides = (told[side].map(sorted) for side in ("antecedents", "consequents"))
    counts = (
        (told[share] * customers).round().astype(int)
        for share in ("antecedent support", "consequent support", "support")
    )
    theirs = pl.DataFrame(dict(zip(ours.columns, map(list, (*sides, *counts)), strict=True)), ours.schema)
    if not ours.sort(SIDES).equals(theirs.sort(SIDES)):
        both = ours.join(theirs, ours.columns, "semi")
        raise AssertionError(f"Of {len(ours)} rules mlxtend finds {len(both)}, and {len(theirs) - len(both)} others.")
    return len(ours)


def _names() -> list[str]:
    return [f"product {n:02}" for n in range(PRODUCTS)]


def _drawn(customers: int) -> pl.DataFrame:
    rng = np.random.default_rng(6)
    traits = rng.normal(0, 1.2, (3, PRODUCTS))
    who, what = [], []
    for first in range(0, customers, AT_ONCE):
        n = min(AT_ONCE, customers - first)
        liking = rng.normal(size=(n, 3)) @ traits - 0.18 * np.arange(PRODUCTS) + rng.gumbel(size=(n, PRODUCTS))
        n_held = rng.choice(np.arange(2, MOST + 1), n, p=[0.3, 0.3, 0.2, 0.12, 0.08])
        row, place = np.nonzero(np.arange(MOST) < n_held[:, None])
        who.append((row + first).astype(np.int32))
        what.append(np.argsort(-liking, axis=1)[row, place].astype(np.int8))
    return pl.DataFrame({"id": np.concatenate(who), "item": pl.Series(_names()).gather(np.concatenate(what))})
