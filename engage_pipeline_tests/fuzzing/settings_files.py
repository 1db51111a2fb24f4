"""Mutated settings files: read, or refused in one line that names the file."""

import random
from collections import Counter
from pathlib import Path

import yaml

from engage_pipeline.config import Settings, load_settings
from engage_pipeline.errors import UserError
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


def check_settings(folder: Path, content: bytes) -> Counter[str]:
    """Reads the file; whether it was settings. Raises AssertionError for an error of more than one line, and whatever
    else reading raises."""
    path = folder / "config.yaml"
    path.write_bytes(content)
    try:
        assert isinstance(load_settings(path), Settings)
    except UserError as error:
        assert str(error).startswith(str(path)), error
        assert str(error).isprintable(), repr(str(error))
        return Counter(refused=1)
    return Counter(read=1)


def mutated_settings(rng: random.Random) -> bytes:
    """The valid file with a value replaced, or with bytes spliced in."""
    if rng.random() < 0.5:
        return spliced(VALID, random_splices(rng))
    values = yaml.safe_load(VALID)
    replace_value(values, rng)
    return str(yaml.safe_dump(values)).encode("utf-8", "surrogatepass")


def fuzz_settings(folder: Path, files: int, seed: int) -> Counter[str]:
    """Reads so many mutated settings files."""
    rng = random.Random(seed)
    return sum((check_settings(folder, mutated_settings(rng)) for _ in range(files)), Counter[str]())
