"""Who may be offered what: decided before anything is ranked, and each exclusion counted and explained."""

from datetime import date
from typing import NamedTuple

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_order, named, required
from crmlab.policy import LINES, Policy

PAIR = ["customer_id", "product_id"]
KNOWN = [
    "customer_id", "kind", "birth_on", "status", "risk_grade", "kyc_due_on", "consent", "staff_related",
    "n_open_complaints", "last_contact_on", "exposure",
]  # fmt: skip
RISKS = ("R1", "R2", "R3", "R4", "R5")
GONE = ("frozen", "deceased", "merged", "closed")
BECAUSE = {
    "status": "the customer is frozen, deceased, merged or closed",
    "owned": "the customer holds the product",
    "kind": "the product is not made for this kind of customer",
    "age": "the customer is too young or too old for the product",
    "risk": "the product is riskier than the customer's grade allows",
    "kyc": "the customer is to be identified anew",
    "consent": "the customer has not agreed to be asked",
    "complaint": "a complaint is not resolved",
    "contact": "the customer was contacted within the last {days} days",
    "exposure": "the customer owes as much as the bank lends",
    "staff": "the customer is related to staff",
}
EXCLUDED = {"reason": pl.String, "n": pl.Int64, "n_only": pl.Int64, "n_unknown": pl.Int64, "sentence": pl.String}


class Eligible(NamedTuple):
    """The pairs that may be ranked, and why the others may not."""

    pairs: pl.DataFrame  # as they were given
    excluded: pl.DataFrame  # reason, n, n_only, n_unknown, sentence: a row a rule in force
    n_asked: int  # pairs given: those kept and those left out


def eligible(
    pairs: pl.DataFrame, people: pl.DataFrame, holdings: pl.DataFrame, products: pl.DataFrame, policy: Policy, on: date
) -> Eligible:
    """Of pairs of a customer and a product, those that may be offered on a day.

    Answers: whom may we not ask, and how many does each rule cost us?

    Age is in full years, and asked of people (retail) only; of what is asked by line or product the rule of the product
    comes before that of its line. Who lacks what a rule asks for (a birthday, a grade that ``highest_risk`` names, a
    KYC day, a word on consent or staff, an exposure) is dealt with as ``[eligibility.missing]`` says.

    Parameters
    ----------
    pairs
        customer_id, product_id, and whatever else.
    people
        As `panel.today` gives them.
    holdings
        customer_id, product_id, opened_on, closed_on: what is held now.
    products
        product_id, line, risk (R1 to R5, or null: no risk to speak of).
    policy
        Its `eligibility`, `campaigns.contact_days`, and which lines are loans.
    on
        The day of the offer.

    Returns
    -------
    Eligible
        pairs (those kept, in their order) and excluded, a row a rule in force: reason, n (pairs it leaves out), n_only
        (which no other rule does), n_unknown (of n, those of which it cannot tell), sentence.

    Raises
    ------
    InputError
        When a column is missing, a customer occurs twice among `people` or has no kind, or a pair is of a customer or
        product that there is not, or a rule is about a product that there is not.

    Examples
    --------
    >>> from crmlab import policy
    >>> people = pl.DataFrame({"customer_id": [1, 2], "kind": "retail", "birth_on": [date(1980, 5, 1), None],
    ...     "status": "active", "risk_grade": "C4", "kyc_due_on": date(2030, 1, 1), "consent": [True, None],
    ...     "staff_related": False, "n_open_complaints": 0, "last_contact_on": None, "exposure": 0})
    >>> products = pl.DataFrame({"product_id": ["D", "F"], "line": ["deposits", "wealth"], "risk": [None, "R4"]})
    >>> held = pl.DataFrame({"customer_id": [1], "product_id": ["D"], "opened_on": date(2020, 1, 1), "closed_on": None})
    >>> asked = people.select("customer_id").join(products.select("product_id"), how="cross")
    >>> found = eligible(asked, people, held, products, policy.load(), date(2025, 12, 31))
    >>> found.pairs.rows()
    [(1, 'F')]
    >>> found.excluded.filter(pl.col("n") > 0).select("reason", "n", "n_only", "n_unknown").rows()
    [('owned', 1, 1, 0), ('age', 1, 0, 1), ('consent', 2, 1, 2)]
    """
    measure = "crosssell.eligible"
    named(pairs.columns, PAIR, measure)
    named(people.columns, KNOWN, measure)
    named(holdings.columns, [*PAIR, "opened_on", "closed_on"], measure)
    named(products.columns, ["product_id", "line", "risk"], measure)
    if people.height:  # rules are by kind: of whom that is not known, none could be asked
        required(people, ["kind"], measure)
    people, products = in_order(people, ["customer_id"], measure), in_order(products, ["product_id"], measure)
    _all_known(pairs, people, products, policy)
    rules = policy.eligibility.rules
    rows = pairs.select(PAIR).join(_of_people(people, policy, on), on="customer_id", how="left", maintain_order="left")
    rows = rows.join(_terms(products, people, policy), on=["product_id", "kind"], how="left", maintain_order="left")
    rows = rows.join(_held(holdings, on), on=PAIR, how="left", maintain_order="left")
    left_out, unsure = _bits(rules, policy)
    marks = rows.select(left_out=left_out, unsure=unsure)
    counts = marks.group_by("left_out", "unsure").len()
    said = [_counted(at, rule, counts, policy) for at, rule in enumerate(rules)]
    kept = pairs.filter(marks["left_out"] == 0)
    return Eligible(kept, pl.DataFrame(said, schema=EXCLUDED, orient="row"), pairs.height)


