"""Student sets: the students of one target, temperature and model, and what they are called."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from kdcli.errors import KdError, unknown
from kdcli.models import Model, parse_model
from kdcli.runs.artefacts import Trained, flags, read_meta, run_recipe
from kdcli.runs.recipe import Students, Training
from kdcli.runs.schema import LEFT_OUT
from kdcli.settings import rules
from kdcli.store import Artefact, Run, fitting, to_json
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
        if self.target == "smooth":
            record["smoothing"] = self.students.smoothing
        if self.students.transfer_size:
            record["transfer_size"] = self.students.transfer_size
        training = [key for key in rules(Training) if self.model.takes(key)]
        return record | {key: getattr(self.students, key) for key in training}


def left_out(record: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the seeds that a set was asked for and does not have, by what became of them."""
    return {why: list(record[why]) for why in LEFT_OUT if why in record}


def seeds_asked(record: Mapping[str, Any]) -> list[int]:
    """Return the seeds that a set was asked for, whether it has them or not."""
    return sorted([*record["seeds"], *chain(*left_out(record).values())])


def has_fewer_seeds(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a stored set is the wanted one, but for the last of its seeds."""
    ones, others = (
        {key: value for key, value in to_json(record).items() if key not in ("seeds", *LEFT_OUT)}
        for record in (stored, wanted)
    )
    return ones == others and len(seeds_asked(stored)) < len(seeds_asked(wanted))


def left_out_told(record: Mapping[str, Any]) -> list[str]:
    """Say which seeds a set left out and why, such as "seed 2 left out, whose loss …"."""
    whose = {
        "diverged": "whose loss stopped being a finite number",
        "overflowed": "whose outputs on test examples are not all finite numbers",
    }
    return [f"{seeds_named(seeds)} left out, {whose[why]}" for why, seeds in left_out(record).items()]


def seeds_counted(count: int) -> str:
    """Count seeds within a sentence, such as "2 seeds"."""
    return f"{count or 'no'} seed{'' if count in (0, 1) else 's'}"


def seeds_named(seeds: Sequence[int]) -> str:
    """Name seeds within a sentence, such as "seeds 2, 5"."""
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


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
    return fitting(f"{stem(config)}-{parse_model(config['model']).slug}")


def stem(config: Mapping[str, Any], *, whole: bool = True) -> str:
    """Name what students are taught, such as "soft-T4": a folder's usual name without its model.

    Less the `whole` it leaves out the transfer set as well.
    """
    return "-".join(_parts(config if whole else _untransferred(config), ""))


def title(config: Mapping[str, Any], folder: str = "", *, whole: bool = True) -> str:
    """Name a student set for a person, such as "soft, T = 4", with its folder if that was named by hand.

    A set that left out seeds says how many are left. Less the `whole` it leaves out the transfer set, as
    where sets are shown in their `group`.
    """
    named = f" ({folder})" if folder and folder != default_name(config) else ""
    parts = _parts(config if whole else _untransferred(config), " = ")
    if left_out(config):
        parts.append(f"{len(config['seeds'])} of {len(seeds_asked(config))} seeds")
    return ", ".join(parts) + named


def group(config: Mapping[str, Any]) -> str:
    """Name what the sets of one model and transfer set share, such as "mlp:100, n = 2000"."""
    size = config.get("transfer_size")
    return f"{config['model']}, n = {size}" if size else str(config["model"])


def _untransferred(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, "transfer_size": 0}


def variant(config: Mapping[str, Any], folder: str = "") -> str:
    """Say what else sets a set apart from others, such as "w = 0.3"; empty if nothing does."""
    named = [folder] if folder and folder != default_name(config) else []
    return ", ".join(_extras(config, " = ") + named)


def _parts(config: Mapping[str, Any], equals: str) -> list[str]:
    parts = [config["target"]]
    if find_target(config["target"]).softened:
        parts.append(f"T{equals}{_number(config['temperature'])}")
    if "smoothing" in config:
        parts.append(f"{'ε' if ' ' in equals else 'e'}{equals}{_number(config['smoothing'])}")
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
    meta = read_meta(artefact)
    return Trained(artefact, meta.config, meta.metrics, _again(artefact, meta.config))


def all_students(run: Run) -> list[Trained]:
    """Read all student sets of a run; raises `KdError` for one that lost its `meta.json`.

    By model (those of the recipe first), then target in the order of TARGETS, then temperature. A folder
    without tensors is no student set, and passed over.
    """
    models = own_models(run)
    sets = []
    for artefact in run.students():
        if artefact.finished:
            sets.append(load_students(artefact))
        elif artefact.has_tensors:
            folder = shlex.quote(str(artefact.path))
            again = usual_command(artefact)
            raise KdError(
                f"{artefact.path} is unfinished: it has tensors, and no meta.json to tell what they are",
                f"remove {folder}"
                + (f" and make it again with `{again}`" if again else "")
                + f", or move it out of {artefact.path.parent} to keep it",
            )
    return sorted(sets, key=lambda one: position(one.config, one.artefact.name, models))


def usual_command(artefact: Artefact) -> str:
    """Return the command that makes a student set of this name, if the run's recipe has one; else none."""
    for chosen in student_sets(run_recipe(artefact.run).students):
        if chosen.name == artefact.path.name:
            return command(artefact.run, chosen.record)
    return ""


def own_models(run: Run) -> list[str]:
    """Return the student models of a run's recipe, as records spell them."""
    return [str(parse_model(model)) for model in run_recipe(run).students.models]


def position(
    config: Mapping[str, Any], name: str, models: Sequence[str]
) -> tuple[int, str, int, float, float, str]:
    """Return what orders student sets; `models` are those of the recipe."""
    model = config["model"]
    return (
        models.index(model) if model in models else len(models),
        model,
        list(TARGETS).index(config["target"]),
        config["temperature"],
        config["label_weight"],
        name,
    )


def _again(artefact: Artefact, config: Mapping[str, Any]) -> str:
    """Return the command that makes a student set again as it is."""
    folder = artefact.path.name
    named = f" --name {folder}" if folder != default_name(config) else ""
    return command(artefact.run, config, named=named)


def command(run: Run, config: Mapping[str, Any], targets: Sequence[str] = (), named: str = "") -> str:
    """Return the command that makes a student set of this configuration; the rest is in the run's recipe.

    With `targets` it makes a set of each of them instead.
    """
    wanted = targets or [config["target"]]
    words = f"kd distill --target {','.join(wanted)}"
    if any(find_target(target).softened for target in wanted):
        words += f" --temperature {_number(config['temperature'])}"
    students = run_recipe(run).students
    said = {"smoothing": students.smoothing, **config}  # which only smooth targets record
    made_with = {**said, "models": (config["model"],), "seeds": len(seeds_asked(config))}
    going = " --keep-going" if left_out(config) else ""
    return words + flags(students, made_with) + going + named + run.flag


def of_models(there: Sequence[Trained], models: Sequence[str], run: Run) -> list[Trained]:
    """Return the student sets of these models, or all; raises `UsageError` for a model that none has."""
    of_run = dict.fromkeys(trained.config["model"] for trained in there)
    wanted = [str(parse_model(model)) for model in models]
    for model in wanted:
        if model not in of_run:
            raise unknown("student model", model, of_run, f"`kd distill --model {model}{run.flag}` trains it")
    return [trained for trained in there if not wanted or trained.config["model"] in wanted]
