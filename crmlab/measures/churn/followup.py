"""What became of those on an issued list: called, not called, and held out as control."""

from datetime import date

import polars as pl

from crmlab.measures.given import in_64_bits, named
from crmlab.measures.uncertainty import difference, wilson

ARMS = ["called", "uncalled", "control"]
VERDICTS = ["not yet", "cannot tell", "fewer left", "more left"]
LEAST = 10  # customers in a control group; of fewer nothing is said
ISSUED = ["list_id", "name", "customer_no", "is_control", "issued_on", "ends_on", "read_out_on"]
COUNTS = ["n", "n_contacted", "n_left", "lost"]


def followed_up(issued: pl.DataFrame, departures: pl.DataFrame, contacts: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """How many of each arm of each list left while the list ran.

    Answers: was last month's list any good?

    A list runs from the day after its issue to `ends_on`. Who was called is who was in touch meanwhile, whatever for.
    Do not compare called with uncalled: whom one reaches differs from whom one does not. What the list did is told by
    all on it, called or not, against the control group: `effects`.

    Parameters
    ----------
    issued
        As `ledger.issued` gives them.
    departures
        customer_no, event (True: left; death, merger and repayment are no departures), ends_on (the month end of
        leaving), known_on, lost (minor units).
    contacts
        customer_no, on: of the events, those of the kind contact.
    as_of
        What became known later is not counted.

    Returns
    -------
    pl.DataFrame
        list_id, name, issued_on, ends_on, read_out_on, is_over (`as_of` has reached `read_out_on`, so that every
        departure is known), arm (Enum `ARMS`, each list has all three), n, n_contacted (above 0 in the control group
        where someone called them all the same), n_left, rate (0 to 1) with lower and upper (95 %, Wilson; null where
        nobody is in the arm), lost (minor units, at least 0); by list and arm. No row where no list has been issued.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> day = date(2024, 3, 31)
    >>> issued = pl.DataFrame({"list_id": "L", "name": "March", "customer_no": ["C1", "C2"], "issued_on": day,
    ...     "is_control": [False, True], "ends_on": date(2024, 6, 30), "read_out_on": date(2024, 8, 31)})
    >>> left = pl.DataFrame({"customer_no": ["C2"], "event": True, "ends_on": date(2024, 5, 31), "lost": 70_000,
    ...     "known_on": date(2024, 7, 31)})
    >>> contacts = pl.DataFrame({"customer_no": ["C1"], "on": [date(2024, 4, 3)]})
    >>> followed_up(issued, left, contacts, date(2024, 8, 31)).select("arm", "n", "n_left", "lost").rows()
    [('called', 1, 0, 0), ('uncalled', 0, 0, 0), ('control', 1, 1, 70000)]
    """
    measure = "worklist.followed_up"
    named(issued.columns, ISSUED, measure)
    named(departures.columns, ["customer_no", "event", "ends_on", "known_on", "lost"], measure)
    named(contacts.columns, ["customer_no", "on"], measure)
    key, lists = ["list_id", "customer_no"], ["list_id", "name", "issued_on", "ends_on", "read_out_on"]
    span = issued.select(*key, start="issued_on", end="ends_on")
    known = departures.filter("event", pl.col("known_on") <= as_of).select("customer_no", "lost", on="ends_on")
    left = _within(span, known).group_by(key).agg(pl.col("lost").cast(pl.Int128).sum(), is_left=pl.lit(True))
    in_touch = _within(span, contacts.filter(pl.col("on") <= as_of)).select(*key, is_contacted=pl.lit(True)).unique()
    rows = (
        issued.select(*lists, "customer_no", "is_control")
        .join(left, on=key, how="left")
        .join(in_touch, on=key, how="left")
        .with_columns(pl.col("is_left", "is_contacted").fill_null(False), pl.col("lost").fill_null(0))
        .with_columns(arm=pl.when("is_control").then(2).when("is_contacted").then(0).otherwise(1))
    )
    sums = {"n": pl.len(), "n_contacted": pl.col("is_contacted").sum(), "n_left": pl.col("is_left").sum()}
    counted = rows.group_by("list_id", "arm").agg(
        *(one.cast(pl.Int64).alias(name) for name, one in sums.items()), pl.col("lost").sum()
    )
    arms = pl.DataFrame({"arm": range(len(ARMS))}, {"arm": pl.Int32})
    of_list = issued.select(lists).unique("list_id").sort("issued_on", "list_id")
    table = of_list.join(arms, how="cross", maintain_order="left_right").join(
        counted, on=["list_id", "arm"], how="left", maintain_order="left"
    )
    return in_64_bits(table.with_columns(pl.col(COUNTS).fill_null(0))).select(
        *lists, (pl.col("read_out_on") <= as_of).alias("is_over"),
        pl.col("arm").replace_strict(range(len(ARMS)), ARMS, return_dtype=pl.Enum(ARMS)),
        "n", "n_contacted", "n_left", rate=_rate(pl.col("n_left"), pl.col("n")),
        **dict(zip(("lower", "upper"), wilson(pl.col("n_left"), pl.col("n")), strict=True)), lost="lost",
    )  # fmt: skip


def effects(arms: pl.DataFrame) -> pl.DataFrame:
    """What each list did: all on it, called or not, against its control group (intention to treat).

    Answers: did those we meant to call leave less often than those we left alone, and how many did we keep?

    Parameters
    ----------
    arms
        As `followed_up` gives them.

    Returns
    -------
    pl.DataFrame
        list_id, name, issued_on, read_out_on; n_listed, n_called, n_left, n_control, n_control_left; difference (rate
        of the listed less that of the control group, −1 to 1, negative: the list kept some) with lower and upper (95 %,
        Newcombe); save_rate (1 − rate listed / rate control: of those who would have left, how many stayed, a customer
        listed; a negative one says that more left) with save_lower, save_upper (95 %, below 1; null: no bound); verdict
        (Enum `VERDICTS`) and why it cannot be told. Numbers are null where the list is not over or its control group
        has fewer than `LEAST`; save_rate is null as well while the interval of the difference holds 0.

    Notes
    -----
    Both intervals are put together from the Wilson intervals of the two rates, that of the ratio by Donner and Zou
    (2012): it holds 1 exactly where Newcombe's holds 0, so the two cannot contradict each other.

    Examples
    --------
    >>> day = date(2024, 3, 31)
    >>> arms = pl.DataFrame({"list_id": "L", "name": "March", "issued_on": day, "read_out_on": date(2024, 8, 31),
    ...     "is_over": True, "arm": ARMS, "n": [600, 300, 100], "n_contacted": [600, 0, 0], "n_left": [50, 40, 20]})
    >>> effects(arms).select("verdict", pl.col("save_rate", "save_lower", "save_upper").round(3)).row(0)
    ('fewer left', 0.5, 0.219, 0.671)
    """
    named(arms.columns, ["list_id", "name", "issued_on", "read_out_on", "is_over", "arm", *COUNTS[:3]], "effects")
    is_control = pl.col("arm").cast(pl.String) == "control"
    key = ["list_id", "name", "issued_on", "read_out_on", "is_over"]
    sums = arms.group_by(key, maintain_order=True).agg(
        n_listed=pl.col("n").filter(~is_control).sum(),
        n_called=pl.col("n_contacted").filter(~is_control).sum(),
        n_left=pl.col("n_left").filter(~is_control).sum(),
        n_control=pl.col("n").filter(is_control).sum(),
        n_control_left=pl.col("n_left").filter(is_control).sum(),
    )
    groups = [pl.col(name) for name in ("n_left", "n_listed", "n_control_left", "n_control")]
    can_say = pl.col("is_over") & (pl.col("n_control") >= LEAST) & (pl.col("n_listed") > 0)
    lower, upper = difference(*groups)
    save_lower, save_upper = _saved(*groups)
    listed, control = _rate(*groups[:2]), _rate(*groups[2:])
    numbers = {
        "difference": listed - control, "lower": lower, "upper": upper,
        "save_rate": pl.when(control > 0).then(1 - listed / control),
        "save_lower": save_lower, "save_upper": save_upper,
    }  # fmt: skip
    found = sums.with_columns(pl.when(can_say).then(one).alias(name) for name, one in numbers.items())
    verdict, why = _verdict(can_say)
    is_told = pl.col("verdict").is_in(VERDICTS[2:])
    return found.with_columns(verdict.cast(pl.Enum(VERDICTS)).alias("verdict"), why.alias("why")).select(
        *key[:4], "n_listed", "n_called", "n_left", "n_control", "n_control_left", "difference", "lower", "upper",
        pl.when(is_told).then("save_rate"), "save_lower", "save_upper", "verdict", "why",
    )  # fmt: skip


def _within(span: pl.DataFrame, happened: pl.DataFrame) -> pl.DataFrame:
    """What happened to a listed customer after the issue, up to the end of the list."""
    after, not_later = pl.col("on") > pl.col("start"), pl.col("on") <= pl.col("end")
    return span.join(happened, on="customer_no").filter(after, not_later)


def _rate(k: pl.Expr, n: pl.Expr) -> pl.Expr:
    return pl.when(n > 0).then(k / n)


def _verdict(can_say: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """What can be said, and why not more; reads the numbers of `effects`."""
    holds_0 = (pl.col("lower") <= 0) & (pl.col("upper") >= 0)
    verdict = (
        pl.when(~pl.col("is_over")).then(pl.lit("not yet"))
        .when(~can_say | holds_0).then(pl.lit("cannot tell"))
        .when(pl.col("upper") < 0).then(pl.lit("fewer left"))
        .otherwise(pl.lit("more left"))
    )  # fmt: skip
    why = (
        pl.when(~pl.col("is_over")).then(pl.format("every departure is known on {}", "read_out_on"))
        .when(pl.col("n_control") == 0).then(pl.lit("nobody was held out as control"))
        .when(pl.col("n_control") < LEAST)
        .then(pl.format("the control group has {} customers, fewer than {}", "n_control", pl.lit(LEAST)))
        .when(pl.col("n_listed") == 0).then(pl.lit("everybody was held out as control"))
        .when(holds_0).then(pl.lit("the difference may as well be 0"))
    )  # fmt: skip
    return verdict, why


def _saved(k1: pl.Expr, n1: pl.Expr, k2: pl.Expr, n2: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The ends of 1 − ratio of two rates (Donner and Zou 2012); null where the ratio has no upper end."""
    (lower1, upper1), (lower2, upper2) = wilson(k1, n1), wilson(k2, n2)
    rate1, rate2 = k1 / n1, k2 / n2
    both = rate1 * rate2
    down, up = lower1 * (2 * rate1 - lower1), upper1 * (2 * rate1 - upper1)
    wide, tight = upper2 * (2 * rate2 - upper2), lower2 * (2 * rate2 - lower2)
    # The smaller root written so that a divisor near 0 does no harm; it is 0 where nobody of the listed left.
    smallest = pl.when(k1 == 0).then(0.0).otherwise(down / (both + (both.pow(2) - down * wide).sqrt()))
    largest = (both + (both.pow(2) - up * tight).sqrt()) / tight
    return pl.when(k2 > 0).then(1 - largest), pl.when(k2 > 0).then(1 - smallest)
