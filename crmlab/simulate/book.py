"""From numbers to the text of an extract: ids, dates, money, and the files they are written to."""

from pathlib import Path

import numpy as np
import polars as pl

from crmlab.bank.schema import CHANNELS, COUNTERPARTIES, ENTRY_KINDS, INITIATORS, TABLES, columns
from crmlab.simulate.catalogue import DIGITS
from crmlab.simulate.ledger import CATEGORIES
from crmlab.simulate.months import NEVER, Month
from crmlab.simulate.names import PER_BLOCK, decimal, numbered, words
from crmlab.simulate.world import World

IDS = {  # columns that hold numbers of customers, accounts, managers and branches
    "customer_id": "C", "other_id": "C", "referred_by_id": "C", "legal_rep_id": "C", "account_id": "A",
    "manager_id": "M", "from_manager_id": "M", "to_manager_id": "M", "branch_id": "B",
}  # fmt: skip
DATES = ("on", "month", "since")
WORDS = (ENTRY_KINDS, CHANNELS, INITIATORS, CATEGORIES, COUNTERPARTIES)
WORD_COLUMNS = ("kind", "channel", "initiated_by", "category", "counterparty_kind")


class Files:
    """Where the tables of a bank go: CSV for a bank of one block, Parquet in pieces for a larger one."""

    def __init__(self, folder: Path, n_blocks: int, block_size: int):
        self.folder = folder
        self.n_blocks = n_blocks
        self.block_size = block_size

    def write(self, table: str, frame: pl.DataFrame, block: int = 0) -> None:
        """Write the rows of a block; a folder of files where there are several blocks."""
        ending = "csv" if self.n_blocks == 1 and not table.startswith("truth/") else "parquet"
        name = f"{table}.{ending}" if self.n_blocks == 1 else f"{table}/{block:03d}.{ending}"
        self._put(self.folder / name, frame)

    def write_month(self, month: Month, frame: pl.DataFrame, block: int) -> None:
        """Write a month's transactions of a block."""
        name = f"{month.name}.csv" if self.n_blocks == 1 else f"{month.name}-{block:03d}.parquet"
        self._put(self.folder / "transactions" / name, frame)

    def write_once(self, table: str, rows: dict) -> None:
        """Write a table that is not made by block: one small file."""
        suffix = ".parquet" if table.startswith("truth/") else ".csv"
        self._put(self.folder / f"{table}{suffix}", self.frame(table, rows))

    def frame(self, table: str, rows: dict, block: int = 0, currency: np.ndarray | None = None) -> pl.DataFrame:
        """Columns of numbers as columns of text and dates; `currency` holds the currency of each account."""
        amounts = columns(table, unit="money") if table in TABLES else []
        digits = None
        if table in ("accounts", "balances"):
            digits = DIGITS[currency[rows["account_id"]]]
        return pl.DataFrame(
            money(values, digits).alias(name) if name in amounts else self._series(name, values, block)
            for name, values in rows.items()
        )

    def _series(self, name: str, values, block: int) -> pl.Series:
        if not isinstance(values, np.ndarray):
            return pl.Series(name, values)
        if name in IDS:
            return self.ids(name, values, block).alias(name)
        if name in DATES or name.endswith("_on"):
            return dates(values).alias(name)
        if name in ("term_months", "overdue_days"):
            return pl.Series(name, values).replace({-1: None})
        return pl.Series(name, values.tolist(), pl.String) if values.dtype == object else pl.Series(name, values)

    def ids(self, name: str, values: np.ndarray, block: int) -> pl.Series:
        """Numbers of things as their ids: C0000123 for a customer, A00000456 for an account, M012 and B03 for staff."""
        prefix = IDS[name]
        per_block, width = {"C": (self.block_size, 7), "A": (PER_BLOCK, 9), "M": (0, 4), "B": (0, 3)}[prefix]
        return numbered(prefix, np.where(values >= 0, values + per_block * block + 1, -1), width)

    def _put(self, path: Path, frame: pl.DataFrame) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            frame.write_csv(path)
        else:
            frame.write_parquet(path, compression="snappy", statistics=False)


def dates(days: np.ndarray) -> pl.Series:
    """Day numbers as dates; `NEVER` is null."""
    days = pl.Series(np.asarray(days, np.int32))
    return pl.select(pl.when(days != NEVER).then(days).cast(pl.Date)).to_series()


def money(amount: np.ndarray, digits: np.ndarray | None) -> pl.Series:
    """Minor units as decimal text by the digits of their currencies; `NEVER` is null."""
    text = decimal(amount, 2)
    odd = np.flatnonzero(digits == 0) if digits is not None else np.empty(0, int)
    if len(odd):
        text = text.scatter(odd, pl.Series(amount[odd]).cast(pl.String))
    none = np.flatnonzero(amount == NEVER)
    return text.scatter(none, [None] * len(none)) if len(none) else text


def transactions(files: Files, world: World, entries: list[np.ndarray], reverses: np.ndarray) -> pl.DataFrame:
    """A month's entries, which stand in the order of their days, with ids, as the extract shows them."""
    account, day, amount, *codes = entries
    first = world.serials["T"] + world.block * PER_BLOCK * 100
    world.serials["T"] += len(day)
    reverses_id = numbered("T", np.where(reverses >= 0, first + reverses, -1), 11)
    return pl.DataFrame({
        "transaction_id": numbered("T", first + np.arange(len(day)), 11),
        "account_id": files.ids("account_id", account, world.block),
        "booked_on": dates(day),
        "amount": money(amount, DIGITS[world.ledger.currency[account]]),
        **{name: words(list_, code) for name, list_, code in zip(WORD_COLUMNS, WORDS, codes, strict=True)},
        "reverses_id": reverses_id,
    })  # fmt: skip
