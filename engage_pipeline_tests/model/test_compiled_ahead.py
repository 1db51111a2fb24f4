"""What a run needs is compiled ahead."""

import os
import subprocess
import sys
from pathlib import Path

from engage_pipeline_tests.worlds import REPOSITORY

FIT = """
import sys
from pathlib import Path
import numpy as np
import pyarrow as pa
import torch
from engage_pipeline.ingest.parsing import plain_lines
from engage_pipeline.interactions.counters import look_ups
from engage_pipeline.interactions.features.writing import write_features
from engage_pipeline.interactions.graphs import common_followers
from engage_pipeline.interactions.shards import similar_sums, table_sums
from engage_pipeline.language import state_sums, token_counts, token_vectors, token_weights
from engage_pipeline.model.effects import chances, children, kernels, nesting, openings
from engage_pipeline.model.network import half_products, row_steps, tweet_sketch
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.member_linear import MemberLinear
from engage_pipeline.model.network.rows import empty_rows
from engage_pipeline.model.network.single_row import SparseFirstLayer
from engage_pipeline.numerics import distinct, fasthash, fingerprints
from engage_pipeline_tests.ingest.test_part_ingest import GOOD, ingest
from engage_pipeline_tests.interactions.features.test_own_window import PARTS, count, features
from engage_pipeline_tests.interactions.graphs.test_similarity import find
from engage_pipeline_tests.interactions.typed_parts import write_typed
from engage_pipeline_tests.language import corpora
from engage_pipeline_tests.language.test_token_weights import flat
from engage_pipeline_tests.model.bundles import quiet_settings
from engage_pipeline_tests.model.effects.test_training import fit
from engage_pipeline_tests.model.network.test_table_adamw import by_row, learn, new_network
folder = Path(sys.argv[1])
fit(folder, quiet_settings(folder, effects={"sweeps": 4}))
ingest(folder / "ingest", GOOD + b"\\n")
token_weights.fit_columns(*flat([[9, 5, 5, 9]]), np.zeros(1, np.int32), 1)
corpora.small_encoder(folder / "encoder")
tweets = corpora.write_tweets(folder / "tweets.parquet", corpora.random_tweets(9, seed=1))
settings = corpora.encoder_settings(folder, folder / "encoder")
token_vectors.sketch_tokens(folder / "encoder", [tweets], folder, settings, bf16=False)
find(folder, {"ana": "abc", "ben": "bcd"})
part = write_typed(PARTS[0], folder / "part.parquet")
quiet = quiet_settings(folder)
counts = count([part], folder, quiet)
features([part], counts, quiet)
for text in ("", "of eight", "of nine b"):
    fingerprints.hashes(pa.array([text]))
write_features(part, folder / "asked.parquet", kind="test", settings=quiet, **counts)
half_products.HalfLinear(torch.nn.Linear(5, 3).bfloat16())(torch.zeros(1, 5))
half_products.HalfMemberLinear(MemberLinear(2, 5, 3).bfloat16())(torch.zeros(1, 2, 5))
SparseFirstLayer(torch.nn.Linear(5, 3).bfloat16(), torch.zeros(1, 5))(torch.ones(1, 5))
builder = InputBuilder(np.zeros((3, 2), np.int32), 2, torch.device("cpu"))
builder.build(empty_rows(2, 0, people=0))
builder.build_one(empty_rows(1, 0, people=0))
network = new_network()
learn(network, by_row(network), range(3))
modules = chances, children, common_followers, distinct, half_products, kernels, nesting, openings
modules += plain_lines, row_steps, fasthash, look_ups, similar_sums, state_sums, table_sums, token_counts, tweet_sketch
for module in modules:
    for name, function in vars(module).items():
        if hasattr(function, "py_func"):
            print(name, sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
"""


def test_a_run_compiles_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
    ahead = [sys.executable, "-m", "engage_pipeline.model.compiled_ahead"]
    subprocess.run(ahead, env=environment, cwd=REPOSITORY, check=True)
    (tmp_path / "fit").mkdir()
    command = [sys.executable, "-c", FIT, str(tmp_path / "fit")]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    found = {name: (int(hits), int(misses)) for name, hits, misses in map(str.split, done.stdout.splitlines())}
    assert len(found) == 38
    for name, (hits, misses) in found.items():
        assert hits > 0, name
        assert misses == 0, name
