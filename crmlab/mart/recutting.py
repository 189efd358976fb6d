"""A book dealt anew in a process of its own, so that the page that asks for it goes on.

``python -m crmlab.mart.recutting`` is asked on its standard input and answers on its standard output, a line a step.
"""

import io
import json
from typing import BinaryIO

import polars as pl

from crmlab.errors import InputError
from crmlab.mart.speaking import speak
from crmlab.policy import Weights

LINES = {"customer_id": pl.Int32, "from_id": pl.String, "to_id": pl.String, "contribution": pl.Int64,
         "contacts": pl.Int64, "reason": pl.String}  # fmt: skip
LOADS = {"manager_id": pl.String, "branch_id": pl.String, "n_received": pl.Int64, "n_before": pl.Int64,
         "n_after": pl.Int64, "load_before": pl.Float64, "load_after": pl.Float64}  # fmt: skip


def answer(asked: BinaryIO, told: BinaryIO) -> None:
    """Deal a book, and tell each step as JSON: reading, solving (n), done (lines, loads, sentence) or failed (why).

    Parameters
    ----------
    asked
        A line of JSON, leaving (whose book), staff (managers who may receive: manager_id, branch_id, n_contacts) and
        where known weights (``policy.recut``) and names (of managers and of branches, by their numbers), then the
        customers as `pl.DataFrame.serialize` gives them.
    told
        Where each step is written.

    Examples
    --------
    >>> customers = pl.DataFrame({"customer_id": [1, 2], "manager_id": ["M1", "M2"], "branch_id": "B1",
    ...     "kind": "retail", "contribution": 100, "contacts": 4})
    >>> how = {"leaving": "M1", "staff": [{"manager_id": "M2", "branch_id": "B1", "n_contacts": 9}]}
    >>> out = io.BytesIO()
    >>> answer(io.BytesIO(json.dumps(how).encode() + b"\\n" + customers.serialize()), out)
    >>> [json.loads(line)["step"] for line in out.getvalue().splitlines()]
    ['reading', 'solving', 'done']
    """

    def say(step: str, **more: object) -> None:
        told.write(json.dumps({"step": step, **more}, default=str).encode() + b"\n")
        told.flush()

    say("reading")
    how = json.loads(asked.readline())
    customers = pl.DataFrame.deserialize(io.BytesIO(asked.read()))
    staff = pl.DataFrame(how["staff"], {"manager_id": pl.String, "branch_id": pl.String, "n_contacts": pl.Int64})
    say("solving", n=customers.filter(pl.col("manager_id") == how["leaving"]).height)
    try:
        from crmlab.measures import managers  # the solver takes a second to load

        names = managers.Names(**how.get("names", {}))
        weights = Weights(**how["weights"]) if how.get("weights") else None
        found = managers.proposal(customers, staff, how["leaving"], weights, names=names)
    except InputError as error:
        say("failed", why=str(error))
        return
    lines, loads = found.lines.select(list(LINES)), found.loads.select(list(LOADS))
    say("done", lines=lines.rows(), loads=loads.rows(), sentence=found.sentence, gap=found.gap)


if __name__ == "__main__":
    speak(answer)
