"""Association rules on any baskets: who holds these also holds those, counted in whole numbers.

Baskets that hold the same are counted once, with how many they are: of twenty products a million customers have a few
thousand ways of holding them.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import named

BITS = 62  # items that one whole number has room for
ROWS = 2**15  # baskets, or ways of holding, that are counted at a time
SIDES = ["antecedent", "consequent"]
COUNTS = ["n", "n_antecedent", "n_consequent", "n_both"]


class Sets(NamedTuple):
    """Item sets of one size that enough baskets hold."""

    items: np.ndarray  # sets × size, codes in rising order, the sets in order
    n: np.ndarray


def rules(
    baskets: pl.DataFrame, least_support: str | float, least_confidence: str | float, longest: int = 3
) -> pl.DataFrame:
    """Rules "who holds these also holds those" with their support, confidence, lift and leverage.

    Answers: which products go together?

    A rule says what goes together, not what makes whom buy. Agrawal and Srikant (1994); a rule exactly on a threshold
    is in, since thresholds are compared in whole numbers.

    Parameters
    ----------
    baskets
        id, item: a row each item of each basket, in any order; a repeated row counts once. A missing item stands for
        a basket that is empty and yet counts.
    least_support, least_confidence
        Above 0 and up to 1, as the decimal number they are written as: "0.3" is three tenths.
    longest
        Items of a rule, both sides together, at most.

    Returns
    -------
    pl.DataFrame
        antecedent, consequent (items in order); n (baskets), n_antecedent, n_consequent, n_both (baskets that hold the
        items of this side, of that, and of both); support (n_both of n), confidence (n_both of n_antecedent), lift
        (confidence by the share of all that hold the consequent; 1: they have nothing to do with each other), leverage
        (support less what it would be then); by lift, then support, highest first, then names.

    Raises
    ------
    InputError
        When a column is missing, an id is, there is one item only, or a threshold lies outside.

    Examples
    --------
    >>> held = {"id": [1, 1, 2, 2, 3, 4], "item": ["card", "salary", "card", "salary", "card", None]}
    >>> rules(pl.DataFrame(held), "0.5", "0.6").select("antecedent", "confidence", "lift").rows()
    [(['card'], 0.6666666666666666, 1.3333333333333333), (['salary'], 1.0, 1.3333333333333333)]
    """
    support, confidence = (_share(*one) for one in (("support", least_support), ("confidence", least_confidence)))
    names, rows = _usable(baskets)
    held, weight = _patterns(rows, len(names))
    n = int(weight.sum())
    least = max(1, -(-support.numerator * n // support.denominator))
    levels = [Sets(np.zeros((1, 0), np.int64), np.array([n])), *_frequent(held, weight, least, longest)]
    found = [part for size in range(2, len(levels)) for part in _split(levels, size, confidence)]
    return _told(found, names, n)


def _usable(baskets: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """The items by name, and the rows basket by basket, with the place of each item among them."""
    named(baskets.columns, ["id", "item"], "crosssell.rules")
    if n := baskets["id"].null_count():
        raise InputError(f"{n} of {len(baskets)} rows given to crosssell.rules have no id. Fill it, or leave them out.")
    names, place = _places(baskets["item"].cast(pl.String))
    if len(names) < 2:
        what = f"one item only ({names[0]})" if len(names) else "no item"
        raise InputError(f"crosssell.rules has been given {what}: a rule needs two. Give baskets that hold more.")
    rows = baskets.select("id", place=place)
    return names, rows if rows["id"].is_sorted() else rows.sort("id")


def _places(item: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The items by name, and the place of each row's among them; most often the first rows have them all."""
    for part in (item.head(ROWS), item):
        names = part.unique().drop_nulls().sort()
        place = item.cast(pl.Enum(names), strict=False).to_physical()
        if place.null_count() == item.null_count():
            break
    return names, place


def _share(name: str, given: str | float) -> Fraction:
    try:
        share = Fraction(str(given))
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share <= 1:
        raise InputError(
            f"least_{name} is {given}, and has to be a share above 0 and up to 1. Give, for instance, 0.01."
        )
    return share


