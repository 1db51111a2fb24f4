"""A real bundle of two small networks and trees against its parts, its rows and its files."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.interactions.features.scored_file import ScoredFile
from engage_pipeline.language.codes import load_codes
from engage_pipeline.model.blend import WITH_EFFECTS, choose_weights, read_blend
from engage_pipeline.model.bundle import LEAST_PROBABILITY, TrainedModel, build_bundle, to_probabilities
from engage_pipeline.model.effects.columns import read_columns
from engage_pipeline.model.effects.scoring import EffectScorer
from engage_pipeline.model.network.network_files import load_network
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.trees.scoring import TreeScorer
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.model.bundles import make_inputs, quiet_settings
from engage_pipeline_tests.model.network.network_samples import ARCHITECTURES
from engage_pipeline_tests.samples import feature_table

TABLE = feature_table(2400, 21, validation=True)
UNSEEN = feature_table(700, 22, labelled=False)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    return make_inputs(TABLE, folder, quiet_settings(folder))


def build(inputs: dict[str, Path], output: Path, settings: Settings) -> dict:
    output.mkdir()
    return build_bundle(output, **inputs, settings=settings)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_components_are_those_of_the_parts(tmp_path: Path, architecture: str) -> None:
    settings = quiet_settings(tmp_path, network={"architecture": architecture})
    inputs = make_inputs(TABLE, tmp_path / "inputs", settings)
    build(inputs, tmp_path / "bundle", settings)
    components = TrainedModel.load(tmp_path / "bundle", threads=1).components(UNSEEN)
    assert list(components) == ["network", "pretrained", "effects", "trees", "blend"]
    codes = load_codes(inputs["codes_path"])
    assert load_network(tmp_path / "bundle", "finetuned_").config.architecture == architecture
    pretrained = NetworkScorer.load(inputs["pretrained"], codes).logits(UNSEEN)
    assert np.array_equal(components["pretrained"], pretrained)
    assert np.array_equal(components["network"], NetworkScorer.load(inputs["finetuned"], codes).logits(UNSEEN))
    effects = EffectScorer.load(inputs["effects"]).columns(UNSEEN)
    assert np.array_equal(components["effects"], effects[:, :4])
    assert np.array_equal(components["trees"], TreeScorer.load(inputs["trees"]).logits(UNSEEN, pretrained, effects))
    blend = read_blend(tmp_path / "bundle" / "blend.json")
    for i, target in enumerate(schema.TARGETS):
        weights = asdict(blend[target])
        expected = sum(weight * components[name][:, i] for name, weight in weights.items())
        assert np.allclose(components["blend"][:, i], expected, atol=1e-12)


def test_the_tables_of_effects_lie_on_the_disk_once_and_other_files_twice(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    build(inputs, tmp_path / "bundle", quiet_settings(tmp_path))
    tables = [path.name for path in inputs["effects"].glob("*effect_*.arrow")]
    assert len(tables) > 1
    assert all((tmp_path / "bundle" / name).samefile(inputs["effects"] / name) for name in tables)
    assert all(path.stat().st_nlink == 1 for path in (tmp_path / "bundle").iterdir() if path.name not in tables)


def test_the_networks_are_compared_once_and_not_for_each_row(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(inputs, tmp_path / "bundle", quiet_settings(tmp_path))
    model, compared = TrainedModel.load(tmp_path / "bundle", threads=1), []
    reads_like = NetworkScorer.reads_like
    monkeypatch.setattr(NetworkScorer, "reads_like", lambda *both: compared.append(both) or reads_like(*both))
    for row in range(3):
        model.probabilities(UNSEEN.slice(row, 1))
    assert compared == [(model.finetuned, model.pretrained)]


def test_a_model_without_the_family_does_not_care_for_counts_of_the_scored_file(
    inputs: dict[str, Path], tmp_path: Path
) -> None:
    build(inputs, tmp_path / "bundle", quiet_settings(tmp_path))
    model = TrainedModel.load(tmp_path / "bundle", threads=1)
    assert not model.reads_scored_file
    pq.write_table(UNSEEN, tmp_path / "unseen.parquet")
    counted = ScoredFile.read(tmp_path / "unseen.parquet").beside(UNSEEN, 0)
    assert np.array_equal(model.probabilities(counted), model.probabilities(UNSEEN))


def test_probabilities_lie_strictly_between_zero_and_one(inputs: dict[str, Path], tmp_path: Path) -> None:
    build(inputs, tmp_path / "bundle", quiet_settings(tmp_path))
    model = TrainedModel.load(tmp_path / "bundle", threads=1)
    probabilities = model.probabilities(UNSEEN)
    assert probabilities.dtype == np.float64
    assert np.allclose(probabilities, 1 / (1 + np.exp(-model.components(UNSEEN)["blend"])), atol=1e-6)
    assert model.probabilities(UNSEEN.slice(0, 0)).shape == (0, 4)
    extremes = to_probabilities(np.array([-1e4, 0.0, 1e4]))
    assert extremes.tolist() == [LEAST_PROBABILITY, 0.5, 1 - LEAST_PROBABILITY]


def test_the_blend_is_chosen_by_models_that_did_not_learn_from_the_row(inputs: dict[str, Path], tmp_path: Path) -> None:
    """On all fine-tuning rows, by their out-of-fold logits."""
    facts = build(inputs, tmp_path / "bundle", quiet_settings(tmp_path))
    split = TABLE[schema.SPLIT].to_numpy()
    places = [place for place in np.flatnonzero(split >= 0).tolist() if place % 5]  # the network's lack some
    assert facts["blend_rows"] == len(places)
    rows = TABLE.take(places)
    ids = rows["engaging_user_id"].to_pylist()
    viewers = np.array([list(dict.fromkeys(ids)).index(viewer) for viewer in ids])
    labels = np.column_stack([rows[target].to_numpy() for target in schema.TARGETS])
    logits = {}
    for name, folder in (("network", "finetuned"), ("trees", "trees")):
        table = pq.read_table(inputs[folder] / "out_of_fold.parquet").to_pylist()
        found = {one["row"]: [one[target] for target in schema.TARGETS] for one in table}
        logits[name] = np.array([found[place] for place in places], np.float32)
    logits["effects"] = read_columns(inputs["effects"])[places]
    for target, chosen in zip(schema.TARGETS, choose_weights(logits, labels, viewers, WITH_EFFECTS), strict=True):
        found = facts["engagements"][target]
        assert found["best_alone"] == chosen.alone
        weights = [found[f"{name}_weight"] for name in logits]
        assert weights == pytest.approx([getattr(chosen.weights, name) for name in logits], abs=1e-5)


def test_disabled_trees_leave_the_finetuned_network(inputs: dict[str, Path], tmp_path: Path) -> None:
    trees = tmp_path / "trees"
    trees.mkdir()
    for name in ("trees.json", "decided_trees.json"):
        (trees / name).write_text('{"enabled": false}')
    facts = build({**inputs, "trees": trees}, tmp_path / "bundle", quiet_settings(tmp_path))
    assert facts == {"trees": False}
    assert not list((tmp_path / "bundle").glob("pretrained*"))
    components = TrainedModel.load(tmp_path / "bundle", threads=1).components(UNSEEN)
    assert list(components) == ["network", "blend"]
    codes = load_codes(inputs["codes_path"])
    assert np.array_equal(components["blend"], NetworkScorer.load(inputs["finetuned"], codes).logits(UNSEEN))


def test_same_inputs_same_bytes(inputs: dict[str, Path], tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(inputs, tmp_path / name, quiet_settings(tmp_path))
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert first == second


def test_no_number_names_the_row(tmp_path: Path) -> None:
    """By a network that reads the similarities, the only numbers that may be infinite in a file."""
    settings = quiet_settings(tmp_path, network={"architecture": "residual"})
    build(make_inputs(TABLE, tmp_path / "inputs", settings), tmp_path / "bundle", settings)
    model = TrainedModel.load(tmp_path / "bundle", threads=1)
    position = UNSEEN.column_names.index("similar_like")
    values = UNSEEN["similar_like"].to_numpy().copy()
    values[[17, 30]] = np.inf
    lines = pa.array(np.arange(UNSEEN.num_rows) + 1000)
    broken = UNSEEN.set_column(0, schema.LINE_NUMBER, lines).set_column(position, "similar_like", pa.array(values))
    with pytest.raises(UserError, match=r"line number 1017: the network gives no number \(2 such rows\)"):
        model.probabilities(broken)


@pytest.mark.parametrize("name", ["blend.json", "trees.json", "finetuned_network.json", "codes.parquet"])
def test_a_missing_file_is_named(inputs: dict[str, Path], tmp_path: Path, name: str) -> None:
    build(inputs, tmp_path / "bundle", quiet_settings(tmp_path))
    (tmp_path / "bundle" / name).unlink()
    with pytest.raises(UserError, match=r"bundle"):
        TrainedModel.load(tmp_path / "bundle")
