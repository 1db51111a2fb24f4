"""Token vectors: the mean of each token's last hidden states over every occurrence in the tweets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoders import check_tokens, load_encoder, longest_tweet, quiet_transformers
from engage_pipeline.language.ragged import Integers, TokenLists, batches_by_length
from engage_pipeline.language.tweets import OCCURRENCES, distinct_tweets
from engage_pipeline.machine.device import torch_device
from engage_pipeline.machine.precision import autocast, bf16_is_fast
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.numerics.clustering import ranked
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TOKEN_VECTORS = "token_vectors.parquet"  # noqa: S105 - a file's name
_PADDED_TOKENS = 4096
UNITS = 2**24
"""Hidden states are rounded to multiples of 1 / UNITS before they are summed; layer normalisation keeps them near 1."""
_MOST_UNITS = 2**62


def token_vector_schema(dim: int) -> pa.Schema:
    """Returns the schema of token vectors: one row for each token that occurs, ordered by token."""
    return pa.schema(
        [
            pa.field("token", pa.int32()),
            pa.field(OCCURRENCES, pa.int64()),
            pa.field("vector", pa.list_(pa.float32(), dim)),
        ]
    )


@on_training_threads
def sketch_tokens(
    encoder: Path, tweets: Sequence[Path], output: Path, settings: Settings, *, bf16: bool | None = None
) -> dict[str, Any]:
    """Writes token_vectors.parquet into `output`: token, occurrences, vector (the mean last hidden state, fp32).

    `encoder` is the folder of a published encoder, `tweets` are typed parts. Every row of a tweet counts, up to
    encoders.longest_tweet tokens; the encoder is deterministic, so each distinct tweet is encoded once and weighted by
    its rows. `bf16` None = if engine.device computes it fast. Returns tweets, rows, tokens, dim, frequencies (see
    `ranked`). Raises UserError if `encoder.checkpoint` does not exist.
    """
    device = torch_device(settings.engine.device)
    bf16 = bf16_is_fast(device) if bf16 is None else bf16
    with quiet_transformers():
        model = load_encoder(encoder, settings.encoder.checkpoint)
        table = distinct_tweets(tweets, max_tweets=settings.encoder.max_tweets, settings=settings)
        lists = TokenLists.of_table(table, longest_tweet(model, settings))
        check_tokens(model, lists)
        rows = table[OCCURRENCES].to_numpy()
        flat, owners = lists.flat()
        counts = np.bincount(flat, weights=rows[owners], minlength=model.config.vocab_size).astype(np.int64)
        tokens = np.flatnonzero(counts)
        occurrences = counts[tokens]
        share = TweetShare(lists, rows, batches_by_length(lists.lengths, _PADDED_TOKENS))
        sums = _sums_of_all(model, encoder, share, tokens, int(occurrences.max()), settings, bf16=bf16)
    vectors = (sums / UNITS / occurrences[:, None]).astype(np.float32)
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


def no_vectors(output: Path) -> dict[str, Any]:
    """Writes token_vectors.parquet without a token into `output`; returns what `sketch_tokens` does, and why."""
    pq.write_table(token_vector_schema(1).empty_table(), output / TOKEN_VECTORS)
    return {"tweets": 0, "rows": 0, "tokens": 0, "dim": 0, "frequencies": [], "why": "there is no encoder"}


@dataclass(frozen=True)
class TweetShare:
    """Tweets, the number of rows of each [tweets], and the batches in which they are encoded."""

    tweets: TokenLists
    rows: Integers
    batches: list[Integers]

    def part(self, place: int, count: int) -> "TweetShare":
        """Returns every `count`th batch from `place` on, with only the tweets of these batches."""
        batches = self.batches[place::count]
        taken = np.concatenate(batches) if batches else np.zeros(0, np.int64)
        ends = np.cumsum([len(batch) for batch in batches], dtype=np.int64)
        return TweetShare(self.tweets.compact(taken), self.rows[taken], np.split(np.arange(len(taken)), ends[:-1]))


def _sums_of_all(
    model: "PreTrainedModel",
    encoder: Path,
    share: TweetShare,
    tokens: Integers,
    most: int,
    settings: Settings,
    *,
    bf16: bool,
) -> Integers:
    """Returns the result of `sum_hidden_states`, computed in at most engine.processes processes."""
    count = min(settings.engine.processes or 1, len(share.batches))
    if count == 1:
        return sum_hidden_states(model, share, tokens, most, torch_device(settings.engine.device), bf16=bf16)
    arguments = [(place, encoder, share.part(place, count), tokens, most, settings, bf16) for place in range(count)]
    return np.sum(run_in_processes("token_sketches", _sums_of_part, arguments), axis=0)


@on_training_threads
def _sums_of_part(
    place: int, encoder: Path, share: TweetShare, tokens: Integers, most: int, settings: Settings, bf16: bool
) -> Integers:
    """Does the work of one of several processes; on GPUs, each process uses its own."""
    import torch

    device = torch_device(settings.engine.device)
    if device.type == "cuda":
        torch.cuda.set_device(place % torch.cuda.device_count())
    with quiet_transformers():
        model = load_encoder(encoder, settings.encoder.checkpoint)
        return sum_hidden_states(model, share, tokens, most, device, bf16=bf16)


def sum_hidden_states(
    model: "PreTrainedModel", share: TweetShare, tokens: Integers, most: int, device: "torch.device", *, bf16: bool
) -> Integers:
    """Sums the last hidden states of each of `tokens` [n], ascending, over all rows: int64 [n, dim], in UNITS.

    Integer sums do not depend on the order, nor on how the tweets are shared among processes. Raises UserError if a sum
    of `most` hidden states, the most of one token in all shares, may overflow.
    """
    import torch

    from engage_pipeline.language.state_sums import add_states

    places = np.searchsorted(tokens, np.arange(model.config.vocab_size))
    room = _MOST_UNITS / most
    base = model.base_model.to(device).eval()
    sums = np.zeros((len(tokens), model.config.hidden_size), np.int64)
    with torch.inference_mode(), progress("token_sketches", len(share.tweets), "tweets") as tracker:
        for batch in share.batches:
            ids, states = _hidden_states(base, share.tweets, batch, bf16=bf16)
            lengths, rows = share.tweets.lengths[batch], share.rows[batch]
            if not add_states(states, ids, lengths, rows, places, float(UNITS), room, sums):
                raise UserError("token_sketches: the encoder's hidden states are too large, or not finite")
            tracker.advance(len(batch))
    return sums


def _hidden_states(
    base: Any, tweets: TokenLists, batch: Integers, *, bf16: bool
) -> tuple[Integers, npt.NDArray[np.float32]]:
    """Returns the padded ids of the tweets `batch` [rows, places], and the last hidden states [rows, places, dim]."""
    import torch

    ids, present = tweets.pad(batch)
    given, mask = (torch.from_numpy(array).to(base.device) for array in (ids, present.astype(np.int64)))
    with autocast(base.device, bf16=bf16):
        output = base(input_ids=given, attention_mask=mask)
    return ids, output.last_hidden_state.float().cpu().numpy()
