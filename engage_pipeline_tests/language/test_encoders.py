import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch  # noqa: TID253 - the module under test is about torch
from safetensors.torch import load_file, save_file

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoders import (
    load_encoder,
    load_weights,
    save_encoder,
    save_weights,
    starting_encoder,
    step_file,
)
from engage_pipeline.schema import VOCABULARY_SIZE
from engage_pipeline_tests.language.corpora import encoder_settings, small_encoder


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


Weights = dict[str, torch.Tensor]
LEFT_OUT = "left out"


def rewritten(folder: Path, change: Callable[[Weights], Weights] = dict, **config: object) -> Path:
    """A small encoder in `folder` with changed weights, `config` over its config.json, and no LEFT_OUT values."""
    small_encoder(folder)
    weights, path = folder / "model.safetensors", folder / "config.json"
    save_file(change(load_file(weights)), weights, metadata={"format": "pt"})
    values = {**json.loads(path.read_text(encoding="utf-8")), **config}
    path.write_text(json.dumps({name: value for name, value in values.items() if value != LEFT_OUT}), encoding="utf-8")
    return folder


def bare(weights: Weights) -> Weights:
    """The weights that a DistilBertModel saves, which has no masked language model's head."""
    body = "distilbert."
    return {name.removeprefix(body): one for name, one in weights.items() if name.startswith(body)}


def test_tiny_has_the_vocabulary_the_set_size_and_follows_the_seed(tmp_path: Path) -> None:
    settings = encoder_settings(tmp_path, "tiny", tiny_dim=8, tiny_layers=3)
    model = starting_encoder(settings)
    assert model.config.vocab_size == VOCABULARY_SIZE
    assert (model.config.dim, model.config.n_layers, model.config.hidden_dim) == (8, 3, 32)
    assert model.config.max_position_embeddings >= 512
    assert same_weights(model, starting_encoder(settings))
    other = starting_encoder(settings.model_copy(update={"seed": settings.seed + 1}))
    assert not same_weights(model, other)


def test_a_local_folder_is_read(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    model = starting_encoder(encoder_settings(tmp_path, folder))
    assert same_weights(model, load_encoder(folder))


def test_saved_encoders_load_equal_in_transformers_too_and_keep_their_ties(tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    model = load_encoder(small_encoder(tmp_path / "encoder"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_encoder(model, tmp_path / name)
    loaded = load_encoder(tmp_path / "one")
    assert same_weights(model, loaded)
    assert same_weights(model, AutoModelForMaskedLM.from_pretrained(tmp_path / "one"))
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    (folder / "model.safetensors").unlink()
    torch.save(load_encoder_state(tmp_path), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"encoder\.model: .*pickled weights are refused.*`none`"):
        starting_encoder(encoder_settings(tmp_path, folder))


def load_encoder_state(tmp_path: Path) -> dict[str, torch.Tensor]:
    return load_encoder(small_encoder(tmp_path / "other")).state_dict()


def test_a_hub_name_that_cannot_be_had_names_setting_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"^encoder\.model: nobody/no-such-encoder can't be loaded .*local folder") as e:
        starting_encoder(encoder_settings(tmp_path, "nobody/no-such-encoder"))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("damage", [b"", b"not safetensors at all"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: bytes) -> None:
    folder = small_encoder(tmp_path / "encoder")
    (folder / "model.safetensors").write_bytes(damage)
    with pytest.raises(UserError, match=r"encoder\.model: .*can't be loaded"):
        starting_encoder(encoder_settings(tmp_path, folder))
    with pytest.raises(UserError, match="not the weights of this encoder"):
        load_encoder(folder)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.model: /no/such/place: no such folder"):
        starting_encoder(encoder_settings(tmp_path, "/no/such/place"))


def test_too_many_tokens_for_the_encoder_are_refused(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "encoder", positions=31)
    with pytest.raises(UserError, match=r"encoder\.max_tokens: 32, but .* reads 31"):
        starting_encoder(encoder_settings(tmp_path, folder))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    model = load_encoder(small_encoder(tmp_path / "encoder"))
    save_weights(starting_encoder(encoder_settings(tmp_path, "tiny", tiny_dim=8)), tmp_path / "tiny.safetensors")
    with pytest.raises(UserError, match="not the weights of this encoder"):
        load_weights(model, tmp_path / "tiny.safetensors")


def test_the_checkpoint_setting_chooses_the_weights(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "encoder", seed=0)
    other = load_encoder(small_encoder(tmp_path / "other", seed=1))
    save_weights(other, folder / step_file(20))
    save_weights(other, folder / step_file(100))
    assert same_weights(load_encoder(folder, 20), other)
    assert not same_weights(load_encoder(folder), other)
    with pytest.raises(UserError, match=r"encoder\.checkpoint: no checkpoint of step 30; available steps: 20, 100$"):
        load_encoder(folder, 30)


def test_no_checkpoint_at_all_says_which_setting_keeps_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"available steps: none \(encoder\.save_steps"):
        load_encoder(small_encoder(tmp_path / "encoder"), 30)


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        (
            lambda weights: {f"model.{name}": one for name, one in weights.items()},
            "distilbert.embeddings.LayerNorm.bias",
        ),
        (
            lambda weights: {name: one for name, one in weights.items() if "layer.1." not in name},
            "distilbert.transformer.layer.1.attention.k_lin.bias",
        ),
    ],
    ids=["all names have a foreign prefix", "one layer less than config.json says"],
)
def test_weights_that_the_encoder_lacks_are_named_and_not_invented(
    tmp_path: Path, change: Callable[[Weights], Weights], lacking: str
) -> None:
    folder = rewritten(tmp_path / "encoder", change)
    with pytest.raises(
        UserError, match=rf"^encoder\.model: {folder} can't be loaded \(its weights lack {lacking} and \d+ more\); give"
    ):
        starting_encoder(encoder_settings(tmp_path, folder))


def test_a_head_that_is_lacking_follows_the_seed_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = rewritten(tmp_path / "encoder", bare)
    settings = encoder_settings(tmp_path, folder)
    with caplog.at_level(logging.INFO):
        model = starting_encoder(settings)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"encoder.model: {folder} lacks the head of a masked language model (vocab_layer_norm.bias and 4 more): "
        "it starts at random"
    )
    assert same_weights(model, starting_encoder(settings))
    other = starting_encoder(settings.model_copy(update={"seed": settings.seed + 1}))
    assert not torch.equal(model.vocab_transform.weight, other.vocab_transform.weight)
    assert same_weights(model.distilbert, other.distilbert)
    assert same_weights(model.distilbert, load_encoder(small_encoder(tmp_path / "whole")).distilbert)


