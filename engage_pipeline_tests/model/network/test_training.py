import numpy as np
import pytest
import torch  # noqa: TID253 - it is what is tested
from safetensors import safe_open
from safetensors.torch import save_file

from engage_pipeline import schema
from engage_pipeline.errors import UserError
from engage_pipeline.model.network import training
from engage_pipeline.model.network.checkpoint import load_checkpoint, save_checkpoint
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.schedule import Stretch
from engage_pipeline.model.network.training import TrainingPlan, TrainingRun, make_accelerator
from engage_pipeline.tracking.tracked import tracking, untracked
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    make_codes,
    make_network,
    network_settings,
)
from engage_pipeline_tests.samples import feature_table, tiny_settings
from engage_pipeline_tests.tracking.mlflow_runs import curve_of, runs_of


@pytest.fixture(params=ARCHITECTURES)
def train(request, tmp_path):
    """Trains 12 steps: three stretches of 100, 100 and 40 rows, the second with a fresh optimizer."""
    rows = make_network(request.param).reader.rows(feature_table(100, 0), labelled=True)
    stretches = [Stretch("a", (), 100), Stretch("b", (), 100, 1, fresh_optimizer=True), Stretch("c", (), 40, 2)]

    def run(workspace, learning_rate=lambda step, stretch: 1e-3 * 0.5**stretch.n_decays, track=untracked, **values):
        torch.set_num_threads(1)
        network = make_network(request.param, hidden_size=8)
        plan = TrainingPlan(
            "network", stretches, learning_rate, lambda stretch, positions: rows.take(positions), seed=5
        )
        folder = tmp_path / workspace
        folder.mkdir(exist_ok=True)
        chosen = network_settings(tmp_path, network={"batch_size": 20, "save_steps": 4, **values}).network
        inputs = InputBuilder.of(network, make_codes(), torch.device("cpu"))
        facts = TrainingRun(network, inputs, plan, chosen, folder, make_accelerator("cpu"), track).run()
        return network.state_dict(), facts

    return run


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", [3, 4, 5, 7, 10, 11])
def test_a_killed_run_ends_as_an_unbroken_one(train, step):
    def rate(now, stretch):
        if now == step and not killed:
            killed.append(now)
            raise Killed
        return 1e-3 * 0.5**stretch.n_decays

    killed = []
    unbroken, facts = train("unbroken")
    with pytest.raises(Killed):
        train("killed", rate)
    resumed, resumed_facts = train("killed", rate)
    assert killed == [step]
    assert same(unbroken, resumed)
    assert facts["curve"] == resumed_facts["curve"]
    assert (facts["rows"], facts["steps"]) == (resumed_facts["rows"], resumed_facts["steps"]) == (240, 12)


@pytest.mark.parametrize("step", [3, 7])
def test_a_tracked_curve_goes_on_where_a_killed_run_stopped(train, tmp_path, step):
    def rate(now, stretch):
        if now == step and not killed:
            killed.append(now)
            raise Killed
        return 1e-3

    killed = []
    track = tracking(tiny_settings(tmp_path, trackers=["mlflow"]), "pretrained_network", ".work-0123")
    with pytest.raises(Killed):
        train("killed", rate, track)
    (before,) = runs_of(tmp_path)
    assert before.info.status == "KILLED"
    assert [at for at, _ in curve_of(tmp_path, before, "loss/like")] == list(range(1, step + 1))
    _, facts = train("killed", rate, track)
    (after,) = runs_of(tmp_path)
    assert (after.info.run_id, after.info.status) == (before.info.run_id, "FINISHED")
    for target in schema.TARGETS:
        expected = [(point["step"], point[target]) for point in facts["curve"]]
        assert curve_of(tmp_path, after, f"loss/{target}") == expected
    means = [sum(point[target] for target in schema.TARGETS) / 4 for point in facts["curve"]]
    assert [value for _, value in curve_of(tmp_path, after, "loss/mean")] == pytest.approx(means)
    assert curve_of(tmp_path, after, "rows")[-1] == (12, 240.0)
    assert [value for _, value in curve_of(tmp_path, after, "stretch")] == [1.0] * 5 + [2.0] * 5 + [3.0] * 2


def test_a_diverged_run_has_failed_in_its_tracker_too(train, tmp_path):
    track = tracking(tiny_settings(tmp_path, trackers=["mlflow"]), "pretrained_network", ".work-0123")
    with pytest.raises(UserError, match="a weight is not finite"):
        train("run", lambda now, stretch: 1e-3 if now < 11 else float("inf"), track)
    (run,) = runs_of(tmp_path)
    assert run.info.status == "FAILED"


def test_a_resumed_run_repeats_only_what_was_not_saved(train):
    steps = []

    def rate(now, stretch):
        steps.append(now)
        if now == 10 and steps.count(10) == 1:
            raise Killed
        return 1e-3

    with pytest.raises(Killed):
        train("killed", rate)
    train("killed", rate)
    assert steps == [*range(11), *range(8, 12)]


