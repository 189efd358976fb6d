"""Invented names, numbers and addresses: plausible to read, evidently nobody's."""

import numpy as np
import polars as pl

SURNAMES = (
    "Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "Xu", "Sun", "Hu", "Zhu", "Gao",
    "Lin", "He", "Guo", "Ma", "Luo", "Liang", "Song", "Zheng", "Xie", "Han", "Tang", "Feng", "Yu", "Dong", "Xiao",
    "Cheng", "Cao", "Yuan", "Deng", "Fu", "Shen", "Zeng", "Peng", "Lu", "Su", "Jiang", "Cai", "Jia", "Ding", "Wei",
    "Xue", "Ye", "Pan", "Du", "Dai", "Xia", "Zhong", "Tian", "Ren",
)  # fmt: skip
GIVEN = (
    "wei", "fang", "na", "min", "jing", "li", "qiang", "lei", "jun", "yang", "yong", "yan", "jie", "juan", "tao",
    "ming", "chao", "xiu", "xia", "ping", "gang", "gui", "ying", "hua", "yu", "lan", "feng", "ling", "hong", "mei",
    "bin", "bo", "hui", "kai", "xin", "jia", "zi", "han", "yi", "rui", "xuan", "chen", "mo", "ning", "qing", "shu",
    "ting", "wen", "xiang", "yue", "zhen",
)  # fmt: skip
PLACES = (
    "Riverside", "Old Market", "Stone Bridge", "Bamboo Hill", "East Gate", "Mill Lane", "Lotus Pond",
    "Station Road", "Orchard", "Temple Square", "Long Field", "Ferry Landing", "Granary", "White Cloud",
    "Tea Terrace", "Willow Bank",
)  # fmt: skip
TRADES = {
    "farming": ("Orchards", "Seeds", "Poultry"),
    "trade": ("Trading", "Wholesale", "Market Stalls"),
    "manufacturing": ("Machinery", "Textiles", "Furniture"),
    "construction": ("Building", "Tiles", "Road Works"),
    "catering": ("Noodle House", "Tea House", "Bakery"),
    "transport": ("Freight", "Bus Company", "Couriers"),
}
BODIES = ("Village Committee", "Primary School", "Water Office", "Clinic", "Cooperative")
PER_BLOCK = 1_000_000  # room for a block's numbers in every id
INDUSTRIES = (*TRADES, "public")


def words(catalogue, numbers: np.ndarray) -> pl.Series:
    """The words of a list with these numbers; a number outside it is null.

    Examples
    --------
    >>> words(("north", "south"), np.array([1, -1])).to_list()
    ['south', None]
    """
    numbers = np.asarray(numbers)
    if numbers.dtype != np.uint8:
        numbers = np.where((numbers >= 0) & (numbers < len(catalogue)), numbers, len(catalogue))
    return pl.Series([*catalogue, None], dtype=pl.String).gather(np.asarray(numbers, np.uint32))


def persons(rng: np.random.Generator, n: int) -> pl.Series:
    """Romanised names of people."""
    second = np.where(rng.random(n) < 0.7, rng.integers(0, len(GIVEN), n), -1)
    return pl.select(
        pl.concat_str(
            words(SURNAMES, rng.integers(0, len(SURNAMES), n)),
            pl.lit(" "),
            words(GIVEN, rng.integers(0, len(GIVEN), n)).str.to_titlecase(),
            words(GIVEN, second).fill_null(""),
        )
    ).to_series()


def firms(rng: np.random.Generator, industry: np.ndarray) -> pl.Series:
    """Names of businesses and public bodies by the number of their industry."""
    n = len(industry)
    kinds = [*TRADES.values(), BODIES]
    flat = [name for kind in kinds for name in kind]
    first = np.cumsum([0, *(len(kind) for kind in kinds)])
    which = first[industry] + (rng.random(n) * np.diff(first)[industry]).astype(int)
    return pl.select(
        pl.concat_str(
            words(PLACES, rng.integers(0, len(PLACES), n)),
            words(SURNAMES, rng.integers(0, len(SURNAMES), n)),
            words(flat, which),
            separator=" ",
        )
    ).to_series()


def branches(n: int) -> list[str]:
    """Names of `n` branches, numbered where the places run out."""
    return [PLACES[i % len(PLACES)] + (f" {i // len(PLACES) + 1}" if i >= len(PLACES) else "") for i in range(n)]


def addresses(rng: np.random.Generator, n: int) -> pl.Series:
    """Addresses in villages that exist nowhere."""
    house = pl.Series(rng.integers(1, 200, n)).cast(pl.String)
    place = words(PLACES, rng.integers(0, len(PLACES), n))
    return pl.select(pl.concat_str(house, pl.lit(" "), place, pl.lit(" Village"))).to_series()


def numbered(prefix: str, numbers: np.ndarray, width: int) -> pl.Series:
    """Numbers behind a prefix, padded with zeros; negative ones are null.

    Examples
    --------
    >>> numbered("C", np.array([12, -1]), 7).to_list()
    ['C0000012', None]
    """
    numbers = pl.Series(np.asarray(numbers, np.int64))
    text = pl.lit(prefix) + (numbers + 10**width).cast(pl.String).str.slice(1)
    return pl.select(pl.when(numbers >= 0).then(text)).to_series()


def millionths(values: np.ndarray) -> pl.Series:
    """Whole millionths as decimal text.

    Examples
    --------
    >>> millionths(np.array([15_500, 1_000_000])).to_list()
    ['0.015500', '1.000000']
    """
    return decimal(np.asarray(values, np.int64), 6)


def decimal(values: np.ndarray, digits: int) -> pl.Series:
    """Whole numbers as decimal text with so many digits after the point.

    Examples
    --------
    >>> decimal(np.array([-5, 123456]), 2).to_list()
    ['-0.05', '1234.56']
    """
    number = pl.Series(np.asarray(values, np.int64)).cast(pl.Decimal(38, digits))
    return (number / 10**digits).cast(pl.Decimal(38, digits)).cast(pl.String)
