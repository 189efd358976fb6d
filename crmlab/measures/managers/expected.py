"""What each manager's book would yield anywhere: indirect standardisation, every manager against all the others."""

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import NamedTuple

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import finite, in_64_bits, required

KINDS = ("rate", "amount")
LEAST_PEERS = 30  # customers of other managers in a stratum; of fewer no rate is told
LEAST_OTHERS = 3  # whose customers they are: against one colleague it is his doing as much as one's own
NOTHING_VARIES = 1e-12  # of a stratum's squares: what is left of equal numbers after rounding
# Sums over customers: of what they were credited with (n) and of what came of it (x, less the level of the bank).
SUMS = ("n", "x", "nn", "xn", "xx", "nnn", "xnn", "xxn", "xxx")
OWN = ["n_customers", *SUMS]


def expectation(rows: pl.DataFrame, factors: Sequence[str], *, kind: str = "rate", kept: int = 1) -> pl.DataFrame:
    """What is expected of each manager, given whom they look after, and how far chance alone takes it from that.

    A manager's customers are expected to do as other managers' customers of the same stratum do; their own are left
    out, since whoever holds half of a stratum would else be compared with themselves, and so are the parts that others
    have of them, by share or after a handover. A stratum with fewer than `LEAST_PEERS` customers of others, or of fewer
    than `LEAST_OTHERS` other managers, is merged with those that differ from it in the last factor only, then in the
    last two, and so on; the first `kept` factors are never given up. Customers who are alone even then are left out and
    counted.

    Answers: how much of the result came with the book?

    Parameters
    ----------
    rows
        manager_id, customer_id, the factors, n (credit: cases of a rate, a customer handed over counting for the share
        of the period; exposure of an amount, such as days or the balance of the year before) and value (events among
        the cases, or money in minor units). Several rows of a customer are summed.
    factors
        What a customer was when the period began, the most important first: customer kind, tier, band of the balance
        of the year before, life cycle, branch peer group. Never what a manager can change. A customer has one value of
        each. Where amounts grow with balances, take these as exposure: the highest band has no upper end.
    kind
        "rate" (0 to n events) or "amount" (any sign).
    kept
        How many factors are never given up.

    Returns
    -------
    pl.DataFrame
        manager_id, n_customers, n_merged (of them, compared in merged strata), n_alone (left out, like nobody else's),
        n, n_alike (so many customers of one credit weigh as much), observed, expected, observed_to_expected (null
        unless something is expected), error (standard error of the difference if the manager changes nothing, what
        others' rates leave open included), wide_error (the same; of an amount at least what the manager's own customers
        vary by), spread (what one standard deviation of every customer adds up to) and skew (of the difference, by
        chance); by manager.

    Raises
    ------
    InputError
        When a column is missing, credit is negative, there are more events than cases, a customer's stratum changes, or
        nobody can be compared.

    Examples
    --------
    >>> rows = pl.DataFrame({"manager_id": [f"M{i % 5}" for i in range(200)], "customer_id": range(200), "tier": "gold",
    ...     "n": 1, "value": [int(i % 4 == 0 or i % 20 == 15) for i in range(200)]})
    >>> told = expectation(rows, ["tier"])
    >>> told.select("manager_id", "observed", "expected", pl.col("error").round(2)).row(0)
    ('M0', 20, 10.0, 3.07)
    """
    customers = _credited(rows, factors, kind)
    levels = [*factors[:kept], _ALL]
    value, n = pl.col("value").cast(pl.Float64), pl.col("n").cast(pl.Float64)
    # Sums are made in one order, whatever that of the rows: the same bank gives the same digits.
    # Squares of what is left of the level are small: those of money itself would lose digits.
    customers = customers.with_columns(pl.lit(0, pl.Int8).alias(_ALL))
    customers = customers.with_columns(level=value.sum().over(levels) / n.sum().over(levels))
    customers = customers.with_columns(n=n, x=value - n * pl.col("level"))
    compared, alone = _compared(_cells(customers, factors), factors, kept)
    if compared.is_empty():
        within = " and ".join(factors[:kept]) or "the bank"
        raise InputError(
            f"No customer can be compared: within {within}, none has {LEAST_PEERS} like it at {LEAST_OTHERS} other "
            f"managers ({customers['manager_id'].n_unique()} managers, {len(customers)} customers). Take more "
            "branches, a longer period, or fewer factors."
        )
    left_out = alone.group_by("manager_id").agg(pl.col("n_customers").sum().alias("n_alone"))
    told = rows.select("manager_id").unique().join(left_out, on="manager_id", how="left")
    told = told.join(_added(compared, kind), on="manager_id", how="left")
    counts = pl.col("n_customers", "n_merged", "n_alone", "n", "observed").fill_null(0)
    return told.with_columns(counts).select(
        "manager_id", "n_customers", "n_merged", "n_alone", "n", "n_alike", "observed", "expected",
        pl.when(pl.col("expected") > 0).then(pl.col("observed") / pl.col("expected")).alias("observed_to_expected"),
        "error", "wide_error", "spread", "skew",
    ).sort("manager_id")  # fmt: skip


