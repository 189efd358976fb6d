"""What the rules for managers ask for and the bank's own tables do not have, or the other way round."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import near_miss
from crmlab.policy import MEASURES


def unmet(bank: Bank) -> list[str]:
    """Sentences, one a thing that would else be lost without a word; none where there is no table of managers.

    Told are targets that count for nothing, branches whose managers have no target where others have one, scorecards
    for grades or peer groups that do not occur, duties of leaders where nobody has such a grade, and managers at work
    who look after nobody. What a manager's grade is, is known of the day of the extract alone.
    """
    if not bank.has("managers"):
        return []
    parts = [_targets, _missing, _cards, _roles, _idle]
    return [sentence for part in parts for sentence in part(bank)]


def _targets(bank: Bank) -> Iterator[str]:
    if not bank.has("targets"):
        return
    used = {one.measure for card in bank.policy.scorecards for one in (*card.rules, *card.entries)}
    counts = bank.table("targets").group_by("measure").len().sort("measure").collect()
    for measure, n in counts.iter_rows():
        if measure not in MEASURES:
            yield (
                f"Targets of {measure} count for nothing, {n:,} in all: managers are not assessed by it. "
                f"{near_miss(measure, list(MEASURES))}"
            )
        elif measure not in used:
            yield (
                f"Targets of {measure} count for nothing, {n:,} in all: no scorecard has a rule on it. Add one to "
                "policy.toml, or leave them out."
            )


def _missing(bank: Bank) -> Iterator[str]:
    """Branches none of whose managers has a target that managers of other branches have."""
    if not bank.has("targets"):
        return
    staff = bank.table("managers").filter(_at_work(bank.as_of)).select("manager_id", "branch_id")
    known = pl.col("measure").is_in(list(MEASURES))
    aims = bank.table("targets").filter(known, pl.col("from_on") <= bank.as_of, pl.col("to_on") >= bank.as_of)
    has = aims.join(staff.rename({"branch_id": "home"}), on="manager_id").select("measure", branch_id="home").unique()
    every = has.select("measure").unique().join(staff.select("branch_id").drop_nulls().unique(), how="cross")
    without = every.join(has, on=["measure", "branch_id"], how="anti").sort("measure", "branch_id").collect()
    for (measure,), rows in without.group_by("measure", maintain_order=True):
        yield (
            f"Nobody in {_count(len(rows), 'branch', 'branches')} has a target for {measure} as of {bank.as_of} "
            f"(first: {rows['branch_id'][0]}). Write them into the table targets, or a target into the rule."
        )


def _cards(bank: Bank) -> Iterator[str]:
    of_branches = bank.table("branches").select(pl.col("peer_group").unique()).collect()["peer_group"]
    asked = {"peer group": ("peer_groups", set(of_branches)), "grade": ("grades", _grades(bank))}
    for card in bank.policy.scorecards:
        for what, (key, there) in asked.items():
            if unknown := [one for one in getattr(card, key) if there and one not in there]:
                yield (
                    f"Scorecard {card.name} is for the {what} {unknown[0]}, which does not occur. "
                    f"{near_miss(unknown[0], sorted(one for one in there if one))}"
                )


def _roles(bank: Bank) -> Iterator[str]:
    grades = _grades(bank)
    there = {"leader": bank.policy.managing.leader_grades, "middle": bank.policy.managing.middle_grades}
    for by, allowed in there.items():
        asked = [duty for duty in bank.policy.duties if duty.by == by]
        is_owed = any(bank.has("nominations") or set(duty.who) != {"nominated"} for duty in asked)
        if grades and is_owed and not grades & set(allowed):
            yield (
                f"Nobody can meet the duties of the {by}: no manager has a grade of managing.{by}_grades "
                f"({', '.join(allowed) or 'none'}). Known: {', '.join(sorted(grades))}."
            )


def _idle(bank: Bank) -> Iterator[str]:
    if not bank.has("assignments"):
        return
    as_of = bank.as_of
    now = bank.table("assignments").filter(
        pl.col("role").cast(pl.String) == "maintains",
        pl.col("from_on") <= as_of,
        pl.col("to_on").is_null() | (pl.col("to_on") >= as_of),
    )
    staff = bank.table("managers").filter(_at_work(as_of))
    idle = staff.join(now, on="manager_id", how="anti").select(pl.col("manager_id").sort()).collect()["manager_id"]
    if len(idle):
        yield (
            f"{_count(len(idle), 'manager')} at work without a customer on {as_of} (first: {idle[0]}), not assessed. "
            "Assign customers to them, or say when they left."
        )


def _at_work(on: date) -> pl.Expr:
    return pl.col("left_on").is_null() | (pl.col("left_on") > on)


def _grades(bank: Bank) -> set[str]:
    """The grades that occur; none where they are not told, since the extract is of another day."""
    if bank.as_of < date.fromisoformat(bank.manifest["history_to"]):
        return set()
    return set(bank.current("managers").select(pl.col("grade").drop_nulls().unique()).collect()["grade"])


def _count(n: int, one: str, more: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else more or one + 's'}"
