"""The encoder's folder, as a whole run publishes it."""

from pathlib import Path

import dagster as dg
import pytest
from huggingface_hub import ModelCard

from engage_pipeline.language.facts import EncoderFacts
from engage_pipeline.orchestration.assets.figures import describe
from engage_pipeline_tests import worlds

pytestmark = pytest.mark.long


def test_the_encoder_s_folder_is_one_of_hugging_face_with_a_card(finished_world: Path) -> None:
    from transformers import AutoModel, AutoModelForMaskedLM

    store = worlds.store_of(finished_world / "config.yaml")
    version = store.open("finetuned_encoder")
    folder = version.directory()
    assert AutoModelForMaskedLM.from_pretrained(folder).config.vocab_size == 119_547
    assert AutoModel.from_pretrained(folder).config.dim == 8
    facts, parts = EncoderFacts.read(version.manifest), store.parts_of("finetuned_encoder")
    rows = sum(store.open("tweet_parts", part).manifest.rows or 0 for part in parts)
    card = ModelCard.load(folder / "README.md")
    assert f"| training parts | {len(parts)} |\n| rows in them | {rows:,} |\n" in card.text
    assert "| engagement days | 20" in card.text
    assert "| rows with retweet_with_comment | " in card.text
    assert f"| distinct tweets that trained it | {facts.tweets:,} |" in card.text
    assert f"| held-out loss after | {facts.heldout_loss_after:.4f} |" in card.text
    shown = describe(store, version.manifest)["model card"]
    assert shown == dg.PathMetadataValue(str(folder / "README.md"))