def test_the_optimizer_starts_anew_where_the_stretch_says(train, tmp_path):
    train("run")
    with safe_open(tmp_path / "run" / "checkpoint.safetensors", framework="pt") as file:
        # saved at step 12; the second stretch, from step 5 on, began with a fresh optimizer
        assert file.get_tensor("optimizer.output.bias.step").item() == 12 - 5


def test_an_infinite_loss_stops_and_keeps_the_last_good_checkpoint(train, tmp_path):
    def rate(now, stretch):
        return 1e-3 if now < 6 else 1e38

    with pytest.raises(UserError, match=r"network: the loss became (nan|inf) at step 8 \(b\): lower .*the last good"):
        train("run", rate)
    with safe_open(tmp_path / "run" / "checkpoint.safetensors", framework="pt") as file:
        assert file.get_tensor("optimizer.output.bias.step").item() == 4
        assert all(file.get_tensor(name).isfinite().all() for name in file.keys())  # noqa: SIM118 - not a mapping


def test_infinite_weights_are_never_saved_or_published(train, tmp_path):
    with pytest.raises(UserError, match="a weight is not finite"):
        train("run", lambda now, stretch: 1e-3 if now < 11 else float("inf"))
    with safe_open(tmp_path / "run" / "checkpoint.safetensors", framework="pt") as file:
        assert file.get_tensor("optimizer.output.bias.step").item() == 8 - 5


def test_a_damaged_checkpoint_is_named(train, tmp_path):
    train("run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: not a checkpoint of this network"):
        train("run")


@pytest.mark.parametrize("position", ["null", "[1]", '{"batch": "a"}', '{"other": 1}', '{"step": -1}', "{"])
def test_a_damaged_position_is_named_and_not_begun_anew(train, tmp_path, position):
    train("run")
    path = tmp_path / "run" / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    save_file(tensors, path, metadata={"position": position})
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: not a checkpoint of this network"):
        train("run")


def test_a_checkpoint_of_another_architecture_is_named(tmp_path):
    networks = [make_network(architecture) for architecture in ARCHITECTURES]
    optimizers = [torch.optim.AdamW(network.parameters()) for network in networks]
    assert save_checkpoint(tmp_path, networks[0], optimizers[0], {"step": 1})
    assert load_checkpoint(tmp_path, networks[0], optimizers[0]) == {"step": 1}
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: not a checkpoint of this network"):
        load_checkpoint(tmp_path, networks[1], optimizers[1])


def test_input_of_several_batches_at_once_is_as_that_of_each(train, monkeypatch):
    together, _ = train("together")
    monkeypatch.setattr(training, "_PREPARED_BYTES", 1)
    alone, _ = train("alone")
    assert same(together, alone)


def test_every_pass_is_shuffled_anew(train):
    _, facts = train("run", lambda now, stretch: 0.0)
    losses = [point["like"] for point in facts["curve"]]
    assert losses[:5] != losses[5:10]


def test_the_curve_has_the_mean_losses_of_all_steps(train):
    _, facts = train("run")
    assert [point["step"] for point in facts["curve"]] == list(range(1, 13))
    assert all(0 < point["retweet_with_comment"] < 2 for point in facts["curve"])


def test_each_member_has_a_loss_of_its_own(tmp_path):
    """Of two members that give the logits 3 and -3 whatever the row: not the loss of their mean, which is log 2."""
    network = make_network("deep_fm", members=2)
    network.output.weight.data.zero_()
    network.output.bias.data = torch.tensor([3.0, -3.0]).view(2, 1, 1).expand(2, 1, 4).clone()
    for table in network.large_tables:
        table.weight.data.zero_()
    rows = network.reader.rows(feature_table(20, 0), labelled=True)
    plan = TrainingPlan("network", [Stretch("a", (), 20)], lambda step, stretch: 0.0, lambda stretch, held: rows, 5)
    chosen = network_settings(tmp_path, network={"batch_size": 20}).network
    inputs = InputBuilder.of(network, make_codes(), torch.device("cpu"))
    facts = TrainingRun(network, inputs, plan, chosen, tmp_path, make_accelerator("cpu")).run()
    expected = np.mean([np.log1p(np.exp(3)), np.log1p(np.exp(-3))])  # whatever the label
    assert facts["curve"][0]["like"] == pytest.approx(expected, abs=1e-5)


def test_the_curve_has_at_most_200_points(train):
    _, facts = train("run", batch_size=2)
    assert facts["steps"] == 120
    assert len(facts["curve"]) == 120


def test_weight_decay_and_precision_change_the_weights(train):
    base, _ = train("base")
    assert not same(base, train("decay", weight_decay=0.5)[0])
    assert same(base, train("again")[0])
