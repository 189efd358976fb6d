"""The page `worth` without a browser: every mark of a figure lists exactly the customers behind it."""

import ipywidgets
import polars as pl
import pytest

from crmlab.mart import snapshot
from crmlab.views import theme
from crmlab.views.book import scope
from crmlab.views.figures import bridge, groups, pyramid, whale
from crmlab.views.pages import worth
from crmlab.views.parts import Latest, months
from crmlab.views.plotly_view import PlotlyView
from crmlab.views.words import word
from crmlab.views.worth import draw, earnings, say
from crmlab.views.worth.behind import listed
from crmlab.views.worth.tables import Tables

MEASURES = list(earnings.MEASURES)
CURVES = pl.DataFrame(
    {
        "kind": ["retail"] * 4,
        "customers_share": [0.0, 0.2, 0.82, 1.0],
        "value_share": [0.0, 0.9, 1.37, 1.0],
        "is_peak": [False, False, True, False],
    }
)
KEY = [
    pl.DataFrame({"manager_id": manager, "manager": manager, "n_filled": filled}, strict=False).cast(
        {"manager_id": pl.String, "manager": pl.String}
    )
    for manager, filled in (
        ("M1", [4] * 5),  # nothing missing
        ("M2", [4] * 9 + [1]),
        ("M3", [0] * 4),  # too few
        ("M4", [4] * 19 + [3]),  # third, and two are asked for
        (None, [1] * 5),
    )
]
TOLD = {"kind": "retail", "n": 500, "top_20": 1.37, "worst_share": 0.18, "given_back_share": 0.37}


@pytest.fixture(scope="module")
def mart(sample_mart):
    return snapshot.open(sample_mart)


@pytest.fixture(scope="module")
def tables(mart):
    return Tables(mart)


@pytest.fixture(scope="module")
def span(mart):
    return months(mart).value


@pytest.fixture(scope="module")
def selections(tables):
    """All, one branch, one manager, one kind."""
    row = tables.all.filter(pl.col("manager_id").is_not_null()).row(0, named=True)
    return [{}, *({name: row[column]} for name, column in SCOPES.items())]


SCOPES = {"branch": "branch_id", "manager": "manager_id", "kind": "kind"}


def behind(tables, span, figure, key, measure="contribution", **chosen):
    return listed(tables, (figure, key), span, measure, **chosen).rows


def test_the_pyramid_lists_as_many_customers_as_it_shows(tables, span, selections):
    for chosen in selections:
        figure = draw.levels(tables, **chosen)
        shown = [
            (key, n) for bar in figure.data if bar.xaxis == "x" for key, n in zip(bar.customdata, bar.x, strict=True)
        ]
        assert sum(n for key, n in shown if not key.endswith("|")) == tables.people(**chosen).height
        for key, n in shown:
            assert behind(tables, span, "levels", key, **chosen).height == n


def test_contribution_by_line_is_the_sum_of_those_it_lists(tables, span, selections):
    for chosen in selections:
        frame = earnings.by_line(tables.lines(**chosen))
        for line, component, amount in frame.rows():
            assert behind(tables, span, "lines", f"{line}|{component}", **chosen)["amount"].sum() == amount
        assert frame["amount"].sum() == tables.people(**chosen)["contribution"].sum()


def test_contribution_by_month_is_the_sum_of_those_it_lists(mart, tables, span):
    kind = {"kind": "retail"}
    rows = mart.page("worth_months").filter(pl.col("kind") == "retail")
    for (month,), amounts in earnings.by_month(rows, *span).group_by("month"):
        assert behind(tables, span, "months", str(month), **kind)["amount"].sum() == amounts["amount"].sum()


@pytest.mark.parametrize("measure", MEASURES)
def test_each_bar_of_the_bridge_is_the_sum_of_those_it_lists_and_the_bars_close(tables, span, selections, measure):
    for chosen in selections:
        bars = tables.bridge(span, measure, **chosen)
        if bars:
            assert sum(bars.values()) == 2 * bars["closing"]
        for part, amount in bars.items():
            assert behind(tables, span, "bridge", part, measure, **chosen)["amount"].sum() == amount


def test_key_customers_are_counted_as_in_their_table_and_those_incomplete_listed(mart, tables, span, selections):
    key = mart.page("completeness")
    for chosen in selections:
        mine = key.join(tables.people(**chosen), on="customer_id", how="semi")
        short = mine.filter(pl.col("n_filled") < pl.col("n_required"))
        if mine.height:
            share = theme.share(mine["n_filled"].sum() / mine["n_required"].sum())
            told = say.unknown(tables, **chosen)
            assert f">{mine.height - short.height} of {mine.height} key customers" in told
            assert f"{share} of the required fields" in told
        found = behind(tables, span, "unknown", "", **chosen)
        n_fields = found["unfilled"].str.split(", ").list.len().to_list()
        assert set(found["customer_id"]) == set(short["customer_id"])
        assert n_fields == sorted((short["n_required"] - short["n_filled"]).to_list(), reverse=True)
    fields = set(key["missing"].str.split(", ").explode()) - {""}
    assert fields
    everyone = behind(tables, span, "unknown", "")["unfilled"]
    assert set(everyone.str.split(", ").explode()) == {word(f"field.{name}") for name in fields}


