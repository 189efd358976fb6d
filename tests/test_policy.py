"""Rules are data: what a bank may change, and what it is told when it errs."""

import pytest

import crmlab as crm


def policy(tmp_path, text: str):
    path = tmp_path / "policy.toml"
    path.write_text(text, "utf-8")
    return crm.policy.load(path)


def test_a_banks_file_holds_only_what_differs(tmp_path):
    own = policy(tmp_path, '[activity]\nwindow_days = 30\n[minor_digits]\nXAU = 4\n[lines]\ninsurance = "services"\n')
    ours = crm.policy.load()
    assert (own.activity_window_days, own.digits("XAU"), own.digits("JPY")) == (30, 4, 0)
    assert own.activity_kinds == ours.activity_kinds
    assert own.lines_of("investments") == ["wealth"]
    assert own.hash != ours.hash


def test_the_hash_is_of_the_rules_and_not_of_their_layout(tmp_path):
    assert policy(tmp_path, "# ours, unchanged\n").hash == crm.policy.load().hash


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[activity\n", "is not valid TOML"),
        ("[activity]\nwindow_day = 3\n", "line 2: window_day is not a rule. Did you mean window_days?"),
        ("[activity]\nwindow_days = 0\n", "line 2: window_days is 0; write a whole number of at least 1"),
        ('[activity]\nkinds = ["pament"]\n', "names 'pament'. Did you mean payment?"),
        ("[activity]\nkinds = []\n", "write a list of names"),
        ("[landing]\nmax_reject_share = 2\n", "write a share from 0 to 1"),
        ('[landing]\ntolerance = "ten"\n', "write an amount"),
        ('[lines]\ndeposits = "deposit"\n', "counts as 'deposit'. Did you mean deposits?"),
        ('[lines]\ncrypto = "deposits"\n', "crypto is not a rule"),
        ("activity = 3\n", "activity must be a table"),
        (
            '[[rfm.segments]]\nname = "All"\nr = [1, 5]\nf = [1, 5]\nm = [1, 4]\n',
            "leave 25 of 125 cells out .first: .1, 1, 5",
        ),
        (
            '[[rfm.segments]]\nname = "All"\nr = [1, 5]\nf = [1, 5]\nm = [1, 5]\n'
            '[[rfm.segments]]\nname = "Top"\nr = [5, 5]\nf = [5, 5]\nm = [5, 5]\n',
            "put cell .5, 5, 5. into two, All and Top",
        ),
        ('[[rfm.segments]]\nname = "All"\n', "each need a name"),
        ('[[rfm.segments]]\nname = "All"\nr = [1, 6]\nf = [1, 5]\nm = [1, 5]\n', "have 25 cells outside 1 to 5"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line(tmp_path, text, says):
    with pytest.raises(crm.InputError, match=says):
        policy(tmp_path, text)


def test_a_file_that_is_not_there():
    with pytest.raises(crm.InputError, match="There is no policy file"):
        crm.policy.load("nowhere.toml")
