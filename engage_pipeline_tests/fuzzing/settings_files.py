"""Mutated settings files: read, or refused in a short line for each mistake that names the file."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import yaml

from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import MOST_MISTAKES, Settings, load_settings
from engage_pipeline_tests.fuzzing.splices import random_splices, replace_value, spliced

VALID = b"""\
# The settings of a deployment.
preset: demo
working_dir: data
recsys_data: /data/train
validation_part: /data/validation/part-00000
max_n_parts: 200
follow_links: false
authors_similarity_threshold: 0.1
sketch_width: 256
ingest: {max_rejected_share: 0.05}
encoder: {model: tiny, max_tokens: 48, checkpoint: null}
network:
  batch_size: 512
  schedule: shuffled
evaluation:
  follower_edges: [240, 588, 1331]
checks: {first_day: 2021-02-04, last_day: null}
engine: {memory_limit: 4 GB, threads: 2}
automation: {nightly_cron: "0 3 * * *", timezone: Europe/Berlin}
"""


LONGEST_MESSAGE = 400
"""Characters behind the file's name."""
ODD_VALUES = (
    "2021-02-30", "2021-13-01", "2021-02-04 25:00:00", "0000-00-00", "9" * 5000, "-" + "9" * 4000, "0x" + "f" * 6000,
    ".inf", "-.inf", ".nan", "1.0e+999", "1e999", "{}1{}", "[]1[]", "!!int ''", "!!float x", "!!bool x",
    "!!timestamp x", "!!binary '%'", "*nothing", "&a [*a]", "&a {x: *a}", "!!set {a, a}", "{b: 1, b: 2}", "[" * 2000,
    "{a: " * 500, "x" * 100_000, "? [a]",
)  # fmt: skip
"""Values as they are written, that YAML or Python stumbles over."""
LAUGHTER = (
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcde", "bcdef", strict=True)
    )
    + "seed: *f\n"
)
"""Aliases of aliases: 9 ** 6 values in half a kilobyte."""
_VALUE = re.compile(rb"(?<=: )[^\s,{}\[\]]+")


def check_settings(folder: Path, content: bytes, *, refused: bool = False) -> Counter[str]:
    """Reads the file; whether it was settings. Raises AssertionError for an error with a line that does not name the
    file or is very long, for settings that say something that no file may say, or that are to be `refused`; and
    whatever else reading raises."""
    path = folder / "config.yaml"
    path.write_bytes(content)
    try:
        settings = load_settings(path)
    except UserError as error:
        lines = str(error).split("\n")
        assert len(lines) <= MOST_MISTAKES + 1, error
        for line in lines:
            assert line.startswith(str(path)), error
            assert line.isprintable(), repr(line)
            assert len(line) <= len(str(path)) + LONGEST_MESSAGE, line[:1000]
        return Counter(refused=1)
    assert isinstance(settings, Settings)
    assert not refused, content
    # Finite numbers, of a size that every reader of a manifest takes.
    numbers = re.sub(r'"[^"]*"', "", json.dumps(settings.model_dump(mode="json")))
    assert not re.search(r"NaN|Infinity|\d{20}", numbers), content
    return Counter(read=1)


def doubled_line(rng: random.Random) -> bytes:
    """The valid file with one of its settings given a second time, somewhere."""
    lines = VALID.splitlines(keepends=True)
    settings = [line for line in lines if not line.startswith((b"#", b" ", b"network:", b"evaluation:"))]
    return b"".join([*lines, rng.choice(settings)])


def odd_value(rng: random.Random) -> bytes:
    """The valid file with one of its values written oddly, or with aliases without end."""
    if rng.random() < 0.05:
        return VALID + LAUGHTER.encode()
    place = rng.choice(list(_VALUE.finditer(VALID)))
    return VALID[: place.start()] + rng.choice(ODD_VALUES).encode() + VALID[place.end() :]


def mutated_settings(rng: random.Random) -> bytes:
    """The valid file with a value replaced or written oddly, or with bytes spliced in."""
    if rng.random() < 0.3:
        return odd_value(rng)
    if rng.random() < 0.5:
        return spliced(VALID, random_splices(rng))
    values = yaml.safe_load(VALID)
    replace_value(values, rng)
    return str(yaml.safe_dump(values)).encode("utf-8", "surrogatepass")


def fuzz_settings(folder: Path, files: int, seed: int) -> Counter[str]:
    """Reads so many mutated settings files."""
    rng = random.Random(seed)
    found = Counter[str]()
    for number in range(files):
        twice = number % 10 == 9
        content = doubled_line(rng) if twice else mutated_settings(rng)
        found += check_settings(folder, content, refused=twice)
    return found
