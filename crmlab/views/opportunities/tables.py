"""The tables of `opportunities` as a reader asks for them."""

import re
from datetime import timedelta
from functools import lru_cache

import polars as pl

from crmlab.errors import InputError
from crmlab.mart import ledger
from crmlab.mart.snapshot import Mart
from crmlab.measures.campaigns import limits, sketch
from crmlab.measures.churn import worklist
from crmlab.policy import Campaigns
from crmlab.views.book import ALL, scope
from crmlab.views.opportunities.judged import Judged, judged

PRICES = {"condition": pl.String, "name": pl.String, "price": pl.Float64}
NEXT = {
    "customer_no": pl.String, "name": pl.String, "kind": pl.String, "branch_id": pl.String, "branch": pl.String,
    "manager_id": pl.String, "manager": pl.String, "segment": pl.String, "product": pl.String, "line": pl.String,
    "probability": pl.Float64, "value": pl.Int64, "a_year": pl.Int64, "source": pl.String, "rank": pl.Int64,
}  # fmt: skip
ID = r"(?:(?<=branch )|(?<=manager )|(?<=of ))[\w-]+"  # where a sentence of the solver has a number
BUSY = ("held_out", "listed", "called")  # why somebody is left out by earlier lists, the first that holds
WHO = ["customer_id", "customer_no", "name", "kind", "branch_id", "branch", "manager_id", "manager", "segment"]


