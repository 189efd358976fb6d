"""What to do next with a customer: of all that applies, the first by stated priority."""

from collections.abc import Iterator

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.views import theme
from crmlab.views.customer.sheet import Sheet
from crmlab.views.words import named, word

SOON = 30  # days before a maturity in which it is talked about


def steps(sheet: Sheet) -> list[tuple[str, str]]:
    """Why something is to be done, and what, the most urgent first.

    In the order in which the page states them: open complaints, maturities within `SOON` days, a tier nearly reached or
    nearly lost, an incomplete file, what the policy says of the segment.
    """
    return [*_complaints(sheet), *_maturities(sheet), *_tier(sheet), *_file(sheet), *_segment(sheet)]


def _complaints(sheet: Sheet) -> Iterator[tuple[str, str]]:
    for row in sheet.complaints.filter(pl.col("resolved_on").is_null()).iter_rows(named=True):
        told = {"on": theme.day(row["on"]), "days": (sheet.mart.as_of - row["on"]).days}
        yield "complaint", word("customer.step_complaint", topic=row["topic"] or "–", **told)


def _maturities(sheet: Sheet) -> Iterator[tuple[str, str]]:
    today = sheet.mart.as_of
    soon = pl.col("matures_on").is_between(today, pl.lit(today).dt.offset_by(f"{SOON}d"))
    for row in sheet.holdings.filter(soon, pl.col("closed_on").is_null()).sort("matures_on").iter_rows(named=True):
        kind = "due" if row["line"] == "loans" else "matures"
        told = {"on": theme.day(row["matures_on"]), "days": (row["matures_on"] - today).days}
        yield kind, word(f"customer.step_{kind}", product=row["product"], money=amount(sheet.mart, row), **told)


def _tier(sheet: Sheet) -> Iterator[tuple[str, str]]:
    worth, mart = sheet.worth, sheet.mart
    for side, column in (("up", "missing"), ("down", "above")):
        if worth.get(f"is_near_{side}"):
            money = f"{mart.base_currency} {theme.money(worth[column], mart.minor_digits)}"
            told = {"money": money, "tier": sheet.now["tier"], "next": worth["next_tier"]}
            yield side, word(f"customer.step_{side}", **told)


def _file(sheet: Sheet) -> Iterator[tuple[str, str]]:
    missing = sheet.row("completeness").get("missing")
    if missing:
        fields = ", ".join(named("field", name).lower() for name in missing.split(", "))
        yield "file", word("customer.step_file", fields=fields)


def _segment(sheet: Sheet) -> Iterator[tuple[str, str]]:
    if sheet.rule:
        yield "segment", word("customer.step_segment", segment=sheet.rule["name"], do=sheet.rule["do"])


def amount(mart: Mart, account: dict) -> str:
    """The closing balance of an account in its own currency, a debt without its sign."""
    if account["closing"] is None:
        return "–"
    return f"{account['currency']} {theme.full(abs(account['closing']) / 10 ** mart.digits(account['currency']))}"
