"""The bridge against a book worked by hand, and its closure at every level on books drawn at random."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab.errors import InputError
from crmlab.measures import movement

MONTHS = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30)]
AUM = ["deposits", "wealth"]
LINES = [*AUM, "loans"]
MONEY = ["opening", "flow", "interest", "valuation", "fx", "handed", "closing"]
BOOKS = {
    "customer_id": pl.Int32, "month": pl.Date, "line": pl.String, "manager_id": pl.String,
    **dict.fromkeys(MONEY, pl.Int64), "n_open": pl.Int32,
}  # fmt: skip
BARS = ["opening", "new", "grown", "shrunk", "lost", "handed", "interest", "valuation", "fx", "closing"]

# customer, month, line, manager, opening, flow, interest, valuation, fx, handed, closing, n_open
HAND = [
    (1, 0, "deposits", "A", 0, 1000, 0, 0, 0, 0, 1000, 1),  # 1 is handed from A to B on 1 March, and loses
    (1, 1, "deposits", "A", 1000, -100, 5, 0, 0, 0, 905, 1),
    (1, 2, "deposits", "B", 905, -300, 0, 0, 7, 0, 612, 1),
    (2, 0, "deposits", "A", 0, 500, 0, 0, 0, 0, 500, 1),  # 2 closes, the interest paid out with the rest
    (2, 1, "deposits", "A", 500, -502, 2, 0, 0, 0, 0, 0),
    (3, 1, "wealth", None, 0, 400, 0, 30, 0, 0, 430, 1),  # 3 comes, nobody's; handed to B on 15 March
    (3, 2, "wealth", None, 430, 20, 0, 0, 0, -450, 0, 0),
    (3, 2, "wealth", "B", 0, -10, 0, -5, 0, 450, 435, 1),
    (4, 0, "loans", "A", 0, -900, 0, 0, 0, 0, -900, 1),  # 4 has a loan, pays it back in part, then saves too
    (4, 1, "loans", "A", -900, 200, -10, 0, 0, 0, -710, 1),
    (4, 2, "loans", "A", -710, 0, -9, 0, 0, 0, -719, 1),
    (4, 2, "deposits", "A", 0, 60, 0, 0, 0, 0, 60, 1),
    (5, 0, "deposits", "B", 0, 80, 0, 0, 0, 0, 80, 1),  # 5 closes with money on the account: it left unbooked
    (5, 1, "deposits", "B", 80, 0, 0, 0, 0, 0, 80, 0),
]


def book(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame([(row[0], MONTHS[row[1]], *row[2:]) for row in rows], schema=BOOKS, orient="row")


def of(frame: pl.DataFrame, *names: str) -> list[tuple]:
    return frame.select(names).rows()


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        # by, customers, opening, new, grown, shrunk, lost, handed, interest, valuation, fx, closing
        (None, [(5, 1580, 410, 60, 400, 582, 0, 7, 25, 7, 1107)]),
        (
            "manager_id",
            [
                ("A", 3, 1500, 0, 60, 100, 502, -905, 7, 0, 0, 60),
                ("B", 3, 80, -10, 0, 300, 80, 1355, 0, -5, 7, 1047),
                (None, 1, 0, 420, 0, 0, 0, -450, 0, 30, 0, 0),
            ],
        ),
    ],
)
def test_a_bridge_of_aum_worked_by_hand(by, expected):
    found = movement.bridge(movement.spans(book(HAND), MONTHS[0], MONTHS[2], AUM), by)
    assert found.rows() == expected


def test_loans_told_as_what_is_owed():
    spans = movement.spans(book(HAND), MONTHS[0], MONTHS[2], ["loans"], sign=-1)
    # 1 and 2, 3 and 5 have no loan; they still count as customers
    assert of(movement.bridge(spans), *BARS) == [(900, 0, 0, 200, 0, 0, 19, 0, 0, 719)]


def test_the_customers_behind_each_bar():
    spans = movement.spans(book(HAND), MONTHS[0], MONTHS[2], AUM)
    of_b = spans.filter(pl.col("manager_id") == "B")
    assert movement.parts(spans, "lost").rows() == [(2, 502), (5, 80)]
    assert movement.parts(spans, "shrunk").rows() == [(1, 400)]
    assert movement.parts(spans, "valuation").rows() == [(3, 25)]
    assert movement.parts(spans, "handed").rows() == []
    assert movement.parts(of_b, "handed").rows() == [(1, 905), (3, 450)]


@pytest.mark.parametrize(
    ("closings", "expected"),
    [
        # of one customer (manager, January, February) -> (manager, flow, handed)
        ([("A", 10, 30)], [("A", 20, 0)]),
        ([("A", 10, 0), ("B", 0, 30)], [("A", 0, -10), ("B", 20, 10)]),
        ([("A", 10, -40), ("B", 0, 30)], [("A", -20, -30), ("B", 0, 30)]),
        ([("A", 10, 30), ("B", 0, 30)], [("A", 50, -30), ("B", 0, 30)]),
        ([("A", 10, 30), (None, 0, 30)], [("A", 50, -30), (None, 0, 30)]),
        ([("A", 10, None), ("B", 25, None)], [("A", -10, 0), ("B", -25, 0)]),
        ([("A", 10, 30), ("B", 25, -5)], [("A", 20, 0), ("B", -30, 0)]),
        ([("A", None, 5)], [("A", 5, 0)]),
    ],
)
def test_a_change_of_contribution_is_credited_to_the_manager_at_the_end(closings, expected):
    rows = [(1, MONTHS[i], manager, amounts[i]) for manager, *amounts in closings for i in (0, 1)]
    rows += [(2, MONTHS[0], "A", 7), (2, MONTHS[1], "A", 7)]
    lines = pl.DataFrame(
        [row for row in rows if row[3] is not None],
        schema=["customer_id", "month", "manager_id", "margin"],
        orient="row",
    ).with_columns(line=pl.lit("deposits"), service_cost=-1, expected_loss=1, points=99)
    spans = movement.contribution_spans(lines, *MONTHS[:2])
    assert sorted(of(spans.filter(pl.col("customer_id") == 1), "manager_id", "flow", "handed"), key=str) == sorted(
        expected, key=str
    )
    wide = wide_of(lines.with_columns(closing=pl.col("margin")), MONTHS[:2], [])
    # A page also has a row of whoever was the manager at another time.
    once = wide.filter(pl.col("customer_id") == 1).head(1).with_columns(pl.lit("Z").alias("manager_id"))
    wide = pl.concat([wide, once.with_columns(pl.col(f"closing {month}") * 0 for month in MONTHS[:2])])
    page = movement.between(wide, *MONTHS[:2]).filter(pl.col("manager_id").ne_missing("Z"))
    assert_frame_equal(page, spans, check_row_order=False)


def wide_of(rows: pl.DataFrame, months: list[date], flows: list[str]) -> pl.DataFrame:
    """Rows with their months side by side, as the page tables `moves_*` have them."""
    wide = rows.select("customer_id", "manager_id").unique()
    for month in months:
        here = rows.filter(pl.col("month") == month)
        keys = ["customer_id", "manager_id"]
        with_us = here.filter(pl.col("n_open") > 0) if "n_open" in here.columns else here
        closing = here.group_by(keys).agg(pl.col("closing").sum().alias("now"))
        there = pl.col("customer_id").is_in(with_us["customer_id"].implode())
        past = rows.filter(pl.col("month") <= month).group_by(keys).agg(pl.col(flows).sum().name.suffix(f" {month}"))
        wide = (
            wide.join(closing, on=keys, how="left", nulls_equal=True)
            .join(past, on=keys, how="left", nulls_equal=True)
            .with_columns(
                pl.col(f"{name} {month}" for name in flows).fill_null(0),
                pl.when(there).then(pl.col("now").fill_null(0)).alias(f"closing {month}"),
            )
            .drop("now")
        )
    return wide


AMOUNTS = st.integers(-50, 50)


@st.composite
def histories(draw, leaves_money: bool) -> list[tuple]:
    """Rows of one customer's line: it opens, is handed over at will, closes (with money left on it) or stays."""
    first = draw(st.integers(0, 3))
    last = draw(st.integers(first, 4))
    rows, balance = [], 0
    for month in range(first, min(last, 3) + 1):
        manager, other = draw(st.tuples(*[st.sampled_from(["A", "B", None])] * 2))
        flow, interest, valuation, fx, late = draw(st.tuples(*[AMOUNTS] * 5))
        closes = month == last
        if closes and not (leaves_money and draw(st.booleans())):
            flow = -balance - interest - valuation - fx
        moved = (flow, interest, valuation, fx)
        before, balance = balance, balance + sum(moved)
        if manager != other and not closes:
            rows.append((month, manager, before, *moved, -balance, 0, 0))
            rows.append((month, other, 0, late, 0, 0, 0, balance, balance + late, 1))
            balance += late
        else:
            rows.append((month, manager, before, *moved, 0, balance, int(not closes)))
    return rows