class Tables:
    """What several parts ask for with the same controls is computed once and kept until the controls change.

    `n_lists` says how many lists have been issued: with each one more the ledger is read again.
    """

    def __init__(self, mart: Mart):
        self.mart = mart
        self.rules = Campaigns(**mart.manifest["campaigns"])
        self.calls: int = mart.manifest["worklist"]["calls"]
        offers = mart.manifest["offers"]
        self.horizon: int = offers["horizon"]
        self.without: dict[str, str] = offers["without"]
        self.triggers = {one["name"]: one for one in offers.get("triggers", [])}
        self.root = mart.folder.parent.parent  # the mart, in which the ledger lies beside the snapshots
        self.kinds = mart.page("roster")["kind"].cast(pl.String).value_counts(sort=True)["kind"].to_list()
        products = mart.page("products")
        self.products = dict(products.select("product_id", "product").rows())
        self.names = {
            key: dict(mart.page(table).select(key, pl.coalesce("name", key)).rows())
            for table, key in (("branches", "branch_id"), ("managers", "manager_id"))
        }
        self.next_best, self.pairs = lru_cache(2)(self._next_best), lru_cache(2)(self._pairs)
        self.issued, self.judged = lru_cache(1)(self._issued), lru_cache(1)(self._judged)
        self.preview, self.priced = lru_cache(2)(self._preview), lru_cache(2)(self._priced)

    def page(self, name: str, **chosen: str) -> pl.DataFrame:
        """A page table as far as the filters leave it."""
        return scope(self.mart.page(name), **chosen)

    def kind(self, kind: str = ALL) -> str:
        """The kind that was chosen; of all kinds, the one that most customers are of."""
        return kind or next(iter(self.kinds), ALL)

    def of_kind(self, name: str, kind: str = ALL) -> pl.DataFrame:
        """What a table that is by kind tells of one; nothing where it could not be made."""
        found = self.mart.page(name)
        return found.filter(pl.col("kind") == self.kind(kind)) if "kind" in found.columns else found.clear()

    def prices(self) -> pl.DataFrame:
        """What the limits of the list settled with the build were worth; none where the build settled none."""
        try:
            found = self.mart.page("prices")
        except InputError:
            return pl.DataFrame(schema=PRICES)
        return found if found.width else pl.DataFrame(schema=PRICES)

    def known_pairs(self, **chosen: str) -> pl.DataFrame:
        """All pairs that a list can be made of, before those are left out whom an earlier list speaks for."""
        found = self.mart.page("pairs")
        return scope(found, **chosen) if found.width else found

    def busy(self, n_lists: int) -> pl.DataFrame:
        """Whom earlier lists leave out today: customer_no, why (of `BUSY`), a row a customer.

        held_out: as a control group, of calls or offers; listed: on a list of offers that is not read out, or was
        issued within the days of the contact rule; called: on a list of calls issued within those days.
        """
        if not n_lists:
            return pl.DataFrame(schema={"customer_no": pl.String, "why": pl.String})
        issued, today = self.issued(n_lists), self.mart.as_of
        is_late = pl.col("issued_on") > today - timedelta(self.rules.contact_days)
        is_offer = pl.col("product_id").is_not_null()
        parts = {
            "held_out": worklist.held_out(issued, today),
            "listed": issued.filter(is_offer & (is_late | (pl.col("ends_on") >= today)))["customer_no"],
            "called": issued.filter(~is_offer & is_late & ~pl.col("is_control"))["customer_no"],
        }
        rows = pl.concat(pl.select(customer_no=who, why=pl.lit(why)) for why, who in parts.items())
        return rows.unique("customer_no", keep="first", maintain_order=True)

    def by_name(self, text: str) -> str:
        """A sentence of the solver with branches, managers and products by their names instead of their numbers."""
        known = self.products | self.names["branch_id"] | self.names["manager_id"]
        told = text.replace("manager of ", "the branch ")  # who calls those without a manager
        return re.sub(ID, lambda one: known.get(one[0], one[0]), told)

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the names of branch, manager and product."""
        known = {"branch": ("branch_id", self.names["branch_id"]), "manager": ("manager_id", self.names["manager_id"]),
                 "product": ("product_id", self.products)}  # fmt: skip
        return rows.with_columns(
            pl.col(key).replace_strict(names, default=pl.col(key), return_dtype=pl.String).alias(what)
            for what, (key, names) in known.items()
            if key in rows.columns and what not in rows.columns
        )

    def _next_best(self, n_lists: int = 0, **chosen: str) -> pl.DataFrame:
        """The best offers to whom no earlier list leaves out, the dearest first, with who they are (`NEXT`)."""
        found = self.mart.page("next_best")
        if not found.width:
            return pl.DataFrame(schema=NEXT)
        rows = found.join(self.mart.page("roster").select(WHO), on="customer_id", how="inner")
        return (
            self._free(scope(rows, **chosen), n_lists)
            .with_columns(pl.col("kind", "segment").cast(pl.String))
            .sort("value", "probability", "customer_id", "rank", descending=[True, True, False, False])
        )

    def _pairs(self, n_lists: int, **chosen: str) -> pl.DataFrame:
        """The pairs of which a list can be made now, each with somebody who makes the contact."""
        rows = self.known_pairs(**chosen)
        if rows.is_empty():
            return rows
        return limits.led(self._free(rows, n_lists))

    def _free(self, rows: pl.DataFrame, n_lists: int) -> pl.DataFrame:
        """The rows of those whom no earlier list leaves out."""
        return rows.join(self.busy(n_lists), on="customer_no", how="anti", maintain_order="left") if n_lists else rows

    def _preview(self, n_lists: int, terms: tuple, prices: tuple, **chosen: str) -> sketch.Preview | None:
        """About the list of these `controls.Terms`, from prices (rows of `PRICES`); None where nobody is left."""
        asked = limits.Limits(**terms._asdict())
        is_set = {"budget": asked.budget is not None, "manager": True, "product": asked.most is not None,
                  "branch": asked.least > 0}  # fmt: skip
        at = self.priced(n_lists, tuple(row for row in prices if is_set[row[0]]), **chosen)
        return at and sketch.within(at, asked)

    def _priced(self, n_lists: int, prices: tuple, **chosen: str) -> sketch.Priced | None:
        """The pairs at the prices of limits that are set: one that is moved has no need to make them again."""
        pairs = self.pairs(n_lists, **chosen)
        return None if pairs.is_empty() else sketch.priced(pairs, pl.DataFrame(list(prices), PRICES, orient="row"))

    def _issued(self, n_lists: int) -> pl.DataFrame:
        return ledger.issued(self.root)

    def _judged(self, n_lists: int) -> Judged:
        """What the lists of offers in the ledger did."""
        return judged(self.mart, self.issued(n_lists), ledger.lists(self.root))
