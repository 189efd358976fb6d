"""One published snapshot, opened for reading: memory-mapped pages, lazy frames, and the manifest."""

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.ipc

from crmlab.errors import InputError, near_miss

FORMAT = 6
POINTER = "CURRENT"
SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class Mart:
    """A snapshot as `crm.mart.open` gives it; nothing in it changes while it is open."""

    folder: Path
    manifest: dict
    _pages: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False, compare=False)
    _mapped: dict[str, pa.Table] = field(default_factory=dict, repr=False, compare=False)

    @property
    def as_of(self) -> date:
        """The day up to which everything is known."""
        return date.fromisoformat(self.manifest["as_of"])

    @property
    def base_currency(self) -> str:
        """The currency of all money but that of `facts`."""
        return self.manifest["base_currency"]

    @property
    def minor_digits(self) -> int:
        """Digits after the decimal point of the base currency."""
        return self.manifest["minor_digits"]

    def digits(self, currency: str) -> int:
        """Digits after the decimal point of a currency, by the rules that the snapshot was built with."""
        return self.manifest["digits_of_currencies"].get(currency, 2)

    @property
    def facts(self) -> pl.LazyFrame:
        """Account × period; see `crmlab.panel.facts`."""
        return pl.scan_parquet(self.folder / "facts")

    @property
    def customers(self) -> pl.LazyFrame:
        """Customer × month × line; see `crmlab.panel.customers`."""
        return pl.scan_parquet(self.folder / "customers")

    @property
    def books(self) -> pl.LazyFrame:
        """Customer × month × line × manager; see `crmlab.panel.books`."""
        return pl.scan_parquet(self.folder / "books")

    @property
    def contribution(self) -> pl.LazyFrame:
        """Customer × month × line × manager, a column a component; see `crmlab.contribution.lines`."""
        return pl.scan_parquet(self.folder / "contribution")

    @property
    def standing(self) -> pl.LazyFrame:
        """Customer × month: what they had, earned and did; see `crmlab.standing.table`."""
        return pl.scan_parquet(self.folder / "standing")

    @property
    def events(self) -> pl.LazyFrame:
        """Dated things about customers; see `crmlab.panel.events`."""
        return pl.scan_parquet(self.folder / "events.parquet")

    @property
    def accounts(self) -> pl.LazyFrame:
        """The accounts known at `as_of`, with their numbers, products and lines."""
        return pl.scan_parquet(self.folder / "accounts.parquet")

    @property
    def holdings(self) -> pl.LazyFrame:
        """Who holds which product from when until when; see `crmlab.panel.holdings`."""
        return pl.scan_parquet(self.folder / "holdings.parquet")

    @property
    def behind(self) -> pl.LazyFrame:
        """What each rule of a manager was counted from, in the order of managers; see `crmlab.managers.rows_behind`."""
        return pl.scan_parquet(self.folder / "behind")

    @property
    def identity(self) -> pl.LazyFrame:
        """Name, mobile, address and national ID; read only for the one customer for whom they are asked."""
        return pl.scan_parquet(self.folder / "identity.parquet")

    def page(self, name: str) -> pl.DataFrame:
        """A table made for pages, memory-mapped from uncompressed Arrow.

        Raises
        ------
        InputError
            When the snapshot holds no such table.
        """
        if name not in self._pages:
            self._pages[name] = pl.from_arrow(self._map(name))
        return self._pages[name]

    def of(self, name: str, *customer_ids: int) -> pl.DataFrame:
        """The rows of some customers in a table made for pages that is in the order of customers; no others are read.

        Raises
        ------
        InputError
            When the snapshot holds no such table.
        """
        table = self._map(name)
        ids = pl.from_arrow(table["customer_id"])
        ends = [(ids.search_sorted(one, "left"), ids.search_sorted(one, "right")) for one in sorted(customer_ids)]
        found = [table.slice(low, high - low) for low, high in ends] or [table.slice(0, 0)]
        return pl.from_arrow(pa.concat_tables(found))

    def _map(self, name: str) -> pa.Table:
        if name not in self._mapped:
            path = self.folder / "pages" / f"{name}.arrow"
            if not path.is_file():
                known = sorted(file.stem for file in path.parent.glob("*.arrow"))
                raise InputError(f"The mart has no page table {name}. {near_miss(name, known)}")
            # Polars 2 copies what it reads from disk; pyarrow maps it, so that viewers share one copy.
            with pa.memory_map(str(path)) as file:
                self._mapped[name] = pa.ipc.open_file(file).read_all()
        return self._mapped[name]


def open(folder: Path | str) -> Mart:
    """Open the snapshot that a mart points to.

    Parameters
    ----------
    folder
        The mart, as `crmlab build` was told it.

    Raises
    ------
    InputError
        When there is no mart, or its snapshot is incomplete or of another format.
    """
    folder = Path(folder)
    pointer = folder / POINTER
    if not pointer.is_file():
        raise InputError(f"There is no mart in {folder}. Build one: crmlab build FOLDER --as-of DATE --mart {folder}.")
    try:
        snapshot = folder / SNAPSHOTS / pointer.read_text("utf-8").strip()
        manifest = json.loads((snapshot / "manifest.json").read_text("utf-8"))
        written_as = manifest["format"]
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"The mart in {folder} points to a snapshot that cannot be read. Build it again.") from None
    if written_as != FORMAT:
        raise InputError(
            f"The mart in {folder} is of format {written_as}, this crmlab reads format {FORMAT}. "
            "Build it again with crmlab build."
        )
    return Mart(snapshot, manifest)
