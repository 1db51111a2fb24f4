"""Candidates for promotion, small and real: a bundle that predicts well, and others that predict badly."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import metrics, schema
from engage_pipeline.model.bundle import TrainedModel, build_bundle
from engage_pipeline.model.promotion.promotion import promote
from engage_pipeline.store.deletion_ledger import enter
from engage_pipeline.store.file_names import DESCRIPTIONS
from engage_pipeline.store.store import ArtifactStore, Manifest
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings
from engage_pipeline_tests.samples import bare_store, feature_table

TABLE = feature_table(3000, 8, validation=True)
HELD_OUT = TABLE.filter(pa.array(TABLE[schema.SPLIT].to_numpy() == schema.HOLDOUT))
FEATURES = "features.parquet"


def make_bundles(folder: Path) -> dict[str, Path]:
    """Bundles by name: `good` has trees; `bad` is the same, too high in every logit, but still better than the constant
    rate; `worse` is an untrained network far off."""
    settings = quiet_settings(folder)
    inputs = make_inputs(TABLE, folder / "inputs", settings)
    none = folder / "no-trees"
    none.mkdir()
    for name in ("trees.json", "decided_trees.json"):
        (none / name).write_text('{"enabled": false}', encoding="utf-8")
    bundles = {name: folder / name for name in ("good", "bad", "worse")}
    for path in bundles.values():
        path.mkdir()
    build_bundle(bundles["good"], **inputs, settings=settings)
    shutil.copytree(bundles["good"], bundles["bad"], dirs_exist_ok=True)
    shift_blend(bundles["bad"], 0.5)
    build_bundle(bundles["worse"], **(inputs | {"trees": none}), settings=settings)
    shift_outputs(bundles["worse"], 3.0)
    return bundles


def shift_blend(bundle: Path, by: float) -> None:
    """Adds `by` to each blended logit, by what the networks, the trees or else the effects add to theirs."""
    blend = json.loads((bundle / "blend.json").read_text(encoding="utf-8"))
    shares = {name: one["network"] + one["trees"] for name, one in blend.items()}
    needed = {name: by / share if share else 0.0 for name, share in shares.items()}
    shift_outputs(bundle, list(needed.values()))
    for path in bundle.glob("*trees.json"):
        trees = json.loads(path.read_text(encoding="utf-8"))
        for name, one in trees["engagements"].items():
            one["start"]["intercept"] += needed[name]
        edit_json(path, **trees)
    for path in bundle.glob("*effects.json"):
        intercepts = json.loads(path.read_text(encoding="utf-8"))["intercepts"]
        moved = zip(intercepts, shares.values(), strict=True)
        edit_json(path, intercepts=[one if share else one + by for one, share in moved])


def shift_outputs(bundle: Path, by: float | list[float]) -> None:
    """Adds `by` to each logit, or to those of each engagement, of the bundle's fine-tuned networks."""
    import torch
    from safetensors.torch import load_file, save_file

    for path in bundle.glob("*finetuned_network.safetensors"):
        weights = load_file(path)
        weights["output.bias"] += torch.tensor(by)
        save_file(weights, path)


def mean_of_the_counted(scores: metrics.Scores, metric: str) -> float:
    """The mean over the engagements with ten rows of each class, or over all that have a score if none has so many."""
    cases = [one.overall for one in scores.engagements.values() if one.overall.rce is not None]
    many = [one for one in cases if 10 <= one.positives <= one.rows - 10] or cases
    return float(np.mean([getattr(one, metric) for one in many]))


def make_store(folder: Path, table: pa.Table = TABLE, *, raw: Path | None = None, **values: object) -> ArtifactStore:
    """A store with validation_features of `table`, and `values` as settings; with validation_tweets of the file `raw`,
    which is written, if it is given."""
    store = bare_store(quiet_settings(folder, **values))
    if raw is not None:
        publish_validation(store, raw)
    with store.publish("validation_features") as draft:
        pq.write_table(table, draft.path(FEATURES))
    return store


def publish_validation(store: ArtifactStore, raw: Path, content: bytes = b"rows") -> None:
    """Publishes validation_tweets of a raw file with this content."""
    raw.write_bytes(content)
    with store.publish("validation_tweets", sources=[raw]) as draft:
        draft.path("tweets.parquet").write_bytes(content)


def delete_a_row(store: ArtifactStore, raw: Path) -> None:
    """Deletes a row of the validation part and makes its features without it."""
    tweets = store.manifest("validation_tweets")
    assert tweets
    enter(store, [tweets])
    publish_validation(store, raw, b"fewer rows")
    make_store(store.root, TABLE.slice(1))


def publish_candidate(store: ArtifactStore, bundle: Path, **facts: object) -> Manifest:
    """Publishes the files of `bundle` as candidate_model with these facts."""
    with store.publish("candidate_model") as draft:
        draft.facts |= facts
        for path in bundle.iterdir():
            shutil.copyfile(path, draft.path(path.name))
    assert draft.manifest
    return draft.manifest


def decide(store: ArtifactStore, bundle: Path | None = None) -> Manifest:
    """Makes trained_model, of the candidate `bundle` or of the one that is published."""
    if bundle is not None:
        publish_candidate(store, bundle)
    with store.publish("trained_model") as draft:
        promote(store, draft)
    assert draft.manifest
    return draft.manifest


def mean_rce(bundle: Path, table: pa.Table = HELD_OUT) -> float:
    """The mean RCE on `table`, from its definition."""
    probabilities = TrainedModel.load(bundle, threads=1, decided=True).probabilities(table)
    found = []
    for place, name in enumerate(schema.TARGETS):
        labels, values = table[name].to_numpy(), probabilities[:, place]
        entropy = -np.where(labels, np.log(values), np.log(1 - values)).mean()
        rate = labels.mean()
        found.append(100 * (1 - entropy / (-rate * np.log(rate) - (1 - rate) * np.log(1 - rate))))
    return float(np.mean(found))


def predicting(store: ArtifactStore) -> dict[str, bytes]:
    """The files of the model that predicts, without its card."""
    return files_of(store.open("trained_model").directory())


def files_of(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle, without a card."""
    return {path.name: path.read_bytes() for path in bundle.iterdir() if path.name not in DESCRIPTIONS}


def edit_json(path: Path, **values: object) -> None:
    """Lays `values` over the JSON object in `path`."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")
