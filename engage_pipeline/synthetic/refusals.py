"""What the generator refuses, and which parts of a folder are there already."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from engage_pipeline.errors import UserError
from engage_pipeline.synthetic.windows import DAY, EVALUATION_DAYS, MOST_DAYS, TRAINING_DAYS, TRAINING_START

MIN_ROWS, MIN_USERS = 100, 10
EVALUATION_PART = "part-00000"
WORLD_FILE = "world.json"
"""The arguments by which a world can be made again."""


@dataclass(frozen=True)
class WorldIdentity:
    """What makes a world the same again."""

    rows: int
    users: int
    seed: int
    world: str

    def text(self) -> str:
        """Returns the content of WORLD_FILE."""
        return json.dumps(asdict(self)) + "\n"


def day_part(day: int) -> str:
    """Returns the name of a day's own part, which sorts after those of mixed days: part-2021-02-04 is that of day 0."""
    return f"part-{datetime.fromtimestamp(TRAINING_START + day * DAY, UTC):%Y-%m-%d}"


def missing_days(out: Path, days: int) -> list[int]:
    """Returns those of the first `days` days that no training part of `out` holds; mixed parts hold the first 21."""
    first = TRAINING_DAYS if _mixed_parts(out) else 0
    return [day for day in range(first, days) if not (out / "train" / day_part(day)).exists()]


def kept_parts(out: Path, days: int) -> list[str]:
    """Returns the names of the training parts of `out` that hold some of the first `days` days."""
    names = [day_part(day) for day in range(days)]
    return _mixed_parts(out) + [name for name in names if (out / "train" / name).exists()]


def _mixed_parts(out: Path) -> list[str]:
    """Returns the names of the parts of mixed days."""
    return sorted(path.name for path in (out / "train").glob("part-[0-9][0-9][0-9][0-9][0-9]"))


def refuse(
    out: Path, *, identity: WorldIdentity, parts: int, days: int | None, append: bool, oracle: bool, n_train: int
) -> None:
    """Raises UserError if the arguments are out of range or do not fit what is in `out`."""
    if identity.rows < MIN_ROWS:
        raise UserError(f"rows: {identity.rows} is too few, at least {MIN_ROWS} are needed")
    if identity.users < MIN_USERS:
        raise UserError(f"users: {identity.users} is too few, at least {MIN_USERS} are needed")
    if not 1 <= parts <= n_train:
        raise UserError(f"parts: {parts} is out of range, 1 to {n_train} (the training rows) are possible")
    if identity.seed < 0:
        raise UserError(f"seed: {identity.seed} is negative")
    if days is not None and not 1 <= days <= MOST_DAYS - EVALUATION_DAYS:
        raise UserError(f"days: {days} is out of range, 1 to {MOST_DAYS - EVALUATION_DAYS} are possible")
    if append and days is None:
        raise UserError("append: needs days, the number of training days that there shall be")
    if append and oracle:
        raise UserError(
            "oracle: is of validation and test rows, which append leaves as they are; leave out one of both"
        )
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is not a folder")
    if append:
        _refuse_another_world(out / WORLD_FILE, identity)
        _refuse_unfinished(out)
        return
    for window in ("train", "validation", "test"):
        if existing := sorted((out / window).glob("part-*")):
            raise UserError(f"{existing[0]}: exists already; remove it or choose another folder")


def _refuse_another_world(path: Path, identity: WorldIdentity) -> None:
    try:
        made = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}: no world to append to; leave out append to make one") from None
    if made != identity.text():
        raise UserError(f"{path}: {made.strip()} is not the world to append to, {identity.text().strip()}")


def _refuse_unfinished(out: Path) -> None:
    """Raises UserError if some parts of mixed days are missing: the first is written last."""
    mixed = _mixed_parts(out)
    if mixed and mixed[0] != EVALUATION_PART:
        raise UserError(f"{out / 'train' / mixed[0]}: is of a world that was not finished; remove it, and make it anew")
