"""Stages: the verbs. Each reads artefacts of a run and writes artefacts."""
