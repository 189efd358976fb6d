"""What counts as what in a transaction: one definition for every engine."""

from datetime import date

import narwhals.stable.v2 as nw

from crmlab.errors import InputError
from crmlab.policy import Policy

OUTSIDE = ["payment", "card", "cash", "transfer", "salary"]
BETWEEN = ["own_transfer", "principal"]
CHANNELS = ["counter", "atm", "online", "mobile", "pos"]
NEEDED = ["account_id", "booked_on", "amount", "kind", "channel", "initiated_by"]
COUNTS = ["n_transactions", *(f"n_{channel}" for channel in CHANNELS), "n_active_days"]


def columns(month: date) -> tuple[dict[str, nw.Expr], dict[str, nw.Expr]]:
    """What is summed of each transaction: money, and numbers by channel.

    A reversal takes back what it reverses: a positive one lowers outflow, a negative one inflow. `weighted` is the
    amount times its days to the end of the month, booking day included.
    """
    amount, kind, zero = nw.col("amount"), nw.col("kind"), nw.lit(0)
    outside, reversal = kind.is_in(OUTSIDE), kind == "reversal"
    to_inflow = (outside & (amount > 0)) | (reversal & (amount < 0))
    to_outflow = (outside & (amount < 0)) | (reversal & (amount > 0))
    money = {
        "inflow": nw.when(to_inflow).then(amount).otherwise(zero),
        "outflow": nw.when(to_outflow).then(-amount).otherwise(zero),
        "own_transfer": nw.when(kind.is_in(BETWEEN)).then(amount).otherwise(zero),
        "interest": nw.when(kind == "interest").then(amount).otherwise(zero),
        "fees": nw.when(kind == "fee").then(amount).otherwise(zero),
        "weighted": amount * (month.day + 1 - nw.col("booked_on").dt.day().cast(nw.Int64)),
    }
    one, none = nw.lit(1, nw.Int32), nw.lit(0, nw.Int32)
    numbers = {f"n_{name}": nw.when(nw.col("channel") == name).then(one).otherwise(none) for name in CHANNELS}
    return money, numbers


def is_act(policy: Policy) -> nw.Expr:
    """Whether the policy takes a transaction for something the customer did."""
    return nw.col("kind").is_in(policy.activity_kinds) & nw.col("initiated_by").is_in(policy.activity_initiators)


def sums_fit(moved: float, month: date) -> None:
    """Stop before a sum over an account's month could wrap; Polars would do so silently."""
    if moved * month.day >= 2.0**63:
        raise InputError(
            f"The amounts of an account in {month:%Y-%m} add up to {moved:.3g} minor units, too much for 64 bits. "
            "Check the amounts and minor_digits in policy.toml."
        )
