"""All words of the pages, by key, so that a second language can stand beside the first."""

WORDS = {
    "en": {
        # the frame around every page
        "app.name": "crmlab",
        "app.pages": "Pages",
        "app.as_of": "As of",
        "app.rejected": "Rejected rows",
        "app.definition": "Churn",
        "app.no_page": "There is no page “{page}”. Choose one of those above.",
        "app.no_customer": "There is no customer “{customer}” in the book of {as_of}.",
        "app.broken": "This page could not be built. The log of the server says why; tell whoever runs it.",
        "app.no_mart": "There is nothing to show yet",
        "app.loading": "Loading",
        "app.late": "This takes longer than it should.",
        "app.closed": "This page was closed after a long pause.",
        "app.again": "Load it again",
        "app.no_script": "These pages need JavaScript.",
        "app.draw_failed": "This could not be drawn. The log of the server says why.",
        # filters
        "filter.branch": "Branch",
        "filter.manager": "Manager",
        "filter.kind": "Customer kind",
        "filter.all_branches": "All branches",
        "filter.all_managers": "All managers",
        "filter.public": "No manager (branch-public)",
        "filter.all_kinds": "All kinds",
        "filter.count": "<b>{n}</b> of {of} customers",
        "filter.none": "No customer matches. Widen the branch, the manager or the kind.",
        # overview
        "overview.nav": "Overview",
        "overview.title": "How is the bank’s book doing?",
        "overview.decides": "To decide where to look next: which branch, which customers.",
        "unit.points": "pp",
        "tile.n_customers": "Customers",
        "tile.aum": "AUM",
        "tile.loans": "Loans outstanding",
        "tile.active_share": "Active share",
        "tile.lines_each": "Products per customer",
        "tile.month": "month",
        "tile.year": "year",
        "tile.note.n_customers": "with an open account",
        "tile.note.aum": "deposits + investments, closing",
        "tile.note.loans": "closing; not part of AUM",
        "tile.note.active_share": "{n} of {of} in {days} days",
        "tile.note.lines_each": "product lines held",
        "tile.small": "small group: {n} customers",
        "balances.title": "Balances by line",
        "balances.note": "Closing above average at a quarter’s end is money that came for the report.",
        "balances.deviation": "{month}: deposits closed {share} {side} their average of the month.",
        "balances.above": "above",
        "balances.below": "below",
        "balances.average": "average",
        "balances.closing": "closing",
        "balances.axis": "{currency}, {unit}",
        "balances.none": "No balances in this selection.",
        "grid.title": "Recency and frequency",
        "grid.note": "Area: customers. Colour: largest segment. Click a cell to list it.",
        "grid.r": "Recency band (5 = most recent)",
        "grid.f": "Frequency band (5 = most active days)",
        "grid.hover": "Recency {r}, frequency {f}<br><b>{n} customers</b><br>{split}",
        "grid.none": "No customers in this selection.",
        "list.title": "Customers",
        "list.of_cell": "Customers in {cells}",
        "list.cell": "R{r} F{f}",
        "list.clear": "Show all cells",
        "list.file": "customers",
        "card.title": "Customer {customer}",
        "card.close": "Close",
        # columns of the customer list
        "column.customer_no": "Customer",
        "column.name": "Name",
        "column.kind": "Kind",
        "column.branch_id": "Branch number",
        "column.branch": "Branch",
        "column.manager_id": "Manager number",
        "column.manager": "Manager",
        "column.since": "Since",
        "column.tenure_months": "Months with us",
        "column.segment": "Segment",
        "column.aum": "AUM",
        "column.aum_average": "AUM, average of month",
        "column.aum_change_month": "Change, month",
        "column.aum_change_year": "Change, year",
        "column.loans": "Loans",
        "column.deposits": "Deposits",
        "column.n_lines": "Lines",
        "column.is_active": "Active",
        "column.recency_days": "Days quiet",
        "column.frequency": "Active days",
        "column.monetary": "Turnover",
        "column.r": "R",
        "column.f": "F",
        "column.m": "M",
        # the table widget
        "table.search": "Search",
        "table.csv": "CSV",
        "table.excel": "Excel",
        "table.busy": "Preparing…",
        "table.range": "{from}–{to} of {total}",
        "table.previous": "Previous page",
        "table.next": "Next page",
        "table.empty": "No customer matches. Widen the filters or clear the search.",
        "table.yes": "yes",
        "table.no": "no",
        "figure.hint": "Arrow keys move between points, Enter selects.",
        # landing
        "landing.nav": "Data",
        "landing.title": "What are these pages made of?",
        "landing.decides": "To decide whether the numbers can be trusted today.",
        "landing.snapshot": "Snapshot",
        "landing.as_of": "As of",
        "landing.history_from": "History from",
        "landing.currency": "Base currency",
        "landing.policy": "Policy",
        "landing.input": "Input",
        "landing.versions": "Versions",
        "landing.churn": "Churn",
        "landing.activity": "Activity window",
        "landing.rfm": "RFM window",
        "landing.days": "{n} days",
        "landing.tables": "Rows by table",
        "landing.table": "Table",
        "landing.rows_in": "Delivered",
        "landing.loaded": "Loaded",
        "landing.rejected": "Rejected",
        "landing.share": "Share",
        "landing.rejects": "Rejects by rule",
        "landing.no_rejects": "Every row delivered was loaded.",
        "landing.rule": "Rule",
        "landing.n": "Rows",
        "landing.first": "First",
        "landing.says": "In words",
        "landing.controls": "Control totals",
        "landing.controls_note": "Loaded + rejected = delivered, to the unit.",
        "landing.measure": "Currency",
        "landing.sum_in": "Delivered",
        "landing.sum_loaded": "Loaded",
        "landing.sum_rejected": "Rejected",
        "landing.agrees": "Agrees",
        "landing.checks": "Checks",
        "landing.checks_note": "The report of crmlab check, as of the day of the snapshot.",
        "landing.clean": "Clean: flows, balances and keys agree within the tolerance of the policy.",
        "landing.not_clean": "Not clean: what does not agree is listed here.",
        "landing.bands": "What the bands mean",
        "landing.bands_note": "Customers are banded within their kind over the RFM window; 5 is best.",
        "landing.kind": "Kind",
        "landing.measured": "Measured",
        "landing.measure_r": "R: days since the customer last did something",
        "landing.measure_f": "F: days on which the customer did something",
        "landing.measure_m": "M: turnover, without transfers between own accounts",
        "landing.inputs": "Files read",
        "landing.file": "File",
        "landing.size": "Size",
        "landing.hash": "SHA-256",
        # values kept in the data
        "kind.retail": "Retail",
        "kind.small business": "Small business",
        "kind.corporate": "Corporate",
        "kind.institution": "Institution",
        "line.deposits": "Deposits",
        "line.loans": "Loans",
        "line.wealth": "Wealth",
        "line.insurance": "Insurance",
        "line.cards": "Cards",
        "line.settlement": "Settlement",
        "line.e-banking": "E-banking",
        "line.international": "International",
        "line.guarantees": "Guarantees",
    }
}
UNITS = {"en": ((1e9, "bn"), (1e6, "m"), (1e3, "k"))}
LANGUAGE = "en"


def word(key: str, **values: object) -> str:
    """The words of a key, with its gaps filled.

    Examples
    --------
    >>> word("filter.all_branches")
    'All branches'
    >>> word("list.cell", r=5, f=4)
    'R5 F4'
    """
    return WORDS[LANGUAGE][key].format(**values)


def named(group: str, value: str) -> str:
    """The words of a value that comes from the data; a value without words stands for itself.

    Examples
    --------
    >>> named("line", "wealth"), named("line", "leasing")
    ('Wealth', 'leasing')
    """
    return WORDS[LANGUAGE].get(f"{group}.{value}", value)


def units() -> tuple[tuple[float, str], ...]:
    """The steps in which large amounts are told, largest first."""
    return UNITS[LANGUAGE]
