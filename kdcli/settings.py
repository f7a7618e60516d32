"""Settings: dataclass fields that carry their help text, their range and their command-line option.

One declaration serves the recipe file, the command-line option, its help and its completion, so that a
default, a range or a wording lives in one place.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from kdcli.errors import KdError, UsageError, nearest

C = TypeVar("C")

LARGEST = 10**300  # largest magnitude of a whole number, which must be convertible to a float
WORDS = MappingProxyType({int: "a whole number", float: "a number", str: "a text", bool: "true or false"})


class Problem(NamedTuple):
    """What is wrong with a value, and a hint at what is allowed, unless the text says it."""

    text: str
    hint: str = ""


@dataclass(frozen=True)
class Rule:
    """What a setting means, which values it takes, and how the command line offers it.

    `minimum` and `maximum` are inclusive, `above` and `below` exclusive. `choices` are the only values
    allowed. `check` raises a `KdError` for a value it refuses, and `values` describes the allowed values.
    `words` are allowed in place of a number. For a list, the rule applies to every item.

    On the command line the setting is the option `flag` (by default its key), or `short`, with its value
    written as `metavar`, in the help panel `panel`. `argument` is the metavar of a positional argument:
    instead of an option, or beside the option if there is a `flag` as well. `completion` are the words that
    the shell offers (by default the `choices` or `words`), or a function that returns them, given the store
    and the name of the run if one is named. Items of a list are separated by commas; where items contain
    commas themselves, only a comma before one of the words `item_starts` separates. Values of an option that
    is given several times are joined by `joined_by`.

    The other fields say what a setting means for a student set, which has one value of each setting. `each`
    is the singular name of a setting that lists several values. `of` means that only some targets or models
    take the setting; all sets have the others. `tag` is its abbreviation in folder names, `sign` that in
    titles if it differs. Sets that differ in a `paired` setting cannot be paired, and sets that differ in a
    `grouping` setting are shown in separate tables. `named` writes a value in names, given the equals sign
    used in them, and `alike` returns the part of a value that paired sets must share.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    check: Callable[[Any], object] | None = None
    values: str = ""
    choices: Sequence[str] = ()
    words: Sequence[str] = ()
    flag: str = ""
    short: str = ""
    argument: str = ""
    metavar: str = ""
    panel: str = ""
    completion: Sequence[str] | Callable[..., Iterable[str]] = ()
    item_starts: Sequence[str] = ()
    joined_by: str = ""
    each: str = ""
    of: Literal["", "target", "model"] = ""
    tag: str = ""
    sign: str = ""
    paired: bool = False
    grouping: bool = False
    named: Callable[[Any, str], str] | None = None
    alike: Callable[[Any], Any] | None = None

    @property
    def allowed(self) -> str:
        """The range in words, such as 'above 0 and below 1'; empty without one."""
        bounds = {"at least": self.minimum, "above": self.above, "at most": self.maximum, "below": self.below}
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)

    def tagged(self, value: Any, equals: str) -> str:
        """Write the setting and its value for a name; `equals` is " = " in titles, empty in folders."""
        if self.named:
            return self.named(value, equals)
        tag = self.sign if self.sign and equals.strip() else self.tag
        return f"{tag}{equals}{written(value)}"

    def problem(self, value: Any) -> Problem | None:
        """Say what is wrong with one value of the right type; None if nothing is."""
        if value in self.words:
            return None
        if isinstance(value, float) and not math.isfinite(value):
            return Problem(f"must be a finite number, not {value}")
        inside = (
            (self.minimum is None or value >= self.minimum)
            and (self.above is None or value > self.above)
            and (self.maximum is None or value <= self.maximum)
            and (self.below is None or value < self.below)
        )
        if not inside:
            return Problem(f"must be {self.allowed}, not {value:g}")
        if self.check is not None:
            try:
                self.check(value)
            except KdError as error:
                return Problem(error.message, str(error.hint))
        if self.choices and value not in self.choices:
            return Problem(f"must be one of {choices_text(self.choices)}, not {shown(value)}")
        return None


def written(value: float | str) -> str:
    """Write a number without needless decimals; a text is unchanged."""
    if isinstance(value, str):
        return value
    return str(int(value)) if float(value).is_integer() else repr(value)


def choices_text(choices: Sequence[str]) -> str:
    """List choices, in quotes if some are empty or begin with a sign."""
    plain = all(choice[:1].isalnum() for choice in choices)
    return ", ".join(choices if plain else [f"'{choice}'" for choice in choices])


