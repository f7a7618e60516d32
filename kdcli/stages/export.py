"""`kd export`: a student as one file, with proof that it predicts the same outside kd."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kdcli.errors import Command, KdError, UsageError
from kdcli.evidence.choosing import Budget, choose
from kdcli.evidence.costs import Cost, measure_costs
from kdcli.evidence.gather import gather
from kdcli.exports import FORMATS, Exported, FormatKind, find_format
from kdcli.exports.kind import TOLERANCE
from kdcli.exports.literals import numbers
from kdcli.exports.proof import Proof, Unproven, prove
from kdcli.metrics import measure
from kdcli.progress import Watch, unwatched
from kdcli.report.card import NAME, SCORES, Card, intended_use, mark_of, markdown
from kdcli.report.proof import proof_table, proof_text
from kdcli.report.told import Line, Told
from kdcli.report.words import wrote
from kdcli.runs.experiment import Experiment
from kdcli.runs.leaving import Leaving, leaving
from kdcli.runs.predictor import Predictor, students_of
from kdcli.runs.stored import Trained, TrainedStudents
from kdcli.scored import Scored
from kdcli.store import replacing, to_json, write_synced

STDOUT, DEFAULT = "-", "python"
ELSEWHERE = "an external model"  # not named, since its name may be a private command


@dataclass(frozen=True)
class StudentExported:
    """The result of `kd export`: `content` if it goes to stdout, else the files, the export itself first.

    `choose` is the command that shows why this student set was chosen; None if the set was named.
    """

    student: Exported
    file_format: str
    choose: Command | None
    paths: tuple[Path, ...]
    content: bytes
    proof: Proof | Unproven
    costs: Mapping[str, Cost]

    def told(self) -> Iterator[Told]:
        """Return the proof and the paths, or the content itself."""
        if not self.paths:
            yield self.content.decode().rstrip("\n")
            return
        yield Line(f"{self.student.who}: {self.file_format}", wrap=True)
        if self.choose:
            chosen = ("The set is the smallest within half a point of the best; ", self.choose, " shows all.")
            yield Line(chosen, wrap=True)
        yield Line(self.proven, wrap=True)
        yield ""
        yield proof_table(self.paths[0].name, self.proof, self.costs)
        yield from map(wrote, self.paths)

    @property
    def proven(self) -> str:
        """The proof in words."""
        return proof_text(self.proof)

    def document(self) -> dict[str, Any]:
        """Return the proof, the costs and the paths; the content only if no file was written."""
        facts = self.student.facts
        return {
            **{key: facts[key] for key in ("run", "students", "seed", "draw")},
            **({} if self.paths else {"content": self.content.decode()}),
            "format": self.file_format,
            "path": str(self.paths[0]) if self.paths else None,
            "files": list(map(str, self.paths)),
            "proven": isinstance(self.proof, Proof),
            "proof": asdict(self.proof),
            "cost": {name: asdict(cost) for name, cost in self.costs.items()},
        }


def export(
    experiment: Experiment,
    folder: str | None = None,
    *,
    file_format: str | None = None,
    out: str | None = None,
    encoded: bool = False,
    seed: int | None = None,
    draw: int = 0,
    force: bool = False,
    watch: Watch = unwatched,
) -> StudentExported:
    """Export a student of the set in `folder`, or of the smallest good set, as one file with a model card.

    The student is that of `seed`, else the best on validation examples. It is written to the file `out`,
    whose suffix may give the format, or to a folder of the run. Raises `UsageError` for an unknown set, seed,
    draw or format, or a format that cannot hold the student, and `KdError` if the file predicts something
    else than the student, or would replace another file without `force`; then nothing is written.
    """
    file_format = _format_of(file_format, out)
    kind = find_format(file_format)
    _check(kind, out, encoded=encoded)
    names = (
        [folder] if folder else [c.trained.folder for c in choose(experiment, Budget()).candidates if c.fits]
    )
    trained, left = _prepared(experiment, names, kind, seed, draw, encoded=encoded)
    _check_replaced(out, left.student, force=force)
    file = Path(out).name if out and out != STDOUT else f"{trained.folder}{kind.suffix}"
    content = kind.write(left.student)
    with watch(f"proving {file}", 1, "file", 1):
        proof = _proven(kind, file, content, left)
    costs: Mapping[str, Cost] = {}
    paths: tuple[Path, ...] = ()
    if out != STDOUT:
        costs = _costs(experiment, trained)
        card = _card(experiment, trained, file, kind, left.student, proof, costs)
        paths = _written(experiment, out, f"{trained.folder}-{file_format}", content, card)
    choice = None if folder else experiment.run.command("choose")
    return StudentExported(left.student, file_format, choice, paths, content, proof, costs)


def _format_of(named: str | None, out: str | None) -> str:
    """Return the named format, or that of the file's suffix; raises `UsageError` if they differ."""
    suffix = Path(out).suffix.lower() if out and out != STDOUT else ""
    told = {**{kind.suffix: name for name, kind in FORMATS.items()}, ".js": "javascript"}.get(suffix)
    if named and told and named != told:
        raise UsageError(
            f"--out: {suffix} is the suffix of {told}, but --format is {named}", "leave out one of them"
        )
    return named or told or DEFAULT


def _check_replaced(out: str | None, student: Exported, *, force: bool) -> None:
    """Raise `KdError` if the file would replace anything but an export of the same set."""
    if force or not out or out == STDOUT or not os.path.isfile(out):
        return
    with suppress(OSError, ValueError, KeyError, TypeError):
        before = json.loads(Path(f"{out}.golden.json").read_text(encoding="utf-8"))["from"]
        if all(before[key] == student.facts[key] for key in ("run", "students")):
            return
    raise KdError(f"{out} exists and is not an export of {student.facts['students']}", "--force replaces it")