def test_the_least_known_are_told_with_their_n_lowest_first():
    key = pl.concat(KEY).with_columns(n_required=pl.lit(4))
    found = earnings.least_known(key, "manager", most=2)
    assert found.select("manager", "n", "n_complete", "filled_share").rows() == [
        (None, 5, 0, 0.25),
        ("M2", 10, 9, 0.925),
    ]
    assert str(earnings.FEW) in word("worth.unknown_note")


def test_a_bank_without_managers_is_told_by_branch(mart):
    nobody = mart.page("managers").clear()
    berka = snapshot.Mart(mart.folder, mart.manifest, {"managers": nobody})
    told = say.unknown(Tables(berka))
    assert word("column.branch") in told
    assert word("column.manager") not in told


def test_the_bridge_needs_two_months(tables, span):
    same = (span[1], span[1])
    assert draw.bridge(tables, same, "aum").layout.annotations[0].text == word("worth.two_months")
    assert listed(tables, ("bridge", "new"), same, "aum").rows.height == 0


def test_who_is_near_a_threshold_is_listed_nearest_first_with_what_is_missing(tables, span):
    shown = earnings.near(tables.all, tables.tiers)
    for tier, up, down in shown.rows():
        for side, n, column in (("up", up, "missing"), ("down", down, "above")):
            found = listed(tables, ("near", f"{side}|{tier}"), span, "aum")
            assert found.rows.height == n
            assert found.rows["amount"].to_list() == found.rows[column].to_list()
            assert (found.sort, found.is_down) == ("amount", False)
    assert behind(tables, span, "near", "up|").height == shown["up"].sum()


@pytest.mark.parametrize("column", [None, "branch_id", "manager_id", "kind"])
def test_deviation_lists_what_stood_above_the_average_at_a_quarter_end(mart, tables, span, column):
    rows, trend = mart.page("deviations"), mart.page("trend").filter(pl.col("class").is_in(["deposits", "investments"]))
    for day in rows["month"].unique():
        first = rows.filter(pl.col("month") == day).drop_nulls(column or "month").row(0, named=True)
        chosen = {column.removesuffix("_id"): first[column]} if column else {}
        shown = scope(trend, **chosen).filter(pl.col("month") == day)
        amount = shown["closing"].sum() - shown["balance_days"].sum() / shown["days"][0]
        found = behind(tables, span, "deviation", str(day), **chosen)
        assert found["amount"].sum() == pytest.approx(amount, abs=found.height + 1)  # each average is rounded once
        spikes = tables.spikes(**chosen).filter(pl.col("month") == day)["n"].sum()
        assert spikes == found["is_spike"].sum()


@pytest.mark.parametrize("measure", MEASURES)
def test_the_curve_is_within_kind_has_few_points_and_lists_the_best(tables, span, measure):
    figure = draw.whale(tables, measure)
    assert all(len(trace.x) <= 202 for trace in figure.data)
    best = behind(tables, span, "whale", "retail|20", measure)
    column, mine = earnings.MEASURES[measure], tables.all.filter(pl.col("kind") == "retail")
    assert best[column].min() >= mine.filter(~pl.col("customer_id").is_in(best["customer_id"].implode()))[column].max()
    rest = behind(tables, span, "whale", "retail|rest", measure)
    assert rest.height == (mine[column] < 0).sum()


def test_two_groups_are_compared_a_customer(tables, span):
    members, amounts = tables.sides("tier=gold", "tier=basic")
    frame = earnings.each(amounts, [one.height for one in members], "line")
    for at, group in enumerate(("tier=gold", "tier=basic")):
        for line, amount in frame.filter(pl.col("group") == at).select("line", "amount").rows():
            found = behind(tables, span, "groups", f"{group}|{line}")
            assert found["amount"].sum() == pytest.approx(amount * members[at].height)
            assert set(found["tier"]) <= {group.split("=")[1]}