def _all_known(pairs: pl.DataFrame, people: pl.DataFrame, products: pl.DataFrame, policy: Policy) -> None:
    """Stop where something is asked of nobody, or of nothing the bank sells."""
    for column, there in (("customer_id", people), ("product_id", products)):
        unknown = pairs.filter(~pl.col(column).is_in(there[column].implode()) | pl.col(column).is_null())
        if n := unknown.height:
            what, first = column.removesuffix("_id"), unknown[column][0]
            raise InputError(
                f"{n} of {pairs.height} pairs given to crosssell.eligible are of a {what} that there is not (first: "
                f"{first}). {near_miss(str(first), there[column].cast(pl.String).to_list()[:1000])}"
            )
    sold = products["product_id"].to_list()
    for table in ("kinds", "age"):
        for name in getattr(policy.eligibility, table):
            if name not in LINES and name not in sold:
                raise InputError(
                    f"eligibility.{table} has a rule about {name}, which is no line and no product. "
                    f"{near_miss(name, [*LINES, *sold])}"
                )


def _of_people(people: pl.DataFrame, policy: Policy, on: date) -> pl.DataFrame:
    """What the rules ask of a customer; null where that is not known."""
    born = pl.col("birth_on").cast(pl.Date)
    had_birthday = (born.dt.month() < on.month) | ((born.dt.month() == on.month) & (born.dt.day() <= on.day))
    highest = {grade: RISKS.index(risk) for grade, risk in policy.eligibility.highest_risk.items()}
    days = policy.campaigns.contact_days
    since = (pl.lit(on) - pl.col("last_contact_on").cast(pl.Date)).dt.total_days()
    return people.select(
        "customer_id",
        pl.col("kind").cast(pl.String),
        pl.col("exposure").cast(pl.Int64),
        is_gone=pl.col("status").cast(pl.String).is_in(GONE).fill_null(False),
        age=(on.year - born.dt.year() - (~had_birthday).cast(pl.Int32)).cast(pl.Int16),
        bears=pl.col("risk_grade").cast(pl.String).replace_strict(highest, default=None, return_dtype=pl.Int8),
        is_due=pl.col("kyc_due_on").cast(pl.Date) <= on,
        refuses=~pl.col("consent").cast(pl.Boolean),
        complains=(pl.col("n_open_complaints") > 0).fill_null(False),
        is_contacted=(since < days).fill_null(False),
        is_staff=pl.col("staff_related").cast(pl.Boolean),
    )