_ALL = "everybody"  # a factor that is the same for all, so that there is always one to group by


def _credited(rows: pl.DataFrame, factors: Sequence[str], kind: str) -> pl.DataFrame:
    """A row a manager and customer, where there is any credit."""
    measure = "managers.expectation"
    if kind not in KINDS:
        raise InputError(f"{measure} knows rates and amounts, not {kind}. Give one of {', '.join(KINDS)}.")
    required(rows, ["manager_id", "customer_id", *factors, "n", "value"], measure)
    finite(rows, ["n", "value"], measure)
    n, value = pl.col("n"), pl.col("value")
    wrong = (n < 0) | ((n == 0) & (value != 0)) | (((value < 0) | (value > n)) if kind == "rate" else False)
    if len(bad := rows.filter(wrong)):
        first = bad.row(0, named=True)
        raise InputError(
            f"{len(bad)} of {len(rows)} rows given to {measure} have less credit than came of it (first: customer "
            f"{first['customer_id']} of manager {first['manager_id']}, n {first['n']}, value {first['value']}). Cut "
            "cases and events by the same share."
        )
    with_credit = rows.filter(n > 0)
    strata = with_credit.select("customer_id", *factors).unique()
    if n_moved := len(strata) - strata["customer_id"].n_unique():
        first = strata.filter(pl.col("customer_id").is_duplicated())["customer_id"].min()
        raise InputError(
            f"{n_moved} of {len(strata) - n_moved} customers given to {measure} change {', '.join(factors)} within the "
            f"period (first: {first}). Take what they were when it began: later a manager may have a hand in it."
        )
    wide = pl.Int128 if rows.schema["value"].is_integer() else pl.Float64
    credited = with_credit.sort("manager_id", "customer_id").group_by("manager_id", "customer_id", maintain_order=True)
    return credited.agg(*(pl.col(name).first() for name in factors), n.sum(), value.cast(wide).sum())


class _Cells(NamedTuple):
    """Sums by stratum, in the finest one; n_customers counts rows."""

    own: pl.DataFrame  # of each manager
    shared: pl.DataFrame  # of each manager's customers, what other_id has of them
    everybody: pl.DataFrame  # n_people: every customer once


def _cells(customers: pl.DataFrame, factors: Sequence[str]) -> _Cells:
    keys = [_ALL, *factors]
    powers = [reduce(mul, map(pl.col, name)).sum().alias(name) for name in SUMS]
    sums = [pl.len().cast(pl.Int64).alias("n_customers"), *powers]
    own = customers.group_by("manager_id", *keys, maintain_order=True).agg(
        pl.col("value").sum(), pl.col("level").first(), *sums
    )
    several = customers.filter(pl.col("customer_id").is_duplicated())
    beside = several.rename({"manager_id": "other_id"}).join(
        several.select("manager_id", "customer_id"), on="customer_id", maintain_order="left_right"
    )
    beside = beside.filter(pl.col("manager_id") != pl.col("other_id"))
    shared = beside.group_by("manager_id", "other_id", *keys, maintain_order=True).agg(sums)
    people = customers.unique("customer_id").group_by(keys).agg(pl.len().cast(pl.Int64).alias("n_people"))
    return _Cells(own, shared, people)


