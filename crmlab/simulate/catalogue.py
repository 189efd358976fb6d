"""What the invented bank sells, in which currencies, and the kinds of customers it has."""

from dataclasses import dataclass

import numpy as np

from crmlab.simulate.months import Month

MAIN, SAVING, TERM, FOREIGN, WEALTH, VALUED, CARD, LOAN, SERVICE = range(9)
CURRENCIES = ("CNY", "USD", "EUR", "JPY")
DIGITS = np.array([2, 2, 2, 0])
FIRST_RATES = (1.0, 6.95, 7.42, 0.0527)


@dataclass(frozen=True)
class Product:
    """A product; `role` says how its accounts behave, `rate` is a year's, in millionths."""

    id: str
    name: str
    line: str
    role: int
    rate: int = 0
    term_months: int = 0
    asset_class: str | None = None
    risk: str | None = None
    is_off_balance: bool = False
    overdraft_allowed: bool = False
    bundled_with: str | None = None


PRODUCTS = (
    Product("D01", "Everyday account", "deposits", MAIN, 500, asset_class="cash"),
    Product("D02", "Business current account", "deposits", MAIN, 500, asset_class="cash"),
    Product("D03", "Savings account", "deposits", SAVING, 3500, asset_class="cash"),
    Product(
        "D04",
        "Business current account with overdraft",
        "deposits",
        MAIN,
        500,
        asset_class="cash",
        overdraft_allowed=True,
    ),
    Product("D11", "Term deposit 3 months", "deposits", TERM, 11500, 3, "cash"),
    Product("D12", "Term deposit 6 months", "deposits", TERM, 13500, 6, "cash"),
    Product("D13", "Term deposit 1 year", "deposits", TERM, 15500, 12, "cash"),
    Product("D14", "Term deposit 3 years", "deposits", TERM, 21500, 36, "cash"),
    Product("D21", "Foreign currency account", "deposits", FOREIGN, 1000, asset_class="cash"),
    Product("W01", "Cash management", "wealth", WEALTH, 18000, asset_class="cash", risk="R1", is_off_balance=True),
    Product("W02", "Steady bond plan", "wealth", WEALTH, 30000, asset_class="bonds", risk="R2", is_off_balance=True),
    Product("W03", "Balanced plan", "wealth", WEALTH, 42000, asset_class="mixed", risk="R3", is_off_balance=True),
    Product("W04", "Equity fund", "wealth", VALUED, 60000, asset_class="equity", risk="R4", is_off_balance=True),
    Product("I01", "Endowment insurance", "insurance", VALUED, 25000, asset_class="insurance", is_off_balance=True),
    Product("C01", "Credit card", "cards", CARD, overdraft_allowed=True),
    Product("L01", "Home loan", "loans", LOAN, 39000, 240, overdraft_allowed=True),
    Product("L02", "Consumer loan", "loans", LOAN, 62000, 24, overdraft_allowed=True),
    Product("L03", "Working capital loan", "loans", LOAN, 48000, 12, overdraft_allowed=True),
    Product("L04", "Farm loan", "loans", LOAN, 52000, 12, overdraft_allowed=True),
    Product("E01", "Mobile banking", "e-banking", SERVICE, bundled_with="D01"),
    Product("E02", "Business online banking", "e-banking", SERVICE, bundled_with="D02"),
    Product("S01", "Payroll service", "settlement", SERVICE),
    Product("S02", "Merchant QR code", "settlement", SERVICE),
    Product("T01", "Foreign trade settlement", "international", SERVICE),
    Product("G01", "Performance guarantee", "guarantees", SERVICE, is_off_balance=True),
)
NUMBER = {product.id: i for i, product in enumerate(PRODUCTS)}
ROLE = np.array([product.role for product in PRODUCTS], dtype=np.int8)
RATE = np.array([product.rate for product in PRODUCTS], dtype=np.int32)
TERM_MONTHS = np.array([product.term_months for product in PRODUCTS], dtype=np.int16)
TERMS = np.array([NUMBER[id] for id in ("D11", "D12", "D13", "D14")])
PLANS = np.array([NUMBER[id] for id in ("W01", "W02", "W03")])
FOREIGN_RATES = np.array([0, 8000, 4000, 200])  # of foreign currency accounts, by currency
OVERDRAFT_RATE = 80_000
AUM_ROLES = (MAIN, SAVING, TERM, FOREIGN, WEALTH, VALUED)


