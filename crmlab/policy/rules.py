"""What the rules are once they are read: frozen rows, and most words that a rule may use."""

from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from crmlab.policy.departing import Churn, Leaving, LifeValue, Worklist
from crmlab.policy.managing import Duty, Managing, PayPlan, Weights
from crmlab.policy.offering import Campaigns, CrossSell, Eligibility, Trigger
from crmlab.policy.scoring import Scorecard

ENTRY_KINDS = (
    "payment", "card", "cash", "transfer", "salary", "own_transfer", "principal", "interest", "fee", "reversal",
)  # fmt: skip
INITIATORS = ("customer", "counterparty", "mandate", "bank")
CLASSES = ("deposits", "loans", "investments", "services")
CHANNELS = ("counter", "atm", "online", "mobile", "pos", "system")
FIVE_GRADES = ("normal", "special mention", "substandard", "doubtful", "loss")
POINT_BASES = ("average", "fee", "transaction")
TIER_VALUES = ("aum_average", "contribution", "points", "weighted_average")
GROWTH = ("falling", "steady", "rising")
WORDS_OF_A_NAME = ("first", "last")
# What of a customer may be missing and is not merely true of today; a contact person is a row of another table.
FIELDS = (
    "branch_id", "name", "national_id", "mobile", "address", "birth_on", "founded_on", "industry", "referred_by_id",
    "legal_rep_id", "contact_person",
)  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """A named box of RFM cells; each range is inclusive."""

    name: str
    r: tuple[int, int]
    f: tuple[int, int]
    m: tuple[int, int]

    def cells(self) -> list[tuple[int, int, int]]:
        """The (r, f, m) cells of the box."""
        return list(product(*(range(low, high + 1) for low, high in (self.r, self.f, self.m))))


@dataclass(frozen=True)
class Pricing:
    """What a balance earns inside the bank: which curve funds which line, and how days are counted."""

    tenors: tuple[int, ...]  # months at which a curve is quoted, 0 (demand) first
    curves: dict[str, str]  # product line -> line of ftp_curve; other lines bear no margin
    overdraft_curve: str  # funds a negative balance of a deposit
    overdraft_rate: int  # client rate of an overdraft, millionths a year
    accrual_days: int  # beyond so many days overdue no client interest accrues
    day_count: dict[str, int]  # currency -> days of a year

    def year_days(self, currency: str) -> int:
        """Days that a year of interest is divided by, in a currency; 365 where the rules name none.

        Examples
        --------
        >>> from crmlab.policy import load
        >>> pricing = load().pricing
        >>> pricing.year_days("USD"), pricing.year_days("CNY"), pricing.year_days("XAU")
        (360, 365, 365)
        """
        return self.day_count.get(currency, 365)


@dataclass(frozen=True)
class Contribution:
    """What the components of contribution cost and yield; every rate and share in millionths."""

    cost: dict[str, int]  # channel -> minor units of the base currency a transaction
    substituted_share: int  # of online and mobile transactions, those that replace one at the counter
    commission_on_balance: dict[str, int]  # line -> a year, of the average balance
    commission_on_turnover: dict[str, int]  # line -> of what is spent
    pd: dict[str, int]  # risk grade -> a year
    pd_by_class: dict[str, int]  # five-grade class -> a year, where there is no grade
    lgd: dict[str, int]  # collateral; "none" where there is none, or one that is not listed
    conversion: dict[str, int]  # line -> of the undrawn limit, what counts as exposure
    capital: dict[str, int]  # line -> a year, of exposure
    tax: int  # of what is left after costs and losses
    points: dict[
        str, dict[str, int]
    ]  # line -> basis -> millionths of a point for one major unit or transaction, a month

    @property
    def components(self) -> tuple[str, ...]:
        """The components that add up to contribution; capital and tax only where the bank has a rule for them.

        Examples
        --------
        >>> from crmlab.policy import load
        >>> load().contribution.components
        ('margin', 'fee', 'service_cost', 'expected_loss')
        """
        more = [name for name, rule in (("capital", self.capital), ("tax", self.tax)) if rule]
        return ("margin", "fee", "service_cost", "expected_loss", *more)


@dataclass(frozen=True)
class Deviation:
    """When a quarter end is a spike: closing exceeds the month's average by `flag` of it and by `least`, at least."""

    flag: int  # millionths of the average
    least: Decimal  # major units of the base currency


@dataclass(frozen=True)
class Level:
    """One level of a tier rule; the lowest has neither bound."""

    name: str
    lower: int | None  # inclusive: minor units of the base currency, or thousandths of a point
    top: int | None  # millionths of the customers of a kind, by rank: the best fifth is 200000


@dataclass(frozen=True)
class TierRule:
    """How customers are put into ordered levels, and what keeps them there."""

    name: str
    on: str  # one of TIER_VALUES
    months: int  # averaged (aum_average, weighted_average) or added (contribution, points)
    assessed: tuple[int, ...]  # months of the year at whose end it is assessed
    buffer: int  # millionths: a customer falls only below lower × (1 − buffer)
    confirm: int  # assessments in a row that must call for a fall; a promotion is at once
    near: int  # millionths of a threshold: closer than that is near it
    weights: dict[str, int]  # asset class, else line -> millionths, for weighted_average
    levels: tuple[Level, ...]  # lowest first


