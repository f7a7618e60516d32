import re
import subprocess
import sys
from itertools import pairwise

import pytest
from harness import Kd
from hypothesis import given
from hypothesis import strategies as st

from kdcli.cli.main import COMMANDS
from kdcli.errors import UsageError
from kdcli.evidence.costs import Cost
from kdcli.figures import FIGURES, STUDY_FIGURES
from kdcli.glossary import FILE, find, linked, terms
from kdcli.metrics import METRICS
from kdcli.models import FAMILIES
from kdcli.report.evidence import COSTS
from kdcli.report.sentences import MECHANISMS
from kdcli.report.table import VERDICTS
from kdcli.report.terminal import PLAIN
from kdcli.runs.transfer import KINDS
from kdcli.store.state import State
from kdcli.targets import TARGETS

NAMES = [name for term in terms() for name in term.names]
VALUES = {"auto", "best", "last"}  # of options
MIXED = [*NAMES, *" .,-`/:=\n", "a", "s", "soft-T4", "kd"]  # of which texts are made
TEXTS = {term.name: " ".join(term.paragraphs) for term in terms()}
WORDS = """
    knowledge distillation; teacher; student; target; temperature; T²; logits; softmax; label weight; control;
    draw; seed; split; run; study; student set; recipe; stale; interval; verdict; Holm's correction; power;
    Bayes optimum; posterior; dark knowledge; label cleaning; regularisation; transfer set; ensemble;
    shrinkage; entropy; recall; prevalence; confidence; p-value; budget; parity; model card; golden vectors;
    up to date; differs; percentage points; nats; overfitted; macro recall; MACs; FLOPs; rebalancing
"""


def named(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names)


@named([word.strip() for word in WORDS.split(";")])
def test_the_field_has_its_words(name: str) -> None:
    assert find(name) == find(f"  {name.upper()} ")


@named([*METRICS, *(metric.title for metric in METRICS.values()), *(m.short for m in METRICS.values())])
def test_metrics_are_explained_by_their_names_and_titles(name: str) -> None:
    assert not name or find(name).group == "Metrics"


@named([*TARGETS, *(f"{name} labels" for name in TARGETS if name not in ("labels", "smooth", "self"))])
def test_targets_are_explained_by_their_names_and_as_sentences_have_them(name: str) -> None:
    assert find(name).group == "Targets"
    assert find(name).name == name.removesuffix(" labels")


@named(
    [
        *(*FIGURES, *STUDY_FIGURES, *FAMILIES, *KINDS, *State.__args__, *VERDICTS),  # type: ignore[attr-defined]
        *(word for word, _ in VERDICTS.values()),
        *(why for why in MECHANISMS.values() if why in NAMES),
        *(title for title, _ in COSTS.values()),
        *(name for name in Cost.__annotations__ if name in COSTS),
    ]
)
def test_what_kd_writes_is_explained(name: str) -> None:
    assert find(name)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("soft at T = 4", "soft"),
        ("soft, T = 1 (auto)", "soft"),
        ("smooth, ε = 0.1", "smooth"),
        ("smooth with ε = 0.1", "smooth"),
        ("labels (control)", "labels"),
        ("soft-T4-mlp4", "soft"),
        ("bayes-soft-tree-leaves8", "bayes-soft"),
        ("NLL (nats)", "NLL"),
        ("NLL, scaled", "temperature scaling"),
        ("inconcl.", "inconclusive"),
        ("T = 4", "temperature"),
        ("tree:max_leaf_nodes=16", "tree"),
        ("mlp:100, n = 2000", "network"),
        ("n = 500", "transfer set"),
        ("±", "interval"),
        ("vs labels", "control"),
        ("both ∞", "infinite NLL"),
        ("--temperature", "temperature"),
        ("--label-weight", "label weight"),
        ("label_weight", "label weight"),
        ("Posteriors", "posterior"),
        ("Brier scores", "Brier score"),
        ("balanced accuracies", "balanced accuracy"),
        ("temperature\n  scaling", "temperature scaling"),
    ],
)
def test_a_term_is_found_as_it_is_written(written: str, name: str) -> None:
    assert find(written).name == name


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("temprature", "temperature"),
        ("holms corection", "Holm's correction"),
        ("TEMPRATURE", "temperature"),
        ("xyzzy", ""),
        (" ", ""),
    ],
)
def test_an_unknown_term_gets_a_suggestion(written: str, suggested: str) -> None:
    with pytest.raises(UsageError) as raised:
        find(written)
    assert raised.value.message.endswith(f"did you mean {suggested}?" if suggested else "'")
    assert raised.value.message.startswith(f"kd has no term '{written}'")


