"""A list as an Excel file: XlsxWriter makes the workbook, Polars writes the rows, of which there may be 100,000."""

import io
import re
import zipfile

import polars as pl

SHEET = "xl/worksheets/sheet1.xml"
SLICE = 10_000
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
LINE = "number of the line of a sheet"  # no heading of a list, as # is
FORBIDDEN = r"[\x00-\x08\x0b\x0c\x0e-\x1f]"  # in any XML file


def workbook(frame: pl.DataFrame, digits: int) -> bytes:
    """The bytes of a workbook with one sheet; floats are money with `digits` after the point.

    XlsxWriter alone needs 20 s for 100,000 rows of 25 columns, in which the page would not answer; so it writes the
    heading, the formats and all else that makes a workbook, and the rows are put in as text.

    Examples
    --------
    >>> workbook(pl.DataFrame({"Customer": ["C1"], "AUM": [1.5]}), 2)[:2]
    b'PK'
    """
    shell, styles = _shell(frame, digits)
    out = io.BytesIO()
    with zipfile.ZipFile(shell) as parts, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for part in parts.namelist():
            if part != SHEET:
                book.writestr(part, parts.read(part))
        whole = re.sub(r"<dimension [^>]*/>", "", parts.read(SHEET).decode())  # would tell the size of the shell
        before, after = whole.split("</sheetData>")
        with book.open(SHEET, "w", force_zip64=True) as sheet:
            sheet.write(before.encode())
            for rows in frame.with_row_index(LINE, offset=2).iter_slices(SLICE):
                sheet.write("".join(rows.select(_row(frame.schema, styles)).to_series()).encode())
            sheet.write(f"</sheetData>{after}".encode())
    return out.getvalue()


def _shell(frame: pl.DataFrame, digits: int) -> tuple[io.BytesIO, dict]:
    """A workbook of the heading alone, and the numbers of the styles that dates and money have in it."""
    import xlsxwriter  # 15 MB that a page only needs when somebody asks for a file

    shell = io.BytesIO()
    with xlsxwriter.Workbook(shell, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, frame.columns, book.add_format({"bold": True}))
        sheet.set_column(0, frame.width - 1, 16)
        sheet.freeze_panes(1, 0)
        sheet.autofilter(0, 0, frame.height, frame.width - 1)
        formats = {pl.Date: "yyyy-mm-dd", pl.Float64: f"#,##0.{'0' * digits}" if digits else "#,##0"}
        for at, form in enumerate(formats.values()):  # each is used once beside the list, which gives it its number
            sheet.write(0, frame.width + at, None, book.add_format({"num_format": form}))
    with zipfile.ZipFile(shell) as parts:
        numbers = re.findall(r'<c r="[A-Z]+1" s="(\d+)"/>', parts.read(SHEET).decode())
    return shell, dict(zip(formats, numbers, strict=True))


def _row(schema: pl.Schema, styles: dict) -> pl.Expr:
    """A line of the sheet; its number stands in `LINE`."""
    from xlsxwriter.utility import xl_col_to_name

    cells = [_cell(name, kind, xl_col_to_name(at), styles) for at, (name, kind) in enumerate(schema.items())]
    number = pl.col(LINE).cast(pl.String)
    return pl.concat_str(pl.lit('<row r="'), number, pl.lit('">'), *cells, pl.lit("</row>"))


def _cell(name: str, kind: pl.DataType, letter: str, styles: dict) -> pl.Expr:
    """One cell as XML, or nothing where the value is null."""
    value, end = pl.col(name), "</v></c>"
    start = f' s="{styles[kind]}"><v>' if kind in styles else "><v>"
    if kind == pl.String:
        value = value.str.replace_all(FORBIDDEN, "").str.replace_many(ESCAPES)
        start, end = ' t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
    elif kind == pl.Boolean:
        value, start = value.cast(pl.Int8), ' t="b"><v>'
    elif kind == pl.Date:
        value = value.cast(pl.Int32) + 25_569  # days from 1899-12-30 to 1970-01-01
    place = pl.concat_str(pl.lit(f'<c r="{letter}'), pl.col(LINE).cast(pl.String), pl.lit('"' + start))
    return pl.concat_str(place, value.cast(pl.String), pl.lit(end)).fill_null("")
