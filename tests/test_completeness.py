"""Completeness: what counts as filled, who is asked for what, and shares that are counts."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab import policy
from crmlab.errors import InputError
from crmlab.measures import completeness
from crmlab.policy import Completeness

POLICY = replace(
    policy.load(),
    completeness=Completeness(
        key_tiers=("gold", "private"),
        fields={"retail": ("mobile", "birth_on"), "corporate": ("mobile", "founded_on", "contact_person")},
    ),
)
DAY = date(1980, 1, 1)
PEOPLE = pl.DataFrame(
    [
        # customer, kind, mobile, birth_on, founded_on, contact persons, manager
        (1, "retail", "139", DAY, None, 0, "M1"),
        (2, "retail", "", None, None, 0, "M1"),
        (3, "retail", " \t\u3000", DAY, None, 0, "M2"),
        (4, "corporate", None, None, DAY, 2, None),
        (5, "corporate", "138", None, DAY, 0, "M2"),
        (6, "institution", None, None, None, 0, "M2"),
        (7, "retail", None, None, None, 0, "M1"),
    ],
    schema=["customer_id", "kind", "mobile", "birth_on", "founded_on", "contact_person", "manager_id"],
    orient="row",
)
TIERS = pl.DataFrame(
    {"customer_id": [6, 5, 4, 3, 2, 1, 7], "tier": ["gold", "gold", "private", "gold", "private", "gold", "basic"]}
)
EXPECTED = [
    (1, "retail", "gold", 2, 2, []),
    (2, "retail", "private", 2, 0, ["mobile", "birth_on"]),
    (3, "retail", "gold", 2, 1, ["mobile"]),
    (4, "corporate", "private", 3, 2, ["mobile"]),
    (5, "corporate", "gold", 3, 2, ["contact_person"]),
    (6, "institution", "gold", 0, 0, []),  # the policy asks nothing of institutions
]


def test_fields_of_key_customers():
    assert completeness.fields(PEOPLE, TIERS, POLICY).rows() == EXPECTED


def test_order_of_rows_and_type_of_columns_change_nothing():
    people = PEOPLE.reverse().with_columns(
        pl.col("contact_person") > 0, kind=pl.col("kind").cast(pl.Enum(["retail", "corporate", "institution"]))
    )
    tiers = TIERS.with_columns(pl.col("tier").cast(pl.Enum(["basic", "gold", "private"])))
    assert completeness.fields(people, tiers, POLICY).rows() == EXPECTED


def test_no_answer_is_missing_but_the_answer_no_is_filled():
    asked = replace(POLICY, completeness=Completeness(("gold",), {"retail": ("consent",)}))
    people = pl.DataFrame({"customer_id": [1, 2, 3], "kind": "retail", "consent": [True, False, None]})
    tiers = pl.DataFrame({"customer_id": [1, 2, 3], "tier": "gold"})
    assert completeness.fields(people, tiers, asked)["missing"].to_list() == [[], [], ["consent"]]


def test_a_policy_that_asks_nothing():
    asked = replace(POLICY, completeness=Completeness(("gold",), {}))
    found = completeness.fields(PEOPLE, TIERS, asked)
    assert found["missing"].to_list() == [[]] * 4
    assert completeness.shares(found).rows() == [(4, 4, 0, 0, None)]


def test_shares_by_manager_with_a_bucket_for_nobodys():
    fields = completeness.fields(PEOPLE, TIERS, POLICY).join(
        PEOPLE.select("customer_id", "manager_id"), on="customer_id"
    )
    assert completeness.shares(fields, "manager_id").rows() == [
        ("M1", 2, 1, 4, 2, 0.5),
        ("M2", 3, 1, 5, 3, 0.6),
        (None, 1, 0, 3, 2, 2 / 3),
    ]
    assert completeness.shares(fields).row(0) == (6, 2, 12, 7, 7 / 12)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 4), st.integers(0, 4)), min_size=1))
@settings(deadline=None, max_examples=50)
def test_shares_of_the_parts_add_to_the_whole(rows):
    rows = [(by, max(n, filled), filled) for by, n, filled in rows]
    fields = pl.DataFrame(rows, schema=["branch_id", "n_required", "n_filled"], orient="row", infer_schema_length=None)
    counts = ["n", "n_complete", "n_required", "n_filled"]
    parts, whole = completeness.shares(fields, "branch_id"), completeness.shares(fields)
    assert parts.select(counts).sum().equals(whole.select(counts))
    assert whole["filled_share"].is_null().item() == (whole["n_required"].item() == 0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: completeness.fields(PEOPLE.drop("founded_on"), TIERS, POLICY), "column founded_on, .* of corporate"),
        (lambda: completeness.fields(PEOPLE.clear(), TIERS, POLICY), "no row: nobody is selected"),
        (lambda: completeness.fields(PEOPLE[6:], TIERS, POLICY), r"None of 1 customers is in a key tier \(gold, priv"),
        (lambda: completeness.fields(PEOPLE, TIERS.rename({"tier": "tiers"}), POLICY), "Did you mean tiers?"),
        (lambda: completeness.fields(PEOPLE, pl.concat([TIERS, TIERS]), POLICY), "7 of 14 rows"),
        (lambda: completeness.shares(completeness.fields(PEOPLE, TIERS, POLICY), "manager_id"), "column manager_id"),
    ],
)
def test_bad_input_is_told(call, says):
    with pytest.raises(InputError, match=says):
        call()
