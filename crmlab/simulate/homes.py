"""Who lives with whom and which firms are in one hand: planted by a generator of its own, so that no money moves."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crmlab.simulate.people import People

COUPLE, CHILD = 0.7, 0.25  # of the ties of a family, those the bank was told as kin
SAME_PLACE = 0.94  # of the members of a family, those who live where its head does
SAME_SURNAME, SAME_MOBILE = 0.75, 0.35  # of its members other than a couple; of all its members
WITH_CHILDREN, FAMILIES = 0.45, 0.22  # of couples; of single customers, those who are a family without a couple
CROWDED = 1_500  # persons for each dormitory or market whose people all give one address
CLANS = 2_500  # persons for each clan: three homes of three, all declared kin in one chain
LODGERS = 0.02  # of single customers, those who live at the address of another without belonging there
GUARANTEED = 0.15  # of the loans of persons
RELATIVE, FRIEND = 0.6, 0.05  # of guarantors where nobody at home can be one; of all guarantors
HOLDINGS = 8  # owners of firms for each group that has several owners on paper
ADDRESSES_EACH = 200  # customers for each team of a village, that addresses may not run out in a large bank
MOST = 6


@dataclass
class Homes:
    """For each customer of a block the number of another, their own where nothing is shared."""

    rng: np.random.Generator
    household: np.ndarray
    place: np.ndarray  # whose address they give
    mobile: np.ndarray  # whose mobile they give
    surname: np.ndarray  # whose surname they bear
    group: np.ndarray  # of a firm: the owner, a person or the first of several, else the firm itself
    kin: list[tuple[np.ndarray, np.ndarray]]
    controls: tuple[np.ndarray, np.ndarray]


def draw(rng: np.random.Generator, people: People) -> Homes:
    """Plant households and corporate groups among the customers of a block."""
    every = np.arange(len(people))
    group, controls = _groups(rng, people)
    homes = Homes(rng, *(every.copy() for _ in range(4)), group, [], controls)
    left = np.flatnonzero(people.partner >= 0)
    _move_in(homes, left, people.partner[left], COUPLE, SAME_MOBILE, 0.0)
    twins = np.flatnonzero(people.twin_of >= 0)
    couples = left[~np.isin(left, people.twin_of[twins])]
    tied = np.concatenate([left, people.partner[left], twins, people.twin_of[twins]])
    single = rng.permutation(np.setdiff1d(np.flatnonzero(people.is_retail), tied))

    parents = couples[rng.random(len(couples)) < WITH_CHILDREN]
    single = _children(homes, parents, rng.integers(1, 4, len(parents)), single)
    n_heads = int(len(single) * FAMILIES / 3)
    heads, single = single[:n_heads], single[n_heads:]
    single = _children(homes, heads, rng.integers(1, 4, n_heads), single)
    for _ in range(len(people) // CLANS):
        clan, single = single[:9], single[9:]
        _children(homes, clan[:3], np.full(3, 2)[: len(clan[:3])], clan[3:], declared=0.0)
        homes.kin.append((clan[:-1], clan[1:]))
    for _ in range(len(people) // CROWDED + 1):
        n = rng.integers(12, 31)
        homes.place[single[:n]] = single[:1]
        single = single[n:]
    lodgers = single[rng.random(len(single)) < LODGERS]
    homes.place[lodgers] = homes.place[rng.choice(np.flatnonzero(people.is_retail), len(lodgers))]
    for twin, elder in zip(twins, people.twin_of[twins], strict=True):
        homes.household[homes.household == homes.household[twin]] = homes.household[elder]
    return homes


def names_of(homes: Homes, person: pl.Series) -> pl.Series:
    """Names of persons in which families share a surname."""
    surname = person.str.extract(r"^(\S+)").gather(homes.surname)
    return pl.select(pl.concat_str(surname, person.str.extract(r"( .*)$"))).to_series()


def addresses_of(homes: Homes, address: pl.Series, block: int) -> pl.Series:
    """Addresses that homes share; teams keep apart those that meet by chance."""
    n_teams = len(address) // ADDRESSES_EACH + 1
    team = homes.rng.integers(1, n_teams + 1, len(address)) + block * n_teams
    own = pl.select(pl.concat_str(address, pl.lit(", Team "), pl.Series(team).cast(pl.String))).to_series()
    return own.gather(homes.place)


def ties(homes: Homes, people: People) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """The declared relations that come of it, as they stand on the last day: kind, and customers at either end."""
    left, right = (np.concatenate(side) for side in zip(*homes.kin, strict=True))
    return [("kin", left, right), ("guarantees", *_guarantors(homes, people)), ("controls", *homes.controls)]


def _children(homes: Homes, heads: np.ndarray, n: np.ndarray, free: np.ndarray, declared: float = CHILD):
    """Let so many of the `free` move in with each head; gives back those who are left."""
    head = np.repeat(heads, n)[: len(free)]
    _move_in(homes, head, free[: len(head)], declared, SAME_MOBILE, SAME_SURNAME)
    return free[len(head) :]


def _move_in(homes: Homes, head: np.ndarray, who: np.ndarray, declared: float, mobile: float, surname: float) -> None:
    rng = homes.rng
    homes.household[who] = homes.household[head]
    for shared, share in ((homes.place, SAME_PLACE), (homes.mobile, mobile), (homes.surname, surname)):
        does = rng.random(len(who)) < share
        shared[who[does]] = shared[head[does]]
    told = rng.random(len(who)) < declared
    homes.kin.append((head[told], who[told]))


def _guarantors(homes: Homes, people: People) -> tuple[np.ndarray, np.ndarray]:
    """Who guarantees some of the persons' loans: one of the household, a relative who becomes one, or a friend."""
    rng = homes.rng
    loans = np.flatnonzero(people.is_retail & (people.loan >= 0))
    borrowers = loans[rng.random(len(loans)) < GUARANTEED]
    persons = np.flatnonzero(people.is_retail)
    pairs = []
    for borrower in borrowers:
        at_home = np.setdiff1d(np.flatnonzero(homes.household == homes.household[borrower]), borrower)
        if rng.random() < FRIEND:
            pairs.append((rng.choice(persons), borrower))
        elif len(at_home):
            pairs.append((rng.choice(at_home), borrower))
        elif rng.random() < RELATIVE:
            relative = rng.choice(persons)
            if (homes.household == homes.household[relative]).sum() < MOST:
                homes.household[borrower] = homes.household[relative]
                pairs.append((relative, borrower))
    left, right = np.array(pairs, int).reshape(-1, 2).T
    apart = left != right
    return left[apart], right[apart]


def _groups(rng: np.random.Generator, people: People) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The owner of each firm, and the firms by which owners of several control those of others."""
    every = np.arange(len(people))
    rep = people.legal_rep
    rep = np.where((rep >= 0) & (people.twin_of[rep] >= 0), people.twin_of[rep], rep)
    owner = np.where(rep >= 0, rep, every)
    owners, first_firm = np.unique(rep[rep >= 0], return_index=True)
    firms = np.flatnonzero(rep >= 0)[first_firm]
    order = rng.permutation(len(owners))
    n_groups = len(owners) // HOLDINGS
    # The first of the order are the hands on top, those behind them follow in turn, two or three to each.
    top, below = order[:n_groups], order[n_groups : n_groups + int(n_groups * 2.5)]
    above = np.resize(top, len(below)) if n_groups else below
    above_of = dict(zip(owners[below], owners[above], strict=True))
    group = np.array([above_of.get(number, number) for number in owner], np.int64)
    return group, (firms[above], firms[below])
