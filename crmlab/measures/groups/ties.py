"""What ties one customer to another, each kind as pairs of customers, as known at `as_of`."""

import polars as pl

from crmlab.bank.read import Bank

# A relation, and how it reads from its other end; of the rest both ends read alike.
REVERSED = {
    "guarantees": "is guaranteed by",
    "controls": "is controlled by",
    "legal representative of": "has legal representative",
    "pays wages to": "is paid by",
    "brought": "was brought by",
}
VIAS = ("same person", "kin", "joint account", "same address", *(via for pair in REVERSED.items() for via in pair))
PAIR = ["customer_id", "other_id"]
# A Chinese name has its surname in front, with nothing between; that of two characters is one of a few.
HAN_SURNAME = r"^(欧阳|上官|司马|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯|\p{Han})"
WORD = {"first": r"^(\S+)", "last": r"(\S+)$"}


def links(bank: Bank) -> pl.DataFrame:
    """Everything that ties two customers, told from both ends.

    Answers: whom else do I speak to when I call this one?

    Ties are facts, not groups: an address counts where `households` lets it count, but a tie is here whether or not the
    household grew too large for it. Of an account or a person with more than ``policy.groups.max_household`` numbers,
    each is tied to the lowest only.

    Parameters
    ----------
    bank
        As read; tables that were not delivered tie nobody.

    Returns
    -------
    pl.DataFrame
        customer_id, other_id, via (Enum `VIAS`); ordered by customer_id, via, other_id. Every row has its mirror.

    Examples
    --------
    >>> ties = pl.DataFrame({"customer_id": [1], "other_id": [2]}, schema=dict.fromkeys(PAIR, pl.Int32))
    >>> _both_ways("guarantees", ties).rows()
    [(1, 2, 'guarantees'), (2, 1, 'is guaranteed by')]
    """
    most = bank.policy.groups.max_household
    at_home, _ = same_address(bank)
    ties = {
        "same person": pairs(numbers(bank), most),
        "kin": undirected(related(bank, "kin")),
        "joint account": pairs(holders(bank), most),
        "same address": at_home,
        "guarantees": related(bank, "guarantees"),
        "controls": related(bank, "controls"),
        "legal representative of": named_by(bank, "legal_rep_id"),
        "pays wages to": related(bank, "pays wages to"),
        "brought": named_by(bank, "referred_by_id"),
    }
    return pl.concat([_both_ways(via, rows) for via, rows in ties.items()]).sort("customer_id", "via", "other_id")


def payroll(bank: Bank) -> pl.DataFrame:
    """Who pays wages to whom at `as_of`, where both are customers.

    Answers: whose wages pass through us, and which employer would take them away?

    Parameters
    ----------
    bank
        As read, with `relations`.

    Returns
    -------
    pl.DataFrame
        employer_id, employee_id: a row a pair, in that order.

    Examples
    --------
    >>> undirected(pl.DataFrame({"customer_id": [7, 3], "other_id": [3, 7]})).rows()  # payroll keeps its direction
    [(3, 7)]
    """
    rows = related(bank, "pays wages to").sort(PAIR)
    return rows.rename({"customer_id": "employer_id", "other_id": "employee_id"})


def related(bank: Bank, kind: str) -> pl.DataFrame:
    """Pairs of customers that stand in a declared relation at `as_of`; its last day counts."""
    holds = pl.col("to_on").is_null() | (pl.col("to_on") >= bank.as_of)
    rows = bank.table("relations").filter(pl.col("kind") == kind, holds, pl.col("customer_id") != pl.col("other_id"))
    return rows.select(PAIR).unique().collect()


def named_by(bank: Bank, column: str) -> pl.DataFrame:
    """The customer that another names in a column of its own, in front of the one that names it."""
    rows = bank.table("customers").select(customer_id=column, other_id="customer_id")
    return rows.filter(pl.col("customer_id") != pl.col("other_id")).collect()


def numbers(bank: Bank) -> pl.DataFrame:
    """customer_id, key: customers by the person behind their number."""
    return bank.table("parties").select("customer_id", key="party_id").filter(pl.col("key").is_not_null()).collect()


