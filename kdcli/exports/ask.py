"""Runs an exported student in a process of its own: reads rows from stdin, writes predictions, in JSON."""

import importlib.util
import json
import sys
import time


def main() -> None:
    """Load the student from the file named on the command line, and predict."""
    spec = importlib.util.spec_from_file_location("student", sys.argv[1])
    student = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(student)  # type: ignore[union-attr]
    asked = json.load(sys.stdin)
    names = student.COLUMNS
    rows = [dict(zip(names, row, strict=True)) for row in asked["rows"]] if names else asked["rows"]
    p = [student.predict_proba(row) for row in rows]
    microseconds = []
    for row in rows[: asked["timed"]]:
        start = time.perf_counter()
        student.predict_proba(row)
        microseconds.append(1e6 * (time.perf_counter() - start))
    predicted = [student.predict(row) for row in rows]
    json.dump({"p": p, "predicted": predicted, "microseconds": microseconds}, sys.stdout)


if __name__ == "__main__":
    main()
