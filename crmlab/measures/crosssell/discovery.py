"""Rules that hold up: found among what customers held on one day, and tested on what they took afterwards.

What is held together says little of who takes what next: some hold more of everything, some have been with us for
long, a company holds what companies hold. So a rule is tested on other days than those it was found on, among customers
alike.
"""

from collections.abc import Iterator
from datetime import date
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.crosssell.affinity import baskets
from crmlab.measures.crosssell.association import rules
from crmlab.measures.crosssell.stratified import Compared, compared
from crmlab.measures.given import in_order, named
from crmlab.measures.uncertainty import discovery_rates, wilson
from crmlab.policy import Policy

LEAST = 20  # customers on either side, below which nothing is said; as many hold both sides where a rule is found
LEAST_TAKEN = 5  # of both sides together
LEAST_RATIO = 1.2  # over many customers every difference is sure: this one is worth knowing
TENURE_YEARS = (1, 3, 10)
MOST_HELD = 8  # who holds more is as who holds so many
MILLION = 1_000_000
VERDICTS = ["confirmed", "not confirmed", "cannot tell", "left out"]
SCHEMA = {
    "antecedent": pl.List(pl.String), "consequent": pl.String, "kinds": pl.List(pl.String), "n_both": pl.Int64,
    "lift": pl.Float64, "n": pl.Int64, "n_taken": pl.Int64, "rate": pl.Float64, "lower": pl.Float64,
    "upper": pl.Float64, "n_others": pl.Int64, "n_others_taken": pl.Int64, "others_rate": pl.Float64,
    "difference": pl.Float64, "difference_lower": pl.Float64, "difference_upper": pl.Float64, "ratio": pl.Float64,
    "ratio_lower": pl.Float64, "ratio_upper": pl.Float64, "p": pl.Float64, "q": pl.Float64, "is_confirmed": pl.Boolean,
    "verdict": pl.Enum(VERDICTS), "why": pl.String,
}  # fmt: skip


class Seen(NamedTuple):
    """Customers alike who hold the same, counted once."""

    held: np.ndarray  # ways × items
    taken: np.ndarray  # ways × items: customers who took it afterwards
    n: np.ndarray  # ways: customers
    starts: np.ndarray  # the first way of each stratum
    place: dict[str, int]  # item -> column


