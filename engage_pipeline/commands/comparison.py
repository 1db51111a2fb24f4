"""The command that compares presets on synthetic worlds: compare."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engage_pipeline.errors import UserError

if TYPE_CHECKING:
    from engage_pipeline.comparison.worlds import WorldSpec


def compare(
    out: Annotated[Path, typer.Option(help="Folder of the worlds, the outcomes and results.md.")],
    sizes: Annotated[
        str, typer.Option(help="Rows of the worlds, comma-separated; 1600000:1 = with the seed 1 only.")
    ] = "60000,400000,1600000:1",
    seeds: Annotated[str, typer.Option(help="Seeds of the worlds of every size.")] = "1,2",
    kinds: Annotated[str, typer.Option(help="Kinds of the worlds, as of synthesize --world.")] = "plain",
    presets: Annotated[
        str, typer.Option(help="Presets, and reference_trees: LightGBM on the reference's numbers.")
    ] = "synerise,reference_trees,default",
    ablation: Annotated[
        bool,
        typer.Option("--ablation", help="Also default without one feature family at a time, first world of each kind."),
    ] = False,
    leakage: Annotated[
        bool, typer.Option("--leakage", help="Also with shuffled labels, and on viewers never seen, first world.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings that override every preset's [default: the tiny encoder].")
    ] = None,
) -> None:
    """Run presets on synthetic worlds and write their scores, shares of the oracle, time and memory to results.md.

    Outcomes that are already in the folder are kept, so a stopped comparison resumes. Variables ENGAGE__SECTION__KEY do
    not count.
    """
    from engage_pipeline.comparison.comparison import PAGE, Plan
    from engage_pipeline.comparison.comparison import compare as run_comparison
    from engage_pipeline.comparison.contenders import common_values

    plan = Plan(parse_worlds(sizes, seeds, kinds), parse_names(presets), ablation, leakage)
    outcomes = run_comparison(out, plan, common_values(config), shlex.join(["engage", *sys.argv[1:]]))
    typer.echo(out / PAGE)
    if failed := [outcome for outcome in outcomes if outcome.problem is not None]:
        raise UserError(f"{len(failed)} of {len(outcomes)} runs failed: {failed[0].contender}: {failed[0].problem}")


def parse_names(text: str) -> list[str]:
    """Splits a comma-separated list into names, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",")))


def parse_worlds(sizes: str, seeds: str, kinds: str) -> "list[WorldSpec]":
    """Combines every kind and every size with every seed, or with the seed behind its colon.

    Raises UserError: not a number, not a kind.
    """
    from engage_pipeline.comparison.worlds import WorldSpec
    from engage_pipeline.synthetic.recipes import Recipe

    known = list(Recipe)
    if wrong := [name for name in parse_names(kinds) if name not in known]:
        raise UserError(f"--kinds: {wrong[0]!r} is not one of {', '.join(known)}")
    every = [_number("--seeds", seed) for seed in parse_names(seeds)]
    worlds = []
    for text in parse_names(sizes):
        size, colon, own = text.partition(":")
        chosen = [_number("--sizes", own)] if colon else every
        worlds += [WorldSpec(_number("--sizes", size), seed) for seed in chosen]
    return list(dict.fromkeys(replace(one, kind=Recipe(kind)) for kind in parse_names(kinds) for one in worlds))


def _number(option: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise UserError(f"{option}: {text!r} is not a whole number")
    return int(text)
