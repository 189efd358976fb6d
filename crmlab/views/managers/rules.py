"""What if the rules were others: the controls, what was changed, who moves, and what all of it costs."""

from collections.abc import Callable
from html import escape

import ipywidgets
import polars as pl
import traitlets

from crmlab.errors import InputError
from crmlab.measures.managers.whatif import Moved, asks
from crmlab.policy import ScoreRule
from crmlab.views import theme
from crmlab.views.managers.changing import AS_IT_IS, Change, part_of, rule_of, with_change
from crmlab.views.managers.say import pay
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import block, choice, reading, small_table
from crmlab.views.words import named, word

PARTS = range(0, 205, 5)  # per cent of what a rule gives today
ASKED = range(50, 155, 5)  # per cent of what it asks for today
FIRST = 5  # names in a sentence


class Wanted(traitlets.HasTraits):
    """The changes that stand; nothing where all rules are as they are."""

    value = traitlets.Tuple()


def controls(tables: Tables, wanted: Wanted) -> ipywidgets.Box:
    """A card, one of its rules, how much it gives and asks for, and below them what was changed so far."""
    names = sorted((one.name for one in tables.cards), key=tables.most_used)
    card = choice("managers.card", [(one, one) for one in names])
    rule = choice("managers.rule", _rules(tables, card.value))
    part, asked = (ipywidgets.SelectionSlider(options=[AS_IT_IS]).add_class("crmlab-choice") for _ in range(2))
    is_shown = {"now": False}  # a control that is set to what stands changes nothing

    def show(_: object = None) -> None:
        if rule.value is None:  # while another card's rules are put there
            return
        of, none = rule_of(tables.cards, card.value, rule.value), Change(card.value, rule.value)
        found = next((one for one in wanted.value if one[:2] == none[:2]), none)
        by = asks(of)
        is_shown["now"] = True
        _set(part, "weight" if of.weight is not None else "points", _parts(of), found.part)
        _set(asked, by or "none", [(word("managers.of_today", percent=one), one) for one in ASKED], found.asked)
        asked.disabled = by is None
        is_shown["now"] = False

    def take(_: object) -> None:
        if not is_shown["now"]:
            wanted.value = with_change(wanted.value, Change(card.value, rule.value, part.value, asked.value))

    def another(change: dict) -> None:
        rule.options = _rules(tables, change["new"])
        show()  # a rule of the same name is another one

    card.observe(another, "value")
    rule.observe(show, "value")
    wanted.observe(show, "value")
    for slider in (part, asked):
        slider.observe(take, "value")
    show()
    return block("crmlab-stack", block("crmlab-pickers", card, rule, part, asked), _standing(tables, wanted))


def told(tables: Tables, changes: tuple[Change, ...]) -> str:
    """How many would move, over which lines, and what all of it costs."""
    try:
        found = tables.if_so(changes)
    except InputError as error:
        return reading(escape(str(error)))
    if not changes:
        return reading(word("managers.nothing_changed", pay=pay(tables, found.pay_before)))
    if not found.people.height:
        return reading(word("managers.nobody_moves", pay=pay(tables, found.pay_before)))
    up, down = ((found.people["points_change"] * sign > 0).sum() for sign in (1, -1))
    alone = (found.people.select((pl.col("points_change") == 0) & (pl.col("pay_change") == 0)).to_series()).sum()
    counts = {"n": found.people.height, "of": found.n, "up": up, "down": down}
    paid = {"before": pay(tables, found.pay_before), "after": pay(tables, found.pay_after),
            "change": pay(tables, found.pay_after - found.pay_before, signed=True)}  # fmt: skip
    ranks = word("managers.ranks_alone", n=theme.whole(alone)) if alone else ""
    text = word("managers.moved", **{key: theme.whole(value) for key, value in counts.items()}, **paid, ranks=ranks)
    return f'<p class="crmlab-verdict">{text}</p>{_over_lines(tables, found)}'


def lines(tables: Tables, found: Moved) -> pl.DataFrame:
    """A row a line, the best first: line (null: below all), n_before, n_after, and how many rose and fell to it."""
    order = _order(tables)
    moved = _placed(found.people, order)
    before = tables.before()["line"]
    rows = []
    for line, place in sorted(order.items(), key=lambda one: -one[1]):
        here, came, went = (before.eq_missing(line)).sum(), moved.filter(after=place), moved.filter(before=place)
        rose = came.filter(pl.col("after") > pl.col("before")).height
        fell = came.filter(pl.col("after") < pl.col("before")).height
        left = went.filter(pl.col("after") != pl.col("before")).height
        rows.append((line, here, here - left + rose + fell, rose, fell))
    names = {"line": pl.String} | dict.fromkeys(("n_before", "n_after", "n_rose", "n_fell"), pl.Int64)
    return pl.DataFrame(rows, names, orient="row")


