"""About the list that a solver would settle, told at once while limits are moved."""

from dataclasses import dataclass

import polars as pl

from crmlab.measures.campaigns.limits import PAIRS, USES, Limits, bound, checked, conditions, use, worth_after
from crmlab.measures.given import named

PASSES = 4  # over what is left, each with the room that is left: the first who does not fit is not the last to try


@dataclass(frozen=True)
class Preview:
    """A list, what it is worth, what no list is worth more than, and how far it may fall short of the best."""

    chosen: pl.DataFrame  # the pairs, with rank and net (value − price of what is used, minor units); by rank
    short: pl.DataFrame  # branch_id, least, n: branches that have fewer offers than they are to have
    value: int
    bound: float
    gap: float  # 1 − value / bound, 0 to 1; 0 where nothing can be had


@dataclass(frozen=True)
class Priced:
    """Pairs at some prices: what of a preview does not depend on its limits."""

    pairs: pl.DataFrame  # as `worth_after` gives them
    prices: pl.DataFrame
    own: pl.DataFrame  # the best pair of each customer, in the order in which they are taken


def preview(pairs: pl.DataFrame, prices: pl.DataFrame, limits: Limits) -> Preview:
    """A list under other limits than those last solved for, from the prices of that solve.

    Answers: about how much more would we earn with another hour a manager, or half the budget?

    Each customer gets the offer that is worth most after what it uses at the old prices. They are taken in order of
    what they are worth a unit of price, those first that a branch's minimum asks for, as long as they fit.

    Parameters
    ----------
    pairs
        As for `settle`.
    prices
        condition, name, price: of the last `Settled`; of a condition that is lifted it counts for nothing.
    limits
        Those to try. Nothing is solved, so it does not matter how far they are from those of the last solve, but the
        gap grows with it.

    Returns
    -------
    Preview
        With the bound, which holds for every list under these limits. A branch may be short of its minimum even where
        a solver would find a way.

    Raises
    ------
    InputError
        As for `settle`, except for clashes, which only a solver finds.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1, 2, 3], "product_id": "D13", "manager_id": "M1", "branch_id": "B1",
    ...     "value": [90, 70, 20], "cost": 1, "minutes": 30})
    >>> prices = pl.DataFrame({"condition": ["manager"], "name": ["M1"], "price": [0.7]})
    >>> found = preview(pairs, prices, Limits(minutes=60))
    >>> found.chosen["customer_id"].to_list(), found.value, round(found.bound)
    ([1, 2], 160, 160)
    """
    named(prices.columns, ["condition", "name", "price"], "campaigns.preview")
    rows = checked(pairs, "campaigns.preview")
    return within(_at(rows, _in_force(prices, conditions(rows, limits))), limits)


def priced(pairs: pl.DataFrame, prices: pl.DataFrame) -> Priced:
    """Pairs at the prices of conditions that are in force, made once for many a preview `within` limits on just these.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1, 2], "product_id": "D13", "manager_id": "M1", "branch_id": "B1",
    ...     "value": [70, 90], "cost": 1, "minutes": 30})
    >>> prices = pl.DataFrame({"condition": ["manager"], "name": ["M1"], "price": [0.7]})
    >>> priced(pairs, prices).own["customer_id"].to_list()
    [2, 1]
    """
    named(prices.columns, ["condition", "name", "price"], "campaigns.preview")
    return _at(checked(pairs, "campaigns.preview"), prices)