def _terms(products: pl.DataFrame, people: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """What the rules ask of each kind of customer for each product; null where they ask nothing."""
    rules, loans = policy.eligibility, policy.lines_of("loans")
    schema = {
        "product_id": pl.String, "kind": pl.String, "is_for_others": pl.Boolean, "youngest": pl.Int16,
        "oldest": pl.Int16, "risk": pl.Int8, "cap": pl.Int64, "not_for_staff": pl.Boolean,
    }  # fmt: skip
    rows = []
    kinds = people["kind"].cast(pl.String).unique().drop_nulls().to_list()
    for name, line, risk in products.select("product_id", "line", "risk").iter_rows():
        low, high = rules.age.get(name, rules.age.get(line, (None, None)))
        allowed = rules.kinds.get(name, rules.kinds.get(line, kinds))
        for kind in kinds:
            is_asked = kind == "retail" and bool(low or high)
            ages = (low or 0, high or 999) if is_asked else (None, None)
            cap = rules.exposure_cap.get(kind) if line in loans else None
            at = RISKS.index(risk) if risk else None
            rows.append((name, kind, kind not in allowed, *ages, at, cap, line in rules.staff_lines))
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("product_id").cast(products.schema["product_id"])
    )


def _held(holdings: pl.DataFrame, on: date) -> pl.DataFrame:
    is_open = pl.col("closed_on").is_null() | (pl.col("closed_on") > on)
    return holdings.filter(pl.col("opened_on") <= on, is_open).select(*PAIR, is_held=pl.lit(True)).unique()


def _against() -> dict[str, pl.Expr]:
    """Whether each rule speaks against a pair; null where it cannot tell."""
    age = pl.col("age")

    def where_asked(name: str, against: pl.Expr) -> pl.Expr:
        return pl.when(pl.col(name).is_null()).then(False).otherwise(against)

    return {
        "status": pl.col("is_gone"),
        "owned": pl.col("is_held").fill_null(False),
        "kind": pl.col("is_for_others"),
        "age": where_asked("youngest", (age < pl.col("youngest")) | (age > pl.col("oldest"))),
        "risk": where_asked("risk", pl.col("risk") > pl.col("bears")),
        "kyc": pl.col("is_due"),
        "consent": pl.col("refuses"),
        "complaint": pl.col("complains"),
        "contact": pl.col("is_contacted"),
        "exposure": where_asked("cap", pl.col("exposure") >= pl.col("cap")),
        "staff": pl.when("not_for_staff").then("is_staff").otherwise(False),
    }


def _bits(rules: tuple[str, ...], policy: Policy) -> tuple[pl.Expr, pl.Expr]:
    """One bit a rule in force: those that leave a pair out, and of them those that cannot tell."""
    against, none = _against(), pl.lit(0, pl.UInt16)
    left_out, unsure = none, none
    for at, rule in enumerate(rules):
        is_out = policy.eligibility.missing.get(rule) == "exclude"
        bit = pl.lit(1 << at, pl.UInt16)
        left_out += pl.when(against[rule].fill_null(is_out)).then(bit).otherwise(none)
        if is_out:
            unsure += pl.when(against[rule].is_null()).then(bit).otherwise(none)
    return left_out, unsure


def _counted(at: int, rule: str, counts: pl.DataFrame, policy: Policy) -> tuple:
    bit = 1 << at
    n, only, unknown = (
        int(counts.filter(which)["len"].sum())
        for which in (pl.col("left_out") & bit > 0, pl.col("left_out") == bit, pl.col("unsure") & bit > 0)
    )
    because = BECAUSE[rule].format(days=policy.campaigns.contact_days)
    are = "1 offer is" if n == 1 else f"{n:,} offers are" if n else "No offer is"
    more = f", {only:,} of them for nothing else" if n else ""
    doubt = f" Of {unknown:,} it is not known, which leaves them out." if unknown else ""
    return rule, n, only, unknown, f"{are} left out because {because}{more}.{doubt}"
