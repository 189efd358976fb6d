"""The house rules a machine can see: who imports whom, who touches disk, how long files are, what is tracked."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from crmlab.bank.schema import TABLES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "crmlab"

# What a measure and a page both compute, from frames alone: a page may load it.
PURE = {
    "measures.movement", "measures.concentration", "measures.completeness", "measures.funnel", "measures.segments",
    "measures.transitions", "measures.uncertainty", "measures.spending", "measures.channels", "measures.maturity",
    "measures.churn.worklist", "measures.churn.followup", "measures.churn.winback",
    "measures.crosssell.affinity", "measures.crosssell.attachment", "measures.crosssell.eligibility",
    "measures.campaigns.limits", "measures.campaigns.sketch", "measures.campaigns.effect", "measures.campaigns.outcome",
    "measures.managers.points", "measures.managers.scoring", "measures.managers.sentences", "measures.managers.pay",
    "measures.managers.whatif", "measures.managers.planning", "measures.managers.bridging",
    "measures.campaigns.offered",
}  # fmt: skip
# A module belongs to the room with the longest matching prefix. What a room may import, itself and errors always:
MAY_IMPORT = {
    "errors": set(),
    "policy": set(),
    "bank": {"policy"},
    "simulate": {"bank", "policy"},
    "panel": {"bank", "policy"},
    "measures": {
        *PURE,
        "measures.growth",
        "measures.history",
        "measures.months",
        "measures.given",
        "panel",
        "bank",
        "policy",
    },
    "measures.months": set(),
    "measures.given": set(),
    "measures.movement": {"measures.months", "measures.given", "policy"},
    "measures.concentration": {"measures.given", "policy"},
    "measures.completeness": {"measures.given", "policy"},
    "measures.funnel": {"measures.given", "measures.uncertainty"},
    "measures.spending": {"measures.given", "measures.uncertainty"},
    "measures.channels": {"measures.given", "measures.uncertainty", "policy"},
    "measures.uncertainty": set(),
    "measures.maturity": {"measures.given", "measures.uncertainty"},
    "measures.churn.worklist": {"measures.given", "measures.uncertainty", "measures.churn.followup", "policy"},
    "measures.churn.followup": {"measures.given", "measures.uncertainty"},
    "measures.churn.winback": {"measures.given", "measures.uncertainty", "policy"},
    "measures.crosssell.affinity": {"measures.given", "measures.uncertainty"},
    "measures.crosssell.attachment": {"measures.given", "measures.uncertainty"},
    "measures.crosssell.eligibility": {"measures.given", "policy"},
    "measures.campaigns.limits": {"measures.given"},
    "measures.campaigns.sketch": {"measures.given", "measures.campaigns.limits"},
    "measures.campaigns.effect": {"measures.uncertainty"},
    "measures.campaigns.outcome": {"measures.given", "measures.uncertainty", "measures.campaigns.effect"},
    "measures.campaigns.offered": {"measures.given"},
    "measures.managers.bridging": {"measures.given", "measures.movement"},
    "measures.managers.points": {"measures.given", "policy"},
    "measures.managers.scoring": {"measures.given", "measures.managers.points", "policy"},
    "measures.managers.sentences": {"measures.managers.scoring", "policy"},
    "measures.managers.pay": {"measures.given", "measures.managers.points", "policy"},
    "measures.managers.whatif": {"measures.given", "measures.managers.scoring", "measures.managers.pay", "policy"},
    "measures.managers.planning": {"measures.given", "measures.uncertainty", "policy"},
    "measures.transitions": {"measures.given", "measures.uncertainty"},
    "measures.history": {"measures.given", "measures.months"},
    "measures.growth": {"measures.given", "measures.history", "policy"},
    "measures.segments": {"measures.given", "measures.growth", "measures.history", "measures.uncertainty", "policy"},
    "mart.snapshot": {"policy"},
    "mart.ledger": {"mart.snapshot", "policy"},
    "mart": {*PURE, "mart.ledger", "mart.snapshot", "measures", "panel", "bank", "policy"},
    "views.words": set(),
    "views.theme": {"views.words"},
    "views.figures": {"views.theme", "views.words"},
    "views": {*PURE, "views.figures", "views.theme", "views.words", "mart.ledger", "mart.snapshot", "policy"},
    "cli": {*PURE, "mart", "mart.ledger", "mart.snapshot", "measures", "panel", "bank", "simulate", "policy", "views"},
}
HEAVY = {"pandas", "scipy", "sklearn", "lifelines", "matplotlib"}
DRAWING = {"plotly", "ipywidgets", "anywidget", "voila"}
FORBIDDEN_LIBRARIES = {
    "bank": HEAVY | DRAWING,
    "simulate": HEAVY | DRAWING,
    "panel": HEAVY | DRAWING,
    "measures": DRAWING,
    "mart.snapshot": HEAVY | DRAWING,
    "mart.ledger": HEAVY | DRAWING,
    "views": HEAVY,
    "views.figures": HEAVY | DRAWING - {"plotly"},
}
MAY_TOUCH_DISK = ("bank", "simulate", "mart", "cli")
DISK_CALL = re.compile(r"(read|write|scan|sink)_\w+|mkdir|unlink|rmtree|touch")
DISK_EXCEPTIONS = {
    ("policy.parse", "read_text"): "the rules are a file, read once on load",
    ("views.plotly_view", "read_bytes"): "plotly's script, shipped in its package",
    ("views.server", "read_bytes"): "the scripts and styles a page is made of",
    ("views.widgets", "write_csv"): "a list to download, written into memory",
    ("views.excel", "write_row"): "the heading of a list to download, written into memory",
    ("panel.flows", "scan_parquet"): "the landed months are opened by the engine that sums them",
    ("panel.flows", "read_parquet"): "the landed months are opened by the engine that sums them",
}
LINES_AT_MOST = 350


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Dotted name below the package -> file; a package's own name stands for its ``__init__.py``."""
    names = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(tree: ast.AST, module: str, is_package: bool = False) -> set[str]:
    """Everything a module imports, at its top or inside a function, as absolute dotted names."""
    here = ["crmlab", *[part for part in module.split(".") if part]]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = node.level - is_package
            base = ".".join(here[: len(here) - up]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    """The room a dotted name below the package lies in; empty for the table of contents."""
    fits = [name for name in MAY_IMPORT if module == name or module.startswith(f"{name}.")]
    return max(fits, key=len, default="")


def misdirected(module: str, tree: ast.AST, is_package: bool = False) -> list[str]:
    """Sentences about imports that run against the direction of the house."""
    here = room(module)
    said = []
    for name in sorted(imports(tree, module, is_package)):
        top, _, rest = name.partition(".")
        if top == "crmlab" and (there := room(rest)) and there not in MAY_IMPORT[here] | {here, "errors"}:
            said.append(f"{module} ({here}) imports {name} ({there})")
        if any(top in libraries for prefix, libraries in FORBIDDEN_LIBRARIES.items() if room_within(here, prefix)):
            said.append(f"{module} ({here}) imports {top}")
        if top in {"pandas", "lifelines"} and module != "measures.survival":
            said.append(f"{module} imports {top}, which only measures.survival may")
    return said


def room_within(name: str, prefix: str) -> bool:
    """Whether a room is another or lies in it."""
    return name == prefix or name.startswith(f"{prefix}.")


def disk_calls(tree: ast.AST) -> set[str]:
    """Names of the calls in a module that reach for a disk."""
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    attributes = {func.attr for func in called if isinstance(func, ast.Attribute)}
    opened = {func.id for func in called if isinstance(func, ast.Name) and func.id == "open"}
    return {name for name in attributes if DISK_CALL.fullmatch(name)} | opened


def hidden_modules(package: ModuleType, submodules: set[str]) -> list[str]:
    """Modules that cannot be reached as an attribute of their package, because something else bears their name."""
    lazy = getattr(package, "__getattr__", lambda name: None)
    offered = {name: vars(package).get(name) or lazy(name) for name in submodules & {*dir(package), *vars(package)}}
    return [name for name, value in offered.items() if not isinstance(value, ModuleType)]


def undocumented(module: str, tree: ast.Module) -> list[str]:
    """Public functions of a module without a docstring."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [
        f"{module}.{node.name}" for node in functions if not node.name.startswith("_") and not ast.get_docstring(node)
    ]


def definitions(notebook: dict) -> list[str]:
    """Functions and classes defined in a notebook's code cells."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.lstrip().startswith(("%", "!"))]
            kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
            found += [node.name for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, kinds)]
    return found


