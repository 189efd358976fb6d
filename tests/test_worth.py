"""The tables behind the page `worth`: each is held against the frames it was gathered from, to the minor unit."""

from datetime import date

import polars as pl
import pytest

import crmlab as crm
from crmlab import policy, simulate
from tests import banks

COMPONENTS = ["margin", "fee", "service_cost", "expected_loss"]
AUM = ["deposits", "wealth", "insurance"]
START, END = date(2023, 9, 30), date(2024, 6, 30)
BARS = ["opening", "new", "grown", "shrunk", "lost", "handed", "interest", "valuation", "fx", "closing"]


@pytest.fixture(scope="module")
def mart(sample_mart):
    return crm.mart.open(sample_mart)


def test_the_cube_of_the_page_adds_up_to_the_contributions_in_every_month(mart):
    long = crm.contribution.long(mart.contribution)
    for by in (["month"], ["month", "component"], ["month", "line"], ["month", "manager_id"]):
        ours = mart.page("worth_months").group_by(by).agg(pl.col("amount").sum()).sort(by)
        theirs = long.group_by(by).agg(pl.col("amount").sum()).sort(by).collect()
        assert ours.filter(pl.col("amount") != 0).equals(theirs.filter(pl.col("amount") != 0))


def test_components_were_computed_by_the_measure(mart, sample_bank, tmp_path):
    bank = crm.read(sample_bank, as_of=END, landed=tmp_path)
    lines = crm.contribution.lines(crm.panel.facts(bank), bank)
    assert lines.collect().sort(pl.all()).equals(mart.contribution.collect().sort(pl.all()))
    books = crm.panel.books(crm.panel.facts(bank), bank)
    assert books.collect().sort(pl.all()).equals(mart.books.collect().sort(pl.all()))


def test_a_customer_is_worth_the_last_twelve_months(mart):
    months = mart.contribution.select(pl.col("month").unique().sort()).collect()["month"][-12:]
    total = pl.sum_horizontal(COMPONENTS).sum().alias("theirs")
    theirs = (
        mart.contribution.filter(pl.col("month").is_in(months.implode())).group_by("customer_id").agg(total).collect()
    )
    ours = mart.page("worth").join(theirs, on="customer_id", how="left")
    assert (ours["contribution"] == ours["theirs"].fill_null(0)).all()
    lines = mart.page("worth_lines").group_by("customer_id").agg(pl.col("amount").sum())
    assert (ours.join(lines, on="customer_id", how="left")["amount"].fill_null(0) == ours["contribution"]).all()


@pytest.mark.parametrize(
    ("measure", "lines", "sign"), [("aum", AUM, 1), ("loans", ["loans"], -1), ("contribution", None, 1)]
)
@pytest.mark.parametrize("by", [None, "manager_id", "branch_id", "tier", "kind"])
def test_the_bridge_of_the_page_is_that_of_the_books(mart, measure, lines, sign, by):
    moves = mart.page(f"moves_{measure}")
    ours = crm.movement.between(moves, START, END)
    if lines:
        theirs = crm.movement.spans(mart.books, START, END, lines, sign)
    else:
        theirs = crm.movement.contribution_spans(mart.contribution, START, END)
    about = moves.select("customer_id", "branch_id", "kind", "tier").unique()
    theirs = theirs.join(about, on="customer_id", how="left")
    bridges = [crm.movement.bridge(spans, by) for spans in (ours, theirs)]
    keys = [by] if by else []
    told = [bridge.filter(pl.any_horizontal(pl.col(BARS) != 0)).select(*keys, *BARS) for bridge in bridges]
    assert told[0].equals(told[1])
    whole = crm.movement.bridge(ours)
    assert bridges[0].select(pl.col(BARS).sum()).equals(whole.select(BARS))
    closes = pl.sum_horizontal("opening", "new", "grown", "handed", "interest", "valuation", "fx")
    closes = closes - pl.col("shrunk") - pl.col("lost")
    assert (bridges[0].select(closes.alias("sum"))["sum"] == bridges[0]["closing"]).all()
    assert whole["handed"].item() == 0


def test_the_bridge_opens_and_closes_with_the_panel(mart):
    held = mart.customers.filter(pl.col("line").is_in(AUM), pl.col("month").is_in([START, END]))
    held = held.group_by("month").agg(pl.col("closing").sum()).sort("month").collect()["closing"].to_list()
    bridge = crm.movement.bridge(crm.movement.between(mart.page("moves_aum"), START, END))
    assert bridge.select("opening", "closing").row(0) == tuple(held)


def test_tiers_are_those_that_were_planted(mart, sample_bank):
    planted = simulate.truth(sample_bank, "tiers").filter(pl.col("month") == END)
    people = mart.page("roster").select("customer_id", "customer_no", aum="aum_average")
    ours = mart.page("worth").join(people.select("customer_id", "aum"), on="customer_id")
    ours = ours.join(planted, left_on="customer_no", right_on="customer_id", suffix="_planted")
    assert ours.height == mart.page("worth").height
    # The policy's buffer holds a tier down to nine tenths of its bound; who is above a bound has its tier.
    rank = {name: i for i, name in enumerate(("basic", "gold", "platinum", "diamond", "private"))}
    levels = ours.select(mine=pl.col("tier").replace_strict(rank), planted=pl.col("tier_planted").replace_strict(rank))
    assert (levels["mine"] >= levels["planted"]).mean() > 0.995
    assert (levels["mine"] == levels["planted"]).mean() > 0.9


