"""The page `segments` without a browser: every mark of a figure lists exactly the customers behind it."""

from dataclasses import replace

import ipywidgets
import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.measures import transitions
from crmlab.views import theme
from crmlab.views.figures import flows, profile
from crmlab.views.pages import segments
from crmlab.views.parts import Reader
from crmlab.views.segments import draw, moves, say
from crmlab.views.segments.behind import listed
from crmlab.views.segments.tables import BYS, Tables
from crmlab.views.words import named, word
from tests.segments_mart import MONTHS, SEGMENTS_FROM, drawn

SELECTIONS = [{}, {"branch": "B1"}, {"manager": "M2"}, {"kind": "retail"}]
NOBODY = {"kind": "nobody"}
YEAR = MONTHS[-13], MONTHS[-1]
WAYS = [  # origin, destination, n, AUM then, AUM now
    ("gold", "base", 20, 900_00, 200_00),
    ("gold", "gold", 50, 500_00, 520_00),
    ("base", "gold", 2, 10_00, 90_00),
    ("base", "gone", 3, 80_00, 0),
    ("gold", "gone", 1, 100_00, 0),
    ("came", "base", 7, 0, 30_00),
    ("base", "cannot tell", 4, 9_00, 0),
]


@pytest.fixture(scope="module")
def mart():
    return drawn()


@pytest.fixture(scope="module")
def tables(mart):
    return Tables(mart)


def behind(tables, figure, key, span=YEAR, by="segment", **asked):
    return listed(tables, (figure, key), span, by, **asked).rows


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("chosen", SELECTIONS)
def test_every_ribbon_and_every_end_lists_as_many_customers_as_it_shows(tables, by, chosen):
    (trace,) = draw.flows(tables, YEAR, by, **chosen).data
    for key, n in zip(trace.link.customdata, trace.link.value, strict=True):
        assert behind(tables, "flows", key, by=by, **chosen).height == n
    ends = [behind(tables, "flows", key, by=by, **chosen).height for key in trace.node.customdata]
    assert sum(ends) == 2 * sum(trace.link.value)
    (squares,) = draw.matrix(tables, YEAR, by, **chosen).data
    assert set(squares.customdata) == set(trace.link.customdata)


@pytest.mark.parametrize("by", BYS)
def test_pairs_are_those_of_transitions_but_for_who_left_before(tables, mart, by):
    names = {"customer_id": "customer_id", f"state {YEAR[0]}": "state", f"{by} {YEAR[0]}": by, f"aum {YEAR[0]}": "aum"}
    long = pl.concat(
        mart.page("paths")
        .select(pl.col(name.replace(str(YEAR[0]), str(day))).alias(new) for name, new in names.items())
        .with_columns(month=pl.lit(day))
        for day in YEAR
    )
    there = long.filter(pl.col("state") != "left")
    expected = transitions.pairs(there, *YEAR, by=by)
    found = tables.pairs(YEAR, by).sort("customer_id")
    if by == "state":  # who leaves is told by the state
        found = found.with_columns(
            pl.col("origin").replace("left", "came"), pl.col("destination").replace("left", "gone")
        )
    assert found.equals(expected)


def test_a_list_of_a_way_says_what_was_then_and_what_is_now(tables):
    found = listed(tables, ("flows", "|gone"), YEAR, "segment")
    assert found.title == "To Gone, Dec 2024 to Dec 2025"
    assert set(found.rows["destination"]) == {"Gone"}
    assert found.rows["customer_no"].null_count() == 0
    assert (found.rows["aum_end"] == 0).all()
    assert (found.rows["aum_moved"] == -found.rows["aum_start"]).all()
    assert found.rows["branch"].null_count() == 0
    assert not found.is_down


