"""What is known of customers today: what a decision taken today may rest on, and none about the past."""

from datetime import date

import polars as pl

from crmlab.bank.read import Bank

OF_TODAY = ["status", "risk_grade", "kyc_due_on", "consent", "staff_related"]


def today(bank: Bank, customers: pl.LazyFrame) -> pl.DataFrame:
    """What a list made on `as_of` must know of each customer.

    Answers: may we speak with this customer today, and about what?

    Status, risk grade, KYC, consent and staff are true of the day the extract was made, and of no other. They are told
    where `as_of` is not before the last transaction of the extract; a list made as of an earlier day is told nothing of
    them, rather than what was to come. Nothing here may enter what is measured at an earlier day.

    Parameters
    ----------
    bank
        The bank, as of the day of the decision.
    customers
        As `panel.customers` gives them, of the month of `as_of` at least.

    Returns
    -------
    pl.DataFrame
        customer_id, kind, birth_on, status, risk_grade, kyc_due_on, consent, staff_related (these five null where the
        extract is of a later day), n_open_complaints, last_contact_on (a contact of any outcome, or an offer made;
        null: never), exposure (what they owe on loans, minor units of the base currency, 0 or more; null where a
        balance is not known); a row a customer, in order.
    """
    people = bank.table("customers").select("customer_id", pl.col("kind").cast(pl.String), "birth_on")
    complaints = bank.table("complaints").filter(pl.col("resolved_on").is_null())
    told = [
        _of_today(bank),
        complaints.group_by("customer_id").agg(n_open_complaints=pl.len()),
        _contacts(bank).group_by("customer_id").agg(last_contact_on=pl.col("on").max()),
        _exposure(customers, bank),
    ]
    for frame in told:
        people = people.join(frame, on="customer_id", how="left")
    owes_none = pl.col("is_known").is_null()
    return (
        people.with_columns(
            pl.col("n_open_complaints").fill_null(0), exposure=pl.when(owes_none).then(0).otherwise("exposure")
        )
        .select("customer_id", "kind", "birth_on", *OF_TODAY, "n_open_complaints", "last_contact_on", "exposure")
        .sort("customer_id")
        .collect()
    )


def _of_today(bank: Bank) -> pl.LazyFrame:
    rows = bank.current("customers").select("customer_id", pl.col("status").cast(pl.String), *OF_TODAY[1:])
    is_today = bank.as_of >= date.fromisoformat(bank.manifest["history_to"])
    return rows.with_columns(pl.when(is_today).then(name).alias(name) for name in OF_TODAY)


def _contacts(bank: Bank) -> pl.LazyFrame:
    offers = bank.table("offers").filter(~pl.col("is_control").fill_null(False))
    return pl.concat([frame.select("customer_id", "on") for frame in (bank.table("contacts"), offers)])


def _exposure(customers: pl.LazyFrame, bank: Bank) -> pl.LazyFrame:
    of_loans = pl.col("line").is_in(bank.policy.lines_of("loans"))
    month = pl.lit(bank.as_of).dt.month_end()
    owed = -pl.col("closing").sum().clip(upper_bound=0)
    return (
        customers.lazy()
        .filter(pl.col("month") == month, of_loans)
        .group_by("customer_id")
        .agg(exposure=pl.when(pl.col("n_without_balance").sum() == 0).then(owed), is_known=pl.lit(True))
    )
