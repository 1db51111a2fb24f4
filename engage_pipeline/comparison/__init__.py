"""Compares presets on synthetic worlds whose true probabilities are known (`engage compare`).

What belongs here: the worlds, the contenders, the measurements and the tables. What does not: the prediction,
which the pipeline does in child processes. Nothing here imports Dagster.
"""