@pytest.mark.parametrize("change", [dict, bare])
def test_layers_that_the_configuration_leaves_out_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[Weights], Weights]
) -> None:
    folder = rewritten(tmp_path / "encoder", change, n_layers=1)
    with caplog.at_level(logging.INFO):
        model = starting_encoder(encoder_settings(tmp_path, folder))
    unused = [name for name in load_file(folder / "model.safetensors") if "layer.1." in name]
    said = f"has more layers than config.json says: {min(unused)} and {len(unused) - 1} more unused"
    assert caplog.messages[-1] == f"encoder.model: {folder} {said}"
    assert len(model.distilbert.transformer.layer) == 1


def test_a_whole_encoder_leaves_the_random_stream_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = small_encoder(tmp_path / "encoder")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with caplog.at_level(logging.INFO):
        starting_encoder(encoder_settings(tmp_path, folder))
    assert torch.equal(torch.rand(3), expected)
    assert caplog.records == []


def test_a_half_precision_base_is_published_and_loaded_in_fp32(tmp_path: Path) -> None:
    folder = rewritten(
        tmp_path / "encoder", lambda weights: {name: one.half() for name, one in weights.items()}, dtype="float16"
    )
    model = starting_encoder(encoder_settings(tmp_path, folder))
    (tmp_path / "out").mkdir()
    save_encoder(model, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "float32"
    for one in (model, load_encoder(tmp_path / "out"), load_encoder(folder)):
        assert {weight.dtype for weight in one.parameters()} == {torch.float32}
        assert same_weights(one, model)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"max_position_embeddings": "128"}, r"config.json: .*'max_position_embeddings' expected int, got str"),
        ({"dim": "32"}, r"config.json: .*'dim' expected int, got str"),
        ({"n_layers": None}, r"config.json: .*'n_layers' expected int, got NoneType"),
        ({"n_heads": 0}, r"config.json: ZeroDivisionError: "),
        ({"attn_implementation": "flash_attention_2"}, r"config.json: ImportError: FlashAttention2"),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            r"config.json: ImportError: .*bitsandbytes",
        ),
        ({"dim": LEFT_OUT}, r"config.json says that distilbert\.\S+ has shape \[768\], its weights have \[16\]"),
        ({"vocab_size": LEFT_OUT}, r"config.json says that \S+ has shape \[30522, 16\], its weights have \[400"),
    ],
)
def test_a_config_that_does_not_work_is_told_in_one_line(
    tmp_path: Path, config: dict[str, object], reason: str
) -> None:
    folder = rewritten(tmp_path / "encoder", **config)
    with pytest.raises(
        UserError, match=rf"^encoder\.model: {folder} can't be loaded \({reason}.*\); give a loc"
    ) as error:
        starting_encoder(encoder_settings(tmp_path, folder))
    assert "\n" not in str(error.value)


def test_an_unknown_type_of_numbers_is_no_matter(tmp_path: Path) -> None:
    folder = rewritten(tmp_path / "encoder", dtype="foo")
    assert same_weights(
        starting_encoder(encoder_settings(tmp_path, folder)), load_encoder(small_encoder(tmp_path / "o"))
    )
