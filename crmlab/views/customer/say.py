"""What the page of one customer says, as HTML; identity stays masked until it is asked for."""

from collections.abc import Iterable
from html import escape

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.views import theme
from crmlab.views.customer.around import totals
from crmlab.views.customer.sheet import Sheet, near
from crmlab.views.customer.steps import amount, steps
from crmlab.views.widgets import tile
from crmlab.views.words import named, word

TWO_YEARS = 24  # months
RECENT = 5  # contacts, offers and complaints that are told
IDENTITY = ("name", "mobile", "address", "national_id")


def unknown(mart: Mart, number: str | None) -> str:
    """What stands there instead of a customer."""
    if not number:
        return word("customer.nobody")
    meant = near(mart, number)
    hint = word("customer.near", numbers=", ".join(meant)) if meant else ""
    return word("customer.unknown", customer=number, as_of=theme.day(mart.as_of), near=hint).strip()


def head(sheet: Sheet) -> str:
    """Who it is, who looks after them, and where they stand."""
    person, now = sheet.person, sheet.now
    about = [
        named("kind", person["kind"]),
        sheet.branch or "–",
        word("customer.kept_by", manager=sheet.manager) if sheet.manager else word("filter.public"),
        word("customer.since", on=theme.day(person["since"])),
    ]
    marks = {name: now[name] for name in ("segment", "state", "tier")} | {"grade": sheet.worth.get("grade")}
    colours = {
        "segment": theme.colours(sheet.mart.page("segments")["name"]).get(now["segment"]),
        "state": theme.STATES.get(now["state"]),
    }
    chips = "".join(
        f"<div><dt>{word(f'column.{name}')}</dt><dd>{_dot(colours.get(name))}{_standing(sheet, name, value)}</dd></div>"
        for name, value in marks.items()
    )
    means = word("customer.gone") if now["state"] in ("left", None) else sheet.rule.get("means")
    sentence = f'<p class="crmlab-reading">{escape(means)}</p>' if means else ""
    number = escape(person["customer_no"])
    title = f"{escape(person['name'])} <small>{number}</small>" if person["name"] else number
    told = f'<h2 tabindex="-1">{title}</h2><p>{escape(" · ".join(about))}</p>'
    return f'{told}<dl class="crmlab-marks">{chips}</dl>{sentence}'


def identity(sheet: Sheet, is_shown: bool) -> str:
    """Name, mobile, address and national ID of the customer for whom they were asked."""
    if not is_shown:
        return ""
    rows = ((word(f"field.{name}"), sheet.identity[name] or "–") for name in IDENTITY)
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    return f'<dl class="crmlab-facts crmlab-identity">{items}</dl>'


def next_step(sheet: Sheet) -> str:
    """The most urgent thing to do, and what else is."""
    found = steps(sheet)
    if not found:
        nothing = word("customer.no_step" if sheet.today else "customer.none_left")
        return f'<p class="crmlab-sentence">{escape(nothing)}</p>'
    (why, first), *rest = found
    told = f'<p class="crmlab-step"><b>{escape(word(f"customer.why_{why}"))}</b> {escape(first)}</p>'
    others = "".join(f"<li><b>{escape(word(f'customer.why_{why}'))}</b> {escape(text)}</li>" for why, text in rest)
    return told + (f'<ul class="crmlab-steps">{others}</ul>' if others else "")


def tiles(sheet: Sheet) -> str:
    """Five numbers: AUM, loans, contribution, the tier with what is missing to the next, when they were last seen."""
    today, worth = sheet.today, sheet.worth
    if not today:
        return ""
    missing, quiet = worth.get("missing"), today["recency_days"]
    next_tier = word("customer.to_next", money=_money(sheet, missing), tier=worth["next_tier"]) if missing else ""
    ago = word("customer.days", n=theme.whole(quiet)) if (quiet or 0) > 1 else word(f"customer.day_{quiet or 0}")
    shown = (
        (
            "column.aum",
            _money(sheet, today["aum"]),
            word("customer.aum_note"),
            _change(sheet, today["aum_change_year"]),
        ),
        ("column.loans", _money(sheet, today["loans"]), word("tile.note.loans"), ""),
        (
            "customer.contribution",
            _money(sheet, worth.get("contribution")),
            word("customer.contribution_note"),
            _growth(today, worth),
        ),
        ("column.tier", sheet.now["tier"] or "–", next_tier, ""),
        ("customer.quiet", "–" if quiet is None else ago, word("customer.quiet_note"), ""),
    )
    made = (
        tile(word(key), value, note, {word("tile.year"): change} if change else {})
        for key, value, note, change in shown
    )
    return f'<div class="crmlab-tiles">{"".join(made)}</div>'


def holdings(sheet: Sheet) -> str:
    """What the customer has with us, and until when; what is closed is folded away."""
    if sheet.holdings.is_empty():
        return f'<p class="crmlab-sentence">{escape(word("customer.no_accounts"))}</p>'
    shut = pl.col("closed_on").is_not_null()
    held, were = sheet.holdings.filter(~shut), sheet.holdings.filter(shut)
    told = _accounts(sheet.mart, held) if held.height else ""
    if were.height:
        summary = escape(word("customer.were", n=theme.whole(were.height)))
        told += f"<details><summary>{summary}</summary>{_accounts(sheet.mart, were, is_closed=True)}</details>"
    return told


