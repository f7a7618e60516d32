"""Student sets: the students of one target, temperature and model, and what they are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdcli.models import Model, Tree, parse_model
from kdcli.recipe import Students
from kdcli.stages.artefacts import Trained, flags, run_recipe
from kdcli.store import Artefact, Run
from kdcli.targets import TARGETS, find_target


@dataclass(frozen=True)
class StudentSet:
    """The students of one target, temperature and model: one for each seed."""

    target: str
    temperature: float
    model: Model
    students: Students

    @property
    def name(self) -> str:
        """The set's folder, unless it is given another, such as "soft-T4-mlp4"."""
        return default_name(self.record)

    @property
    def record(self) -> dict[str, Any]:
        """The set's configuration, as `meta.json` keeps it."""
        record = {
            "target": self.target,
            "temperature": self.temperature,
            "label_weight": self.students.label_weight,
            "model": str(self.model),
            "seeds": list(range(self.students.seeds)),
        }
        if self.students.transfer_size:
            record["transfer_size"] = self.students.transfer_size
        if isinstance(self.model, Tree):
            return record
        training = ("epochs", "batch_size", "learning_rate")
        return record | {key: getattr(self.students, key) for key in training}


def student_sets(students: Students) -> list[StudentSet]:
    """Return the sets that a configuration asks for: every target and temperature for each model."""
    sets = []
    for model in dict.fromkeys(map(parse_model, students.models)):
        for target in dict.fromkeys(students.targets):
            temperatures = dict.fromkeys(students.temperatures) if find_target(target).softened else [1.0]
            sets += [StudentSet(target, t, model, students) for t in temperatures]
    return sets


def default_name(config: Mapping[str, Any]) -> str:
    """Name the folder of a student set, such as "soft-T4-mlp4", from its configuration."""
    return "-".join([*_parts(config, ""), parse_model(config["model"]).slug])


def title(config: Mapping[str, Any], folder: str = "") -> str:
    """Name a student set for a person, such as "soft, T = 4", with its folder if that was named by hand."""
    named = f" ({folder})" if folder and folder != default_name(config) else ""
    return ", ".join(_parts(config, " = ")) + named


def variant(config: Mapping[str, Any], folder: str = "") -> str:
    """Say what else sets a set apart from others, such as "w = 0.3"; empty if nothing does."""
    named = [folder] if folder and folder != default_name(config) else []
    return ", ".join(_extras(config, " = ") + named)


def _parts(config: Mapping[str, Any], equals: str) -> list[str]:
    parts = [config["target"]]
    if find_target(config["target"]).softened:
        parts.append(f"T{equals}{_number(config['temperature'])}")
    return parts + _extras(config, equals)


def _extras(config: Mapping[str, Any], equals: str) -> list[str]:
    """Return what is left out of a name where it has its usual value."""
    extras = []
    if config["label_weight"]:
        extras.append(f"w{equals}{_number(config['label_weight'])}")
    if size := config.get("transfer_size"):
        extras.append(f"n{equals}{size}")
    return extras


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def load_students(artefact: Artefact) -> Trained:
    """Read a student set that is there."""
    meta = artefact.meta()
    return Trained(artefact, meta.config, meta.metrics, _again(artefact, meta.config))


def all_students(run: Run) -> list[Trained]:
    """Read all student sets of a run.

    By model (those of the recipe first), then target in the order of TARGETS, then temperature.
    """
    models = [str(parse_model(model)) for model in run_recipe(run).students.models]

    def place(students: Trained) -> tuple[int, str, int, float, float, str]:
        config = students.config
        model = config["model"]
        return (
            models.index(model) if model in models else len(models),
            model,
            list(TARGETS).index(config["target"]),
            config["temperature"],
            config["label_weight"],
            students.artefact.name,
        )

    return sorted(map(load_students, run.students()), key=place)


def _again(artefact: Artefact, config: Mapping[str, Any]) -> str:
    """Return the command that makes a student set again as it is; what it leaves out is in the recipe."""
    words = f"kd distill --target {config['target']}"
    if find_target(config["target"]).softened:
        words += f" --temperature {_number(config['temperature'])}"
    made_with = {**config, "models": (config["model"],), "seeds": len(config["seeds"])}
    words += flags(run_recipe(artefact.run).students, made_with)
    if artefact.path.name != default_name(config):
        words += f" --name {artefact.path.name}"
    return words + artefact.run.flag
