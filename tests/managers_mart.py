"""A mart drawn at random with the page tables that `managers` reads, on disk, with as many managers as asked for."""

import json
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from crmlab.mart.snapshot import SNAPSHOTS
from crmlab.measures.managers.behind import BEHIND
from crmlab.measures.managers.bridging import BARS
from crmlab.measures.managers.pay import paid
from crmlab.measures.managers.scoring import scores, totals
from crmlab.measures.managers.sentences import told
from crmlab.policy import MEASURES, load
from tests.retention_mart import AS_OF
from tests.retention_mart import written as of_retention

FROM = date(2024, 12, 31)
BRANCHES = {"B1": "Riverside", "B2": "Old Town"}
RICH, POOR, FEW = "M000", "M001", "M002"  # clearly above, clearly below, too few to say
LEAVER = "M003"
HANDED = date(2025, 12, 16)  # the day on which one of everybody's customers was handed in
WHY = "History is too short: one whole quarter is needed. Deliver more history."
RATES = {"retention": 960_000, "ebanking_activation": 600_000, "contacts_on_schedule": 700_000, "kyc_in_time": 950_000,
         "file_completeness": 900_000, "maturity_retention": 850_000}  # fmt: skip


def written(folder: Path, n: int = 24, seed: int = 1, is_told: bool = True) -> Path:
    """The mart of `n` managers in a folder that can be served; without their tables where nothing can be told."""
    of_retention(folder, 400, seed)
    snapshot = folder / SNAPSHOTS / "1"
    people = pl.read_ipc(snapshot / "pages" / "roster.arrow")
    rng, rules = np.random.default_rng(seed), load()
    managers = _managers(n, rng)
    pages = _pages(managers, people, rng) if is_told else dict.fromkeys(TABLES, pl.DataFrame())
    left_on = pl.when(pl.col("manager_id") == LEAVER).then(date(2025, 11, 15))
    pages["managers"] = managers.select("manager_id", "name", "branch_id", left_on=left_on)
    (snapshot / "behind").mkdir()
    rows = _behind(pages["assessed"], people) if is_told else pl.DataFrame(schema=BEHIND | {"every": pl.String})
    rows.write_parquet(snapshot / "behind" / "quarter-2025-12.parquet")
    for name, table in pages.items():
        table.write_ipc(snapshot / "pages" / f"{name}.arrow", compat_level=pl.CompatLevel.oldest())
    manifest = json.loads((snapshot / "manifest.json").read_text())
    manifest["managers"] = {
        "recut": asdict(rules.recut), "scorecards": [asdict(card) for card in rules.scorecards],
        "pay": [asdict(plan) for plan in rules.pay],
        **asdict(rules.managing), "from_on": str(FROM), "to_on": str(AS_OF),
        "without": {} if is_told else dict.fromkeys(("assessed", "scores", "fairness", "target_audit", "due"), WHY),
    }  # fmt: skip
    (snapshot / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _managers(n: int, rng: np.random.Generator) -> pl.DataFrame:
    ids = [f"M{i:03}" for i in range(n)]
    branch = [list(BRANCHES)[i % 2] for i in range(n)]
    return pl.DataFrame(
        {"manager_id": ids, "name": [f"Manager {i}" for i in range(n)], "branch_id": branch,
         "peer_group": ["small" if one == "B1" else "large" for one in branch],
         "grade": rng.choice(["associate", "manager"], n, p=[0.3, 0.7])}
    )  # fmt: skip


def _pages(managers: pl.DataFrame, people: pl.DataFrame, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    rules = load()
    assessed = _assessed(managers, rng).with_columns(why=pl.lit(None, pl.String))
    trace = scores(assessed, rules.scorecards)
    every = pl.lit("quarter").alias("every")
    return {
        "assessed": assessed.with_columns(every),
        "scores": told(trace, rules.scorecards).with_columns(every),
        "totals": paid(totals(trace, rules.scorecards), rules.pay).with_columns(every),
        "fairness": _fairness(managers, rng),
        "target_audit": pl.DataFrame(
            {"measure": ["net_new_money"], "n_managers": [24], "finding": ["follows the book"],
             "told": ["Achievement follows the starting book: twice the book goes with 9.0 points more of the target."]}
        ),
        "book_bridges": _bridges(managers, rng),
        "assignment_findings": _findings(people),
        "due": _due(managers, people, rng),
        "duties": _duties(managers, rng),
        **_to_deal(managers, people, rng),
    }  # fmt: skip


TABLES = ("assessed", "scores", "totals", "fairness", "target_audit", "book_bridges", "assignment_findings", "due",
          "duties", "to_deal", "receivers")  # fmt: skip


def _assessed(managers: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for manager in managers.iter_rows(named=True):
        for period in (date(2025, 9, 30), AS_OF):
            for measure, unit in MEASURES.items():
                n, value, base = None, int(rng.integers(0, 4)), None
                if unit == "rate":
                    n = int(rng.integers(30, 90))
                    events = int(rng.binomial(n, RATES.get(measure, 900_000) / 1e6))
                    value = round(events * 1e6 / n)
                elif unit == "money":
                    base = int(rng.lognormal(18, 0.4))
                    value = int(base * rng.normal(1.03, 0.08))
                elif unit == "thousandths":
                    n, base, events = 40, 1800, int(rng.integers(68, 80))
                    value = events * 1000 // n
                rows.append((manager["manager_id"], manager["branch_id"], manager["peer_group"], manager["grade"],
                             period, measure, value, n, events if n else None, base, None))  # fmt: skip
    schema = {"manager_id": pl.String, "branch_id": pl.String, "peer_group": pl.String, "grade": pl.String,
              "period": pl.Date, "measure": pl.String} | dict.fromkeys(("value", "n", "n_events", "base", "target"),
                                                                      pl.Int64)  # fmt: skip
    return pl.DataFrame(rows, schema, orient="row")


def _behind(assessed: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Rows that add up to what is assessed in the last period: a customer a case, or the amount in two parts."""
    ids, rows = people["customer_id"].to_list(), []
    for row in assessed.filter(pl.col("period") == AS_OF).drop_nulls("value").iter_rows(named=True):
        key = {name: row[name] for name in ("manager_id", "period", "measure")} | {"every": row["every"]}
        if row["n"] is not None:
            each, more = divmod(row["n_events"], row["n"])
            rows += [key | {"customer_id": ids[i], "on": AS_OF, "why": "kept", "n": 1, "n_events": each + int(i < more)}
                     for i in range(row["n"])]  # fmt: skip
            continue
        part, base = row["value"] // 3, row["base"] or 0
        handed = {"on": HANDED, "why": "handed in", "share": 173_913, "value": part, "base": base // 3}
        kept = {"why": "kept", "share": 10**6, "value": row["value"] - part, "base": base - base // 3}
        rows += [key | {"customer_id": one} | told for one, told in zip(ids, (handed, kept), strict=False)]
    return pl.DataFrame(rows, BEHIND | {"every": pl.String}).sort("manager_id", "measure", maintain_order=True)


def _fairness(managers: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    rows = []
    for measure, kind, rate, size in (("retention", "rate", 0.95, 1), ("net_new_money", "amount", 1, 400_000)):
        for at, manager in enumerate(managers.iter_rows(named=True)):
            n = int(rng.integers(30, 160))
            unit = n * size
            expected = rate * unit
            error = np.sqrt(n * 0.05) if kind == "rate" else np.sqrt(n) * size * 1.2
            z = {RICH: 4.5, POOR: -4.5}.get(manager["manager_id"], float(rng.normal(0, 0.8)))
            few = manager["manager_id"] == FEW
            observed = round(expected + z * error)
            ends = {"watch_lower": -2.0, "watch_upper": 2.0, "limit_lower": -3.2, "limit_upper": 3.2, "long_run": z / 2,
                    "lower": z / 2 - 1, "upper": z / 2 + 1}  # fmt: skip
            told = {name: None if few else expected + by * error for name, by in ends.items()}
            verdict = "too few to say" if few else {RICH: "clearly above", POOR: "clearly below"}.get(
                manager["manager_id"], "as expected")  # fmt: skip
            rank = None if few else at + 1
            rows.append(
                {"measure": measure, "kind": kind} | {k: manager[k] for k in ("manager_id", "branch_id", "peer_group")}
                | {"n_customers": 4 if few else n, "n": n, "observed": observed, "expected": expected, **told,
                   "observed_to_expected": observed / expected, "score": None if few else z,
                   "rank": rank, "rank_lower": rank and max(1, at - 3), "rank_upper": rank and at + 6,
                   "verdict": verdict, "is_watch": at == 5 and not few,
                   "why": "4 customers can be compared, fewer than 20" if few else ""}
            )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def _bridges(managers: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    whose = [(row["branch_id"], row["manager_id"]) for row in managers.iter_rows(named=True)]
    whose += [(one, None) for one in BRANCHES]
    rows = []
    for at, (branch, manager) in enumerate(whose):
        row = {name: int(rng.integers(0, 9) * 10**8) for name in BARS}
        row |= {"opening": int(rng.lognormal(22, 0.5)), "fx": 0, "handed_in": (at % 3) * 10**9, "handed_out": 0}
        if manager == RICH:  # grew by what was handed in alone
            row |= {"new": 0, "net_new_money": -(10**8), "lost": 10**8, "handed_in": 5 * 10**9}
        rows.append({"level": "manager", "branch_id": branch, "manager_id": manager, "n_customers": 60} | row)
    own = pl.DataFrame(rows, infer_schema_length=None)
    level = pl.col("level")
    sums = [pl.col("n_customers", *BARS).sum()]
    branches = own.group_by("branch_id", maintain_order=True).agg(sums).with_columns(level=pl.lit("branch"))
    bank = own.select(sums).with_columns(level=pl.lit("bank"))
    made = pl.concat([own, branches, bank], how="diagonal").with_columns(level)
    closing = pl.sum_horizontal(sign * pl.col(name) for name, sign in BARS.items())
    return made.with_columns(closing=closing, from_on=pl.lit(FROM), to_on=pl.lit(AS_OF))


def _due(managers: pl.DataFrame, people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    rows = people.head(120)
    days = rng.integers(-20, 60, 120)
    due_on = [AS_OF - timedelta(int(one)) for one in days]
    return rows.select("customer_id", "customer_no", "name").with_columns(
        manager_id=pl.Series([managers["manager_id"][i % managers.height] for i in range(120)]),
        branch_id=pl.Series([managers["branch_id"][i % managers.height] for i in range(120)]),
        who=pl.lit("rest"), times=pl.lit(1), per=pl.lit("quarter"), last_on=pl.lit(date(2025, 7, 1)),
        due_on=pl.Series(due_on), overdue_days=pl.Series(np.clip(days, 0, None)), by=pl.lit("manager"),
        told=pl.lit("last contacted on 2025-07-01"),
    )  # fmt: skip


def _duties(managers: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n = managers.height
    n_needed, n_made = rng.integers(10, 60, n), rng.integers(0, 20, n)
    room = pl.Series([None, *rng.integers(20, 70, n - 1).tolist()], dtype=pl.Int64)
    return managers.select("manager_id", "branch_id").with_columns(
        n_customers=pl.lit(60), n_overdue=pl.Series(n_needed // 3), n_made=pl.Series(n_made),
        n_needed=pl.Series(n_needed), n_contacts=room,
        n_over=(pl.Series(n_needed + n_made) - room).clip(0),
    )  # fmt: skip


def _findings(people: pl.DataFrame) -> pl.DataFrame:
    return people.head(3).select(
        "customer_id", "customer_no", "branch_id", finding=pl.lit("gap"), manager_id=pl.lit(RICH),
        other_id=pl.lit(POOR), from_on=pl.lit(date(2025, 1, 5)), to_on=pl.lit(date(2025, 1, 9)),
        rule=pl.lit("On these days the customer is the branch's."),
    )  # fmt: skip


def _to_deal(managers: pl.DataFrame, people: pl.DataFrame, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    n, held = people.height, managers["manager_id"].to_list()[:12]
    rows = people.select(
        "customer_id", "branch_id", pl.col("kind").cast(pl.String),
        manager_id=pl.Series([held[i % 12] for i in range(n)]), contribution=pl.Series(rng.integers(0, 10**6, n)),
        contacts=pl.lit(4, pl.Int64),
    ).with_columns(has_left=pl.col("manager_id") == LEAVER)  # fmt: skip
    here = managers.filter(pl.col("manager_id") != LEAVER)
    return {"to_deal": rows, "receivers": here.select("manager_id", "branch_id", n_contacts=pl.lit(90, pl.Int64))}
