from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from engage_pipeline.files.atomic import sha256
from engage_pipeline.language.encoder_card import TrainedOn, joined_days, write_encoder_card
from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.language.finetuning import finetune_encoder
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.language.corpora import (
    add_tokenizer,
    counting_tweets,
    encoder_settings,
    small_encoder,
    write_tweets,
)

ROWS = TrainedOn(3, 12_345, "2021-02-04", "2021-02-24", {"reply": 17, "like": 1_234})
FACTS = EncoderFacts(
    tweets=180,
    heldout_tweets=20,
    steps=276,
    heldout_loss_before=5.99146,
    heldout_loss_after=3.25,
    loss_steps=[276],
    losses=[3.5],
)


def written(folder: Path, settings: Settings, facts: EncoderFacts = FACTS) -> ModelCard:
    """The card of a folder with the encoder that the settings name, as the hub's own library reads it."""
    folder.mkdir(exist_ok=True)
    if not (folder / "config.json").exists():
        small_encoder(folder)
    write_encoder_card(folder, facts, ROWS, settings)
    return ModelCard.load(folder / "README.md")


def hub_encoder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    repository = cache / "models--some--encoder"
    small_encoder(repository / "snapshots" / ("0a" * 20))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0a" * 20, encoding="utf-8")


def test_what_it_was_trained_on_stands_in_the_card(tmp_path: Path) -> None:
    card = written(tmp_path / "out", encoder_settings(tmp_path, "tiny", batch_size=7))
    for row in (
        "| training parts | 3 |",
        "| rows in them | 12,345 |",
        "| engagement days | 2021-02-04 to 2021-02-24 |",
        "| rows with like | 1,234 |\n| rows with reply | 17 |",
        "| distinct tweets that trained it | 180 |",
        "| steps | 276 |",
        "| held-out tweets | 20 |",
        "| held-out loss before, nats a masked token | 5.9915 |",
        "| held-out loss after | 3.2500 |",
        "| `encoder.batch_size` | 7 |",
        "| `encoder.max_tweets` | all |",
        "| `encoder.patience` | none |",
    ):
        assert row in card.text
    for heading in ("Base model", "Tokenizer", "Intended use", "Limits", "Licence", "Versions"):
        assert f"\n## {heading}\n" in card.text
    assert "| torch | " in card.text
    assert "| engage_pipeline | " in card.text
    assert "{" not in card.text
    assert "None" not in card.text.replace("None is here", "").replace("None: training", "")


def test_a_training_that_stopped_stands_in_the_card(tmp_path: Path) -> None:
    facts = FACTS.model_copy(update={"planned_steps": 4000, "published_step": 252})
    card = written(tmp_path / "out", encoder_settings(tmp_path, "tiny", patience=2), facts)
    steps = "276 of 4,000, as the held-out loss no longer fell; the weights are those after 252"
    assert f"| steps | {steps} |" in card.text
    assert "| `encoder.patience` | 2 |" in card.text


def test_the_front_matter_is_what_the_hub_expects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_encoder(tmp_path / "cache", monkeypatch)
    card = written(tmp_path / "out", encoder_settings(tmp_path, "some/encoder"))
    assert card.data.base_model == "some/encoder"
    assert (card.data.library_name, card.data.pipeline_tag) == ("transformers", "fill-mask")
    assert (card.data.license, card.data.license_name) == ("other", "base-model-and-training-data")
    assert f"`some/encoder` at revision `{'0a' * 20}`" in card.text
    assert "`some/encoder`, whose licence holds on" in card.text


def test_a_local_base_is_named_by_its_weights_and_not_by_its_path(tmp_path: Path) -> None:
    folder = small_encoder(tmp_path / "base")
    card = written(tmp_path / "out", encoder_settings(tmp_path, folder))
    assert card.data.base_model is None
    assert f"| `model.safetensors` | `{sha256(folder / 'model.safetensors')}` |" in card.text
    assert str(tmp_path) not in str(card)
    assert "the base model's folder has none" in card.text


def test_random_weights_have_no_base_and_no_tokenizer_and_the_card_says_why(tmp_path: Path) -> None:
    card = written(tmp_path / "out", encoder_settings(tmp_path, "tiny"))
    assert card.data.base_model is None
    assert "started from random weights" in card.text
    assert "None is here. The training data held token ids and no vocabulary" in card.text


def test_the_fine_tuned_folder_opens_in_transformers_with_its_tokenizer_and_card(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

    base = small_encoder(tmp_path / "base")
    add_tokenizer(base)
    for name in ("work", "out"):
        (tmp_path / name).mkdir()
    settings = encoder_settings(tmp_path, base, save_steps=10)
    tweets = write_tweets(tmp_path / "tweets.parquet", counting_tweets(200, seed=0))
    finetune_encoder([tweets], tmp_path / "out", tmp_path / "work", settings, bf16=False)
    card = written(tmp_path / "out", settings)
    assert "That of the base model, unchanged" in card.text
    tokens = AutoTokenizer.from_pretrained(tmp_path / "out")("word120 word121", return_tensors="pt")
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "out")(**tokens).logits.shape == (1, 4, 400)
    assert AutoModel.from_pretrained(tmp_path / "out")(**tokens).last_hidden_state.shape == (1, 4, 16)


def test_the_same_encoder_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    cards = []
    for name in ("one", "two"):
        base = small_encoder(tmp_path / name / "base")
        written(tmp_path / name / "out", encoder_settings(tmp_path / name, base))
        cards.append((tmp_path / name / "out" / "README.md").read_bytes())
    assert cards[0] == cards[1]


def test_days_of_parts_are_joined() -> None:
    assert joined_days(["2021-02-05 to 2021-02-24", "none", "2021-02-04 to 2021-02-06"]) == ("2021-02-04", "2021-02-24")
    assert joined_days(["none"]) == ("", "")
