"""Rows that were not loaded: counted by table and rule, the first of each kept, all of them on disk."""

from dataclasses import dataclass, field
from pathlib import Path

import dataframely as dy
import polars as pl

from crmlab.bank.relations import PARENTS
from crmlab.bank.schema import TABLES

SAYS = {
    "nullability": "have no {column}",
    "decimals": "have more decimals in {column} than can be counted in its unit",
    "size": "have {a} {column} too large to be counted in 64 bits",
    "unknown": "have {a} {column} that is not among the loaded {parent}",
    "repeated": "repeat a row that was read before",
    "conflicting": "share their {column} with a different row",
    "uneven": "are of an account whose shares do not add to 1",
    "before customer": "opened before their customer joined",
    "before opening": "are dated before their account opened",
    "after closing": "are dated after their account closed",
    "min": "have {a} {column} below what the dictionary allows",
    "max": "have {a} {column} above what the dictionary allows",
    "regex": "have {a} {column} that is not three capital letters",
}
FORMATS = {
    dy.Date: "not a date such as 2024-03-30, 20240330 or 30.03.2024",
    dy.Bool: "neither yes nor no",
    dy.Int32: "not a whole number",
    dy.Int64: "not a number such as 1234.56",
}
ONE = {"have": "has", "are": "is", "repeat": "repeats", "share": "shares", "break": "breaks", "their": "its"}


@dataclass(frozen=True)
class Rejects:
    """The rejected rows of a landing; `counts` has one row a table and rule, `says` tells it in a sentence."""

    folder: Path
    rows: list[dict] = field(repr=False)

    @property
    def n(self) -> int:
        """Rejected rows in all."""
        return sum(row["n"] for row in self.rows)

    @property
    def counts(self) -> pl.DataFrame:
        """Table, rule, n and the sentence."""
        wanted = {"table": pl.String, "rule": pl.String, "n": pl.Int64, "says": pl.String}
        return pl.DataFrame([{name: row[name] for name in wanted} for row in self.rows], schema=wanted)

    def table(self, name: str) -> pl.LazyFrame:
        """The rejected rows of a table as delivered, as text, after the rule they break, their file and their row."""
        path = self.folder / f"{name}.parquet"
        empty = pl.LazyFrame(schema=dict.fromkeys(["rule", "file", "row", *TABLES[name].columns()], pl.String))
        return pl.scan_parquet(path) if path.exists() else empty

    def write(self, folder: Path | str) -> list[Path]:
        """Write all rejected rows as CSV files, one a table, to be corrected and delivered again."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for path in sorted(self.folder.glob("*.parquet")):
            written.append(folder / f"{path.stem}.csv")
            pl.scan_parquet(path).sink_csv(written[-1])
        return written


class RejectLog:
    """Takes rejected rows while tables are landed, and keeps only counts and first examples in memory."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._found: dict[tuple[str, str], dict] = {}
        self._n_parts: dict[str, int] = {}

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Take rejected rows: `rule`, `file`, `row` and their fields, all text."""
        if rows.is_empty():
            return
        for (rule,), found in rows.group_by("rule", maintain_order=True):
            entry = self._found.setdefault((table, rule), {"n": 0, "first": _first(found)})
            entry["n"] += found.height
        n = self._n_parts[table] = self._n_parts.get(table, 0) + 1
        part = self.folder / table / f"{n:06}.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(part)

    def n(self, table: str) -> int:
        """Rejected rows of a table so far."""
        return sum(entry["n"] for (name, _), entry in self._found.items() if name == table)

    def close(self, table: str, n_rows: int) -> list[dict]:
        """Put the parts of a table into one file; returns what the manifest keeps, the most frequent rule first."""
        parts = sorted((self.folder / table).glob("*.parquet"))
        if parts:
            pl.concat([pl.scan_parquet(part) for part in parts], how="diagonal").sink_parquet(
                self.folder / f"{table}.parquet"
            )
            for part in parts:
                part.unlink()
            (self.folder / table).rmdir()
        entries = [
            {"table": table, "rule": rule, **entry, "says": says(table, rule, entry["n"], n_rows, entry["first"])}
            for (name, rule), entry in self._found.items()
            if name == table
        ]
        return sorted(entries, key=lambda entry: (-entry["n"], entry["rule"]))


def says(table: str, rule: str, n: int, of: int, first: dict) -> str:
    """One sentence about the rows of a table that break a rule.

    Examples
    --------
    >>> first = {"transaction_id": "T0017", "account_id": "A0003", "booked_on": "2024-03-30"}
    >>> says("transactions", "booked_on|before opening", 37, 120431, first)
    '37 of 120431 transactions are dated before their account opened (first: T0017, account A0003, 2024-03-30)'
    """
    column, _, kind = rule.rpartition("|")
    if kind in SAYS:
        what = SAYS[kind].format(
            a=_article(column), column=_words(column), parent=PARENTS.get(table, {}).get(column, "")
        )
    elif kind == "format":
        what = f"have {_article(column)} {column} that is {FORMATS[type(TABLES[table].columns()[column])]}"
    elif kind == "dtype":
        known = ", ".join(TABLES[table].columns()[column].categories)
        what = f"have {_article(column)} {column} that is none of: {known}"
    else:
        what = f"break the rule '{kind.replace('_', ' ')}'"
    if n == 1:
        what = " ".join(ONE.get(word, word) for word in what.split(" "))
    return f"{n} of {of} {table.replace('_', ' ')} {what} (first: {_example(table, column, first)})"


def _article(column: str) -> str:
    return "an" if column[:1] in "aeiou" else "a"


def _words(column: str) -> str:
    return column.replace("+", " and ")


def _example(table: str, column: str, first: dict) -> str:
    known = TABLES[table].columns()
    keys = [name for name, wanted in known.items() if wanted.primary_key] or ["transaction_id"]
    parts = [first[key] for key in keys if first.get(key)]
    for name in ("account_id", "customer_id", *column.split("+")):
        if name in known and name not in keys and first.get(name):
            part = f"{name.removesuffix('_id')} {first[name]}" if name.endswith("_id") else first[name]
            parts += [part] if part not in parts else []
    if first.get("file"):
        parts.append(f"{first['file']} row {first['row']}")
    return ", ".join(parts)


def _first(rows: pl.DataFrame) -> dict:
    return {name: value for name, value in rows.row(0, named=True).items() if value is not None and name != "rule"}