def holders(bank: Bank) -> pl.DataFrame:
    """customer_id, key: owners and joint holders by account, of accounts open at `as_of` that have several."""
    accounts = bank.table("accounts").filter(pl.col("closed_on").is_null())
    others = (
        bank.table("holders")
        .filter(pl.col("role") != "user")
        .join(accounts.select("account_id", owner_id="customer_id"), on="account_id")
        .filter(pl.col("customer_id") != pl.col("owner_id"))
    )
    either = [others.select(customer_id=who, key="account_id") for who in ("owner_id", "customer_id")]
    return pl.concat(either).unique().collect()


def pairs(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Pairs of customers with one key, the lower number first; of a key with more than `most`, each with the lowest.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": [3, 1, 2, 1, 5], "key": ["a", "a", "a", "b", "c"]})
    >>> pairs(rows, 3).sort("customer_id", "other_id").rows()
    [(1, 2), (1, 3), (2, 3)]
    >>> pairs(rows, 2).sort("customer_id", "other_id").rows()
    [(1, 2), (1, 3)]
    """
    rows = rows.unique().filter(pl.col("key").is_duplicated())
    rows = rows.with_columns(n=pl.len().over("key"), lowest=pl.col("customer_id").min().over("key"))
    few = rows.filter(pl.col("n") <= most).select("customer_id", "key")
    each = few.join(few.rename({"customer_id": "other_id"}), on="key")
    many = rows.filter(pl.col("n") > most).select(customer_id="lowest", other_id="customer_id")
    return undirected(pl.concat([each.select(PAIR), many]))


def undirected(rows: pl.DataFrame) -> pl.DataFrame:
    """Each pair once, the lower number first, nobody with themselves."""
    low, high = pl.min_horizontal(PAIR), pl.max_horizontal(PAIR)
    return rows.select(customer_id=low, other_id=high).filter(pl.col("customer_id") < pl.col("other_id")).unique()


def same_address(bank: Bank) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Retail customers at one address who share mobile or surname, and the addresses too crowded to tell anything.

    Addresses and names are compared without regard to case, width of letters and white space, mobiles by their digits.
    The second frame has address (as compared) and n_customers: retail customers, of whatever name, above
    ``policy.groups.max_household``.
    """
    most = bank.policy.groups.max_household
    people = bank.table("customers").filter(pl.col("kind") == "retail")
    places = people.select("customer_id", address=_text("address")).filter(pl.col("address").is_not_null()).collect()
    # A number for each address is compared faster than its text.
    places = places.with_columns(place=pl.col("address").cast(pl.Categorical).to_physical())
    places = places.filter(pl.col("place").is_duplicated()).with_columns(n=pl.len().over("place").cast(pl.Int32))
    crowded = places.filter(pl.col("n") > most).group_by("address").agg(n_customers=pl.col("n").first()).sort("address")
    name, mobile = _text("name"), _text("mobile").str.replace_all(r"\D", "")
    near = (
        people.select("customer_id", "name", "mobile")
        .join(places.lazy().filter(pl.col("n") <= most).select("customer_id", "place"), on="customer_id")
        .select(
            "customer_id",
            "place",
            mobile=pl.when(mobile != "").then(mobile),
            surname=pl.coalesce(name.str.extract(HAN_SURNAME), name.str.extract(WORD[bank.policy.groups.surname])),
        )
        .collect()
    )
    both = near.join(near, on="place").filter(pl.col("customer_id") < pl.col("customer_id_right"))
    alike = (pl.col("mobile") == pl.col("mobile_right")) | (pl.col("surname") == pl.col("surname_right"))
    return both.filter(alike).select("customer_id", other_id="customer_id_right"), crowded


def _text(name: str) -> pl.Expr:
    """A text as it is compared; null where there is nothing but white space."""
    text = pl.col(name).str.normalize("NFKC").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.when(text != "").then(text)


def _both_ways(via: str, rows: pl.DataFrame) -> pl.DataFrame:
    kind = pl.Enum(VIAS)
    there = rows.select(PAIR).with_columns(via=pl.lit(via, kind))
    back = rows.select(customer_id="other_id", other_id="customer_id", via=pl.lit(REVERSED.get(via, via), kind))
    return pl.concat([there, back])
