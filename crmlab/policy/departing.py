"""The rules of leaving: what it means, how likely it is, whom to call, and what a customer is worth until then."""

from dataclasses import dataclass

from crmlab.policy.source import Source

CAUSES = ("closure", "run-off", "maturity", "salary")


@dataclass(frozen=True)
class Churn:
    """What leaving means."""

    causes: tuple[str, ...]  # of `CAUSES`, those that are looked for
    share: int  # millionths of the usual AUM: who keeps less has run off
    median_months: int  # what is usual is the median of so many months
    least_months: int  # of which so many must be known
    confirm_months: int  # a run counts once it has lasted so long
    floor: int  # minor units that a run must take at least
    maturity_days: int
    salary_months: int

    def __str__(self) -> str:
        share = f"below {self.share / 10_000:g} % of what was usual"
        told = {
            "closure": "last account closed",
            "run-off": f"AUM {share}, {self.confirm_months} months later still",
            "maturity": f"AUM {share} {self.maturity_days} days after a maturity",
            "salary": "salary or everyday account moved away",
        }
        return f"left = {', or '.join(told[cause] for cause in self.causes)}"


@dataclass(frozen=True)
class Leaving:
    """How likely leaving is, and how that is tested."""

    horizons: tuple[int, ...]  # months
    calibration_months: tuple[int, int]  # the fewest and the most
    train_months: int
    least_events: int
    budget: int  # millionths of all customers: those whom a bank can call


@dataclass(frozen=True)
class Worklist:
    """Whom to call."""

    save_rate: int  # millionths of those who would leave; assumed
    cost: int  # minor units a call
    calls: int  # a manager
    control_share: int  # millionths
    read_out_months: int
    maturing_days: int


@dataclass(frozen=True)
class LifeValue:
    """How far ahead a customer's worth is looked at, and what money costs until then."""

    months: int
    discount: int  # millionths a year


def churn(source: Source, base_digits: int) -> Churn:
    """The rules under ``[churn]``, money in minor units of a base currency with so many digits."""
    months = {name: source.whole("churn", name, least=1) for name in ("median_months", "least_months")}
    if months["least_months"] > months["median_months"]:
        raise source.error(
            ("churn", "least_months"),
            f"is {months['least_months']}; write at most {months['median_months']}, which is median_months.",
        )
    return Churn(
        causes=source.names("churn", "causes", known=CAUSES),
        share=source.share("churn", "share"),
        **months,
        confirm_months=source.whole("churn", "confirm_months", least=1),
        floor=source.minor("churn", "floor", digits=base_digits),
        maturity_days=source.whole("churn", "maturity_days", least=1),
        salary_months=source.whole("churn", "salary_months", least=1),
    )


def leaving(source: Source) -> Leaving:
    """The rules under ``[leaving]``."""
    return Leaving(
        horizons=source.wholes("leaving", "horizons", least=1, most=60),
        calibration_months=source.ends("leaving", "calibration_months", least=1, most=60),
        train_months=source.whole("leaving", "train_months", least=1),
        least_events=source.whole("leaving", "least_events", least=10),
        budget=source.share("leaving", "budget"),
    )


def worklist(source: Source, base_digits: int) -> Worklist:
    """The rules under ``[worklist]``, money in minor units of a base currency with so many digits."""
    return Worklist(
        save_rate=source.share("worklist", "save_rate"),
        cost=source.minor("worklist", "cost", digits=base_digits),
        calls=source.whole("worklist", "calls", least=1),
        control_share=source.share("worklist", "control_share"),
        read_out_months=source.whole("worklist", "read_out_months", least=1),
        maturing_days=source.whole("worklist", "maturing_days", least=1),
    )


def life_value(source: Source) -> LifeValue:
    """The rules under ``[life_value]``."""
    return LifeValue(
        months=source.whole("life_value", "months", least=1, most=600),
        discount=source.share("life_value", "discount"),
    )
