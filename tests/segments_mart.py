"""A mart drawn at random with the page tables that `segments` reads, as large as asked for."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from crmlab import policy
from crmlab.mart.snapshot import Mart
from crmlab.views.theme import STATES

AS_OF = date(2025, 12, 31)
MONTHS = pl.date_range(date(2024, 1, 31), AS_OF, "1mo", eager=True).dt.month_end().to_list()
SEGMENTS_FROM = 5  # of the months, the first with segments
TIERS = ["basic", "gold", "platinum", "diamond"]
CATEGORIES = ["dining", "education", "fuel", "groceries", "housing", "medical", "shopping", "utilities"]
LINES = ["deposits", "loans", "wealth", "insurance", "cards"]
CHANNELS = ["counter", "atm", "online", "mobile", "pos"]
KINDS = ["retail", "small business", "corporate"]


def drawn(n: int = 400, seed: int = 1) -> Mart:
    """The mart of `n` customers, of whom some come, some leave and some cannot be told."""
    rng = np.random.default_rng(seed)
    people = _people(n, rng)
    paths = _paths(people, rng)
    traits = _traits(paths, rng)
    rules = policy.load().segmentation
    pages = {
        "people": people,
        "paths": paths,
        "traits": traits,
        "roster": _roster(people, paths, traits, rng),
        "segments": pl.DataFrame(
            [(r.name, *map(", ".join, (r.activity, r.earning, r.growth)), r.means, r.do) for r in rules.rows],
            schema=["name", "activity", "earning", "growth", "means", "do"], orient="row",
        ),
        "segment_cells": _cells(rules),
        "worth_tiers": pl.DataFrame({"rule": "tier", "name": TIERS, "rank": range(len(TIERS))}),
        "branches": pl.DataFrame({"branch_id": ["B1", "B2"], "name": ["Riverside", "Old Town"]}),
        "managers": pl.DataFrame({"manager_id": ["M1", "M2"], "name": ["Li", "Xu"], "branch_id": ["B1", "B2"]}),
        "spending_months": _spending(rules, rng),
        "channel_months": _channels(rules, rng),
        "leads": _leads(people, rng),
        "clusters": _clusters(),
    }  # fmt: skip
    manifest = {
        "as_of": str(AS_OF), "base_currency": "CNY", "minor_digits": 2, "least_effect": 0.2, "settle_days": 90,
        "tables": {},
    }  # fmt: skip
    return Mart(Path(f"drawn-{n}-{seed}"), manifest, pages)


def _people(n: int, rng: np.random.Generator) -> pl.DataFrame:
    branch = rng.integers(1, 3, n)
    return pl.DataFrame(
        {
            "customer_id": np.arange(n, dtype=np.int32),
            "customer_no": [f"C{i:06}" for i in range(n)],
            "kind": rng.choice(KINDS, n, p=[0.85, 0.1, 0.05]),
            "branch_id": [f"B{b}" for b in branch],
            "name": ["W…"] * n,
            "since": [date(2020, 1, 1)] * n,
            "first_on": [date(2020, 1, 1)] * n,
            "manager_id": [f"M{b}" if owned else None for b, owned in zip(branch, rng.random(n) < 0.6, strict=True)],
        }
    )


def _paths(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n, names = people.height, [row.name for row in policy.load().segmentation.rows]
    comes = np.where(rng.random(n) < 0.15, rng.integers(0, len(MONTHS), n), 0)
    goes = np.where(rng.random(n) < 0.12, rng.integers(1, len(MONTHS), n), len(MONTHS) + 1)
    goes = np.maximum(goes, comes + 1)
    segment, tier = rng.integers(0, len(names), n), rng.choice(len(TIERS), n, p=[0.6, 0.25, 0.1, 0.05])
    state, aum = rng.integers(1, 5, n), rng.lognormal(13, 2, n)
    columns: dict[str, pl.Series] = {}
    for at, month in enumerate(MONTHS):
        moves = rng.random(n) < 0.06
        segment = np.where(moves, rng.integers(0, len(names), n), segment)
        state = np.where(rng.random(n) < 0.05, rng.integers(1, 5, n), state)
        tier = np.clip(tier + (rng.random(n) < 0.01) - (rng.random(n) < 0.01), 0, len(TIERS) - 1)
        aum = aum * np.exp(rng.normal(0, 0.1, n) - 0.5 * (moves & (segment == 4)))
        there, left = (comes <= at) & (at < goes), goes <= at
        kept = there & (rng.random(n) > 0.01)
        word = np.where(left, "left", np.where(at - comes < 6, "new", np.array(list(STATES), object)[state]))
        word = np.where((at - comes < 6) & (comes == 0) & ~left, np.array(list(STATES), object)[state], word)
        if at >= SEGMENTS_FROM:
            columns[f"segment {month}"] = _enum(np.array(names, object)[segment], kept, names)
        columns[f"state {month}"] = _enum(word, there | left, list(STATES))
        columns[f"tier {month}"] = _enum(np.array(TIERS, object)[tier], there, TIERS)
        columns[f"aum {month}"] = pl.Series(aum.astype(np.int64)).set(pl.Series(~kept), None)
    return people.select("customer_id", "kind", "branch_id", "manager_id").with_columns(**columns)


def _enum(values: np.ndarray, known: np.ndarray, names: list[str]) -> pl.Series:
    return pl.Series(np.where(known, values, None).tolist(), dtype=pl.Enum(names))


def _traits(paths: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    last = MONTHS[-1]
    state = pl.col(f"state {last}")
    open_ = paths.filter(state.is_not_null() & (state != "left"))
    n, rules = open_.height, policy.load().segmentation
    rate = np.where(open_[f"segment {last}"].fill_null("Base").cast(pl.String).str.contains("Slip|Fad"), 0.6, 0.3)
    cells = [
        pl.Series(rng.choice([level.name for level in axis], n), dtype=pl.Enum([level.name for level in axis]))
        for axis in (rules.activity, rules.earning)
    ]
    growth = pl.Series(rng.choice(["falling", "steady", "rising"], n), dtype=pl.Enum(["falling", "steady", "rising"]))
    return open_.select(
        "customer_id", "kind", "branch_id", "manager_id",
        segment=f"segment {last}", state=f"state {last}", tier=f"tier {last}",
        cluster=pl.when(pl.col("kind") == "retail").then(pl.lit("retail 1")),
        aum_average=f"aum {last}",
    ).with_columns(
        activity=cells[0], earning=cells[1], growth=growth,
        tenure_months=pl.Series(rng.integers(1, 90, n)),
        recency_days=pl.Series(rng.integers(0, 200, n)),
        frequency=pl.Series(rng.integers(0, 80, n)),
        contribution=pl.Series(rng.integers(-2000, 90000, n)),
        digital_share=pl.Series(rng.random(n)),
        outflow_other_bank=pl.Series(np.where(rng.random(n) < rate, rng.integers(1, 10**7, n), 0)),
        other_bank_share=pl.Series(rng.random(n)),
        sends_to_other_banks=pl.Series(rng.random(n) < rate),
        is_active=pl.Series(rng.random(n) < 1 - rate / 2),
        is_digital=pl.Series(rng.random(n) < 0.4),
        **{f"share_{name}": pl.Series(rng.random(n) / 8) for name in CATEGORIES},
        **{f"has_{name}": pl.Series(rng.random(n) < 0.3) for name in LINES},
        in_household=pl.Series(rng.random(n) < 0.2),
    )  # fmt: skip


def _roster(people: pl.DataFrame, paths: pl.DataFrame, traits: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    names = {"B1": "Riverside", "B2": "Old Town"}, {"M1": "Li", "M2": "Xu"}
    return (
        people.drop("first_on")
        .join(traits.select("customer_id", "segment", "state", "tier", "recency_days"), on="customer_id")
        .join(paths.select("customer_id", aum=f"aum {MONTHS[-1]}"), on="customer_id")
        .with_columns(
            branch=pl.col("branch_id").replace(names[0]), manager=pl.col("manager_id").replace(names[1]),
            rfm_segment=pl.lit("Loyal"), loans=pl.lit(0, pl.Int64),
        )
    )  # fmt: skip


def _cells(rules: object) -> pl.DataFrame:
    axes = [[level.name for level in rules.activity], [level.name for level in rules.earning]]
    axes.append(["falling", "steady", "rising"])
    rows = [(*cell, row.name) for row in rules.rows for cell in row.cells()]
    names = dict(zip(("activity", "earning", "growth", "segment"), [*axes, [r.name for r in rules.rows]], strict=True))
    return pl.DataFrame(rows, schema={name: pl.Enum(values) for name, values in names.items()}, orient="row").sort(
        "activity", "earning", "growth"
    )


def _groups(rules: object) -> pl.DataFrame:
    made = pl.DataFrame({"month": MONTHS})
    for name, values in {
        "branch_id": ["B1", "B2"], "kind": KINDS, "segment": [row.name for row in rules.rows],
    }.items():  # fmt: skip
        made = made.join(pl.DataFrame({name: values}), how="cross")
    return made.with_columns(manager_id=pl.col("branch_id").str.replace("B", "M"))


def _spending(rules: object, rng: np.random.Generator) -> pl.DataFrame:
    frame = _groups(rules).join(pl.DataFrame({"category": CATEGORIES}), how="cross")
    amount = rng.integers(10**5, 10**7, frame.height)
    return frame.with_columns(amount=pl.Series(amount), n=pl.Series(amount // 10**4))


def _channels(rules: object, rng: np.random.Generator) -> pl.DataFrame:
    frame, n = _groups(rules), len(_groups(rules))
    customers = rng.integers(5, 400, n)
    outflow = rng.integers(10**6, 10**9, n)
    return frame.with_columns(
        n_customers=pl.Series(customers), n_digital=pl.Series(customers // 3),
        **{f"n_{name}": pl.Series(rng.integers(0, 900, n)) for name in CHANNELS},
        outflow=pl.Series(outflow), other_banks=pl.Series((outflow * rng.random(n) * 0.4).astype(np.int64)),
        n_other_banks=pl.Series(customers // 5),
    )  # fmt: skip


def _leads(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n = max(people.height // 4, 40)
    who, first = rng.integers(0, people.height, n), rng.integers(5, 660, n)
    steps = [pl.Series(first + 20 * at) for at in range(4)]
    lasts = [rng.random(n) < share for share in (1, 0.6, 0.5, 0.4)]
    reached = [pl.Series(np.logical_and.reduce(lasts[: at + 1])) for at in range(4)]
    days = [pl.lit(date(2024, 1, 1)) + pl.duration(days=step) for step in steps]
    frame = people[who].select("customer_id", "manager_id", "branch_id", "kind")
    is_prospect = pl.Series(rng.random(n) < 0.3)
    return frame.with_columns(
        lead_id=pl.Series([f"L{i}" for i in range(n)]), product_id=pl.lit("P1"), is_prospect=is_prospect,
        line=pl.Series(rng.choice(LINES, n)), cost=pl.lit(2000, pl.Int64),
        **{
            f"{name}_on": pl.when(on).then(day)
            for name, on, day in zip(("contacted", "responded", "offered", "opened"), reached, days, strict=True)
        },
    ).with_columns(
        lost_on=pl.when(pl.col("opened_on").is_null() & pl.Series(rng.random(n) < 0.7)).then(date(2025, 11, 1)),
        customer_id=pl.when(~pl.col("is_prospect") | pl.col("opened_on").is_not_null()).then("customer_id"),
    )  # fmt: skip


def _clusters() -> pl.DataFrame:
    rows = [
        ("retail", "retail 1", 300, 2, 0.41, 0.91, 0.85, 0.95, 0.7, True, "+salary_rate -digital_share"),
        ("retail", "retail 2", 40, 2, 0.41, 0.91, 0.85, 0.95, 0.7, True, "+aum"),
        ("small business", "small business 1", 30, 2, 0.2, 0.4, 0.3, 0.5, 0.7, False, "-income"),
    ]
    names = ["kind", "cluster", "n", "k", "criterion", "stability", "lower", "upper", "floor", "is_reliable", "words"]
    return pl.DataFrame(rows, schema=names, orient="row")
