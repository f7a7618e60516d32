"""Command-line parameters made from settings: their names, help, completion and values."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from inspect import Parameter as SignatureParameter
from keyword import iskeyword
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import typer

from kdcli.errors import KdError, UsageError
from kdcli.settings import Rule, flag, rules
from kdcli.store import Store
from kdcli.words import listed

METAVARS = {int: "N", float: "X", str: "NAME", Path: "PATH"}


@dataclass(frozen=True)
class Parameter:
    """A setting on the command line: an option, a positional argument, or both.

    `kind` is the type of the value, or of each item if the setting `is_list`. `rules` come from all classes
    that have the setting; the form of the option itself is that of the first. `default` is the value if
    nothing is given; where the recipe decides instead, `recipe_default` describes what it says.
    """

    key: str
    flag: str
    help: str
    rules: tuple[Rule, ...]
    kind: type
    is_list: bool = False
    default: Any = None
    recipe_default: str = ""

    @property
    def name(self) -> str:
        """The name of the option in Typer, such as 'run' for --run, whatever the key of the setting."""
        name = self.flag.removeprefix("--").replace("-", "_")
        return name + "_" if iskeyword(name) else name

    @property
    def argument_name(self) -> str:
        """The name of the positional argument in Typer."""
        return f"{self.name}_argument"

    def declared(self) -> list[SignatureParameter]:
        """Return the option, the positional argument, or both, in the form that Typer reads."""
        rule = self.rules[0]
        declared = {}
        if rule.argument:
            declared[self.argument_name] = typer.Argument(
                self.default, metavar=rule.argument, **self._described()
            )
        if rule.flag or not rule.argument:
            declared[self.name] = typer.Option(
                self.default,
                *self._spellings(),
                metavar=self._metavar(),
                rich_help_panel=rule.panel or None,
                **self._described(),
            )
        several = self.is_list or rule.joined_by
        annotation = (list[str] if several else str if rule.words else self.kind) | None
        keyword_only = SignatureParameter.KEYWORD_ONLY
        return [
            SignatureParameter(name, keyword_only, default=info, annotation=annotation)
            for name, info in declared.items()
        ]

    def value(self, given: Mapping[str, Any]) -> Any:
        """Return the value from those that Typer passes to a command; None if it is not given.

        Raises `UsageError` if the option and the argument contradict each other, or if a value or an item of
        a list has the wrong type.
        """
        option, argument = given.get(self.name), given.get(self.argument_name)
        if option is not None and argument is not None and option != argument:
            raise UsageError(
                f"two {self.name}s are named, {argument} and {self.flag} {option}", "keep one of them"
            )
        value = option if argument is None else argument
        if value is None:
            return None
        if joined_by := self.rules[0].joined_by:
            return joined_by.join(value)
        if self.is_list:
            return self._items(value)
        return self._item(value) if self.rules[0].words else value

    def check(self, value: Any) -> None:
        """Raise `UsageError` for a value, or an item of a list, that the setting's rule does not allow."""
        for item in value if self.is_list and value else [value]:
            if item is not None and (problem := self.rules[0].problem(item)):
                raise UsageError(f"{self.flag}: {problem.text}", problem.hint)

    def _described(self) -> dict[str, Any]:
        return {
            "help": self.help,
            # Typer inspects every completion function, which slows start-up, so pass one only where needed.
            "autocompletion": self._complete
            if any(r.completion or r.choices or r.words for r in self.rules)
            else None,
            "show_default": f"recipe, else {self.recipe_default}" if self.recipe_default else True,
        }

    def _spellings(self) -> list[str]:
        # A flag that the recipe may switch on also needs a --no- form.
        off = f"/--no-{self.flag.removeprefix('--')}" if self.kind is bool and self.recipe_default else ""
        return [self.flag + off, *filter(None, [self.rules[0].short])]

    def _metavar(self) -> str | None:
        if self.kind is bool:
            return None
        word = self.rules[0].metavar or METAVARS[self.kind]
        return f"{word},..." if self.is_list else word

    def _items(self, values: Sequence[str]) -> tuple[Any, ...]:
        rule = self.rules[0]
        items = [item for value in values for item in split(value, rule.item_starts)]
        try:
            return tuple(map(self._converted, items))
        except ValueError:
            kinds = " or ".join(["numbers", *rule.words])
            raise UsageError(
                f"{self.flag}: '{', '.join(values)}' is not a list of {kinds}",
                f"separate numbers with commas, as in {self.flag} 1,4,20",
            ) from None

    def _item(self, value: str) -> Any:
        try:
            return self._converted(value)
        except ValueError:
            allowed = " or ".join(["a number", *self.rules[0].words])
            raise UsageError(f"{self.flag}: must be {allowed}, not '{value}'") from None

    def _converted(self, item: str) -> Any:
        return item if item in self.rules[0].words else self.kind(item)

    def _complete(self, context: typer.Context, incomplete: str) -> list[str]:
        """Complete a word, or the last item of a list with items that the list does not have yet."""
        words = self._completion(context)
        if not self.is_list:
            return [word for word in words if word.startswith(incomplete)]
        # Items may contain commas, so the text may be one item, or a list followed by an item.
        starts = {0, *(comma.end() for comma in re.finditer(",", incomplete))}
        return [
            incomplete[:start] + word
            for start in sorted(starts)
            for word in words
            if word.startswith(incomplete[start:])
            and word not in split(incomplete[:start], self.rules[0].item_starts)
        ]

    def _completion(self, context: typer.Context) -> list[str]:
        """Return the words to offer. Completion never fails: an unreadable run contributes no words."""
        words: dict[str, None] = {}
        for rule in self.rules:
            completion = rule.completion or rule.choices or rule.words
            if callable(completion):
                typed = context.params
                with suppress(KdError):
                    store, run = Store(typed.get("outputs")), typed.get("run_argument") or typed.get("run")
                    words |= dict.fromkeys(completion(store, run))
            else:
                words |= dict.fromkeys(completion)
        return list(words)


