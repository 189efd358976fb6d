"""Two tier rules that banks have published, each as the text of a policy.toml and nothing else."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crmlab import policy
from crmlab.measures import tiers
from crmlab.policy import TierRule

# Points stand as they are announced: from so many, the bound included; more than 0 is the lowest star.
ICBC = """
[[tiers]]
name = "stars"
on = "points"
assessed = [6, 12]
confirm = 2
levels = [
  { name = "unrated" },
  { name = "quasi-star", above = "0" },
  { name = "three-star", from = "50" },
  { name = "four-star", from = "500" },
  { name = "five-star", from = "2000" },
  { name = "six-star", from = "10000" },
  { name = "seven-star", from = "80000" },
]

[completeness]
key_tiers = ["seven-star"]
"""

INDUSTRIAL = """
[[tiers]]
name = "assets"
on = "weighted_average"
months = 3
weights = { deposits = "1", "money fund" = "0.8", "equity fund" = "1.5", insurance = "0.5" }
levels = [
  { name = "basic" },
  { name = "gold", from = "100000" },
  { name = "platinum", from = "300000" },
]

[completeness]
key_tiers = ["platinum"]
"""

HALF_YEARS = [date(2023, 6, 30), date(2023, 12, 31), date(2024, 6, 30), date(2024, 12, 31)]
MONTHS = pl.date_range(date(2023, 6, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end().to_list()


@pytest.fixture
def rule(request, tmp_path: Path) -> TierRule:
    """The first rule of a policy given as text."""
    path = tmp_path / "policy.toml"
    path.write_text(request.param, "utf-8")
    return policy.load(path).tiers[0]


def stars(points: list[str], rule: TierRule) -> list[str]:
    """The stars of one customer at each half-year, other months' points being any number."""
    at = dict(zip(HALF_YEARS, points, strict=False))
    months = [month for month in MONTHS if month <= HALF_YEARS[len(points) - 1]]
    thousandths = [round(1000 * float(at.get(month, 99_999))) for month in months]
    rows = pl.DataFrame({"customer_id": 1, "kind": "retail", "month": months, "points": thousandths})
    return tiers.history(tiers.values(rows, rule), rule)["tier"].to_list()


@pytest.mark.parametrize("rule", [ICBC], indirect=True)
@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0", "unrated"),
        ("0.001", "quasi-star"),
        ("49.999", "quasi-star"),
        ("50", "three-star"),
        ("499.999", "three-star"),
        ("500", "four-star"),
        ("1999.999", "four-star"),
        ("2000", "five-star"),
        ("9999.999", "five-star"),
        ("10000", "six-star"),
        ("79999.999", "six-star"),
        ("80000", "seven-star"),
    ],
)
def test_bounds_of_the_star_points_of_ICBC(rule, points, expected):  # noqa: N802 - the bank's name
    assert stars([points], rule) == [expected]


@pytest.mark.parametrize("rule", [ICBC], indirect=True)
@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (["50", "80000"], ["three-star", "seven-star"]),  # promoted at once, over any number of stars
        (["2000", "1999", "2000", "1999"], ["five-star"] * 4),  # the next assessment does not confirm the fall
        (["2000", "1999", "1999", "1999"], ["five-star", "five-star", "four-star", "four-star"]),
        (["2000", "499", "500", "500"], ["five-star", "five-star", "four-star", "four-star"]),  # what both agree on
        (["2000", "500", "0", "0"], ["five-star", "five-star", "four-star", "unrated"]),
        (["500", "0", "10000", "0"], ["four-star", "four-star", "six-star", "six-star"]),
        (["0", "0.5", "0", "0"], ["unrated", "quasi-star", "quasi-star", "unrated"]),
    ],
)
def test_stars_of_ICBC_rise_at_once_and_fall_when_confirmed(rule, points, expected):  # noqa: N802 - the bank's name
    assert stars(points, rule) == expected


@pytest.mark.parametrize("rule", [ICBC], indirect=True)
def test_stars_of_ICBC_are_given_on_30_June_and_31_December(rule):  # noqa: N802 - the bank's name
    rows = pl.DataFrame({"customer_id": 1, "kind": "retail", "month": MONTHS, "points": 60_000})
    assert tiers.history(tiers.values(rows, rule), rule)["month"].to_list() == HALF_YEARS


# Customer, month, asset class, daily average in major units; the fund of customer 2 came in March.
HOLDINGS = [
    (1, "2024-01-31", "deposits", 100_000),
    (1, "2024-02-29", "deposits", 100_000),
    (1, "2024-03-31", "deposits", 100_000),
    (2, "2024-01-31", "deposits", 50_000),
    (2, "2024-02-29", "deposits", 50_000),
    (2, "2024-03-31", "deposits", 50_000),
    (2, "2024-03-31", "equity fund", 100_000),
    (3, "2024-01-31", "money fund", 374_999),
    (3, "2024-02-29", "money fund", 374_999),
    (3, "2024-03-31", "money fund", 375_000),
    (4, "2024-02-29", "insurance", 600_000),  # came in February
    (4, "2024-03-31", "insurance", 600_000),
]
# Customer 2: (50,000 × 91 + 1.5 × 100,000 × 31) / 91 = 101,098.901; 3: 0.8 × (374,999 × 60 + 375,000 × 31) / 91 =
# 299,999.472; 4, judged on the two months there are: 0.5 × 600,000.
EXPECTED = [(1, 100_000_00, "gold"), (2, 101_098_90, "gold"), (3, 299_999_47, "gold"), (4, 300_000_00, "platinum")]


@pytest.mark.parametrize("rule", [INDUSTRIAL], indirect=True)
def test_weighted_daily_average_assets_in_the_form_of_Industrial_Bank(rule):  # noqa: N802 - the bank's name
    """A coefficient an asset class, the daily average of a quarter; the form is the bank's, the figures are ours."""
    held = pl.DataFrame(HOLDINGS, schema=["customer_id", "month", "asset_class", "average"], orient="row")
    days = pl.col("month").dt.day().cast(pl.Int32)
    assets = held.with_columns(pl.col("month").str.to_date(), kind=pl.lit("retail")).with_columns(
        days=days, balance_days=pl.col("average") * 100 * days
    )
    history = tiers.history(tiers.values(tiers.weighted(assets, rule), rule), rule)
    assert history.filter(month=date(2024, 3, 31)).select("customer_id", "value", "tier").rows() == EXPECTED
