"""What a reader may rely on in every notebook; whether its outputs still hold is what `make test-notebooks` runs."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
GUARD = "# NBVAL_CHECK_OUTPUT"


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request) -> Path:
    return request.param


def sources(notebook: Path, kind: str) -> list[str]:
    return [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]
        if cell["cell_type"] == kind
    ]


def printed(notebook: Path) -> str:
    """What the guarded cells say, as plain text."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    outputs = [output for cell in cells if GUARD in "".join(cell["source"]) for output in cell["outputs"]]
    return "\n".join("".join(output.get("text") or output["data"]["text/plain"]) for output in outputs)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_the_finding_comes_first_and_its_limits_last(notebook):
    prose = sources(notebook, "markdown")
    headings = [line for cell in prose for line in cell.splitlines() if line.startswith("#")]
    assert prose[0].startswith("# ")
    assert NUMBER.search(headings[0])
    assert headings[-1] == "## What this cannot tell us"
    assert sum(line.startswith("# ") for line in headings) == 1


def test_cells_are_short_and_define_nothing(notebook):
    for cell in sources(notebook, "code"):
        lines = [line for line in cell.splitlines() if line.strip() and not line.startswith("#")]
        assert len(lines) <= 8, cell
        assert not re.search(r"^\s*(def|class)\b|\blambda\b", cell, re.MULTILINE), cell


def test_every_number_in_the_prose_is_printed_by_a_guarded_cell(notebook):
    told = set(NUMBER.findall("\n".join(sources(notebook, "markdown"))))
    assert told - set(NUMBER.findall(printed(notebook))) == set()


def test_no_output_tells_of_the_machine_it_ran_on(notebook):
    text = notebook.read_text("utf-8")
    cells = json.loads(text)["cells"]
    assert len(text) < 1_000_000
    assert all(not cell["metadata"] for cell in cells)
    assert not any(
        output["output_type"] == "error" or output.get("name") == "stderr"
        for cell in cells
        for output in cell.get("outputs", ())
    )
    assert not re.search(r"(?<![\w.])/(home|root|tmp|Users|usr)/", json.dumps([cell.get("outputs") for cell in cells]))
