"""Whose book it is: who keeps whom from day to day, what is wrong with assignments, and the bridge of a book."""

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures import managers, movement
from crmlab.measures.managers.amounts import amounts, book_of
from crmlab.policy import Managing, load
from tests.random_banks import DAYS, DRAWN, FIRST, LAST, delivered, written
from tests.test_books import DEPOSITS, WHOLE, bank_of, m, rows

RULES = load().managing
D = date
BRANCHES = {
    "branches": [{"branch_id": "B1"}, {"branch_id": "B2"}],
    "managers": [
        {"manager_id": "M1", "branch_id": "B1"}, {"manager_id": "M3", "branch_id": "B1"},
        {"manager_id": "M4", "branch_id": "B2"},
    ],
}  # fmt: skip
BARS = ["opening", "new", "net_new_money", "handed_in", "interest", "valuation", "fx"]


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        # who has the larger share has what the other branch would have had
        ([m("M1"), m("M4")], [("M1", WHOLE)]),
        ([m("M1", share="0.6"), m("M4", share="0.7")], [("M4", WHOLE)]),
        (
            [m("M1", share="0.5"), m("M3", share="0.3"), m("M4", share="0.4")],
            [("M1", WHOLE * 9 // 10), ("M3", WHOLE // 10)],
        ),
        # what two branches have agreed on is as agreed
        ([m("M1", share="0.6"), m("M4", share="0.4")], [("M1", WHOLE * 6 // 10), ("M4", WHOLE * 4 // 10)]),
        # two of one branch share it, as they agreed
        ([m("M1", share="0.6"), m("M3", share="0.4")], [("M1", WHOLE * 6 // 10), ("M3", WHOLE * 4 // 10)]),
        # a nearer scope goes before a farther one, whatever the branch
        ([m("M1"), m("M4", scope="line", **DEPOSITS)], [("M4", WHOLE)]),
    ],
)
def test_a_customer_whom_two_branches_claim_is_one_branchs(tmp_path, assignments, expected):
    found = rows(bank_of(tmp_path, assignments, **BRANCHES), "manager_id", "balance_days")
    assert [row for row in found if row[1]] == expected


def test_where_the_bank_says_so_it_is_theirs_who_came_earlier(tmp_path):
    given_ = [m("M1", "2023-06-01", share="0.6"), m("M4", "2023-05-01", share="0.5")]
    extracts = bank_of(tmp_path, given_, **BRANCHES)
    (tmp_path / "extracts" / "policy.toml").write_text('[managing]\ntwo_branches = "earlier"\n', "utf-8")
    bank = crm.read(tmp_path / "extracts", as_of=extracts.as_of, landed=tmp_path / "landed")
    assert rows(bank, "manager_id", "balance_days") == [("M4", WHOLE)]
    assert crm.panel.keepers(bank, D(2024, 1, 5))["manager_id"].to_list() == ["M4"]
    assert crm.panel.keeping(bank).filter(pl.col("customer_id") == 0)["manager_id"].to_list() == [None, "M4"]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (("1", "0.5"), [("M1", 221_333), ("M3", 110_667)]),  # 666,667 and 333,333 millionths
        (("0.3", "0.3"), [("M1", WHOLE * 3 // 10), ("M3", WHOLE * 3 // 10), (None, WHOLE * 4 // 10)]),
        (("0.75", "0.75"), [("M1", WHOLE // 2), ("M3", WHOLE // 2)]),
    ],
)
def test_where_the_bank_says_so_shares_beyond_one_count_in_proportion(tmp_path, shares, expected):
    given_ = [m(manager, share=share) for manager, share in zip(("M1", "M3"), shares, strict=True)]
    read = bank_of(tmp_path, given_)
    (tmp_path / "extracts" / "policy.toml").write_text('[managing]\nshares_over_one = "in proportion"\n', "utf-8")
    bank = crm.read(tmp_path / "extracts", as_of=read.as_of, landed=tmp_path / "landed")
    assert rows(bank, "manager_id", "balance_days") == expected


def test_who_brought_a_customer_has_a_book_of_their_own(tmp_path):
    bank = bank_of(tmp_path, [m("M1") | {"role": "originates"}, m("M3")])
    brought = crm.panel.books(crm.panel.facts(bank), bank, role="originates").collect()
    assert brought.select("manager_id", "closing").rows() == [("M1", 11_000)]
    assert crm.panel.keeping(bank, role="originates")["manager_id"].to_list() == ["M1", None]


@DRAWN
@given(delivered(), DAYS)
def test_keeping_tells_of_every_day_what_keepers_tells(tables, as_of):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables, as_of)
        keeping = crm.panel.keeping(bank)
        everybody = bank.table("customers").select("customer_id").collect()
        days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
        kept = {day: dict(crm.panel.keepers(bank, day).rows()) for day in days}
    for day, expected in kept.items():
        asked = everybody.with_columns(on=pl.lit(day))
        found = managers.kept_on(keeping, asked, "on")
        assert {one: who for one, _, who in found.rows() if who} == expected, day
        held = keeping.filter(pl.col("from_on") <= day, pl.col("to_on").is_null() | (pl.col("to_on") >= day))
        assert dict(held.select("customer_id", "manager_id").drop_nulls().rows()) == expected, day


@DRAWN
@given(delivered(), DAYS)
def test_shares_sum_to_one_on_every_day_(tables, as_of):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables, as_of)
        facts = crm.panel.facts(bank)
        books, customers = crm.panel.books(facts, bank).collect(), crm.panel.customers(facts, bank).collect()
        holders = bank.table("holders").select(pl.len()).collect().item()
    key = ["customer_id", "month", "line"]
    summed = books.group_by(key).agg(pl.col("kept_days").sum()).sort(key)
    assert summed.select(key).equals(customers.sort(key).select(key))
    assert (summed["kept_days"] % 1_000_000 == 0).all()
    if not holders:
        assert summed["kept_days"].sum() == 1_000_000 * facts.select(pl.col("days").sum()).collect().item()


def spell(customer: int, manager: str | None, start: date) -> dict:
    return {"customer_id": customer, "manager_id": manager, "from_on": start}


KEEPING = pl.DataFrame(
    [
        spell(1, "M1", D(2024, 1, 1)), spell(1, "M2", D(2024, 3, 1)), spell(1, "M3", D(2024, 4, 1)),
        spell(2, None, D(2024, 1, 1)), spell(2, "M2", D(2024, 3, 1)),
        spell(3, "M2", D(2024, 3, 1)),
    ],
    {"customer_id": pl.Int32, "manager_id": pl.String, "from_on": pl.Date},
)  # fmt: skip


@pytest.mark.parametrize(
    ("customer", "on", "expected"),
    [
        (1, D(2024, 2, 29), "M1"),
        (1, D(2024, 3, 1), "M1"),  # protected for 90 days, the day of the handover the first
        (1, D(2024, 5, 29), "M1"),  # M2 handed on, and M3 does not answer for M1 either
        (1, D(2024, 5, 30), "M2"),
        (1, D(2024, 6, 29), "M2"),
        (1, D(2024, 6, 30), "M3"),
        (2, D(2024, 5, 29), None),  # what the branch handed over is the branch's loss
        (2, D(2024, 5, 30), "M2"),
        (3, D(2024, 3, 1), "M2"),  # a new customer was handed over by nobody
    ],
)
def test_who_answers_for_a_loss(customer, on, expected):
    lost = pl.DataFrame({"customer_id": [customer], "on": [on]}, {"customer_id": pl.Int32, "on": pl.Date})
    assert managers.answering(KEEPING, lost, "on", RULES)["manager_id"].item() == expected


STAFF = pl.DataFrame(
    {
        "manager_id": ["M1", "M2", "M4", "M5"], "branch_id": ["B1", "B1", "B2", "B2"],
        "joined_on": [None, None, None, D(2024, 2, 1)], "left_on": [None, D(2024, 6, 30), None, None],
    },
    schema_overrides={"joined_on": pl.Date},
)  # fmt: skip
ACCOUNTS = pl.DataFrame({"account_id": [1], "customer_id": [7]}, {"account_id": pl.Int32, "customer_id": pl.Int32})
TYPES = {
    "manager_id": pl.String, "role": pl.String, "scope": pl.String, "account_id": pl.Int32, "customer_id": pl.Int32,
    "line": pl.String, "branch_id": pl.String, "share": pl.Int64, "from_on": pl.Date, "to_on": pl.Date,
}  # fmt: skip


YEAR = D(2024, 1, 1)


def a(manager: str, start: date = YEAR, end: date | None = None, share: int | None = None, **more) -> dict:
    of = {"scope": "customer", "customer_id": 7} if "scope" not in more else {}
    return dict.fromkeys(TYPES) | {
        "manager_id": manager, "role": "maintains", "from_on": start, "to_on": end, "share": share,
    } | of | more  # fmt: skip


def found(*rows: dict, rules: Managing = RULES) -> list[tuple]:
    told = managers.findings(pl.DataFrame(rows, TYPES), ACCOUNTS, STAFF, rules, D(2024, 12, 31))
    told = told.filter(pl.col("finding") != "no customers")
    return told.select("finding", "object", "manager_id", "other_id", "from_on", "to_on", "share").rows()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([a("M1")], []),
        ([a("M1", share=600_000), a("M2", end=D(2024, 5, 31), share=400_000), a("M1", D(2024, 6, 1), share=400_000)],
         [("assigned twice", "7", "M1", None, D(2024, 6, 1), None, None),
          ("shares below one", "7", "M1", None, D(2024, 6, 1), None, 600_000)]),
        ([a("M1", D(2024, 5, 1), D(2024, 4, 1))],
         [("ends before it starts", "7", "M1", None, D(2024, 5, 1), D(2024, 4, 1), None)]),
        ([a("M2")], [("after the last day", "7", "M2", None, D(2024, 7, 1), None, None)]),
        ([a("M2", D(2024, 8, 1), D(2024, 9, 1))],
         [("after the last day", "7", "M2", None, D(2024, 8, 1), D(2024, 9, 1), None)]),
        ([a("M1", end=D(2024, 3, 31)), a("M4", D(2024, 4, 11))],
         [("gap", "7", "M1", "M4", D(2024, 4, 1), D(2024, 4, 10), None)]),
        ([a("M1", end=D(2024, 3, 31)), a("M4", D(2024, 4, 1))], []),
        ([a("M1", share=700_000), a("M4", D(2024, 4, 1), D(2024, 4, 30), share=600_000)],
         [("shares over one", "7", "M1", "M4", D(2024, 4, 1), D(2024, 4, 30), 1_300_000),
          ("shares below one", "7", "M1", None, D(2024, 1, 1), None, 700_000),
          ("two branches", "7", "M1", "M4", D(2024, 4, 1), D(2024, 4, 30), None)]),
        # roles and scopes are apart
        ([a("M1"), a("M4", role="originates")], []),
        ([a("M1"), a("M4", scope="account", account_id=1), a("M4", scope="line", customer_id=7, line="loans")], []),
        ([a("M1", scope="account", account_id=1), a("M4", scope="account", account_id=1, share=500_000)],
         [("shares over one", "1", "M1", "M4", D(2024, 1, 1), None, 1_500_000),
          ("two branches", "1", "M1", "M4", D(2024, 1, 1), None, None)]),
        # several share a branch's public customers
        ([a("M1", scope="branch", branch_id="B1"), a("M2", end=D(2024, 6, 1), scope="branch", branch_id="B1")], []),
    ],
)  # fmt: skip
def test_findings(rows, expected):
    assert found(*rows) == expected


def test_a_manager_without_customers_is_found_and_each_finding_is_counted_with_its_rule():
    told = managers.findings(pl.DataFrame([a("M1"), a("M4")], TYPES), ACCOUNTS, STAFF, RULES, D(2024, 12, 31))
    assert managers.summary(told).rows() == [
        ("shares over one", 1, 1, "customer 7, M1, 2024-01-01 on",
         "The larger share counts first, then the lower manager_id, up to one."),
        ("two branches", 1, 1, "customer 7, M1, 2024-01-01 on",
         "It is theirs who has the larger share, with what those of the other branches have."),
        ("no customers", 1, 0, "manager, M5, 2024-12-31 on", "The manager is not assessed."),
    ]  # fmt: skip


def test_what_findings_lack_is_said():
    with pytest.raises(InputError, match="findings needs a column left_on"):
        managers.findings(pl.DataFrame([a("M1")], TYPES), ACCOUNTS, STAFF.drop("left_on"), RULES, LAST)


ENDS = [D(2024, 1, 31), D(2024, 2, 29), D(2024, 3, 31)]


@DRAWN
@given(delivered(), st.permutations(["B1", "B1", "B2"]), st.sampled_from([(0, 1), (0, 2), (1, 2)]))
def test_bridges_of_managers_are_the_branches_the_banks_and_the_panels(tables, branches, ends):
    start, end = (ENDS[n] for n in ends)
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables)
        facts = crm.panel.facts(bank)
        books, customers = crm.panel.books(facts, bank).collect(), crm.panel.customers(facts, bank).collect()
    staff = pl.DataFrame({"manager_id": ["M1", "M2", "M3"], "branch_id": branches})
    lines = bank.policy.lines_of("deposits", "investments")
    spans = movement.spans(books, start, end, lines).with_columns(branch_id=pl.lit("B1"))
    whose = managers.bridge(spans, staff)
    assert whose.filter(pl.sum_horizontal(BARS) - pl.col("lost") - pl.col("handed_out") != pl.col("closing")).is_empty()
    money = [*BARS, "lost", "handed_out", "closing"]
    by_branch = managers.bridge(spans, staff, "branch_id")
    assert (
        whose.group_by("branch_id")
        .agg(pl.col(money).sum())
        .sort("branch_id")
        .equals(by_branch.select("branch_id", *money))
    )
    whole = managers.bridge(spans, staff, None)
    assert whole.select(money).equals(whose.select(pl.col(money).sum()))
    assert whole["handed_in"].item() == whole["handed_out"].item()
    # with the panel: balances at both ends, and what the market did between them
    held = customers.filter(pl.col("line").is_in(lines))
    now, then = (held.filter(pl.col("month") == day)["closing"].sum() for day in (end, start))
    between = held.filter(pl.col("month").is_between(start, end, closed="right"))
    assert (whole["opening"].item(), whole["closing"].item()) == (then, now)
    for name in ("interest", "valuation", "fx"):
        assert whole[name].item() == between[name].sum()
    # what managers are assessed by as net new money: the bars that are their own; nobody leaves in these months
    own = whose.select("manager_id", own=pl.col("new") + pl.col("net_new_money") - pl.col("lost"))
    months = book_of(books.lazy(), None, pl.Series([], dtype=pl.Int32), "month")
    money = amounts(months, bank.policy).filter(pl.col("measure") == "net_new_money")
    money = money.filter(pl.col("period").is_between(start, end, closed="right"))
    scored = money.group_by("manager_id").agg(pl.col("value").sum()).filter(pl.col("value") != 0)
    assert sorted(scored.rows()) == sorted(own.drop_nulls("manager_id").filter(pl.col("own") != 0).rows())
    # each manager's balance is the book's
    at_end = books.filter(pl.col("line").is_in(lines), pl.col("month") == end).group_by("manager_id")
    expected = {who: closing for who, closing in at_end.agg(pl.col("closing").sum()).rows() if closing}
    summed = whose.group_by("manager_id").agg(pl.col("closing").sum())
    assert {who: closing for who, closing in summed.rows() if closing} == expected


SPAN = {
    "customer_id": 1, "manager_id": "M1", "branch_id": "B1", "opening": 100, "flow": 0, "interest": 0, "valuation": 0,
    "fx": 0, "handed": 0, "closing": 100, "was_open": True, "is_open": True, "bucket": "grown",
}  # fmt: skip


def test_a_handover_moves_a_balance_by_equal_and_opposite_amounts():
    spans = pl.DataFrame(
        [
            SPAN | {"handed": -100, "closing": 0},
            SPAN | {"manager_id": "M4", "opening": 0, "handed": 100},
            SPAN | {"customer_id": 2, "flow": -100, "closing": 0, "is_open": False, "bucket": "lost"},
            SPAN | {"customer_id": 3, "opening": 0, "flow": 100, "was_open": False, "bucket": "new"},
            SPAN | {"customer_id": 4, "manager_id": None, "branch_id": "B2"},
        ]
    )
    told = managers.bridge(spans, STAFF)
    shown = ["branch_id", "manager_id", "n_customers", "opening", "new", "lost", "handed_in", "handed_out", "closing"]
    assert told.select(shown).rows() == [
        ("B1", "M1", 3, 200, 100, 100, 0, 100, 100),
        ("B2", "M4", 1, 0, 0, 0, 100, 0, 100),
        ("B2", None, 1, 100, 0, 0, 0, 0, 100),
    ]
    assert told.select("n_new", "n_lost", "n_handed_in", "n_handed_out").row(0) == (1, 1, 0, 1)


@pytest.mark.parametrize(
    ("spans", "staff", "said"),
    [
        (pl.DataFrame([SPAN]).clear(), STAFF, "no customer to bridge"),
        (pl.DataFrame([SPAN]).drop("branch_id"), STAFF, "managers.bridge needs a column branch_id"),
        (pl.DataFrame([SPAN]), pl.concat([STAFF, STAFF]), "4 of 8 managers are there twice \\(first: M1\\)"),
        (
            pl.DataFrame([SPAN | {"opening": 2**62}] * 3),
            STAFF,
            "opening adds up to 1.38e\\+19, too much for 64 bits",
        ),
    ],
)
def test_a_bridge_says_what_it_lacks(spans, staff, said):
    with pytest.raises(InputError, match=said):
        managers.bridge(spans, staff)
