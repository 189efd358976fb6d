"""The tables of `managers` as a reader asks for them."""

from datetime import date
from functools import cache, lru_cache

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.measures.managers import whatif
from crmlab.policy import MEASURES, PayPlan, Scorecard, ScoreRule
from crmlab.policy.scoring import MONEY, Entry, Line
from crmlab.views import theme
from crmlab.views.book import ALL, scope
from crmlab.views.managers.changing import Change, changed, with_targets
from crmlab.views.words import named, word

ABOVE = {name: name for name in ("watch_lower", "watch_upper", "limit_lower", "limit_upper", "lower", "upper")}
ABOVE |= {"lasting": "long_run", "away": "observed"}
VERDICTS = ["clearly above", "as expected", "clearly below", "too few to say"]


class Tables:
    """What several parts ask for with the same controls is computed once and kept."""

    def __init__(self, mart: Mart):
        self.mart = mart
        told = mart.manifest["managers"]
        self.cards = tuple(_card(one) for one in told["scorecards"])
        self.plans = tuple(PayPlan(**_tuples(one)) for one in told["pay"])
        self.without: dict[str, str] = told["without"]
        self.span: tuple[str, str] = (told["from_on"], told["to_on"])
        self.protection_days: int = told["protection_days"]
        self.branches = dict(mart.page("branches").select("branch_id", pl.coalesce("name", "branch_id")).rows())
        self.managers = dict(mart.page("managers").select("manager_id", pl.coalesce("name", "manager_id")).rows())
        self.home = dict(mart.page("managers").select("manager_id", "branch_id").rows())
        self.left = dict(mart.page("managers").drop_nulls("left_on").select("manager_id", "left_on").rows())
        self.staff = cache(self._staff)
        self.now, self.before, self.scored_by = cache(self._now), cache(self._before), cache(self._scored_by)
        self.if_so, self.differences = lru_cache(8)(self._if_so), lru_cache(12)(self._differences)
        self.behind = lru_cache(4)(self._behind)

    def page(self, name: str, **chosen: str) -> pl.DataFrame:
        """A page table as far as the filters leave it; nothing where it could not be made."""
        found = self.mart.page(name)
        return scope(found, **chosen) if found.width else found

    def none_told(self) -> str | None:
        """Why nothing at all can be told of managers, where that is so."""
        if any(self.mart.page(name).height for name in ("fairness", "totals", "book_bridges", "duties")):
            return None
        return next(iter(self.without.values()), word("managers.none_here"))

    def branch(self, branch_id: str | None) -> str:
        """A branch by its name."""
        return self.branches.get(branch_id, branch_id or "")

    def manager(self, manager_id: str | None) -> str:
        """A manager by name."""
        return self.managers.get(manager_id, manager_id or "")

    def called(self, manager_id: str) -> str:
        """A manager by name, with the month in which they left."""
        name, left = self.manager(manager_id), self.left.get(manager_id)
        return word("managers.left", name=name, month=f"{left:%Y-%m}") if left else name

    def named(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the names of manager and branch."""
        of = {"manager": ("manager_id", self.managers), "branch": ("branch_id", self.branches)}
        return rows.with_columns(
            pl.col(key).replace_strict(names, default=pl.col(key), return_dtype=pl.String).alias(name)
            for name, (key, names) in of.items()
            if key in rows.columns
        )

    def measures(self) -> list[str]:
        """The measures of which something is told given the book, in the order of the mart."""
        found = self.mart.page("fairness")
        return found["measure"].unique(maintain_order=True).to_list() if found.width else []

    def judged(self, measure: str | None, branch: str = ALL) -> pl.DataFrame:
        """The managers' rows of `fairness` of one measure."""
        found = self.page("fairness", branch=branch)
        return found.filter(pl.col("measure") == measure) if found.width else found

    def most_used(self, card: str) -> int:
        """Where a card comes among others by how many are scored with it: less is more."""
        found = self.page("totals")
        return -found.filter(pl.col("card") == card)["manager_id"].n_unique() if found.width else 0

    def _differences(self, measure: str | None, branch: str = ALL) -> pl.DataFrame:
        """The rows of `fairness` of a measure, each amount as a difference from expected a customer, told in words.

        Of rates it is a share of cases, of money it is in major units. Columns added: manager, branch, status, did and
        would (observed and expected), ratio of these (of rates), away, lasting, text; the limits and the interval are
        differences, too.
        """
        rows = self.judged(measure, branch)
        if not rows.height:
            return rows
        size = 10**self.mart.minor_digits if MEASURES.get(measure) == MONEY else 1
        customers = pl.col("n_customers") * float(size)
        per = pl.when(pl.col("kind") == "rate").then(pl.col("n").cast(pl.Float64)).otherwise(customers)
        is_rate = pl.col("kind") == "rate"  # of a net amount, which may be about nothing, a ratio says nothing
        level = {"did": pl.col("observed"), "would": pl.col("expected")}
        above = {name: pl.col(of) - pl.col("expected") for name, of in ABOVE.items()}
        watched = pl.when("is_watch").then(pl.lit("watch")).otherwise("verdict")
        told = self.named(rows).with_columns(
            **{name: more / pl.when(per > 0).then(per) for name, more in (level | above).items()},
            status=watched,
            ratio=pl.when(is_rate).then("observed_to_expected"),
        )
        texts = [_told(row, self.mart.base_currency) for row in told.iter_rows(named=True)]
        return told.with_columns(text=pl.Series(texts, dtype=pl.String))

    def _behind(self, manager: str, every: str, period: date, measure: str | None) -> pl.DataFrame:
        """The rows behind a measure of a manager in a month, quarter or year; a rule without a measure has none."""
        asked = {"manager_id": manager, "every": every, "period": period, "measure": measure or ""}
        return self.mart.behind.filter(**asked).collect()

    def _staff(self) -> pl.DataFrame:
        """manager_id, grade and peer_group, as they were when assessed last, of whoever is compared and was here."""
        known, judged = self.mart.page("assessed"), self.mart.page("fairness")
        if not judged.width:
            return pl.DataFrame(schema=dict.fromkeys(("manager_id", "grade", "peer_group"), pl.String))
        gone = [one for one, day in self.left.items() if day < date.fromisoformat(self.span[0])]
        staff = judged.select("manager_id", "peer_group").unique(maintain_order=True)
        staff = staff.filter(~pl.col("manager_id").is_in(gone))
        if not known.width:
            return staff.select("manager_id", pl.lit(None, pl.String).alias("grade"), "peer_group")
        grades = known.sort("period").group_by("manager_id").agg(pl.col("grade").last())
        return staff.join(grades, on="manager_id", how="left").select("manager_id", "grade", "peer_group")

    def _now(self) -> pl.DataFrame:
        """What is scored of everybody's last period."""
        found = self.mart.page("assessed")
        return found.filter(pl.col("period") == pl.col("period").max().over("every")) if found.width else found

    def _before(self) -> pl.DataFrame:
        """Points, lines and pay under the rules as they are."""
        return whatif.outcome(self.now(), self.cards, self.plans)

    def _scored_by(self, card: str) -> pl.DataFrame:
        """What a card asks of those whom it scores."""
        own = self.before().filter(pl.col("card") == card)["manager_id"].implode()
        asked = [one.measure for of in self.cards if of.name == card for one in (*of.entries, *of.rules)]
        return self.now().filter(pl.col("manager_id").is_in(own), pl.col("measure").is_in(asked))

    def _if_so(self, changes: tuple[Change, ...]) -> whatif.Moved:
        """Who moves if rules were as a reader wants them; only cards with a change are scored again."""
        of_card = {name: [one for one in changes if one.card == name] for name in {one.card for one in changes}}
        parts = [self.before().filter(~pl.col("card").is_in(list(of_card)))]
        for card in (one for one in self.cards if one.name in of_card):
            own, made = self.scored_by(card.name), changed(card, of_card[card.name])
            if own.height:
                parts.append(whatif.outcome(*with_targets(own, made, of_card[card.name]), self.plans))
        return whatif.moved(self.before(), pl.concat(parts))


def worth(value: float | None, is_rate: bool, is_change: bool = False) -> str:
    """A share of cases, or an amount a customer, or a difference of either.

    Examples
    --------
    >>> worth(0.25, True), worth(0.25, True, is_change=True), worth(1234.5, False), worth(None, True)
    ('25.0 %', '+25.0 pp', '1,234', '–')
    """
    if value is None:
        return "–"
    if is_rate:
        return theme.points(value) if is_change else theme.share(value)
    return theme.full(value, signed=is_change)


def _card(row: dict) -> Scorecard:
    """A scorecard as it was before it was written down as JSON."""
    parts = {"rules": ScoreRule, "entries": Entry, "lines": Line}
    made = {name: tuple(kind(**_tuples(one)) for one in row[name]) for name, kind in parts.items()}
    return Scorecard(**_tuples(row) | made)


def _tuples(row: dict) -> dict:
    return {key: _tuple(value) for key, value in row.items()}


def _tuple(value: object) -> object:
    return tuple(_tuple(one) for one in value) if isinstance(value, list) else value


def _told(row: dict, currency: str) -> str:
    """What is said of a manager at a point."""
    verdict = named("manager_verdict", row["status"])
    about = {"manager": row["manager"], "branch": row["branch"], "n": theme.whole(row["n_customers"])}
    is_rate, ratio = row["kind"] == "rate", row["ratio"]
    of = "" if ratio is None else word("managers.times", ratio=f"{ratio:.2f}")
    about |= {name: worth(row[name], is_rate) for name in ("did", "would")}
    about |= {"each": word(f"managers.each_{row['kind']}", currency=currency), "verdict": verdict, "ratio": of}
    if row["why"]:
        return word("managers.hover_few", **about, why=row["why"])
    told = {name: worth(row[name], is_rate, is_change=True) for name in ("away", "lasting", "lower", "upper")}
    return word("managers.hover", **about, **told)