def discovered(
    holdings: pl.DataFrame, customers: pl.DataFrame, split_on: date, until: date, policy: Policy,
    products: pl.DataFrame | None = None, longest: int = 3,
) -> pl.DataFrame:  # fmt: skip
    """Rules "who holds these takes that next", found up to one day and tested after it.

    Answers: which products lead to which, and is that more than chance?

    Found within each kind of customer among what is held at the end of `split_on`: rules with one consequent held
    together more often than by chance, with the least support and confidence of the policy. Tested on who took the
    consequent up to `until`, of the customers without it on `split_on`: holders of the antecedent against others of
    the same kind, tenure (`TENURE_YEARS`) and number of products. The number is among them since who holds much takes
    much, whatever it is. A rule of several antecedents has to beat each smaller one, too: its holders against those who
    hold the smaller one and not the rest. Its p is the largest of these tests, and the false discovery rate is that of
    all rules tested.

    A confirmed rule still is no cause: who holds one may want the other for a reason that is not known here.

    Parameters
    ----------
    holdings
        As `panel.holdings` gives them, of a day not before `until`.
    customers
        customer_id, since; a row a customer. Who is missing has a tenure of their own, "not known".
    split_on, until
        The last day of the first period and that of the second.
    policy
        The thresholds under ``[crosssell]``: least_support and least_confidence of a rule, false_discovery_rate.
    products
        product_id, bundled_with. A rule between a product and what it comes with is left out.
    longest
        Products of a rule, both sides together, at most.

    Returns
    -------
    pl.DataFrame
        antecedent (products in order), consequent (a product), kinds (of customer, among whom it was found), n_both
        (customers of these who held both sides), lift (the highest of these kinds); n, n_taken, rate, lower, upper
        (holders of the antecedent without the consequent on `split_on`, and of them who took it; Wilson, 95 %),
        n_others, n_others_taken, others_rate (of those without the antecedent); difference with
        difference_lower and difference_upper, ratio with ratio_lower and ratio_upper (of holders to others among
        customers alike, Mantel–Haenszel, 95 %; null where nobody is alike), p, q (null where not tested), is_confirmed,
        verdict (`VERDICTS`), why (null where confirmed). A rule found is confirmed where q is not above the rate,
        every difference is surely above 0, and the ratio at least `LEAST_RATIO`. Confirmed ones first, by difference.

    Raises
    ------
    InputError
        When `split_on` is not before `until`, a column is missing, a customer repeated, nobody holds anything on
        `split_on`, or there is one product only.

    Examples
    --------
    >>> from crmlab import policy
    >>> early, late = date(2023, 1, 1), date(2024, 3, 1)
    >>> held = [(n, "card" if n % 2 else "savings", early) for n in range(300)]
    >>> funds = [(n, "fund", late if n % 3 else early) for n in range(300) if n % 4 == 1 or n % 40 == 20]
    >>> rows = pl.DataFrame(held + funds, ["customer_id", "product", "opened_on"], orient="row")
    >>> rows = rows.with_columns(kind=pl.lit("retail"), product_id="product", closed_on=pl.lit(None, pl.Date))
    >>> since = pl.DataFrame({"customer_id": range(300), "since": early})
    >>> found = discovered(rows, since, date(2024, 1, 31), date(2024, 6, 30), policy.load())
    >>> found.select("antecedent", "consequent", "n_taken", "n_others_taken", "verdict").row(0)
    (['card'], 'fund', 50, 5, 'confirmed')
    """
    if split_on >= until:
        raise InputError(f"From {split_on} to {until} nothing can be taken. Choose a split before the end.")
    named(holdings.columns, ["customer_id", "kind", "product_id", "product", "opened_on"], "crosssell.discovered")
    named(customers.columns, ["customer_id", "since"], "crosssell.discovered")
    held = baskets(holdings, split_on)
    if held["item"].n_unique() < 2:
        raise InputError(f"All that is held on {split_on} is {held['item'][0]}: a rule needs two products.")
    carried = _carried(held, policy, longest)
    seen = _seen(held, _taken(holdings, held, split_on, until), customers, split_on)
    bundles = _bundles(holdings, products)
    rows = [_tested(row, seen, _come_with(row, bundles)) for row in carried.iter_rows(named=True)]
    return _judged(rows, policy.crosssell.false_discovery_rate / MILLION)


def _carried(held: pl.DataFrame, policy: Policy, longest: int) -> pl.DataFrame:
    """The rules found in a kind of customer or in several."""
    own = policy.crosssell
    parts = []
    for (kind,), rows in held.group_by("kind", maintain_order=True):
        n = rows["id"].n_unique()
        if n < LEAST or rows["item"].n_unique() < 2:
            continue
        support = max(own.least_support * n, LEAST * MILLION)
        found = rules(
            rows.select("id", "item"), f"{support}/{n * MILLION}", f"{own.least_confidence}/{MILLION}", longest
        )
        goes_together = pl.col("n_both") * pl.col("n") > pl.col("n_antecedent") * pl.col("n_consequent")
        parts.append(found.filter(pl.col("consequent").list.len() == 1, goes_together).with_columns(kind=pl.lit(kind)))
    if not parts:
        return pl.DataFrame(schema={name: SCHEMA[name] for name in list(SCHEMA)[:5]})
    return (
        pl.concat(parts)
        .with_columns(pl.col("consequent").list.first())
        .group_by("antecedent", "consequent")
        .agg(kinds=pl.col("kind").sort(), n_both=pl.col("n_both").sum(), lift=pl.col("lift").max())
        .sort("antecedent", "consequent")
    )