def _patterns(rows: pl.DataFrame, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """The ways in which baskets hold items (ways × items), and how many baskets hold them so."""
    lengths, begin, parts = rows["id"].rle().struct.field("len"), 0, []
    for at in range(0, len(lengths), ROWS):
        ends = lengths[at : at + ROWS].cast(pl.Int64).to_numpy().cumsum()
        parts.append(_ways(rows["place"][begin : begin + ends[-1]], ends, n_items))
        begin += ends[-1]
    ways = pl.concat(parts).group_by(pl.exclude("n")).agg(pl.col("n").sum())
    held = np.empty((len(ways), n_items), bool)
    for item in range(n_items):
        held[:, item] = ways.to_series(item // BITS).to_numpy() >> (item % BITS) & 1
    return held, ways["n"].to_numpy().astype(np.float64)


def _ways(place: pl.Series, ends: np.ndarray, n_items: int) -> pl.DataFrame:
    """Items as bits of whole numbers, once each way of holding them, of baskets that end before these rows."""
    # Where a basket is empty, the place is that of no item: it has no bit in any number.
    places, starts = place.cast(pl.Int64).fill_null(n_items).to_numpy(), np.append(0, ends[:-1])
    words = {}
    for first in range(0, n_items, BITS):
        bits = np.zeros(n_items + 1, np.int64)
        here = bits[first : min(first + BITS, n_items)]
        here[:] = 1 << np.arange(len(here))
        words[f"from {first}"] = np.bitwise_or.reduceat(bits[places], starts)
    return pl.DataFrame(words).group_by(list(words)).len("n")


def _frequent(held: np.ndarray, weight: np.ndarray, least: int, longest: int) -> Iterator[Sets]:
    """Item sets of 1, 2, … items that so many baskets hold; each is made of a smaller one and a later item."""
    counts = weight @ held
    kept = np.flatnonzero(counts >= least)
    held = held[:, kept]
    # Items are told by their place among those kept, until a set is handed on.
    sets = Sets(np.arange(len(kept))[:, None], counts[kept].astype(np.int64))
    while len(sets.n):
        yield Sets(kept[sets.items], sets.n)
        if sets.items.shape[1] == longest:
            return
        edges = np.flatnonzero((np.diff(sets.items[:, :-1], axis=0) != 0).any(axis=1)) + 1
        parts = [_longer(of, held, weight, least) for of in np.split(sets.items, edges)]
        sets = Sets(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _longer(sets: np.ndarray, held: np.ndarray, weight: np.ndarray, least: int) -> Sets:
    """Those of one item more, of sets that differ in the last one only."""
    holders = np.flatnonzero(held[:, sets[0, :-1]].all(axis=1))
    first = sets[0, -1]
    counts = np.zeros((len(sets), held.shape[1] - first))
    for at in range(0, len(holders), ROWS):
        who = holders[at : at + ROWS]
        later = held[who, first:].astype(np.float64)
        # Sums of whole numbers below 2⁵³ are exact in Float64.
        counts += (later[:, sets[:, -1] - first] * weight[who, None]).T @ later
    counts[np.arange(first, held.shape[1]) <= sets[:, -1:]] = 0
    of, more = np.nonzero(counts >= least)
    return Sets(np.column_stack([sets[of], first + more]), counts[of, more].astype(np.int64))


def _split(levels: list[Sets], size: int, confidence: Fraction) -> Iterator[tuple[np.ndarray, np.ndarray, list]]:
    """Each way to part the sets of a size into two sides, where the rule holds often enough: both sides, counts."""
    sets = levels[size]
    for n_left in range(1, size):
        for left in combinations(range(size), n_left):
            right = [at for at in range(size) if at not in left]
            sides = sets.items[:, left], sets.items[:, right]
            n_left_side, n_right_side = (_counted(levels, side) for side in sides)
            is_in = sets.n * confidence.denominator >= n_left_side * confidence.numerator
            yield *(side[is_in] for side in sides), [n[is_in] for n in (n_left_side, n_right_side, sets.n)]


def _counted(levels: list[Sets], sets: np.ndarray) -> np.ndarray:
    """How many baskets hold each of these sets, all of which are known."""
    known = levels[sets.shape[1]]
    return known.n[np.searchsorted(_number(known.items), _number(sets))]


def _number(sets: np.ndarray) -> np.ndarray:
    """One value a set, in the order of the sets."""
    return np.ascontiguousarray(sets.astype(">i4")).view(f"V{4 * sets.shape[1]}").ravel()


def _told(found: list[tuple], names: pl.Series, n: int) -> pl.DataFrame:
    def listed(codes: np.ndarray) -> pl.Series:
        return pl.select(pl.concat_list(names.gather(column) for column in codes.T)).to_series()

    schema = dict.fromkeys(SIDES, pl.List(pl.String)) | dict.fromkeys(COUNTS, pl.Int64)
    parts = [
        pl.DataFrame(dict(zip([*SIDES, *COUNTS[1:]], [listed(left), listed(right), *counts], strict=True)))
        for left, right, counts in found
        if len(left)
    ]
    rows = pl.concat(parts).with_columns(n=pl.lit(n, pl.Int64)) if parts else pl.DataFrame(schema=schema)
    both, left, right, of = (pl.col(name).cast(pl.Float64) for name in ("n_both", "n_antecedent", "n_consequent", "n"))
    return rows.select(
        *SIDES, *COUNTS, support=both / of, confidence=both / left, lift=both * of / (left * right),
        leverage=both / of - left * right / (of * of),
    ).sort("lift", "support", *SIDES, descending=[True, True, False, False])  # fmt: skip