def split(text: str, item_starts: Sequence[str] = ()) -> list[str]:
    """Split a comma-separated list; with `item_starts`, only at commas before one of these words."""
    starts = "|".join(map(re.escape, item_starts))
    comma = rf",(?=\s*(?:{starts})\b)" if item_starts else ","
    return [item.strip() for item in re.split(comma, text) if item.strip()]


def parameters(config: type) -> dict[str, Parameter]:
    """Return a parameter for every setting, by key, of a class that is not part of a recipe."""
    return {
        key: _parameter(key, {"": declared}, default=None if declared.is_list else declared.default)
        for key, declared in _declarations(config).items()
    }


def recipe_parameters(configs: Mapping[str, type]) -> dict[str, Parameter]:
    """Return a parameter for every setting of a section of a recipe, by key.

    `configs` are the classes that the section may have, by name. A setting that several classes share becomes
    one parameter; its help says which classes have it and how they differ. Raises TypeError if its type or
    flag differs between classes.
    """
    by_key: dict[str, dict[str, _Declaration]] = {}
    for name, config in configs.items():
        for key, declared in _declarations(config).items():
            by_key.setdefault(key, {})[name] = declared
    return {
        key: _parameter(
            key,
            variants,
            everywhere=len(variants) == len(configs),
            recipe_default=_by_name({name: _shown(variant.default) for name, variant in variants.items()}),
        )
        for key, variants in by_key.items()
    }


class _Declaration(NamedTuple):
    """A setting as a class declares it; `kind` is the type of the value, or of a list's items."""

    rule: Rule
    flag: str
    kind: type
    is_list: bool
    default: Any


def _declarations(config: type) -> dict[str, _Declaration]:
    """Return the settings of a class by key."""
    hints, defaults = get_type_hints(config), {field.name: field.default for field in fields(config)}
    return {
        key: _Declaration(rule, flag(config, key), *_kind(hints[key]), defaults[key])
        for key, rule in rules(config).items()
    }


def _kind(hint: Any) -> tuple[type, bool]:
    if get_origin(hint) is tuple:
        return _kind(get_args(hint)[0])[0], True
    alternatives = [kind for kind in get_args(hint) if kind is not NoneType]
    return (alternatives[0] if alternatives else hint), False


def _parameter(
    key: str, variants: Mapping[str, _Declaration], everywhere: bool = True, **default: Any
) -> Parameter:
    """Return the parameter of a setting; `variants` are its declarations by the name of their class."""
    forms = {(variant.flag, variant.kind, variant.is_list) for variant in variants.values()}
    if len(forms) > 1:
        raise TypeError(f"the setting {key} differs in type or flag between {listed(list(variants))}")
    ((spelling, kind, is_list),) = forms
    variant_rules = {name: variant.rule for name, variant in variants.items()}
    text = _help(variant_rules, everywhere) + ("; repeat or comma-separate" if is_list else "")
    return Parameter(key, spelling, text, tuple(variant_rules.values()), kind, is_list, **default)


def _help(variants: Mapping[str, Rule], everywhere: bool) -> str:
    """Describe the meaning and the allowed values of a setting, naming the variants where they differ."""
    meanings: dict[str, dict[str, str]] = {}  # ranges by name, by meaning
    for name, rule in variants.items():
        meaning = f"{rule.help}: {rule.values}" if rule.values else rule.help
        meanings.setdefault(meaning, {})[name] = rule.allowed
    texts = []
    for meaning, ranges in meanings.items():
        allowed = _by_name(ranges)
        text = f"{meaning} ({allowed})" if allowed else meaning
        # No names are needed if everything has the setting, or if the ranges name their variants already.
        everyone = (everywhere and len(meanings) == 1) or len(set(ranges.values())) > 1
        texts.append(text if everyone else f"{text}; only for {listed(list(ranges))}")
    return "; ".join(texts)


def _by_name(texts: Mapping[str, str]) -> str:
    """Join texts by name into one; if all are equal, return just that text."""
    names: dict[str, list[str]] = {}
    for name, text in texts.items():
        names.setdefault(text or "any value", []).append(name)
    if len(names) > 1:
        return ", ".join(f"{text} for {listed(owners)}" for text, owners in names.items())
    return next(iter(texts.values()))


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(_shown, default)) or "none"
    return f"{default:g}" if isinstance(default, float) else str(default) or "none"
