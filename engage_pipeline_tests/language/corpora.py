"""Small tweets and small encoders that the tests of this folder share."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.schema import CLS_TOKEN, SEP_TOKEN
from engage_pipeline.settings.settings import Settings
from engage_pipeline_tests.samples import tiny_settings
from engage_pipeline_tests.token_lists import token_arrays

VOCABULARY = 400


def write_tweets(path: Path, tweets: Sequence[tuple[str | None, list[int] | None]]) -> Path:
    """Rows (tweet_id, text_tokens) as a typed part holds them."""
    ids, tokens = [tweet[0] for tweet in tweets], [tweet[1] for tweet in tweets]
    pq.write_table(pa.table({"tweet_id": ids, **token_arrays(tokens)}), path)
    return path


def random_tweets(count: int, seed: int, longest: int = 20) -> list[tuple[str | None, list[int] | None]]:
    """Distinct tweets of random tokens below VOCABULARY, of unequal length."""
    rng = np.random.default_rng(seed)
    return [
        (f"{index:032x}", [CLS_TOKEN, *rng.integers(110, VOCABULARY, rng.integers(1, longest)).tolist(), SEP_TOKEN])
        for index in range(count)
    ]


def counting_tweets(count: int, seed: int) -> list[tuple[str | None, list[int] | None]]:
    """Tweets whose tokens count upwards from a random start: each masked token follows from its neighbours."""
    rng = np.random.default_rng(seed)
    starts, lengths = rng.integers(110, 150, count), rng.integers(5, 12, count)
    return [
        (f"{index:032x}", [CLS_TOKEN, *range(start, start + length), SEP_TOKEN])
        for index, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True))
    ]


def small_encoder(folder: Path, *, seed: int = 0, positions: int = 64, dropout: float = 0.1) -> Path:
    """A folder with a DistilBERT of VOCABULARY tokens, as transformers' save_pretrained leaves it."""
    import torch
    from transformers import DistilBertConfig, DistilBertForMaskedLM
    from transformers.utils import logging

    config = DistilBertConfig(
        vocab_size=VOCABULARY,
        dim=16,
        n_layers=2,
        n_heads=2,
        hidden_dim=32,
        max_position_embeddings=positions,
        dropout=dropout,
    )
    logging.disable_progress_bar()
    torch.manual_seed(seed)
    DistilBertForMaskedLM(config).save_pretrained(folder)
    return folder


def add_tokenizer(folder: Path, **config: object) -> None:
    """Gives the encoder in `folder` the tokenizer of a BERT with VOCABULARY words, as transformers writes its files."""
    from transformers import BertTokenizer

    words = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    words |= {f"word{place}": place for place in range(VOCABULARY) if place not in words.values()}
    BertTokenizer(vocab=dict(sorted(words.items(), key=lambda pair: pair[1]))).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **config}), encoding="utf-8")


def encoder_settings(folder: Path, model: Path | str, **encoder: object) -> Settings:
    """Settings with the encoder of the folder `model`; `encoder` are settings of its section. One thread."""
    base = {"model": str(model), "max_tweets": None, "max_tokens": 32, "batch_size": 8, "warmup_steps": 5}
    return tiny_settings(folder, encoder={**base, **encoder}, engine={"threads": 1, "memory_limit": "1GB"})
