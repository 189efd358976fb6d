"""What the assessment of managers rests on, gathered from the bank and from what the panel made of it."""

from datetime import date
from typing import NamedTuple

import polars as pl

from crmlab import panel
from crmlab.bank.read import Bank
from crmlab.panel.exact import half_even
from crmlab.panel.rates import in_base_of_the_day
from crmlab.policy import Policy

DIED = ["deceased", "merged"]  # they did not leave us


class Known(NamedTuple):
    """What is known of managers and their customers; a frame that is None was not delivered."""

    as_of: date
    policy: Policy
    books: pl.LazyFrame  # panel.books
    managers: pl.DataFrame  # manager_id, branch_id, peer_group, grade, graded_on (since when at least)
    keeping: pl.DataFrame  # panel.keeping
    brought: pl.DataFrame  # panel.keeping of those who originate
    customers: pl.DataFrame  # customer_id, kind, since, referred_by_id
    accounts: pl.DataFrame  # customer_id (each holder), product_id, line, opened_on, closed_on, close_reason
    contribution: pl.LazyFrame | None = None  # contribution.lines
    channels: pl.LazyFrame | None = None  # customer_id, month, n_online, n_mobile: panel.customers
    maturities: pl.DataFrame | None = None  # panel.maturities
    cards: pl.DataFrame | None = None  # account_id, customer_id, month, average (of those open at its end)
    loans: pl.DataFrame | None = None  # account_id, customer_id, month, owed, overdue_days
    contacts: pl.DataFrame | None = None  # customer_id, manager_id (who made it), on, outcome
    contacts_since: date | None = None  # from when on contacts are known; None: ever
    nominated: pl.DataFrame | None = None  # the table nominations
    leads: pl.DataFrame | None = None  # measures.funnel.leads
    surveys: pl.DataFrame | None = None  # customer_id, on, score
    complaints: pl.DataFrame | None = None  # customer_id, on
    tiers: pl.DataFrame | None = None  # customer_id, month, tier
    identified: pl.DataFrame | None = None  # customer_id, kyc_due_on, as of `as_of`
    completeness: pl.DataFrame | None = None  # customer_id, n_required, n_filled, as of `as_of`
    targets: pl.DataFrame | None = None  # the table targets


def gathered(
    bank: Bank,
    books: pl.LazyFrame,
    facts: pl.LazyFrame,
    contribution: pl.LazyFrame | None = None,
    channels: pl.LazyFrame | None = None,
    maturities: pl.DataFrame | None = None,
    leads: pl.DataFrame | None = None,
    tiers: pl.DataFrame | None = None,
    completeness: pl.DataFrame | None = None,
) -> Known:
    """What `assessed` needs, of one bank.

    Parameters
    ----------
    bank
        The bank.
    books, facts
        As `panel.books` and `panel.facts` give them, of the whole history.
    contribution
        As `contribution.lines` gives them.
    channels
        As `panel.customers` gives them.
    maturities
        As `panel.maturities` gives them.
    leads
        As `funnel.leads` gives them.
    tiers
        customer_id, month, tier.
    completeness
        customer_id, n_required, n_filled: as `completeness.fields` gives them.
    """

    def delivered(table: str, *columns: str) -> pl.DataFrame | None:
        return bank.table(table).select(columns).collect() if bank.has(table) else None

    due = _identified(bank)
    return Known(
        as_of=bank.as_of,
        policy=bank.policy,
        books=books,
        managers=_managers(bank),
        keeping=panel.keeping(bank),
        brought=panel.keeping(bank, role="originates"),
        customers=bank.table("customers")
        .select("customer_id", pl.col("kind").cast(pl.String), "since", "referred_by_id")
        .collect(),
        accounts=_accounts(bank),
        contribution=contribution,
        channels=channels,
        maturities=maturities,
        cards=_cards(bank, facts),
        loans=_loans(bank, facts) if bank.has("loan_status") else None,
        contacts=delivered("contacts", "customer_id", "manager_id", "on", "outcome"),
        contacts_since=bank.history_from,
        nominated=delivered("nominations", "customer_id", "from_on", "to_on"),
        leads=leads,
        surveys=delivered("surveys", "customer_id", "on", "score"),
        complaints=delivered("complaints", "customer_id", "on"),
        tiers=tiers,
        identified=due if due["kyc_due_on"].count() else None,
        completeness=completeness,
        targets=delivered("targets", "measure", "branch_id", "manager_id", "set_on", "from_on", "to_on", "target"),
    )


