"""Completeness: what the bank ought to know about its key customers, and does not."""

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_order, named, required
from crmlab.policy import Policy

# Not a column of customers but something that is there or not: a Boolean, or how many there are.
COUNTED = "contact_person"


def fields(people: pl.DataFrame, tiers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Which required identity and profile fields are filled for each key customer, and which are missing.

    Answers: whom do we serve best and know least?

    A field is missing where it is null, or a text of nothing but white space; contact_person where it is false or 0.

    Parameters
    ----------
    people
        customer_id, kind, and the columns that ``policy.completeness.fields`` asks for.
    tiers
        customer_id, tier: a row a customer. Key are those in one of ``policy.completeness.key_tiers``.
    policy
        What is required, by kind of customer; nothing of a kind that it does not name.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, tier, n_required, n_filled, missing (list of field names, in the policy's order); a row a key
        customer, ordered by customer.

    Raises
    ------
    InputError
        When a column is missing, a customer is there twice, or nobody is in a key tier.

    Examples
    --------
    >>> from crmlab import policy
    >>> people = pl.DataFrame({"customer_id": [1, 2], "kind": "institution", "name": ["School", "Union"],
    ...                        "address": [" ", "1 Elm St"], "contact_person": [2, 0]})
    >>> rows = pl.DataFrame({"customer_id": [1, 2], "tier": ["private", "basic"]})
    >>> fields(people, rows, policy.load()).rows()
    [(1, 'institution', 'private', 3, 2, ['address'])]
    """
    required(people, ["customer_id", "kind"], "completeness.fields")
    required(tiers, ["customer_id"], "completeness.fields")
    named(tiers.columns, ["tier"], "completeness.fields")
    key = _key_customers(people, tiers, policy)
    asked = _kinds_by_field(key["kind"].unique().to_list(), policy)
    for name in asked:
        if name not in key.columns:
            raise InputError(
                f"completeness.fields needs a column {name}, which policy.toml asks for of {', '.join(asked[name])}. "
                f"{near_miss(name, people.columns)}"
            )
    open_fields = [
        pl.when(pl.col("kind").is_in(kinds) & ~_is_filled(name, key.schema[name])).then(pl.lit(name))
        for name, kinds in asked.items()
    ]
    n_required = pl.sum_horizontal(pl.lit(0), *(pl.col("kind").is_in(kinds).cast(pl.Int32) for kinds in asked.values()))
    return (
        key.with_columns(
            n_required=n_required.cast(pl.Int32),
            missing=pl.concat_list(pl.lit(None, pl.String), *open_fields).list.drop_nulls(),
        )
        .with_columns(n_filled=pl.col("n_required") - pl.col("missing").list.len().cast(pl.Int32))
        .select("customer_id", "kind", "tier", "n_required", "n_filled", "missing")
    )


def shares(fields: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The share of required fields that are filled, by manager, branch or anything else: a count, not an estimate.

    Answers: who has to ask their best customers for what?

    Every key customer is counted, so there is no interval; n says how few customers a share may rest on.

    Parameters
    ----------
    fields
        As `fields` gives them, with the columns `by` joined.
    by
        Columns to tell apart, such as "manager_id"; null is a group of its own (nobody's). None: all together.

    Returns
    -------
    pl.DataFrame
        The columns `by`; n (customers), n_complete (of them, with nothing missing), n_required, n_filled (fields),
        filled_share (n_filled of n_required, 0 to 1; null where nothing is required).

    Raises
    ------
    InputError
        When a column is missing or nobody is given.

    Examples
    --------
    >>> rows = pl.DataFrame({"manager_id": [7, 7, None], "n_required": [3, 3, 5], "n_filled": [2, 3, 1]})
    >>> shares(rows, "manager_id").rows()
    [(7, 2, 1, 6, 5, 0.8333333333333334), (None, 1, 0, 5, 1, 0.2)]
    """
    required(fields, ["n_required", "n_filled"], "completeness.shares")
    named(fields.columns, list(by), "completeness.shares")
    counts = [
        pl.len().cast(pl.Int64).alias("n"),
        (pl.col("n_filled") == pl.col("n_required")).sum().cast(pl.Int64).alias("n_complete"),
        pl.col("n_required", "n_filled").cast(pl.Int64).sum(),
    ]
    sums = fields.group_by(by).agg(counts).sort(by, nulls_last=True) if by else fields.select(counts)
    share = pl.when(pl.col("n_required") > 0).then(pl.col("n_filled") / pl.col("n_required"))
    return sums.with_columns(filled_share=share)


def _key_customers(people: pl.DataFrame, tiers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    key_tiers = policy.completeness.key_tiers
    rows = in_order(people, ["customer_id"], "completeness.fields").drop("tier", strict=False)
    tier = in_order(tiers, ["customer_id"], "completeness.fields").select("customer_id", pl.col("tier").cast(pl.String))
    key = rows.join(tier.filter(pl.col("tier").is_in(key_tiers)), on="customer_id", maintain_order="left")
    if key.is_empty():
        raise InputError(
            f"None of {len(people)} customers is in a key tier ({', '.join(key_tiers)}). Widen the selection, "
            f"or change key_tiers in policy.toml."
        )
    return key.with_columns(pl.col("kind").cast(pl.String))


def _kinds_by_field(kinds: list[str], policy: Policy) -> dict[str, list[str]]:
    """Each required field with the kinds of customer it is asked of, in the policy's order."""
    asked: dict[str, list[str]] = {}
    for kind, names in policy.completeness.fields.items():
        for name in names if kind in kinds else ():
            asked.setdefault(name, []).append(kind)
    return asked


def _is_filled(name: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(name)
    if name == COUNTED:
        return value.cast(pl.Int64).fill_null(0) > 0
    if dtype == pl.String:
        return value.str.strip_chars().fill_null("") != ""
    return value.is_not_null()