def _taken(holdings: pl.DataFrame, held: pl.DataFrame, split_on: date, until: date) -> pl.DataFrame:
    """What those who hold anything at the split have taken since."""
    opened = holdings.filter(pl.col("opened_on").is_between(split_on, until, closed="right"))
    new = opened.select(id="customer_id", item=pl.col("product").cast(pl.String)).unique()
    return new.join(held, on="id", how="semi").join(held, on=["id", "item"], how="anti")


def _seen(held: pl.DataFrame, taken: pl.DataFrame, customers: pl.DataFrame, split_on: date) -> Seen:
    names = pl.concat([held["item"], taken["item"]]).unique().sort()
    people = held.group_by("id").agg(pl.col("kind").first(), breadth=pl.len().clip(upper_bound=MOST_HELD)).sort("id")
    since = in_order(customers.select(id="customer_id", since="since"), ["id"], "crosssell.discovered")
    years = (pl.lit(split_on) - pl.col("since")).dt.total_days() / 365.25
    strata = people.join(since, on="id", how="left", maintain_order="left").select(
        "kind", "breadth", tenure=pl.sum_horizontal(years >= least for least in TENURE_YEARS) + years * 0
    )

    def matrix(rows: pl.DataFrame) -> np.ndarray:
        found = np.zeros((len(people), len(names)), bool)
        found[people["id"].search_sorted(rows["id"]).to_numpy(), names.search_sorted(rows["item"]).to_numpy()] = True
        return found

    places = range(len(names))
    columns = {f"h{n}": column for n, column in enumerate(matrix(held).T)}
    columns |= {f"t{n}": column for n, column in enumerate(matrix(taken).T)}
    ways = (
        strata.with_columns(pl.Series(name, column) for name, column in columns.items())
        .group_by(*strata.columns, *(f"h{n}" for n in places))
        .agg(pl.len().alias("n"), *(pl.col(f"t{n}").sum() for n in places))
        .sort(strata.columns)
    )
    starts = ways.select(pl.struct(strata.columns).rle_id().is_first_distinct().arg_true()).to_series().to_numpy()
    return Seen(
        held=ways.select(f"h{n}" for n in places).to_numpy(),
        taken=ways.select(f"t{n}" for n in places).to_numpy().astype(np.int64),
        n=ways["n"].to_numpy().astype(np.int64),
        starts=starts,
        place={name: n for n, name in enumerate(names)},
    )


def _bundles(holdings: pl.DataFrame, products: pl.DataFrame | None) -> set[tuple[str, str]]:
    """Products and what each comes with."""
    if products is None:
        return set()
    named(products.columns, ["product_id", "bundled_with"], "crosssell.discovered")
    name = dict(holdings.select(pl.col("product_id", "product").cast(pl.String)).unique().iter_rows())
    rows = products.select(pl.col("product_id", "bundled_with").cast(pl.String)).drop_nulls().iter_rows()
    return {(name[one], name[other]) for one, other in rows if one in name and other in name}


def _come_with(row: dict, bundles: set[tuple[str, str]]) -> str | None:
    """Why a rule is left out: it names a product and what that comes with, on whatever side."""
    items = {*row["antecedent"], row["consequent"]}
    return next((f"{one} comes with {other}" for one, other in sorted(bundles) if {one, other} <= items), None)


def _tested(row: dict, seen: Seen, bundled: str | None) -> dict:
    """A rule with its numbers in the second period, p where it could be tested, and why it could not or failed."""
    items, target = row["antecedent"], seen.place[row["consequent"]]
    counts = _counts(seen, [], items, target)
    k, n, k_others, n_others = (int(count.sum()) for count in counts)
    told = row | {"n": n, "n_taken": k, "n_others": n_others, "n_others_taken": k_others}
    if bundled:
        return told | {"verdict": "left out", "why": bundled}
    against = {(): compared(*counts)}
    against |= {smaller: compared(*_counts(seen, smaller, items, target)) for smaller in _smaller(items)}
    told |= _numbers(against[()])
    if short := next(filter(None, (_too_few(one, smaller) for smaller, one in against.items())), None):
        return told | {"verdict": "cannot tell", "why": short}
    return told | {"p": max(one.p for one in against.values()), "why": _falls_short(against)}


