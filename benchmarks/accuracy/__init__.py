"""Accuracy on labelled pairs: all methods over all sets of a folder, one table.

    python -m benchmarks.accuracy DATA

For measuring only: no weight, threshold or setting may be fitted or selected on what
it reads. docs/accuracy.md says what was found.
"""