def _check(kind: FormatKind, out: str | None, *, encoded: bool) -> None:
    """Raise `UsageError` for what a format does not offer."""
    if encoded and not kind.encodes:
        raise UsageError(f"--encoded does not apply to {kind.summary}", "it needs --format onnx")
    if out and Path(out).name.endswith(NAME):
        raise UsageError(f"--out: {NAME} is the name of the model card", "give the export another name")
    if out and out.endswith(("/", os.sep)):
        raise UsageError(f"--out: {out} is a folder", f"name a file in it, such as {out}student{kind.suffix}")
    if out == STDOUT and not kind.is_text:
        raise UsageError(f"{kind.summary} is not text and cannot be printed", "name a file with --out")


def _existing_card(place: Path, file: str, folder: str) -> tuple[str, str]:
    """Return the name of a file's model card, and its text on the intended use of the set.

    If the plain name is taken by another file's card, the card is named after its file.
    """
    for name in (NAME, f"{file}.{NAME}"):
        try:
            text = (place / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return name, ""
        except (OSError, UnicodeDecodeError):
            continue
        if text.startswith(mark_of(file)):
            return name, intended_use(text) if f"\n# {markdown(folder)} (" in text else ""
    return f"{file}.{NAME}", ""


def _prepared(
    experiment: Experiment,
    names: Sequence[str],
    kind: FormatKind,
    seed: int | None,
    draw: int,
    *,
    encoded: bool,
) -> tuple[TrainedStudents, Leaving]:
    """Return the first of these sets that the format can hold, and its student, prepared for export."""
    obstacle = ""
    for name in names:
        trained = students_of(experiment, name)
        left = leaving(trained, Predictor.of(trained, seed=seed, draw=draw), draw, encoded=encoded)
        obstacle = kind.obstacle(left.student)
        if not obstacle:
            return trained, left
    which = names[0] if len(names) == 1 else "none of the sets within half a point of the best"
    raise UsageError(
        f"{which} cannot be exported in this format: {obstacle}", "choose another set or another --format"
    )


def _proven(kind: FormatKind, file: str, content: bytes, left: Leaving) -> Proof | Unproven:
    """Run an export in a temporary folder."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"student{kind.suffix}")
        path.write_bytes(content)
        return prove(kind, path, left.student, left.made, left.test, left.n_test, left.operations)


def _costs(experiment: Experiment, trained: TrainedStudents) -> dict[str, Cost]:
    """Measure the costs in kd of the students, and of the teacher if it is stored."""
    models: list[Trained[Any]] = [trained, *([experiment.teacher] if experiment.has_teacher else [])]
    names = {trained.folder: "student", "teacher": "teacher"}
    return {names[name]: cost for name, cost in measure_costs(models, experiment.data).items()}


def _card(
    experiment: Experiment,
    trained: TrainedStudents,
    file: str,
    kind: FormatKind,
    student: Exported,
    proof: Proof | Unproven,
    costs: Mapping[str, Cost],
) -> Card:
    facts, data = student.facts, experiment.data
    logits = trained.load_tested()[facts["draw"], trained.set.seeds.index(facts["seed"])]
    y = data.pool.labels("test", facts["draw"])
    scored = Scored(logits.unsqueeze(0), y)
    counts = y.bincount(minlength=data.n_classes)
    right = y[logits.argmax(-1) == y].bincount(minlength=data.n_classes)
    teacher = experiment.teacher if trained.set.taught.needs == "teacher" and experiment.has_teacher else None
    return Card(
        file=file,
        kind=kind,
        student=student,
        folder=trained.folder,
        scores={name: values[0] for name, values in measure(scored, SCORES).items()},
        confidence=float(logits.double().softmax(-1).amax(-1).mean()),
        shares=(counts / counts.sum()).tolist(),
        recall=(right / counts).tolist(),
        target=trained.set.taught.summary,
        evidence=gather(experiment),
        teacher="" if teacher is None else str(teacher.model) if teacher.is_kept else ELSEWHERE,
        proof=proof,
        costs=costs,
    )


def golden_vectors(student: Exported) -> bytes:
    """Return the golden vectors as JSON: synthetic rows, their features, and the student's predictions."""
    golden, classes = student.golden, student.classes
    rows = [
        {
            **({"row": golden.raw[k]} if student.columns else {}),
            "x": [float(number) for number in numbers(golden.x[k])],
            "class": classes[int(golden.p[k].argmax())],
            "probabilities": golden.p[k].tolist(),
        }
        for k in range(len(golden.x))
    ]
    columns = [column.name for column in student.columns]
    known = {"student": student.who, "tolerance": TOLERANCE, "classes": classes, "columns": columns}
    document = {**known, "features": student.features, "from": student.facts, "rows": rows}
    return json.dumps(to_json(document), indent=1, allow_nan=False).encode()


def _written(
    experiment: Experiment, out: str | None, name: str, content: bytes, card: Card
) -> tuple[Path, ...]:
    """Write the files into one folder: that of `out`, or the run's export folder of this name."""
    place = Path(out).parent if out else experiment.run.export_path(name)
    model_card, intended = _existing_card(place, card.file, card.folder)
    contents = {
        card.file: content,
        f"{card.file}.golden.json": golden_vectors(card.student),
        model_card: card.text(hashlib.sha256(content).hexdigest(), intended).encode(),
    }
    if out is None:
        experiment.run.write_export(place, contents)
    else:
        with ExitStack() as stack:  # all of them, or none
            for file, bytes_of in contents.items():
                write_synced(stack.enter_context(replacing(place / file)), bytes_of)
    return tuple(place / file for file in contents)