@dataclass(frozen=True)
class Completeness:
    """What must be known about a key customer."""

    key_tiers: tuple[str, ...]  # levels of the first tier rule
    fields: dict[str, tuple[str, ...]]  # kind -> columns of customers, or contact_person


@dataclass(frozen=True)
class Growth:
    """When average AUM rises or falls: by `change` of what it was and by `least`, at least; else it is steady."""

    months: int  # the last so many months are held against as many before them
    change: int  # millionths of the average before
    least: int  # minor units of the base currency


@dataclass(frozen=True)
class ActivityLevel:
    """How long ago a customer last did something."""

    name: str
    within: int | None  # fewer days than this before the month's end; the lowest level has no bound


@dataclass(frozen=True)
class DynamicSegment:
    """A named box of cells activity × earning × growth, with what it means and what to do about it."""

    name: str
    activity: tuple[str, ...]
    earning: tuple[str, ...]
    growth: tuple[str, ...]
    means: str
    do: str

    def cells(self) -> list[tuple[str, str, str]]:
        """The (activity, earning, growth) cells of the box."""
        return list(product(self.activity, self.earning, self.growth))


@dataclass(frozen=True)
class Segmentation:
    """How active customers are, what they earn the bank, and the segments these make together with growth."""

    contribution_months: int  # earning is the contribution of so many months
    activity: tuple[ActivityLevel, ...]  # lowest first
    earning: tuple[Level, ...]  # lowest first; by rank within kind and month, or by amount
    rows: tuple[DynamicSegment, ...]  # together each cell once


@dataclass(frozen=True)
class LifeCycle:
    """How long a customer is new, and how long won back."""

    new_months: int
    won_back_months: int


@dataclass(frozen=True)
class Groups:
    """What keeps a household small."""

    max_household: int
    surname: str  # which word of a name it is: "first" or "last"


@dataclass(frozen=True)
class Funnel:
    """When a lead may be judged."""

    settle_days: int  # a younger one is counted, not judged


@dataclass(frozen=True)
class Clusters:
    """How behaviour clusters are sought, and when they are to be relied on."""

    k: tuple[int, int]  # the fewest and the most clusters of a kind
    resamples: int
    floor: int  # millionths of the adjusted Rand index: below it a result is not to be relied on
    least: int  # fewer customers of a kind are not clustered
    seed: int


@dataclass(frozen=True)
class Profile:
    """What is worth telling of a group."""

    least_effect: int  # millionths of an effect size
    spending_months: int
    salary_months: int  # who had a salary in so many months has one


@dataclass(frozen=True)
class Policy:
    """One bank's rules; `hash` names all of them together."""

    base_currency: str
    minor_digits: dict[str, int]
    max_reject_share: float
    tolerance: Decimal
    lines: dict[str, str]
    activity_kinds: tuple[str, ...]
    activity_initiators: tuple[str, ...]
    activity_window_days: int
    large_inflow: Decimal
    rfm_window_days: int
    rfm_bands: int
    rfm_segments: tuple[Segment, ...]
    pricing: Pricing
    contribution: Contribution
    deviation: Deviation
    tiers: tuple[TierRule, ...]
    completeness: Completeness
    growth: Growth
    segmentation: Segmentation
    life_cycle: LifeCycle
    groups: Groups
    funnel: Funnel
    clusters: Clusters
    profile: Profile
    churn: Churn
    leaving: Leaving
    worklist: Worklist
    life_value: LifeValue
    crosssell: CrossSell
    triggers: tuple[Trigger, ...]
    eligibility: Eligibility
    campaigns: Campaigns
    managing: Managing
    recut: Weights
    duties: tuple[Duty, ...]
    scorecards: tuple[Scorecard, ...]
    pay: tuple[PayPlan, ...]
    hash: str

    @property
    def churn_words(self) -> str:
        """What leaving and dormancy mean, in a sentence.

        Examples
        --------
        >>> from crmlab.policy import load
        >>> load().churn_words.split("; ")[1]
        'dormant = open, but without anything the customer did for 90 days'
        """
        return (
            f"{self.churn}; dormant = open, but without anything the customer did for {self.activity_window_days} days"
        )

    def digits(self, currency: str) -> int:
        """Digits after the decimal point of a currency.

        Examples
        --------
        >>> from crmlab.policy import load
        >>> load().digits("JPY"), load().digits("CNY")
        (0, 2)
        """
        return self.minor_digits.get(currency, 2)

    def minor(self, amount: Decimal, currency: str) -> int:
        """An amount in major units as a whole number of minor units.

        Examples
        --------
        >>> from crmlab.policy import load
        >>> load().minor(Decimal("12.34"), "CNY")
        1234
        """
        return int(amount.scaleb(self.digits(currency)))

    def lines_of(self, *classes: str) -> list[str]:
        """The product lines that count as one of `classes`.

        Examples
        --------
        >>> from crmlab.policy import load
        >>> load().lines_of("deposits", "investments")
        ['deposits', 'wealth', 'insurance']
        """
        return [line for line, class_ in self.lines.items() if class_ in classes]