@st.composite
def books(draw, leaves_money: bool = True) -> pl.DataFrame:
    rows = [(0, month, "deposits", "A", 9, 0, 0, 0, 0, 0, 9, 1) for month in range(4)]
    for customer in range(1, draw(st.integers(1, 4)) + 1):
        for line in draw(st.sets(st.sampled_from(LINES), min_size=1)):
            rows += [(customer, month, line, *rest) for month, *rest in draw(histories(leaves_money))]
    keys = ["customer_id", "month", "line", "manager_id"]
    return book(rows).group_by(keys, maintain_order=True).agg(pl.col(*MONEY, "n_open").sum()).select(*BOOKS)


STRETCHES = st.sampled_from([(0, 1), (0, 3), (1, 3), (2, 3), (1, 2)])
SELECTIONS = st.sampled_from([(tuple(AUM), 1), (("loans",), -1), (tuple(LINES), 1)])
GROUPS = ["manager_id", "branch_id", "bucket", ["branch_id", "manager_id"]]
CLOSES = pl.sum_horizontal("opening", "new", "grown", "handed", "interest", "valuation", "fx") - pl.sum_horizontal(
    "shrunk", "lost"
)


def with_branch(spans: pl.DataFrame) -> pl.DataFrame:
    return spans.with_columns(branch_id=pl.col("customer_id") % 2)


