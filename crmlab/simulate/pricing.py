"""Prices of money: the transfer prices inside the bank, and what floating accounts are repriced to."""

import numpy as np

from crmlab.simulate.catalogue import FOREIGN, NUMBER
from crmlab.simulate.months import Month
from crmlab.simulate.names import millionths
from crmlab.simulate.world import World

TENORS = (0, 3, 6, 12, 24, 36, 60, 120, 240)  # months
LEVELS = {  # millionths a year at each tenor, in CNY when the extract begins
    "deposits": (12_000, 16_000, 18_000, 20_500, 23_500, 26_000, 27_500, 29_000, 30_000),
    "loans": (17_000, 19_500, 21_000, 23_000, 25_500, 27_500, 29_000, 30_000, 31_000),
}
SCALE = {"CNY": 1.0, "USD": 2.0, "EUR": 1.3, "JPY": 0.15}  # of the levels
MONTHS_BEFORE = 144  # older than any deal that keeps its point: a home loan ten years under way
CHANGES = (0.975, 0.96, 1.01)  # of floating rates, each January in turn


def transfer_prices(calendar: list[Month]) -> dict:
    """What a deposit earns and a loan costs inside the bank: set each quarter, for demand money each month."""
    start = np.datetime64(calendar[0].first, "D").astype("M8[M]")
    rows = []
    for month in range(-MONTHS_BEFORE, len(calendar)):
        tenors = TENORS if month % 3 == 0 else TENORS[:1] if month >= 0 else ()
        on = int((start + month).astype("M8[D]").astype(int))
        move = 1_200 * np.sin(month / 13) - 15 * month
        for tenor in tenors:
            for line, levels in LEVELS.items():
                level = levels[TENORS.index(tenor)] + move
                rows += [(currency, line, tenor, on, level * scale) for currency, scale in SCALE.items()]
    currency, line, tenor, on, rate = zip(*rows, strict=True)
    rate = millionths(np.rint(np.array(rate) / 10).astype(np.int64) * 10)
    return {"currency": currency, "line": line, "term_months": tenor, "on": np.array(on), "rate": rate}


def is_floating(world: World) -> np.ndarray:
    """Accounts whose rate follows the market: home loans and foreign currency."""
    return (world.ledger.role == FOREIGN) | (world.ledger.product == NUMBER["L01"])


def reprice(world: World) -> None:
    """On 1 January floating accounts take a new rate."""
    ledger, month = world.ledger, world.month
    if month.number != 1:
        return
    accounts = np.flatnonzero(ledger.usable & is_floating(world))
    rate = ledger.rate[accounts]
    new = np.rint(rate * CHANGES[month.index // 12 % len(CHANGES)] / 50).astype(np.int32) * 50
    accounts, new = accounts[new != rate], new[new != rate]
    ledger.rate[accounts] = new
    world.note("repricings", account_id=accounts, on=np.full(len(accounts), month.first), rate=millionths(new))
