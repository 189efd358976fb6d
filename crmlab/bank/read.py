"""`crm.read`: a folder of extracts in, a `Bank` as known on a day out."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl

from crmlab import policy as policies
from crmlab.bank import berka, extract
from crmlab.bank.land import NUMBERED, land, paths
from crmlab.bank.rejects import Rejects
from crmlab.bank.relations import PARENTS, SELF
from crmlab.bank.schema import KNOWN_ON, TABLES, columns
from crmlab.errors import InputError, near_miss
from crmlab.policy import Policy

FORMAT = 1
LANDED = Path(".crmlab") / "landed"
# Columns that name a customer who may not be known yet, in rows that are: the name is masked, the row stays.
NOT_YET = {"customers": SELF, "leads": ("customer_id",)}


def _silent(label: str, done: int, total: int) -> None:
    """Shows nothing."""


def read(
    folder: Path | str,
    *,
    as_of: date | str | None,
    landed: Path | str | None = None,
    policy: Policy | None = None,
    progress: Callable[[str, int, int], None] = _silent,
) -> "Bank":
    """Land a bank's extracts and open them as they were known at the end of the day `as_of`.

    None stands for the day of the last transaction.

    The folder holds one file or one folder of files a table of the dictionary (CSV, also as .gz, or Parquet), or the
    Berka files as published. Reading the same files again opens what is landed already, in `landed` (by default
    ``.crmlab/landed`` under the working directory). Rules come from `policy`, else from ``policy.toml`` in the folder,
    else crmlab's own.

    Raises
    ------
    InputError
        When files, tables or columns are missing or unreadable, when a table has more rejected rows than the policy
        allows, or when `as_of` lies before the first transaction.
    """
    folder = Path(folder)
    as_of = as_of if as_of is None else _day(as_of)
    found = _extract(folder)
    own = folder / "policy.toml"
    policy = policy or policies.load(own if own.is_file() else None)
    home = _landed(found, policy, Path(landed) if landed else LANDED, progress)
    manifest = json.loads((home / "manifest.json").read_text("utf-8"))
    first, last = (date.fromisoformat(manifest[end]) for end in ("history_from", "history_to"))
    if as_of and as_of < first:
        raise InputError(f"as_of {as_of} is before the first transaction, {first}. Choose that day or a later one.")
    return Bank(home, as_of or last, policy, manifest | {"policy_hash": policy.hash})


def _day(as_of: date | str) -> date:
    try:
        return date.fromisoformat(str(as_of)[:10])
    except ValueError:
        raise InputError(f"as_of is {as_of!r}, which is not a date. Write it as 2024-03-31.") from None


def _extract(folder: Path) -> extract.Extract:
    if not folder.exists():
        siblings = [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
        near = extract.near_file(folder.name, siblings)
        hint = f"Did you mean {folder.parent / near}?" if near else "Name the folder that holds the extracts."
        raise InputError(f"There is no folder {folder}. {hint}")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file. Name the folder that holds the extracts.")
    return berka.find(folder) if berka.is_berka(folder) else extract.find(folder)


def _landed(found: extract.Extract, policy: Policy, landed: Path, progress: Callable[[str, int, int], None]) -> Path:
    """The folder of a landing of exactly these inputs, made if it is not there: whole, or not at all."""
    inputs = {}
    for n, file in enumerate(found.files):
        progress("hash", n, len(found.files))
        inputs[found.name(file)] = {"bytes": file.stat().st_size, "sha256": extract.sha256(file)}
    name = _hash(inputs, policy)
    home = landed / name[:16]
    if (home / "manifest.json").exists():
        return home
    landed.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f"{home.name}.part-", dir=landed))
    try:
        facts = land(found, policy, beside, progress)
        manifest = {
            "format": FORMAT,
            "hash": name,
            "inputs": {file: of | _encoding(found.folder / file, file) for file, of in inputs.items()},
            "unread": found.unread,
        }
        (beside / "manifest.json").write_text(json.dumps(manifest | facts, indent=1, ensure_ascii=False), "utf-8")
        try:
            beside.rename(home)
        except OSError:
            if not home.exists():  # else another process has landed the same
                raise
        return home
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _encoding(file: Path, name: str) -> dict[str, str]:
    return {} if file.suffix.lower() == ".parquet" else {"encoding": extract.encoding(file, name)}


def _hash(inputs: dict, policy: Policy) -> str:
    """Names what a landing depends on: the files, the rules that bear on it, and the code that does it."""
    code = [extract.sha256(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
    rules = [policy.base_currency, policy.minor_digits, policy.max_reject_share]
    return hashlib.sha256(json.dumps([FORMAT, inputs, rules, code], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Bank:
    """A landed bank as it was known at the end of `as_of`: nothing later can be read from it."""

    folder: Path
    as_of: date
    policy: Policy
    manifest: dict

    @property
    def history_from(self) -> date:
        """The day of the first transaction."""
        return date.fromisoformat(self.manifest["history_from"])

    @property
    def rejects(self) -> Rejects:
        """The rows that were not loaded."""
        return Rejects(self.folder / "rejects", self.manifest["rejects"])

    @cached_property
    def base_currency(self) -> str:
        """The currency of all accounts, or where they have several, the one the policy names."""
        currencies = self.table("accounts").select(pl.col("currency").unique()).collect().to_series()
        return currencies[0] if len(currencies) == 1 else self.policy.base_currency

    def has(self, name: str) -> bool:
        """Whether a table was delivered."""
        return _known(name) in self.manifest["tables"]

    def paths(self, name: str) -> list[Path]:
        """The landed Parquet files of a table, without the wall: those of transactions month by month."""
        return paths(self.folder, name) if self.has(name) else []

    def table(self, name: str) -> pl.LazyFrame:
        """A table as known at `as_of`: later rows are left out, later facts masked, `current` columns absent."""
        return self._rows(name).with_columns(self._masks(name)).select(list(self._schema(name)))

    def _rows(self, name: str) -> pl.LazyFrame:
        """The rows of a table that are known at `as_of`."""
        if not self.has(name):
            return pl.LazyFrame(schema=_landed_schema(name))
        files = self.paths(name)
        if name == "transactions":
            files = [file for file in files if file.stem <= f"{self.as_of:%Y-%m}"]
        rows = pl.scan_parquet(files)
        if name in KNOWN_ON:
            known_on = pl.col(KNOWN_ON[name])
            rows = rows.filter((known_on <= self.as_of) | known_on.is_null())
        for column in self._numbers(name):
            number = pl.col(column)
            rows = rows.filter((number < self._n_known[PARENTS[name][column]]) | number.is_null())
        return rows

    def current(self, name: str) -> pl.LazyFrame:
        """What was true of a table's rows on the day of the extract, beside their key; never use it at a past date."""
        wanted = [*TABLES[_known(name)].primary_key(), *columns(name, time="current")]
        return self._rows(name).select(wanted)

    def _numbers(self, name: str) -> list[str]:
        """Columns of a table that must name a customer or an account known by now; postings cannot name a later one."""
        if name in ("transactions", "balances", *NOT_YET):
            return []
        return [column for column, parent in PARENTS.get(name, {}).items() if parent in NUMBERED]

    @cached_property
    def _n_known(self) -> dict[str, int]:
        """How many customers and accounts are known at `as_of`; their numbers follow the day they became known."""
        return {
            table: pl.scan_parquet(self.paths(table))
            .filter(pl.col(KNOWN_ON[table]) <= self.as_of)
            .select(pl.len())
            .collect()
            .item()
            for table in NUMBERED
        }

    def _masks(self, name: str) -> list[pl.Expr]:
        dated = {column: TABLES[name].columns()[column].metadata["by"] for column in columns(name, time="dated")}
        masks = [pl.when(pl.col(by) <= self.as_of).then(column).alias(column) for column, by in dated.items()]
        return masks + [
            pl.when(pl.col(column) < self._n_known["customers"]).then(column).alias(column)
            for column in NOT_YET.get(name, ())
        ]

    def _schema(self, name: str) -> dict[str, pl.DataType]:
        hidden = columns(_known(name), time="current")
        return {column: type_ for column, type_ in _landed_schema(name).items() if column not in hidden}


def _known(name: str) -> str:
    if name not in TABLES:
        raise InputError(f"The dictionary has no table {name}. {near_miss(name, list(TABLES))}")
    return name


def _landed_schema(name: str) -> dict[str, pl.DataType]:
    """The types of a table as it is landed."""
    types = {column: rule.dtype for column, rule in TABLES[name].columns().items()}
    types |= {column: pl.Int32() for column, parent in PARENTS.get(name, {}).items() if parent in NUMBERED}
    if name in NUMBERED:
        _, id_, no = NUMBERED[name]
        types = {id_: pl.Int32(), no: pl.String()} | types | {id_: pl.Int32()}
    if name == "customers":
        types |= dict.fromkeys(SELF, pl.Int32())
    return types | ({"month": pl.Date()} if name == "transactions" else {})
