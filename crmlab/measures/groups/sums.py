"""What groups of customers add up to."""

import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, in_order, named, required
from crmlab.measures.groups import ties

GROUPS = ("household_id", "group_id")


def totals(members: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """What the members of each household or corporate group have together.

    Answers: how large is the relationship behind this customer?

    Values are those of a customer, by holders' shares: so a joint account counts in full where its holders are of one
    household, by parts where they are not, and never twice. Sums over all households are sums over the bank.

    Parameters
    ----------
    members
        As `households` (its members) or `corporate` gives them.
    values
        customer_id, and whole-number columns to add: a row a customer, each of them a member; null is unknown.

    Returns
    -------
    pl.DataFrame
        household_id or group_id, n_members, and the columns of `values`: sums of what is known, null where nothing is;
        ordered by group.

    Raises
    ------
    InputError
        When a column is missing or holds no whole numbers, a customer is there twice or is no member, or a sum does not
        fit into 64 bits.

    Examples
    --------
    >>> members = pl.DataFrame({"customer_id": [1, 2, 3], "household_id": [1, 1, 3], "n_members": [2, 2, 1]})
    >>> totals(members, pl.DataFrame({"customer_id": [1, 2], "aum": [50, 7]})).rows()
    [(1, 2, 57), (3, 1, None)]
    """
    group = next((name for name in GROUPS if name in members.columns), GROUPS[0])
    required(members, ["customer_id", group, "n_members"], "groups.totals")
    amounts = _amounts(values, "groups.totals")
    members = in_order(members, ["customer_id"], "groups.totals")
    values = in_order(values, ["customer_id"], "groups.totals")
    strangers = values.join(members, on="customer_id", how="anti")
    if len(strangers):
        raise InputError(
            f"{len(strangers)} of {len(values)} customers given to groups.totals belong to no group "
            f"(first: {strangers['customer_id'][0]}). Leave them out, or give the members of all groups."
        )
    rows = members.join(values, on="customer_id", how="left")
    sums = rows.group_by(group).agg(pl.col("n_members").first(), *_sums(amounts))
    return in_64_bits(sums.sort(group))


def referrals(bank: Bank, worth: pl.DataFrame) -> pl.DataFrame:
    """Who brought customers, and what these are worth.

    Answers: whose word brings us good customers?

    Parameters
    ----------
    bank
        As read, with `referred_by_id` of customers.
    worth
        customer_id, and whole-number columns to add, such as aum and contribution: a row a customer; null is unknown.

    Returns
    -------
    pl.DataFrame
        referrer_id, n_referred (customers they brought, also those who left), and the columns of `worth`: sums over the
        brought of what is known, null where nothing is; ordered by referrer.

    Raises
    ------
    InputError
        When a column is missing or holds no whole numbers, a customer is there twice, or a sum does not fit into 64
        bits.

    Examples
    --------
    >>> brought = pl.DataFrame({"referrer_id": [4, 4, 9], "aum": [10, None, None]}).group_by("referrer_id")
    >>> brought.agg(_sums(["aum"])).sort("referrer_id").cast(pl.Int64).rows()
    [(4, 10), (9, None)]
    """
    amounts = _amounts(worth, "groups.referrals")
    worth = in_order(worth, ["customer_id"], "groups.referrals")
    brought = ties.named_by(bank, "referred_by_id").rename({"customer_id": "referrer_id", "other_id": "customer_id"})
    rows = brought.join(worth, on="customer_id", how="left")
    sums = rows.group_by("referrer_id").agg(pl.len().cast(pl.Int32).alias("n_referred"), *_sums(amounts))
    return in_64_bits(sums.sort("referrer_id"))


def _amounts(values: pl.DataFrame, measure: str) -> list[str]:
    """The columns to add, which must be whole numbers."""
    named(values.columns, ["customer_id"], measure)
    amounts = [name for name in values.columns if name != "customer_id"]
    for name in amounts:
        if not values.schema[name].is_integer():
            raise InputError(f"{measure} adds whole numbers, but {name} is {values.schema[name]}. Leave it out.")
    return amounts


def _sums(amounts: list[str]) -> list[pl.Expr]:
    """Sums in 128 bits of what is known; null where nothing is."""
    return [pl.when(pl.col(name).count() > 0).then(pl.col(name).cast(pl.Int128).sum()).alias(name) for name in amounts]
