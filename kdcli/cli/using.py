"""The commands that use students: choose one, predict with it, export it."""

import typer

from kdcli.cli.calls import Call
from kdcli.cli.evidence import app
from kdcli.cli.options import WORK
from kdcli.errors import UsageError
from kdcli.report.told import Line

__all__ = ["app"]


@app.add(
    "choose",
    *("run_to_show", "within", "of", "by_metric", "latency", "size", *WORK),
    examples=("kd choose", "kd choose --within 0.5 --latency 1ms --size 100kB", "kd choose --of teacher"),
)
def choose(call: Call) -> None:
    """Choose the smallest students within a budget of accuracy, latency and size."""
    from kdcli.stages.choose import choose as stage

    options = call.options
    made = stage(
        call.opened(call.store.existing_run(options.run_to_show)),
        metric=options.by_metric,
        **call.passed("within", "of", "latency", "size"),
    )
    call.screen.show(made)
    if made.choice.chosen is None:
        raise typer.Exit(1)


@app.add(
    "export",
    *(
        "any_student_set",
        "export_format",
        "export_file",
        "encoded",
        "one_seed",
        "draw",
        "force",
        "run",
        *WORK,
    ),
    examples=(
        "kd export --format onnx",
        "kd export soft-T4-mlp4 --out firmware/student.h",
        "kd export soft-T1-tree-leaves8 --format rules --out -",
    ),
)
def export(call: Call) -> None:
    """Export a student as one file, with a model card and proof that it predicts the same outside kd."""
    from kdcli.stages.export import export as stage

    options = call.options
    if options.export_file == "-" and options.as_json:
        raise UsageError("--json and the export cannot both go to stdout", "name a file with --out")
    with call.working_on(call.store.existing_run(options.run)) as experiment:
        made = stage(
            experiment,
            options.any_student_set,
            file_format=options.export_format,
            out=options.export_file,
            seed=options.one_seed,
            watch=call.screen.watch,
            **call.passed("encoded", "draw", "force"),
        )
    if not made.paths:
        call.screen.hint(made.proven)
    call.screen.show(made)


@app.add(
    "predict",
    *("student_set", "rows_file", "out", "keep", "score", "one_seed", "draw", "ensemble", "run", *WORK),
    examples=(
        "kd predict soft-T4-mlp4 new.csv",
        "kd predict soft-T1-tree-leaves32 new.csv --out predictions.parquet",
        "kd predict labels-linear test.csv --score churned --out predictions.csv",
    ),
)
def predict(call: Call) -> None:
    """Predict new rows or images with a student: classes and probabilities, as a file or on stdout."""
    from kdcli.stages.predict import STDIO, Asked
    from kdcli.stages.predict import predict as stage

    options = call.options
    if options.out == STDIO and options.as_json:
        raise UsageError("--json and predictions cannot both go to stdout", "name a file with --out")
    asked = Asked(options.rows_file, options.out, options.keep, options.score or "")
    made = stage(
        call.opened(call.store.existing_run(options.run)),
        options.student_set,
        asked,
        seed=options.one_seed,
        draw=options.draw,
        ensemble=options.ensemble,
        watch=call.screen.watch,
    )
    if options.out == STDIO:
        for told in made.told():
            call.screen.hint(told.text if isinstance(told, Line) else str(told))
    else:
        call.screen.show(made)
