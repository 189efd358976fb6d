"""From a folder of extracts to a published snapshot: every measure runs here, none on a page."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pyarrow as pa

from crmlab import panel
from crmlab import policy as rules
from crmlab.bank.check import check
from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank, read
from crmlab.mart import dealings, leaving, managing, opportunities
from crmlab.mart.behaviour import Behaviour
from crmlab.mart.pages import Pages
from crmlab.mart.people import People
from crmlab.mart.publish import alone, publish
from crmlab.mart.snapshot import FORMAT, Mart
from crmlab.mart.snapshot import open as open_mart
from crmlab.mart.worth import Worth
from crmlab.measures import clusters
from crmlab.panel.calendar import month_ends

MONTHLY = ("facts", "customers", "books", "contribution", "standing")  # tables of a file a month
ROW_GROUP = 50_000  # rows that are read at least, where one customer is looked for
ROOMS = ("policy", "bank", "panel", "measures", "mart")  # whose code decides what a snapshot holds
LIBRARIES = ["crmlab", "polars", "narwhals", "duckdb", "dataframely", "scikit-learn", "lifelines", "numpy"]
Progress = Callable[[str, int, int], None]


def silent(label: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def build(
    folder: Path | str,
    as_of: date | str,
    mart: Path | str = "mart",
    policy: rules.Policy | None = None,
    progress: Progress = silent,
) -> Mart:
    """Read a folder of extracts and publish what is known at `as_of`.

    Parameters
    ----------
    folder
        The extracts.
    as_of
        The day up to which anything may be known.
    mart
        Where to publish; the landed extracts are kept in it, too.
    policy
        The bank's rules; else ``policy.toml`` of the folder, else crmlab's own.
    progress
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Mart
        The published snapshot. The same input gives the same bytes of data.

    Raises
    ------
    InputError
        When the extracts cannot be used, or another process builds this mart; the mart then stays as it was.
    """
    mart = Path(mart)
    with alone(mart):
        for left in (mart / "landed").glob("*.part-*"):
            shutil.rmtree(left)
        bank = read(folder, as_of=as_of, landed=mart / "landed", policy=policy, progress=progress)
        publish(mart, _name(bank), partial(_write, bank=bank, progress=progress))
        return open_mart(mart)


def _name(bank: Bank) -> str:
    """The day, and a hash of all that decides the content: the input, the rules, the code and the libraries."""
    parts = [bank.manifest["hash"], bank.policy.hash, str(bank.as_of), _code(), json.dumps(_versions())]
    return f"{bank.as_of}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"


def _code() -> str:
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (package / room).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    return {library: version(library) for library in LIBRARIES}


def _write(folder: Path, bank: Bank, progress: Progress) -> None:
    months = month_ends(bank.history_from, bank.as_of)
    pages, worth, people = Pages(bank), Worth(bank), People(bank)
    rows = dict.fromkeys(MONTHLY, 0)
    for name in (*MONTHLY, "pages"):
        (folder / name).mkdir()
    for done, (month, facts, customers, books) in enumerate(panel.monthly(bank)):
        progress("months", done, len(months))
        kept, lines = panel.keepers(bank, min(month, bank.as_of)), worth.lines(month, facts)
        standing = people.add_month(customers, lines, kept)
        pages.add_month(month, customers, standing, kept)
        worth.add_month(month, facts, books, lines, kept)
        for name, frame in zip(MONTHLY, (facts, customers, books, lines, standing), strict=True):
            frame.write_parquet(folder / name / f"{month:%Y-%m}.parquet", row_group_size=ROW_GROUP)
            rows[name] += frame.height
    progress("months", len(months), len(months))
    events, accounts = panel.events(bank).collect(), _accounts(bank)
    events.write_parquet(folder / "events.parquet", row_group_size=ROW_GROUP)
    accounts.write_parquet(folder / "accounts.parquet", row_group_size=ROW_GROUP)
    holdings = panel.holdings(bank)
    holdings.write_parquet(folder / "holdings.parquet", row_group_size=ROW_GROUP)
    dealings.identity(bank).write_parquet(folder / "identity.parquet", row_group_size=ROW_GROUP)
    tables, told = _tables(folder, bank, pages, worth, people, events, holdings, progress)
    for name, table in tables.items():
        _packed(table).write_ipc(folder / "pages" / f"{name}.arrow", compression="uncompressed")
    rows |= {"events": events.height, "accounts": accounts.height, "holdings": holdings.height} | {
        name: table.height for name, table in tables.items()
    }
    rows["behind"] = pl.scan_parquet(folder / "behind").select(pl.len()).collect().item()
    facts = pl.scan_parquet(folder / "facts")
    report = check(bank, facts)
    manifest = json.dumps(
        _manifest(bank, rows, report) | {"contribution": worth.coverage(facts)} | told,
        indent=1,
        ensure_ascii=False,
        sort_keys=True,
        default=str,
    )
    (folder / "manifest.json").write_text(manifest, "utf-8")


def _tables(
    folder: Path,
    bank: Bank,
    pages: Pages,
    worth: Worth,
    people: People,
    events: pl.DataFrame,
    holdings: pl.DataFrame,
    progress: Progress,
) -> tuple[dict[str, pl.DataFrame], dict]:
    """All page tables, and what the manifest says of leaving and of offers.

    Those of customers' paths come first, since the others are told by segment and tier.
    """
    standing = people.standing()
    tiers = worth.tiers(standing)
    paths = people.paths(tiers[0])
    marks, tables = people.marks(paths), people.tables(paths) | dealings.tables(bank)
    tables |= pages.tables(tables["people"], marks)
    tables |= worth.tables(tables["roster"], standing, tiers)
    tables["referrals"] = dealings.referrals(bank, tables["worth"], tables["roster"])
    behaviour = Behaviour(bank, tables["people"])
    months = month_ends(bank.history_from, bank.as_of)
    for done, (month, rows) in enumerate(zip(months, people.months, strict=True)):
        progress("behaviour", done, len(months))
        is_recent = done >= len(months) - bank.policy.profile.spending_months
        behaviour.add_month(month, rows, is_recent)
    progress("behaviour", len(months), len(months))
    alike = clusters.fit(clusters.features(pl.concat(people.unbroken), *_written(folder)), bank.policy)
    known = [tables[name] for name in ("roster", "worth", "members")]
    tables |= behaviour.tables(*known, marks, alike)
    maturities = panel.maturities(pl.scan_parquet(folder / "facts"), bank).collect()
    rows = pl.concat(people.unbroken)
    everyone = (paths, tables["people"], tables["roster"])
    gone, told = leaving.tables(leaving.Known(bank, rows, events, maturities, *everyone), progress)
    written = [pl.scan_parquet(folder / name) for name in ("customers", "contribution")]
    about = opportunities.Known(bank, rows, events, holdings, *everyone, *written)
    needed, offered = opportunities.tables(about, progress)
    tables |= gone | needed
    facts = pl.scan_parquet(folder / "facts")
    known = [tables[name] for name in ("leads", "completeness", "members")]
    books = pl.scan_parquet(folder / "books")
    staff = managing.Known(bank, *everyone, facts, written[0], books, written[1], maturities, *known)
    managed, assessed = managing.tables(staff, folder / "behind", progress)
    return tables | managed, {"leaving": told, "offers": offered, "managers": assessed}


def _written(folder: Path) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Customers and events, as they have just been written."""
    return pl.scan_parquet(folder / "customers"), pl.scan_parquet(folder / "events.parquet")