@pytest.mark.parametrize("chosen", SELECTIONS)
def test_the_map_has_a_square_a_cell_that_lists_its_customers(tables, chosen):
    figure = draw.cells(tables, **chosen)
    squares = [(key, n) for facet in figure.data for key, n in zip(facet.customdata, facet.text, strict=True)]
    assert len(squares) == 27
    counted = [behind(tables, "cells", key, **chosen).height for key, _ in squares]
    assert [theme.brief(n) for n in counted] == [n for _, n in squares]
    assert sum(counted) == tables.people(**chosen).height


@pytest.mark.parametrize("chosen", SELECTIONS)
def test_the_life_cycle_lists_who_was_in_a_state_at_a_months_end(tables, chosen):
    for bars in draw.states(tables, **chosen).data:
        for key, n in list(zip(bars.customdata, bars.y, strict=True))[::5]:
            assert behind(tables, "states", key, **chosen).height == n


@pytest.mark.parametrize("line", ["", "loans"])
@pytest.mark.parametrize("chosen", SELECTIONS)
def test_the_funnel_lists_leads_also_those_who_are_no_customers_yet(tables, line, chosen):
    seen = set()
    for bars in draw.funnel(tables, line, **chosen).data:
        for key, n in zip(bars.customdata, bars.x, strict=True):
            found = behind(tables, "funnel", key, **chosen)
            assert found.height == n
            assert found["lead_id"].n_unique() == n
            seen |= set(found["customer_no"].is_null())
    assert line or True in seen or "kind" in chosen  # nobody knows what kind a prospect will be


def test_a_trait_lists_those_of_the_first_group_who_have_it(tables):
    pair = {"first": "segment=Slipping", "second": ""}
    found, n, others = tables.compared(*pair.values())
    assert n + others == tables.everyone.height
    for row in found.filter(pl.col("lower").is_not_null()).iter_rows(named=True):
        rows = behind(tables, "profile", f"{row['trait']}|{row['value'] or ''}", **pair)
        assert rows.height == round(row["of_group"] * row["n"])
        assert set(rows["segment"]) <= {"Slipping"}
    ordered = behind(tables, "profile", "recency_days|", **pair)
    days = dict(tables.page("traits").select("customer_id", "recency_days").iter_rows())
    told = [days[one] for one in ordered["customer_id"]]
    assert told == sorted(told, reverse=True)


def test_who_is_in_both_groups_counts_for_the_first(tables):
    _, n, others = tables.compared("tier=gold", "kind=retail")
    traits = tables.page("traits")
    assert n == (traits["tier"] == "gold").sum()
    assert others == traits.filter(pl.col("kind") == "retail", pl.col("tier").ne_missing("gold")).height


def test_everyone_else_may_stand_first_and_is_not_in_the_second(tables):
    _, n, others = tables.compared("", "tier=gold")
    gold = (tables.page("traits")["tier"] == "gold").sum()
    assert (n, others) == (tables.everyone.height - gold, gold)


def test_a_group_of_one_and_an_empty_one_are_a_sentence(tables):
    for first in ("cluster=retail 9", "customer_id=1"):
        figure = draw.profile(tables, first, "")
        assert figure.layout.annotations[0].text == word("segments.profile_empty")
    assert "shown faint" in say.compared(tables, "cluster=retail 9", "")


def test_other_lists_are_of_the_customers_they_name(tables):
    traits = tables.page("traits")
    assert behind(tables, "outflow", "")["amount"].sum() == traits["outflow_other_bank"].sum()
    assert behind(tables, "channels", "").height == (~traits["is_digital"]).sum()
    assert behind(tables, "clusters", "retail 1").height == (traits["cluster"] == "retail 1").sum()
    shares = behind(tables, "spending", "fuel")["share_of"]
    assert shares.len() == (traits["share_fuel"] > 0).sum()
    assert shares[0] == theme.share(traits["share_fuel"].max())


def test_a_category_of_which_nobody_bought_within_twelve_months_lists_nobody(tables):
    found = listed(tables, ("spending", "horses"), YEAR, "segment")
    assert found.rows.is_empty()
    assert found.rows["share_of"].dtype == pl.String


