"""A mart drawn at random with the page tables that `retention` reads, in memory or on disk, as large as asked for."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from crmlab.mart.snapshot import FORMAT, POINTER, SNAPSHOTS, Mart

AS_OF = date(2025, 12, 31)
KINDS = ["retail", "small business", "corporate"]
SEGMENTS = ["Champions", "Core", "Slipping", "Base"]
TIERS = ["basic", "gold", "platinum"]
BRANCHES = {"B1": "Riverside", "B2": "Old Town"}
MANAGERS = {"M1": "Li", "M2": "Xu", "M3": "Wu"}
CAUSES = ["closure", "run-off", "maturity", "salary"]
OTHERS = ["death", "merger", "repaid"]
COVARIATES = {
    "change": "balance down 42 % in three months", "no_card": "no card payment for 9 weeks",
    "salary": "salary still comes in", "tenure": "with us for 7 years", "maturing": "60 % matures within 90 days",
    "away": "a third went to other banks", "lines": "three product lines", "complaint": "complained last month",
}  # fmt: skip
METHODS = ["model", "fell most in money", "fell most in share", "random"]
RULES = {
    "save_rate": 200_000, "cost": 3000, "calls": 20, "control_share": 100_000, "read_out_months": 3,
    "maturing_days": 90,
}  # fmt: skip
WHY = "History is too short for the horizon of 12 months: 4 of 6 months to train on. Deliver more history."


def drawn(n: int = 400, seed: int = 1, horizons: tuple[int, ...] = (3, 6)) -> Mart:
    """The mart of `n` customers, two branches and three managers; some customers are nobody's."""
    pages = _pages(n, np.random.default_rng(seed), horizons)
    return Mart(Path(f"drawn-{n}-{seed}") / SNAPSHOTS / "1", _manifest(horizons), pages)


def written(folder: Path, n: int = 400, seed: int = 1, horizons: tuple[int, ...] = (3, 6)) -> Path:
    """The same as a folder that can be opened and served."""
    mart = drawn(n, seed, horizons)
    (folder / SNAPSHOTS / "1" / "pages").mkdir(parents=True)
    for name, table in mart._pages.items():
        table.write_ipc(folder / SNAPSHOTS / "1" / "pages" / f"{name}.arrow", compat_level=pl.CompatLevel.oldest())
    calls = mart.page("leaving").select("customer_id", on="last_contact_on", kind=pl.lit("contact")).drop_nulls()
    calls.write_parquet(folder / SNAPSHOTS / "1" / "events.parquet")
    (folder / SNAPSHOTS / "1" / "manifest.json").write_text(json.dumps(mart.manifest))
    (folder / POINTER).write_text("1")
    return folder


def _manifest(horizons: tuple[int, ...]) -> dict:
    untested = {str(months): WHY for months in (3, 6, 12) if months not in horizons}
    return {
        "format": FORMAT, "as_of": str(AS_OF), "base_currency": "CNY", "minor_digits": 2, "tables": {},
        "churn_words": "left = last account closed, or AUM below 20 % of what was usual, 2 months later still",
        "worklist": RULES, "confirm_months": 2, "life_value": {"months": 60, "discount": 50_000},
        "leaving": {
            "horizons": list(horizons), "main": 6 if 6 in horizons else max(horizons, default=None),
            "untested": untested, "budget": 50_000,
        },
    }  # fmt: skip


def _pages(n: int, rng: np.random.Generator, horizons: tuple[int, ...]) -> dict[str, pl.DataFrame]:
    people = _people(n, rng)
    leaving = _leaving(people, rng, horizons)
    departures = _departures(people, rng)
    maturing = _maturing(people, rng)
    pages = {
        "people": people.select("customer_id", "customer_no", "kind", "branch_id", "name", "since", "manager_id"),
        "roster": people,
        "branches": pl.DataFrame({"branch_id": list(BRANCHES), "name": list(BRANCHES.values())}),
        "managers": pl.DataFrame(
            {"manager_id": list(MANAGERS), "name": list(MANAGERS.values()), "branch_id": ["B1", "B2", "B2"]}
        ),
        "segments": pl.DataFrame({"name": SEGMENTS}),
        "worth_tiers": pl.DataFrame({"rule": "tier", "name": TIERS, "rank": [0, 1, 2]}),
        "leaving": leaving,
        "reasons": _reasons(leaving, rng),
        "life_values": leaving.select("customer_id", value=pl.col("contribution_year") * 3).with_columns(
            lower=pl.col("value") * 8 // 10, upper=pl.col("value") * 13 // 10, months_told=60
        ),
        "departures": departures,
        "curves": _curves(),
        "incidence": _incidence(),
        "hazards": _hazards(),
        **_trial(horizons),
        "maturing": maturing,
        "matured": _matured(people, rng),
        "overlap": _overlap(),
        "win_back": _win_back(departures, people, rng),
        "returned": _returned(),
    }
    if not horizons:
        for name in ("leaving", "reasons", "life_values", "hazards"):
            pages[name] = pages[name].clear()
    return pages


