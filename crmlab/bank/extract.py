"""From a folder of files to batches of text: which file is which table, how it is encoded and separated.

Files are read in pieces, so that memory does not grow with them. A value stays the text that was delivered (or, from
Parquet, the typed value); `parse` gives it its meaning.
"""

import codecs
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import polars as pl
import polars.selectors as cs

from crmlab.bank.schema import REQUIRED, TABLES
from crmlab.errors import InputError

ENDINGS = (".csv", ".csv.gz", ".parquet")
PIECE = 32 * 2**20
LONGEST_ROW = 8 * PIECE
PARQUET_ROWS = 1_000_000
SEPARATORS = (",", ";", "\t", "|")
NULLS = ["NULL", "\\N"]


@dataclass(frozen=True)
class Batch:
    """Some consecutive rows of a file.

    `first_row` counts from 1, `share` is how much is read by now, `ignored` are columns that the dictionary lacks.
    """

    file: str
    first_row: int
    rows: pl.DataFrame
    share: float = 1.0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extract:
    """The delivered tables of a folder, each as a function that reads its batches.

    `files` are all files that were read, for the hash; `unread` says which no table claims.
    """

    folder: Path
    files: tuple[Path, ...]
    tables: dict[str, Callable[[], Iterator[Batch]]]
    unread: tuple[str, ...] = field(default=())

    def name(self, file: Path) -> str:
        """A file's name as people see it: relative to the folder."""
        return file.relative_to(self.folder).as_posix()


def find(folder: Path) -> Extract:
    """Find the tables of the dictionary: ``accounts.csv``, ``accounts.parquet`` or files in ``accounts/``."""
    files: dict[str, list[Path]] = {}
    unread = []
    for path in sorted(folder.iterdir()):
        table = path.name.split(".")[0].lower()
        found = sorted(file for file in path.rglob("*") if _is_data(file)) if path.is_dir() else [path] * _is_data(path)
        if table in TABLES and found:
            if table in files:
                raise InputError(
                    f"{folder} holds the table {table} twice, as {files[table][0].relative_to(folder)} and as "
                    f"{found[0].relative_to(folder)}. Leave one."
                )
            files[table] = found
        elif found and (path.is_file() or near_file(path.name, list(TABLES))):
            unread.append(path)
    for table in REQUIRED:
        if table not in files:
            raise InputError(_missing(table, folder, unread))
    return Extract(
        folder,
        tuple(file for found in files.values() for file in found),
        {table: _reader(table, found, folder) for table, found in files.items()},
        tuple(_unread(path, files) for path in unread),
    )


def _unread(path: Path, files: dict) -> str:
    near = near_file(path.name, [table for table in TABLES if table not in files])
    hint = f" Did you mean {near}?" if near else ""
    return f"{path.name} was not read: the dictionary has no such table.{hint}"


def near_file(unread: str, known: list[str]) -> str:
    """The table that a file's name nearly says, or nothing."""
    return "".join(get_close_matches(unread.split(".")[0].lower(), known, n=1, cutoff=0.75))


def _is_data(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ENDINGS) and not path.name.startswith((".", "_"))


def _missing(table: str, folder: Path, unread: list[Path]) -> str:
    near = [path.name for path in unread if near_file(path.name, [table])]
    hint = (
        f"Did you mean {table} by {near[0]}? Rename it."
        if near
        else f"Deliver {table}.csv, {table}.parquet or {table}/."
    )
    return f"{folder} has no table {table}, which is required. {hint}"


