"""Stages: the verbs, one file for each command. Each reads artefacts of a run and writes artefacts."""
