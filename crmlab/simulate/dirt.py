"""Broken rows, planted beside the good ones: what is left after rejecting them is the clean bank to the unit."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from crmlab.simulate.book import dates

NO_ANCHOR = "anchor|missing"  # not a reject: `crmlab check` lists such accounts
UNREADABLE_DATES = ("2024-02-30", "31.06.2023", "unknown")
UNREADABLE_MONEY = ("pending", "1.234.5", "12,3a")
# The rules that planted rows break, by the names under which `crm.read` rejects them.
RULES = {
    "customers": ("since|format", "customer_id|repeated"),
    "accounts": ("opened_on|format", "customer_id|unknown", "account_id|repeated"),
    "transactions": (
        "booked_on|format",
        "amount|format",
        "account_id|unknown",
        "booked_on|before opening",
        "transaction_id|repeated",
    ),
    "contacts": ("on|format", "customer_id|unknown", "contact_id|repeated"),
}


@dataclass
class Dirt:
    """Plants defects in the tables of one block and remembers each as table, rule and key."""

    share: float
    rng: np.random.Generator
    block: int
    planted: list[dict] = field(default_factory=list)

    def spoiled(self, table: str, frame: pl.DataFrame, opened: np.ndarray | None = None) -> pl.DataFrame:
        """The rows of a table with broken ones among them; `opened` is the day each row's account was opened."""
        if not self.share or table not in RULES:
            return frame
        n = max(self.rng.binomial(frame.height, self.share), len(RULES[table]) if table != "transactions" else 0)
        source = self.rng.integers(0, frame.height, n)
        behind = self.rng.uniform(source + 0.5, frame.height)  # a row comes before its repetition
        frame = frame.with_columns(pl.col(pl.Date).cast(pl.String))
        rules = RULES[table]
        kind = np.arange(n) % len(rules)
        parts, places = [frame], [np.arange(frame.height)]
        for i, rule in enumerate(rules):
            rows = frame[source[kind == i]]
            if rows.height:
                places.append(behind[kind == i])
                parts.append(self._broken(table, rule, rows, None if opened is None else opened[source[kind == i]]))
        return pl.concat(parts)[np.argsort(np.concatenate(places), kind="stable")]

    def without_anchors(self, balances: pl.DataFrame) -> pl.DataFrame:
        """Balances less the anchors of a few accounts."""
        if not self.share:
            return balances
        anchors = np.flatnonzero(balances["kind"] == "anchor")
        lost = self.rng.choice(anchors, max(1, int(len(anchors) * self.share)), replace=False)
        self._plant("balances", NO_ANCHOR, balances["account_id"].gather(lost))
        keep = np.ones(balances.height, bool)
        keep[lost] = False
        return balances.filter(pl.Series(keep))

    def truth(self) -> pl.DataFrame:
        """Every planted defect."""
        return pl.DataFrame(self.planted, schema={"table": pl.String, "rule": pl.String, "key": pl.String})

    def _broken(self, table: str, rule: str, rows: pl.DataFrame, opened: np.ndarray | None) -> pl.DataFrame:
        column, _, how = rule.partition("|")
        key = rows.columns[0]
        if how != "repeated":
            first = 900_000_000 + self.block * 1_000_000 + len(self.planted)
            serial = pl.Series(np.arange(first, first + rows.height)).cast(pl.String)
            rows = rows.with_columns((pl.col(key).str.slice(0, 1) + serial).alias(key))
        if how == "format":
            words = UNREADABLE_MONEY if column == "amount" else UNREADABLE_DATES
            rows = rows.with_columns(pl.Series(column, self.rng.choice(words, rows.height)))
        elif how == "unknown":
            rows = rows.with_columns((pl.col(column).str.slice(0, 1) + "999999999").alias(column))
        elif how == "before opening":
            day = opened - self.rng.integers(1, 400, rows.height)
            rows = rows.with_columns(dates(day).cast(pl.String).alias(column))
        self._plant(table, rule, rows[key])
        return rows

    def _plant(self, table: str, rule: str, keys: pl.Series) -> None:
        self.planted += [{"table": table, "rule": rule, "key": key} for key in keys]
