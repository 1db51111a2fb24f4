"""What a bundle is made of, small and real: two networks with random weights, codes and trees."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.graphs.communities import COMMUNITIES, SCHEMA
from engage_pipeline.language.codes import code_schema, load_codes
from engage_pipeline.language.topics import fit_model
from engage_pipeline.model.effects.columns import read_columns
from engage_pipeline.model.effects.scoring import load_clusters
from engage_pipeline.model.effects.training import train_effects
from engage_pipeline.model.out_of_fold import OutOfFold
from engage_pipeline.model.trees.training import train_trees
from engage_pipeline.model.validation_roles import DECIDED
from engage_pipeline.numerics.fingerprints import fingerprints
from engage_pipeline.numerics.token_bytes import tokens_of
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.model.network.network_samples import sample_vocabulary
from engage_pipeline_tests.samples import tiny_settings


def quiet_settings(folder: Path, **values: object) -> Settings:
    """Tiny settings on one thread, so that tests that run beside others don't wait for each other's cores."""
    return tiny_settings(folder, **{"engine": {"threads": 1, "memory_limit": "1GB"}, **values})


def write_codes(path: Path, settings: Settings) -> None:
    """Random codes of the tokens 1000 … 1299."""
    rng = np.random.default_rng(5)
    tokens = np.arange(1000, 1300, dtype=np.int32)
    codes = rng.integers(0, settings.sketch_width, (len(tokens), settings.sketch_depth)).tolist()
    table = {"token": tokens, "codes": codes}
    pq.write_table(pa.table(table, schema=code_schema(settings.sketch_depth)), path)


def write_network(folder: Path, seed: int, settings: Settings, prefix: str = "") -> None:
    """A network that was never trained, its outputs near the base rates."""
    import torch

    from engage_pipeline.model.network.architectures import new_network, reads_vocabulary
    from engage_pipeline.model.network.network_config import NetworkConfig
    from engage_pipeline.model.network.network_files import save_network

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shape = settings.sketch_depth, settings.sketch_width, 32, 20
        architecture = settings.network.architecture
        known = sample_vocabulary() if reads_vocabulary(architecture) else None
        sizes = known.sizes if known else ()
        config = NetworkConfig(("en", "es", "ja"), *shape, architecture=architecture, vocabulary=sizes)
        network = new_network(config, known)
        with torch.no_grad():
            network.output.bias.copy_(torch.tensor([-0.4, -2.2, -3.5, -2.9]))
    folder.mkdir(exist_ok=True)
    save_network(network, folder, prefix)


def make_inputs(validation_features: pa.Table, folder: Path, settings: Settings) -> dict[str, Path]:
    """The arguments of build_bundle below `folder`: networks, codes, effects and trees of `validation_features`."""
    from engage_pipeline.model.network.scoring import NetworkScorer

    names = ("pretrained", "finetuned", "effects", "trees")
    paths = {name: folder / name for name in names}
    paths |= {"features": folder / "features.parquet", "codes_path": folder / "codes.parquet"}
    folder.mkdir(exist_ok=True)
    write_codes(paths["codes_path"], settings)
    write_network(paths["pretrained"], 1, settings)
    write_network(paths["finetuned"], 2, settings)
    write_network(paths["finetuned"], 3, settings, DECIDED)
    pq.write_table(validation_features, paths["features"])
    write_out_of_fold(validation_features, paths["finetuned"])
    write_effects(paths["features"], paths["effects"], settings)
    paths["trees"].mkdir()
    pretrained = NetworkScorer.load(paths["pretrained"], load_codes(paths["codes_path"]))
    train_trees(paths["features"], pretrained, read_columns(paths["effects"]), paths["trees"], settings)
    return paths


def write_out_of_fold(table: pa.Table, folder: Path) -> None:
    """Logits that know a little of the likes, of four fine-tuning rows in five."""
    places = np.flatnonzero(table[schema.SPLIT].to_numpy() >= 0)
    places = places[places % 5 > 0]
    logits = np.random.default_rng(4).normal(-2, 0.3, (len(places), len(schema.TARGETS))).astype(np.float32)
    logits[:, schema.TARGETS.index("like")] += table["like"].to_numpy()[places]
    OutOfFold(places, logits).write(folder)


def write_effects(features: Path, folder: Path, settings: Settings) -> None:
    """Effects fitted to the fine-tuning rows of `features` alone, with clusters made of the same rows."""
    folder.mkdir()
    write_clusters(FeatureFile(features).read(), folder, settings)
    train_effects([], features, load_clusters(folder), folder, settings)


def write_clusters(table: pa.Table, folder: Path, settings: Settings) -> None:
    """Topics of the rows' tokens, and two communities by the last bit of the users' fingerprints."""
    offsets, tokens = tokens_of(table)
    fit_model(tokens, np.diff(offsets), table["language"], settings).save(folder)
    people = [fingerprints(table[name]) for name in ("engaging_user_id", "engaged_with_user_id")]
    users = np.unique(np.concatenate(people))
    sides = (users & 1).astype(np.int32)
    communities = {"user": users, "as_author": sides, "as_viewer": sides}
    pq.write_table(pa.table(communities, schema=SCHEMA), folder / COMMUNITIES)
