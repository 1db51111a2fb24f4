"""Which device is chosen; and on a GPU, that training and scoring give what a CPU gives, and the same bytes twice."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.errors import UserError
from engage_pipeline.language.finetuning import finetune_encoder
from engage_pipeline.language.token_vectors import TOKEN_VECTORS, sketch_tokens
from engage_pipeline.machine.device import Device, torch_device
from engage_pipeline.model.network.finetuning import finetune_network
from engage_pipeline.model.network.pretraining import pretrain_network
from engage_pipeline.model.network.scoring import NetworkScorer
from engage_pipeline.orchestration.preflight import require_ready
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.language.corpora import counting_tweets, encoder_settings, small_encoder, write_tweets
from engage_pipeline_tests.model.network.network_samples import (
    LANGUAGES,
    make_codes,
    make_network,
    network_settings,
    write_parts,
    write_validation,
)
from engage_pipeline_tests.samples import feature_table
from engage_pipeline_tests.worlds import make_world, store_of, write_config

GPU = torch.cuda.is_available()
on_gpu = pytest.mark.skipif(not GPU, reason="torch finds no GPU on this machine")
without_gpu = pytest.mark.skipif(GPU, reason="this machine has a GPU")


def test_cpu_is_the_cpu_whatever_there_is() -> None:
    assert torch_device("cpu") == torch.device("cpu")


def test_auto_is_the_gpu_if_there_is_one() -> None:
    assert torch_device("auto").type == ("cuda" if GPU else "cpu")
    assert Settings().engine.device == "auto"


@without_gpu
def test_a_gpu_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    message = r"^engine\.device: cuda, but torch finds no GPU on this machine: set it to auto or cpu$"
    with pytest.raises(UserError, match=message):
        torch_device("cuda")
    with pytest.raises(UserError, match=message):
        NetworkScorer(make_network(), make_codes(), "cuda")
    with pytest.raises(UserError, match=message):
        pretrain(tmp_path, "cuda")


@without_gpu
def test_a_run_that_wants_a_gpu_is_refused_before_any_work(tmp_path: Path) -> None:
    make_world(tmp_path)
    store = store_of(write_config(tmp_path, engine={"device": "cuda"}))
    with pytest.raises(UserError, match=r"engine\.device: cuda"):
        require_ready(store, {"tweet_parts"})


def pretrain(folder: Path, device: Device, **engine: object) -> tuple[Path, Path]:
    """Pretrains and fine-tunes a network; returns the folders of both."""
    settings = network_settings(folder, engine={"threads": 1, "memory_limit": "1GB", "device": device, **engine})
    pretrained, finetuned, workspace = (folder / name for name in ("pretrained", "finetuned", "workspace"))
    for path in (pretrained, finetuned, workspace, workspace / "1", workspace / "2"):
        path.mkdir(parents=True)
    parts, validation = write_parts(folder, [400, 300]), write_validation(folder)
    pretrain_network(parts, make_codes(), LANGUAGES, pretrained, workspace / "1", settings)
    finetune_network(pretrained, validation, make_codes(), finetuned, workspace / "2", settings)
    return pretrained, finetuned


@on_gpu
def test_networks_train_and_score_on_the_gpu_as_on_the_cpu(tmp_path: Path) -> None:
    rows: pa.Table = feature_table(700, 7, labelled=False)
    folders = [pretrain(tmp_path / str(place), device) for place, device in enumerate(("cpu", "cuda", "cuda"))]
    for cpu, gpu, again in zip(*folders, strict=True):
        expected = NetworkScorer.load(cpu, make_codes()).logits(rows)
        np.testing.assert_allclose(NetworkScorer.load(gpu, make_codes()).logits(rows), expected, atol=0.05)
        found = NetworkScorer.load(cpu, make_codes(), device="cuda").logits(rows)
        np.testing.assert_allclose(found, expected, atol=1e-3)
        one = NetworkScorer.load(cpu, make_codes(), device="cuda").logits(rows.slice(0, 1))
        np.testing.assert_allclose(one, expected[:1], atol=1e-3)
        assert (gpu / "network.safetensors").read_bytes() == (again / "network.safetensors").read_bytes()


@on_gpu
def test_the_encoder_trains_and_sketches_on_the_gpu(tmp_path: Path) -> None:
    part = write_tweets(tmp_path / "part.parquet", counting_tweets(400, 1))
    vectors = {}
    for device in ("cpu", "cuda"):
        settings = encoder_settings(tmp_path, small_encoder(tmp_path / "encoder"), epochs=3, learning_rate=3e-3)
        engine = settings.engine.model_copy(update={"device": device})
        settings = settings.model_copy(update={"engine": engine})
        folder = tmp_path / device
        for name in ("encoder", "workspace", "sketches"):
            (folder / name).mkdir(parents=True)
        facts = finetune_encoder([part], folder / "encoder", folder / "workspace", settings, bf16=False)
        assert facts["heldout_loss_after"] < facts["heldout_loss_before"]
        sketch_tokens(tmp_path / "encoder", [part], folder / "sketches", settings, bf16=False)
        table = pq.read_table(folder / "sketches" / TOKEN_VECTORS)
        vectors[device] = np.array(table["vector"].to_pylist())
    np.testing.assert_allclose(vectors["cuda"], vectors["cpu"], atol=1e-3)
