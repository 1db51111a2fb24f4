"""The synthetic worlds of a comparison, each in its own folder, which appears whole or not at all."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from engage_pipeline.comparison.child import run_engage
from engage_pipeline.comparison.variants import leave_out_strangers, shuffle_labels
from engage_pipeline.synthetic.recipes import Recipe

PARTS = 4
ROWS_A_USER = 10


class Variant(StrEnum):
    """The change of the labelled parts of a world; its test rows, labels and oracle stay the same."""

    PLAIN = "plain"
    SHUFFLED = "shuffled"
    STRANGERS = "strangers"


_CHANGES = {Variant.SHUFFLED: shuffle_labels, Variant.STRANGERS: leave_out_strangers}


@dataclass(frozen=True)
class WorldSpec:
    """The arguments of a world: `rows` in all (training, validation and test), `seed`, its kind, and the variant."""

    rows: int
    seed: int
    variant: Variant = Variant.PLAIN
    kind: Recipe = Recipe.PLAIN

    @property
    def name(self) -> str:
        """The name of its folder."""
        others = [one for one in (self.kind, self.variant) if one not in (Recipe.PLAIN, Variant.PLAIN)]
        return "-".join(map(str, [self.rows, self.seed, *others]))

    @property
    def title(self) -> str:
        """The name in tables."""
        return f"{self.of_all_seeds}, seed {self.seed}"

    @property
    def of_all_seeds(self) -> str:
        """The name in tables of such worlds of all seeds."""
        return f"{self.rows:,} rows" if self.kind is Recipe.PLAIN else f"{self.rows:,} rows, {self.kind}"

    def plain(self) -> "WorldSpec":
        """Returns the world of which this is a variant."""
        return replace(self, variant=Variant.PLAIN)


@dataclass(frozen=True)
class RawFiles:
    """The paths of a world's raw parts, test labels and oracle."""

    train: Path
    validation: Path
    test: Path
    labels: Path
    oracle: Path


def make_world(world: WorldSpec, folder: Path) -> RawFiles:
    """Makes the world below `folder` unless it exists. Raises UserError if the generator refuses its arguments."""
    truth = folder / world.plain().name
    _make(truth, lambda made: _synthesize(world, made))
    labelled = folder / world.name
    if world.variant is not Variant.PLAIN:
        _make(labelled, lambda made: _CHANGES[world.variant](truth, made, world.seed))
    return RawFiles(
        train=labelled / "train",
        validation=labelled / "validation" / "part-00000",
        test=truth / "test",
        labels=truth / "test_labels.parquet",
        oracle=truth / "test_oracle.parquet",
    )


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    if folder.exists():
        return
    unfinished = folder.with_name(f".tmp-{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    make(unfinished)
    unfinished.rename(folder)


def _synthesize(world: WorldSpec, folder: Path) -> None:
    numbers = {"rows": world.rows, "users": world.rows // ROWS_A_USER, "parts": PARTS, "seed": world.seed}
    options = [text for name, number in numbers.items() for text in (f"--{name}", str(number))]
    run_engage(["synthesize", "--out", str(folder), "--world", world.kind, *options], folder / "log.txt")
