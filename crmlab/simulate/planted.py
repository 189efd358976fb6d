"""What was planted, written beside the extracts so that a measure can be held against it."""

from pathlib import Path

import numpy as np
import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.simulate.catalogue import AUM_ROLES, DIGITS, PROFILES
from crmlab.simulate.leaving import CAUSES
from crmlab.simulate.months import NEVER
from crmlab.simulate.names import words
from crmlab.simulate.people import TRENDS
from crmlab.simulate.world import World

TIERS = ("basic", "gold", "platinum", "diamond", "private")
TIER_FROM = np.array([5_000_000, 20_000_000, 100_000_000, 600_000_000])  # average AUM of a month, in minor units of CNY


def truth(folder: Path | str, name: str) -> pl.DataFrame:
    """One table of what was planted in a simulated bank, for instance ``leavers``.

    Raises
    ------
    InputError
        When the folder holds no such table.
    """
    place = Path(folder) / "truth"
    files = sorted((place / name).glob("*.parquet")) or sorted(place.glob(f"{name}.parquet"))
    if not files:
        known = sorted({path.stem for path in place.glob("*")})
        raise InputError(f"{place} holds no table {name}. {near_miss(name, known)}")
    return pl.read_parquet(files)


def month_end(world: World) -> None:
    """Each customer's AUM by holders' shares, in base currency at the month's rate, and its tier."""
    people, ledger, month = world.people, world.ledger, world.month
    rate = (world.rates[month.index] * 10.0 ** (2 - DIGITS))[ledger.currency]
    counts = np.isin(ledger.role, AUM_ROLES)
    shared = np.where(ledger.joint >= 0, ledger.joint_share / 1e6, 0.0)
    held = {}
    for name, amount in (("aum", ledger.balance), ("aum_average", ledger.balance_days / month.n_days)):
        value = np.where(counts, amount, 0) * rate
        total = np.bincount(ledger.customer, value * (1 - shared), len(people))
        total += np.bincount(np.maximum(ledger.joint, 0), value * shared, len(people))
        held[name] = np.rint(total).astype(np.int64)
    people.aum = held["aum"]
    who = np.flatnonzero(people.joined & ((people.main >= 0) | (people.left_on >= month.first)))
    tier = words(TIERS, np.searchsorted(TIER_FROM, held["aum_average"][who], side="right"))
    world.note(
        "truth/tiers", customer_id=who, month=np.full(len(who), month.last), aum=held["aum"][who],
        aum_average=held["aum_average"][who], tier=tier,
    )  # fmt: skip


def finish(world: World) -> None:
    """Write down who left and why, and who belonged to which segment until when."""
    people, first = world.people, world.calendar[0].first
    left = np.flatnonzero(people.cause >= 0)
    world.note(
        "truth/leavers", customer_id=left, cause=words(CAUSES, people.cause[left]), starts_on=people.leaving_from[left],
        left_on=people.left_on[left], is_closed=people.main[left] < 0,
    )  # fmt: skip
    names = [profile.name for profile in PROFILES]
    who = np.flatnonzero(people.joined)
    slept = people.dormant_from[who]
    world.note(
        "truth/segments", customer_id=who, from_on=np.maximum(people.since[who], first),
        to_on=np.where(slept == NEVER, NEVER, slept - 1),
        segment=words(names, people.profile[who]), trend=words(TRENDS, people.trend[who]),
    )  # fmt: skip
    asleep = who[slept != NEVER]
    world.note(
        "truth/segments", customer_id=asleep, from_on=people.dormant_from[asleep], to_on=np.full(len(asleep), NEVER),
        segment="dormant", trend="steady",
    )  # fmt: skip
