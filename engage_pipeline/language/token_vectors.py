"""Token vectors: the mean of each token's last hidden states over every occurrence in the tweets."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.config import Settings
from engage_pipeline.language.encoders import check_tokens, load_encoder, quiet_transformers
from engage_pipeline.language.processor import autocast, bf16_is_fast, device, torch_threads
from engage_pipeline.language.ragged import Integers, TokenLists, batches_by_length
from engage_pipeline.language.tweets import OCCURRENCES, distinct_tweets
from engage_pipeline.progress import progress
from engage_pipeline.ranks import ranked

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKEN_VECTORS = "token_vectors.parquet"  # noqa: S105 - a file's name
_PADDED_TOKENS = 4096


def token_vector_schema(dim: int) -> pa.Schema:
    """Schema of token vectors: a row for every token that occurs, ordered by token."""
    return pa.schema(
        [
            pa.field("token", pa.int32()),
            pa.field(OCCURRENCES, pa.int64()),
            pa.field("vector", pa.list_(pa.float32(), dim)),
        ]
    )


def sketch_tokens(
    encoder: Path, tweets: Sequence[Path], output: Path, settings: Settings, *, bf16: bool | None = None
) -> dict[str, Any]:
    """Writes token_vectors.parquet into `output`: token, occurrences, vector (the mean last hidden state, fp32).

    `encoder` is the folder of a published encoder, `tweets` are typed parts. Every row of a tweet counts, cut to
    `max_tokens`; the encoder is deterministic, so each distinct tweet is read once and weighted by its rows. `bf16`
    None means where it is fast. Returns tweets, rows, tokens, dim, frequencies (see `ranked`). Raises
    UserError where `encoder.checkpoint` is not there.
    """
    bf16 = bf16_is_fast() if bf16 is None else bf16
    with torch_threads(settings), quiet_transformers():
        model = load_encoder(encoder, settings.encoder.checkpoint)
        table = distinct_tweets(tweets, max_tweets=settings.encoder.max_tweets, settings=settings)
        lists = TokenLists.from_arrow(table["text_tokens"], settings.encoder.max_tokens)
        check_tokens(model, lists)
        rows = table[OCCURRENCES].to_numpy()
        tokens, occurrences, vectors = mean_hidden_states(model, lists, rows, bf16=bf16)
    dim = vectors.shape[1]
    columns = [
        pa.array(tokens, pa.int32()),
        pa.array(occurrences, pa.int64()),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), dim),
    ]
    pq.write_table(pa.table(columns, schema=token_vector_schema(dim)), output / TOKEN_VECTORS, compression="zstd")
    frequencies = ranked(occurrences)
    return {
        "tweets": len(lists),
        "rows": int(rows.sum()),
        "tokens": len(tokens),
        "dim": dim,
        "frequencies": frequencies,
    }


def mean_hidden_states(
    model: "PreTrainedModel", tweets: TokenLists, rows: Integers, *, bf16: bool
) -> tuple[Integers, Integers, npt.NDArray[np.float32]]:
    """Tokens [n] in ascending order, how often each occurs [n], and its mean last hidden state [n, dim].

    `rows` [tweets] is how often each tweet occurs. Sums are kept in float64 on the CPU, in a fixed order.
    """
    import torch

    flat, owners = tweets.flat()
    occurrences = np.bincount(flat, weights=rows[owners], minlength=model.config.vocab_size).astype(np.int64)
    tokens = np.flatnonzero(occurrences)
    places = torch.from_numpy(np.searchsorted(tokens, np.arange(model.config.vocab_size)))
    base = model.base_model.to(device()).eval()
    sums: torch.Tensor | None = None
    with torch.inference_mode(), progress("token_sketches", len(tweets), "tweets") as tracker:
        for batch in batches_by_length(tweets.lengths, _PADDED_TOKENS):
            ids, present, hidden = _hidden_states(base, tweets, batch, bf16=bf16)
            weights = np.repeat(rows[batch], tweets.lengths[batch]).astype(np.float64)
            if sums is None:
                sums = torch.zeros(len(tokens), hidden.shape[1], dtype=torch.float64)
            sums.index_add_(0, places[ids[present]], hidden.double() * torch.from_numpy(weights)[:, None])
            tracker.advance(len(batch))
    if sums is None:
        raise ValueError("no tweets")
    vectors = sums.numpy() / occurrences[tokens][:, None]
    return tokens, occurrences[tokens], vectors.astype(np.float32)


def _hidden_states(base: Any, tweets: TokenLists, batch: Integers, *, bf16: bool) -> tuple[Any, Any, Any]:
    """Ids and presence [rows, places] and the last hidden states of the present ones [tokens, dim], fp32 on the CPU."""
    import torch

    ids, present = (torch.from_numpy(array) for array in tweets.pad(batch))
    with autocast(bf16=bf16):
        output = base(input_ids=ids.to(base.device), attention_mask=present.long().to(base.device))
    return ids, present, output.last_hidden_state.float().cpu()[present]