def within(at: Priced, limits: Limits) -> Preview:
    """A `preview` within some limits of what has been priced.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1, 2], "product_id": "D13", "manager_id": "M1", "branch_id": "B1",
    ...     "value": [70, 90], "cost": 1, "minutes": 30})
    >>> prices = pl.DataFrame({"condition": ["manager"], "name": ["M1"], "price": [0.7]})
    >>> at = priced(pairs, prices)
    >>> [within(at, Limits(minutes=minutes)).value for minutes in (30, 60)]
    [90, 160]
    """
    wanted = conditions(at.pairs, limits)
    most = bound(at.pairs, at.prices, wanted)
    left = _ordered(at.own, wanted)
    taken = left.clear()
    for _ in range(PASSES):
        if left.is_empty() or (fits := _fitting(left, taken, wanted)).is_empty():
            break
        taken = taken.vstack(fits)
        left = left.join(fits.select("customer_id"), on="customer_id", how="anti", maintain_order="left")
    chosen = taken.sort("at").select(*PAIRS, net=pl.col("value") - pl.col("price"), rank=pl.int_range(1, pl.len() + 1))
    value = int(chosen["value"].sum())
    return Preview(chosen, _short(chosen, wanted), value, most, max(0.0, 1 - value / most) if most > 0 else 0.0)


def _at(rows: pl.DataFrame, prices: pl.DataFrame) -> Priced:
    rows = worth_after(rows.select(PAIRS), prices)
    return Priced(rows, prices, _best_of_each(rows))


def _in_force(prices: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """What is scarce no more has no price."""
    key = [pl.col("condition").cast(pl.String), "name"]
    return prices.with_columns(key[0]).join(wanted.select(key), on=["condition", "name"], how="semi", nulls_equal=True)


def _best_of_each(rows: pl.DataFrame) -> pl.DataFrame:
    """One pair a customer, those first that are worth most a unit of price."""
    score = pl.col("value") - pl.col("price") + pl.col("bonus")
    own = (
        rows.filter((pl.col("value") > 0) | (pl.col("bonus") > 0))
        .with_columns(score=score)
        .sort("score", descending=True, maintain_order=True)
        .filter(pl.col("customer_id").is_first_distinct())
    )
    return own.with_columns(
        ratio=pl.when(pl.col("price") > 0).then((pl.col("value") + pl.col("bonus")) / pl.col("price"))
        .otherwise(float("inf"))
    ).sort("ratio", "score", descending=True, maintain_order=True)  # fmt: skip


def _ordered(own: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """The pairs in the order in which they are taken, those first that a branch is to have; `at` numbers them."""
    least = wanted.filter(pl.col("condition") == "branch")
    if len(least):
        asked = pl.col("branch_id").cast(pl.String).replace_strict(least["name"], least["limit"], default=0)
        is_asked = pl.int_range(pl.len()).over("branch_id") < asked
        own = own.sort(is_asked, descending=True, maintain_order=True)
    return own.with_row_index("at")


def _fitting(left: pl.DataFrame, taken: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Of those left, in their order, the ones that fit into the room that those taken have left."""
    for condition in ("manager", "product", "budget"):
        of = wanted.filter(pl.col("condition") == condition)
        if of.is_empty():
            continue
        owner = USES[condition][1]
        needs, spent = pl.lit(use(left, condition)), use(taken, condition)
        if owner is None:
            left = left.filter(needs.cum_sum() <= of["limit"][0] - spent.sum())
            continue
        gone = taken.select(pl.col(owner).cast(pl.String), spent.alias("spent")).group_by(owner).agg(pl.sum("spent"))
        room = of.join(gone, left_on="name", right_on=owner, how="left").select(
            "name", room=pl.col("limit") - pl.col("spent").fill_null(0)
        )
        # A product without a limit has all the room there is.
        has = pl.col(owner).cast(pl.String).replace_strict(room["name"], room["room"], default=2**62)
        left = left.with_columns(needs=needs, has=has)
        # Who needs more than is left does not stand in the way of those who follow.
        left = left.filter(pl.col("needs") <= pl.col("has"))
        left = left.filter(pl.col("needs").cum_sum().over(owner) <= pl.col("has")).drop("needs", "has")
    return left


def _short(chosen: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    got = chosen.group_by(branch_id=pl.col("branch_id").cast(pl.String)).agg(n=pl.len().cast(pl.Int64))
    least = wanted.filter(pl.col("condition") == "branch").select(branch_id="name", least="limit")
    return (
        least.join(got, on="branch_id", how="left", maintain_order="left")
        .with_columns(pl.col("n").fill_null(0))
        .filter(pl.col("n") < pl.col("least"))
    )
