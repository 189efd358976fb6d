"""The call list, issued when asked for twice: what that means is said before."""

from collections.abc import Callable

import ipywidgets
import polars as pl

from crmlab.mart import ledger
from crmlab.views import theme
from crmlab.views.issuing import Issued, issuing
from crmlab.views.retention.naming import list_name
from crmlab.views.retention.tables import MILLION, Tables
from crmlab.views.words import word


def asking(tables: Tables, issued: Issued, **controls: ipywidgets.Widget) -> ipywidgets.Box:
    """The list of these controls, issued when asked for twice."""

    def of_now(made: Callable) -> Callable:
        return lambda: made(tables, issued.value, **{name: control.value for name, control in controls.items()})

    return issuing(
        "retention", tables.root, issued, controls.values(), *map(of_now, (_listed, _question, _write))
    )  # fmt: skip


def _listed(tables: Tables, n_lists: int, horizon: int, capacity: int, **chosen: str) -> pl.DataFrame:
    found = tables.called(horizon, capacity, n_lists, **chosen)
    return found.calls if found else pl.DataFrame()


def _question(tables: Tables, n_lists: int, **asked: object) -> str:
    """What would be written, before it is."""
    n = _listed(tables, n_lists, **asked).height
    n_control = round(n * tables.rules.control_share / MILLION)
    return word(
        "retention.issue_ask",
        n=theme.whole(n),
        n_offered=theme.whole(n - n_control),
        n_control=theme.whole(n_control),
        read_out=word("retention.months", n=tables.rules.read_out_months),
        later=word("retention.months", n=tables.confirm_months),
    )


def _write(tables: Tables, n_lists: int, **asked: object) -> pl.DataFrame:
    rows = _listed(tables, n_lists, **asked)
    return ledger.issue(tables.root, rows, name=list_name(tables, **asked), conditions=asked)