def test_a_category_may_hold_the_mark_that_divides_keys(mart):
    traits = mart.page("traits").rename({"share_fuel": "share_oil|gas"})
    tables = Tables(_with(mart, traits=traits))
    assert behind(tables, "spending", "oil|gas").height == (traits["share_oil|gas"] > 0).sum()
    assert behind(tables, "profile", "share_oil|gas|", first="", second="tier=gold").height


@pytest.mark.parametrize("n", [1, 2])
def test_a_history_too_short_for_segments_has_life_cycle_and_tier(mart, n):
    paths = mart.page("paths")
    short = _with(
        mart,
        paths=paths.select("customer_id", "kind", "branch_id", "manager_id",
                           *(f"{what} {day}" for day in MONTHS[-n:] for what in ("state", "tier", "aum"))),
        roster=mart.page("roster").with_columns(segment=pl.lit(None, pl.String)),
    )  # fmt: skip
    tables = Tables(short)
    assert tables.months == MONTHS[-n:]
    for by in BYS:
        figure = draw.flows(tables, tables.a_year(), by)
        assert len(figure.data) == n - 1
        assert n > 1 or figure.layout.annotations[0].text == word("segments.one_month")
    standing = draw.states(tables)
    assert standing.layout.showlegend
    assert all((bar.width is not None) == (n == 1) for bar in standing.data)
    if n > 1:
        assert set(tables.matrix(tables.a_year(), "segment")["destination"]) <= {"cannot tell", "gone"}
        assert "the history is too short" in say.finding(tables, tables.a_year(), "segment")
    assert "the history is too short" in say.legend(tables).lower()
    unknown = _with(short, roster=short.page("roster").with_columns(aum=pl.lit(None, pl.Int64)))
    assert ">–<" in say.legend(Tables(unknown))


def test_a_way_between_a_month_and_itself_lists_who_was_there(tables):
    month = MONTHS[-1]
    there = tables.page("paths")[f"segment {month}"].cast(pl.String) == "Gold"
    assert behind(tables, "flows", "Gold|Gold", span=(month, month)).height == there.sum()


def test_no_state_has_the_colour_of_a_segment():
    assert not set(theme.STATES.values()) & set(theme.SEGMENTS)


def test_nothing_selected_is_a_sentence_everywhere(tables):
    asked = {
        "flows": {"span": YEAR, "by": "segment"},
        "matrix": {"span": YEAR, "by": "tier"},
        "states": {},
        "funnel": {"line": ""},
        "profile": {"first": "", "second": "tier=gold"},
        "spending": {},
        "channels": {},
        "outflow": {},
    }
    for name, more in asked.items():
        figure = getattr(draw, name)(tables, **more, **NOBODY)
        assert figure.data == ()
        assert figure.layout.annotations[0].text.endswith(".")
    assert say.finding(tables, YEAR, "segment", **NOBODY) == ""
    assert say.lost(tables, YEAR, "segment", **NOBODY) is None
    assert say.wins(tables, **NOBODY) == ""
    assert "No customer matches" in say.count(tables, **NOBODY)
    assert "Gold" in say.legend(tables, **NOBODY)
    assert behind(tables, "flows", "|gone", **NOBODY).is_empty()


def test_movement_needs_two_months(tables):
    same = YEAR[1], YEAR[1]
    assert draw.flows(tables, same, "tier").layout.annotations[0].text == word("segments.two_months")
    assert say.finding(tables, same, "tier") == ""