def _smaller(items: list[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, len(items)):
        yield from combinations(items, size)


def _counts(seen: Seen, smaller: list[str] | tuple[str, ...], items: list[str], target: int) -> tuple:
    """By stratum, of holders of the smaller set without the target: those with all items, and those without."""
    who = seen.held[:, [seen.place[item] for item in smaller]].all(axis=1) & ~seen.held[:, target]
    full = who & seen.held[:, [seen.place[item] for item in items]].all(axis=1)
    sides = (full, who & ~full)
    return tuple(
        np.add.reduceat(side * count, seen.starts) for side in sides for count in (seen.taken[:, target], seen.n)
    )


def _numbers(told: Compared) -> dict:
    names = ["difference", "difference_lower", "difference_upper", "ratio", "ratio_lower", "ratio_upper"]
    values = (told.difference, told.lower, told.upper, told.ratio, told.ratio_lower, told.ratio_upper)
    return {name: None if np.isnan(value) else value for name, value in zip(names, values, strict=True)}


def _too_few(told: Compared, smaller: tuple[str, ...]) -> str | None:
    """Why a comparison says nothing; counts only what is known before it is known who took it."""
    of = f"holders of {' and '.join(smaller)} alone" if smaller else "others"
    if told.n < LEAST:
        return f"{told.n} holders can be compared with {of} like them, fewer than {LEAST}"
    if told.n_others < LEAST:
        return f"{told.n_others} {of} can be compared with them, fewer than {LEAST}"
    if told.taken < LEAST_TAKEN:
        return f"{told.taken} took it, of them and of {of} like them, fewer than {LEAST_TAKEN}"
    return None


def _falls_short(against: dict[tuple[str, ...], Compared]) -> str | None:
    """What a rule fails by, whatever its false discovery rate."""
    for smaller, told in against.items():
        if not told.lower > 0:
            than = f"holders of {' and '.join(smaller)} alone" if smaller else "others like them"
            return f"not surely more often than {than}"
    ratio = against[()].ratio
    if ratio < LEAST_RATIO:
        return f"{ratio:.2f} times as often as others like them, less than {LEAST_RATIO}"
    return None


def _judged(rows: list[dict], rate: float) -> pl.DataFrame:
    found = pl.DataFrame([dict.fromkeys(SCHEMA) | row for row in rows], schema=SCHEMA, orient="row")
    tested = pl.col("p").is_not_null()
    is_confirmed = tested & (pl.col("q") <= rate) & pl.col("why").is_null()
    by_chance = pl.lit("may be chance, with so many rules tested")
    why = pl.when(tested & ~pl.col("is_confirmed")).then(pl.coalesce("why", by_chance)).otherwise("why")
    verdict = pl.when("is_confirmed").then(pl.lit(VERDICTS[0])).otherwise(pl.lit(VERDICTS[1])).cast(SCHEMA["verdict"])
    n, k, n_others = pl.col("n"), pl.col("n_taken"), pl.col("n_others")
    return (
        found.with_columns(q=discovery_rates(pl.col("p")))
        .with_columns(is_confirmed=is_confirmed.fill_null(False))
        .with_columns(
            pl.coalesce("verdict", verdict), why.alias("why"), pl.when(n > 0).then(k / n).alias("rate"), *wilson(k, n),
            others_rate=pl.when(n_others > 0).then(pl.col("n_others_taken") / n_others),
        )
        .select(list(SCHEMA))
        .sort("verdict", -pl.col("difference"), "antecedent", "consequent", nulls_last=True)
    )  # fmt: skip