def test_every_name_has_one_term_and_none_is_a_mere_variant() -> None:
    for term in terms():
        for name in term.names:
            assert find(name) == term
    bare = [re.sub(r"[\s_,-]", "", name.casefold()) for name in NAMES]
    assert len(set(bare)) == len(bare)
    assert not {f"{name}s" for name in NAMES} & {name for term in terms() for name in term.also}
    anchors = [term.anchor for term in terms()]
    assert len(set(anchors)) == len(anchors)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", anchor) and find(anchor) for anchor in anchors)


@named(list(TEXTS))
def test_a_paragraph_is_short_plain_and_leads_on(name: str) -> None:
    term = find(name)
    assert 1 <= len(term.paragraphs) <= 2
    assert 15 <= len(TEXTS[name].split()) <= 120
    assert term.see
    for other in term.see:
        assert find(other).name == other != name
    strange = {character for character in "".join((*term.names, TEXTS[name])) if not character.isascii()}
    assert strange <= set(PLAIN)  # so that any terminal can show it
    assert TEXTS[name].count("`") % 2 == 0
    assert not re.search(r"[*_\[\]<>#](?![^`]*`)", re.sub("`[^`]*`", "", TEXTS[name]))


def test_terms_that_are_named_as_code_exist() -> None:
    for name, text in TEXTS.items():
        for code in re.findall("`([^`]*)`", text):
            assert code in VALUES or not code.isalpha() or find(code), name


def test_commands_and_options_in_paragraphs_exist(kd: Kd) -> None:
    helps = {command: kd(command, "--help").out for command in COMMANDS}
    for text in [*TEXTS.values(), FILE.read_text(encoding="utf-8").partition("#")[0]]:
        for command, words in re.findall(r"`kd ([\w-]+)([^`]*)`", text):
            for option in re.findall(r"--[\w-]+", words):
                assert option in helps[command]
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text):
            assert any(option in page for page in helps.values()), option


def test_lines_of_the_file_are_short() -> None:
    assert max(map(len, FILE.read_text(encoding="utf-8").splitlines())) <= 110


def test_the_first_mention_of_each_term_is_linked() -> None:
    text = "Soft labels at T = 4 beat labels; label cleaning does not. The teacher's labels are soft labels."
    assert linked(text) == [
        ("Soft labels", "soft"),
        (" at ", None),
        ("T", "temperature"),
        (" = 4 beat ", None),
        ("labels", "labels"),
        ("; ", None),
        ("label cleaning", "label-cleaning"),
        (" does not. The ", None),
        ("teacher", "teacher"),
        ("'s labels are soft labels.", None),
    ]
    assert [piece for piece, anchor in linked(text, without=["soft", "labels"]) if anchor] == [
        "T",
        "label cleaning",
        "teacher",
    ]


@pytest.mark.parametrize(
    "text",
    [
        *("", "softly", "unsoft", "soft-T4-mlp4", "soft_labels", "students/soft", "a t", "--temperature"),
        *("soft-boiled", "pre-teacher", "tree:max_depth=3", "teacher.py", "=soft", "`kd distill soft`"),
        *("run it again, spread it evenly and take a random row of the rest", "by itself, for once"),
    ],
)
def test_what_is_no_word_of_its_own_is_not_linked(text: str) -> None:
    assert linked(text) == ([(text, None)] if text else [])


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("one (student) more", "student"),
        ("the students, and", "students"),
        ("the\nBayes\noptimum", "Bayes\noptimum"),
        ("in temperature-scaling terms", "temperature-scaling"),
        ("KL(teacher ‖ student) is", "KL(teacher ‖ student)"),
        ("“accuracies”", "accuracies"),
        ("a teacher.", "teacher"),
        ("targets: soft", "targets"),
        ("spread, T = 4", "spread"),
        ("Random at T = 4", "Random"),
    ],
)
def test_a_whole_word_is_linked_wherever_it_stands(text: str, piece: str) -> None:
    assert (piece, find(piece).anchor) in linked(text)


@given(st.lists(st.sampled_from(MIXED), max_size=12).map("".join))
def test_pieces_are_the_text_and_each_anchor_stands_once(text: str) -> None:
    pieces = linked(text)
    assert "".join(piece for piece, _ in pieces) == text
    anchors = [anchor for _, anchor in pieces if anchor]
    assert len(set(anchors)) == len(anchors)
    assert all(piece for piece, _ in pieces)
    assert all(find(piece).anchor == anchor for piece, anchor in pieces if anchor)
    assert all(one[1] or other[1] for one, other in pairwise(pieces))
    again = linked(text, without=anchors)
    assert not {anchor for _, anchor in again if anchor} & set(anchors)


def test_the_file_is_read_when_a_term_is_asked_for() -> None:
    script = (
        "import sys, kdcli.glossary as g; assert not g.terms.cache_info().currsize; g.find('soft'); "
        "print([m for m in ('torch', 'numpy', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
