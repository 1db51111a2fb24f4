import threading

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from engage_pipeline import metrics, schema
from engage_pipeline.errors import UserError
from engage_pipeline.machine.threads import training_threads
from engage_pipeline.model.network.finetuning import finetune_network, finetuning_plan
from engage_pipeline.model.network.network_files import load_network
from engage_pipeline.model.network.pretraining import pretrain_network
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.model.network.training import TrainingRun
from engage_pipeline.model.out_of_fold import OutOfFold
from engage_pipeline.model.validation_roles import DECIDED, fine_tunes
from engage_pipeline_tests.model.network.network_samples import (
    ARCHITECTURES,
    LANGUAGES,
    make_codes,
    make_network,
    network_settings,
    set_column,
    write_parts,
    write_validation,
)
from engage_pipeline_tests.samples import feature_table


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def pretrained(architecture, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrained")
    paths = write_parts(folder, [300])
    output, workspace = folder / "output", folder / "workspace"
    output.mkdir()
    workspace.mkdir()
    settings = network_settings(folder, network={"architecture": architecture})
    pretrain_network(paths, make_codes(), LANGUAGES, output, workspace, settings)
    return output


@pytest.fixture
def finetune(tmp_path, pretrained):
    features = write_validation(tmp_path)

    def run(**values):
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        output, workspace = folder / "output", folder / "workspace"
        output.mkdir(parents=True)
        workspace.mkdir()
        settings = network_settings(tmp_path, **values)
        facts = finetune_network(pretrained, features, make_codes(), output, workspace, settings)
        return (output / "network.safetensors").read_bytes(), {**facts, "folder": output}

    return run


def test_does_not_train_on_held_out_rows(tmp_path):
    features = write_validation(tmp_path)
    plan = finetuning_plan(features, make_network(), network_settings(tmp_path), fine_tunes)
    rows = plan.load(plan.stretches[0], np.arange(plan.stretches[0].rows))
    table = pq.read_table(features)
    kept = table.filter(pc.not_equal(table[schema.SPLIT], schema.HOLDOUT))
    assert len(rows) == len(kept) < len(table)
    np.testing.assert_array_equal(rows.counts[:, 0], kept["pair_like"].to_numpy())


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ({"finetuning_epochs": 3}, 3),
        ({"finetuning_learning_rate": 0.01}, 2),
        ({"finetuning_decay": 0.1}, 2),
        ({"weight_decay": 1.0}, 2),
    ],
)
def test_each_setting_has_an_effect(finetune, changed, passes):
    base = {"finetuning_epochs": 2}
    weights, facts = finetune(network=base)
    others, other_facts = finetune(network={**base, **changed})
    assert others != weights
    assert other_facts["rows"] * 2 == facts["rows"] * passes
    assert finetune(network=base)[0] == weights


def test_no_epochs_leave_the_network_as_it_was(finetune, pretrained, architecture):
    weights, facts = finetune(network={"finetuning_epochs": 0})
    assert load_network(facts["folder"]).config.architecture == architecture
    assert weights == (pretrained / "network.safetensors").read_bytes()
    assert facts["curve"] == []
    assert facts["holdout"]["before"] == facts["holdout"]["after"]


def test_the_seconds_of_one_training_are_not_given_as_those_of_the_artifact(finetune):
    """What an asset says of its seconds is kept instead of those that were measured (store.measured)."""
    assert "seconds" not in finetune()[1]


def test_without_its_own_rate_it_starts_from_the_learning_rate(finetune):
    first, _ = finetune(network={"learning_rate": 3e-3, "finetuning_learning_rate": None})
    assert finetune(network={"finetuning_learning_rate": 3e-3})[0] == first


def test_scores_the_holdout_before_and_after(finetune, pretrained, tmp_path):
    _, facts = finetune()
    with pq.ParquetFile(tmp_path / "validation.parquet") as file:
        tables = [file.read_row_group(group) for group in range(file.num_row_groups)]
    held_out = [table.filter(pc.equal(table[schema.SPLIT], schema.HOLDOUT)) for table in tables]
    labels = pa.concat_tables(held_out)["reply"].to_numpy()
    for name, folder, prefix in (("before", pretrained, ""), ("after", facts["folder"], DECIDED)):
        # Another number of threads, or of rows at a time, gives other last digits on some processors.
        with training_threads(network_settings(tmp_path)):
            scorer = NetworkScorer.load(folder, make_codes(), prefix=prefix)
            logits = np.concatenate([scorer.logits(table) for table in held_out]).astype(np.float64)
        expected = metrics.relative_cross_entropy(labels, 1 / (1 + np.exp(-logits[:, 3])))
        assert facts["holdout"][name]["reply"]["rce"] == pytest.approx(expected, abs=1e-6)
    assert facts["holdout"]["before"] != facts["holdout"]["after"]


def test_no_rows_to_train_on_names_the_file(tmp_path):
    table = feature_table(20, 0, validation=True)
    pq.write_table(set_column(table, schema.SPLIT, [schema.HOLDOUT] * 20), tmp_path / "validation.parquet")
    with pytest.raises(UserError, match=r"validation\.parquet: no fine-tuning rows"):
        settings = network_settings(tmp_path)
        finetuning_plan(tmp_path / "validation.parquet", make_network(), settings, fine_tunes)