@settings(deadline=None, max_examples=80)
@given(books(), STRETCHES)
def test_the_bridge_closes_at_every_level_and_the_levels_agree(books, stretch):
    spans = with_branch(movement.spans(books, *(MONTHS[i] for i in stretch), AUM))
    whole = movement.bridge(spans)
    at = [books.filter(pl.col("month") == MONTHS[i], pl.col("line").is_in(AUM))["closing"].sum() for i in stretch]
    assert of(whole, "opening", "closing") == [tuple(at)]
    assert whole["handed"].item() == 0
    for by in GROUPS:
        level = movement.bridge(spans, by)
        assert level.select((pl.col("closing") == CLOSES).all()).item()
        assert of(level.select(pl.col(BARS).sum()), *BARS) == of(whole, *BARS)
    for bar in movement.BUCKETS:
        assert movement.parts(spans, bar)["amount"].sum() == whole[bar].item()


@settings(deadline=None, max_examples=80)
@given(books(), STRETCHES)
def test_what_was_handed_adds_to_nothing_for_each_customer(books, stretch):
    spans = movement.spans(books, *(MONTHS[i] for i in stretch), AUM)
    assert (
        spans.group_by("customer_id").agg(pl.col("handed").sum())["handed"].to_list().count(0)
        == spans["customer_id"].n_unique()
    )
    assert spans.group_by("customer_id").agg(pl.col("bucket").n_unique())["bucket"].max() == 1


@settings(deadline=None, max_examples=60)
@given(books(), st.sampled_from([1, 2]))
def test_two_stretches_make_one(books, middle):
    start, mid, end = MONTHS[0], MONTHS[middle], MONTHS[3]
    summed = ["flow", "interest", "valuation", "fx", "handed"]
    first, second, whole = (movement.spans(books, *days, AUM) for days in ((start, mid), (mid, end), (start, end)))
    assert first["closing"].sum() == second["opening"].sum()
    by_customer = pl.concat([first, second]).group_by("customer_id").agg(pl.col(summed).sum()).sort("customer_id")
    of_whole = whole.group_by("customer_id").agg(pl.col(summed).sum()).sort("customer_id")
    met = by_customer.filter(pl.col("customer_id").is_in(of_whole["customer_id"].implode()))
    assert_frame_equal(met, of_whole)


