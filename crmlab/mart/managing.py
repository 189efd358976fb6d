"""The tables of managers: what each is assessed by, what of it is theirs, points, contacts owed, books to be dealt."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from crmlab.bank.read import Bank
from crmlab.bank.unmet import unmet
from crmlab.errors import InputError
from crmlab.mart import behind, fairness
from crmlab.mart.people import Paths
from crmlab.measures import managers, movement
from crmlab.measures.managers.amounts import PERIODS
from crmlab.policy import MEASURES, Scorecard

YEAR = 12  # months
MONTH = 30  # days ahead of which due contacts are told
TEXT = pl.String
TABLES = (
    "assessed", "scores", "totals", "fairness", "target_audit", "book_bridges", "assignment_findings", "due", "duties",
    "to_deal", "receivers",
)  # fmt: skip
Progress = Callable[[str, int, int], None]


class Known(NamedTuple):
    """What the tables are made of."""

    bank: Bank
    paths: Paths
    people: pl.DataFrame  # a row a customer there ever was
    roster: pl.DataFrame  # a row a customer who is with us
    facts: pl.LazyFrame
    customers: pl.LazyFrame
    books: pl.LazyFrame
    contribution: pl.LazyFrame
    maturities: pl.DataFrame
    leads: pl.DataFrame
    completeness: pl.DataFrame
    members: pl.DataFrame  # customer_id, household_id, group_id


def tables(known: Known, folder: Path, progress: Progress) -> tuple[dict[str, pl.DataFrame], dict]:
    """The page tables by name, and what the manifest says of managers; into the folder goes what is behind points."""
    bank = known.bank
    behind.begun(folder)
    rules = {
        "scorecards": [asdict(card) for card in bank.policy.scorecards],
        "pay": [asdict(plan) for plan in bank.policy.pay],
        "recut": asdict(bank.policy.recut),
        **asdict(bank.policy.managing),
    }  # fmt: skip
    since, until = _span(known)
    made, without = dict.fromkeys(TABLES, pl.DataFrame()), {}
    if not bank.has("managers") or not bank.has("assignments"):
        without = dict.fromkeys(TABLES, "There is no table managers, or no table assignments. Deliver them.")
    else:
        gathered = _gathered(known)
        parts = {
            "scores": lambda: _scored(gathered, bank.policy.scorecards, bank.policy.pay, folder),
            "fairness": lambda: fairness.told(known, gathered, since, until),
            "book_bridges": lambda: {"book_bridges": _bridges(known, since, until)},
            "assignment_findings": lambda: {"assignment_findings": _findings(known)},
            "due": lambda: _planned(known, gathered),
        }
        for done, (name, part) in enumerate(parts.items()):
            progress("managers", done, len(parts))
            try:
                made |= part()
            except InputError as error:
                without[name] = str(error)
        made["target_audit"], why = audited(made["assessed"])
        without |= {"target_audit": why} if why else {}
    progress("managers", 1, 1)
    told = {"unmet": unmet(bank), "without": without, "from_on": str(since), "to_on": str(until)}
    return made, rules | told


def audited(assessed: pl.DataFrame) -> tuple[pl.DataFrame, str | None]:
    """Of each measure with targets, whether achieving them in the year follows the book that the year began with.

    Parameters
    ----------
    assessed
        The page table of that name.

    Returns
    -------
    tuple[pl.DataFrame, str | None]
        measure and the columns of `managers.target_audit`, a row a measure; where there is none, why. Who had no book
        when the year began is counted among those left out.
    """
    if assessed.is_empty():
        return pl.DataFrame(), None
    since = assessed.select(pl.col("period").max().dt.offset_by(f"-{YEAR}mo").dt.month_end()).item()
    rows = assessed.filter(pl.col("period") > since)
    # Who is scored by the quarter and by the year is not counted twice.
    shortest = pl.col("every").replace_strict({name: n for n, name in enumerate(PERIODS)}, return_dtype=pl.Int8)
    rows = rows.filter(shortest == shortest.min().over("manager_id"))
    is_book = pl.col("measure").is_in(["deposits_average", "investments_average"])
    first = pl.col("period") == pl.col("period").min().over("every")
    start = rows.filter(is_book, first).group_by("manager_id").agg(start=pl.col("base").sum())
    found, why = [], None
    for (measure,), part in sorted(rows.drop_nulls(["target", "value"]).partition_by("measure", as_dict=True).items()):
        sums = part.group_by("manager_id").agg(pl.col("value", "target").sum()).join(start, on="manager_id", how="left")
        try:
            told = managers.target_audit(sums.with_columns(pl.col("start").fill_null(0)))
        except InputError as error:
            why = str(error)
            continue
        found.append(_plain(told).select(pl.lit(measure).alias("measure"), pl.all()))
    if not found:
        return pl.DataFrame(), why or "No manager has a target, so nothing can be said of how fair targets are."
    return pl.concat(found), None


def _gathered(known: Known) -> managers.Known:
    return managers.gathered(
        known.bank,
        known.books,
        known.facts,
        known.contribution,
        known.customers,
        known.maturities,
        known.leads,
        known.paths.tier.select("customer_id", "month", pl.col("tier").cast(TEXT)),
        known.completeness.select("customer_id", "n_required", "n_filled"),
    )


def _span(known: Known) -> tuple[date, date]:
    """The last month end of the history and the one a year before it, or the first."""
    as_of = known.bank.as_of
    last = as_of if (as_of + timedelta(1)).day == 1 else as_of.replace(day=1) - timedelta(1)
    first = known.books.select(pl.col("month").min()).collect().item()
    return max(pl.select(pl.lit(last).dt.offset_by(f"-{YEAR}mo").dt.month_end()).item(), first), last


def _scored(
    gathered: managers.Known, cards: tuple[Scorecard, ...], pay: tuple, folder: Path
) -> dict[str, pl.DataFrame]:
    """What everybody is scored by, the trace in words, and what it adds up to; into the folder the rows behind it.

    A card is of a month, a quarter or a year: of each table only those are kept whom a card of that period scores.
    """
    parts = []
    for every in sorted({card.period for card in cards}):
        rows = managers.assessed(gathered, every)
        # A card is of a book: who kept nobody has rows of what they did alone.
        has_book, is_told = pl.len() == len(MEASURES), pl.col("value").count() > 0
        judged = rows.filter((has_book & is_told).over("manager_id", "period"))
        own = [card for card in cards if card.period == every]
        trace = managers.scores(judged, cards).filter(pl.col("card").is_in([card.name for card in own]))
        scored = judged.join(trace.select("manager_id", "period").unique(), on=["manager_id", "period"], how="semi")
        sums = managers.paid(managers.totals(trace, cards), pay)
        # Sentences and the rows behind them are of the last year: what was earlier is told by its totals.
        since = pl.col("period").max().dt.offset_by(f"-{YEAR}mo").dt.month_end()
        recent = managers.told(trace.filter(pl.col("period") > since), cards)
        behind.written(folder, gathered, scored.filter(pl.col("period") > since), own, every)
        made = {"assessed": scored, "scores": recent, "totals": sums}
        parts.append({name: _plain(frame).with_columns(every=pl.lit(every)) for name, frame in made.items()})
    key = ["manager_id", "period"]
    return {name: pl.concat(one[name] for one in parts).sort(key, maintain_order=True) for name in parts[0]}


def _bridges(known: Known, since: date, until: date) -> pl.DataFrame:
    """What moved the book of each manager, branch and of the bank in the year: deposits and investments."""
    lines = known.bank.policy.lines_of("deposits", "investments")
    home = known.people.select("customer_id", "branch_id")
    spans = movement.spans(known.books, since, until, lines).join(home, on="customer_id", how="left")
    staff = known.bank.table("managers").select("manager_id", "branch_id").collect()
    levels = {"manager": ["branch_id", "manager_id"], "branch": "branch_id", "bank": None}
    made = [
        managers.bridge(spans, staff, by).with_columns(level=pl.lit(level)) for level, by in levels.items()
    ]  # fmt: skip
    days = {"from_on": pl.lit(since), "to_on": pl.lit(until)}
    return pl.concat(made, how="diagonal").select("level", pl.exclude("level")).with_columns(**days)


def _findings(known: Known) -> pl.DataFrame:
    """What is wrong with the assignments, a row an object, by the customers' own numbers."""
    bank = known.bank
    assigned, accounts, staff = (bank.table(name).collect() for name in ("assignments", "accounts", "managers"))
    found = managers.findings(assigned, accounts, staff, bank.policy.managing, bank.as_of)
    numbers = known.people.select("customer_id", "customer_no", "branch_id")
    return _plain(found.join(numbers, on="customer_id", how="left", maintain_order="left")).drop("object")


