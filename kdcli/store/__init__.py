"""The store: the only package that touches the outputs folder.

    outputs/
      current                 the current run's name
      RUN/
        recipe.toml
        data/  teacher/  students/NAME/     artefacts
        figures/  compare.json  report.html
        .resume/                            states of unfinished trainings
      STUDY/                  many runs, and their plan (see `studies`)
      .locks/                 a file for each run, locked by the process that works on it

An artefact is a folder of safetensors files, JSON documents, and a `meta.json`, which is written
last and holds the digest of every other file. It is written into a temporary sibling and renamed into
place, so that a reader sees the old artefact or the new one, never a half.
"""

from kdcli.store.artefact import Artefact, Content, DamagedError, Meta
from kdcli.store.files import in_the_way, replacing, write_file, write_synced
from kdcli.store.json_values import to_json
from kdcli.store.names import CURRENT, NAME, check_name, fitting, spelled
from kdcli.store.removal import remove_run
from kdcli.store.resume import ResumePoint
from kdcli.store.runs import STUDY, BusyError, Run, Store, default_root, named_run
from kdcli.store.space import free_disk, free_memory
from kdcli.store.state import (
    Condition,
    Extent,
    State,
    damaged,
    extent,
    is_current,
    leftovers,
    marker_problem,
    names_in,
    other_files,
    resume_points,
    root_leftovers,
    run_folders,
    study_runs,
    verify,
)
from kdcli.store.studies import StudyFolder, packed, share, unpack
from kdcli.store.versions import FORMAT, NewerError, OlderError, is_newer

__all__ = [
    "CURRENT",
    "FORMAT",
    "NAME",
    "STUDY",
    "Artefact",
    "BusyError",
    "Condition",
    "Content",
    "DamagedError",
    "Extent",
    "Meta",
    "NewerError",
    "OlderError",
    "ResumePoint",
    "Run",
    "State",
    "Store",
    "StudyFolder",
    "check_name",
    "damaged",
    "default_root",
    "extent",
    "fitting",
    "free_disk",
    "free_memory",
    "in_the_way",
    "is_current",
    "is_newer",
    "leftovers",
    "marker_problem",
    "named_run",
    "names_in",
    "other_files",
    "packed",
    "remove_run",
    "replacing",
    "resume_points",
    "root_leftovers",
    "run_folders",
    "share",
    "spelled",
    "study_runs",
    "to_json",
    "unpack",
    "verify",
    "write_file",
    "write_synced",
]
