"""A book dealt anew behind the page: whose, a button, how far it is, and what is proposed."""

from dataclasses import dataclass
from html import escape

import ipywidgets
import polars as pl

from crmlab.views import theme
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import block, choice, small_table
from crmlab.views.solving import Solving
from crmlab.views.widgets import follow
from crmlab.views.words import word

SOLVER = "crmlab.mart.recutting"
LINES = {"customer_id": pl.Int32, "from_id": pl.String, "to_id": pl.String, "contribution": pl.Int64,
         "contacts": pl.Int64, "reason": pl.String}  # fmt: skip
LOADS = {"manager_id": pl.String, "branch_id": pl.String, "n_received": pl.Int64, "n_before": pl.Int64,
         "n_after": pl.Int64, "load_before": pl.Float64, "load_after": pl.Float64}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A proposal, and whose book it deals."""

    leaving: str
    lines: pl.DataFrame  # the columns of LINES
    loads: pl.DataFrame  # the columns of LOADS
    sentence: str


def solver() -> Solving:
    """The solver of re-cuts; its `found` is a `Found`, or nothing yet."""
    return Solving(SOLVER, _found)


def leavers(tables: Tables) -> list[tuple[str, str]]:
    """Whose book can be dealt: those who have left and whose customers nobody looks after first, then by name."""
    rows = tables.mart.page("to_deal")
    if not rows.height:
        return []
    held = rows.select("manager_id", "has_left").unique().rows()
    told = sorted((not left, tables.manager(key), key) for key, left in held)
    return [(tables.called(key), key) for *_, key in told]


def dealing(tables: Tables, solving: Solving, chosen: ipywidgets.Dropdown) -> ipywidgets.Box:
    """The choice of a book, that of the manager chosen at first, a button that deals it, one that gives up, how far."""
    leaver = choice("managers.leaving", leavers(tables))
    follow(lambda manager: setattr(leaver, "value", manager) if manager in dict(leaver.options).values() else None,
           manager=chosen)  # fmt: skip
    told = ipywidgets.HTML()
    deal, stop = (ipywidgets.Button(description=word(f"managers.{key}")).add_class("crmlab-button")
                  for key in ("deal", "stop"))  # fmt: skip

    def show(_: object = None) -> None:
        told.value = f'<p class="crmlab-reading" role="status">{_progress(tables, solving)}</p>'
        _there(deal, not solving.is_busy and leaver.value is not None)
        _there(stop, solving.step in ("reading", "solving"))

    def start(_: object) -> None:
        rows, staff = tables.mart.page("to_deal"), tables.mart.page("receivers").rows(named=True)
        n = rows.filter(pl.col("manager_id") == leaver.value).height
        names = {"managers": tables.managers, "branches": tables.branches}
        weights = tables.mart.manifest["managers"].get("recut")
        how = {"leaving": leaver.value, "staff": staff, "names": names, "weights": weights}
        solving.ask(how, rows, n, leaver.value)

    deal.on_click(start)
    stop.on_click(lambda _: solving.stop())
    solving.observe(show, ["step", "seconds", "value"])
    show()
    return block("crmlab-stack", block("crmlab-pickers", leaver, deal, stop), told)


def proposed(tables: Tables, solving: Solving, solved: int) -> pl.DataFrame:
    """Who would look after whom, and why them; nobody until a book has been dealt."""
    found = solving.found
    rows = pl.DataFrame(schema=LINES) if found is None else found.lines
    who = tables.mart.page("roster").select("customer_id", "customer_no", "name", pl.col("kind").cast(pl.String))
    names = {f"{end}_manager": pl.col(f"{end}_id").replace_strict(tables.managers, default=pl.col(f"{end}_id"),
                                                                  return_dtype=pl.String)
             for end in ("from", "to")}  # fmt: skip
    return rows.join(who, on="customer_id", how="left", maintain_order="left").sort("to_id", "customer_no").select(
        "customer_no", "name", "kind", "from_id", "to_id", **names, contribution="contribution",
        n_contacts_due="contacts", why_them="reason",
    )  # fmt: skip


def loads(tables: Tables, solving: Solving, solved: int) -> str:
    """How good the proposal is, and what it does to each of those who receive."""
    found = solving.found
    if found is None:
        return ""
    rows = [
        (escape(tables.manager(row["manager_id"])), escape(tables.branch(row["branch_id"])),
         *(theme.whole(row[name]) for name in ("n_received", "n_before", "n_after")),
         *(f"{row[name]:.2f}" for name in ("load_before", "load_after")))
        for row in found.loads.filter(pl.col("n_received") > 0)
        .sort("n_received", "manager_id", descending=[True, False]).iter_rows(named=True)
    ]  # fmt: skip
    head = [word(f"managers.recut_{one}")
            for one in ("manager", "branch", "received", "before", "after", "load_before", "load_after")]  # fmt: skip
    who = word("managers.dealt", name=escape(tables.manager(found.leaving)))
    return f'<p class="crmlab-reading"><b>{who}</b> {escape(found.sentence)}</p>{small_table(head, rows, "ttnnnnn")}'


def _progress(tables: Tables, solving: Solving) -> str:
    if not tables.mart.page("to_deal").height:
        return tables.without.get("due") or word("managers.nobody_to_deal")
    if solving.step == "failed":
        return word("managers.step_failed", why=escape(solving.why) or word("managers.solver_ended"))
    told = {"n": theme.whole(solving.n), "seconds": solving.seconds}
    return word(f"managers.step_{solving.step or 'none'}", **told)


def _there(button: ipywidgets.Button, is_there: bool) -> None:
    """Show a button that can be pressed; one that cannot takes no room."""
    button.disabled, button.layout.display = not is_there, None if is_there else "none"


def _found(told: dict, asked: object) -> Found:
    lines, loads = (pl.DataFrame(told[name], schema, orient="row") for name, schema in (("lines", LINES),
                                                                                        ("loads", LOADS)))  # fmt: skip
    return Found(asked, lines, loads, told["sentence"])
