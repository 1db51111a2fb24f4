"""Compares presets on synthetic worlds whose truth is known: what `engage compare` does.

What belongs here: which worlds, which contenders, what is measured, and the tables. What does not: how a preset
predicts, which is the pipeline's; it is run in child processes, and nothing here imports Dagster.
"""