def test_shares_of_the_best_move_with_the_months(mart):
    told = mart.page("concentration")
    last = told.filter(pl.col("month") == END, pl.col("kind") == "retail", pl.col("measure") == "aum").row(
        0, named=True
    )
    held = (
        mart.page("roster").filter(pl.col("kind") == "retail").select(value="aum").with_columns(kind=pl.lit("retail"))
    )
    assert last["top_20"] == pytest.approx(crm.concentration.shares(held)["top_20"].item())
    assert told["month"].n_unique() == 18
    assert (told["top_1"].drop_nulls() <= told.drop_nulls("top_1")["top_20"]).all()


def test_files_of_key_customers_lack_what_was_left_out(mart, sample_bank):
    gaps = simulate.truth(sample_bank, "gaps").group_by("customer_id").agg("field")
    listed = mart.page("completeness").join(mart.page("worth").select("customer_id", "customer_no"), on="customer_id")
    found = listed.join(gaps, left_on="customer_no", right_on="customer_id", how="left").filter(pl.col("missing") != "")
    assert listed.height > 20
    assert (
        listed["n_required"] - listed["n_filled"]
        == listed["missing"].str.split(", ").list.eval(pl.element() != "").list.sum()
    ).all()
    for row in found.iter_rows(named=True):
        assert set(row["missing"].split(", ")) <= set(row["field"] or []), row


TIERS = """
[[tiers]]
name = "tier"
{}
levels = [{{ name = "basic" }}, {{ name = "gold", from = "200" }}, {{ name = "platinum", from = "400" }}]
[completeness]
key_tiers = ["platinum"]
"""
PLAIN, WEIGHTED = 'on = "aum_average"', 'on = "weighted_average"\nweights = { deposits = "1", wealth = "0.5" }'
MARCH = {"C1": "platinum", "C2": None, "C4": "platinum", "C5": "basic", "C6": "platinum"}


@pytest.mark.parametrize(
    ("rule", "as_of", "expected"),
    [
        # What is on C2's account is not known, which is not nothing.
        (PLAIN, date(2024, 3, 31), MARCH),
        # C6's fund of 530 counts half; C1's loan is no asset and needs no weight.
        (WEIGHTED, date(2024, 3, 31), MARCH | {"C6": "gold"}),
        # C1 averaged 394.83 in February, and 445.00 in the days of March so far, at whose end the tier is assessed.
        (PLAIN, date(2024, 3, 15), MARCH | {"C1": "gold"}),
    ],
)
def test_tiers_of_six_customers(tmp_path, rule, as_of, expected):
    (tmp_path / "policy.toml").write_text(TIERS.format(rule), "utf-8")
    rules = policy.load(tmp_path / "policy.toml")
    mart = crm.build(banks.six(tmp_path / "six"), as_of, tmp_path / "mart", policy=rules)
    assert dict(mart.page("worth").select("customer_no", "tier").rows()) == expected
    ends = mart.page("deviations")["month"].unique().to_list()
    assert ends == ([as_of] if as_of.day == 31 else [])  # the quarter ends with its last day


@pytest.mark.parametrize(
    ("assessed", "as_of", "expected"),
    [
        # Within March the tier of February's end is in force.
        ("", date(2024, 3, 15), ["basic", "gold", "gold"]),
        # Nobody has one before the first assessment; it holds until the next.
        ("assessed = [2, 8]", date(2024, 3, 31), [None, "gold", "gold"]),
        ("assessed = [8]", date(2024, 3, 31), [None, None, None]),
    ],
)
def test_between_two_assessments_the_last_tier_is_in_force(tmp_path, assessed, as_of, expected):
    (tmp_path / "policy.toml").write_text(TIERS.format(f"{PLAIN}\n{assessed}"), "utf-8")
    rules = policy.load(tmp_path / "policy.toml")
    mart = crm.build(banks.six(tmp_path / "six"), as_of, tmp_path / "mart", policy=rules)
    paths = mart.page("people").select("customer_id", "customer_no").join(mart.page("paths"), on="customer_id")
    tiers = paths.select("customer_no", *(f"tier 2024-{end}" for end in ("01-31", "02-29", "03-31")))
    assert list(tiers.row(by_predicate=pl.col("customer_no") == "C1"))[1:] == expected
    # Who left on 20 February is in no tier, though February was assessed.
    assert tiers.row(by_predicate=pl.col("customer_no") == "C3")[2:] == (None, None)
    today = dict(tiers.select("customer_no", "tier 2024-03-31").rows())
    for name in ("roster", "worth"):
        rows = mart.page(name).select("customer_no", "tier").rows()
        assert rows == [(number, today[number]) for number, _ in rows]
    moved = mart.page("moves_aum").join(mart.page("roster").select("customer_id", today="tier"), on="customer_id")
    assert moved["tier"].equals(moved["today"])
