"""Command-line options and arguments that are not recipe settings, each declared once."""

from dataclasses import dataclass
from pathlib import Path

from kdcli import workers
from kdcli.cli import completion
from kdcli.data import DATASETS
from kdcli.exports import FORMATS as EXPORTS
from kdcli.figures import FIGURES, FORMATS, STUDY_FIGURES
from kdcli.metrics import METRICS
from kdcli.models import FAMILIES
from kdcli.runs.completion import run_names, student_set_names, trained_models
from kdcli.runs.recipe import Teacher
from kdcli.runs.recipes import builtin_names
from kdcli.runs.studies import study_names
from kdcli.settings import rules, setting
from kdcli.words import listed

OF_TEACHER = rules(Teacher)
RUN, BEHAVIOUR = "Run", "Behaviour"  # panels of the help pages
DEFAULT_RUN = "default: the run that KD_RUN names, or the current one"
FROM_FILES = listed([name for name, dataset in DATASETS.items() if dataset.files])

SCREEN = ("as_json", "quiet")  # for every command
STORE = ("outputs", *SCREEN)  # for commands that read the store
WORK = ("no_wait", *STORE)  # for commands that work on a single run
COMPUTE = ("run", "jobs", *WORK)  # for commands that compute on an existing run


WITH_INTERVALS = tuple(name for name, metric in METRICS.items() if metric.inferred)


