import json
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Kd

from kdcli.glossary import find, terms


@pytest.mark.parametrize("width", [40, 100])
def test_a_term_is_explained_in_lines_that_fit(kd: Kd, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = kd("explain", "temperature", "scaling")
    term = find("temperature scaling")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "temperature scaling"
    assert max(map(len, lines)) <= width
    whole = " ".join(outcome.out.split())
    assert whole == " ".join(
        [
            term.name,
            f"also: {', '.join(term.also)}",
            *term.paragraphs,
            f"see also: {', '.join(term.see)}",
        ]
    )


def test_without_a_term_all_are_listed_in_groups(kd: Kd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    outcome = kd("explain")
    assert outcome.code == 0
    blocks = outcome.out.split("\n\n")
    for term in terms():
        (block,) = (block for block in blocks if block.startswith(f"{term.group}\n"))
        assert term.name in " ".join(block.split())
    assert blocks[-1] == "`kd explain temperature` explains a term.\n"
    assert kd("explain", "--quiet").out == ""


def test_the_documents(kd: Kd) -> None:
    document = json.loads(kd("explain", "nll", "--json").out)
    assert document["term"] == "NLL"
    assert document["group"] == "Metrics"
    assert "log loss" in document["also"]
    assert document["text"] == " ".join(find("nll").paragraphs)
    assert document["see_also"] == list(find("nll").see)
    everything = json.loads(kd("explain", "--json").out)["terms"]
    assert document in everything
    assert len(everything) == len(terms())


def test_an_unknown_term_is_wrong_usage(kd: Kd) -> None:
    outcome = kd("explain", "dark", "knowlege")
    assert outcome.code == 2
    assert "kd has no term 'dark knowlege'; did you mean dark knowledge?" in outcome.err
    assert "`kd explain` lists all terms" in outcome.err
    assert set(json.loads(kd("explain", "nothing", "at", "all", "--json").out)) == {"error", "hint"}


def test_it_needs_no_run_and_writes_nothing(kd: Kd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_RUN", "nowhere")
    assert kd("explain", "power").code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "T"]])
def test_it_answers_without_importing_what_takes_long(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom kdcli.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit as stopped: assert not stopped.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'polars'}\n"
        "print(heavy & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"
