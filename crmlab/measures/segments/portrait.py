"""The profile of a group: what sets it apart from the rest, the most telling first."""

import polars as pl

from crmlab import policy
from crmlab.errors import InputError
from crmlab.measures.given import required
from crmlab.measures.uncertainty import cliff_delta, cohen_h, difference, size
from crmlab.policy.source import MILLION

IDS = ("_id", "_no")
COUNTS = {"trait": pl.String, "value": pl.String, "k": pl.Int64, "n": pl.Int64, "k_rest": pl.Int64, "n_rest": pl.Int64}
MEDIANS = {
    "trait": pl.String, "n": pl.Int64, "n_rest": pl.Int64, "of_group": pl.Float64, "of_rest": pl.Float64,
    "effect": pl.Float64,
}  # fmt: skip


def profile(customers: pl.DataFrame, by: str, least_effect: float | None = None) -> pl.DataFrame:
    """How a group of customers differs from the others, trait by trait.

    Answers: who are these customers?

    The effect of a rate is Cohen's h (−π to π), that of a number Cliff's delta (−1 to 1), both 0 where nothing
    differs and positive where the group has more. They are no one scale: half of each is a medium effect of a rate and
    a large one of a number, so read the order within numbers and within rates more closely than across.

    Parameters
    ----------
    customers
        A row a customer: `by`, and traits, which are all columns but those ending in _id or _no. Boolean and text
        (each of its values) are compared as rates, numbers by their order. Null is not known, and left out of a trait.
    by
        A Boolean column: whether a customer is in the group.
    least_effect
        The size of effect (0 and up) from which a difference is worth telling; else that of crmlab's own rules.

    Returns
    -------
    pl.DataFrame
        trait, value (of a text, else null), n, n_rest (customers whose trait is known), n_unknown (the others of both),
        of_group, of_rest (a rate, 0 to 1, or a median in the trait's unit), difference (of_group − of_rest), lower,
        upper (of the difference of rates: 95 %, Newcombe; null of numbers), effect, is_notable (``|effect| >=
        least_effect``). Null where the trait is known of nobody on one side: cannot tell. The largest effect first, up
        or down; ties in the order of columns. A text that is null throughout has no row.

    Raises
    ------
    InputError
        When `by` is missing, null or no Boolean, the group or the rest has fewer than two customers, or a column is no
        trait (a date, a list), or there is none.

    Examples
    --------
    >>> customers = pl.DataFrame({"is_gold": [True, True, True, False, False], "aum": [90, 70, None, 10, 80],
    ...                           "has_loans": [True, True, True, False, False]})
    >>> profile(customers, "is_gold").select("trait", "n", "n_rest", "of_group", "of_rest", "effect").rows()
    [('has_loans', 3, 2, 1.0, 0.0, 3.141592653589793), ('aum', 2, 2, 80.0, 45.0, 0.5)]
    """
    required(customers, [by], "segments.profile")
    least_effect = policy.load().profile.least_effect / MILLION if least_effect is None else least_effect
    schema = {name: dtype for name, dtype in customers.schema.items() if name != by and not name.endswith(IDS)}
    _comparable(customers, by, schema)
    group, rest = customers.filter(pl.col(by)), customers.filter(~pl.col(by))
    of_kind = {
        kind: [name for name, dtype in schema.items() if _kind(dtype) == kind] for kind in ("rate", "text", "number")
    }
    counts = [_yes_and_no(group, rest, of_kind["rate"]), *(_values(customers, by, name) for name in of_kind["text"])]
    places = {name: place for place, name in enumerate(schema)}
    return (
        pl.concat([_rates(pl.concat(counts)), _numbers(group, rest, of_kind["number"])], how="diagonal")
        .with_columns(
            difference=pl.col("of_group") - pl.col("of_rest"),
            n_unknown=len(customers) - pl.col("n") - pl.col("n_rest"),
            is_notable=size(pl.col("effect")) >= least_effect,
            place=pl.col("trait").replace_strict(places, return_dtype=pl.Int32),
        )
        .sort(-size(pl.col("effect")), "place", nulls_last=True, maintain_order=True)
        .select("trait", "value", "n", "n_rest", "n_unknown", "of_group", "of_rest", "difference", "lower", "upper",
                "effect", "is_notable")
    )  # fmt: skip


