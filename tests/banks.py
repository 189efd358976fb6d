"""A six-customer bank that can be checked in the head, and how a test writes a bank of its own."""

import csv
from pathlib import Path

PRODUCTS = [
    {"product_id": "P-CUR", "name": "Current account", "line": "deposits", "term": "demand"},
    {"product_id": "P-TD", "name": "Term deposit", "line": "deposits", "term": "term"},
    {"product_id": "P-LOAN", "name": "Loan", "line": "loans"},
    {"product_id": "P-FUND", "name": "Fund", "line": "wealth", "risk": "R3"},
]


def write(folder: Path, **tables: list[dict]) -> Path:
    """Write each table that has rows as one CSV file; absent cells are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        if not rows:
            continue
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder


def person(number: str, since: str = "2023-01-01", kind: str = "retail", **more) -> dict:
    """A customer row."""
    return {"customer_id": number, "kind": kind, "since": since, "branch_id": "B1", "name": f"Name {number}", **more}


def account(number: str, owner: str, product: str = "P-CUR", opened: str = "2023-01-01", **more) -> dict:
    """An account row."""
    return {
        "account_id": number, "customer_id": owner, "product_id": product, "branch_id": "B1", "currency": "CNY",
        "opened_on": opened, **more,
    }  # fmt: skip


def entry(on: str, number: str, amount: str, kind: str = "payment", by: str = "customer", **more) -> dict:
    """A transaction row."""
    return {"account_id": number, "booked_on": on, "amount": amount, "kind": kind, "initiated_by": by, **more}


def six(folder: Path, **more: list[dict]) -> Path:
    """Six customers from January to March 2024; `more` replaces or adds tables."""
    tables = {
        "products": PRODUCTS,
        "branches": [{"branch_id": "B1", "name": "Riverside"}, {"branch_id": "B2", "name": "Old Market"}],
        "managers": [{"manager_id": "M1", "name": "Wei", "branch_id": "B1"}, {"manager_id": "M2", "name": "Lan"}],
        "customers": [
            person("C1"),
            person("C2"),
            person("C3", since="2024-01-10"),
            person("C4", kind="corporate"),
            person("C5", branch_id="B2"),
            person("C6"),
        ],
        "accounts": [
            account("A1", "C1"),  # anchored, salary in, card out, handed over in mid-February
            account("A2", "C2"),  # older than the history and without an anchor
            account("A3", "C3", opened="2024-01-10", closed_on="2024-02-20"),
            account("A4", "C4", currency="USD"),
            account("A5", "C5"),  # joint with C6
            account("A6", "C6", product="P-FUND"),  # valuations only
            account("A7", "C1", product="P-LOAN", opened="2024-02-05"),
        ],
        "holders": [
            {"account_id": "A5", "customer_id": "C5", "role": "owner", "share": "0.5"},
            {"account_id": "A5", "customer_id": "C6", "role": "joint", "share": "0.5"},
        ],
        "balances": [
            {"account_id": "A1", "on": "2023-12-31", "balance": "100.00", "kind": "anchor"},
            {"account_id": "A4", "on": "2024-01-01", "balance": "1000.00", "kind": "anchor"},
            {"account_id": "A5", "on": "2023-12-31", "balance": "0.01", "kind": "anchor"},
            {"account_id": "A6", "on": "2023-12-31", "balance": "500.00", "kind": "anchor"},
            {"account_id": "A6", "on": "2024-01-16", "balance": "530.00", "kind": "valuation"},
            {"account_id": "A6", "on": "2024-03-31", "balance": "470.00", "kind": "valuation"},
        ],
        "fx_rates": [
            {"currency": "USD", "on": "2023-12-31", "rate": "7.0"},
            {"currency": "USD", "on": "2024-01-31", "rate": "7.1"},
            {"currency": "USD", "on": "2024-02-29", "rate": "7.2"},
            {"currency": "USD", "on": "2024-03-31", "rate": "7.05"},
        ],
        "assignments": [
            {"manager_id": "M1", "role": "maintains", "scope": "customer", "customer_id": "C1", "share": "1",
             "from_on": "2023-01-01", "to_on": "2024-02-14"},
            {"manager_id": "M2", "role": "maintains", "scope": "customer", "customer_id": "C1", "share": "1",
             "from_on": "2024-02-15"},
        ],
        "transactions": [
            entry("2024-01-01", "A4", "-200.00", "transfer", counterparty_kind="other bank"),
            entry("2024-01-31", "A1", "50.00", "salary", "counterparty"),
            entry("2024-01-10", "A3", "80.00", "cash", channel="counter"),
            entry("2024-02-05", "A7", "-300.00", "principal", "bank"),
            entry("2024-02-05", "A1", "300.00", "principal", "bank"),
            entry("2024-02-10", "A1", "-30.00", "card", channel="pos"),
            entry("2024-02-10", "A1", "-5.00", "card", channel="pos"),
            entry("2024-02-20", "A1", "30.00", "reversal", "bank"),
            entry("2024-02-20", "A3", "-80.00", "cash", channel="counter"),
            entry("2024-02-21", "A2", "-10.00", "payment", "mandate"),
            entry("2024-03-01", "A5", "0.04", "cash", channel="counter"),
            entry("2024-03-20", "A7", "25.00", "principal", "mandate"),
            entry("2024-03-20", "A1", "-25.00", "principal", "mandate"),
            entry("2024-03-21", "A1", "1.11", "interest", "bank"),
            entry("2024-03-31", "A1", "-2.00", "fee", "bank"),
        ],
    }  # fmt: skip
    return write(folder, **{**tables, **more})