def carries_output(notebook: dict) -> bool:
    """Whether any code cell of a notebook was saved with what it printed or with its run number."""
    return any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])


def registry_addresses(text: str) -> list[str]:
    """Lines that say where a package is to be fetched from."""
    address = re.compile(r"(extra-)?index[-]url|find[-]links|registry *= *[\"']?https?:|https?:\S+\.(whl|tar\.gz)\b")
    return [line for line in text.splitlines() if address.search(line)]


def tracked(*patterns: str) -> list[Path]:
    """Files under version control."""
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in modules().items()}
NOTEBOOKS = {path.relative_to(ROOT).as_posix(): json.loads(path.read_text("utf-8")) for path in tracked("*.ipynb")}


@pytest.mark.parametrize("module", TREES)
def test_imports_run_one_way(module):
    assert misdirected(module, TREES[module], modules()[module].name == "__init__.py") == []


def test_every_module_has_a_room():
    assert [name for name in TREES if name and not room(name) and "." in name] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bank.read", "from crmlab.panel import facts"),
        ("bank.read", "from crmlab import panel"),
        ("bank.read", "from ..panel import facts"),
        ("panel", "def f():\n    import crmlab.measures.rfm"),
        ("measures.rfm", "import plotly.graph_objects as go"),
        ("measures.rfm", "import pandas as pd"),
        ("mart.snapshot", "from crmlab.mart.build import publish"),
        ("mart.snapshot", "from scipy import stats"),
        ("views.pages.overview", "from crmlab.bank import schema"),
        ("views.figures.rfm", "from crmlab.measures import rfm"),
        ("views.figures.rfm", "import ipywidgets"),
        ("views.theme", "from crmlab.views import widgets"),
        ("errors", "from crmlab import policy"),
    ],
)
def test_an_import_against_the_direction_is_seen(module, source):
    assert misdirected(module, ast.parse(source))


