"""What a year of a line is worth: what those who hold it earned us with it, among customers of a kind and size."""

import polars as pl

from crmlab.measures.given import in_order, named, required

LEAST_YEARS = 30  # holder-years: where fewer are known of a tier, all of the kind are asked
ENDS = (0.05, 0.95)  # a holder who earned more or less than these of their group counts as much
BY_TIER, BY_KIND = "kind and tier", "kind"
EARNED = {
    "kind": pl.String, "tier": pl.String, "line": pl.String, "n": pl.Int64, "years": pl.Float64, "a_year": pl.Int64,
}  # fmt: skip
YEAR = 12


def earned(months: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """What a year of each line earned us of a holder, by kind, and by kind and tier.

    Answers: what is it worth to us when a customer like this one takes it?

    Each holder's year is what they earned us, brought to twelve months; the average counts each for the months they
    held it. It is a mean, since money to be expected adds up as means do and medians do not; but of each group the
    highest and the lowest twentieth count as much as where they begin, so that no giant and no lost loan sets it.

    Parameters
    ----------
    months
        customer_id, line, month, earned (minor units): what a customer earned us with a line in a month they held it.
    people
        customer_id, kind, tier (null: not known, or no longer with us).

    Returns
    -------
    pl.DataFrame
        kind, tier (null: all of the kind, those without one too), line, n (holders), years (they held it, together),
        a_year (minor units; below 0 where it cost us); by kind, tier and line.

    Raises
    ------
    InputError
        When a column or a value is missing, or a customer occurs twice among `people`.

    Examples
    --------
    >>> from datetime import date
    >>> ends = pl.date_range(date(2024, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end()
    >>> months = pl.DataFrame({"month": ends, "line": "cards", "earned": 10}).join(
    ...     pl.DataFrame({"customer_id": [1, 2]}), how="cross")
    >>> people = pl.DataFrame({"customer_id": [1, 2], "kind": "retail", "tier": ["gold", None]})
    >>> earned(months, people).rows()
    [('retail', None, 'cards', 2, 2.0, 120), ('retail', 'gold', 'cards', 1, 1.0, 120)]
    """
    named(months.columns, ["customer_id", "line", "month", "earned"], "crosssell.earned")
    required(months, ["customer_id", "line", "month", "earned"], "crosssell.earned")
    holders = months.group_by("customer_id", pl.col("line").cast(pl.String)).agg(
        pl.col("earned").sum(), months=pl.col("month").n_unique()
    )
    holders = holders.join(_known(people), on="customer_id").with_columns(
        year=YEAR * pl.col("earned") / pl.col("months")
    )
    found = [
        _average(holders.filter(pl.col("tier").is_not_null())),
        _average(holders.with_columns(tier=pl.lit(None, pl.String))),
    ]
    return pl.concat(found).sort("kind", "tier", "line")


def priced(pairs: pl.DataFrame, people: pl.DataFrame, earned: pl.DataFrame) -> pl.DataFrame:
    """Pairs of a customer and a product with what a year of its line is worth of a customer like this one.

    Answers: what would this customer bring us with it?

    Parameters
    ----------
    pairs
        customer_id, line, and whatever else.
    people
        As for `earned`.
    earned
        As `earned` gives it.

    Returns
    -------
    pl.DataFrame
        The pairs in their order, a_year (minor units; 0 where no customer of the kind held the line) and basis (whose
        year that is: "kind and tier" where `LEAST_YEARS` of theirs are known, else "kind"; null: nobody's).

    Raises
    ------
    InputError
        When a column is missing, or a customer occurs twice among `people`.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1, 2], "line": "cards"})
    >>> people = pl.DataFrame({"customer_id": [1, 2], "kind": "retail", "tier": ["gold", "basic"]})
    >>> known = pl.DataFrame([("retail", None, "cards", 90, 80.0, 50), ("retail", "gold", "cards", 40, 35.5, 120)],
    ...     schema=EARNED, orient="row")
    >>> priced(pairs, people, known).rows()
    [(1, 'cards', 120, 'kind and tier'), (2, 'cards', 50, 'kind')]
    """
    named(pairs.columns, ["customer_id", "line"], "crosssell.priced")
    named(earned.columns, list(EARNED), "crosssell.priced")
    of_kind = earned.filter(pl.col("tier").is_null()).select("kind", "line", of_kind="a_year")
    of_tier = earned.filter(pl.col("tier").is_not_null(), pl.col("years") >= LEAST_YEARS)
    rows = pairs.join(_known(people), on="customer_id", how="left", maintain_order="left")
    rows = rows.join(of_kind, on=["kind", "line"], how="left", maintain_order="left")
    rows = rows.join(of_tier.select("kind", "tier", "line", of_tier="a_year"), on=["kind", "tier", "line"], how="left",
                     maintain_order="left")  # fmt: skip
    basis = pl.when(pl.col("of_tier").is_not_null()).then(pl.lit(BY_TIER)).when(pl.col("of_kind").is_not_null())
    return rows.select(
        *pairs.columns,
        a_year=pl.coalesce("of_tier", "of_kind", pl.lit(0, pl.Int64)),
        basis=basis.then(pl.lit(BY_KIND)),
    )


def _known(people: pl.DataFrame) -> pl.DataFrame:
    named(people.columns, ["customer_id", "kind", "tier"], "crosssell.earned")
    people = in_order(people, ["customer_id"], "crosssell.earned")
    return people.select("customer_id", pl.col("kind", "tier").cast(pl.String))


def _average(holders: pl.DataFrame) -> pl.DataFrame:
    group, year = ["kind", "tier", "line"], pl.col("year")
    low, high = (year.quantile(end, "linear").over(group) for end in ENDS)
    held = pl.col("months")
    return (
        holders.with_columns(year=year.clip(low, high))
        .group_by(group)
        .agg(
            n=pl.len().cast(pl.Int64),
            years=held.sum() / YEAR,
            a_year=((pl.col("year") * held).sum() / held.sum()).round().cast(pl.Int64),
        )
        .select(list(EARNED))
    )