def _planned(known: Known, gathered: managers.Known) -> dict[str, pl.DataFrame]:
    """Whom managers owe a contact today or within the month, whether there is time, and what dealing a book asks."""
    bank, as_of = known.bank, known.bank.as_of
    homes = known.roster.select("customer_id", "customer_no", "name", "branch_id")
    spans = managers.spans(
        gathered.keeping, managers.with_us(gathered.accounts), gathered.tiers, gathered.nominated, as_of
    )
    ours = spans.filter(pl.col("manager_id").is_not_null()).join(homes, on="customer_id")
    owed = managers.duties(ours.drop("customer_no", "name"), bank.policy)
    contacts = gathered.contacts if gathered.contacts is not None else pl.DataFrame(schema=CONTACTS)
    made = managers.by_role(managers.reaching(contacts), gathered.managers, gathered.keeping, bank.policy.managing)
    planned = managers.due(owed, made, as_of, gathered.contacts_since)
    load = managers.workload(planned, bank.table("capacity").collect(), as_of)
    staff = bank.table("managers").select("manager_id", "branch_id").collect()
    soon = planned.filter(pl.col("due_on") <= as_of + timedelta(MONTH))
    names = homes.select("customer_id", "customer_no", "name")
    is_now = pl.col("to_on").is_null() | (pl.col("to_on") >= as_of)
    return {
        "due": _plain(soon).join(names, on="customer_id", how="left", maintain_order="left"),
        "duties": _plain(load).join(staff, on="manager_id", how="left", maintain_order="left"),
        **_to_deal(known, gathered.keeping, owed.filter(is_now)),
    }