def _identified(bank: Bank) -> pl.DataFrame:
    """Until when each customer must be identified anew, where `as_of` is the extract's own day; else null."""
    due = bank.current("customers").select("customer_id", "kyc_due_on").collect()
    is_today = bank.as_of >= date.fromisoformat(bank.manifest["history_to"])
    return due if is_today else due.with_columns(kyc_due_on=pl.lit(None, pl.Date))


def _managers(bank: Bank) -> pl.DataFrame:
    """Managers with branch, and the grade of the day; before their last promotion it was another one, not told."""
    peers = bank.table("branches").select("branch_id", "peer_group")
    promoted = bank.table("manager_events").filter(pl.col("kind").cast(pl.String) == "promoted")
    since = promoted.group_by("manager_id").agg(graded_on=pl.col("on").max())
    is_today = bank.as_of >= date.fromisoformat(bank.manifest["history_to"])
    grades = bank.current("managers").select("manager_id", grade=pl.when(pl.lit(is_today)).then("grade"))
    return (
        bank.table("managers")
        .select("manager_id", "branch_id")
        .join(peers, on="branch_id", how="left")
        .join(grades, on="manager_id", how="left")
        .join(since, on="manager_id", how="left")
        .sort("manager_id")
        .collect()
    )


def _accounts(bank: Bank) -> pl.DataFrame:
    """The accounts of each customer, a joint one as often as it has holders."""
    lines = bank.table("products").select("product_id", pl.col("line").cast(pl.String))
    columns = ["account_id", "customer_id", "product_id", "opened_on", "closed_on", "close_reason"]
    accounts = bank.table("accounts").select(columns).with_columns(pl.col("close_reason").cast(pl.String))
    joint = (
        bank.table("holders")
        .filter(pl.col("role").cast(pl.String) != "user", pl.col("share") > 0)  # as the panel counts them
        .select("account_id", "customer_id")
        .join(accounts.drop("customer_id"), on="account_id")
    )
    held = pl.concat([accounts.select(columns), joint.select(columns)]).unique(["account_id", "customer_id"])
    return held.join(lines, on="product_id", how="left").drop("account_id").sort("customer_id", "opened_on").collect()


def _of_lines(bank: Bank, lines: pl.Expr) -> pl.LazyFrame:
    products = bank.table("products").filter(lines).select("product_id")
    return bank.table("accounts").join(products, on="product_id", how="semi")


def _cards(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """The monthly average balance of each card that is open at the month's end, in minor units of the base currency.

    Whatever its sign; over the days of the month within the history, so that a card of a day is one of a day.
    """
    of = _of_lines(bank, pl.col("line").cast(pl.String) == "cards")
    cards = of.select("account_id", "customer_id", "currency", "closed_on")
    last = pl.min_horizontal("month", pl.lit(bank.as_of))
    still = facts.join(cards, on="account_id").filter(pl.col("closed_on").is_null() | (pl.col("closed_on") > last))
    sums = still.group_by("account_id", "customer_id", "currency", "month").agg(pl.col("balance_days").sum())
    days = (last - pl.max_horizontal(pl.col("month").dt.month_start(), pl.lit(bank.history_from))).dt.total_days() + 1
    rows = sums.with_columns(amount=half_even(pl.col("balance_days").abs(), days), booked_on=last)
    told = in_base_of_the_day(rows, bank).select("account_id", "customer_id", "month", average="amount")
    return told.sort("account_id", "month").collect(engine="streaming")


def _loans(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """What is owed on each loan at each month's end, in minor units of the base currency, and for how long overdue."""
    loans = pl.col("line").cast(pl.String).is_in(bank.policy.lines_of("loans"))
    of = _of_lines(bank, loans).select("account_id", "customer_id", "currency")
    ends = facts.filter(pl.col("ends_on") == pl.col("month")).join(of, on="account_id")
    rows = ends.select("account_id", "customer_id", "currency", booked_on="month", amount=-pl.col("closing"))
    owed = in_base_of_the_day(rows, bank).filter(pl.col("amount") > 0).sort("booked_on").collect(engine="streaming")
    status = bank.table("loan_status").select("account_id", "on", "overdue_days").sort("on").collect()
    found = owed.join_asof(status, left_on="booked_on", right_on="on", by="account_id", check_sortedness=False)
    older = pl.col("overdue_days") + (pl.col("booked_on") - pl.col("on")).dt.total_days()
    overdue = pl.when(pl.col("overdue_days") > 0).then(older).otherwise("overdue_days")
    return found.select("account_id", "customer_id", month="booked_on", owed="amount", overdue_days=overdue)