@dataclass(frozen=True)
class Profile:
    """A planted segment: medians of money in CNY, `activity` in postings a month, `leaves` a hazard a year, shares."""

    name: str
    kind: str
    share: float
    income: float
    wealth: float
    spread: float
    activity: float
    spending: float
    mandates: float
    managed: float
    leaves: float
    saves: float
    invests: float
    card: float
    borrows: float


PROFILES = (
    Profile("salaried", "retail", 0.33, 6_500, 18_000, 1.2, 1.2, 0.90, 0.40, 0.45, 0.06, 0.25, 0.12, 0.40, 0.30),
    Profile("savers", "retail", 0.19, 0, 80_000, 1.1, 0.4, 0.0, 0.20, 0.60, 0.05, 0.75, 0.15, 0.10, 0.04),
    Profile("pensioners", "retail", 0.13, 2_800, 55_000, 1.0, 0.6, 0.90, 0.40, 0.40, 0.03, 0.55, 0.05, 0.04, 0.0),
    Profile("students", "retail", 0.06, 1_200, 1_500, 0.9, 1.0, 0.97, 0.10, 0.05, 0.08, 0.02, 0.01, 0.10, 0.0),
    Profile("wealthy", "retail", 0.04, 26_000, 850_000, 1.0, 2.0, 0.75, 0.50, 0.97, 0.05, 0.7, 0.8, 0.7, 0.20),
    Profile("dormant", "retail", 0.17, 0, 1_800, 1.5, 0.0, 0.0, 0.35, 0.06, 0.02, 0.08, 0.01, 0.02, 0.0),
    Profile("small business", "small business", 0.06, 60_000, 70_000, 1.2, 1.6, 1, 0.3, 0.85, 0.05, 0.1, 0.1, 0, 0.45),
    Profile("corporate", "corporate", 0.018, 800_000, 900_000, 1.3, 4.5, 1, 0.4, 1.0, 0.03, 0.2, 0.2, 0.0, 0.55),
    Profile("institution", "institution", 0.002, 500_000, 2_500_000, 1.0, 3.0, 1, 0.5, 1.0, 0.01, 0.6, 0.0, 0.0, 0.0),
)  # fmt: skip
PROFILE = {profile.name: i for i, profile in enumerate(PROFILES)}


def of_profile(field: str) -> np.ndarray:
    """One field of the profiles, in their order."""
    return np.array([getattr(profile, field) for profile in PROFILES])


def tables(calendar: list[Month], rng: np.random.Generator) -> tuple[dict[str, dict], np.ndarray]:
    """Products and exchange rates, and the rate of each month and currency as numbers."""
    rates = exchange_rates(len(calendar) + 1, rng)
    days = np.array([calendar[0].first - 1, *(month.last for month in calendar)])
    foreign = range(1, len(CURRENCIES))
    fx = {
        "currency": [CURRENCIES[c] for c in foreign for _ in days],
        "on": np.concatenate([days for _ in foreign]),
        "rate": [f"{rates[i, c]:.6f}" for c in foreign for i in range(len(days))],
    }
    return {"products": products(), "fx_rates": fx}, rates[1:]


def products() -> dict:
    """The `products` table."""
    names = ("name", "line", "asset_class", "risk", "is_off_balance", "overdraft_allowed", "bundled_with")
    return {
        "product_id": [product.id for product in PRODUCTS],
        **{name: [getattr(product, name) for product in PRODUCTS] for name in names},
        "term": ["term" if product.term_months else "demand" for product in PRODUCTS],
    }


def exchange_rates(n: int, rng: np.random.Generator) -> np.ndarray:
    """CNY for one unit of each currency at `n` month ends; a random walk, rounded to six digits as it is written."""
    steps = rng.normal(0, 0.012, (n, len(CURRENCIES)))
    steps[:, 0] = steps[0] = 0
    return np.round(np.array(FIRST_RATES) * np.exp(np.cumsum(steps, axis=0)), 6)
