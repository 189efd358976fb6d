"""What a list may use: money, managers' time, how many of a product, and how many a branch is to have."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_order, required

CONDITIONS = ["budget", "manager", "product", "branch"]
PAIRS = ["customer_id", "product_id", "manager_id", "branch_id", "value", "cost", "minutes"]
# What a pair uses of each condition, and whose it is; an offer counts 1 of its product and of its branch.
USES = {"budget": ("cost", None), "manager": ("minutes", "manager_id"), "product": (None, "product_id"),
        "branch": (None, "branch_id")}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """The conditions of a list; each customer gets one offer at most, whatever else holds.

    Examples
    --------
    >>> Limits(budget=500_000, minutes={"M1": 480}, most={"D13": 40}, least=5).least
    5
    """

    budget: int | None = None  # minor units; None: as much as it takes
    minutes: Mapping[str, int] | int | None = None  # of each manager; one number for all
    most: Mapping[str, int] | int | None = None  # offers of each product; a product not named has no limit
    least: Mapping[str, int] | int = 0  # offers of each branch; a branch not named need not have any


def checked(pairs: pl.DataFrame, measure: str) -> pl.DataFrame:
    """The pairs by customer and product, or a sentence about what is wrong with them.

    Examples
    --------
    >>> checked(pl.DataFrame({name: [1] for name in PAIRS}).with_columns(cost=-1), "campaigns.settle")
    Traceback (most recent call last):
    crmlab.errors.InputError: 1 of 1 pairs of campaigns.settle have a cost below 0 (first: 1 for 1). Mend it.
    """
    required(pairs, PAIRS, measure)
    for name in ("value", "cost", "minutes"):
        if not pairs.schema[name].is_integer():
            raise InputError(f"{name} given to {measure} is {pairs.schema[name]}. Give whole minor units, or minutes.")
    for name in ("cost", "minutes"):
        if n := len(wrong := pairs.filter(pl.col(name) < 0)):
            customer, product = wrong.select("customer_id", "product_id").row(0)
            raise InputError(
                f"{n} of {len(pairs)} pairs of {measure} have a {name} below 0 (first: {product} for "
                f"{customer}). Mend it."
            )
    return in_order(pairs, ["customer_id", "product_id"], measure)


def led(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs with somebody who makes each contact: where a customer has no manager, one more of their branch.

    Examples
    --------
    >>> led(pl.DataFrame({"manager_id": ["M1", None], "branch_id": "B1"}))["manager_id"].to_list()
    ['M1', 'of B1']
    """
    return pairs.with_columns(manager_id=pl.coalesce("manager_id", pl.format("of {}", "branch_id")))


def conditions(pairs: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """Each limit that is set: condition (Enum `CONDITIONS`), name (whose; null: of all), limit.

    Examples
    --------
    >>> pairs = pl.DataFrame({"manager_id": ["M1", "M2"], "product_id": "D13", "branch_id": "B1"})
    >>> conditions(pairs, Limits(minutes=60, least={"B1": 1})).rows()
    [('manager', 'M1', 60), ('manager', 'M2', 60), ('branch', 'B1', 1)]
    """
    rows = [] if limits.budget is None else [("budget", None, limits.budget)]
    for condition, given in (("manager", limits.minutes), ("product", limits.most), ("branch", limits.least or None)):
        if given is None:
            continue
        names = pairs[USES[condition][1]].unique().sort().cast(pl.String).to_list()
        known = dict.fromkeys(names, given) if isinstance(given, int) else dict(given)
        if condition == "manager" and (absent := [name for name in names if name not in known]):
            raise InputError(
                f"{len(absent)} of {len(names)} managers have no minutes (first: {absent[0]}). Say how many, or 0."
            )
        # A branch is to have its offers even where it has no pair; what nobody could use limits nothing.
        rows += [(condition, name, n) for name, n in known.items() if name in names or (condition == "branch" and n)]
    for condition, name, n in rows:
        if n < 0:
            of = f" of {condition} {name}" if name else f" of the {condition}"
            raise InputError(f"The limit{of} is {n}. Give 0 or more.")
    return pl.DataFrame(
        rows, {"condition": pl.Enum(CONDITIONS), "name": pl.String, "limit": pl.Int64}, orient="row"
    ).sort("condition", "name", maintain_order=True)


def use(pairs: pl.DataFrame, condition: str) -> pl.Series:
    """What each pair uses of a condition.

    Examples
    --------
    >>> use(pl.DataFrame({"minutes": [30, 45], "cost": [0, 9]}), "manager").to_list()
    [30, 45]
    """
    column = USES[condition][0]
    return pairs[column].cast(pl.Int64) if column else pl.repeat(1, len(pairs), dtype=pl.Int64, eager=True)


def worth_after(pairs: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """The pairs with `price` (what they use would earn elsewhere) and `bonus` (what their branch's minimum pays).

    Examples
    --------
    >>> pairs = pl.DataFrame({"manager_id": ["M1", "M2"], "minutes": 30, "cost": 2, "branch_id": "B1",
    ...     "product_id": "D13"})
    >>> prices = pl.DataFrame({"condition": ["budget", "manager"], "name": [None, "M1"], "price": [1.5, 10.0]})
    >>> worth_after(pairs, prices).select("price", "bonus").rows()
    [(303.0, 0.0), (3.0, 0.0)]
    """
    parts = {}
    for condition, (_, owner) in USES.items():
        of = prices.filter(pl.col("condition").cast(pl.String) == condition, pl.col("price") > 0)
        if of.is_empty():
            parts[condition] = pl.lit(0.0)
        elif owner is None:
            parts[condition] = pl.lit(use(pairs, condition) * of["price"][0])
        else:
            each = pl.col(owner).cast(pl.String).replace_strict(of["name"], of["price"], default=0.0)
            parts[condition] = each * pl.lit(use(pairs, condition))
    return pairs.with_columns(
        price=parts["budget"] + parts["manager"] + parts["product"], bonus=parts["branch"].cast(pl.Float64)
    )


def bound(pairs: pl.DataFrame, prices: pl.DataFrame, wanted: pl.DataFrame) -> float:
    """No list within the limits is worth more (minor units): what every price of at least 0 proves, a good one well.

    Each customer's best offer less what it uses at these prices, where that is above 0, and the limits at their price.

    Parameters
    ----------
    pairs
        As `worth_after` gives them.
    prices
        condition, name, price (at least 0).
    wanted
        As `conditions` gives them; one without a price counts as free.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1, 2], "value": [50, 40], "price": 30.0, "bonus": 0.0})
    >>> prices = pl.DataFrame({"condition": ["manager"], "name": ["M1"], "price": [1.0]})
    >>> bound(pairs, prices, pl.DataFrame({"condition": ["manager"], "name": ["M1"], "limit": [30]}))
    60.0
    """
    best = pairs.group_by("customer_id").agg((pl.col("value") - pl.col("price") + pl.col("bonus")).max().alias("best"))
    paid = wanted.with_columns(pl.col("condition").cast(pl.String)).join(
        prices.select(pl.col("condition").cast(pl.String), "name", "price"), on=["condition", "name"], nulls_equal=True
    )
    sign = pl.when(pl.col("condition") == "branch").then(-1).otherwise(1)
    return best["best"].clip(0).sum() + paid.select((sign * pl.col("price") * pl.col("limit")).sum()).item()
