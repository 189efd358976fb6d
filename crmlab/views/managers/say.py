"""What `managers` says in sentences and small tables."""

from html import escape

import polars as pl

from crmlab.policy import MEASURES
from crmlab.policy.scoring import MONEY, RATE
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.managers import draw
from crmlab.views.managers.tables import VERDICTS, Tables
from crmlab.views.parts import reading, small_table
from crmlab.views.words import named, word

FIRST = 5  # names in a sentence
BY_MONEY = "maturity_retention"  # a rate whose cases are amounts


def finding(tables: Tables, measure: str | None, branch: str = ALL) -> str:
    """Who is above or below what their book would do, and how much of the growth was handed over."""
    parts = [_verdicts(tables, measure, branch)]
    grown = _grown(tables, branch)
    items = "".join(f"<li>{one}</li>" for one in (grown, _audited(tables, measure)) if one)
    return f'<div class="told"><p>{parts[0]}</p><ul>{items}</ul></div>'


def count(tables: Tables, branch: str = ALL) -> str:
    """How many managers there are, and how many of them have left."""
    own = tables.page("managers", branch=branch)
    gone = own["left_on"].count()
    left = word("managers.count_left", n=theme.whole(gone)) if gone else ""
    return f'<p class="crmlab-count">{word("managers.count", n=theme.whole(own.height - gone))}{left}</p>'


def one(tables: Tables, measure: str | None, manager: str = ALL) -> str:
    """What is said of the manager chosen: the verdict, what will last, and the ranks they could as well have."""
    if not manager:
        return reading(word("managers.click"))
    rows = tables.differences(measure).filter(pl.col("manager_id") == manager) if measure else pl.DataFrame()
    if not rows.height:
        return reading(word("managers.one_none", manager=escape(tables.manager(manager))))
    row = rows.row(0, named=True)
    verdict = f"<b>{named('manager_verdict', row['status'])}</b>"
    text = " ".join(row["text"].split("<br>")[1:])
    ranks = ""
    if row["rank"] is not None:
        n = tables.differences(measure)["rank"].count()
        ranks = word("managers.one_ranks", lower=row["rank_lower"], upper=row["rank_upper"], n=theme.whole(n))
    return reading(f"{escape(row['manager'])}: {verdict}. {text} {ranks}")


def bridged(tables: Tables, branch: str = ALL, manager: str = ALL) -> str:
    """What of the movement of a book was the manager's, and what was handed over."""
    row = draw.bars(tables, draw.level(branch, manager), branch, manager)
    if row is None:
        return reading(word("managers.bridge_none"))
    money = {name: _money(tables, row[name], signed=True) for name in ("new", "net_new_money", "handed_in", "interest")}
    others = {name: _money(tables, -row[name], signed=True) for name in ("lost", "handed_out")}
    change = _money(tables, row["closing"] - row["opening"], signed=True)
    own = _money(tables, row["new"] + row["net_new_money"] - row["lost"], signed=True)
    handed = _money(tables, row["handed_in"] - row["handed_out"], signed=True)
    who = tables.manager(manager) or tables.branch(branch) or word("managers.bank")
    told = {"who": escape(who), "change": change, "own": own, "handed": handed}
    return reading(word("managers.bridged", **told, **money, **others))


def scorecard(tables: Tables, manager: str = ALL) -> str:
    """The total of the manager chosen, the line reached, how far it is to the next ones, and the pay."""
    rows = tables.page("totals")
    if not manager or not rows.height:
        return ""  # which the figure says
    own = rows.filter(pl.col("manager_id") == manager).sort("period")
    if not own.height:
        return reading(word("managers.not_scored", manager=escape(tables.manager(manager))))
    row = own.row(-1, named=True)
    told = {name: _points(row[name]) for name in ("points", "result_points", "process_points", "deduction_points")}
    text = word("managers.total", manager=escape(tables.manager(manager)), card=escape(row["card"]),
                period=_period(row), **told)  # fmt: skip
    text += " " + (
        word("managers.line", line=named("line_reached", row["line"]), above=_points(row["above"]))
        if row["line"] else word("managers.no_line")
    )  # fmt: skip
    if row["next_line"]:
        next_line = named("line_reached", row["next_line"])
        text += " " + word("managers.next_line", line=next_line, missing=_points(row["missing"]))
    if row["plan"]:
        text += " " + word("managers.paid", pay=pay(tables, row["pay"]), plan=escape(row["plan"]))
    return f'<p class="crmlab-verdict">{text}</p>'


def traced(tables: Tables, manager: str = ALL, clicked: list | None = None) -> str:
    """The rule that was clicked and the numbers behind it; without a click every rule in a sentence."""
    rows = draw.trace(tables, manager)
    if not rows.height:
        return ""
    if chosen := draw.rule(tables, manager, clicked):
        return _behind(tables, chosen)
    sentences = [(escape(row["sentence"]), theme.difference(row["points"], 1))
                 for row in rows.iter_rows(named=True)]  # fmt: skip
    sentences.append((f"<b>{word('managers.sum')}</b>", f"<b>{rows['points'].sum():.1f}</b>"))
    return small_table((word("managers.how"), word("managers.points")), sentences, "tn")