def _over_lines(tables: Tables, found: Moved) -> str:
    """The table of lines, and who crosses one."""
    moved = tables.named(_placed(found.people, _order(tables)))
    texts = []
    for key, is_way in (("rise", pl.col("after") > pl.col("before")), ("fall", pl.col("after") < pl.col("before"))):
        who = moved.filter(is_way).sort("manager")
        names = [word("managers.to_line", name=escape(row["manager"]), line=_line(row["line_after"]))
                 for row in who.head(FIRST).iter_rows(named=True)]  # fmt: skip
        if names:
            more = word("managers.and_more", n=who.height - FIRST) if who.height > FIRST else ""
            texts.append(word(f"managers.lines_{key}", n=theme.whole(who.height), names=", ".join(names) + more))
    if not texts:
        return reading(word("managers.no_line_moves"))
    head = [word(f"managers.line_{one}") for one in ("name", "before", "after", "rose", "fell")]
    rows = [(_line(row[0]), *(theme.whole(n) for n in row[1:])) for row in lines(tables, found).iter_rows()]
    return f'{reading(" ".join(texts))}<div class="crmlab-narrow">{small_table(head, rows, "tnnnn")}</div>'


def _order(tables: Tables) -> dict[str | None, int]:
    """Where the lines come, the lowest first; below all of them is nothing."""
    return {line: place for place, line in enumerate(dict.fromkeys([None, *_named_lines(tables)]))}


def _named_lines(tables: Tables) -> list[str]:
    return [line.name for card in tables.cards for line in card.lines]


def _placed(people: pl.DataFrame, order: dict[str | None, int]) -> pl.DataFrame:
    ends = {end: pl.col(f"line_{end}").replace_strict(order, return_dtype=pl.Int64) for end in ("before", "after")}
    return people.with_columns(**ends)


def _standing(tables: Tables, wanted: Wanted) -> ipywidgets.Box:
    """A button a change, which undoes it, and one that undoes them all."""
    box = block("crmlab-changes")

    def show(_: object = None) -> None:
        buttons = [_button(_said(tables, one), lambda _, one=one: _undo(wanted, one)) for one in wanted.value]
        undo = _button(word("managers.undo_all"), lambda _: setattr(wanted, "value", ())) if buttons else None
        box.children = [ipywidgets.HTML(word("managers.changed_so_far")), *buttons, undo] if undo else []

    wanted.observe(show, "value")
    show()
    return box


def _undo(wanted: Wanted, one: Change) -> None:
    wanted.value = with_change(wanted.value, Change(one.card, one.rule))


def _button(text: str, pressed: Callable[[ipywidgets.Button], None]) -> ipywidgets.Button:
    made = ipywidgets.Button(description=text).add_class("crmlab-button")
    made.on_click(pressed)
    return made


def _said(tables: Tables, one: Change) -> str:
    """A change in words."""
    rule = rule_of(tables.cards, one.card, one.rule)
    parts = []
    if one.part != AS_IT_IS:
        what = "weight" if rule.weight is not None else "points"
        parts.append(f"{word(f'managers.part_{what}')} {_written(part_of(rule, one.part))}")
    if one.asked != AS_IT_IS:
        asked = word(f"managers.asked_{asks(rule)}")
        parts.append(f"{asked} {word('managers.of_today', percent=one.asked)}")
    told = ", ".join(part[:1].lower() + part[1:] for part in parts)
    return word("managers.one_change", card=one.card, rule=one.rule, told=told)


def _rules(tables: Tables, card: str) -> list[tuple[str, str]]:
    return [(one.name, one.name) for of in tables.cards if of.name == card for one in of.rules]


def _parts(rule: ScoreRule) -> list[tuple[str, int]]:
    return [(word("managers.of_it", percent=one, points=_written(part_of(rule, one))), one) for one in PARTS]


def _set(slider: ipywidgets.SelectionSlider, name: str, options: list[tuple[str, int]], value: int) -> None:
    kind = "part" if name in ("weight", "points") else "asked"
    slider.description = word(f"managers.{kind}_{name}")
    if list(slider.options) != options:
        slider.options = options
    slider.value = value


def _written(thousandths: int) -> str:
    return f"{thousandths / 1000:g}"


def _line(name: str | None) -> str:
    return escape(named("line_reached", name)) if name else word("managers.below_lines")
