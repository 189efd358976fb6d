"""A mart drawn at random with the page tables that `opportunities` reads, on disk, as large as asked for."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from crmlab.mart.snapshot import SNAPSHOTS
from tests.retention_mart import AS_OF, KINDS, SEGMENTS
from tests.retention_mart import written as of_retention

PRODUCTS = {  # number -> name, line
    "C01": ("Credit card", "cards"), "D01": ("Everyday account", "deposits"), "D13": ("Term deposit", "deposits"),
    "L02": ("Home loan", "loans"), "W02": ("Bond plan", "wealth"),
}  # fmt: skip
NAMES = [name for name, _ in PRODUCTS.values()]
WAYS = ["chosen", "popularity", "rules", "hazards", "logistic"]
RULES = {
    "control_share": 200_000, "contact_days": 30, "read_out_days": 90, "minutes": 30, "cost": 3000,
    "least_per_branch": 0, "gap": 1000,
}  # fmt: skip
TRIGGERS = [
    {"name": "Large inflow that stays", "kind": "inflow_stayed", "times": 3_000_000, "days": 15},
    {"name": "Money about to mature", "kind": "maturing_soon", "times": None, "days": 30},
    {"name": "Rise in salary", "kind": "salary_rise", "times": 1_200_000, "days": None},
]
WHY = "The history is too short to learn from: 4 of 9 months. Deliver more history."


def written(folder: Path, n: int = 400, seed: int = 1, is_told: bool = True) -> Path:
    """The mart of `n` customers in a folder that can be opened and served; without offers where none can be told."""
    of_retention(folder, n, seed)
    snapshot = folder / SNAPSHOTS / "1"
    people = pl.read_ipc(snapshot / "pages" / "roster.arrow")
    due = pl.read_ipc(snapshot / "pages" / "maturing.arrow")
    pages = _pages(people, np.random.default_rng(seed), is_told)
    pages["maturing"] = due.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("account_id"), pl.all())
    for name, table in pages.items():
        table.write_ipc(snapshot / "pages" / f"{name}.arrow", compat_level=pl.CompatLevel.oldest())
    opened = people.select("customer_id", product_id=pl.lit("D01"), opened_on=pl.lit(date(2018, 1, 1)))
    opened.write_parquet(snapshot / "holdings.parquet")
    (snapshot / "standing").mkdir()
    _standing(people, np.random.default_rng(seed)).write_parquet(snapshot / "standing" / "0.parquet")
    manifest = json.loads((snapshot / "manifest.json").read_text())
    without = {} if is_told else {"next_best": WHY, "led_to": WHY}
    offers = {"without": without, "horizon": 3, "triggers": TRIGGERS}
    (snapshot / "manifest.json").write_text(json.dumps(manifest | {"campaigns": RULES, "offers": offers}))
    return folder


def _pages(people: pl.DataFrame, rng: np.random.Generator, is_told: bool) -> dict[str, pl.DataFrame]:
    offers = _offers(people, rng)
    who = people.select("customer_id", "customer_no", "kind", "segment", "branch_id", "manager_id")
    pairs = offers.filter(pl.col("value") > 3000).join(who, on="customer_id", how="left")
    made = {
        "next_best": offers.filter(pl.col("rank") <= 3),
        "pairs": pairs.with_columns(cost=pl.lit(3000, pl.Int64), minutes=pl.lit(30, pl.Int64)),
        "prices": pl.DataFrame(
            {"condition": ["manager", "manager"], "name": ["M1", "of B2"], "price": [20.0, 0.0]},
        ),
        "excluded": _excluded(),
        "led_to": _led_to(),
        **_taking(rng),
    }
    if not is_told:
        made = {name: pl.DataFrame() for name in made} | {"led_to": pl.DataFrame(schema={"verdict": pl.String})}
    numbers = list(PRODUCTS)
    lines = [line for _, line in PRODUCTS.values()]
    return made | {
        "products": pl.DataFrame({"product_id": numbers, "product": NAMES, "line": lines}),
        "penetration": _penetration(people),
        "products_each": _products_each(people),
        "affinity": _affinity(people),
        "attach_rates": _attach_rates(rng),
        "followed": _followed(),
        "occasions": _occasions(people, rng),
        "paths": people.select("customer_id", pl.col("segment").cast(pl.String).alias("segment 2025-05-31")),
        "offers": pl.DataFrame(
            schema={
                "customer_id": pl.Int32,
                "on": pl.Date,
                "name": pl.String,
                "product": pl.String,
                "responded_on": pl.Date,
                "opened_on": pl.Date,
            }
        ),
        **_past(),
    }


def _offers(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    numbers, n = list(PRODUCTS), people.height
    rows = people.select("customer_id").join(pl.DataFrame({"product_id": numbers}), how="cross")
    probability = rng.beta(1, 12, len(rows))
    a_year = np.tile(rng.integers(30_000, 200_000, len(numbers)), n)
    is_told = rng.random(len(rows)) < 0.7
    return (
        rows.with_columns(
            product=pl.col("product_id").replace_strict({key: one for key, (one, _) in PRODUCTS.items()}),
            line=pl.col("product_id").replace_strict({key: one for key, (_, one) in PRODUCTS.items()}),
            probability=pl.Series(probability),
            source=pl.Series(rng.choice(["hazards", "popularity", "logistic"], len(rows))),
            a_year=pl.Series(a_year, dtype=pl.Int64),
            basis=pl.Series(rng.choice(["kind and tier", "kind"], len(rows))),
            value=pl.Series(np.rint(probability * a_year).astype(np.int64)),
        )
        .filter(pl.Series(is_told))
        .sort("customer_id", "value", descending=[False, True])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("customer_id"))
    )


def _excluded() -> pl.DataFrame:
    return pl.DataFrame(
        [
            ("owned", 0, 0, 0, "No offer is left out because the customer holds the product."),
            ("consent", 310, 200, 5, "310 offers are left out because the customer has not agreed to be asked."),
        ],
        ["reason", "n", "n_only", "n_unknown", "sentence"],
        orient="row",
    )


def _led_to() -> pl.DataFrame:
    told = {"n": 80, "n_taken": 20, "rate": 0.25, "lower": 0.17, "upper": 0.35, "n_others": 200, "n_others_taken": 10,
            "others_rate": 0.05, "split_on": date(2024, 12, 31), "until": AS_OF, "n_both": 60, "lift": 2.5,
            "kinds": ["retail"]}  # fmt: skip
    sure = {"difference": 0.2, "difference_lower": 0.1, "difference_upper": 0.3, "q": 0.002}
    unsure = {"difference": 0.02, "difference_lower": -0.1, "difference_upper": 0.1, "q": 0.6}
    unknown = dict.fromkeys(sure)
    return pl.DataFrame(
        [
            {"antecedent": ["Everyday account"], "consequent": "Credit card", "verdict": "confirmed", "why": None}
            | told | sure,
            {"antecedent": ["Home loan"], "consequent": "Bond plan", "verdict": "not confirmed",
             "why": "not surely more often than others like them"} | told | unsure,
            {"antecedent": ["Bond plan", "Credit card"], "consequent": "Home loan", "verdict": "cannot tell",
             "why": "0 took it, of them and of others like them, fewer than 5"} | told | unknown,
        ]
    )  # fmt: skip


def _taking(rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    rankings = [
        {"method": way, "k": k, "measure": measure, "n": 900 if measure == "precision" else 120, "share": share,
         "lower": share - 0.02, "upper": share + 0.02}
        for way, share in zip(WAYS, rng.uniform(0.1, 0.4, len(WAYS)), strict=True)
        for k in (1, 3, 5) for measure in ("precision", "recall", "map")
    ]  # fmt: skip
    gains = [
        {"product_id": product, "method": way, "budget": budget, "n_called": int(4000 * budget), "n_taken": 120,
         "share": min(1.0, budget**0.5 + at / 50), "lower": budget**0.5 * 0.8, "upper": min(1.0, budget**0.5 + 0.2)}
        for product in (None, "D13") for at, way in enumerate(WAYS) for budget in (0.01, 0.05, 0.1, 0.5)
    ]  # fmt: skip
    choices = [
        {"product_id": one, "n_takers": 10, "n": 900, "n_taken": 9, "used": used,
         "why": f"{'Popularity stands: 10 took it' if used == 'popularity' else 'Told by hazards'}, {one}."}
        for one, used in zip(PRODUCTS, ["popularity", "popularity", "hazards", "popularity", "hazards"], strict=True)
    ]  # fmt: skip
    products = [
        {"product_id": one, "method": way, "n": 900, "n_taken": 9, "n_takers": 3, "rate": 0.01, "told": 0.012,
         "ici": 0.002}
        for one in PRODUCTS for way in WAYS
    ]  # fmt: skip
    sentence = "A list of the likeliest 5 % of pairs held 57 %, and 33 % by popularity alone: better."
    verdicts = {"measure": ["list of pairs"], "is_better": [True], "sentence": [sentence]}
    return {
        "taking_rankings": pl.DataFrame(rankings), "taking_gains": pl.DataFrame(gains),
        "taking_choices": pl.DataFrame(choices), "taking_products": pl.DataFrame(products),
        "taking_verdicts": pl.DataFrame(verdicts),
    }  # fmt: skip


def _penetration(people: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {"kind": kind, "item": name, "n": n, "n_holders": n // (at + 2), "rate": (n // (at + 2)) / n,
         "lower": 0.8 * (n // (at + 2)) / n, "upper": min(1.0, 1.2 * (n // (at + 2)) / n)}
        for kind, n in _sizes(people) for at, name in enumerate(NAMES)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _products_each(people: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {"kind": kind, "n_items": items, "n": n // 2 if items == 1 else n - n // 2, "share": 0.5, "mean": 1.5}
        for kind, n in _sizes(people) for items in (1, 2)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _sizes(people: pl.DataFrame) -> list[tuple[str, int]]:
    return people.group_by("kind").len().sort("kind").rows()


def _affinity(people: pl.DataFrame) -> pl.DataFrame:
    sides = {0: (3.0, 2.0, 4.5), 1: (0.4, 0.2, 0.8), 2: (1.1, 0.7, 1.6)}  # surely more, surely less, cannot tell
    rows = [
        {"kind": kind, "item": one, "other": other, "n": n, "n_item": 50 - i, "n_other": 50 - j, "n_both": 10}
        | dict(zip(("lift", "lower", "upper"), sides[(i + j) % 3], strict=True))
        for kind, n in _sizes(people) for i, one in enumerate(NAMES) for j, other in enumerate(NAMES) if i != j
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _attach_rates(rng: np.random.Generator) -> pl.DataFrame:
    months = pl.date_range(date(2024, 1, 1), AS_OF, "1mo", eager=True).dt.month_end().to_list()
    rows = [
        {"month": month, "by": by, "group": group, "item": name, "n": 100, "n_taken": int(rng.integers(0, 6))}
        for by, groups in (("kind", KINDS), ("segment", SEGMENTS)) for group in groups
        for month in months for name in NAMES
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _followed() -> pl.DataFrame:
    names = [one["name"] for one in TRIGGERS]
    base = {"n_base": 5000, "base_lower": 0.01, "base_upper": 0.03}
    rows = [
        (names[0], "inflow_stayed", "wealth", 60, 400, 8, 0.02, 0.01, 0.04, 0.02, 0.0, -0.01, 0.02),
        (names[0], "inflow_stayed", "term deposits", 60, 400, 44, 0.11, 0.08, 0.145, 0.02, 0.09, 0.05, 0.12),
        (names[1], "maturing_soon", "D13", 60, 200, 6, 0.03, 0.014, 0.064, 0.02, 0.01, -0.01, 0.04),
        (names[2], "salary_rise", "cards", 90, 0, 0, None, None, None, None, None, None, None),
    ]
    columns = ["trigger", "kind", "target", "days", "n", "n_taken", "rate", "lower", "upper", "base_rate",
               "difference", "least", "most"]  # fmt: skip
    return pl.DataFrame(rows, columns, orient="row").with_columns(**{name: pl.lit(one) for name, one in base.items()})


def _occasions(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    who = ["customer_id", "customer_no", "name", "kind", "branch_id", "branch", "manager_id", "manager", "segment"]
    return people.head(60).select(
        *who,
        trigger=pl.Series(rng.choice([one["name"] for one in TRIGGERS[:2]], 60)),
        on=pl.lit(date(2025, 12, 10)), until=pl.lit(date(2026, 1, 9)),
        amount=pl.Series(rng.integers(10**6, 10**7, 60)), detail=pl.lit("× 4.2"), account_id=pl.lit(None, pl.Int32),
    )  # fmt: skip


def _standing(people: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    months = pl.date_range(date(2024, 12, 1), AS_OF, "1mo", eager=True).dt.month_end().alias("month")
    rows = people.select("customer_id").join(months.to_frame(), how="cross")
    return rows.with_columns(contribution=pl.Series(rng.integers(1_000, 9_000, rows.height)))


def _past() -> dict[str, pl.DataFrame]:
    def row(campaign: str, outcome: str, difference: float | None, verdict: str, why: str | None) -> dict:
        ends = {"lower": None, "upper": None, "of_offered": None, "of_control": None}
        if difference is not None:
            ends = {"lower": difference / 2, "upper": difference * 1.5, "of_offered": 2 * difference,
                    "of_control": difference}  # fmt: skip
        return {
            "campaign_id": campaign, "name": f"Plan {campaign}", "read_out_on": date(2025, 3, int(campaign[1:])),
            "outcome": outcome, "n_offered": 400, "n_control": 100, "difference": difference, **ends,
            "verdict": verdict, "why": why,
        }  # fmt: skip

    few = "the control group has 5 customers, fewer than 30"
    past = [
        row("G1", "response", 0.06, "better", None), row("G1", "money", 9_000.0, "better", None),
        row("G2", "response", None, "cannot tell", few), row("G2", "money", None, "cannot tell", few),
    ]  # fmt: skip
    more = {"adjusted": 0.05, "adjusted_lower": 0.01, "adjusted_upper": 0.09, "detectable": 0.08}
    past = [one | more | {"product_id": "D13"} for one in past]
    segments = [
        row(campaign, "response", 0.06, "better", None) | {"segment": segment, "p_adjusted": 0.01}
        for campaign in ("G1", "G2") for segment in SEGMENTS
    ]  # fmt: skip
    return {"campaigns_past": pl.DataFrame(past), "campaigns_by_segment": pl.DataFrame(segments)}
