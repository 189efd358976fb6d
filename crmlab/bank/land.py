"""Landing: every delivered table read batch by batch, checked, numbered, and written as Parquet.

Transactions are put down by month as they come and sorted month by month afterwards, so memory holds one batch and one
month, not the history. `customer_id` and `account_id` become whole numbers from 0 in the order of (since, id) and
(opened_on, id): what is delivered later never renumbers what was there.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from crmlab.bank import relations, whole
from crmlab.bank.extract import Extract
from crmlab.bank.rejects import RejectLog
from crmlab.bank.rows import Reader, money_column
from crmlab.bank.schema import REQUIRED, TABLES
from crmlab.errors import InputError
from crmlab.policy import Policy

LARGEST_SUM = 2**63 - 1  # a sum beyond it wraps in Polars without a word
NUMBERED = {"customers": ("since", "customer_id", "customer_no"), "accounts": ("opened_on", "account_id", "account_no")}
ROW_GROUP = 2**18
IS_OWN = pl.col("kind").is_in(["payment", "transfer"]) & (pl.col("counterparty_kind") == "own")


@dataclass
class Landing:
    """A landing under way."""

    extract: Extract
    policy: Policy
    into: Path
    progress: Callable[[str, int, int], None]
    log: RejectLog
    known: dict[str, pl.DataFrame] = field(default_factory=dict)
    tables: dict[str, dict] = field(default_factory=dict)
    rejects: list[dict] = field(default_factory=list)
    notes: list[dict] = field(default_factory=list)
    own: Counter = field(default_factory=Counter)
    days: list[date] = field(default_factory=list)

    @property
    def base_digits(self) -> int:
        """Digits of amounts without an account: the policy's, since accounts still to be opened must not decide."""
        return self.policy.digits(self.policy.base_currency)


def land(extract: Extract, policy: Policy, into: Path, progress: Callable[[str, int, int], None]) -> dict:
    """Land all tables of an extract in the folder `into`; returns the manifest's facts about them.

    Raises
    ------
    InputError
        When a table is empty, cannot be read, or has more rejected rows than ``max_reject_share`` allows.
    """
    landing = Landing(extract, policy, into, progress, RejectLog(into / "rejects"))
    for table in relations.ORDER:
        if table in extract.tables:
            _land(landing, table)
    return {
        "history_from": str(min(landing.days)),
        "history_to": str(max(landing.days)),
        "tables": {table: landing.tables[table] for table in TABLES if table in landing.tables},
        "rejects": landing.rejects,
        "notes": landing.notes,
    }


def _land(landing: Landing, table: str) -> None:
    reader = Reader(table, landing.known, landing.policy.minor_digits, landing.base_digits)
    spool = Spool(landing.into / "spool") if table == "transactions" else Heap()
    n, n_unreadable, largest = 0, 0, 0
    money, rejected_money = Counter(), Counter()
    ignored: dict[str, str] = {}
    for batch in landing.extract.tables[table]():
        read = reader.read(batch)
        n += batch.rows.height
        ignored |= dict.fromkeys(batch.ignored, batch.file)
        money.update(read.money)
        rejected_money.update(read.rejected_money)
        n_unreadable += read.n_unreadable
        largest += read.largest_sum
        landing.log.add(table, read.rejected)
        spool.add(read.good)
        landing.progress(table, int(batch.share * 1000), 1000)
    if not n and table in REQUIRED:
        raise InputError(f"The table {table} has no rows. Deliver it with its rows.")
    if largest > LARGEST_SUM:
        raise InputError(
            f"The amounts of {table} add up to {largest} minor units, more than can be summed exactly. "
            "Correct the amounts that are out of all proportion."
        )
    for name, rows in spool.parts():
        good, bad = whole.split(rows, table)
        landing.log.add(table, whole.as_text(bad, table, landing.known, landing.base_digits, reader.files))
        rejected_money.update(_money(bad.lazy(), table, landing.known))
        _write(landing, table, good, name)
    landing.notes += [_ignored(table, ignored)] if ignored else []
    landing.notes += [_own(landing.own)] if landing.own and table == "transactions" else []
    landing.rejects += landing.log.close(table, n)
    _within_ceiling(landing, table, n)
    if not paths(landing.into, table):
        raise InputError(f"Not one of the {n} {table} could be loaded. {landing.rejects[-1]['says']}. Fix the extract.")
    entry = {"rows_in": n, "loaded": _n_landed(landing.into, table), "rejected": landing.log.n(table)}
    if money_column(table):
        loaded = _money(pl.scan_parquet(paths(landing.into, table)), table, landing.known)
        entry["control"] = {
            currency: {"in": money[currency], "loaded": loaded.get(currency, 0), "rejected": rejected_money[currency]}
            for currency in sorted(money.keys() | loaded.keys())
        }
        entry["unreadable"] = n_unreadable
    landing.tables[table] = entry


def paths(folder: Path, table: str) -> list[Path]:
    """The Parquet files of a landed table, those of transactions month by month."""
    if table == "transactions":
        return sorted((folder / table).glob("*.parquet"))
    return [folder / f"{table}.parquet"]


def _n_landed(folder: Path, table: str) -> int:
    return pl.scan_parquet(paths(folder, table)).select(pl.len()).collect().item()


def _money(rows: pl.LazyFrame, table: str, known: dict[str, pl.DataFrame]) -> dict[str, int]:
    """Sums by currency."""
    name = money_column(table)
    if name is None:
        return {}
    currencies = known["accounts"].lazy().select("number", "currency")
    sums = rows.group_by("account_id").agg(pl.col(name).sum()).join(currencies, left_on="account_id", right_on="number")
    totals = sums.group_by("currency").agg(pl.col(name).cast(pl.Int128).sum()).collect(engine="streaming")
    return {currency: int(total) for currency, total in totals.iter_rows()}


