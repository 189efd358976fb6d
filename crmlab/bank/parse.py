"""From the text of a field to its value, by vectorised expressions: dates, numbers, yes and no; and back again.

A value that cannot be read becomes null, never a guess; the caller compares with the text to see which ones those were.
Columns that Parquet delivers with a type of their own keep it.
"""

import polars as pl

DIGITS = 10  # a number is held with so many decimals until its unit is known
EXACT = pl.Decimal(38, DIGITS)
PLAIN = rf"^-?\d{{1,27}}(\.\d{{1,{DIGITS}}})?$"
DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%Y.%m.%d", "%Y年%m月%d日")
TIME = r"^(.{8,11}?)(?:[ T]+\d{1,2}:?\d{2}(?::?\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?|\d{6})?$"
YES, NO = ["true", "t", "yes", "y", "1", "是"], ["false", "f", "no", "n", "0", "否"]
GROUPS = " '\u00a0\u202f\u2019"  # what may stand between thousands besides the point and the comma


def dates(values: pl.Series) -> pl.Series:
    """Dates from text such as 2024-03-30, 20240330, 2024/03/30 or 30.03.2024, each with or without a time of day.

    Examples
    --------
    >>> dates(pl.Series(["2024-03-30", "30.03.2024 17:05", "20240330", "31/02/2024"])).to_list()[1:]
    [datetime.date(2024, 3, 30), datetime.date(2024, 3, 30), None]
    """
    if values.dtype == pl.Date:
        return values
    if values.dtype == pl.Datetime:
        return values.dt.date()
    text = values.cast(pl.String)
    iso = text.str.to_date(DATES[0], strict=False)
    other = iso.is_null() & text.is_not_null()
    if not other.any():
        return iso
    day = pl.col("text").str.strip_chars().str.extract(TIME)
    read = pl.coalesce(*(day.str.to_date(format, strict=False) for format in DATES))
    return iso.scatter(other.arg_true(), pl.DataFrame({"text": text.filter(other)}).select(read).to_series())


def numbers(values: pl.Series, comma: bool = False, percent: bool = False) -> pl.Series:
    """Exact decimals from text: 1234.56, 1,234.56, 1 234.56, (1,234.56), 1234.56-; no exponents.

    With `comma` the comma is the decimal sign and the point stands between thousands; with `percent` 12.5% is 0.125.

    Examples
    --------
    >>> numbers(pl.Series(["1,234.56", "(7.5)", "12-", "1e3"])).cast(pl.Float64).to_list()
    [1234.56, -7.5, -12.0, None]
    """
    if values.dtype.is_integer() or values.dtype.is_decimal():
        values = values.cast(pl.String)
    elif values.dtype.is_float():
        values = values.cast(pl.String).str.replace(r"^(-?\d+\.\d+)e0?$", "$1")
    text = values.cast(pl.String)
    other = text.is_not_null() if comma else ~text.str.contains(PLAIN)
    if other.any():
        text = text.scatter(other.arg_true(), _plain(text.filter(other), comma, percent))
    return text.cast(EXACT, strict=False)


def decimal_comma(values: pl.Series) -> bool | None:
    """Whether numbers are written 1.234,56; None where nothing tells (all whole, or ``1,234``, which may be both).

    Examples
    --------
    >>> [decimal_comma(pl.Series([text])) for text in ("1.234,56", "1,234.56", "0,125", "1,234")]
    [True, False, True, None]
    """
    if values.dtype != pl.String:
        return False
    digits = values.str.strip_chars(" ()+-−%").drop_nulls()
    odd = digits.filter(
        digits.str.contains(",", literal=True) | digits.str.contains(r"\..*\.|\.\d{1,2}$|\.\d{4}|^0\.\d")
    )
    n_comma = odd.str.contains(r"^0,\d|,\d{1,2}$|,\d{4,}$|\.\d{3},|\.\d{3}\.").sum()
    n_point = odd.str.contains(r"^0\.\d|\.\d{1,2}$|\.\d{4,}$|,\d{3}\.|,\d{3},").sum()
    return None if n_comma == n_point == 0 else n_comma > n_point