def _comparable(customers: pl.DataFrame, by: str, schema: dict[str, pl.DataType]) -> None:
    if customers.schema[by] != pl.Boolean:
        raise InputError(f"{by} is {customers.schema[by]}, not Boolean. Give a column that says who is in the group.")
    n_group = customers[by].sum()
    for n, where in [(n_group, "in the group"), (len(customers) - n_group, "outside of it")]:
        if n < 2:
            raise InputError(
                f"Of {len(customers)} customers {n or 'none'} {'is' if n else 'are'} {where} ({by}): "
                f"too few to tell apart. Choose a group that leaves two at least on either side."
            )
    if not schema:
        raise InputError(f"segments.profile has been given {by} and no trait to compare. Add columns.")
    for name, dtype in schema.items():
        if _kind(dtype) is None:
            raise InputError(f"{name} is {dtype}, which is no trait. Turn it into a number or a text, or leave it out.")


def _kind(dtype: pl.DataType) -> str | None:
    if dtype == pl.Boolean:
        return "rate"
    if dtype in (pl.String, pl.Enum, pl.Categorical):
        return "text"
    return "number" if dtype.is_integer() or dtype.is_float() else None


def _yes_and_no(group: pl.DataFrame, rest: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """How many have each of these traits, out of how many of whom it is known."""
    rows = [
        (name, None, *(count for side in (group, rest) for count in (side[name].sum(), side[name].count())))
        for name in names
    ]
    return pl.DataFrame(rows, schema=COUNTS, orient="row")


def _values(customers: pl.DataFrame, by: str, name: str) -> pl.DataFrame:
    """How many have each value of a text, out of how many of whom there is one."""
    rows = customers.lazy().select(value=name, is_in=by).filter(pl.col("value").is_not_null())
    return (
        rows.group_by("value")
        .agg(k=pl.col("is_in").sum().cast(pl.Int64), k_rest=(~pl.col("is_in")).sum().cast(pl.Int64))
        .sort("value")
        .select(
            pl.lit(name).alias("trait"),
            pl.col("value").cast(pl.String),
            "k",
            pl.col("k").sum().alias("n"),
            "k_rest",
            pl.col("k_rest").sum().alias("n_rest"),
        )
        .collect()
    )


def _rates(counts: pl.DataFrame) -> pl.DataFrame:
    k, n, k_rest, n_rest = (pl.col(name) for name in ("k", "n", "k_rest", "n_rest"))
    of_group, of_rest = pl.when(n > 0).then(k / n), pl.when(n_rest > 0).then(k_rest / n_rest)
    return counts.select(
        "trait",
        "value",
        "n",
        "n_rest",
        of_group.alias("of_group"),
        of_rest.alias("of_rest"),
        *difference(k, n, k_rest, n_rest),
        cohen_h(of_group, of_rest).alias("effect"),
    )


def _numbers(group: pl.DataFrame, rest: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    rows = []
    # Polars sorts all columns side by side; medians and the effect then read what is sorted.
    sides = (_known_first(group, names), _known_first(rest, names))
    for name in names:
        mine, theirs = (side[name].head(len(side) - side[name].null_count()) for side in sides)
        rows.append((name, len(mine), len(theirs), mine.median(), theirs.median(), cliff_delta(mine, theirs)))
    return pl.DataFrame(rows, schema=MEDIANS, orient="row")


def _known_first(side: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    numbers = [pl.col(name).fill_nan(None) if side.schema[name].is_float() else pl.col(name) for name in names]
    return side.select(number.sort(nulls_last=True) for number in numbers)
