"""What is known without a model: how often a product is taken by customers of a kind, and by holders of others."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.landmarking import number
from crmlab.measures.churn.training import month_end
from crmlab.measures.crosssell.discovery import discovered
from crmlab.measures.given import named
from crmlab.policy import Policy

HELD = ["customer_id", "kind", "product_id", "product", "opened_on", "closed_on"]
TESTED_MONTHS = 12  # a rule is tested on what was taken in the last so many months


class Seen(NamedTuple):
    """Landmarks as models see them: rows of arrays."""

    kind: np.ndarray  # 0 for kinds that are not known, then from 1
    held: np.ndarray  # rows × products
    x: np.ndarray  # rows × covariates, each less its mean, in standard deviations
    bent: np.ndarray | None  # the same with bends and kinds, where a model asks for it


class Popular(NamedTuple):
    """A rate a kind, everyone's first."""

    rate: np.ndarray

    def told(self, seen: Seen) -> np.ndarray:
        """How likely each is to take it."""
        return self.rate[seen.kind]


class Ruled(NamedTuple):
    """Rules that hold up, by what has to be held; where none applies, as popular as it is."""

    popular: Popular
    rules: tuple[tuple[tuple[int, ...], float], ...]  # places of products, and how likely it is then

    def told(self, seen: Seen) -> np.ndarray:
        """How likely each is to take it: by the rule that says most."""
        found = self.popular.told(seen)
        best = np.zeros(len(found))
        for places, rate in self.rules:
            best = np.where(seen.held[:, places].all(axis=1), np.maximum(best, rate), best)
        return np.where(best > 0, best, found)


class Book(NamedTuple):
    """What rules are found in: frames as `crosssell.discovered` takes them."""

    holdings: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame | None = None


def popular(rows: pl.DataFrame, n_kinds: int) -> Popular:
    """How often a product is taken, by kind.

    Takers over those due at everyone's rate, one added to both: before anybody is seen, a kind is as others are.

    Parameters
    ----------
    rows
        customer_id, month_number, stratum (kind, from 1), taken (within the horizon), takes; of those without it.
    n_kinds
        How many kinds there are.
    """
    n = np.bincount(rows["stratum"].to_numpy(), minlength=n_kinds + 1).astype(float)
    taken = rows.filter("taken")
    rate = len(taken) / max(len(rows), 1)
    each = taken.select("stratum", "customer_id", on=pl.col("month_number") + pl.col("takes")).unique()
    k = np.bincount(each["stratum"].to_numpy(), minlength=n_kinds + 1)
    due = len(each) * n / max(n.sum(), 1)  # each taking once, not at every landmark
    level = (k + 1) / (due + 1)
    level[0] = 1.0
    return Popular(np.minimum(rate * level, 1.0))


def confirmed(book: Book, at: date, horizon: int, policy: Policy) -> dict[str, list[tuple[list[str], float]]]:
    """The rules that held up in the months before a day, as known then: product -> what has to be held, how likely.

    The rate of a rule is that of the months it was tested in, brought to the horizon.
    """
    named(book.holdings.columns, HELD, "crosssell.fit")
    named(book.customers.columns, ["customer_id", "since"], "crosssell.fit")
    known = book.holdings.filter(pl.col("opened_on") <= at).with_columns(
        closed_on=pl.when(pl.col("closed_on") <= at).then("closed_on")
    )
    first = known["opened_on"].min()
    split = month_end(number(at) - TESTED_MONTHS)
    if first is None or first > split:
        return {}
    try:
        rules = discovered(known, book.customers, split, at, policy, book.products).filter("is_confirmed")
    except InputError:  # too little is held that day to find a rule in
        return {}
    ids: dict[str, list[str]] = {}
    for name, product in known.select("product", "product_id").unique().sort("product_id").iter_rows():
        ids.setdefault(str(name), []).append(product)
    found: dict[str, list[tuple[list[str], float]]] = {}
    for row in rules.iter_rows(named=True):
        likely = 1 - (1 - row["rate"]) ** (horizon / TESTED_MONTHS)
        for product in ids[row["consequent"]]:
            # Two products of one name are one item of a rule: whoever holds the first of them is who is meant.
            found.setdefault(product, []).append(([ids[name][0] for name in row["antecedent"]], likely))
    return found
