"""The code of an exported student: only Python 3.8 and its standard library, without kd."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from array import array
from datetime import date, datetime, timezone
from operator import mul
from typing import Any, Mapping, Sequence

MODEL: dict[str, Any] = {}

CLASSES: list[str] = MODEL.get("classes", [])
COLUMNS: list[str] = [column[0] for column in MODEL.get("columns", [])]
LARGEST = MODEL.get("largest", 0.0)  # the largest number that a value may be
NO_VALUE = {"number": "not a number", "date": "not a date", "yes/no": "neither yes nor no"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
DATE = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d+)?)?", re.ASCII
)
DATE_BY_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})()()()()", re.ASCII)


def predict(row: Any) -> str:
    """Return the class of a row; if several are equally probable, the first."""
    p = predict_proba(row)
    return CLASSES[p.index(max(p))]


def predict_proba(row: Any) -> list[float]:
    """Return the probability of each of CLASSES, for a row with a value for each of COLUMNS by name.

    A missing value is None or an empty text. A model of images takes pixels instead, channel by channel,
    and row by row. Raises ValueError for a value that the column cannot have.
    """
    return probabilities(encode(row))


def encode(row: Any) -> list[float]:
    """Return the features of a row: 32-bit numbers."""
    if not MODEL["columns"]:
        return array("f", _flat(row)).tolist()
    features: list[float] = []
    for column in MODEL["columns"]:
        if column[0] not in row:
            raise ValueError(f"the row has no column {column[0]!r}")
        features += _features(row[column[0]], *column)
    return array("f", features).tolist()


def _features(
    value: Any,
    name: str,
    kind: str,
    middle: float,
    missing: int,
    levels: Sequence[str],
    others: int,
    numeric: int,
) -> list[float]:
    """Return the features that a value of a column becomes."""
    value = value.strip() if isinstance(value, str) else value
    lacking = _is_missing(value, levels)
    if kind == "category":
        word = _word(value, levels, numeric)
        features = [float(not lacking and word == level) for level in levels]
        if others:
            features.append(float(not lacking and word not in levels))
    else:
        if lacking and not MODEL["fills"]:
            raise ValueError(f"column {name!r} has no value")
        features = [middle if lacking else _number(value, kind, name)]
        if kind == "date":
            features += _calendar(features[0])
    return [*features, float(lacking)] if missing else features


def _is_missing(value: Any, levels: Sequence[str]) -> bool:
    """Return whether a value counts as missing; so does a number whose text counts as missing."""
    if isinstance(value, str):
        return value not in levels and (not value or value in MODEL["missing"])
    if value is None or value != value:
        return True
    return any(NUMBER.fullmatch(word) and float(word) == value for word in MODEL["missing"])


def _word(value: Any, levels: Sequence[str], numeric: int) -> str:
    """Return a category as a word; for numbers, 1.0 and "1.0" become "1"."""
    if isinstance(value, bool):
        return str(value) if str(value) in levels else str(value).lower()
    text = str(value)
    if not numeric or not NUMBER.fullmatch(text):
        return text
    digits = text[1:] if text[0] in "+-" else text
    text = str(int(text)) if digits.isdigit() else str(float(text))
    return text[:-2] if text.endswith(".0") else text


def _number(value: Any, kind: str, name: str) -> float:
    """Return a value of a column as a number: yes as 1, a date as days since 1970-01-01."""
    try:
        if kind == "yes/no" and isinstance(value, str) and value.lower() in MODEL["yes"] + MODEL["no"]:
            return float(value.lower() in MODEL["yes"])
        if isinstance(value, str) and kind != "date" and not NUMBER.fullmatch(value):
            raise ValueError(value)
        number = _days(value) if kind == "date" else float(value)
    except (AttributeError, OverflowError, TypeError, ValueError):
        raise ValueError(f"column {name!r} has {value!r}, which is {NO_VALUE[kind]}") from None
    if not abs(number) <= LARGEST:
        raise ValueError(f"column {name!r} has {value!r}, which is not a finite 32-bit number")
    return number


def _days(value: Any) -> float:
    """Return the days from 1970-01-01 to a date, or to a text such as 2020-12-31 or 31.12.2020."""
    if isinstance(value, str):
        found = DATE.fullmatch(value)
        if found:
            year, month, day, *clock = found.groups()
        else:
            found = DATE_BY_DAY.fullmatch(value)
            if not found:
                raise ValueError(value)
            day, month, year, *clock = found.groups()
        hours, minutes, seconds = (int(part or 0) for part in clock[:3])
        value = datetime(int(year), int(month), int(day), hours, minutes, seconds)
        return _days(value) + float(clock[3] or 0) / 86_400
    if isinstance(value, datetime):
        value = value.astimezone(timezone.utc) if value.tzinfo else value
        start = datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return float((value - start).total_seconds()) / 86_400
    return float(value.toordinal() - 719_163)


def _calendar(days: float) -> list[float]:
    """Return the month and the weekday (1 is Monday) of a day, given as days since 1970-01-01."""
    moment = date.fromordinal(math.floor(days) + 719_163)
    return [float(moment.month), float(moment.isoweekday())]


def _flat(pixels: Any) -> list[float]:
    """Return the pixels in nested lists, or in an array, as one list."""
    pixels = pixels.tolist() if hasattr(pixels, "tolist") else pixels
    if isinstance(pixels, (int, float)):
        if not abs(pixels) <= LARGEST:
            raise ValueError(f"a pixel is {pixels}")
        return [float(pixels)]
    if not isinstance(pixels, (list, tuple)):
        raise ValueError(f"pixels are numbers, not {pixels!r}")
    return [number for part in pixels for number in _flat(part)]


def probabilities(x: Sequence[float]) -> list[float]:
    """Return the probability of each of CLASSES, for the features of a row."""
    if len(x) != MODEL["features"]:
        raise ValueError(f"there are {len(x)} features, but {MODEL['features']} are needed")
    outputs = _trees(x) if MODEL["trees"] else _network(x)
    if not MODEL["softmax"]:
        return outputs
    most = max(outputs)
    powers = [math.exp(output - most) for output in outputs]
    total = sum(powers)
    return [power / total for power in powers]


def _network(x: Sequence[float]) -> list[float]:
    """Return the outputs of the last layer; between layers, negative values become 0."""
    h = list(x)
    if MODEL["convolution"]:
        h = [max(value, 0.0) for value in _convolved(h, *MODEL["convolution"])]
    for k, (weights, biases) in enumerate(MODEL["layers"]):
        if k:
            h = [max(value, 0.0) for value in h]
        h = [bias + sum(map(mul, row, h)) for row, bias in zip(weights, biases)]
    return h


def _convolved(
    x: Sequence[float], filters: Sequence[Sequence[float]], biases: Sequence[float], size: Sequence[int]
) -> list[float]:
    """Return the output of each filter at each position, filter by filter."""
    channels, rows, columns, side = size
    starts = [(channel * rows + row) * columns for channel in range(channels) for row in range(side)]
    patches = [
        [value for start in starts for value in x[start + corner : start + corner + side]]
        for top in range(rows - side + 1)
        for corner in range(top * columns, top * columns + columns - side + 1)
    ]
    return [
        bias + sum(map(mul, weights, patch)) for weights, bias in zip(filters, biases) for patch in patches
    ]


def _trees(x: Sequence[float]) -> list[float]:
    """Return the sums of the values of the leaves that a row ends in."""
    trees = MODEL["trees"]
    feature, threshold, left, right = (trees[name] for name in ("feature", "threshold", "left", "right"))
    outputs = list(trees["base"])
    for root, first in zip(trees["roots"], trees["first"]):
        node = root
        while node >= 0:
            node = right[node] if x[feature[node]] > threshold[node] else left[node]
        for k, value in enumerate(trees["value"][-1 - node]):
            outputs[first + k] += value
    return outputs


def check(golden: Mapping[str, Any]) -> int:
    """Compare with golden vectors, which are in the file beside this one; returns how many differ."""
    wrong = 0
    for row in golden["rows"]:
        p = predict_proba(dict(zip(COLUMNS, row["row"])) if COLUMNS else row["x"])
        wrong += max(abs(one - other) for one, other in zip(p, row["probabilities"])) > golden["tolerance"]
    return wrong


def main(path: str) -> None:
    """Print predictions for rows (CSV with commas and a header), or compare with golden vectors (JSON)."""
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            golden = json.load(file)
        wrong = check(golden)
        print(f"{wrong} of {len(golden['rows'])} golden vectors do not match")
        sys.exit(1 if wrong else 0)
    if not COLUMNS:
        sys.exit("a model of images does not read rows; call predict(pixels)")
    writer = csv.writer(sys.stdout)
    writer.writerow(["prediction", *(f"p_{name}" for name in CLASSES)])
    with open(path, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            try:
                p = predict_proba(row)
            except ValueError as error:
                sys.exit(f"{path}, row {number}: {error}")
            writer.writerow([CLASSES[p.index(max(p))], *p])


# Round to the 32-bit numbers that these digits stand for: thresholds must divide features exactly.
if MODEL.get("trees"):
    MODEL["trees"]["threshold"] = array("f", MODEL["trees"]["threshold"])
MODEL["layers"] = [
    ([array("f", row) for row in weights], array("f", biases)) for weights, biases in MODEL.get("layers", [])
]

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {sys.argv[0]} ROWS.csv, or GOLDEN.json to check the model")
    main(sys.argv[1])