def test_the_finding_is_where_money_went_and_what_is_otherwise(tables, monkeypatch):
    columns = ["origin", "destination", "n", "aum_start", "aum_end"]
    found = moves.movement(pl.DataFrame(WAYS, schema=columns, orient="row"))
    assert (found.n, found.n_moved, found.n_came, found.aum_came) == (80, 22, 7, 30_00)
    assert (found.n_gone, found.aum_gone) == (4, 180_00)
    assert [way["origin"] for way in (found.lost, found.won, found.away)] == ["gold", "base", "gold"]
    told = say.finding(tables, YEAR, "segment")
    assert told.startswith('<div class="told has-list"><p>In 12 months, <b>')
    assert word("segments.no_before") in told  # the year before begins where segments cannot be told yet
    late = MONTHS[-6], MONTHS[-1]
    assert word("segments.no_before") not in say.finding(tables, late, "segment")


def test_only_large_groups_large_effects_and_no_doubt_are_notable():
    mart = drawn(3000)
    tables = Tables(replace(mart, manifest=mart.manifest | {"least_effect": 0.05}))
    change = tables.change((MONTHS[-6], MONTHS[-1]), "segment")
    expected = (
        (pl.col("effect").abs() >= tables.mart.manifest["least_effect"])
        & (pl.min_horizontal("n_origin", "n_origin_before") >= moves.SMALL)
        & (pl.col("lower") * pl.col("upper") > 0)
    )
    assert change["is_notable"].to_list() == change.select(expected.fill_null(False)).to_series().to_list()
    assert change["is_notable"].any()
    (trace,) = draw.matrix(tables, (MONTHS[-6], MONTHS[-1]), "segment").data
    marked = {key for key, text in zip(trace.customdata, trace.text, strict=True) if text[-1] in "▲▼"}
    there = change.filter("is_notable", pl.col("n") > 0).select(pl.format("{}|{}", "origin", "destination"))
    assert marked == set(there.to_series())


def test_months_are_those_of_which_segments_can_be_told(tables, mart):
    assert tables.months == MONTHS[SEGMENTS_FROM:]
    assert tables.a_year() == YEAR
    young = mart.page("paths").select(pl.exclude("^segment .*$"))
    assert Tables(_with(mart, paths=young)).months == MONTHS


def test_a_bank_without_managers_leads_clusters_or_categories_is_told_so(mart):
    gone = {name: mart.page(name).clear() for name in ("managers", "leads", "clusters", "spending_months")}
    berka = _with(mart, **gone)
    page = segments.page(berka)
    for sight in _found(page, "Sight"):
        sight.is_seen = True
    said = {view.figure["layout"].get("annotations", [{}])[0].get("text") for view in _found(page, "PlotlyView")}
    assert {word("segments.no_leads"), word("segments.no_clusters"), word("segments.no_spending")} <= said
    assert [one.description for one in _found(page, "Dropdown", "SelectionRangeSlider")][:4] == [
        "Branch", "Customer kind", "From, to", "Follow",
    ]  # fmt: skip


def test_ends_of_ribbons_stand_in_their_order_and_within_the_figure(tables):
    figure = draw.flows(tables, YEAR, "segment")
    node = figure.data[0].node
    order = list(tables.ends("segment"))
    for at in (0, 1):
        side = [
            (order.index(key.strip("|")), y)
            for key, y in zip(node.customdata, node.y, strict=True)
            if key.startswith("|") == at
        ]
        assert [y for _, y in sorted(side)] == sorted(y for _, y in side)
        assert 0 < min(y for _, y in side) <= max(y for _, y in side) < 1
    texts = [note.text for note in figure.layout.annotations]
    gold = tables.matrix(YEAR, "segment").filter(pl.col("destination") == "Gold")["n"].sum()
    assert any(text.startswith(f"Gold <b>{gold}</b> <span") for text in texts)
    assert figure.layout.height == flows.HEIGHT


