"""Bad input about managers, as a bank meets it: on the command line, a sentence that says what, how many and which."""

import pytest

import crmlab as crm
from crmlab import cli
from tests import banks

BRANCHES = "branch_id,name,region,peer_group\nB1,North,N,small\nB2,South,S,large\n"
STAFF = """manager_id,name,branch_id,grade,joined_on,left_on
M1,Li Na,B1,manager,2020-01-01,
M2,Bo Ya,B2,associate,2020-01-01,
M3,Yu Xi,B2,associate,2020-01-01,2024-02-01
"""
ASSIGNED = """manager_id,role,scope,customer_id,share,from_on,to_on
M1,maintains,customer,C1,1.0,2020-01-01,
M2,maintains,customer,C2,1.0,2020-01-01,
"""
TARGETS = "measure,branch_id,manager_id,set_on,from_on,to_on,target\n{}"
RULE = 'name = "Money", measure = "{}", kind = "steps", every = "1", points = "1"'
CARD = f'[[scorecards]]\nname = "{{}}"\n{{}}\nrules = [{{{{ {RULE} }}}}]\n'
CARD_OF_MONEY = CARD.format("All", "", "net_new_money")


@pytest.fixture
def run(capsys, tmp_path):
    """Write tables and rules beside six customers and run `crmlab`: exit code, all it printed."""

    def run(command: str, rules: str = "", **tables: str) -> tuple[int, str]:
        folder = banks.six(tmp_path / "extracts")
        written = {"branches": BRANCHES, "managers": STAFF, "assignments": ASSIGNED} | tables
        for name, text in written.items():
            (folder / f"{name}.csv").write_text(text, "utf-8")
        (folder / "policy.toml").write_text(rules + "[landing]\nmax_reject_share = 0.9\n", "utf-8")
        more = ["--as-of", "2024-03-31", "--mart", str(tmp_path / "mart")] if command == "build" else []
        code = cli.main([command, str(folder), *more])
        return code, "".join(capsys.readouterr())

    return run


def target(measure: str, manager: str = "M1") -> str:
    return f"{measure},B1,{manager},2023-12-01,2024-01-01,2024-12-31,900\n"


@pytest.mark.parametrize(
    ("rules", "tables", "says"),
    [
        (
            "",
            {"assignments": ASSIGNED.replace("M2", "M1")},
            "1 manager at work without a customer on 2024-03-31 (first: M2), not assessed. Assign",
        ),
        (
            "",
            {"assignments": ASSIGNED + "M2,maintains,customer,C1,0.5,2024-01-10,\n"},
            "assigned beyond the whole: 1 (first: maintains customer C1, 150 % from 2024-01-10)",
        ),
        (
            "",
            {"assignments": ASSIGNED + "M2,maintains,customer,C3,1.0,2024-02-01,2024-01-01\n"},
            "1 of 3 assignments",
        ),
        (
            CARD_OF_MONEY,
            {"targets": TARGETS.format(target("n_contacts") + target("net_new_money") + target("net_new_money", "M2"))},
            "Targets of n_contacts count for nothing, 1 in all: no scorecard has a rule on it. Add one",
        ),
        (
            "",
            {"targets": TARGETS.format(target("n_contact"))},
            "Targets of n_contact count for nothing, 1 in all: managers are not assessed by it. Did you mean n_",
        ),
        (
            "",
            {"targets": TARGETS.format(target("net_new_money"))},
            "Nobody in 1 branch has a target for net_new_money as of 2024-03-31 (first: B2). Write them into the table",
        ),
        (
            CARD.format("Young", 'grades = ["asociate"]', "net_new_money") + CARD_OF_MONEY,
            {},
            "Scorecard Young is for the grade asociate, which does not occur. Did you mean associate?",
        ),
        (
            CARD.format("Tiny", 'peer_groups = ["tiny"]', "net_new_money") + CARD_OF_MONEY,
            {},
            "Scorecard Tiny is for the peer group tiny, which does not occur. Known: large, small.",
        ),
        (
            "",
            {"nominations": "customer_id,from_on,to_on\nC1,2024-01-01,\n"},
            "Nobody can meet the duties of the leader: no manager has a grade of managing.leader_grades (branch manager"
            "). Known: associate, manager.",
        ),
    ],
)
def test_check_tells_where_rules_and_managers_do_not_meet(run, rules, tables, says):
    _, printed = run("check", rules, **tables)
    assert says in printed


def test_where_all_meets_nothing_is_told_of_managers(run):
    both = target("net_new_money") + target("net_new_money", "M2")
    _, printed = run("check", CARD_OF_MONEY, targets=TARGETS.format(both))
    assert "Managers and the rules for them" not in printed


@pytest.mark.parametrize("command", ["policy", "check", "build"])
@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (CARD.format("All", "", "net_new_mony"), "measure is 'net_new_mony'. Did you mean net_new_money?"),
        (CARD_OF_MONEY + CARD.format("More", "", "net_new_money"), "scorecards have All before More, which fits all"),
        ('[[scorecards]]\nname = "None"\nrules = []\n', "rules is []; write a list of rules"),
        (
            '[[duties]]\nwho = ["gald"]\nby = "manager"\ntimes = 1\nper = "week"\n',
            "who names 'gald'. Did you mean gold",
        ),
        ('[[duties]]\nwho = ["key"]\nby = "boss"\ntimes = 1\nper = "week"\n', "by is 'boss'. Known: leader, middle"),
        ('[[pay]]\nname = "A"\nscorecards = ["Managers"]\nper_point = "1"\n', "pay leaves Associates without a plan"),
        (
            '[[pay]]\nname = "A"\nbands = [["60", "100"], ["80", "0"], ["90", "200"]]\n',
            "bands pays 0 after 100; let more points pay no less",
        ),
        (
            '[[pay]]\nname = "A"\nper_point = "1"\n[[pay]]\nname = "B"\nscorecards = ["Managers"]\nper_point = "1"\n',
            "pay gives B no card that a plan before it leaves",
        ),
    ],
)
def test_a_wrong_rule_ends_every_command_with_a_sentence(run, command, rules, says):
    code, printed = run(command, rules)
    assert code == 2
    assert says in printed
    assert printed.startswith("crmlab: policy.toml")
    assert "Traceback" not in printed


def test_build_goes_on_with_what_does_not_meet_and_keeps_it(run, tmp_path):
    code, printed = run(
        "build",
        assignments=ASSIGNED.replace("M2", "M1"),
        targets=TARGETS.format(target("n_contact") + target("n_contacts")),
    )
    assert code == 0, printed
    told = crm.mart.open(tmp_path / "mart").manifest["managers"]["unmet"]
    assert [sentence.split(" count ")[0] for sentence in told[:2]] == [
        "Targets of n_contact",
        "Targets of n_contacts",
    ]
    assert "without a customer" in told[-1]