CONTACTS = {"customer_id": pl.Int32, "manager_id": TEXT, "on": pl.Date, "outcome": TEXT}


def _to_deal(known: Known, keeping: pl.DataFrame, owed: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Everybody with who looks after them, or did last where that manager has left; and who may receive them.

    A page asks for any book of these to be dealt anew (`crmlab.mart.recutting`).
    """
    bank, as_of = known.bank, known.bank.as_of
    staff = bank.table("managers").select("manager_id", "branch_id", "left_on").collect()
    gone = staff.filter(pl.col("left_on") <= as_of)["manager_id"].implode()
    room = bank.table("capacity").filter(pl.col("month") == pl.lit(as_of).dt.month_end()).collect()
    here = staff.filter(~pl.col("manager_id").is_in(gone)).join(room, on="manager_id")
    spells = keeping.filter(pl.col("from_on") <= as_of, pl.col("manager_id").is_not_null())
    last = spells.sort("from_on").group_by("customer_id").agg(pl.col("manager_id", "to_on").last())
    is_now = pl.col("to_on").is_null() | (pl.col("to_on") >= as_of)
    kept = last.filter(is_now | pl.col("manager_id").is_in(gone)).select("customer_id", "manager_id")
    lines = known.contribution.filter(pl.col("month") > _span(known)[0])
    parts = [one for one in bank.policy.contribution.components if one in lines.collect_schema().names()]
    earned = lines.group_by("customer_id").agg(contribution=pl.sum_horizontal(pl.col(parts).sum())).collect()
    asked = owed.filter(pl.col("by") == "manager").select("customer_id", contacts="a_year")
    industry = bank.table("customers").select("customer_id", "industry").collect()
    ties = known.members.select("customer_id", "household_id", "group_id")
    rows = known.roster.select("customer_id", "branch_id", pl.col("kind").cast(TEXT)).join(kept, on="customer_id")
    for more in (earned, asked, industry, ties):
        rows = rows.join(more, on="customer_id", how="left", maintain_order="left")
    rows = rows.with_columns(
        pl.col("contribution", "contacts").fill_null(0).cast(pl.Int64), has_left=pl.col("manager_id").is_in(gone)
    ).sort("customer_id")
    return {"to_deal": rows, "receivers": here.select("manager_id", "branch_id", "n_contacts").sort("manager_id")}


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    """Words as text: pages know nothing of enums."""
    return table.with_columns(pl.col(pl.Enum).cast(TEXT))
