from pathlib import Path

import pytest
import torch  # noqa: TID253 - the module under test is about torch

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
