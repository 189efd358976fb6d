"""The rows behind a rule as the page `managers` lists them: they add up to its sentence, and say when."""

import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.measures.managers.sentences import quantity
from crmlab.policy import MEASURES
from crmlab.policy.scoring import MONEY
from crmlab.views.managers import behind, draw
from crmlab.views.managers.tables import Tables
from crmlab.views.widgets import download
from tests.managers_mart import HANDED, POOR, RICH, written


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return Tables(snapshot.open(written(tmp_path_factory.mktemp("behind") / "mart")))


def clicked(tables: Tables, measure: str, manager: str) -> tuple[dict, list]:
    """The rule of a measure, and a click on it."""
    row = draw.trace(tables, manager).filter(pl.col("measure") == measure).row(0, named=True)
    return row, [row["place"]]


@pytest.mark.parametrize("manager", [RICH, POOR])
def test_the_rows_of_every_rule_add_up_to_its_sentence(tables, manager):
    for row in draw.trace(tables, manager).drop_nulls("measure").iter_rows(named=True):
        rows = behind.rows(tables, manager, [row["place"]])
        told = behind.total(tables, manager, [row["place"]])
        value = quantity(row["measure"], row["value"], 2)
        assert value in row["sentence"]
        if row["n"] is None:
            name = "amount_counted" if MEASURES[row["measure"]] == MONEY else "n_counted"
            assert rows[name].sum() == row["value"]
            assert f"Together <b>{value}</b>" in told
        else:
            names = ("amount_counted", "amount_of") if row["measure"] == "maturity_retention" else ("n_counted", "n_of")
            assert tuple(rows[name].sum() for name in names) == (row["n_events"], row["n"])
            assert f"makes <b>{value}</b>" in told


def test_what_did_not_count_comes_first(tables):
    row, click = clicked(tables, "retention", RICH)
    lost = row["n"] - row["n_events"]
    assert lost > 0
    assert behind.rows(tables, RICH, click)["n_counted"].to_list() == [0] * lost + [1] * row["n_events"]


def test_what_was_handed_over_says_when_and_for_how_much_of_the_days_it_counts(tables):
    _, click = clicked(tables, "contribution", RICH)
    rows = behind.rows(tables, RICH, click)
    assert rows.select("credit", "how_theirs").rows() == [(17.4, f"handed in on {HANDED}"), (100.0, None)]
    assert "In the period before, moved with handovers" in behind.total(tables, RICH, click)
    content, _ = download(rows, "csv", 2)
    assert content.decode("utf-8-sig").startswith("Customer,Name,Day,Counted,Of,Amount,Of the amount,Period before,")


def test_where_nothing_stands_behind_a_rule_it_is_said_why(tables):
    assert behind.rows(tables, RICH, []).is_empty()
    assert behind.total(tables, RICH, []) == ""  # the empty list says what to click
    assert behind.total(tables, "", []) == ""
    row, click = clicked(tables, "complaints", POOR)
    empty = Tables(tables.mart)
    empty.behind = lambda *rule: tables.behind(*rule).clear()
    assert f"Nobody stands behind {row['rule']}. There was nothing to count." in behind.total(empty, POOR, click)
    assert behind.rows(empty, POOR, click).is_empty()
    bound = draw.trace(tables, RICH).filter(pl.col("measure").is_null())
    assert "made of the points of other rules" in behind.total(tables, RICH, bound["place"].to_list())