def _accounts(mart: Mart, accounts: pl.DataFrame, is_closed: bool = False) -> str:
    head = ["product", "line", "balance", "rate", "opened", "until"]
    rows = [
        (
            escape(_product(row)),
            escape(named("line", row["line"])),
            amount(mart, row),
            f"{row['rate'] / 10**4:.2f} %" if row["rate"] else "–",
            theme.day(row["opened_on"]),
            _until(row),
        )
        for row in accounts.iter_rows(named=True)
    ]
    kinds = "ttnntt"
    if is_closed:  # nothing is left on it
        head, rows, kinds = head[:2] + head[3:], [row[:2] + row[3:] for row in rows], "ttntt"
    return _table([word(f"customer.{name}") for name in head], rows, kinds)


def _product(row: dict) -> str:
    """What an account is, and which part of it is theirs where another customer owns it."""
    if row["share"] is None:
        return row["product"]
    return word("customer.jointly", product=row["product"], share=f"{row['share'] / 10**4:.0f} %")


def dealings(sheet: Sheet) -> str:
    """Complaints, contacts and offers, the latest of each."""
    contacts = sheet.events.filter(pl.col("kind") == "contact")
    parts = (
        ("complaints", sheet.complaints, ((theme.day(row["on"]), row["topic"] or "–", _resolved(row)) for row in
                                          sheet.complaints.head(RECENT).iter_rows(named=True))),
        ("contacts", contacts, ((theme.day(row["on"]), row["detail"] or "–", "") for row in
                                contacts.head(RECENT).iter_rows(named=True))),
        ("offers", sheet.offers, ((theme.day(row["on"]), row["product"] or row["name"] or "–", _answer(row)) for row in
                                  sheet.offers.head(RECENT).iter_rows(named=True))),
    )  # fmt: skip
    return "".join(_part(name, frame.height, rows) for name, frame, rows in parts)


def together(sheet: Sheet) -> str:
    """What household, group, those whom the customer brought and those whom they pay come to."""
    told = []
    for name, sums in totals(sheet).items():
        aum, loans, earned = (_money(sheet, sums[column]) for column in ("aum", "loans", "contribution"))
        text = word(f"customer.sum_{name}", n=sums["n"], aum=aum, loans=loans, earned=earned)
        told.append(f'<p class="crmlab-reading">{escape(text)}</p>')
    if told or sheet.mart.of("links", sheet.id).height:
        return "".join(told)
    return f'<p class="crmlab-sentence">{escape(word("customer.alone"))}</p>'


def _part(name: str, n: int, rows: Iterable[tuple[str, str, str]]) -> str:
    title = f"<h3>{escape(word(f'customer.{name}'))} <small>{theme.whole(n)}</small></h3>"
    if not n:
        return title + f'<p class="crmlab-sentence">{escape(word(f"customer.no_{name}"))}</p>'
    lines = "".join(f"<tr><td>{on}</td>{_about(*map(escape, told))}</tr>" for on, *told in rows)
    return f'{title}<table class="crmlab-small crmlab-dealings"><tbody>{lines}</tbody></table>'


def _about(text: str, end: str) -> str:
    return f"<td>{text}</td><td>{end}</td>" if end else f'<td colspan="2">{text}</td>'


def _resolved(row: dict) -> str:
    if row["resolved_on"] is None:
        return word("customer.open")
    return word("customer.resolved", on=theme.day(row["resolved_on"]))


def _answer(row: dict) -> str:
    if row["opened_on"] is not None:
        return word("customer.took", on=theme.day(row["opened_on"]))
    return word("customer.answered" if row["responded_on"] is not None else "customer.no_answer")


def _until(row: dict) -> str:
    if row["closed_on"] is not None:
        return escape(word("customer.closed", on=theme.day(row["closed_on"])))
    return theme.day(row["matures_on"]) if row["matures_on"] is not None else ""


def _standing(sheet: Sheet, name: str, value: str | None) -> str:
    if value is None:
        return word("customer.cannot_tell") if name == "segment" and sheet.today else "–"
    return escape(named(name, value))


def _dot(colour: str | None) -> str:
    return f'<i class="dot" style="background:{colour}"></i>' if colour else ""


def _change(sheet: Sheet, minor: int | None) -> str:
    if minor is None:
        return ""
    return ("+" if minor > 0 else "") + theme.money(minor, sheet.mart.minor_digits)


def _growth(today: dict, worth: dict) -> str:
    """How the contribution moved against the year before, for those who were with us all of it."""
    before = worth.get("contribution_before")
    if (today["tenure_months"] or 0) < TWO_YEARS or not before or before < 0:
        return ""
    return theme.share(worth["contribution"] / before - 1, signed=True)


def _money(sheet: Sheet, minor: int | None) -> str:
    return "–" if minor is None else f"{sheet.mart.base_currency} {theme.money(minor, sheet.mart.minor_digits)}"


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]], kinds: str) -> str:
    """A table of HTML cells; `kinds` says t for text and n for a number, by column."""

    def line(tag: str, cells: Iterable[str]) -> str:
        return "".join(f'<{tag} class="{kind}">{cell}</{tag}>' for cell, kind in zip(cells, kinds, strict=True))

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    table = f'<table class="crmlab-small"><thead><tr>{line("th", head)}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'