@dataclass(frozen=True)
class Options:
    """Every command-line option that is not a recipe setting; each command takes some of them.

    Their order is that of the help pages.
    """

    # what to work on
    dataset: str | None = setting(
        None,
        f"a dataset ({', '.join(DATASETS)}), or a file or folder of your own; default: gaussians",
        argument="[DATASET|FILE|FOLDER]",
        completion=tuple(DATASETS),
    )
    any_recipe: str = setting(
        "gaussians",
        f"a built-in recipe ({', '.join(builtin_names())}), a recipe file, such as a run's recipe.toml, or a "
        "file or folder of your own data",
        argument="[RECIPE|FILE|FOLDER]",
        completion=completion.recipes,
    )
    figures: tuple[str, ...] = setting(
        (),
        f"the figures to draw: {', '.join(FIGURES)}; for a study: {', '.join(STUDY_FIGURES)}; default: all "
        "that apply",
        argument="[FIGURE]...",
        completion=(*FIGURES, *STUDY_FIGURES),
    )
    run_to_use: str = setting(  # `...`: no default, since it must be given
        ..., "the run to make current", argument="RUN", completion=run_names
    )
    study_to_list: str | None = setting(
        None,
        "the study whose runs to list; default: all runs in the outputs folder",
        argument="[STUDY]",
        completion=completion.studies,
    )
    run_to_show: str | None = setting(
        None,
        f"the run; {DEFAULT_RUN}",
        flag="--run",
        argument="[RUN]",
        panel=RUN,
        completion=run_names,
    )
    reported: str | None = setting(
        None,
        f"the run or study; {DEFAULT_RUN}",
        flag="--run",
        argument="[RUN|STUDY]",
        panel=RUN,
        completion=completion.runs_and_studies,
    )
    run_to_check: str | None = setting(
        None,
        "the only run to check; default: all runs",
        flag="--run",
        argument="[RUN]",
        panel=RUN,
        completion=run_names,
    )
    sweep_file: str = setting(
        ...,
        f"a sweep file, or a study that comes with kd ({', '.join(study_names())})",
        argument="FILE|STUDY",
        completion=completion.sweeps,
    )
    study: str | None = setting(
        None, "name of the study; default: that of the file", flag="--study", metavar="NAME", panel=RUN
    )
    engine: str = setting(
        "local",
        "where the runs are made: in processes on this machine, or on a Dask cluster",
        choices=("local", "dask"),
    )
    address: str = setting("", "address of the Dask scheduler, such as tcp://host:8786", metavar="URL")
    shard: str = setting(
        "",
        "make only this part of the runs, such as 3/16; slurm: the part of this job in its array",
        metavar="K/N",
    )
    merge: tuple[str, ...] = setting(
        (), "collect this study's runs from other outputs folders", metavar="DIR"
    )
    reproducible: str = setting(
        "machine",
        "where results are bit-identical: on machines like this one, or (portable) on all processors of a "
        "family, using only the instructions that they share",
        choices=("machine", "portable"),
    )
    term: str | None = setting(
        None,
        "the word to explain, such as temperature, or several that belong together; default: list all terms",
        argument="[TERM]...",
        joined_by=" ",
        completion=completion.terms,
    )
    run_to_delete: str | None = setting(
        None, "the run to delete", flag="--run", argument="[RUN]", panel=RUN, completion=run_names
    )

    # how a command works
    student_set: str = setting(
        ..., "the student set, such as soft-T4-mlp4", argument="SET", completion=student_set_names
    )
    rows_file: str = setting(
        ..., "the rows: CSV, TSV, Parquet, Arrow, a folder of images, or - for CSV on stdin", argument="FILE"
    )
    out: str = setting("-", "file to write: .csv, .parquet or .jsonl; - writes CSV to stdout", metavar="FILE")
    any_student_set: str | None = setting(
        None,
        "the student set, such as soft-T4-mlp4; default: the smallest within half a point of the best",
        argument="[SET]",
        completion=student_set_names,
    )
    export_format: str | None = setting(
        None,
        "format of the export; default: by the suffix of --out, else python",
        flag="--format",
        choices=tuple(EXPORTS),
    )
    export_file: str | None = setting(
        None,
        "file to write, with golden vectors and a model card beside it; - writes to stdout; default: a file "
        "in the run's exports folder",
        flag="--out",
        metavar="FILE",
    )
    encoded: bool = setting(
        False, "make an ONNX model take the encoded features as one matrix, instead of the columns"
    )
    keep: tuple[str, ...] = setting(
        (), "columns to copy beside the predictions; default: identifier columns", metavar="COLUMN"
    )
    score: str | None = setting(
        None, "score the predictions against the labels in this column", metavar="COLUMN"
    )
    within: float = setting(
        0.5,
        "how much worse the metric may be than the reference: in points for a share, else in its own unit",
        minimum=0,
    )
    of: str = setting("best", "the reference of --within", choices=("best", "teacher"))
    by_metric: str = setting(
        "accuracy", "the metric, on validation examples", flag="--metric", completion=tuple(METRICS)
    )
    latency: str = setting("", "maximum median latency of a prediction, such as 1ms", metavar="TIME")
    size: str = setting("", "maximum size of a student, such as 100kB", metavar="BYTES")
    one_seed: int | None = setting(
        None,
        "the seed of the student; default: the seed with the best validation NLL",
        flag="--seed",
        minimum=0,
    )
    draw: int = setting(0, "the draw of the student", minimum=0)
    ensemble: bool = setting(False, "average the probabilities of all seeds")
    source: Path | None = setting(
        None, f"folder with the dataset's files, read instead of a download; only for {FROM_FILES}"
    )
    seeds: int | None = setting(
        None, "number of seeds of each student and draw, instead of the recipe's", minimum=1
    )
    teacher_source: str | None = setting(
        None,
        "an existing teacher, instead of the recipe's: a file of predictions, MODEL.onnx, "
        "package.module:function, FILE.py:function, or command:COMMAND",
        flag="--from",
        metavar="WHAT",
    )
    id_column: str | None = setting(None, OF_TEACHER["id_column"].help, flag="--id", metavar="COLUMN")
    logits: bool = setting(False, OF_TEACHER["logits"].help)
    trust_order: bool = setting(False, OF_TEACHER["trust_order"].help)
    metrics: tuple[str, ...] = setting(
        (),
        "further metrics to give verdicts on",
        values=", ".join(WITH_INTERVALS),
        flag="--metric",
        completion=WITH_INTERVALS,
    )
    by: str | None = setting(
        None,
        "compare within groups of the test examples: by class, or by a column of a table",
        metavar="class|COLUMN",
    )
    by_key: str | None = setting(
        None, "for a study: the key on the horizontal axis", flag="--by", metavar="KEY"
    )
    control: str | None = setting(
        None,
        "the student set to compare with, such as hard or soft-T4-mlp4; default: labels",
        completion=completion.controls,
    )
    unpaired: bool = setting(
        False, "also compare student sets that differ from the control in seeds, model or training"
    )
    models: tuple[str, ...] = setting(
        (),
        "use only students of these models",
        flag="--model",
        metavar="MODEL",
        completion=trained_models,
        item_starts=tuple(FAMILIES),
    )
    full: bool = setting(
        False, "show all of the evidence: other metrics, costs, where gains come from, and power too"
    )
    as_csv: bool = setting(False, "print the results as CSV on stdout and nothing else", flag="--csv")
    file_format: str = setting("png", "file format of the figures", choices=FORMATS, flag="--format")
    show_figures: bool = setting(False, "open the figures once they are drawn", flag="--show")
    open_report: bool = setting(False, "open the report in the browser", flag="--open")
    dry_run: bool = setting(
        False, "show how columns would be read, or which runs would be made, and write nothing"
    )
    yes: bool = setting(False, "delete without asking for confirmation", short="-y")

    # which run
    name: str | None = setting(None, "name of the student set, if only one is trained", panel=RUN)
    recipe: str | None = setting(
        None,
        "a built-in recipe or FILE.toml; default: the run's own or the dataset's",
        panel=RUN,
        completion=completion.recipes,
    )
    student_recipe: str | None = setting(
        None,
        "a built-in recipe or FILE.toml to take the students from; default: the run's own",
        flag="--recipe",
        panel=RUN,
        completion=completion.recipes,
    )
    run: str | None = setting(None, f"the run to work on; {DEFAULT_RUN}", panel=RUN, completion=run_names)
    new_run: str | None = setting(
        None,
        "name of the run; default: KD_RUN, else the name of the dataset or recipe file",
        flag="--run",
        panel=RUN,
    )
    outputs: Path | None = setting(
        None, "folder that holds all runs; default: KD_OUTPUTS, else outputs", panel=RUN
    )

    # how commands behave
    force: bool = setting(
        False, "replace existing results that were made with other settings", panel=BEHAVIOUR
    )
    keep_going: bool = setting(
        False, "drop students whose loss becomes non-finite, and keep the others", panel=BEHAVIOUR
    )
    jobs: int | None = setting(
        None,
        "number of processes that compute in parallel; it changes no result; default: "
        f"{workers.JOBS}, else all available processors",
        minimum=1,
        panel=BEHAVIOUR,
    )
    no_wait: bool = setting(
        False, "fail instead of waiting while another kd works on the run", panel=BEHAVIOUR
    )
    as_json: bool = setting(
        False, "print one JSON document on stdout and nothing else", flag="--json", panel=BEHAVIOUR
    )
    quiet: bool = setting(False, "print errors only", short="-q", panel=BEHAVIOUR)