def _compared(cells: _Cells, factors: Sequence[str], kept: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each manager's cells beside the others' sums in the finest stratum that has enough of them, and those left."""
    remaining, found = cells.own, []
    for depth in range(len(factors), kept - 1, -1):
        keys = [_ALL, *factors[:depth]]
        others = _others(cells, keys)
        mine = remaining.group_by("manager_id", *keys, maintain_order=True).agg(
            pl.col("value", *OWN).sum(), pl.col("level").first()
        )
        is_merged = pl.lit(depth < len(factors)).alias("is_merged")
        found.append(
            mine.join(others, on=["manager_id", *keys], maintain_order="left").with_columns(is_merged).drop(keys)
        )
        remaining = remaining.join(others, on=["manager_id", *keys], how="anti", maintain_order="left")
    return pl.concat(found), remaining


def _others(cells: _Cells, keys: list[str]) -> pl.DataFrame:
    """What others have in each manager's strata beside the manager's own customers, where that is enough."""
    of_all = cells.own.group_by("manager_id", *keys, maintain_order=True).agg(pl.col(OWN).sum())
    both = cells.shared.group_by("manager_id", "other_id", *keys, maintain_order=True).agg(pl.col(OWN).sum())
    whole = of_all.select(*keys, other_id="manager_id", n_whole="n_customers")
    is_all = pl.col("n_customers") == pl.col("n_whole")  # all that the other has here are the manager's, too
    both = both.join(whole, on=["other_id", *keys], maintain_order="left")
    both = both.group_by("manager_id", *keys, maintain_order=True).agg(pl.col(OWN).sum(), n_gone=is_all.sum())
    people = cells.everybody.group_by(keys).agg(pl.col("n_people").sum())
    rows = of_all.join(both, on=["manager_id", *keys], how="left", suffix="_both", maintain_order="left")
    rows = rows.join(people, on=keys, maintain_order="left")
    left = {name: pl.col(name).sum().over(keys) - pl.col(name) - pl.col(f"{name}_both").fill_null(0) for name in OWN}
    told = rows.select(
        "manager_id", *keys, (pl.len().over(keys) - 1 - pl.col("n_gone").fill_null(0)).alias("managers_others"),
        (pl.col("n_people") - pl.col("n_customers")).alias("people_others"),
        *(expr.alias(f"{name}_others") for name, expr in left.items()),
    )  # fmt: skip
    return told.filter(pl.col("people_others") >= LEAST_PEERS, pl.col("managers_others") >= LEAST_OTHERS)


def _added(compared: pl.DataFrame, kind: str) -> pl.DataFrame:
    """What is expected of each manager and how it varies, added over strata."""
    other = {name: pl.col(f"{name}_others") for name in ("n_customers", *SUMS)}
    mine = {name: pl.col(name) for name in SUMS}
    mean = pl.col("mean")  # of others, above the level
    peers = compared.with_columns(mean=other["x"] / other["n"])
    peers = peers.with_columns(
        squares=_squares(other, mean), own_squares=_squares(mine, mean), away=mine["x"] - mean * mine["n"]
    )
    noise = NOTHING_VARIES * (other["xx"] + (pl.col("level") ** 2) * other["nn"])
    squares = pl.when(pl.col("squares") > noise).then("squares").otherwise(0.0)
    of_one = squares / other["nn"] * other["n_customers"] / (other["n_customers"] - 1)
    cubes = (other["xxx"] - 3 * mean * other["xxn"] + 3 * mean**2 * other["xnn"] - mean**3 * other["nnn"]) / other[
        "nnn"
    ]
    peers = peers.with_columns(of_one=of_one, cubes=pl.when(of_one > 0).then(cubes).otherwise(0.0))
    one = pl.col("of_one")
    told = peers.group_by("manager_id", maintain_order=True).agg(
        pl.col("n_customers").sum(), pl.col("n_customers").filter("is_merged").sum().alias("n_merged"), mine["n"].sum(),
        (mine["n"].sum() ** 2 / mine["nn"].sum()).alias("n_alike"),
        pl.col("value").sum().alias("observed"), (mine["n"] * (pl.col("level") + mean)).sum().alias("expected"),
        (one * mine["nn"]).sum().alias("by_chance"),
        (one * other["nn"] * (mine["n"] / other["n"]) ** 2).sum().alias("of_others"),
        (pl.col("own_squares").sum() - pl.col("away").sum() ** 2 / pl.col("n_customers").sum()).alias("own"),
        (one.sqrt() * mine["n"]).sum().alias("spread"), (pl.col("cubes") * mine["nnn"]).sum().alias("cubes"),
    )  # fmt: skip
    wide = pl.col("by_chance")
    if kind == "amount":  # one rich customer of one's own is chance, too
        own = pl.col("own") * pl.col("n_customers") / (pl.col("n_customers") - 1)
        own = pl.when((pl.col("n_customers") > 1) & (pl.col("by_chance") > 0)).then(own)
        wide = pl.max_horizontal(wide, own)
    error, wide_error = ((one + pl.col("of_others")).sqrt() for one in (pl.col("by_chance"), wide))
    skew = pl.when(wide_error > 0).then(pl.col("cubes") / wide_error**3).otherwise(0.0)
    return in_64_bits(told.with_columns(error=error, wide_error=wide_error, skew=skew))


def _squares(sums: dict[str, pl.Expr], mean: pl.Expr) -> pl.Expr:
    return sums["xx"] - 2 * mean * sums["xn"] + mean**2 * sums["nn"]