def setting(default: Any, help: str, **rule: Any) -> Any:
    """Declare a dataclass field with its default, its help text and its `Rule`."""
    rule.setdefault("values", choices_text(rule.get("choices", ())))
    return field(default=default, metadata={"rule": Rule(help, **rule)})


def rules(config: type) -> dict[str, Rule]:
    """Return the rule of every setting of a configuration class, in their order."""
    return {f.name: f.metadata["rule"] for f in fields(config) if "rule" in f.metadata}


def flag(config: type, key: str) -> str:
    """Return how the command line spells a setting, such as '--n-samples'."""
    return rules(config)[key].flag or "--" + key.replace("_", "-")


def read(config: type[C], table: Mapping[str, Any], where: str) -> tuple[C | None, list[str]]:
    """Read a configuration from a parsed TOML or JSON table.

    Returns the configuration and no problems, or None and **all** problems, each naming its key.
    """
    problems = []
    known = rules(config)
    for key in table:
        if key not in known:
            suggestion = nearest(key, known) or f"; known keys: {', '.join(known)}"
            problems.append(f"{where}.{key}: no such key{suggestion}")
    values, refused = _check(config, {key: table[key] for key in table if key in known})
    problems += [
        f"{where}.{key}: {text}" + (f" ({hint})" if hint else "") for key, (text, hint) in refused.items()
    ]
    return (None, problems) if problems else (config(**values), [])


def flags_given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given: those that are not None."""
    return {key: value for key, value in flags.items() if value is not None}


def override(config: C, flags: Mapping[str, Any]) -> C:
    """Return `config` with the flags that were given (not None) in place of its own values.

    Raises `UsageError` naming every flag that this configuration does not have or that is out of range.
    """
    kind = type(config)
    given = flags_given(flags)
    known = rules(kind)
    values, refused = _check(kind, {key: value for key, value in given.items() if key in known})
    problems = [f"{flag(kind, key)}: {text}" for key, (text, _) in refused.items()]
    for key in given:
        if key not in known:
            options = ", ".join(flag(kind, name) for name in known)
            problems.append(f"--{key.replace('_', '-')} does not apply here (options that do: {options})")
    if problems:
        raise UsageError("; ".join(problems), "; ".join(hint for _, hint in refused.values() if hint))
    return replace(config, **values)  # type: ignore[type-var]


def _check(config: type, table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Problem]]:
    """Convert and check the values of a table: the good values, and a problem for each bad one."""
    types, known = get_type_hints(config), rules(config)
    defaults = {field.name: field.default for field in fields(config)}
    values: dict[str, Any] = {}
    problems: dict[str, Problem] = {}
    for key, raw in table.items():
        try:
            values[key] = _convert(raw, types[key], known[key].words)
        except TypeError as error:
            problems[key] = Problem(str(error))
            continue
        items = values[key] if isinstance(values[key], tuple) else (values[key],)
        refused = [problem for item in items if (problem := known[key].problem(item))]
        if refused:
            hints = dict.fromkeys(problem.hint for problem in refused if problem.hint)
            problems[key] = Problem("; ".join(problem.text for problem in refused), "; ".join(hints))
        elif not items and defaults[key] != ():
            problems[key] = Problem("must list at least one value")
    return values, problems


def _convert(raw: Any, kind: Any, words: Sequence[str]) -> Any:
    """Convert a TOML or JSON value to a setting's type; raises TypeError saying what was expected.

    With `words`, the type is a number type or a text.
    """
    if get_origin(kind) is tuple:
        if not isinstance(raw, (list, tuple)):
            raise TypeError(f"must be a list, not {shown(raw)}")
        return tuple(_convert(item, get_args(kind)[0], words) for item in raw)
    if words:
        if raw in words:
            return raw
        kind, _ = get_args(kind)
    if type(raw) is int and kind in (int, float):
        if abs(raw) > LARGEST:
            raise TypeError(f"must be within ±1e300, not {shown(raw)}")
        return kind(raw)
    if type(raw) is not kind:
        raise TypeError(f"must be {' or '.join([WORDS[kind], *words])}, not {shown(raw)}")
    return raw


def shown(raw: Any) -> str:
    """Write a value of any type for a message."""
    try:
        text = repr(raw)
    except ValueError:  # Python refuses to write whole numbers of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 100 else text[:99] + "…"