def _packed(table: pl.DataFrame) -> pl.DataFrame:
    """The same rows, texts laid end to end; else the bytes would tell how many threads had put them together.

    So would bits beyond the last row, which Polars leaves as they fell: a copy by Arrow has them 0.
    """
    laid = table.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = [pa.concat_arrays(column.chunks) if column.num_chunks else column for column in laid.columns]
    return pl.from_arrow(pa.table(columns, schema=laid.schema))


def _accounts(bank: Bank) -> pl.DataFrame:
    products = bank.table("products").select(
        "product_id", "line", "asset_class", product=pl.coalesce("name", "product_id")
    )
    return (
        bank.table("accounts").join(products, on="product_id", how="left").sort("customer_id", "account_id").collect()
    )


def _manifest(bank: Bank, rows: dict[str, int], report) -> dict:
    policy = bank.policy
    return {
        "format": FORMAT,
        "as_of": str(bank.as_of),
        "base_currency": bank.base_currency,
        "minor_digits": policy.digits(bank.base_currency),
        "digits_of_currencies": policy.minor_digits,
        "history_from": str(bank.history_from),
        "input_hash": bank.manifest["hash"],
        "inputs": bank.manifest["inputs"],
        "policy_hash": policy.hash,
        "churn_words": policy.churn_words,
        "activity_window_days": policy.activity_window_days,
        "rfm_window_days": policy.rfm_window_days,
        "bands": policy.rfm_bands,
        "least_effect": policy.profile.least_effect / MILLION,
        "settle_days": policy.funnel.settle_days,
        "confirm_months": policy.churn.confirm_months,
        "worklist": asdict(policy.worklist),
        "life_value": asdict(policy.life_value),
        "campaigns": asdict(policy.campaigns),
        "versions": _versions(),
        "code_hash": _code(),
        "rows": rows,
        "tables": bank.manifest["tables"],
        "rejects": bank.manifest["rejects"],
        "checks": {
            "is_clean": report.is_clean,
            "balance_breaks": report.breaks.height,
            "accounts_without_anchor": report.unanchored.height,
            "report": report.text,
        },
    }
