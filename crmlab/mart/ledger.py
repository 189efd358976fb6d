"""The ledger: lists that were issued, and whom each of them leaves alone. Records, which no build makes or touches.

A folder ``ledger`` beside the snapshots, one Parquet file a list; files are added, never changed. Customers stand in it
by `customer_no`, because `customer_id` is numbered anew by every build.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path

import polars as pl

from crmlab.errors import InputError
from crmlab.mart.snapshot import open as open_mart
from crmlab.policy import Campaigns, Worklist

LEDGER = "ledger"
MILLION = 1_000_000
BESIDE = ".writing-"
NEEDED = ["customer_no", "manager_id", "rank", "probability", "expected"]
SCHEMA = {
    "list_id": pl.String, "name": pl.String, "issued_on": pl.Date, "ends_on": pl.Date, "read_out_on": pl.Date,
    "customer_no": pl.String, "branch_id": pl.String, "manager_id": pl.String, "rank": pl.Int64,
    "probability": pl.Float64, "expected": pl.Int64, "is_control": pl.Boolean, "conditions": pl.String,
    "product_id": pl.String,  # what is offered; null: a call
}  # fmt: skip
LONGEST = 120  # characters of a name
LONGEST_FILE = 150  # bytes of it that go into the name of the file


def issue(
    mart: Path | str,
    rows: pl.DataFrame,
    *,
    name: str,
    on: date | None = None,
    rule: Worklist | Campaigns | None = None,
    confirm_months: int | None = None,
    salt: str = "",
    conditions: dict | None = None,
) -> pl.DataFrame:
    """Write a list to the ledger, a part of it held out as control; what is written stays as it is.

    Answers: whom do we call, and whom do we leave alone to see what calling does?

    Parameters
    ----------
    mart
        Folder of the mart; its snapshots may be built again, its ledger stays.
    rows
        customer_no, manager_id (null: nobody's), rank, probability, expected and, where known, branch_id: the `calls`
        of `worklist.call_list`; a row a customer. With `product_id` it is a list of offers.
    name
        What the list is called. With the day it makes `list_id`, once only.
    on
        The day of issue; `as_of` of the mart where left out.
    rule, confirm_months
        ``policy.worklist`` and ``policy.churn.confirm_months``, or ``policy.campaigns`` for offers, which are taken or
        not and need no confirming; those that the mart was built with where left out.
    salt
        A word of the bank's own, for those who would rather that nobody can work out who is held out.
    conditions
        What else the list was made with, such as horizon and capacity; kept beside it as JSON.

    Returns
    -------
    pl.DataFrame
        As `issued` gives it, this list only: list_id, name, issued_on, ends_on (the month end so many months later up
        to which departures count: ``read_out_months``), read_out_on (the month end when all of these are known),
        customer_no, branch_id, manager_id, rank, probability, expected (minor units), is_control (leave alone),
        conditions (hash of those made under), product_id (null: a call); by rank. What is offered counts, and is read
        out, ``read_out_days`` after the day of issue.

    Raises
    ------
    InputError
        When the list is empty, lacks a column, or names a customer twice or not at all; when it has been issued on the
        day already, under this name or with the same customers; when the ledger cannot be read or written. Nothing is
        issued then.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from crmlab import policy
    >>> rows = pl.DataFrame({"customer_no": ["C1", "C2"], "manager_id": "M1", "rank": [1, 2], "probability": 0.5,
    ...     "expected": 9_000})
    >>> with TemporaryDirectory() as mart:
    ...     made = issue(mart, rows, name="March calls", on=date(2024, 3, 31), rule=policy.load().worklist,
    ...         confirm_months=2)
    >>> made.select("list_id", "customer_no", "ends_on", "read_out_on").row(0)
    ('2024-03-31-march-calls', 'C1', datetime.date(2024, 6, 30), datetime.date(2024, 8, 31))
    """
    mart = Path(mart)
    on, rule, confirm_months = _in_force(mart, on, rule, confirm_months, "product_id" in rows.columns)
    list_id = f"{on}-{_slug(name)}"
    _usable(rows, name)
    told = json.dumps(
        {**(conditions or {}), "rule": asdict(rule), "confirm_months": confirm_months}, sort_keys=True, default=str
    )
    ends_on, read_out_on = _days(on, rule, confirm_months)
    made = rows.select(
        pl.lit(list_id).alias("list_id"), pl.lit(name.strip()).alias("name"), pl.lit(on).alias("issued_on"),
        ends_on.alias("ends_on"), read_out_on.alias("read_out_on"),
        *(pl.col(column) if column in rows.columns else pl.lit(None).alias(column) for column in list(SCHEMA)[5:11]),
        control(rows["customer_no"], list_id, rule.control_share, salt),
        pl.lit(_hash(told)).alias("conditions"),
        (pl.col("product_id") if "product_id" in rows.columns else pl.lit(None)).alias("product_id"),
    ).cast(SCHEMA).sort("rank", "customer_no")  # fmt: skip
    folder = mart / LEDGER
    with _alone(folder):
        _new(folder, made, on)
        _write(folder, made, told)
    return made


def control(customer_no: pl.Series, list_id: str, share: int, salt: str = "") -> pl.Series:
    """Who of a list is held out: those whose hash is among the lowest `share` millionths of all there can be.

    The hash is BLAKE2b of list, salt and customer_no: who else is on the list, or in which order, changes nothing, and
    another list draws anew.

    Examples
    --------
    >>> control(pl.Series("customer_no", [f"C{i}" for i in range(10_000)]), "2024-03-31-calls", 100_000).sum()
    1047
    """
    limit = share * 2**64 // MILLION
    seed = blake2b(json.dumps([list_id, salt]).encode(), digest_size=32).digest()
    drawn = (int.from_bytes(blake2b(one.encode(), key=seed, digest_size=8).digest()) < limit for one in customer_no)
    return pl.Series("is_control", list(drawn), pl.Boolean)


def issued(mart: Path | str) -> pl.DataFrame:
    """All lists that were ever issued, read back.

    Answers: whom have we meant to call, and whom have we left alone?

    A file that cannot be read stops this: to go on without it would call those whom it leaves alone.

    Returns
    -------
    pl.DataFrame
        As `issue` gives them; by day of issue, list and rank. No row where none has been issued.

    Raises
    ------
    InputError
        When a file of the ledger is damaged or is no list; it is named.

    Examples
    --------
    >>> issued("a mart without a ledger").height
    0
    """
    parts = [_read(path) for path in _files(Path(mart) / LEDGER)]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts]).sort("issued_on", "list_id", "rank", "customer_no")


def lists(mart: Path | str) -> pl.DataFrame:
    """The lists that were issued: a row a list.

    Returns
    -------
    pl.DataFrame
        list_id, name, issued_on, ends_on, read_out_on, n, n_control, conditions, made_with (the conditions as JSON); by
        day of issue.

    Raises
    ------
    InputError
        As for `issued`.

    Examples
    --------
    >>> lists("a mart without a ledger").columns[-1]
    'made_with'
    """
    paths = _files(Path(mart) / LEDGER)
    read = {path.stem: _read(path) for path in paths}
    told = {path.stem: pl.read_parquet_metadata(path).get("made_with") for path in paths}
    of_list = ["list_id", "name", "issued_on", "ends_on", "read_out_on", "conditions"]
    rows = pl.concat([pl.DataFrame(schema=SCHEMA), *read.values()])
    sums = rows.group_by(of_list).agg(n=pl.len().cast(pl.Int64), n_control=pl.col("is_control").sum().cast(pl.Int64))
    made_with = pl.DataFrame(
        {"list_id": list(told), "made_with": list(told.values())}, {"list_id": pl.String, "made_with": pl.String}
    )
    return (
        sums.join(made_with, on="list_id", how="left")
        .select(*of_list[:-1], "n", "n_control", "conditions", "made_with")
        .sort("issued_on", "list_id")
    )


def _in_force(
    mart: Path, on: date | None, rule: Worklist | Campaigns | None, confirm_months: int | None, is_offer: bool
) -> tuple[date, Worklist | Campaigns, int]:
    """The day and the rules, those of the mart where none are named."""
    if not mart.is_dir():
        raise InputError(f"There is no mart in {mart}, beside which a list could be kept. Name the folder of one.")
    if on is not None and type(on) is not date:  # nor a moment of a day, under which the day's lists are not found
        raise InputError(f"A list is issued on a day; {on!r} is none. Write date(2024, 3, 31).")
    name, made = ("campaigns", Campaigns) if is_offer else ("worklist", Worklist)
    if rule is not None and not isinstance(rule, made):
        raise InputError(f"A list {'of offers' if is_offer else 'of calls'} is issued by the rules of policy.{name}.")
    confirm_months = 0 if is_offer else confirm_months
    if None not in (on, rule, confirm_months):
        return on, rule, confirm_months
    known = (opened := open_mart(mart)).manifest
    if (rule is None and name not in known) or (confirm_months is None and "confirm_months" not in known):
        raise InputError(f"The mart in {mart} does not tell its rules for lists. Build it again.")
    return (
        on or opened.as_of,
        rule or made(**known[name]),
        known["confirm_months"] if confirm_months is None else confirm_months,
    )


def _days(on: date, rule: Worklist | Campaigns, confirm_months: int) -> tuple[pl.Expr, pl.Expr]:
    """Up to when what happens counts, and when all of it is known."""
    if isinstance(rule, Campaigns):
        end = pl.lit(on + timedelta(rule.read_out_days))
        return end, end
    end = pl.lit(on).dt.month_end().dt.offset_by(f"{rule.read_out_months}mo").dt.month_end()
    return end, end.dt.offset_by(f"{confirm_months}mo").dt.month_end()


def _usable(rows: pl.DataFrame, name: str) -> None:
    if absent := [column for column in NEEDED if column not in rows.columns]:
        raise InputError(f"The list {name} lacks {', '.join(absent)}. Issue the calls of worklist.call_list.")
    if rows.is_empty():
        raise InputError(f"The list {name} is empty: nobody would be called. Widen the selection.")
    for column in ("customer_no", "rank", "probability", "expected"):
        if (rows.schema[column] == pl.String) != (column == "customer_no"):
            raise InputError(f"{column} of the list {name} is {rows.schema[column]}. Only customer_no is text.")
    if n := rows["customer_no"].null_count():
        raise InputError(f"{n} of {len(rows)} rows of the list {name} name no customer. Leave them out.")
    if "product_id" in rows.columns and (n := rows["product_id"].null_count()):
        raise InputError(f"{n} of {len(rows)} rows of the list {name} offer no product. Name one for each customer.")
    again = rows["customer_no"].is_duplicated()
    if n := int(again.sum()):
        first = rows["customer_no"].filter(again)[0]
        raise InputError(
            f"{n} of {len(rows)} rows of the list {name} name a customer twice (first: {first}). Give one."
        )


def _slug(name: str) -> str:
    """A name as it may stand in that of a file: letters and digits of any script."""
    slug = re.sub(r"\W+", "-", name.strip().lower()).strip("-")
    if not slug:
        raise InputError("The list has no name. Give it one with letters or digits in it.")
    if len(name) > LONGEST:
        raise InputError(f"The name of a list has {len(name)} characters. Use at most {LONGEST}.")
    if len(slug.encode()) > LONGEST_FILE:
        return f"{slug.encode()[:LONGEST_FILE].decode(errors='ignore')}-{_hash(slug)}"
    return slug


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one who writes to a ledger; a second one waits for the moment that takes."""
    try:
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _new(folder: Path, made: pl.DataFrame, on: date) -> None:
    """Stop where a list has been issued on the day already."""
    list_id, mine = made["list_id"][0], set(made["customer_no"])
    for path in _files(folder, f"{on}-*"):
        old = _read(path)
        if path.stem == list_id:
            raise InputError(
                f"A list {old['name'][0]} has been issued on {on} already, to {len(old)} customers ({path.name}). It "
                "stays as it is; give this one another name."
            )
        if set(old["customer_no"]) == mine:
            raise InputError(
                f"The same {len(mine)} customers have been issued on {on} already, as {old['name'][0]} ({path.name}). "
                "Use that list: a second one would call those whom it leaves alone."
            )


def _write(folder: Path, made: pl.DataFrame, told: str) -> None:
    """Under its name once every byte is on disk; a link, which never takes the place of a file that is there."""
    final = folder / f"{made['list_id'][0]}.parquet"
    beside = folder / f"{BESIDE}{os.getpid()}-{final.stem}"
    try:
        made.write_parquet(beside, metadata={"made_with": told})
        _sync(beside)
        os.link(beside, final)
        _sync(folder)
    except FileExistsError:
        raise InputError(f"{final} has been issued by somebody else just now. Give this list another name.") from None
    except OSError as error:
        raise _unwritable(folder, error) from None
    finally:
        beside.unlink(missing_ok=True)


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"The ledger {folder} cannot be written to ({error.strerror or error}). Nothing has been issued. Give whoever "
        "runs this the right to write there, and issue it again."
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.glob(f"{pattern}.parquet") if not path.name.startswith("."))


def _read(path: Path) -> pl.DataFrame:
    try:
        rows = pl.read_parquet(path, memory_map=False)
        if "product_id" not in rows.columns:  # issued before there were lists of offers
            rows = rows.with_columns(pl.lit(None, pl.String).alias("product_id"))
        if dict(rows.schema) != SCHEMA or rows["list_id"].unique().to_list() != [path.stem]:
            raise ValueError("it holds something else")
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{path} is no list that can be read ({str(error).splitlines()[0]}). Put it back from a copy; until then "
            "nothing is told of any list, since those whom it leaves alone are not known."
        ) from None
    return rows
