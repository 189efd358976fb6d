"""What are these pages made of? Inputs, rejects, control totals and versions of the snapshot."""

from collections.abc import Iterable
from html import escape

import ipywidgets

from crmlab import policy
from crmlab.mart.snapshot import Mart
from crmlab.views import theme
from crmlab.views.parts import Reader, block, panel
from crmlab.views.words import named, word


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; it lists no customers, so where the reader is does not matter here."""
    told = mart.manifest
    return block(
        "crmlab-page",
        ipywidgets.HTML(f"<h1>{word('landing.title')}</h1><p>{word('landing.decides')}</p>").add_class("crmlab-title"),
        block(
            "crmlab-pair",
            block(
                "crmlab-stack",
                panel(word("landing.snapshot"), "", ipywidgets.HTML(_facts(mart))),
                panel(
                    word("landing.controls"),
                    word("landing.controls_note"),
                    ipywidgets.HTML(_controls(told["tables"])),
                ),
            ),
            panel(word("landing.tables"), "", ipywidgets.HTML(_tables(told["tables"]))),
        ),
        panel(word("landing.rejects"), "", ipywidgets.HTML(_rejects(told["rejects"]))),
        panel(word("landing.bands"), word("landing.bands_note"), ipywidgets.HTML(_bands(mart))),
        panel(word("landing.checks"), word("landing.checks_note"), ipywidgets.HTML(_checks(told["checks"]))),
        panel(word("landing.inputs"), "", ipywidgets.HTML(_inputs(told["inputs"]))),
    )


def _facts(mart: Mart) -> str:
    told = mart.manifest
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    rows = {
        "as_of": mart.as_of.isoformat(),
        "history_from": told["history_from"],
        "currency": mart.base_currency,
        "churn": told["churn_words"],
        "activity": word("landing.days", n=told["activity_window_days"]),
        "rfm": word("landing.days", n=told["rfm_window_days"]),
        "policy": told["policy_hash"][:16],
        "input": told["input_hash"][:16],
        "versions": versions,
    }
    items = (
        f"<div><dt>{word(f'landing.{key}')}</dt><dd>{escape(str(value))}</dd></div>" for key, value in rows.items()
    )
    return f'<dl class="crmlab-facts">{"".join(items)}</dl>'


def _tables(tables: dict) -> str:
    rows = (
        (name, *(theme.whole(t[key]) for key in ("rows_in", "loaded", "rejected")), _share(t["rejected"], t["rows_in"]))
        for name, t in tables.items()
    )
    return _grid(("table", "rows_in", "loaded", "rejected", "share"), rows, "tnnnn")


def _share(part: int, of: int) -> str:
    return f"{100 * part / of:.2f} %" if of else "–"


def _rejects(rejects: list[dict]) -> str:
    if not rejects:
        return f'<p class="crmlab-sentence">{word("landing.no_rejects")}</p>'
    rows = (
        (r["table"], r["rule"], theme.whole(r["n"]), ", ".join(f"{k} {v}" for k, v in r["first"].items()), r["says"])
        for r in rejects
    )
    return _grid(("table", "rule", "n", "first", "says"), rows, "ttntt")


def _controls(tables: dict) -> str:
    digits = policy.load().digits

    def rows() -> Iterable[tuple]:
        for name, told in tables.items():
            for currency, sums in (told.get("control") or {}).items():
                agrees = sums["loaded"] + sums["rejected"] == sums["in"]
                parts = (_major(sums[key], digits(currency)) for key in ("in", "loaded", "rejected"))
                yield (name, currency, *parts, word("table.yes" if agrees else "table.no"))

    return _grid(("table", "measure", "sum_in", "sum_loaded", "sum_rejected", "agrees"), rows(), "ttnnnt")


def _major(minor: int, digits: int) -> str:
    return f"{minor / 10**digits:,.{digits}f}".replace("-", "−")


def _bands(mart: Mart) -> str:
    bands = range(1, mart.manifest["bands"] + 1)
    found = {tuple(row[:3]): row[3:5] for row in mart.page("rfm_thresholds").iter_rows()}

    def ends(kind: str, measure: str, band: int) -> str:
        if (kind, measure, band) not in found:
            return "–"
        low, high = (
            theme.money(end, mart.minor_digits) if measure == "m" else theme.whole(end)
            for end in found[kind, measure, band]
        )
        return low if low == high else f"{low} … {high}"

    rows = (
        (named("kind", kind), word(f"landing.measure_{measure}"), *(ends(kind, measure, band) for band in bands))
        for kind in sorted({kind for kind, _, _ in found})
        for measure in "rfm"
    )
    head = (word("landing.kind"), word("landing.measured"), *map(str, bands))
    return _lines(head, rows, "tt" + "n" * len(bands))


def _inputs(inputs: dict) -> str:
    rows = ((name, f"{told['bytes'] / 1e6:,.1f} MB", told["sha256"][:16]) for name, told in inputs.items())
    return _grid(("file", "size", "hash"), rows, "tnt")


def _checks(checks: dict) -> str:
    verdict = word("landing.clean" if checks["is_clean"] else "landing.not_clean")
    return f'<p class="crmlab-reading">{verdict}</p><pre class="scroll" tabindex="0">{escape(checks["report"])}</pre>'


def _grid(head: Iterable[str], rows: Iterable[tuple], kinds: str) -> str:
    return _lines([word(f"landing.{key}") for key in head], rows, kinds)


def _lines(head: Iterable[str], rows: Iterable[tuple], kinds: str) -> str:
    """A small table; `kinds` says t for text and n for a number, by column."""
    titles = "".join(f'<th scope="col" class="{kind}">{title}</th>' for title, kind in zip(head, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td class={kind}>{escape(str(v))}</td>' for v, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    table = f'<table class="crmlab-small"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'