def _within_ceiling(landing: Landing, table: str, n: int) -> None:
    n_rejected = landing.log.n(table)
    if n_rejected <= landing.policy.max_reject_share * n:
        return
    worst = next(entry for entry in landing.rejects if entry["table"] == table)
    others = n_rejected - worst["n"]
    more = f", and {others} more break other rules" if others else ""
    raise InputError(f"{worst['says']}{more}. Fix the extract, or raise max_reject_share in policy.toml.")


def _write(landing: Landing, table: str, rows: pl.DataFrame, month: str) -> None:
    rows = rows.drop("row", "file")
    if table in NUMBERED:
        rows = _numbered(landing, table, rows)
    elif table == "transactions":
        landing.own.update(rows.filter(IS_OWN)["kind"])
        own_transfer = pl.lit("own_transfer", rows.schema["kind"])
        rows = rows.with_columns(kind=pl.when(IS_OWN).then(own_transfer).otherwise("kind"))
        rows = rows.sort("account_id", "booked_on", maintain_order=True)
        landing.days += [rows["booked_on"].min(), rows["booked_on"].max()] if rows.height else []
    elif keys := whole.key(table):
        rows = rows.sort(keys)
    if table in ("branches", "products", "managers", "campaigns"):
        ids = rows.to_series(0).alias("id").to_frame()
        landing.known[table] = ids.with_row_index("number").cast({"number": pl.Int32})
    path = landing.into / table / f"{month}.parquet" if month else landing.into / f"{table}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.write_parquet(path, row_group_size=ROW_GROUP)


def _numbered(landing: Landing, table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Customers or accounts with their number for an id, and the id they came with as customer_no, account_no."""
    since, id_, no = NUMBERED[table]
    number = pl.int_range(pl.len(), dtype=pl.Int32)
    rows = rows.sort(since, id_).rename({id_: no}).with_columns(number.alias(id_))
    rows = rows.select(id_, no, pl.exclude(id_, no))
    facts = rows.select(pl.col(no).alias("id"), pl.col(id_).alias("number"), since)
    if table == "accounts":
        digits = pl.col("currency").replace_strict(landing.policy.minor_digits, default=2, return_dtype=pl.Int64)
        facts = facts.with_columns(
            rows.select("closed_on", pl.col("currency").cast(pl.Categorical), digits.alias("digits")).get_columns()
        )
    landing.known[table] = facts
    return _resolved(landing, rows) if table == "customers" else rows


def _resolved(landing: Landing, customers: pl.DataFrame) -> pl.DataFrame:
    """Customers with the numbers of the customers they name; a name that leads nowhere becomes null and a note."""
    for column in relations.SELF:
        named = landing.known["customers"].select(pl.col("id").alias(column), pl.col("number").alias("#"))
        found = customers.join(named, on=column, how="left", maintain_order="left")
        lost = found.filter(pl.col(column).is_not_null() & pl.col("#").is_null())
        if lost.height:
            landing.notes.append(_note("customers", column, lost, customers.height))
        customers = found.with_columns(pl.col("#").alias(column)).drop("#")
    return customers


def _ignored(table: str, ignored: dict[str, str]) -> dict:
    column, file = next(iter(ignored.items()))
    near = [f"{name} ({hint})" if (hint := _near(name, table)) else name for name in ignored]
    says = f"{file} has columns that the dictionary does not know, and they were not read: {', '.join(near)}"
    return {"table": table, "rule": "columns|ignored", "n": len(ignored), "first": {"column": column}, "says": says}


def _own(kinds: Counter) -> dict:
    kind, n = kinds.most_common(1)[0][0], kinds.total()
    listed = " and ".join(f"{n} of kind {kind}" for kind, n in sorted(kinds.items()))
    says = f"transactions between a customer's own accounts, {listed}, are loaded as own_transfer"
    return {"table": "transactions", "rule": "kind|own", "n": n, "first": {"kind": kind}, "says": says}


def _near(name: str, table: str) -> str:
    close = get_close_matches(name, list(TABLES[table].columns()), n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else ""


def _note(table: str, column: str, lost: pl.DataFrame, n: int) -> dict:
    first = {"customer_no": lost["customer_no"][0], column: lost[column][0]}
    says = (
        f"{lost.height} of {n} {table} name a {column} that is not among the loaded {table} "
        f"(first: {first['customer_no']}, {first[column]}); they are loaded without it"
    )
    return {"table": table, "rule": f"{column}|unknown", "n": lost.height, "first": first, "says": says}


class Spool:
    """Good rows put down by month in the order they came, to be taken up again month by month."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._n = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Put rows down, each with its month."""
        self._n += 1
        rows = rows.with_columns(month=pl.col("booked_on").dt.month_end())
        for (month,), part in rows.partition_by("month", as_dict=True).items():
            path = self.folder / f"{month:%Y-%m}" / f"{self._n:06}.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_ipc(path, compression="lz4")

    def parts(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """The months in order, each as its name and all its rows; nothing is left behind."""
        for folder in sorted(self.folder.iterdir()) if self.folder.exists() else []:
            yield folder.name, pl.concat(pl.read_ipc(path) for path in sorted(folder.iterdir()))
            shutil.rmtree(folder)
        shutil.rmtree(self.folder, ignore_errors=True)


class Heap:
    """The same for a table that is held whole."""

    def __init__(self) -> None:
        self._rows: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Put rows down."""
        self._rows.append(rows)

    def parts(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """All rows, under no name."""
        yield "", pl.concat(self._rows)
        self._rows.clear()