def contacts(tables: Tables, branch: str = ALL, manager: str = ALL) -> str:
    """How many contacts are due and overdue, and how many managers cannot make them in a month."""
    rows = draw.load(tables, branch, manager)
    if not rows.height:
        return reading(tables.without.get("due") or word("managers.no_duty"))
    unknown, sums = (
        rows["n_contacts"].null_count(),
        rows.select(pl.col("n_overdue", "n_needed").sum()).row(0, named=True),
    )
    counts = sums | {"n": rows.height, "over": rows.filter(pl.col("n_over") > 0).height}
    of = "managers.due_told" if rows.height > 1 else "managers.due_one"
    text = word(of, **{name: theme.whole(value) for name, value in counts.items()})
    if unknown:
        text += " " + word("managers.no_capacity", n=theme.whole(unknown))
    if rows.height > draw.MOST_ROWS:
        text += " " + word("managers.first_rows", n=draw.MOST_ROWS)
    return reading(text)


def findings(tables: Tables, branch: str = ALL, manager: str = ALL) -> str:
    """What is wrong with the assignments, how many times."""
    rows = tables.page("assignment_findings", branch=branch, manager=manager)
    if not rows.height:
        return reading(tables.without.get("assignment_findings") or word("managers.no_findings"))
    counts = rows.group_by("finding", maintain_order=True).agg(pl.len(), pl.col("customer_no").n_unique())
    told = [
        word("managers.found", finding=escape(finding), n=theme.whole(n), n_customers=theme.whole(n_customers))
        for finding, n, n_customers in counts.rows()
    ]
    return reading("; ".join(told) + ".")


def pay(tables: Tables, minor: int, signed: bool = False) -> str:
    """Pay to the unit: it is somebody's."""
    return f"{tables.mart.base_currency} {theme.full(minor / 10**tables.mart.minor_digits, signed=signed)}"


def _verdicts(tables: Tables, measure: str | None, branch: str) -> str:
    rows = tables.named(tables.judged(measure, branch))
    if not rows.height:
        return draw.nothing(tables, "fairness")
    of = {one: rows.filter(pl.col("verdict").cast(pl.String) == one) for one in VERDICTS}
    counts = {one.replace(" ", "_"): theme.whole(part.height) for one, part in of.items()}
    text = word("managers.lead", measure=named("measure", measure), n=theme.whole(rows.height), **counts)
    for one in (VERDICTS[0], VERDICTS[2]):
        names = [escape(name) for name in of[one]["manager"].to_list()]
        if names:
            more = word("managers.and_more", n=len(names) - FIRST) if len(names) > FIRST else ""
            text += " " + word(f"managers.lead_{one.split()[1]}", names=", ".join(names[:FIRST]) + more)
    return text


def _grown(tables: Tables, branch: str) -> str:
    rows = tables.page("book_bridges", branch=branch)
    if not rows.height:
        return ""
    own = rows.filter(pl.col("level") == "manager", pl.col("manager_id").is_not_null())
    up = own.filter(pl.col("closing") > pl.col("opening"))
    earned = pl.col("new") + pl.col("net_new_money") - pl.col("lost")
    only_handed = up.filter(earned <= 0, pl.col("handed_in") > pl.col("handed_out"))
    gained = own.filter(earned > 0)
    handed = own["handed_in"].sum()
    return word("managers.grown", n=theme.whole(own.height), up=theme.whole(up.height), own=theme.whole(gained.height),
                only=theme.whole(only_handed.height), handed=_money(tables, handed))  # fmt: skip


def _audited(tables: Tables, measure: str | None) -> str:
    rows = tables.mart.page("target_audit")
    if not rows.height:
        return tables.without.get("target_audit", "")
    own = rows.filter(pl.col("measure") == (measure or ""))
    row = (own if own.height else rows).row(0, named=True)
    return f"{word('managers.audited', measure=named('measure', row['measure']))} {escape(row['told'])}"


def _behind(tables: Tables, row: dict) -> str:
    digits = tables.mart.minor_digits

    def amount(name: str) -> str:
        value = row[name]
        if value is None:
            return "–"
        if MEASURES.get(row["measure"]) == MONEY:
            return theme.full(value / 10**digits)
        size = {"rate": 10_000, "thousandths": 1000}.get(MEASURES.get(row["measure"]), 1)
        return f"{value / size:,.2f}{' %' if size == 10_000 else ''}" if size > 1 else theme.whole(value)

    told = [(word("managers.value"), amount("value"))]
    if row["n"] is not None and MEASURES.get(row["measure"]) == RATE:
        size = 10**digits if row["measure"] == BY_MONEY else 1
        cases = " / ".join(theme.full(row[name] / size) for name in ("n_events", "n"))
        told.append((word("managers.of_cases"), cases))
    told += [(word(f"managers.{name}_was"), amount(name)) for name in ("target", "base") if row[name] is not None]
    told += [(word("managers.score_was"), _points(row["score"]))] if row["score"] is not None else []
    told += [(word("managers.steps_was"), theme.whole(row["steps"]))] if row["steps"] is not None else []
    told.append((word("managers.points"), theme.difference(row["points"], 1)))
    head = (named("measure", row["measure"] or ""), "")
    return f'<p class="crmlab-verdict">{escape(row["sentence"])}</p>{small_table(head, told, "tn")}'


def _period(row: dict) -> str:
    day = row["period"]
    names = {"quarter": f"Q{(day.month + 2) // 3} {day.year}", "year": str(day.year)}
    return names.get(row["every"], theme.month(day))


def _points(thousandths: int | None) -> str:
    return "–" if thousandths is None else f"{thousandths / 1000:.1f}".replace("-", "−")


def _money(tables: Tables, minor: int, signed: bool = False) -> str:
    text = theme.money(minor, tables.mart.minor_digits)
    sign = "+" if signed and minor > 0 else ""
    return f"{tables.mart.base_currency} {sign}{text}"
