"""A manager among their peers: who these are, and where the manager stands in every measure."""

from html import escape
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from crmlab.policy.phrases import capital_first
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.figures import standing
from crmlab.views.managers.tables import Tables, worth
from crmlab.views.parts import reading
from crmlab.views.widgets import Column
from crmlab.views.words import named, word

LEAST = 5  # others, or the circle is drawn wider
NAMES = 12  # in a sentence
COLUMNS = [
    Column("measure", "named"), Column("manager_verdict", "named"), Column("did_told"), Column("expected_told"),
    Column("ratio_told"), Column("lasting_told"), Column("peers_told"), Column("rank_told"),
    Column("n_customers", "count"),
]  # fmt: skip
LISTED = dict.fromkeys((*(one.name for one in COLUMNS), "why_not"), pl.String) | {"n_customers": pl.Int64}


class Peers(NamedTuple):
    """With whom a manager is compared: the others, and what they have in common."""

    others: tuple[str, ...]
    alike: str


def whom(tables: Tables, manager: str) -> Peers:
    """Those of the same grade in branches of the same group; where they are few, of the grade, or of the group."""
    staff = tables.staff()
    own = staff.filter(pl.col("manager_id") == manager)
    if not own.height:
        return Peers((), "")
    found = Peers((), "")
    for keys, alike in ((["grade", "peer_group"], "both"), (["grade"], "grade"), (["peer_group"], "group")):
        others = staff.join(own.select(keys), on=keys).filter(pl.col("manager_id") != manager)["manager_id"]
        if len(others) > len(found.others):
            group = {"grade": own["grade"][0], "group": own["peer_group"][0]}
            found = Peers(tuple(others), word(f"managers.alike_{alike}", **group))
        if len(found.others) >= LEAST:
            break
    return found


def said(tables: Tables, manager: str = ALL) -> str:
    """With whom the manager is compared, and in how many measures something can be said."""
    peers, rows = whom(tables, manager), compared(tables, manager)
    if not rows.height:
        return ""  # the figure says why
    names = sorted(tables.manager(one) for one in peers.others)
    more = word("managers.and_more", n=len(names) - NAMES) if len(names) > NAMES else ""
    told = {"manager": escape(tables.manager(manager)), "n": theme.whole(len(names)), "alike": escape(peers.alike)}
    with_whom = word("managers.with_peers", **told, names=escape(", ".join(names[:NAMES])) + more)
    verdicts = rows.group_by("status").agg(pl.col("measure")).iter_rows()
    found = [
        word("managers.stands", verdict=capital_first(named("manager_verdict", one)),
             of=", ".join(named("measure", measure) for measure in of))
        for one, of in sorted(verdicts, key=lambda row: list(standing.COLOURS).index(row[0]))
    ]  # fmt: skip
    return reading(f"{with_whom if names else word('managers.no_peers', **told)} {' '.join(found)}")


def figure(tables: Tables, manager: str = ALL) -> go.Figure:
    """A row a measure: the manager's dot with its interval, and a line for each peer."""
    own = compared(tables, manager)
    if not own.height:
        nobody = word("managers.not_compared", manager=tables.manager(manager)) if manager else word("managers.choose")
        return standing.among(own, own, tables.without.get("fairness") or nobody)
    others = _others(tables, manager)
    rows = pl.concat([own, others]).with_columns(
        # Each measure has a scale of its own: as far as anybody reaches is 1.
        reach=pl.max_horizontal(pl.col("lasting", "lower", "upper").abs().max().over("measure"), 1e-12)
    )
    scaled = rows.with_columns(pl.col("lasting", "lower", "upper") / pl.col("reach"))
    is_own = pl.col("manager_id") == manager
    return standing.among(scaled.filter(is_own), scaled.filter(~is_own).drop_nulls("lasting"), "")


def by_measure(tables: Tables, manager: str = ALL) -> pl.DataFrame:
    """A row a measure: what the book did, what such a book does, what will last, and half of the peers."""
    own = compared(tables, manager)
    if not own.height:
        return pl.DataFrame(schema=LISTED)
    quartiles = (
        _others(tables, manager)
        .group_by("measure")
        .agg(low=pl.col("lasting").quantile(0.25), high=pl.col("lasting").quantile(0.75))
    )
    rows = own.join(quartiles, on="measure", how="left", maintain_order="left")
    told = [_told(row) for row in rows.iter_rows(named=True)]
    return pl.DataFrame(told, LISTED)


def compared(tables: Tables, manager: str) -> pl.DataFrame:
    """The rows of `Tables.differences` of one manager, a row a measure."""
    found = [tables.differences(one).filter(pl.col("manager_id") == manager) for one in tables.measures() if manager]
    return pl.concat(found) if found else pl.DataFrame()


def _others(tables: Tables, manager: str) -> pl.DataFrame:
    ids = list(whom(tables, manager).others)
    return pl.concat([tables.differences(one).filter(pl.col("manager_id").is_in(ids)) for one in tables.measures()])


def _told(row: dict) -> dict:
    is_rate = row["kind"] == "rate"
    ratio = row["ratio"]
    lasting = {name: worth(row[name], is_rate, is_change=True) for name in ("lasting", "lower", "upper")}
    return {
        "measure": row["measure"], "manager_verdict": row["status"], "did_told": worth(row["did"], is_rate),
        "expected_told": worth(row["would"], is_rate), "ratio_told": None if ratio is None else f"{ratio:.2f}",
        "lasting_told": None if row["lasting"] is None else word("managers.interval", **lasting),
        "peers_told": None if row["low"] is None else word(
            "managers.half", **{name: worth(row[name], is_rate, is_change=True) for name in ("low", "high")}
        ),
        "rank_told": None if row["rank"] is None else f"{row['rank_lower']}–{row['rank_upper']}",
        "n_customers": row["n_customers"], "why_not": row["why"] or None,
    }  # fmt: skip
