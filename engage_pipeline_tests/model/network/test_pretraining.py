import numpy as np
import pyarrow.parquet as pq
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.language.codes import NO_CODE
from engage_pipeline.model.network.network_files import load_network
from engage_pipeline.model.network.pretraining import base_rates, pretrain_network
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    LANGUAGES,
    make_codes,
    network_settings,
    set_column,
    write_parts,
)
from engage_pipeline_tests.samples import FIRST_DAY, feature_table


@pytest.fixture
def pretrain(tmp_path):
    """Pretrains in a folder of its own; returns the bytes of the weights and the facts."""

    def run(paths, codes=None, **values):
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        output, workspace = folder / "output", folder / "workspace"
        output.mkdir(parents=True)
        workspace.mkdir()
        facts = pretrain_network(
            paths,
            make_codes() if codes is None else codes,
            LANGUAGES,
            output,
            workspace,
            network_settings(tmp_path, **values),
        )
        return (output / "network.safetensors").read_bytes(), {**facts, "folder": output, "workspace": workspace}

    return run


def curve_mean(facts):
    """The mean loss of the last third of the curve."""
    return np.mean([point["like"] for point in facts["curve"][-len(facts["curve"]) // 3 :]])


def curve_end(facts):
    return facts["curve"][-1]["like"]


def test_same_seed_same_weights_and_another_seed_others(pretrain, tmp_path):
    paths = write_parts(tmp_path, [150, 100])
    weights, _ = pretrain(paths)
    assert pretrain(paths)[0] == weights
    assert pretrain(paths, seed=3)[0] != weights


def test_the_seed_draws_the_first_weights(pretrain, tmp_path):
    paths = write_parts(tmp_path, [100])
    first, second = (
        load_network(pretrain(paths, seed=seed, network={"learning_rate": 1e-12})[1]["folder"]) for seed in (1, 2)
    )
    assert (first.second.weight - second.second.weight).abs().max() > 0.01


@pytest.mark.parametrize("schedule", ["days", "shuffled"])
@pytest.mark.parametrize(
    ("changed", "step_factor"),
    [
        ({"network": {"hidden_size": 9}}, 1),
        ({"network": {"embedding_size": 5}}, 1),
        ({"network": {"architecture": "deep_cross"}}, 1),
        ({"network": {"batch_size": 16}}, None),
        ({"network": {"learning_rate": 0.01}}, 1),
        ({"network": {"weight_decay": 1.0}}, 1),
        ({"network": {"epochs": 4}}, 2),
        ({"network": {"start_at_base_rates": False}}, 1),
        ({"network": {"smoothed_rates": False}}, 1),
        ({"network": {"precision": "bf16"}}, 1),
        ({"max_n_parts_in_memory": 1}, None),
        ({"network": {"vocabulary": 5}}, 1),
        ({"network": {"sketches": True}}, 1),
    ],
)
def test_each_setting_has_an_effect(pretrain, tmp_path, schedule, changed, step_factor):
    paths = write_parts(tmp_path, [140, 100])
    base = {"network": {"schedule": schedule, "epochs": 2}}
    weights, facts = pretrain(paths, **base)
    others, other_facts = pretrain(
        paths, **{**base, **changed, "network": {**base["network"], **changed.get("network", {})}}
    )
    assert others != weights
    if step_factor is None:
        assert other_facts["steps"] > facts["steps"]
    else:
        assert other_facts["steps"] == step_factor * facts["steps"]


def test_the_width_of_sketches_has_an_effect_on_a_network_that_reads_them(pretrain, tmp_path):
    paths = write_parts(tmp_path, [140])
    without = {"architecture": "deep_fm", "sketches": False}
    others = [{"architecture": name, "sketches": True} for name in ARCHITECTURES]
    for chosen, equal in ((without, True), *((one, False) for one in others)):
        folders = [pretrain(paths, sketch_width=width, network=chosen)[1]["folder"] for width in (16, 32)]
        first, second = (load_network(folder).second.weight for folder in folders)
        assert torch.equal(first, second) == equal


def test_the_decay_per_day_holds_for_days_only(pretrain, tmp_path):
    paths = write_parts(tmp_path, [200])
    for schedule, equal in (("days", False), ("shuffled", True)):
        first, second = (
            pretrain(paths, network={"schedule": schedule, "decay_per_day": decay})[0] for decay in (0.96, 0.5)
        )
        assert (first == second) == equal


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_learns_what_explains_the_labels(pretrain, tmp_path, architecture):
    paths = write_parts(tmp_path, [2000, 1000])
    chosen = {"architecture": architecture, "epochs": 3, "hidden_size": 16, "learning_rate": 3e-3}
    _, facts = pretrain(paths, network=chosen)
    assert load_network(facts["folder"]).config.architecture == architecture
    rate = base_rates(paths)[0]
    constant = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert facts["rows"] == 9000
    assert curve_end(facts) < constant - 0.05


def test_a_day_of_one_row_trains(pretrain, tmp_path):
    table = feature_table(131, 0)
    days = [FIRST_DAY, *[FIRST_DAY + 1] * 129, FIRST_DAY + 2]
    pq.write_table(set_column(table, schema.ENGAGEMENT_DAY, days), tmp_path / "part.parquet")
    _, facts = pretrain([tmp_path / "part.parquet"], network={"schedule": "days", "epochs": 1})
    assert facts["steps"] == 1 + 3 + 1
    assert all(tensor.isfinite().all() for tensor in load_network(facts["folder"]).state_dict().values())


def test_continues_from_its_checkpoint(pretrain, tmp_path):
    paths = write_parts(tmp_path, [200])
    settings = network_settings(tmp_path, network={"save_steps": 3})
    weights, facts = pretrain(paths, network={"save_steps": 3})
    (tmp_path / "again").mkdir()
    again = pretrain_network(paths, make_codes(), LANGUAGES, tmp_path / "again", facts["workspace"], settings)
    assert (tmp_path / "again" / "network.safetensors").read_bytes() == weights
    assert again["steps"] == facts["steps"]


def test_base_rates_by_hand(tmp_path):
    table = feature_table(3, 0)
    for target, labels in zip(schema.TARGETS, ([1, 1, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0]), strict=True):
        table = set_column(table, target, [bool(label) for label in labels])
    for place in range(2):
        pq.write_table(table, tmp_path / f"{place}.parquet")
    rates = base_rates([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    np.testing.assert_allclose(rates, [4.5 / 7, 6.5 / 7, 0.5 / 7, 2.5 / 7])


@pytest.mark.parametrize("schedule", ["days", "shuffled"])
def test_in_small_buffers_every_row_is_trained_on_and_the_bytes_are_repeated(pretrain, tmp_path, schedule, monkeypatch):
    paths = write_parts(tmp_path, [300, 200], row_group_size=40)
    whole, facts = pretrain(paths, network={"schedule": schedule, "epochs": 1})
    monkeypatch.setattr("engage_pipeline.model.network.schedule.BUFFER_ROWS", 90)
    weights, others = pretrain(paths, network={"schedule": schedule, "epochs": 1})
    assert others["rows"] == facts["rows"] == 500
    assert others["steps"] > facts["steps"]
    assert weights != whole
    assert pretrain(paths, network={"schedule": schedule, "epochs": 1})[0] == weights


def test_buffers_of_row_groups_learn_as_well_as_all_rows_shuffled(pretrain, tmp_path, monkeypatch):
    paths = write_parts(tmp_path, [2000, 2000], row_group_size=100)
    chosen = {"architecture": "residual", "epochs": 3, "hidden_size": 16, "learning_rate": 3e-3}
    _, whole = pretrain(paths, network=chosen)
    monkeypatch.setattr("engage_pipeline.model.network.schedule.BUFFER_ROWS", 400)
    _, buffered = pretrain(paths, network=chosen)
    assert curve_mean(buffered) == pytest.approx(curve_mean(whole), abs=0.02)


def test_no_rows_is_the_users_mistake(pretrain, tmp_path):
    with pytest.raises(UserError, match="the training parts have no rows"):
        pretrain(write_parts(tmp_path, [0]))


def test_without_token_codes_the_network_reads_words_alone(pretrain, tmp_path):
    paths = write_parts(tmp_path, [100])
    none = np.full_like(make_codes(), NO_CODE)
    weights, facts = pretrain(paths, none, network={"architecture": "deep_fm", "sketches": True})
    assert weights == pretrain(paths, network={"architecture": "deep_fm", "sketches": False})[0]
    assert weights != pretrain(paths, network={"architecture": "deep_fm", "sketches": True})[0]
    assert load_network(facts["folder"]).config.sketch_depth == 0


@pytest.mark.parametrize("architecture", ["residual", "deep_cross"])
def test_a_network_that_reads_sketches_alone_needs_codes(pretrain, tmp_path, architecture):
    none = np.full_like(make_codes(), NO_CODE)
    with pytest.raises(UserError, match=f"network.architecture: {architecture} reads text by sketches alone"):
        pretrain(write_parts(tmp_path, [100]), none, network={"architecture": architecture})
