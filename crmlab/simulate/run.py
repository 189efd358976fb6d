"""The simulation from the first block's first day to the last file."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.simulate import (
    bankside,
    book,
    catalogue,
    dealings,
    homes,
    income,
    leading,
    leaving,
    lending,
    opening,
    people,
    planted,
    pricing,
    prospects,
    register,
    saving,
    spending,
    staff,
)
from crmlab.simulate.catalogue import SERVICE, VALUED, WEALTH
from crmlab.simulate.dirt import Dirt
from crmlab.simulate.ledger import Ledger
from crmlab.simulate.months import Month, calendar
from crmlab.simulate.staff import Managing
from crmlab.simulate.world import World

BLOCK = 20_000  # customers that are simulated together; the result depends on it, but not on the order of blocks
CONTROLS_EACH = 10  # in a large bank one account in so many has control balances
USUAL = Managing()


class Future(NamedTuple):
    """From a month on, counted from 0, a bank lives another life: one a number.

    What many of them come to on average is what was to be expected.
    """

    month: int
    life: int


def _silent(label: str, done: int, total: int) -> None:
    """Shows nothing."""


def bank(
    folder: Path | str,
    *,
    customers: int = 4000,
    months: int = 36,
    seed: int = 7,
    dirt: float = 0.0,
    start: date = date(2023, 1, 1),
    managing: Managing = USUAL,
    future: Future | None = None,
    progress: Callable[[str, int, int], None] = _silent,
) -> Path:
    """Write the extracts of an invented bank to an empty folder, and what was planted to ``truth/`` beside them.

    The extract begins on the first day of the month of `start` and runs for so many `months`; its last day is the day
    to read it as of. `dirt` adds that share of broken rows, which ``truth/dirt`` lists; without them it is the same
    bank. `managing` says how many managers there are and by how much they differ. With a `future` it is the same
    bank until then, and lives on otherwise. The same arguments write the same bytes.

    Raises
    ------
    InputError
        When the folder is not empty, or a number makes no bank.
    """
    folder = Path(folder)
    _check(folder, customers, months, dirt)
    _check_managing(managing)
    days = calendar(start, months)
    rng = np.random.default_rng([seed, 0])
    tables, rates = catalogue.tables(days, rng)
    tables["ftp_curve"] = pricing.transfer_prices(days)
    team = staff.draw(rng, np.random.default_rng([seed, 6]), customers, days, managing)
    offered = dealings.campaigns(days)
    n_blocks = -(-customers // BLOCK)
    files = book.Files(folder, n_blocks, BLOCK)
    tables |= staff.tables(team, rng, days) | dealings.campaign_tables(offered) | prospects.tables()
    tables |= leading.tables()
    for name, rows in tables.items():
        files.write_once(name, rows)
    for block in range(n_blocks):
        own = np.random.default_rng([seed, 1, block])
        n = min(BLOCK, customers - block * BLOCK)
        crowd = people.draw(own, n, days, len(team.weights), team.weights)
        shared = homes.draw(np.random.default_rng([seed, 4, block]), crowd)
        courted = np.random.default_rng([seed, 3, block])
        tastes = np.random.default_rng([seed, 5, block])
        world = World(crowd, Ledger(), team, own, rates, days, days[0], shared, courted, tastes, block, offered)
        _simulate(world, files, Dirt(dirt, np.random.default_rng([seed, 2, block]), block), progress, future)
    progress("simulate", n_blocks * months, n_blocks * months)
    return folder


def _check(folder: Path, customers: int, months: int, dirt: float) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder. Name a new one, or empty it.")
    for name, number, least in (("customers", customers, 50), ("months", months, 1)):
        if number < least:
            raise InputError(f"{name} is {number}; a bank needs at least {least}.")
    if not 0 <= dirt <= 0.5:
        raise InputError(f"dirt is {dirt}; it must be a share from 0 to 0.5.")


def _check_managing(managing: Managing) -> None:
    for name in ("growth", "leaving", "contacts", "times", "differ"):
        most = 1 if name == "differ" else np.inf
        if not 0 <= (number := getattr(managing, name)) <= most:
            raise InputError(f"{name} of managing is {number}; it must be 0 or more{', a share' * (most == 1)}.")
    n, branches = managing.managers, managing.branches
    if (n, branches) != (None, None) and not 1 <= (branches or 0) <= (n or 0):
        raise InputError(f"managing has {n} managers and {branches} branches. Give both, and each branch a manager.")


def _simulate(
    world: World,
    files: book.Files,
    dirt: Dirt,
    progress: Callable[[str, int, int], None],
    future: Future | None,
) -> None:
    world.ledger.start(world.month)
    opening.first_accounts(world)
    lending.first_states(world)
    world.staff.first_books(world)
    for month in world.calendar:
        progress("simulate", world.block * len(world.calendar) + month.index, files.n_blocks * len(world.calendar))
        if future and month.index == future.month:
            streams = np.random.SeedSequence([future.life, 7, world.block]).spawn(3)
            world.rng, world.prospects, world.tastes = map(np.random.default_rng, streams)
        _month(world, month)
        entries, reverses = bankside.reversals(world, world.ledger.gathered())
        rows = book.transactions(files, world, entries, reverses)
        opened = world.ledger.opened[entries[0]]
        files.write_month(month, dirt.spoiled("transactions", rows, opened), world.block)
        saving.valuations(world)
        world.ledger.end()
        planted.month_end(world)
        _balances(world, each=1 if files.n_blocks == 1 else CONTROLS_EACH)
    world.staff.finish(world)
    planted.finish(world)
    register.write(world)
    for table, parts in world.rows.items():
        frames = [files.frame(table, part, world.block, world.ledger.currency) for part in parts]
        rows = pl.concat(frames, how="diagonal_relaxed")
        rows = dirt.without_anchors(rows) if table == "balances" else dirt.spoiled(table, rows)
        files.write(table, rows, world.block)
    if dirt.share:
        files.write("truth/dirt", dirt.truth(), world.block)


def _month(world: World, month: Month) -> None:
    world.month = month
    world.ledger.start(month)
    pricing.reprice(world)
    lending.cover(world)
    leaving.close_due(world)
    leaving.break_up(world)
    opening.joiners(world)
    world.staff.month(world)
    leaving.decide(world)
    leaving.fall_asleep(world)
    saving.maturities(world)
    leaving.at_maturity(world)
    leading.rises(world)
    income.month(world)
    lending.repay(world)
    spending.month(world)
    leaving.run_off(world)
    dealings.offers(world)
    leading.takes(world)
    saving.month(world)
    lending.lend(world)
    spending.dress(world)
    bankside.fees(world)
    bankside.interest(world)
    lending.overdraw(world)
    lending.states(world)
    dealings.month(world)
    prospects.month(world)


def _balances(world: World, each: int) -> None:
    """Valuations, and controls: open accounts at quarter ends, and nothing left on the day of closing."""
    ledger, month = world.ledger, world.month
    known = ~np.isin(ledger.role, (WEALTH, VALUED, SERVICE)) & (np.arange(len(ledger)) % each == 0)
    shut = np.flatnonzero((ledger.closed >= month.first) & (ledger.closed <= month.last))
    for account, on, balance in ledger.valuations:
        world.note("balances", account_id=account, on=on, kind="valuation", balance=balance)
    world.note("balances", account_id=shut, on=ledger.closed[shut], kind="control", balance=ledger.balance[shut])
    if month.ends_quarter or month is world.calendar[-1]:
        kept = np.flatnonzero(ledger.is_open & known)
        on = np.full(len(kept), month.last)
        world.note("balances", account_id=kept, on=on, kind="control", balance=ledger.balance[kept])
