"""The extract that the benchmarks share: 10 million transactions of 200,000 accounts over 24 months, as CSV."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

FIRST, LAST = date(2023, 1, 1), date(2024, 12, 31)
DAYS = (LAST - FIRST).days + 1
KINDS = ["payment", "card", "cash", "transfer", "salary", "own_transfer", "principal", "interest", "fee", "reversal"]
WEIGHTS = [0.28, 0.25, 0.1, 0.12, 0.04, 0.05, 0.02, 0.06, 0.07, 0.01]
CHANNELS = ["counter", "atm", "online", "mobile", "pos", "system"]
BY = ["customer", "counterparty", "mandate", "bank"]


def write(folder: Path, n: int = 10_000_000, accounts: int = 200_000, seed: int = 1) -> Path:
    """Write the extract unless it is there; the same numbers give the same rows."""
    if (folder / "done").exists():
        return folder
    (folder / "transactions").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    _people(folder, accounts, rng)
    day = np.sort(rng.integers(0, DAYS, n))
    rows = pl.DataFrame(
        {
            "transaction_id": np.arange(n),
            "account_id": (accounts * rng.random(n) ** 1.5).astype(np.int64),
            "booked_on": pl.Series(day).cast(pl.Int32) + (FIRST - date(1970, 1, 1)).days,
            "amount": np.round(rng.lognormal(5, 1.5, n) * rng.choice([-1, 1], n), 2),
            "kind": np.array(KINDS)[rng.choice(len(KINDS), n, p=WEIGHTS)],
            "channel": np.array(CHANNELS)[rng.integers(0, len(CHANNELS), n)],
            "initiated_by": np.array(BY)[rng.choice(len(BY), n, p=[0.55, 0.15, 0.1, 0.2])],
        }
    ).with_columns(pl.col("booked_on").cast(pl.Date))
    for (month,), part in rows.group_by(pl.col("booked_on").dt.strftime("%Y-%m"), maintain_order=True):
        part.write_csv(folder / "transactions" / f"{month}.csv", float_precision=2)
    (folder / "done").touch()
    return folder


def _people(folder: Path, accounts: int, rng: np.random.Generator) -> None:
    customer = np.sort(rng.integers(0, accounts * 2 // 3, accounts))
    people = np.unique(customer)
    pl.DataFrame({"customer_id": people, "kind": "retail", "since": date(2015, 1, 1), "branch_id": "B1"}).write_csv(
        folder / "customers.csv"
    )
    pl.DataFrame(
        {
            "account_id": np.arange(accounts),
            "customer_id": customer,
            "product_id": np.array(["CUR", "TD", "FUND", "LOAN"])[rng.choice(4, accounts, p=[0.7, 0.15, 0.1, 0.05])],
            "branch_id": "B1",
            "currency": "CNY",
            "opened_on": date(2015, 1, 1),
        }
    ).write_csv(folder / "accounts.csv")
    pl.DataFrame(
        {"product_id": ["CUR", "TD", "FUND", "LOAN"], "line": ["deposits", "deposits", "wealth", "loans"]}
    ).write_csv(folder / "products.csv")
    pl.DataFrame(
        {"account_id": np.arange(accounts), "on": date(2022, 12, 31), "balance": "1000.00", "kind": "anchor"}
    ).write_csv(folder / "balances.csv")
    handed = rng.choice(people, len(people) // 20, replace=False)
    pl.DataFrame(
        {
            "manager_id": "M1",
            "role": "maintains",
            "scope": "customer",
            "customer_id": handed,
            "from_on": pl.Series(rng.integers(0, DAYS, len(handed))).cast(pl.Int32).cast(pl.Date).dt.offset_by("53y"),
        }
    ).write_csv(folder / "assignments.csv")