def test_small_groups_are_faint(tables):
    rows = tables.matrix(YEAR, "tier").with_columns(text=pl.lit(""), mark=pl.lit(""))
    figure = draw.matrix(tables, YEAR, "tier", branch="B1")
    small = set(rows.filter(pl.col("n_origin") < moves.SMALL)["origin"])
    assert small
    (trace,) = figure.data
    inks = dict(zip(trace.customdata, trace.textfont.color, strict=True))
    assert {inks[key] for key in inks if key.split("|")[0] in small} == {theme.OTHER}
    row = {"key": "a|", "name": "A", "effect": 0.5, "first": "", "second": "", "difference": "", "text": ""}
    dots = profile.effects(pl.DataFrame([row]), ["x", "y"], 0.2, sure=False).data[0]
    assert dots.marker.opacity == 0.35


def test_what_is_below_the_fold_waits_until_it_is_seen(mart):
    page = segments.page(mart)
    assert len(_found(page, "PlotlyView")) == 2
    first = _found(page, "Sight")[1]
    first.is_seen = True
    states = _found(page, "PlotlyView")[3]
    first.is_seen = False
    before, kind = states.figure, _found(page, "Dropdown")[2]
    kind.value = "retail"
    assert states.figure is before
    first.is_seen = True
    assert states.figure is not before


def test_a_click_lists_and_the_button_takes_it_back(mart):
    reader = Reader(page="segments")
    page = segments.page(mart, reader)
    (list_,) = _found(page, "Table")
    everyone = list_.page["total"]
    ribbons = _found(page, "PlotlyView")[0]
    key = ribbons.figure["data"][0]["link"]["customdata"][0]
    ribbons.value = [key]
    assert list_.page["total"] == ribbons.figure["data"][0]["link"]["value"][0]
    assert list_.ask["sort"] == "aum_moved"
    (clear,) = [one for one in _found(page, "Button") if one.description == word("list.clear_click")]
    clear.click()
    assert (list_.page["total"], ribbons.value) == (everyone, [])
    next(one for one in _found(page, "Button") if one.description == "List them").click()
    tables = Tables(mart)
    way = say.lost(tables, YEAR, "segment")
    assert list_.page["total"] == way["n"]
    list_._handle_custom_msg({"open": list_.page["keys"][0]}, [])
    assert (reader.page, reader.customer) == ("customer", list_.page["keys"][0])


def test_what_is_followed_lets_go_of_a_way_between_others(mart):
    page = segments.page(mart)
    (list_,) = _found(page, "Table")
    everyone = list_.page["total"]
    next(one for one in _found(page, "Button") if one.description == "List them").click()
    assert list_.page["total"] < everyone
    by = next(one for one in _found(page, "Dropdown") if one.description == word("segments.by"))
    by.value = "tier"
    assert list_.page["total"] == everyone


def test_a_page_has_five_controls_in_the_order_who_when_what(mart):
    controls = _found(segments.page(mart), "Dropdown", "SelectionRangeSlider")
    assert [one.description for one in controls] == ["Branch", "Manager", "Customer kind", "From, to", "Follow"]


def test_unreliable_clusters_are_said_to_be_so(tables):
    told = say.stability(tables)
    assert "Small business: 2 clusters, not to be relied on" in told
    assert "Retail: 2 clusters; drawn again" in told
    assert set(draw.clusters(tables).data[0].marker.opacity) == {1, 0.3}


def test_the_page_of_the_sample_bank_shows_every_figure(sample_mart, caplog):
    mart = snapshot.open(sample_mart)
    page = segments.page(mart)
    for sight in _found(page, "Sight"):
        sight.is_seen = True
    assert len(_found(page, "PlotlyView")) == 10
    assert caplog.records == []
    assert named("state", "won back") == "Won back"


def _with(mart: snapshot.Mart, **pages: pl.DataFrame) -> snapshot.Mart:
    return replace(mart, _pages=mart._pages | pages)


def _found(widget: ipywidgets.Widget, *names: str) -> list[ipywidgets.Widget]:
    own = [widget] if type(widget).__name__ in names else []
    return own + [one for child in getattr(widget, "children", ()) for one in _found(child, *names)]