def _people(n: int, rng: np.random.Generator) -> pl.DataFrame:
    manager = rng.choice([None, "M1", "M2", "M3"], n, p=[0.25, 0.3, 0.25, 0.2])
    home = {"M1": "B1", "M2": "B2", "M3": "B2"}
    branch = [home.get(one) or f"B{b}" for one, b in zip(manager, rng.integers(1, 3, n), strict=True)]
    return pl.DataFrame(
        {
            "customer_id": np.arange(n, dtype=np.int32),
            "customer_no": [f"C{i:06}" for i in range(n)],
            "name": ["W…"] * n,
            "kind": rng.choice(KINDS, n, p=[0.85, 0.1, 0.05]),
            "branch_id": branch,
            "branch": [BRANCHES[one] for one in branch],
            "manager_id": pl.Series(manager.tolist(), dtype=pl.String),
            "manager": pl.Series([MANAGERS.get(one) for one in manager], dtype=pl.String),
            "since": [date(2018, 1, 1)] * n,
            "segment": rng.choice(SEGMENTS, n),
            "tier": rng.choice(TIERS, n, p=[0.7, 0.2, 0.1]),
            "aum": rng.lognormal(14, 2, n).astype(np.int64),
        }
    )


def _leaving(people: pl.DataFrame, rng: np.random.Generator, horizons: tuple[int, ...]) -> pl.DataFrame:
    n = people.height
    hazard = rng.lognormal(-4.5, 1.1, n)
    odds = {months: 1 - np.exp(-hazard * months) for months in (3, 6, 12)}
    main = odds[6 if 6 in horizons else max(horizons, default=6)]
    parts = rng.dirichlet((1, 2, 1, 1), n).T * main
    days = rng.integers(1, 200, n)
    is_due = rng.random(n) < 0.2
    return people.drop("since").with_columns(
        state_of_watch=pl.Series(rng.choice(["at risk", "unconfirmed", "not yet"], n, p=[0.95, 0.03, 0.02])),
        contribution_year=pl.Series((people["aum"].to_numpy() * rng.normal(0.012, 0.01, n)).astype(np.int64)),
        **{f"p{months}": pl.Series(odds[months] if months in horizons else [None] * n, dtype=pl.Float64)
           for months in (3, 6, 12)},
        **dict(zip(CAUSES, map(pl.Series, parts), strict=True)),
        reasons=pl.lit("balance down 42 % in three months (+0.81) · salary still comes in (−0.22)"),
        last_contact_on=pl.when(pl.Series(rng.random(n) < 0.4)).then(pl.lit(AS_OF) - pl.duration(days=pl.Series(days))),
        matures_on=pl.when(pl.Series(is_due)).then(pl.lit(AS_OF) + pl.duration(days=pl.Series(days % 90 + 1))),
        maturing=pl.Series(np.where(is_due, people["aum"].to_numpy() // 2, 0)),
        tenure_months=pl.Series(rng.integers(4, 200, n)),
    )  # fmt: skip


def _reasons(leaving: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    words = pl.DataFrame({"covariate": list(COVARIATES), "text": list(COVARIATES.values())})
    rows = leaving.select("customer_id").join(words, how="cross")
    return rows.select(
        "customer_id", "covariate",
        value=pl.Series(rng.normal(0, 1, rows.height)), contribution=pl.Series(rng.normal(0, 0.4, rows.height)),
        text="text",
    ).sort("customer_id", maintain_order=True)  # fmt: skip


def _departures(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    gone = people.sample(fraction=0.15, seed=3).sort("customer_id")
    n = gone.height
    cause = rng.choice(CAUSES + OTHERS, n, p=[0.2, 0.3, 0.2, 0.2, 0.04, 0.03, 0.03])
    is_event = np.isin(cause, CAUSES)
    ends = pl.Series([date(2025, 1 + int(m), 28) for m in rng.integers(0, 10, n)]).dt.month_end()
    return gone.select("customer_id", "customer_no", "kind", "branch_id", "manager_id", "segment").with_columns(
        episode=pl.lit(1), entry=pl.lit(0), duration=pl.Series(rng.integers(4, 90, n)), event=pl.Series(is_event),
        cause=pl.Series(cause), starts_on=pl.lit(date(2024, 3, 31)), ends_on=ends,
        known_on=ends.dt.offset_by("2mo").dt.month_end(), lost=gone["aum"], contribution_year=gone["aum"] // 80,
        aum_then=gone["aum"],
    )  # fmt: skip


def _curves() -> pl.DataFrame:
    times = np.arange(0, 61)
    groups = [("", "", "", 0.008, 9000), *((kind, "", "", 0.006 + at / 500, 6000) for at, kind in enumerate(KINDS))]
    for kind in ("", *KINDS):
        for by, names in {"segment": SEGMENTS, "tier": TIERS, "branch_id": list(BRANCHES)}.items():
            groups += [(kind, by, name, 0.004 + at / 250, 40 if at == 3 else 2000) for at, name in enumerate(names)]
    groups += [("", "kind", kind, 0.006 + at / 500, 6000) for at, kind in enumerate(KINDS)]
    frames = []
    for kind, by, group, hazard, n in groups:
        survival = np.exp(-hazard * times)
        off = np.sqrt(times / 60) * 2 / np.sqrt(n)
        frames.append(
            pl.DataFrame({"time": times, "survival": survival, "lower": np.maximum(survival - off, 0),
                          "upper": np.minimum(survival + off, 1), "at_risk": (n * survival).astype(int)})
            .select(kind=pl.lit(kind), by=pl.lit(by), group=pl.lit(group), time="time", survival="survival",
                    lower="lower", upper="upper", at_risk="at_risk", n_events=pl.lit(5), n=pl.lit(n))
        )  # fmt: skip
    return pl.concat(frames)


def _incidence() -> pl.DataFrame:
    times = np.arange(0, 61)
    causes = [*CAUSES, *OTHERS]
    frames = [
        pl.DataFrame({"time": times, "incidence": (0.03 + at / 60) * times / 60})
        .select(kind=pl.lit(kind), cause=pl.lit(cause), time="time", incidence="incidence",
                lower=pl.col("incidence") * 0.9, upper=pl.col("incidence") * 1.1, at_risk=9000 - 100 * pl.col("time"))
        for kind in ("", *KINDS)
        for at, cause in enumerate(causes)
    ]  # fmt: skip
    return pl.concat(frames)


def _hazards() -> pl.DataFrame:
    rows = [
        (cause, covariate, ratio := float(np.exp(((at * 7 + of) % 9 - 4) / 6)), ratio * 0.8, ratio * 1.25, 300 + at,
         False, ratio, ratio, at != 2, "none needed" if at != 2 else "Its effect fades: read it as an average.")
        for of, cause in enumerate(CAUSES)
        for at, covariate in enumerate(COVARIATES)
    ] + [("closure", "loan", None, None, None, 300, False, None, None, None, "left out: only 2 left so")]  # fmt: skip
    names = ["cause", "covariate", "hazard_ratio", "lower", "upper", "n_events", "is_shared", "early", "late"]
    return pl.DataFrame(rows, schema=[*names, "is_proportional", "advice"], orient="row")


def _trial(horizons: tuple[int, ...]) -> dict[str, pl.DataFrame]:
    methods = ["worklist", "probability", *METHODS[1:]]
    strength = {"worklist": 0.75, "probability": 0.7, "fell most in money": 0.6, "fell most in share": 0.45}
    accuracy, groups, gains, lead, verdict = [], [], [], [], []
    for h in horizons:
        accuracy += [
            (h, m, month, 0.78 - at / 10, 0.75 - at / 10, 0.81 - at / 10, 0.05 + at / 90, 0.08)
            for at, m in enumerate(METHODS)
            for month in range(1, h + 1)
        ]
        groups += [(h, d, 800, p, p * 1.1, p * 0.8, p * 1.4) for d in range(1, 11) for p in [0.001 * 1.6**d]]
        for m in methods:
            for b in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0):
                s = b ** (1 - strength.get(m, 0))
                gains.append((h, m, b, round(8000 * b), s * 0.95, s * 0.9, min(s, 1), s))
        lead += [(h, m, k, 0.8 - k / 12, 200 - k) for m in ("worklist", "fell most in money") for k in range(1, 7)]
        told = (True, 0.12, 0.05, 0.19) if h == 3 else (None, 0.01, -0.04, 0.19)
        verdict.append((h, "fell most in money", *told, 0.42, 0.3, 8000, 310, 1.02, 0.93, 1.11, 0.008))
    return {
        "trial_accuracy": _frame(accuracy, "horizon method month auc lower upper brier brier_base"),
        "trial_calibration": _frame(groups, "horizon group n predicted observed lower upper"),
        "trial_gains": _frame(
            gains, "horizon method budget n_called share_of_leavers lower upper share_of_money"
        ),
        "trial_lead": _frame(lead, "horizon method months_before share n"),
        "trial_verdict": _frame(
            verdict,
            "horizon method is_better difference lower upper share rule_share n n_events slope slope_lower slope_upper "
            "ici",
        ),
    }  # fmt: skip


def _frame(rows: list[tuple], names: str) -> pl.DataFrame:
    """A frame of these rows; of a horizon alone where there are none."""
    if not rows:
        return pl.DataFrame(schema={"horizon": pl.Int64})
    return pl.DataFrame(rows, schema=names.split(), orient="row", infer_schema_length=None)


def _maturing(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    rows = people.sample(fraction=0.3, seed=5).sort("customer_id")
    n = rows.height
    p, few = rng.uniform(0.4, 0.95, n), rng.random(n) < 0.1
    known = pl.when(~pl.Series(few))
    return rows.select("customer_id", "customer_no", "kind", "manager_id", "branch_id").with_columns(
        account_no=pl.Series([f"A{i:05}" for i in range(n)]), product=pl.lit("Time deposit, 12 months"),
        line=pl.Series(rng.choice(["deposits", "wealth"], n)),
        matures_on=pl.lit(AS_OF) + pl.duration(days=pl.Series(rng.integers(1, 120, n))), amount=rows["aum"],
        probability=known.then(pl.Series(p)), lower=known.then(pl.Series(p - 0.1)),
        upper=known.then(pl.Series(p + 0.05)), n_like=pl.Series(np.where(few, 3, 240)),
    )  # fmt: skip


def _matured(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    rows = people.sample(n=min(people.height * 2, 50_000), with_replacement=True, seed=6)
    n = rows.height
    on = pl.Series([date(2024 + int(m) // 12, int(m) % 12 + 1, 15) for m in rng.integers(0, 24, n)])
    kept = rng.random(n)
    return rows.select("customer_id", "kind", "manager_id", "branch_id", amount="aum").with_columns(
        matures_on=on, month=on.dt.month_end(), line=pl.Series(rng.choice(["deposits", "wealth"], n)),
        retained=(pl.col("amount") * pl.Series(kept)).cast(pl.Int64), is_kept=pl.Series(kept >= 0.3),
    )  # fmt: skip


def _overlap() -> pl.DataFrame:
    rows = [(clause, 40 * at + 30, 0.03, 0.025, 0.036, *(10 * (at + of) for of in range(4)))
            for at, clause in enumerate(("any", *CAUSES, "dormant"))]  # fmt: skip
    return pl.DataFrame(rows, schema=["clause", "n", "rate", "lower", "upper", *CAUSES], orient="row")


def _win_back(departures: pl.DataFrame, people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    left = departures.filter("event")
    rate = pl.Series(rng.uniform(0.02, 0.3, left.height))
    return (
        left.select("customer_id", "customer_no", "kind", "branch_id", "manager_id", "cause", "ends_on", "lost",
                    "contribution_year")
        .join(people.select("customer_id", "name", "branch", "manager"), on="customer_id", maintain_order="left")
        .with_columns(returned_rate=rate, expected=(pl.col("contribution_year") * rate).cast(pl.Int64))
        .sort("expected", descending=True)
        .with_row_index("rank", offset=1)
    )  # fmt: skip


def _returned() -> pl.DataFrame:
    rows = [(cause, months, 60 if at else 4, 12 if at else 1, 0.2, 0.1, 0.3, 10**8, 10**7)
            for at, cause in enumerate((*CAUSES, "all")) for months in (6, 12)]  # fmt: skip
    names = ["cause", "months", "n", "n_returned", "rate", "lower", "upper", "lost", "back"]
    return pl.DataFrame(rows, schema=names, orient="row")