@settings(deadline=None, max_examples=60)
@given(books(), STRETCHES, st.randoms())
def test_the_order_of_rows_is_irrelevant(books, stretch, random):
    days = [MONTHS[i] for i in stretch]
    order = random.sample(range(books.height), books.height)
    assert_frame_equal(movement.spans(books[order].lazy(), *days, AUM), movement.spans(books, *days, AUM))


@settings(deadline=None, max_examples=60)
@given(books(leaves_money=False), STRETCHES)
def test_a_page_finds_what_the_books_hold(books, stretch):
    days = [MONTHS[i] for i in stretch]
    # Whoever has an open account, of whatever line, is with us, if only with nothing.
    nothing = pl.when(pl.col("line").is_in(AUM)).then(pl.col(MONEY)).otherwise(0)
    page = movement.between(wide_of(books.with_columns(nothing), MONTHS, movement.FLOWS), *days)
    held = [movement.bridge(frame, "manager_id") for frame in (page, movement.spans(books, *days, AUM))]
    moves = [frame.drop("n_customers").filter(pl.any_horizontal(pl.col(BARS) != 0)) for frame in held]
    assert_frame_equal(*moves)


NOT_B1_IN_FEBRUARY = (pl.col("month") != MONTHS[1]) | (pl.col("branch_id") != "B1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda books: (books, MONTHS[1], MONTHS[1], AUM), "leads nowhere. Choose a start before the end."),
        (lambda books: (books, date(2023, 12, 31), MONTHS[1], AUM), "no month that ends on 2023-12-31; theirs go from"),
        (lambda books: (books, MONTHS[0], date(2024, 3, 15), AUM), "no month that ends on 2024-03-15"),
        (lambda books: (books, *MONTHS[:2], ["insurance"]), "hold no row of the lines insurance. Choose other lines."),
        (lambda books: (books, *MONTHS[:2], []), "hold no row of the lines (none given)"),
        (lambda books: (books.clear(), *MONTHS[:2], AUM), "no row is left. Choose a wider selection."),
        (lambda books: (books.drop("fx"), *MONTHS[:2], AUM), "movement.spans needs a column fx."),
        (
            lambda books: (books.filter(pl.col("month") != MONTHS[1]), MONTHS[0], MONTHS[2], AUM),
            "The books hold no rows of 2024-02, though there are rows before and after.",
        ),
        (
            lambda books: (books.filter(NOT_B1_IN_FEBRUARY), MONTHS[0], MONTHS[2], AUM),
            "The books hold no rows of 2024-02 for branch B1, though there are rows before and after.",
        ),
    ],
)  # fmt: skip
def test_what_spans_refuse(change, said):
    branch = pl.when(pl.col("customer_id") % 2 == 0).then(pl.lit("B2")).otherwise(pl.lit("B1"))
    books, *rest = change(book(HAND).with_columns(branch_id=branch))
    with pytest.raises(InputError) as error:
        movement.spans(books, *rest)
    assert said in str(error.value)


def test_what_bridges_and_parts_refuse():
    spans = movement.spans(book(HAND), *MONTHS[:2], AUM)
    with pytest.raises(InputError, match=r"needs a column manger_id\. Did you mean manager_id\?"):
        movement.bridge(spans, "manger_id")
    with pytest.raises(InputError, match="the selection is empty"):
        movement.bridge(spans.clear())
    with pytest.raises(InputError, match=r"no bar shrank\. Did you mean shrunk\?"):
        movement.parts(spans, "shrank")
    huge = pl.concat([spans.with_columns(closing=pl.lit(2**62))] * 2)
    with pytest.raises(InputError, match="too much for 64 bits"):
        movement.bridge(huge)
    with pytest.raises(InputError, match="no month that ends on 2024-03-31; theirs go from 2024-01-31 to 2024-02-29"):
        movement.between(wide_of(book(HAND), MONTHS[:2], movement.FLOWS), MONTHS[0], MONTHS[2])
