"""A list settled behind the page, and what was asked for it."""

from dataclasses import dataclass

import polars as pl

from crmlab.views import solving

SOLVER = "crmlab.mart.settling"
CHOSEN = {
    "customer_id": pl.Int32, "product_id": pl.String, "net": pl.Float64, "reason": pl.String, "rank": pl.Int64,
}  # fmt: skip
PRICES = {
    "condition": pl.String, "name": pl.String, "limit": pl.Int64, "used": pl.Int64, "price": pl.Float64,
    "sentence": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A settled list, and what was asked for it."""

    asked: dict  # the values of the controls
    chosen: pl.DataFrame  # the columns of CHOSEN
    prices: pl.DataFrame  # the columns of PRICES
    value: int
    bound: int
    gap: float


class Solving(solving.Solving):
    """The solver of lists: `found` is a `Found`, or nothing yet."""

    def __init__(self) -> None:
        super().__init__(SOLVER, _found)

    def start(self, pairs: pl.DataFrame, limits: dict, digits: int, asked: dict) -> None:
        """Settle the list of these pairs; `asked` is kept with what is found."""
        self.ask({"limits": limits, "digits": digits}, pairs, pairs.height, asked)


def _found(told: dict, asked: dict) -> Found:
    chosen, prices = pl.DataFrame(told["chosen"], CHOSEN, orient="row"), pl.DataFrame(told["prices"], PRICES)
    return Found(asked, chosen, prices, told["value"], told["bound"], told["gap"])
