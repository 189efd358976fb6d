"""What is counted of each manager's customers in a period: who stayed, what they have, whether they were spoken to."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from crmlab.measures.managers.books import answering, kept_on
from crmlab.measures.managers.gathering import DIED, Known
from crmlab.measures.managers.owing import duties, spans, with_us
from crmlab.measures.managers.schedule import by_role, kept, reaching
from crmlab.panel.exact import half_even

ROW = {
    "customer_id": pl.Int32, "manager_id": pl.String, "measure": pl.String, "on": pl.Date, "n": pl.Int64,
    "n_events": pl.Int64,
}  # fmt: skip
BANDS = {"overdue_1": (1, 30), "overdue_2": (31, 60), "overdue_3": (61, 90), "overdue_4": (91, 10**6)}  # days
# Told of the day of the extract alone.
OF_TODAY = ("kyc_in_time", "file_completeness")
# Of these the base goes with the customer; what was won or happened in a period stays with whose it was.
OF_THE_BOOK = (
    "retention", "maturity_retention", "products_per_customer", "ebanking_activation", "contacts_on_schedule",
    "kyc_in_time", "file_completeness", "deviation", "overdue_loans", *BANDS,
)  # fmt: skip
ANSWERED = ("retention", "maturity_retention")
# Which frame of `Known` a measure cannot do without.
NEEDS = {
    "maturity_retention": "maturities", "ebanking_activation": "channels", "new_cards": "cards",
    "contacts_on_schedule": "contacts", "n_contacts": "contacts",
    "contact_to_sale": "leads", "cost_per_win": "leads", "satisfaction": "surveys",
    "complaints": "complaints", "kyc_in_time": "identified", "file_completeness": "completeness",
    "contribution": "contribution", "contribution_growth": "contribution", "overdue_loans": "loans",
    **dict.fromkeys(BANDS, "loans"),
}  # fmt: skip


class Span(NamedTuple):
    """A period: its first and last day, and the last one of the period before (None: there is none)."""

    starts_on: date
    ends_on: date
    before: date | None
    kind: str  # month, quarter or year


def counted(known: Known, span: Span) -> pl.DataFrame:
    """A row a customer, measure and occasion: customer_id, manager_id, measure, on, n, n_events, of one period.

    A rate is n_events of n; an amount or a count is the sum of n_events, and n is null.

    Who stayed, and what matured, is the manager's who answers for the customer on the day they went, it matured, or the
    period ended (`answering`). What customers have, and whether they were spoken to, is the manager's who keeps them on
    the last day, or kept them when they left; complaints and answers to surveys are the manager's who kept them on the
    day; a new customer is theirs who brought them, else who kept them first; leads are the manager's whom they name.
    """
    there = pl.DataFrame(schema=ROW)
    made = [part(known, span) for part in PARTS if _has(known, part)]
    rows = [rows.select(pl.col(name).cast(dtype) for name, dtype in ROW.items()) for rows in made if rows is not None]
    return pl.concat([there, *rows])


def moved_on(rows: pl.DataFrame, known: Known, span: Span) -> pl.DataFrame:
    """The rows of the period before, what goes with the customer laid to who has them at the end of this one."""
    goes = pl.col("measure").is_in(list(OF_THE_BOOK)) & pl.col("customer_id").is_not_null()
    answers = pl.col("measure").is_in(list(ANSWERED))
    end = pl.lit(span.ends_on).alias("on")
    of_book, stays = rows.filter(goes).drop("manager_id").with_columns(end), rows.filter(~goes)
    parts = [
        kept_on(known.keeping, of_book.filter(~answers), "on"),
        answering(known.keeping, of_book.filter(answers), "on", known.policy.managing),
    ]
    return pl.concat([stays, *(part.select(list(ROW)) for part in parts)])


def open_on(accounts: pl.DataFrame, on: date) -> pl.DataFrame:
    """The accounts that are open at the end of a day."""
    return accounts.filter(pl.col("opened_on") <= on, pl.col("closed_on").is_null() | (pl.col("closed_on") > on))


def _has(known: Known, part: Callable) -> bool:
    needed = {NEEDS[name] for name in PARTS[part] if name in NEEDS}
    return all(getattr(known, name) is not None for name in needed)


def _row(rows: pl.DataFrame, measure: str, n: pl.Expr | None, n_events: pl.Expr, on: str = "on") -> pl.DataFrame:
    return rows.select(
        "customer_id", "manager_id", measure=pl.lit(measure), on=on, n=pl.lit(None, pl.Int64) if n is None else n,
        n_events=n_events,
    )  # fmt: skip


def _at_end(known: Known, rows: pl.DataFrame, span: Span) -> pl.DataFrame:
    return kept_on(known.keeping, rows.with_columns(on=pl.lit(span.ends_on)), "on")


def _within(rows: pl.DataFrame, on: str, span: Span) -> pl.DataFrame:
    return rows.filter(pl.col(on).is_between(span.starts_on, span.ends_on))


def _stayed(known: Known, span: Span) -> pl.DataFrame:
    with_us = open_on(known.accounts, span.starts_on - timedelta(days=1)).select("customer_id").unique()
    still = open_on(known.accounts, span.ends_on).select("customer_id", is_kept=pl.lit(True)).unique()
    closed = known.accounts.filter(pl.col("closed_on") <= span.ends_on).sort("closed_on")
    last = closed.group_by("customer_id").agg(pl.col("closed_on", "close_reason").last())
    rows = with_us.join(still, on="customer_id", how="left").join(last, on="customer_id", how="left")
    rows = rows.filter(pl.col("is_kept").fill_null(False) | ~pl.col("close_reason").is_in(DIED).fill_null(False))
    rows = rows.with_columns(
        on=pl.when("is_kept").then(pl.lit(span.ends_on)).otherwise("closed_on"),
        is_kept=pl.col("is_kept").fill_null(False),
    )
    whose = answering(known.keeping, rows, "on", known.policy.managing)
    return _row(whose, "retention", pl.lit(1), pl.col("is_kept"))


def _matured(known: Known, span: Span) -> pl.DataFrame:
    seen = known.maturities.filter(pl.col("retained").is_not_null(), pl.col("amount") > 0)
    # What the heirs took did not leave us: nobody could have kept it.
    until = pl.col("matures_on") + timedelta(days=known.policy.churn.maturity_days)
    died = _died(known).join(seen.select("customer_id", "matures_on"), on="customer_id").filter(pl.col("on") <= until)
    seen = seen.join(died, on=["customer_id", "matures_on"], how="anti")
    whose = answering(known.keeping, _within(seen, "matures_on", span), "matures_on", known.policy.managing)
    return _row(whose, "maturity_retention", pl.col("amount"), pl.col("retained"), "matures_on")


def _died(known: Known) -> pl.DataFrame:
    """Customers who died or were merged, and when their last account was closed for it: customer_id, on."""
    ends = (
        known.accounts.sort("closed_on")
        .group_by("customer_id")
        .agg(pl.col("close_reason").last(), on=pl.col("closed_on").last(), is_open=pl.col("closed_on").is_null().any())
    )
    return ends.filter(~pl.col("is_open"), pl.col("close_reason").is_in(DIED)).select("customer_id", "on")


def _products(known: Known, span: Span) -> pl.DataFrame:
    held = open_on(known.accounts, span.ends_on).group_by("customer_id").agg(pl.col("product_id").n_unique())
    return _row(_at_end(known, held, span), "products_per_customer", pl.lit(1), pl.col("product_id"))


def _online(known: Known, span: Span) -> pl.DataFrame:
    acts = pl.col("n_online") + pl.col("n_mobile") > 0
    month = pl.col("month").is_between(span.starts_on, span.ends_on)
    used = known.channels.filter(month, acts).select("customer_id", is_used=pl.lit(True)).unique()
    with_us = open_on(known.accounts, span.ends_on).select("customer_id").unique()
    rows = with_us.join(used.collect(engine="streaming"), on="customer_id", how="left")
    return _row(_at_end(known, rows, span), "ebanking_activation", pl.lit(1), pl.col("is_used").fill_null(False))


def _newcomers(known: Known, span: Span) -> pl.DataFrame:
    rows = _within(known.customers, "since", span)
    # Who brought a customer did so for good, whoever has them by the end and whether or not the bringer is still here.
    for name, spells in (("brought_id", known.brought), ("kept_id", known.keeping)):
        told = spells.filter(pl.col("manager_id").is_not_null(), pl.col("from_on") <= span.ends_on).sort("from_on")
        first = told.group_by("customer_id").agg(pl.col("manager_id").first().alias(name))
        rows = rows.join(first, on="customer_id", how="left")
    theirs = rows.with_columns(manager_id=pl.coalesce("brought_id", "kept_id"))
    return _row(theirs, "new_customers", None, pl.lit(1), "since")


def _referred(known: Known, span: Span) -> pl.DataFrame:
    new = _within(known.customers.filter(pl.col("referred_by_id").is_not_null()), "since", span)
    referrers = new.select("since", customer_id="referred_by_id")
    return _row(kept_on(known.keeping, referrers, "since"), "referred_customers", None, pl.lit(1), "since")


def _carded(known: Known, span: Span) -> pl.DataFrame | None:
    if span.before is None:
        return None
    least = known.policy.managing.effective_card
    ends = known.cards.filter(pl.col("month").is_in([span.before, span.ends_on]), pl.col("average") >= least)
    sign = pl.when(pl.col("month") == span.ends_on).then(1).otherwise(-1)
    # Nobody keeps a customer who has left: the card is the loss of who kept them last.
    until = pl.col("closed_on").fill_null(span.ends_on).clip(upper_bound=span.ends_on).max()
    last = known.accounts.group_by("customer_id").agg(on=until)
    rows = ends.join(last, on="customer_id", how="left").with_columns(pl.col("on").fill_null(span.ends_on))
    return _row(kept_on(known.keeping, rows, "on"), "new_cards", None, sign)


def _complained(known: Known, span: Span) -> pl.DataFrame:
    return _row(kept_on(known.keeping, _within(known.complaints, "on", span), "on"), "complaints", None, pl.lit(1))


def _asked(known: Known, span: Span) -> pl.DataFrame:
    return _row(
        kept_on(known.keeping, _within(known.surveys, "on", span), "on"), "satisfaction", pl.lit(1), pl.col("score")
    )


def _sold(known: Known, span: Span) -> pl.DataFrame:
    """Leads of which it was known in the period how they ended, each as long after it began as the others."""
    days = timedelta(days=known.policy.funnel.settle_days)
    begun = pl.min_horizontal("contacted_on", "responded_on", "offered_on", "opened_on", "lost_on")
    rows = known.leads.with_columns(begun=begun).filter(
        pl.col("begun").is_between(span.starts_on - days, span.ends_on - days)
    )
    is_won = (pl.col("opened_on") <= pl.col("begun") + days).fill_null(False)
    paid = rows.filter(pl.col("cost").is_not_null())
    return pl.concat(
        [
            _row(rows, "contact_to_sale", pl.lit(1, pl.Int64), is_won.cast(pl.Int64), "begun"),
            _row(paid, "cost_per_win", is_won.cast(pl.Int64), pl.col("cost").cast(pl.Int64), "begun"),
        ]
    )


def _spoken(known: Known, span: Span) -> pl.DataFrame:
    """The duties of managers that ended in the period, kept or not (`schedule.kept`)."""
    since = date(span.ends_on.year - 1, 1, 1)  # no week, month, quarter or year that ends in the period began earlier
    keeping = known.keeping.filter(pl.col("to_on").is_null() | (pl.col("to_on") >= since))
    tiers = known.tiers.filter(pl.col("month") < span.ends_on) if known.tiers is not None else None
    owed = duties(spans(keeping, with_us(known.accounts), tiers, known.nominated, span.ends_on), known.policy)
    theirs = owed.filter(pl.col("by") == "manager", pl.col("manager_id").is_not_null())
    recent = reaching(known.contacts).filter(pl.col("on") >= since)
    contacts = by_role(recent, known.managers, known.keeping, known.policy.managing)
    rows = kept(theirs, contacts, span.ends_on, known.contacts_since)
    return _row(_within(rows, "on", span), "contacts_on_schedule", pl.col("n"), pl.col("n_events"))


def _contacted(known: Known, span: Span) -> pl.DataFrame:
    """Contacts made, of whoever made them; where that is not told, of who kept the customer."""
    if "manager_id" in known.contacts.columns:
        rows = known.contacts.rename({"manager_id": "made_by"})
    else:
        rows = known.contacts.with_columns(made_by=pl.lit(None, pl.String))
    reached = _within(reaching(rows), "on", span)
    whose = kept_on(known.keeping, reached, "on").with_columns(manager_id=pl.coalesce("made_by", "manager_id"))
    return _row(whose, "n_contacts", None, pl.lit(1))


def _dressed(known: Known, span: Span) -> pl.DataFrame:
    """Closing less the average of the last month, of deposits and investments: quarter-end money shows there."""
    aum = pl.col("line").is_in(known.policy.lines_of("deposits", "investments"))
    held = known.books.filter(pl.col("month") == span.ends_on, aum).group_by("customer_id")
    rows = held.agg(pl.col("closing", "balance_days").sum(), pl.col("days").first().cast(pl.Int64)).collect()
    above = pl.col("closing") - half_even(pl.col("balance_days"), pl.col("days"))
    return _row(_at_end(known, rows, span), "deviation", None, above)


def _overdue(known: Known, span: Span) -> pl.DataFrame:
    late = known.loans.filter(pl.col("month") == span.ends_on, pl.col("overdue_days") > 0)
    late = _at_end(known, late, span)
    bands = [
        _row(late.filter(pl.col("overdue_days").is_between(*band)), name, None, pl.lit(1, pl.Int64))
        for name, band in BANDS.items()
    ]
    return pl.concat([_row(late, "overdue_loans", None, pl.col("owed")), *bands])


def _identified(known: Known, span: Span) -> pl.DataFrame | None:
    if span.ends_on != known.as_of:
        return None
    with_us = open_on(known.accounts, span.ends_on).select("customer_id").unique()
    rows = known.identified.drop_nulls().join(with_us, on="customer_id", how="semi")
    return _row(_at_end(known, rows, span), "kyc_in_time", pl.lit(1), pl.col("kyc_due_on") >= span.ends_on)


def _filed(known: Known, span: Span) -> pl.DataFrame | None:
    if span.ends_on != known.as_of:
        return None
    rows = _at_end(known, known.completeness, span)
    return _row(rows, "file_completeness", pl.col("n_required"), pl.col("n_filled"))


PARTS: dict[Callable, tuple[str, ...]] = {
    _stayed: ("retention",),
    _matured: ("maturity_retention",),
    _products: ("products_per_customer",),
    _online: ("ebanking_activation",),
    _newcomers: ("new_customers",),
    _referred: ("referred_customers",),
    _carded: ("new_cards",),
    _complained: ("complaints",),
    _asked: ("satisfaction",),
    _sold: ("contact_to_sale", "cost_per_win"),
    _spoken: ("contacts_on_schedule",),
    _contacted: ("n_contacts",),
    _dressed: ("deviation",),
    _overdue: ("overdue_loans", *BANDS),
    _identified: ("kyc_in_time",),
    _filed: ("file_completeness",),
}
