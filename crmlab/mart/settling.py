"""A list settled in a process of its own, so that the page that asks for it goes on.

``python -m crmlab.mart.settling`` is asked on its standard input and answers on its standard output, a line a step.
"""

import io
import json
from dataclasses import asdict
from typing import BinaryIO

import polars as pl

from crmlab.errors import InputError
from crmlab.mart.speaking import speak

ROW = ["customer_id", "product_id", "net", "reason", "rank"]


def answer(asked: BinaryIO, told: BinaryIO) -> None:
    """Settle what is asked for, and tell each step as JSON: reading, solving (n), done (the list) or failed (why).

    Parameters
    ----------
    asked
        A line of JSON, limits (the arguments of `campaigns.Limits`) and digits, then the pairs as
        `pl.DataFrame.serialize` gives them.
    told
        Where each step is written.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1], "product_id": "D13", "manager_id": "M1", "branch_id": "B1",
    ...     "value": [90], "cost": 1, "minutes": 30})
    >>> out = io.BytesIO()
    >>> answer(io.BytesIO(b'{"limits": {"minutes": 60}, "digits": 2}\\n' + pairs.serialize()), out)
    >>> [json.loads(line)["step"] for line in out.getvalue().splitlines()]
    ['reading', 'solving', 'done']
    """

    def say(step: str, **more: object) -> None:
        told.write(json.dumps({"step": step, **more}, default=str).encode() + b"\n")
        told.flush()

    say("reading")
    how = json.loads(asked.readline())
    pairs = pl.DataFrame.deserialize(io.BytesIO(asked.read()))
    say("solving", n=pairs.height)
    try:
        from crmlab.measures import campaigns  # the solver takes a second to load

        limits = campaigns.Limits(**how["limits"])
        found = campaigns.settle(pairs, limits, digits=how["digits"])
    except InputError as error:
        say("failed", why=str(error))
        return
    say(
        "done", limits=asdict(limits), value=found.value, bound=found.bound, gap=found.gap,
        chosen=found.chosen.select(ROW).rows(), prices=found.prices.rows(named=True),
    )  # fmt: skip


if __name__ == "__main__":
    speak(answer)
