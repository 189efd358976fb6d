"""The rows behind the points of managers, apart from the page tables: a page reads those of one manager alone."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from crmlab.measures import managers
from crmlab.measures.managers.behind import BEHIND
from crmlab.policy import Scorecard

ROW_GROUP = 20_000  # rows that are read at least, where one manager is looked for


def begun(folder: Path) -> None:
    """The folder with a file of no rows: there is one to open, whatever comes."""
    folder.mkdir()
    pl.DataFrame(schema=BEHIND | {"every": pl.String}).write_parquet(folder / "empty.parquet")


def written(folder: Path, known: managers.Known, scored: pl.DataFrame, cards: Sequence[Scorecard], every: str) -> None:
    """The rows behind all that the cards ask of managers, a file a period, in the order of managers.

    Parameters
    ----------
    folder
        Where to.
    known
        What managers were assessed by.
    scored
        The rows of `managers.assessed` whose rows are asked for.
    cards, every
        The scorecards, and the period (month, quarter or year) that they are of.
    """
    measures = {one.measure for card in cards for one in (*card.entries, *card.rules)}
    asked = scored.filter(pl.col("measure").is_in(list(measures)))
    for (period,), part in sorted(asked.partition_by("period", as_dict=True).items()):
        rows = managers.rows_behind(known, part, every).with_columns(every=pl.lit(every))
        rows.write_parquet(folder / f"{every}-{period:%Y-%m}.parquet", row_group_size=ROW_GROUP)
