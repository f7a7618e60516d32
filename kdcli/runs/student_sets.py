"""Student sets: the students of one target, temperature, transfer set and model, one for each seed.

A set is identified by its settings. Each setting's `Rule` says how it appears in folder names, titles and
records, and whether it decides on pairing; all of that is derived here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from kdcli.models import Model, parse_model
from kdcli.runs.chosen import CHOSEN, read_chosen
from kdcli.runs.recipe import BY_TARGET, BY_TEACHER, Recipe, Students, applies
from kdcli.runs.records import check_spelling, read_seeds, training_words
from kdcli.runs.relabelling import relabels
from kdcli.runs.transfer import Transfer, resolved
from kdcli.settings import Rule, read, rules, written
from kdcli.store import fitting
from kdcli.targets import AUTO, SMOOTHING, TARGETS, Target
from kdcli.words import counted, numbered

LOST = {  # why a set lacks seeds that it was asked for
    "diverged": "training diverged (non-finite loss)",
    "overflowed": "non-finite test outputs",
}
SEEDS = "number of seeds"
CONTROL = "labels"  # the target of a control

# The singular key of a set, and the setting that lists several values.
LISTS = {rule.each: key for key, rule in rules(Students).items() if rule.each}


@dataclass(frozen=True)
class StudentSet:
    """The students of one set.

    `settings` lists one model, one target and one temperature, with defaults for settings that do not apply,
    so that sets can be compared by equality. `seeds` are those of the students; seeds whose students were
    dropped for a non-finite loss or output are `diverged` or `overflowed`. If the setting of its target is
    "auto", `chosen` is the value chosen for it, once there is one.
    """

    settings: Students
    seeds: tuple[int, ...]
    diverged: tuple[int, ...] = ()
    overflowed: tuple[int, ...] = ()
    chosen: float | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> StudentSet:
        """Read a record of `to_record`; raises ValueError for content that it would not have written.

        A missing setting has its default, since it may be newer than the record.
        """
        table = {key: value for key, value in record.items() if key not in ("seeds", *LOST, *CHOSEN.values())}
        if odd := sorted(set(LISTS.values()) & set(table)):
            raise ValueError(f"no stage writes {', '.join(odd)}")
        if missing := sorted({"target", "model", "seeds"} - set(record)):
            raise ValueError(f"{', '.join(missing)} missing")
        listed = {LISTS.get(key, key): [value] if key in LISTS else value for key, value in table.items()}
        settings, problems = read(Students, listed, "config")
        if settings is None:
            raise ValueError("; ".join(problems))
        seeds, diverged, overflowed = (read_seeds(record, key) for key in ("seeds", *LOST))
        settings = _own(settings)
        made = cls(settings, seeds, diverged, overflowed, read_chosen(record, settings))
        if not made.seeds or list(made.seeds_asked) != list(range(len(made.seeds_asked))):
            raise ValueError("seeds must count from 0, each present or left out, with some present")
        check_spelling(record, made.to_record())
        return made

    def to_record(self) -> dict[str, Any]:
        """Return the set's configuration, as `meta.json` keeps it: the settings that apply, and its seeds."""
        lost = {why: list(seeds) for why, seeds in self.lost.items()}
        chosen = {CHOSEN[self.taught.setting]: self.chosen} if self.chosen else {}
        return {**self.described(), **chosen, "seeds": list(self.seeds), **lost}

    def asked(self, recipe: Recipe, folder: str, used: Mapping[str, str]) -> StudentSet | None:
        """Return the set of this name that a recipe asks for, with the seeds of this one."""
        wanted = set_named(recipe, folder)
        return wanted and wanted.with_seeds(len(self.seeds_asked))

    def settings_of_recipe(self) -> dict[str, Any]:
        """Return the settings that apply, and the number of seeds."""
        return {**self.described(), SEEDS: len(self.seeds_asked)}

    def making(self, recipe: Recipe, folder: str) -> dict[str, Any]:
        """Return the options with which a run of this recipe makes the set in `folder` again."""
        wanted = {
            LISTS.get(key, key): (value,) if key in LISTS else value
            for key, value in self.described().items()
        }
        wanted["seeds"] = len(self.seeds_asked)
        named = ("targets", "temperatures")  # always, so that the command says what it makes
        return {
            **{key: wanted.pop(key) for key in named if key in wanted},
            **{key: value for key, value in wanted.items() if getattr(recipe.students, key) != value},
            "name": "" if folder == self.name else folder,
            "keep_going": bool(self.lost),
        }

    def words(self, folder: str) -> list[str]:
        """Return the set's title, model and seeds, and how its students were trained."""
        gone = sorted(seed for seeds in self.lost.values() for seed in seeds)
        seeds = f"{numbered('seed', gone)} left out" if gone else counted(len(self.seeds), "seed")
        told = {rule.each or key for key, rule in rules(Students).items() if rule.each or rule.tag}
        return [self.title(folder), str(self.model), seeds, *training_words(self.described(), told)]

    def described(self) -> dict[str, Any]:
        """Return the settings that apply, each by the name it has for a single set."""
        return {
            rule.each or key: self._value(key, rule)
            for key, rule in rules(Students).items()
            if key != "seeds" and self._applies(key, rule)
        }

    def columns(self) -> dict[str, Any]:
        """Return the settings that distinguish sets, besides target, temperature and model, for programs."""
        known = rules(Students)
        return {key: value for key, value in self.described().items() if key in known and known[key].tag}

    @property
    def target(self) -> str:
        """The name of the students' target."""
        return self.settings.targets[0]

    @property
    def taught(self) -> Target:
        """The students' target."""
        return TARGETS[self.target]

    @property
    def temperature(self) -> float:
        """The temperature of the target and of the loss; 1 if the target is not softened."""
        return float(self.given_to_target) if self.taught.softened else 1.0

    @property
    def smoothing(self) -> float:
        """The ε of the target; 0 if it is not smoothed."""
        return float(self.given_to_target) if self.taught.setting == SMOOTHING else 0.0

    @property
    def given_to_target(self) -> float | str:
        """The value of the target's setting, or the value chosen for it; 0 if the target has no setting."""
        key = self.taught.setting
        return self.chosen or (self._value(key, rules(Students)[key]) if key else 0.0)

    @cached_property
    def model(self) -> Model:
        """The students' family and shape."""
        return parse_model(self.settings.models[0])

    @property
    def transfer(self) -> Transfer:
        """The examples that the students are taught on."""
        return Transfer.parse(self.settings.transfer)

    @property
    def lost(self) -> dict[str, tuple[int, ...]]:
        """The requested seeds that the set lacks, by the reason."""
        return {why: seeds for why in LOST if (seeds := getattr(self, why))}

    @property
    def seeds_asked(self) -> tuple[int, ...]:
        """The requested seeds, whether or not the set has them."""
        return tuple(sorted(chain(self.seeds, *self.lost.values())))

    @property
    def needs_teacher(self) -> bool:
        """Whether the teacher labels some of its examples."""
        relabelled = self.settings.labels_from == BY_TEACHER
        return self.taught.needs in ("teacher", "untrained") or relabelled or self.transfer.asks

    @property
    def parents(self) -> tuple[str, ...]:
        """The names of the artefacts that the set is made from."""
        return ("data", *(("teacher",) if self.needs_teacher else ()), *self.transfer.made)

    @property
    def scored(self) -> int:
        """Number of students."""
        return len(self.seeds)

    @property
    def name(self) -> str:
        """The usual name of the set's folder, such as "soft-T4-mlp4"."""
        return fitting(f"{self.stem()}-{self.model.slug}")

    def stem(self, *, whole: bool = True) -> str:
        """Name what the students are taught, such as "soft-T4". With `whole=False`, omit the transfer set."""
        return "-".join([self.target, *self._tags("", whole=whole)])

    def title(self, folder: str = "", *, whole: bool = True) -> str:
        """Name the set for a person, such as "soft, T = 4", with its folder if that was named by hand.

        A set that lost seeds says how many are left. With `whole=False`, omit the transfer set, for tables
        that show sets by `group`.
        """
        parts = [self.target, *self._tags(" = ", whole=whole)]
        if self.lost:
            parts.append(f"{len(self.seeds)} of {len(self.seeds_asked)} seeds")
        named = f" ({folder})" if folder and folder != self.name else ""
        return ", ".join(parts) + named

    @property
    def group(self) -> str:
        """Name what the sets of one table share, such as "mlp:100, n = 2000": model and transfer set."""
        return ", ".join([str(self.model), *self._tags(" = ", of=lambda rule: rule.grouping)])

    def variant(self, folder: str = "") -> str:
        """Name the settings other than target and temperature that distinguish it, such as "w = 0.3"."""
        named = [folder] if folder and folder != self.name else []
        return ", ".join(self._tags(" = ", of=lambda rule: rule.of != "target") + named)

    def with_seeds(self, count: int) -> StudentSet:
        """Return the same set with the seeds 0, 1, …, none of them lost."""
        return replace(self, seeds=tuple(range(count)), diverged=(), overflowed=())

    def without(self, seeds: Iterable[int], lost: Mapping[str, Iterable[int]]) -> StudentSet:
        """Return the same set with these seeds; the others are `lost`, by the reason."""
        gone: dict[str, Any] = {why: tuple(lost.get(why, ())) for why in LOST}
        return replace(self, seeds=tuple(seeds), **gone)

    def taught_instead(self, target: str) -> StudentSet:
        """Return the same students taught another target at their temperature; for `labels`, the control."""
        same = self.at(self.chosen) if self.chosen else self
        settings = replace(same.settings, targets=(target,))
        if target == CONTROL:
            settings = replace(settings, label_weight=0.0, labels_from=BY_TARGET)
        return replace(same, settings=_own(settings))

    def at(self, value: float | str) -> StudentSet:
        """Return the same set with another value of the setting that its target takes, if it takes one."""
        key = self.taught.setting
        given: dict[str, Any] = {key: (value,) if self.taught.softened else value} if key else {}
        return replace(self, settings=replace(self.settings, **given), chosen=None)

    def _value(self, key: str, rule: Rule) -> Any:
        value = getattr(self.settings, key)
        return value[0] if rule.each else value

    def given(self, key: str) -> Any:
        """Return a setting of the set, or the number of its seeds; "none" if it does not apply."""
        rule = rules(Students)[key]
        if key == "seeds":
            return len(self.seeds_asked)
        return self._value(key, rule) if self._applies(key, rule) else "none"

    def _applies(self, key: str, rule: Rule) -> bool:
        return key == self.taught.setting if rule.of == "target" else applies(Students, key, self.model)

    def _tags(self, equals: str, *, whole: bool = True, of: Any = lambda rule: True) -> list[str]:
        """Return the settings that names show: those a target takes, and others unless at their default."""
        defaults = Students()
        tags = []
        for key, rule in sorted(rules(Students).items(), key=lambda item: item[1].of != "target"):
            shown = rule.of == "target" or getattr(self.settings, key) != getattr(defaults, key)
            if rule.tag and shown and self._applies(key, rule) and of(rule) and (whole or not rule.grouping):
                value = self._value(key, rule)
                if value == AUTO and self.chosen and equals.strip():
                    value = f"{written(self.chosen)} ({value})"
                tags.append(rule.tagged(value, equals))
        return tags