def sha256(path: Path) -> str:
    """The hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def batches(path: Path, name: str) -> Iterator[Batch]:
    """The batches of one file, whatever its columns; `name` is what messages call it."""
    return _parquet(path, name) if path.suffix.lower() == ".parquet" else _csv(path, name)


def _reader(table: str, files: list[Path], folder: Path) -> Callable[[], Iterator[Batch]]:
    def read() -> Iterator[Batch]:
        total = sum(file.stat().st_size for file in files) or 1
        done = 0
        for file in files:
            size = file.stat().st_size
            for batch in batches(file, file.relative_to(folder).as_posix()):
                wanted = _wanted(batch.rows.columns, table, batch.file)
                ignored = tuple(name for name in batch.rows.columns if name not in wanted)
                share = (done + size * batch.share) / total
                yield Batch(batch.file, batch.first_row, batch.rows.select(wanted), share, ignored)
            done += size

    return read


def _wanted(names: list[str], table: str, file: str) -> list[str]:
    """The names of a file that the dictionary has, after checking that none of those it needs is missing."""
    known = TABLES[table].columns()
    for name, column in known.items():
        if not column.nullable and name not in names:
            near = get_close_matches(name, [other for other in names if other not in known], n=1)
            hint = f"Did you mean {name} by {near[0]}? Rename it." if near else f"It has: {', '.join(names)}."
            raise InputError(f"{file} has no column {name}, which every row of {table} needs. {hint}")
    return [name for name in names if name in known]


def _names(names: list[str], file: str) -> list[str]:
    names = [name.strip().lower() for name in names]
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise InputError(f"{file} has the column {doubled[0]!r} more than once. Leave one.")
    return names


def _parquet(path: Path, file: str) -> Iterator[Batch]:
    try:
        frame = pl.scan_parquet(path, glob=False)
        delivered = frame.collect_schema().names()
        frame = frame.rename(dict(zip(delivered, _names(delivered, file), strict=True)))
        n = frame.select(pl.len()).collect().item()
        for first in range(0, max(n, 1), PARQUET_ROWS):
            yield Batch(
                file,
                first + 1,
                frame.slice(first, PARQUET_ROWS).with_columns(_bare(cs.string())).collect(),
                min(1.0, (first + PARQUET_ROWS) / max(n, 1)),
            )
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise InputError(
            f"{file} is not a complete Parquet file ({why}). It may be half-written: deliver it again."
        ) from None


def _csv(path: Path, file: str) -> Iterator[Batch]:
    size = path.stat().st_size or 1
    try:
        with path.open("rb") as raw, gzip.open(raw) if path.suffix.lower() == ".gz" else raw as stream:
            yield from _frames(_lines(_utf8(stream, encoding(path, file)), file), file, lambda: raw.tell() / size)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{file} is not a complete gzip file ({error}). It may be half-written: deliver it again."
        ) from None


def encoding(path: Path, file: str) -> str:
    """``utf-8`` if the whole file is that, else ``gb18030``; anything else is an error naming the first bad line."""
    for name in ("utf-8", "gb18030"):
        decoder = codecs.getincrementaldecoder(name)()
        pending = False
        n_lines = 1
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            try:
                while block := stream.read(8 * 2**20):
                    if pending or not block.isascii():
                        decoder.decode(block)
                        pending = bool(decoder.getstate()[0])
                    n_lines += block.count(b"\n")
                decoder.decode(b"", final=True)
                return name
            except UnicodeDecodeError as error:
                if name == "utf-8":
                    continue
                line = n_lines + error.object[: error.start].count(b"\n")
                raise InputError(
                    f"{file} is neither UTF-8 nor GB18030 (first unreadable byte near line {line}). Save it as UTF-8."
                ) from None
    raise AssertionError


def _utf8(stream: io.BufferedIOBase, name: str) -> Iterator[bytes]:
    """Pieces of a stream as UTF-8, without a byte order mark."""
    decoder = codecs.getincrementaldecoder(name)()
    first = True
    while block := stream.read(PIECE):
        if name != "utf-8":
            block = decoder.decode(block).encode()
        yield block.removeprefix(codecs.BOM_UTF8) if first else block
        first = False


def _lines(pieces: Iterator[bytes], file: str) -> Iterator[bytes]:
    """The same bytes in pieces that end where a row ends; a line break between quotes does not end one."""
    rest = b""
    for piece in pieces:
        rest += piece
        if cut := _last_row_end(rest):
            yield rest[:cut]
            rest = rest[cut:]
        elif len(rest) > LONGEST_ROW:
            break
    if rest.count(b'"') % 2 or len(rest) > LONGEST_ROW:
        raise InputError(f"{file} opens a quote that it does not close. Correct the quotes, or double those inside.")
    if rest and not rest.isspace():
        yield rest


def _last_row_end(text: bytes) -> int:
    """Where the last whole row ends: after a line break with an even number of quotes before it."""
    cut = text.rfind(b"\n") + 1
    if b'"' not in text:
        return cut
    is_open = text.count(b'"', 0, cut) % 2
    while is_open and cut:
        before = text.rfind(b"\n", 0, cut - 1) + 1
        is_open ^= text.count(b'"', before, cut) % 2
        cut = before
    return cut


def _frames(pieces: Iterator[bytes], file: str, share: Callable[[], float]) -> Iterator[Batch]:
    names: list[str] = []
    row = 1
    for piece in pieces:
        if not names:
            head, _, piece = piece.partition(b"\n")
            separator = _separator(head.decode())
            names = _names(next(csv.reader([head.decode().rstrip("\r")], delimiter=separator)), file)
        if row == 1 or not piece.isspace():
            rows = _frame(piece, names, separator, file, row)
            yield Batch(file, row, rows, share())
            row += rows.height
    if not names:
        raise InputError(f"{file} is empty: it has not even a line of column names. Deliver it again.")


def _separator(head: str) -> str:
    return max(SEPARATORS, key=head.count)


def _frame(piece: bytes, names: list[str], separator: str, file: str, row: int) -> pl.DataFrame:
    schema = dict.fromkeys(names, pl.String)
    if not piece or piece.isspace():
        return pl.DataFrame(schema=schema)
    nulls = [null for null in NULLS if null[:1].encode() in piece] + [""] * (b'"' in piece)
    try:
        frame = pl.read_csv(piece, has_header=False, separator=separator, schema=schema, null_values=nulls or None)
    except pl.exceptions.PolarsError:
        raise InputError(_ragged(piece, len(names), separator, file, row)) from None
    edge = separator.encode()
    if b" " in piece and any(pad in piece for pad in (b" " + edge, edge + b" ", b" \n", b" \r", b'" ', b' "')):
        frame = frame.select(_bare(pl.all()))
    if frame.to_series(0).null_count():  # perhaps an empty line
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _bare(text: pl.Expr) -> pl.Expr:
    """Text without padding, null where nothing is left."""
    stripped = text.str.strip_chars()
    return pl.when(~stripped.is_in(["", *NULLS])).then(stripped)


def _ragged(piece: bytes, n_columns: int, separator: str, file: str, row: int) -> str:
    lines = csv.reader(io.StringIO(piece.decode(errors="replace"), newline=""), delimiter=separator)
    longer = [(row + i, len(line)) for i, line in enumerate(line for line in lines if line) if len(line) > n_columns]
    if not longer:
        return f"{file} cannot be read as CSV from row {row} on. Correct its quotes and separators."
    first, n = longer[0]
    return (
        f"{len(longer)} rows of {file} have more fields than the {n_columns} columns it names "
        f"(first: row {first} with {n}). Put fields that contain {separator!r} between quotes."
    )
