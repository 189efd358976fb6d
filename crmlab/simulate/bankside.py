"""What the bank itself books: interest each quarter, fees, and the mistakes it takes back."""

import numpy as np

from crmlab.simulate.catalogue import CARD, FOREIGN, MAIN, NUMBER, SAVING
from crmlab.simulate.ledger import BY, CATEGORY, CHANNEL, KIND
from crmlab.simulate.world import World

REVERSED = 0.004  # of purchases
FEES = {  # of services, a quarter: so much, and millionths of a month's turnover; of a guarantee those of its limit
    "E02": (9_000, 0), "S01": (20_000, 500), "S02": (5_000, 1_500), "T01": (40_000, 2_000), "G01": (10_000, 2_000),
}  # fmt: skip


def interest(world: World) -> None:
    """On the 21st of a quarter's last month, for the days up to the end of the month before."""
    ledger, month = world.ledger, world.month
    if month.ends_quarter:
        earning = np.flatnonzero(ledger.usable & np.isin(ledger.role, (MAIN, SAVING, FOREIGN)))
        ledger.settle(earning, month.first + 20)


def fees(world: World) -> None:
    """A fee a quarter for current accounts of businesses, one a year for credit cards, some for transfers."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    here = np.flatnonzero(people.here & (people.since < month.first))
    firm = here[~people.is_retail[here]] if month.ends_quarter else here[:0]
    _charge(world, people.main[firm], np.full(len(firm), 9_000))
    sender = here[rng.random(len(here)) < 0.02 * people.vigour[here]]
    _charge(world, people.main[sender], rng.choice((200, 500, 1_000, 2_500), len(sender)))
    cards = np.flatnonzero(ledger.usable & (ledger.role == CARD))
    born = ledger.opened[cards].astype("M8[D]").astype("M8[M]").astype(int) % 12 + 1
    cards = cards[(born == month.number) & (month.first - ledger.opened[cards] > 300)]
    ledger.post(cards, month.first + 4, np.full(len(cards), -8_000), "fee")
    if month.ends_quarter:
        for product, (fixed, share) in FEES.items():
            _charge_service(world, NUMBER[product], fixed, share)


def _charge_service(world: World, product: int, fixed: int, share: int) -> None:
    """A fee stands on the account of the service, which the customer's main account fills up on the same day."""
    people, ledger, day = world.people, world.ledger, world.month.last - 1
    service = np.flatnonzero(ledger.usable & (ledger.product == product))
    owner = ledger.customer[service]
    size = np.where(ledger.limit[service] > 0, ledger.limit[service], people.income[owner])
    fee = fixed + size * share // 1_000_000
    fee = np.where(fee <= ledger.free[people.main[owner]], fee, 0)
    ledger.post(service, day, -fee, "fee")
    ledger.transfer(people.main[owner], service, day, fee, channel="system", by="mandate")


def _charge(world: World, account: np.ndarray, fee: np.ndarray) -> None:
    ledger = world.ledger
    fee = np.where(fee <= ledger.free[account], fee, 0)
    ledger.post(account, world.month.last - 1, -fee, "fee")


def reversals(world: World, entries: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Take back some purchases within three days.

    Returns all entries of the month in the order of their days, and for each row the one it reverses, or -1.
    """
    account, day, amount, kind, *_ = entries
    ledger, rng, month = world.ledger, world.rng, world.month
    able = ((kind == KIND["payment"]) | (kind == KIND["card"])) & (amount < 0) & (day <= month.last - 3)
    able &= ledger.is_open[account]
    wrong = np.flatnonzero(able & (rng.random(len(amount)) < REVERSED))
    n = len(wrong)
    codes = {"kind": KIND["reversal"], "channel": CHANNEL["system"], "by": BY["bank"], "category": CATEGORY[None]}
    added = (account[wrong], day[wrong] + rng.integers(1, 4, n), -amount[wrong])
    words = [np.full(n, code, np.uint8) for code in codes.values()]
    ledger.post(*added, "reversal")
    columns = [np.concatenate(pair) for pair in zip(entries, [*added, *words, entries[-1][wrong]], strict=True)]
    order = np.argsort(columns[1], kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    reverses = np.concatenate([np.full(len(amount), -1), rank[wrong]])
    return [column[order] for column in columns], reverses[order]