def _plain(text: pl.Series, comma: bool, percent: bool) -> pl.Series:
    """Numbers rewritten as an optional minus, digits and a point; null where they are not numbers."""
    point, thousands = (",", r"\.") if comma else (r"\.", ",")
    grouped = rf"[1-9]\d{{0,2}}(?:[{thousands}{GROUPS}]\d{{3}})+(?:{point}\d+)?"
    number = rf"^(?:{grouped}|\d+(?:{point}\d*)?|{point}\d+)$"
    trimmed = pl.col("text").str.strip_chars()
    bare = trimmed.str.strip_chars("()+-−%").str.strip_chars()
    signs = trimmed.str.replace_all(r"[^()+\-−%]", "")
    is_number = bare.str.contains(number) & signs.is_in(["", "-", "−", "+", "()"] + ["%", "-%"] * percent)
    digits = bare.str.replace_all(rf"[{thousands}{GROUPS}]", "").str.replace(point, ".").str.strip_suffix(".")
    digits = digits.str.replace(r"^\.", "0.").str.replace(rf"(\.\d{{{DIGITS}}})0+$", "$1")
    exact = digits.str.contains(PLAIN)
    minus = signs.is_in(["-", "−", "()", "-%"])
    value = pl.when(is_number & exact).then(pl.when(minus).then(pl.lit("-") + digits).otherwise(digits))
    frame = pl.DataFrame({"text": text})
    if not percent:
        return frame.select(value).to_series()
    hundredth = value.cast(EXACT, strict=False) / 100
    return frame.select(
        pl.when(signs.str.contains("%", literal=True)).then(hundredth.cast(pl.String)).otherwise(value)
    ).to_series()


def units(number: pl.Expr, digits: int | pl.Expr) -> pl.Expr:
    """A decimal as a whole number of units of 10^−digits; null where that needs rounding or more than 64 bits.

    Examples
    --------
    >>> pl.DataFrame({"text": ["12.30", "12.345"]}).select(units(pl.col("text").cast(EXACT), 2)).to_series().to_list()
    [1230, None]
    """
    fine = number.to_physical()
    step = 10 ** (DIGITS - digits) if isinstance(digits, int) else pl.lit(10, pl.Int64).pow(DIGITS - digits)
    return pl.when(fine % step == 0).then(fine // step).cast(pl.Int64, strict=False)


def flags(values: pl.Series) -> pl.Series:
    """Yes and no from text.

    Examples
    --------
    >>> flags(pl.Series(["Y", "0", "perhaps"])).to_list()
    [True, False, None]
    """
    if values.dtype == pl.Boolean:
        return values
    text = pl.col("text").str.strip_chars().str.to_lowercase()
    read = pl.when(text.is_in(YES)).then(True).when(text.is_in(NO)).then(False)
    return pl.DataFrame({"text": values.cast(pl.String)}).select(read).to_series().alias(values.name)


def as_text(value: pl.Expr, digits: int | pl.Expr) -> pl.Expr:
    """Whole units as decimal text, the way back of `units`.

    Examples
    --------
    >>> pl.DataFrame({"units": [1230, -5]}).select(as_text(pl.col("units"), 2)).to_series().to_list()
    ['12.30', '-0.05']
    """
    width = pl.lit(digits) if isinstance(digits, int) else digits
    whole = value.abs().cast(pl.String).str.zfill(width + 1)
    point = pl.when(width > 0).then(pl.lit(".")).otherwise(pl.lit(""))
    minus = pl.when(value < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return (
        minus
        + whole.str.slice(0, whole.str.len_chars() - width)
        + point
        + whole.str.slice(whole.str.len_chars() - width)
    )
