"""What installs is what was locked, everything needed ships, and every dependency has its reason."""

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
NEEDED = {
    "requirements-build.lock": PROJECT["build-system"]["requires"],
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-test.lock": [*PROJECT["project"]["dependencies"], *EXTRAS["test"], *EXTRAS["bench"]],
}


def entries(text: str) -> list[str]:
    """A lock's entries, each joined to one line with its hashes."""
    return text.replace("\\\n", " ").splitlines()


def pins(text: str) -> list[Requirement]:
    """A lock's requirements without their hashes."""
    return [Requirement(entry.partition(" --hash")[0]) for entry in entries(text)]


def unmet(needed: list[str], locked: list[Requirement]) -> list[str]:
    """Requirements that no pin of a lock satisfies."""
    have = {canonicalize_name(pin.name): pin for pin in locked}
    missing = []
    for requirement in map(Requirement, needed):
        pin = have.get(canonicalize_name(requirement.name))
        if pin is None or not requirement.specifier.contains(next(iter(pin.specifier)).version):
            missing.append(str(requirement))
    return missing


def applying(lock: str) -> dict[str, str]:
    """Name -> version of the pins that hold on this machine."""
    locked = pins((ROOT / lock).read_text("utf-8"))
    here = [pin for pin in locked if pin.marker is None or pin.marker.evaluate()]
    return {pin.name: next(iter(pin.specifier)).version for pin in here}


@pytest.mark.parametrize("lock", NEEDED)
def test_a_lock_holds_what_the_project_asks_for(lock):
    assert unmet(NEEDED[lock], pins((ROOT / lock).read_text("utf-8"))) == []


@pytest.mark.parametrize("lock", NEEDED)
def test_every_locked_package_is_pinned_and_hashed(lock):
    pattern = re.compile(r"[\w.-]+==\S+ ( *; .*?)? *(--hash=sha256:[0-9a-f]{64} *)+")
    assert [entry for entry in entries((ROOT / lock).read_text("utf-8")) if not pattern.fullmatch(entry)] == []


def test_a_requirement_the_lock_does_not_meet_is_seen():
    locked = pins(
        "polars==2.1.0 \\\n    --hash=sha256:00\nnumpy==2.4.6 ; python_version < '3.12' \\\n    --hash=sha256:00"
    )
    assert unmet(["polars>=2.1,<3", "numpy"], locked) == []
    assert unmet(["polars>=3", "duckdb"], locked) == ["polars>=3", "duckdb"]


def test_tests_run_with_the_versions_that_people_get():
    assert applying("requirements.lock").items() <= applying("requirements-test.lock").items()


def test_what_is_installed_is_what_was_locked():
    locked = applying("requirements-test.lock")
    assert {name: version(name) for name in locked} == locked


def test_every_file_of_the_package_ships():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["crmlab"]
    files = subprocess.run(["git", "ls-files", "crmlab"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    inside = [name.removeprefix("crmlab/") for name in files.splitlines() if not name.endswith(".py")]
    assert [name for name in inside if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_every_dependency_has_its_reason():
    said = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = {Requirement(line).name for line in [*NEEDED["requirements-build.lock"], *NEEDED["requirements-test.lock"]]}
    assert [name for name in sorted(named) if f"`{name}`" not in said] == []


def test_make_help_lists_every_target_a_person_calls():
    text = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert [line.split()[1] for line in shown.stdout.splitlines()] == phony


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_a_page_names_only_make_targets_that_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    code = re.findall(r"```.*?```|`[^`\n]+`", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert [name for name in re.findall(r"\bmake ([a-z-]+)", " ".join(code)) if name not in targets] == []
