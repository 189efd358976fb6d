"""Who may be offered what: rule by rule, pair by pair by brute force, and nobody who may not."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.measures.crosssell.eligibility import BECAUSE, eligible
from crmlab.policy import EXCLUSIONS
from tests import banks
from tests.banks import account, entry, person

ON = date(2025, 6, 15)
POLICY = crm.policy.load()
PRODUCTS = pl.DataFrame(
    {
        "product_id": ["dep", "fund", "plan", "loan", "card", "bond"],
        "line": ["deposits", "wealth", "wealth", "loans", "cards", "guarantees"],
        "risk": [None, "R4", "R2", None, None, None],
    }
)
FINE = {
    "customer_id": 1, "kind": "retail", "birth_on": date(1980, 1, 1), "status": "active", "risk_grade": "C5",
    "kyc_due_on": date(2027, 1, 1), "consent": True, "staff_related": False, "n_open_complaints": 0,
    "last_contact_on": None, "exposure": 0,
}  # fmt: skip
TYPES = {
    "customer_id": pl.Int32, "kind": pl.String, "birth_on": pl.Date, "status": pl.String, "risk_grade": pl.String,
    "kyc_due_on": pl.Date, "consent": pl.Boolean, "staff_related": pl.Boolean, "n_open_complaints": pl.Int64,
    "last_contact_on": pl.Date, "exposure": pl.Int64,
}  # fmt: skip
SPELL = {"customer_id": pl.Int32, "product_id": pl.String, "opened_on": pl.Date, "closed_on": pl.Date}
OLD = date(2020, 1, 1)


def people(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame([FINE | {"customer_id": at} | row for at, row in enumerate(rows, 1)], schema=TYPES)


def held(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SPELL, orient="row")


def all_pairs(who: pl.DataFrame) -> pl.DataFrame:
    return who.select("customer_id").join(PRODUCTS.select("product_id"), how="cross")


def found(who: pl.DataFrame, spells: pl.DataFrame | None = None, policy=POLICY):
    return eligible(all_pairs(who), who, held() if spells is None else spells, PRODUCTS, policy, ON)


def ruled(policy=POLICY, **more):
    return replace(policy, eligibility=replace(policy.eligibility, **more))


def test_a_customer_against_whom_nothing_speaks_may_be_offered_all_that_is_for_people():
    told = found(people({}))
    assert told.pairs["product_id"].to_list() == ["dep", "fund", "plan", "loan", "card"]
    assert told.excluded.filter(pl.col("n") > 0).select("reason", "n", "n_only", "n_unknown").rows() == [
        ("kind", 1, 1, 0)
    ]
    assert told.n_asked == 6


@pytest.mark.parametrize(
    ("of", "reason", "without"),
    [
        ({"status": "deceased"}, "status", "dep fund plan loan card"),
        ({"status": "frozen"}, "status", "dep fund plan loan card"),
        ({"status": None}, "status", ""),
        ({"birth_on": date(2007, 6, 15)}, "age", ""),  # 18 today
        ({"birth_on": date(2007, 6, 16)}, "age", "fund plan loan card"),
        ({"birth_on": date(1959, 6, 16)}, "age", ""),  # 65 until tomorrow
        ({"birth_on": date(1959, 6, 15)}, "age", "loan"),
        ({"birth_on": None}, "age", "fund plan loan card"),
        ({"risk_grade": "C3"}, "risk", "fund"),
        ({"risk_grade": "C2"}, "risk", "fund"),
        ({"risk_grade": "C1"}, "risk", "fund plan"),
        ({"risk_grade": "A"}, "risk", "fund"),  # a grade of credit opens what is cautious
        ({"risk_grade": None}, "risk", "fund plan"),
        ({"risk_grade": "Z"}, "risk", "fund plan"),  # a grade that no rule names is not known
        ({"kyc_due_on": date(2025, 6, 16)}, "kyc", ""),
        ({"kyc_due_on": date(2025, 6, 15)}, "kyc", "dep fund plan loan card"),
        ({"kyc_due_on": None}, "kyc", "dep fund plan loan card"),
        ({"consent": False}, "consent", "dep fund plan loan card"),
        ({"consent": None}, "consent", "dep fund plan loan card"),
        ({"n_open_complaints": 1}, "complaint", "dep fund plan loan card"),
        ({"last_contact_on": date(2025, 5, 17)}, "contact", "dep fund plan loan card"),  # 29 days ago
        ({"last_contact_on": date(2025, 5, 16)}, "contact", ""),
        ({"exposure": 299_999_999}, "exposure", ""),
        ({"exposure": 300_000_000}, "exposure", "loan"),
        ({"exposure": None}, "exposure", "loan"),
        ({"staff_related": True}, "staff", "loan card"),
        ({"staff_related": None}, "staff", "loan card"),
    ],
)
def test_each_rule_leaves_out_what_it_says(of, reason, without):
    told = found(people(of))
    kept = set(told.pairs["product_id"])
    assert {"dep", "fund", "plan", "loan", "card"} - kept == set(without.split())
    # the guarantee is left out anyway: it is not for people
    n = told.excluded.filter(pl.col("reason") == reason)["n_only"].item()
    assert n == len(without.split())


@pytest.mark.parametrize(
    ("opened", "closed", "is_owned"),
    [(OLD, None, True), (OLD, ON, False), (OLD, date(2025, 6, 16), True), (date(2025, 6, 16), None, False)],
)
def test_what_is_held_today_is_not_offered(opened, closed, is_owned):
    told = found(people({}), held((1, "fund", opened, closed), (1, "fund", OLD, date(2021, 1, 1))))
    assert ("fund" not in told.pairs["product_id"]) == is_owned


def test_age_and_risk_are_not_asked_of_a_company_and_its_kind_is():
    firm = {"kind": "corporate", "birth_on": None, "exposure": 10**12}
    assert found(people(firm)).pairs["product_id"].to_list() == ["dep", "fund", "plan", "loan", "card", "bond"]
    only = ruled(kinds={"fund": ("corporate",), "wealth": ("retail",)})  # of a product before that of its line
    assert found(people({}, firm), policy=only).pairs.filter(pl.col("product_id").is_in(["fund", "plan"])).rows() == [
        (1, "plan"), (2, "fund"),
    ]  # fmt: skip
    young = ruled(age={"wealth": (18, 80), "fund": (None, 40)})
    told = found(people({"birth_on": date(2010, 1, 1)}), policy=young).pairs["product_id"].to_list()
    assert told == ["dep", "fund", "loan", "card"]


def test_what_a_missing_value_means_is_the_banks_to_say():
    unknown = people({name: None for name in ("birth_on", "risk_grade", "kyc_due_on", "consent", "staff_related")})
    told = found(unknown)
    assert told.pairs.is_empty()
    assert dict(told.excluded.select("reason", "n_unknown").rows()) == dict.fromkeys(EXCLUSIONS, 0) | {
        "age": 4, "risk": 2, "kyc": 6, "consent": 6, "staff": 3,
    }  # fmt: skip
    keep = ruled(missing=dict.fromkeys(POLICY.eligibility.missing, "keep"))
    told = found(unknown, policy=keep)
    assert told.pairs["product_id"].to_list() == ["dep", "fund", "plan", "loan", "card"]
    assert told.excluded["n_unknown"].sum() == 0


def test_a_rule_that_is_not_in_force_leaves_nobody_out():
    told = found(people({"consent": False, "status": "closed"}), policy=ruled(rules=("owned",)))
    assert told.pairs.height == 6
    assert told.excluded["reason"].to_list() == ["owned"]
    assert found(people({}), policy=ruled(rules=())).excluded.is_empty()


def test_every_exclusion_has_a_sentence():
    told = found(people({"consent": None}, {"last_contact_on": ON}, {"consent": False})).excluded
    said = dict(told.select("reason", "sentence").rows())
    assert list(said) == list(EXCLUSIONS) == list(BECAUSE)
    assert said["consent"] == (
        "12 offers are left out because the customer has not agreed to be asked, 10 of them for nothing else. "
        "Of 6 it is not known, which leaves them out."
    )
    assert said["contact"].startswith(
        "6 offers are left out because the customer was contacted within the last 30 days"
    )
    assert said["complaint"] == "No offer is left out because a complaint is not resolved."


DAYS = st.sampled_from([None, date(1950, 6, 15), date(1959, 6, 15), date(1990, 2, 28), date(2007, 6, 16)])
PERSON = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["retail", "small business", "corporate"]),
        "birth_on": DAYS,
        "status": st.sampled_from(["active", "active", "active", "merged", None]),
        "risk_grade": st.sampled_from(["C5", "C3", "C2", "A", "Z", None]),
        "kyc_due_on": st.sampled_from([date(2026, 1, 1), date(2026, 1, 1), ON, None]),
        "consent": st.sampled_from([True, True, True, False, None]),
        "staff_related": st.sampled_from([False, False, True, None]),
        "n_open_complaints": st.sampled_from([0, 0, 0, 2]),
        "last_contact_on": st.sampled_from([None, None, date(2025, 6, 1), date(2025, 1, 1)]),
        "exposure": st.sampled_from([0, 299_999_999, 300_000_000, 10**9, None]),
    }
)
SPELLS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(PRODUCTS["product_id"].to_list())), max_size=6)
IN_FORCE = st.lists(st.sampled_from(EXCLUSIONS), unique=True)
DEALT = st.fixed_dictionaries({name: st.sampled_from(["exclude", "keep"]) for name in POLICY.eligibility.missing})


def reasons(row: dict, product: dict, owned: set, policy) -> dict[str, bool | None]:
    """Rule by rule for one pair, in words of one syllable: True speaks against it, None cannot tell."""
    rules, line, name = policy.eligibility, product["line"], product["product_id"]
    kinds = rules.kinds.get(name) or rules.kinds.get(line)
    low, high = rules.age.get(name) or rules.age.get(line) or (None, None)
    grade, born = rules.highest_risk.get(row["risk_grade"]), row["birth_on"]
    age = born and ON.year - born.year - ((ON.month, ON.day) < (born.month, born.day))
    cap = rules.exposure_cap.get(row["kind"]) if line == "loans" else None
    last = row["last_contact_on"]
    asked_age = row["kind"] == "retail" and (low or high)
    return {
        "status": row["status"] not in ("active", None),
        "owned": (row["customer_id"], name) in owned,
        "kind": kinds is not None and row["kind"] not in kinds,
        "age": (None if age is None else age < (low or 0) or age > (high or 999)) if asked_age else False,
        "risk": (grade and product["risk"] > grade) if product["risk"] else False,
        "kyc": row["kyc_due_on"] and row["kyc_due_on"] <= ON,
        "consent": None if row["consent"] is None else not row["consent"],
        "complaint": row["n_open_complaints"] > 0,
        "contact": last is not None and (ON - last).days < policy.campaigns.contact_days,
        "exposure": (None if row["exposure"] is None else row["exposure"] >= cap) if cap else False,
        "staff": row["staff_related"] if line in rules.staff_lines else False,
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(PERSON, min_size=5, max_size=5), SPELLS, IN_FORCE, DEALT)
def test_no_ineligible_pair_is_ever_kept_and_no_eligible_one_left_out(rows, spells, in_force, dealt):
    policy = ruled(rules=tuple(in_force), missing=dealt)
    who = people(*rows)
    told = found(who, held(*[(*pair, OLD, None) for pair in spells]), policy)
    kept, against = [], []
    for row in who.iter_rows(named=True):
        for product in PRODUCTS.iter_rows(named=True):
            speaks = reasons(row, product, set(spells), policy)
            out = {
                rule for rule in in_force if (dealt.get(rule) == "exclude" if speaks[rule] is None else speaks[rule])
            }
            against.append((out, {rule for rule in out if speaks[rule] is None}))
            if not out:
                kept.append((row["customer_id"], product["product_id"]))
    assert told.pairs.rows() == kept
    assert told.excluded.select("reason", "n", "n_only", "n_unknown").rows() == [
        (
            rule,
            sum(rule in out for out, _ in against),
            sum({rule} == out for out, _ in against),
            sum(rule in unsure for _, unsure in against),
        )
        for rule in in_force
    ]


def test_pairs_come_back_as_they_were_given_in_their_order():
    who = people({}, {"consent": False}, {})
    pairs = all_pairs(who).with_columns(probability=pl.int_range(pl.len()) / 100).sort("probability", descending=True)
    told = eligible(pairs, who, held(), PRODUCTS, POLICY, ON)
    assert_frame_equal(told.pairs, pairs.filter(pl.col("customer_id") != 2, pl.col("product_id") != "bond"))


@pytest.mark.parametrize(
    ("pairs", "who", "policy", "says"),
    [
        ([(1, "fond")], people({}), POLICY, r"1 of 1 pairs .* a product that there is not \(first: fond\)\. Did"),
        ([(1, "fund"), (7, "fund")], people({}), POLICY, r"1 of 2 pairs .* a customer that there is not \(first: 7"),
        ([(1, "fund")], pl.concat([people({}), people({})]), POLICY, "repeat a customer_id"),
        ([(1, "fund")], people({}).drop("consent"), POLICY, "eligible needs a column consent"),
        ([(1, "fund")], people({}).with_columns(kind=pl.lit(None, pl.String)), POLICY, "1 of 1 rows .* have no kind"),
        ([(1, "fund")], people({}), ruled(age={"fnd": (18, None)}), "a rule about fnd, which is no line and no"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(pairs, who, policy, says):
    asked = pl.DataFrame(pairs, schema={"customer_id": pl.Int32, "product_id": pl.String}, orient="row")
    with pytest.raises(crm.InputError, match=says):
        eligible(asked, who, held(), PRODUCTS, policy, ON)


# -- what is known today


def bank_of(tmp_path, as_of, **current):
    products = [*banks.PRODUCTS[:1], {"product_id": "P-LOAN", "name": "Loan", "line": "loans"}]
    folder = banks.write(
        tmp_path / "extracts",
        products=products,
        customers=[person("C1", birth_on="1980-01-01", **current), person("C2")],
        accounts=[account("A1", "C1"), account("A2", "C1", product_id="P-LOAN"), account("A3", "C2")],
        balances=[
            {"account_id": number, "on": "2023-12-31", "kind": "anchor", "balance": amount}
            for number, amount in (("A1", "100.00"), ("A2", "-500.00"), ("A3", "0.00"))
        ],
        transactions=[entry("2024-01-05", "A1", "1.00"), entry("2024-03-20", "A1", "1.00")],
        contacts=[
            {"contact_id": "K1", "customer_id": "C1", "on": "2024-01-09", "channel": "call"},
            {"contact_id": "K2", "customer_id": "C2", "on": "2024-03-09", "channel": "call"},
        ],
        complaints=[
            {"complaint_id": "B1", "customer_id": "C1", "on": "2024-01-10", "resolved_on": "2024-02-20"},
            {"complaint_id": "B2", "customer_id": "C2", "on": "2024-03-01"},
        ],
        campaigns=[{"campaign_id": "G", "from_on": "2024-02-01", "to_on": "2024-02-28"}],
        offers=[
            {"campaign_id": "G", "customer_id": "C1", "on": "2024-02-02", "is_control": "false"},
            {"campaign_id": "G", "customer_id": "C2", "on": "2024-03-15", "is_control": "true"},
        ],
    )
    return crm.read(folder, as_of=as_of, landed=tmp_path / "landed")


CURRENT = {
    "status": "active", "risk_grade": "B", "kyc_due_on": "2025-01-01", "consent": "true", "staff_related": "false",
}  # fmt: skip
OTHER = {
    "status": "deceased", "risk_grade": "C", "kyc_due_on": "2020-01-01", "consent": "false", "staff_related": "true",
}  # fmt: skip


def today(bank) -> pl.DataFrame:
    return crm.panel.today(bank, crm.panel.customers(crm.panel.facts(bank), bank))


def test_today_tells_what_a_decision_may_rest_on(tmp_path):
    told = today(bank_of(tmp_path, "2024-03-20", **CURRENT))
    assert told.columns == list(TYPES)
    assert told.rows() == [
        (0, "retail", date(1980, 1, 1), "active", "B", date(2025, 1, 1), True, False, 0, date(2024, 2, 2), 500_00),
        (1, "retail", None, None, None, None, None, None, 1, date(2024, 3, 9), 0),
    ]


def test_a_list_made_as_of_an_earlier_day_is_told_nothing_of_what_was_to_come(tmp_path):
    then = today(bank_of(tmp_path / "a", "2024-02-10", **CURRENT))
    assert_frame_equal(then, today(bank_of(tmp_path / "b", "2024-02-10", **OTHER)))
    assert then.row(0) == (
        0, "retail", date(1980, 1, 1), None, None, None, None, None, 1, date(2024, 2, 2), 500_00,
    )  # fmt: skip
