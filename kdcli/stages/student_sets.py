"""Student sets: the students of one target, temperature and model, and what they are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdcli.models import MLP, Tree, parse_model
from kdcli.recipe import Recipe, Students
from kdcli.stages.artefacts import Trained, flags
from kdcli.targets import find_target


@dataclass(frozen=True)
class StudentSet:
    """The students of one target, temperature and model: one for each seed."""

    target: str
    temperature: float
    model: MLP | Tree
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


def _parts(config: Mapping[str, Any], equals: str) -> list[str]:
    parts = [config["target"]]
    if find_target(config["target"]).softened:
        parts.append(f"T{equals}{_number(config['temperature'])}")
    if config["label_weight"]:
        parts.append(f"w{equals}{_number(config['label_weight'])}")
    return parts


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def command(students: Trained, recipe: Recipe) -> str:
    """Return the command that makes a student set again as it is; what it leaves out is in the recipe."""
    config, folder = students.config, students.artefact.path.name
    words = f"kd distill --target {config['target']}"
    if find_target(config["target"]).softened:
        words += f" --temperature {_number(config['temperature'])}"
    made_with = {**config, "models": (config["model"],), "seeds": len(config["seeds"])}
    words += flags(recipe.students, made_with)
    if folder != default_name(config):
        words += f" --name {folder}"
    return words + students.artefact.run.flag