def student_sets(students: Students) -> list[StudentSet]:
    """Return the sets that a configuration asks for: every target and temperature for each model."""
    narrow = [
        replace(students, models=(model,), targets=(target,), temperatures=(temperature,))
        for model in dict.fromkeys(students.models)
        for target in dict.fromkeys(students.targets)
        for temperature in dict.fromkeys(students.temperatures)
    ]
    sets = [StudentSet(_own(settings), tuple(range(students.seeds))) for settings in narrow]
    return list(dict.fromkeys(sets))


def set_named(recipe: Recipe, name: str) -> StudentSet | None:
    """Return the set of this name that a recipe asks for, with one seed; None if it asks for none."""
    sets = student_sets(replace(recipe.students, seeds=1))
    return next((wanted for wanted in sets if wanted.name == name), None)


def _own(settings: Students) -> Students:
    """Return the settings of one set, with defaults for those that do not apply to it."""
    settings = replace(
        settings,
        models=(str(parse_model(settings.models[0])),),
        seeds=Students().seeds,
        transfer=resolved(settings.transfer),
    )
    if not relabels(settings):
        settings = replace(settings, labels_from=BY_TARGET)
    of_set = StudentSet(settings, ())
    apply = {key for key, rule in rules(Students).items() if of_set._applies(key, rule)}
    return Students(**{key: getattr(settings, key) for key in apply})
