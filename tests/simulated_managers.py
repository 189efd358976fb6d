"""Simulated banks whose managers are known, and what the assessment says of them: for tests of fairness."""

import os
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import polars as pl

from crmlab import panel, simulate
from crmlab.bank.read import read
from crmlab.mart import fairness
from crmlab.mart.managing import Known
from crmlab.mart.people import People
from crmlab.mart.worth import Worth
from crmlab.measures import managers

MONTHS, BEFORE = 15, 3  # of which the last twelve are judged
AS_OF, SINCE = date(2024, 3, 31), date(2023, 3, 31)


def judged(folder: Path) -> pl.DataFrame:
    """The page table `fairness` of a bank, made as a build makes it, without what it does not rest on."""
    bank = read(folder / "bank", as_of=AS_OF, landed=folder / "landed")
    worth, people, months = Worth(bank), People(bank), []
    for month, facts, customers, books in panel.monthly(bank):
        lines = worth.lines(month, facts)
        standing = people.add_month(customers, lines, panel.keepers(bank, month))
        months.append((facts, customers, books, lines, standing))
        worth.months.append(month)
    facts, customers, books, lines, _ = (pl.concat(part).lazy() for part in zip(*months, strict=True))
    paths = people.paths(worth.tiers(people.standing())[0])
    known = Known(bank, paths, people.everyone, None, facts, customers, books, lines, None, None, None, None)
    tiers = paths.tier.select("customer_id", "month", pl.col("tier").cast(pl.String))
    gathered = managers.gathered(bank, books, facts, tiers=tiers)
    return fairness.told(known, gathered, SINCE, AS_OF)["fairness"]


def lived(seed: int, future: simulate.Future, customers: int, managing: simulate.Managing) -> pl.DataFrame:
    """One bank in one of its lives, judged; beside it what was planted."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        simulate.bank(folder / "bank", customers=customers, months=MONTHS, seed=seed, managing=managing, future=future)
        planted = simulate.truth(folder / "bank", "managers")
        found = judged(folder).join(planted, on="manager_id", how="left", maintain_order="left")
    return found.with_columns(seed=pl.lit(seed), life=pl.lit(future.life))


def all_lived(banks: list[tuple[int, simulate.Future, int, simulate.Managing]]) -> pl.DataFrame:
    """All of these, two at a time, each on one processor."""
    alone = patch.dict(os.environ, POLARS_MAX_THREADS="1")
    with alone, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return pl.concat(pool.map(lived, *zip(*banks, strict=True)), how="diagonal_relaxed")