def with_other_likes(path, rows):
    """Turns the likes of the validation rows for whose `split` the rule holds."""
    table = pq.read_table(path)
    turned = rows(table[schema.SPLIT].to_numpy())
    labels = np.where(turned, ~table["like"].to_numpy(), table["like"].to_numpy())
    pq.write_table(set_column(table, "like", labels), path, row_group_size=110)


def test_held_out_rows_teach_the_published_network_alone(finetune, tmp_path):
    before = finetune()[1]["folder"]
    with_other_likes(tmp_path / "validation.parquet", lambda split: split == schema.HOLDOUT)
    after = finetune()[1]["folder"]
    same = {path.name for path in before.iterdir() if path.read_bytes() == (after / path.name).read_bytes()}
    assert same >= {"decided_network.safetensors", "out_of_fold.parquet"}
    assert "network.safetensors" not in same


@pytest.mark.parametrize(("chunks", "folds"), [(10, 4), (10, 3)])
def test_each_fine_tuning_row_is_scored_by_a_network_without_its_fold(finetune, tmp_path, chunks, folds):
    settings = {"trees": {"folds": folds}, "num_validation_chunks": chunks}
    before = OutOfFold.read(finetune(**settings)[1]["folder"])
    split = pq.read_table(tmp_path / "validation.parquet")[schema.SPLIT].to_numpy()
    assert before.rows.tolist() == np.flatnonzero(split >= 0).tolist()
    with_other_likes(tmp_path / "validation.parquet", lambda split: (split >= 0) & (split % folds == 1))
    after = OutOfFold.read(finetune(**settings)[1]["folder"])
    changed = (before.logits != after.logits).any(axis=1)
    assert np.array_equal(changed, split[before.rows] % folds != 1)


def test_of_many_rows_few_folds_are_scored(finetune, tmp_path):
    found = OutOfFold.read(finetune(trees={"folds": 4, "tested_rows": 1})[1]["folder"])
    split = pq.read_table(tmp_path / "validation.parquet")[schema.SPLIT].to_numpy()
    assert found.rows.tolist() == np.flatnonzero((split >= 0) & (split % 4 == 0)).tolist()


def test_rows_of_a_single_fold_are_scored_by_nobody(finetune, tmp_path):
    table = pq.read_table(tmp_path / "validation.parquet")
    split = np.where(table[schema.SPLIT].to_numpy() >= 0, 4, schema.HOLDOUT)
    pq.write_table(set_column(table, schema.SPLIT, split.astype(np.int32)), tmp_path / "validation.parquet")
    assert len(OutOfFold.read(finetune(trees={"folds": 4})[1]["folder"]).rows) == 0


def test_without_trees_nothing_is_scored_out_of_fold(finetune):
    assert not (finetune(trees={"enabled": False})[1]["folder"] / "out_of_fold.parquet").exists()


def test_without_refit_the_published_network_is_the_compared_one(finetune):
    weights, facts = finetune(refit=False)
    assert weights == (facts["folder"] / "decided_network.safetensors").read_bytes()
    assert weights != finetune()[0]


def test_trainings_at_a_time_are_those_one_after_the_other(finetune):
    one, several = (finetune(training_threads=1, engine={"threads": threads})[1] for threads in (1, 3))
    files = sorted(path.name for path in one["folder"].iterdir())
    assert len(files) == 5
    for name in files:
        assert (one["folder"] / name).read_bytes() == (several["folder"] / name).read_bytes()
    assert one["curve"] == several["curve"]
    assert one["holdout"] == several["holdout"]


def meet(monkeypatch, count):
    """Makes trainings wait for each other before their first step, `count` at a time; returns how many are at work,
    noted whenever one begins."""
    met, run, at_work, noted = threading.Barrier(count), TrainingRun.run, set(), []

    def wait(self):
        at_work.add(self)
        noted.append(len(at_work))
        met.wait(60)
        try:
            return run(self)
        finally:
            at_work.remove(self)

    monkeypatch.setattr(TrainingRun, "run", wait)
    return noted


@pytest.mark.parametrize(
    ("count", "values"),
    [
        (3, {"training_threads": 1, "engine": {"threads": 3}}),
        (2, {"training_threads": 3, "engine": {"threads": 6}}),
        (1, {"training_threads": 3, "engine": {"threads": 5}}),
        (1, {"training_threads": 1, "engine": {"threads": 3, "memory_limit": "100KB"}}),
        (1, {"training_threads": 1, "engine": {"threads": 3}, "trackers": ["tensorboard"]}),
    ],
)
def test_so_many_trainings_at_a_time_as_cores_memory_and_trackers_allow(finetune, monkeypatch, count, values):
    """Of six trainings. Were they fewer at a time, they would wait for ever."""
    noted = meet(monkeypatch, count)
    finetune(**values, trees={"folds": 4})
    assert max(noted) == count
    assert len(noted) == 6


def test_one_that_fails_ends_the_others(finetune, monkeypatch):
    begun, heard, step = threading.Event(), [], TrainingRun._step

    def fail(self, *values):
        if self.plan.name == "finetuned_network":
            assert begun.wait(60)
            raise UserError("failed")
        begun.set()
        heard.append(self.given_up.wait(20))
        return step(self, *values)

    monkeypatch.setattr(TrainingRun, "_step", fail)
    with pytest.raises(UserError, match=r"^failed$"):
        finetune(training_threads=1, engine={"threads": 2})
    assert heard == [True]