def test_nothing_selected_is_a_sentence_everywhere(tables, span):
    nobody = {"kind": "nobody"}
    figures = {
        "levels": {},
        "whale": {"measure": "aum"},
        "lines": {},
        "months": {"span": span},
        "deviation": {},
        "near": {},
        "bridge": {"span": span, "measure": "aum"},
        "groups": {"first": "", "second": "tier=gold"},
    }
    for name, asked in figures.items():
        figure = getattr(draw, name)(tables, **asked, **nobody)
        assert figure.data == ()
        assert figure.layout.annotations[0].text.endswith(".")
    assert say.tiles(tables, **nobody) == ""
    assert word("worth.no_key") in say.unknown(tables, **nobody)
    assert behind(tables, span, "unknown", "", **nobody).is_empty()
    assert "No customer matches" in say.count(tables, **nobody)
    assert word("worth.too_small", n=30) in say.comparison(tables, "", "tier=gold", **nobody)


def test_the_whale_is_told_in_a_sentence():
    told = pl.DataFrame([TOLD])
    assert "the best 20 % earn 137 % of the profit, the worst 18 % give back 37 %." in say.whale(
        told, [], "contribution"
    )
    assert "only 500 customers" in say.whale(told, ["retail"], "contribution")
    marks = whale.curve(CURVES, ["retail"], []).data[1]
    assert list(marks.customdata)[-2:] == ["retail|rest"] * 2
    assert all(key.split("|")[1].isdigit() for key in marks.customdata[:-2])


def test_what_the_data_cannot_give_is_said(mart):
    assert say.missing(mart) == []
    lacking = {"components": [], "missing": {"margin": "the extract holds no ftp_curve"}, "n_unpriced": 3}
    berka = snapshot.Mart(mart.folder, mart.manifest | {"contribution": lacking})
    (shown,) = say.missing(berka)
    assert "Margin is missing: the extract holds no ftp_curve." in shown.value
    assert "3 deals" in shown.value


def test_negative_contributions_and_small_groups_are_drawn_as_such():
    frame = pl.DataFrame(
        {"tier": ["gold", "basic"], "grade": ["A", None], "n": [31, 2], "aum": [500, 100], "contribution": [90, -40]}
    )
    figure = pyramid.levels(frame, ["basic", "gold"], ["A"], "CNY", 0)
    totals = [trace for trace in figure.data if trace.type == "scatter"][-1]
    assert [text.split()[0] for text in totals.text] == ["90", "−40"]
    assert list(totals.textfont.color) == [theme.INK, theme.OTHER]
    assert figure.layout.xaxis3.range[0] == -40
    each = pl.DataFrame({"group": [0, 1], "line": ["loans"] * 2, "amount": [1.0, -1.0]})
    drawn = groups.side_by_side(each, ["a", "b"], ["A", "B"], [False, True], "CNY")
    assert [trace.marker.opacity for trace in drawn.data] == [0.35, 1]


@pytest.mark.parametrize(
    ("parts", "starts_at_zero"),
    [
        ({"opening": 100, "new": 800, "closing": 900}, True),
        ({"opening": 800, "new": 10, "closing": 810}, False),
        ({"opening": -50, "new": 10, "closing": -40}, False),
        ({"opening": -50, "new": 90, "closing": 40}, False),
    ],
)
def test_the_bridge_says_where_its_axis_does_not_start_at_zero(parts, starts_at_zero):
    figure = bridge.waterfall(parts, {}, "CNY", 0)
    low, high = figure.layout.yaxis.range
    assert (low == 0) == starts_at_zero
    assert low <= min(parts["opening"], parts["closing"]) <= high
    assert bool(figure.layout.annotations) == (low > 0)


def test_the_latest_click_lets_go_of_the_others_and_can_be_cleared():
    first, second = PlotlyView(), PlotlyView()
    latest = Latest(first=first, second=second)
    first.value = ["gold|A"]
    second.value = ["loans|fee"]
    assert (latest.value, first.value) == (("second", "loans|fee"), [])
    second.value = []
    assert latest.value == ()
    first.value = ["gold|B"]
    latest.value = ()
    assert first.value == []


def test_a_list_has_its_own_order_and_only_columns_with_values(mart):
    page = worth.page(mart)
    (list_,) = _found(page, "Table")
    figures = _found(page, "PlotlyView")
    heads = [head["name"] for head in list_.head]
    assert list_.page["hidden"][heads.index("amount")]
    figures[2].value = ["deposits|service_cost"]
    assert list_.ask["sort"] == "amount"
    assert not list_.ask["down"]
    assert not list_.page["hidden"][heads.index("amount")]


def test_a_page_has_five_controls_in_the_order_who_when_what(mart):
    controls = _found(worth.page(mart), "Dropdown", "SelectionRangeSlider")
    assert [one.description for one in controls][:5] == [
        "Branch", "Manager", "Customer kind", "From, to", "Measure",
    ]  # fmt: skip


def _found(widget: ipywidgets.Widget, *names: str) -> list[ipywidgets.Widget]:
    own = [widget] if type(widget).__name__ in names else []
    return own + [one for child in getattr(widget, "children", ()) for one in _found(child, *names)]