def test_imports_in_the_direction_pass():
    assert misdirected("measures.rfm", ast.parse("import polars as pl\nfrom crmlab.errors import InputError")) == []
    assert misdirected("views.pages.overview", ast.parse("from crmlab.mart.snapshot import open")) == []


def test_pages_load_nothing_heavy():
    views = [f"crmlab.{name}" for name in TREES if room(name).startswith("views") or name == "mart.snapshot"]
    loaded = f"import {', '.join(['crmlab', *views])}; import sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, cwd=ROOT)
    # These packages are tables of contents, loaded with any module of them.
    near = {"measures", "measures.churn", "measures.crosssell", "measures.campaigns", "measures.managers"}
    far = [name for name in TREES if room(name) in {"bank", "panel", "measures"} and name not in near]
    heavy = HEAVY | {f"crmlab.{name}" for name in (*far, "mart.build")}
    assert heavy & set(run.stdout.split()) == set()


@pytest.mark.parametrize("module", TREES)
def test_only_four_rooms_touch_disk(module):
    if not any(room_within(room(module), name) for name in MAY_TOUCH_DISK):
        assert {call for call in disk_calls(TREES[module]) if (module, call) not in DISK_EXCEPTIONS} == set()


def test_every_exception_for_the_disk_is_still_needed():
    assert [pair for pair in DISK_EXCEPTIONS if pair[1] not in disk_calls(TREES[pair[0]])] == []


def test_a_call_that_touches_disk_is_seen():
    source = "pl.scan_parquet(p); frame.write_csv(p); open(p); path.read_text(); crm.mart.open(p)"
    assert disk_calls(ast.parse(source)) == {"scan_parquet", "write_csv", "open", "read_text"}


def test_files_are_small():
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in tracked("crmlab/*.py")
    }
    assert {name: n for name, n in lines.items() if n > LINES_AT_MOST} == {}


@pytest.mark.parametrize("name", [name for name, path in modules().items() if path.name == "__init__.py"])
def test_no_function_bears_the_name_of_a_module_on_the_same_path(name):
    package = importlib.import_module(f"crmlab.{name}".rstrip("."))
    submodules = {other.rpartition(".")[2] for other in TREES if other and other.rpartition(".")[0] == name}
    assert hidden_modules(package, submodules) == []


def test_a_function_that_hides_a_module_is_seen():
    package, module = ModuleType("churn"), ModuleType("definition")
    package.model, package.definition = len, module
    assert hidden_modules(package, {"model", "definition", "backtest"}) == ["model"]
    lazy = ModuleType("lazy")
    lazy.__getattr__, lazy.__dir__ = {"model": len}.get, lambda: ["model"]
    assert hidden_modules(lazy, {"model"}) == ["model"]


def test_public_functions_say_what_they_give():
    assert [line for name, tree in TREES.items() for line in undocumented(name, tree)] == []


def test_a_missing_docstring_is_seen():
    assert undocumented("m", ast.parse('def f(): ...\ndef _g(): ...\ndef h():\n    "Says."')) == ["m.f"]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_when_it_is_known(table):
    columns = {name: column.metadata or {} for name, column in TABLES[table].columns().items()}
    assert [name for name, meta in columns.items() if meta.get("time") not in {"fixed", "dated", "current"}] == []
    assert [name for name, meta in columns.items() if meta["time"] == "dated" and meta.get("by") not in columns] == []


def test_notebooks_define_nothing_and_dashboards_are_saved_empty():
    assert {name: found for name, notebook in NOTEBOOKS.items() if (found := definitions(notebook))} == {}
    assert [name for name, nb in NOTEBOOKS.items() if name.startswith("dashboards/") and carries_output(nb)] == []


def test_a_definition_and_an_output_in_a_notebook_are_seen():
    cell = {"cell_type": "code", "source": ["%matplotlib inline\n", "def f():\n", "    pass"], "outputs": [{}]}
    assert definitions({"cells": [cell]}) == ["f"]
    assert carries_output({"cells": [cell]})
    assert not carries_output({"cells": [{"cell_type": "markdown", "source": "def f(): no code"}]})


def test_tracked_files_are_small_and_name_no_registry():
    files = tracked()
    assert [path.name for path in files if path.stat().st_size > 8 * 2**20] == []
    texts = {path: path.read_bytes().decode("utf-8", "ignore") for path in files}
    assert {path.name: lines for path, text in texts.items() if (lines := registry_addresses(text))} == {}


def test_a_registry_address_is_seen():
    bad = ["--index" + "-url here", "a @ https" + "://a.example/a-1.0.whl", "--find" + "-links /opt"]
    assert registry_addresses("\n".join([*bad, "polars==2.1.0 \\"])) == bad
