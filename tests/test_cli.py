"""The command line: what each command prints and how it ends, and that bad input is one sentence."""

import gzip
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import crmlab as crm
from crmlab import cli
from tests import banks

ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(capsys):
    """Run `crmlab` with arguments: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def refused(capsys):
    """Arguments that the parser itself refuses: exit code and standard error."""

    def refused(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert out == ""
        return left.value.code, err

    return refused


@pytest.fixture
def six(tmp_path) -> Path:
    return banks.six(tmp_path / "extracts")


def is_one_sentence(err: str) -> bool:
    return err.startswith("crmlab: ") and err.count("\n") == 1 and err.rstrip()[-1] in ".?" and "Traceback" not in err


# -- what each command does


def test_without_a_command_help_is_shown(run):
    code, out, err = run()
    assert (code, err) == (2, "")
    for command in ("simulate", "check", "policy", "build", "dash", "lab"):
        assert f"\n    {command} " in out


def test_simulate_writes_a_bank_that_check_finds_clean_and_build_shows(run, tmp_path):
    bank, mart = tmp_path / "bank", tmp_path / "mart"
    code, out, _ = run("simulate", bank, "--customers", 60, "--months", 3, "--seed", 5)
    assert (code, out) == (0, f"Wrote 60 customers and 3 months to {bank}.\n")
    code, out, _ = run("check", bank)
    assert code == 0
    assert out.startswith("The bank as of 2023-03-31; ")
    assert out.endswith("\nClean within tolerance.\n")
    code, out, _ = run("build", bank, "--as-of", "2023-03-31", "--mart", mart)
    n = crm.mart.open(mart).page("roster").height
    assert (code, out) == (0, f"{mart} now shows 2023-03-31: {n} customers, 0 rows rejected.\n")
    assert 40 < n <= 60


def test_check_ends_with_1_where_something_breaks(run, six):
    code, out, err = run("check", six)
    assert (code, err) == (1, "")
    assert out.endswith("\nNot clean: 1 account without an anchor.\n")


def test_check_looks_from_the_day_it_is_told(run, six):
    code, out, _ = run("check", six, "--as-of", "2024-01-31")
    assert out.startswith("The bank as of 2024-01-31; transactions delivered from 2024-01-01 to 2024-03-31.")
    assert "Known by that day: 6 customers, 6 accounts (CNY, USD), 3 transactions." in out
    assert code == 1


def test_check_keeps_what_it_landed_only_when_asked_and_writes_rejects(run, six, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with (six / "transactions.csv").open("a") as file:
        file.write("A9,2024-01-05,7.00,payment,customer\n")
    (six / "policy.toml").write_text("[landing]\nmax_reject_share = 0.5\n")
    code, out, _ = run("check", six)
    assert code == 1
    assert "1 of 16 transactions" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["extracts"]
    run("check", six, "--landed", tmp_path / "landed", "--rejects", tmp_path / "rejects")
    assert len(list((tmp_path / "landed").iterdir())) == 1
    rejects = pl.concat(pl.read_csv(path, infer_schema=False) for path in (tmp_path / "rejects").glob("*.csv"))
    assert rejects["account_id"].to_list() == ["A9"]


def test_policy_tells_our_rules_without_a_folder(run):
    code, out, err = run("policy")
    assert (code, err) == (0, "")
    assert out.startswith("Product lines\n  Deposits, wealth and insurance make up AUM.\n")
    assert "Transfer prices" not in out


def test_policy_tells_a_banks_rules_and_its_transfer_prices_on_a_day(run, tmp_path, monkeypatch):
    curve = [
        {"currency": "CNY", "line": "deposits", "term_months": 12, "on": on, "rate": rate}
        for on, rate in (("2024-01-01", "2.35%"), ("2024-03-01", "2.25%"))
    ]
    bank = banks.six(tmp_path / "extracts", ftp_curve=curve)
    (bank / "policy.toml").write_text("[activity]\nwindow_days = 30\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code, out, _ = run("policy", bank, "--as-of", "2024-02-29")
    assert code == 0
    assert "  A customer without one for 30 days is not active.\n" in out
    assert out.endswith(
        "\n\nTransfer prices as of 2024-02-29\n"
        "  Deposits in CNY of 12 months made on 2024-01-01 earn 2.35 % (FTP) less the client rate.\n"
    )
    latest = "made on 2024-03-01 earn 2.25 % (FTP) less the client rate.\n"
    assert run("policy", bank)[1].endswith(latest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["extracts"]


def test_policy_says_that_a_bank_has_no_transfer_prices(run, six):
    code, out, _ = run("policy", six)
    assert code == 0
    assert out.endswith("\nTransfer prices as of 2024-03-31\n  The bank delivers none known by that day.\n")


@pytest.mark.parametrize("command", ["check", "build"])
def test_progress_is_shown_on_standard_error_only(capsys, six, tmp_path, monkeypatch, command):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    more = ["--as-of", "2024-03-31", "--mart", str(tmp_path / "mart")] if command == "build" else []
    cli.main([command, str(six), *more])
    out, err = capsys.readouterr()
    assert "\rtransactions     100 % " in err
    assert ("\rmonths           100 % " in err) == (command == "build")
    assert "100 %" not in out
    assert "\r" not in out


def test_no_progress_where_nobody_watches(capsys, six):
    cli.main(["check", str(six)])
    assert capsys.readouterr().err == ""


def test_dash_serves_the_mart_on_the_port(run, six, tmp_path, monkeypatch):
    crm.build(six, "2024-03-31", tmp_path / "mart")
    served = []
    server = type(sys)("crmlab.views.server")
    server.serve = lambda mart, port: served.append((mart, port))
    monkeypatch.setitem(sys.modules, "crmlab.views.server", server)
    assert run("dash", "--mart", tmp_path / "mart", "--port", 8123)[0] == 0
    assert served == [(tmp_path / "mart", 8123)]


def test_lab_opens_the_notebooks_on_the_mart(run, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "call", lambda command, env: calls.append((command, env["CRMLAB_MART"])) or 0)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert run("lab", "--mart", tmp_path / "mart", "--notebooks", tmp_path)[0] == 0
    [(command, mart)] = calls
    assert [word for word in command if word != "--allow-root"] == [sys.executable, "-m", "jupyterlab", str(tmp_path)]
    assert mart == str(tmp_path / "mart")


# -- bad input


HEAD = "account_id,booked_on,amount,kind\n"
BAD = {  # a file of the extracts, what stands in it instead, what is said
    "missing table": ("accounts.csv", None, "has no table accounts, which is required"),
    "near miss of a table": ("acounts.csv", "accounts.csv", "Did you mean accounts by acounts.csv? Rename it."),
    "missing column": ("transactions.csv", "account_id,amount,kind\nA1,1,card\n", "has no column booked_on"),
    "near miss of a column": ("transactions.csv", HEAD.replace("_on", "_no"), "Did you mean booked_on by booked_no?"),
    "wrong type": ("transactions.csv", HEAD + "A1,2024-01-02,abc,card\n", "has an amount that is not"),
    "wrong date": ("transactions.csv", HEAD + "A1,yesterday,1.00,card\n", "has a booked_on that is not"),
    "empty table": ("transactions.csv", HEAD, "The table transactions has no rows"),
    "empty file": ("transactions.csv", "", "transactions.csv is empty"),
    "half-written Parquet": ("parties.parquet", b"PAR1 and then nothing", "half-written"),
    "half-written gzip": ("parties.csv.gz", gzip.compress(b"customer_id,party_id\n" * 99)[:-9], "half-written"),
    "wrong encoding": ("parties.csv", b"customer_id,party_id\nC1,\xff\xff\n", "line 2"),
    "duplicate keys": ("products.csv", "product_id,line\nP-CUR,deposits\nP-CUR,loans\n", "share their product_id"),
    "wrong rule": ("policy.toml", "[landing]\nmax_reject_shar = 1\n", "line 2: max_reject_shar is not a rule"),
    "torn rules": ("policy.toml", "[landing", "is not valid TOML"),
    "rules of another alphabet": ("policy.toml", b"\xff\xfe[", "policy.toml is not UTF-8. Save it as UTF-8."),
}


def spoil(folder: Path, name: str, content: str | bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    elif content == "accounts.csv":
        (folder / content).rename(folder / name)
    else:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("command", ["check", "policy", "build"])
@pytest.mark.parametrize("case", BAD)
def test_bad_extracts_are_one_sentence(run, six, tmp_path, command, case):
    *file, says = BAD[case]
    spoil(six, *file)
    if command != "build":
        code, out, err = run(command, six)
    else:
        code, out, err = run("build", six, "--as-of", "2024-03-31", "--mart", tmp_path / "mart")
        with pytest.raises(crm.InputError, match="There is no mart"):
            crm.mart.open(tmp_path / "mart")
    assert (code, out) == (2, "")
    assert is_one_sentence(err), err
    assert says in err


ELSEWHERE = {  # arguments, what is said; {} is the folder of the test
    "missing folder": (["check", "{}/nowhere"], "There is no folder {}/nowhere."),
    "near miss of a folder": (["check", "{}/extract"], "Did you mean {}/extracts?"),
    "a file for a folder": (["check", "{}/extracts/accounts.csv"], "is a file. Name the folder"),
    "rules of a missing folder": (["policy", "{}/nowhere"], "There is no folder {}/nowhere."),
    "a day without a bank": (["policy", "--as-of", "2024-03-31"], "Name the folder of its extracts"),
    "check before the first transaction": (["check", "{}/extracts", "--as-of", "2023-12-31"], "first transaction"),
    "build before the first transaction": (
        ["build", "{}/extracts", "--as-of", "2023-12-31", "--mart", "{}/mart"],
        "as_of 2023-12-31 is before the first transaction, 2024-01-01",
    ),
    "a file for a mart": (
        ["build", "{}/extracts", "--as-of", "2024-03-31", "--mart", "{}/extracts/accounts.csv"],
        "accounts.csv: File exists.",
    ),
    "no mart": (["dash", "--mart", "{}/mart"], "There is no mart in {}/mart. Build one: crmlab build"),
    "mart of another version": (["dash", "--mart", "{}/other"], "is of format 99, this crmlab reads format 6"),
    "no notebooks": (["lab", "--notebooks", "{}/none"], "There is no folder {}/none. Name it with --notebooks."),
    "simulate into a bank": (["simulate", "{}/extracts"], "{}/extracts is not an empty folder"),
    "too few customers": (["simulate", "{}/bank", "--customers", "3"], "customers is 3"),
    "no month": (["simulate", "{}/bank", "--months", "0"], "months is 0"),
    "all dirt": (["simulate", "{}/bank", "--dirt", "1.5"], "dirt is 1.5"),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_other_bad_input_is_one_sentence(run, six, tmp_path, case):
    other = tmp_path / "other"
    (other / "snapshots" / "x").mkdir(parents=True)
    (other / "CURRENT").write_text("x\n")
    (other / "snapshots" / "x" / "manifest.json").write_text('{"format": 99}')
    arguments, says = ELSEWHERE[case]
    code, out, err = run(*(argument.replace("{}", str(tmp_path)) for argument in arguments))
    assert (code, out) == (2, "")
    assert is_one_sentence(err), err
    assert says.replace("{}", str(tmp_path)) in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["build", "x", "--as-of", "tomorrow"], "argument --as-of: 'tomorrow' is not a date such as 2025-12-31"),
        (["check", "x", "--as-of", "2024-02-30"], "argument --as-of: '2024-02-30' is not a date such as 2025-12-31"),
        (["build", "x"], "the following arguments are required: --as-of"),
        (["bild", "x"], "invalid choice: 'bild'"),
        (["simulate", "x", "--customers", "many"], "invalid int value: 'many'"),
    ],
)
def test_arguments_that_make_no_sense(refused, arguments, says):
    code, err = refused(*arguments)
    assert code == 2
    assert err.rstrip().splitlines()[-1].startswith("crmlab")
    assert says in err


def test_ctrl_c_is_no_traceback(run, six, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("crmlab.bank.read.land", interrupted)
    code, out, err = run("check", six)
    assert (code, out, err) == (130, "", "")


# -- as a program


def test_as_a_program_in_its_own_process(six, tmp_path):
    def program(*arguments: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "crmlab.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)

    checked = program("check", six)
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (1, "Not clean: 1 account without an anchor.")
    built = program("build", six, "--as-of", "2024-03-31", "--mart", tmp_path / "mart")
    assert (built.returncode, built.stderr) == (0, "")
    assert crm.mart.open(tmp_path / "mart").as_of == date(2024, 3, 31)
    failed = program("dash", "--mart", tmp_path / "none")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert is_one_sentence(failed.stderr), failed.stderr
