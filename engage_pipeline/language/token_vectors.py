"""Token vectors: the mean of each token's last hidden states over every occurrence in the tweets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline.errors import UserError
from engage_pipeline.language.encoders import check_tokens, load_encoder, longest_tweet, quiet_transformers
from engage_pipeline.language.ragged import Integers, TokenLists, batches_by_length
from engage_pipeline.language.tweets import OCCURRENCES, distinct_tweets
from engage_pipeline.machine.precision import autocast, bf16_is_fast, torch_device
from engage_pipeline.machine.threads import on_training_threads
from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.numerics.clustering import ranked
from engage_pipeline.progress import progress
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKEN_VECTORS = "token_vectors.parquet"  # noqa: S105 - a file's name
_PADDED_TOKENS = 4096
UNITS = 2**24
"""Hidden states are rounded to multiples of 1 / UNITS before they are added up: a layer's norm keeps them near 1."""
_MOST_UNITS = 2**62


def token_vector_schema(dim: int) -> pa.Schema:
    """Schema of token vectors: a row for every token that occurs, ordered by token."""
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

    `encoder` is the folder of a published encoder, `tweets` are typed parts. Every row of a tweet counts, whole, as far
    as the encoder has places for its tokens (encoders.longest_tweet); the encoder is deterministic, so each distinct
    tweet is read once and weighted by its rows. `bf16` None means where it is fast. Returns tweets, rows, tokens, dim,
    frequencies (see `ranked`). Raises UserError where `encoder.checkpoint` is not there.
    """
    bf16 = bf16_is_fast() if bf16 is None else bf16
    with quiet_transformers():
        model = load_encoder(encoder, settings.encoder.checkpoint)
        table = distinct_tweets(tweets, max_tweets=settings.encoder.max_tweets, settings=settings)
        lists = TokenLists.from_arrow(table["text_tokens"], longest_tweet(model, settings))
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


@dataclass(frozen=True)
class TweetShare:
    """Tweets, how many rows show each [tweets], and the batches that they are read in."""

    tweets: TokenLists
    rows: Integers
    batches: list[Integers]

    def part(self, place: int, count: int) -> "TweetShare":
        """Every `count`th batch from `place` on, and no tweet but theirs."""
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
    """What `sum_hidden_states` gives, from as many processes as engine.processes says."""
    count = min(settings.engine.processes, len(share.batches))
    if count == 1:
        return sum_hidden_states(model, share, tokens, most, bf16=bf16)
    arguments = [(place, encoder, share.part(place, count), tokens, most, settings, bf16) for place in range(count)]
    return np.sum(run_in_processes("token_sketches", _sums_of_part, arguments), axis=0)


@on_training_threads
def _sums_of_part(
    place: int, encoder: Path, share: TweetShare, tokens: Integers, most: int, settings: Settings, bf16: bool
) -> Integers:
    """What each of several processes does; on GPUs each has its own."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(place % torch.cuda.device_count())
    with quiet_transformers():
        model = load_encoder(encoder, settings.encoder.checkpoint)
        return sum_hidden_states(model, share, tokens, most, bf16=bf16)


def sum_hidden_states(
    model: "PreTrainedModel", share: TweetShare, tokens: Integers, most: int, *, bf16: bool
) -> Integers:
    """For each of `tokens` [n], ascending, the sum of its last hidden states, over all rows: int64 [n, dim], in UNITS.

    Whole numbers add up to the same whatever the order, and however the tweets are shared among processes. Raises
    UserError where a sum of `most` hidden states, the most of one token in all shares, may be too large for them.
    """
    import torch

    places = torch.from_numpy(np.searchsorted(tokens, np.arange(model.config.vocab_size)))
    room = _MOST_UNITS / most
    base = model.base_model.to(torch_device()).eval()
    sums = torch.zeros(len(tokens), model.config.hidden_size, dtype=torch.int64)
    with torch.inference_mode(), progress("token_sketches", len(share.tweets), "tweets") as tracker:
        for batch in share.batches:
            ids, present, hidden = _hidden_states(base, share.tweets, batch, bf16=bf16)
            units = (hidden.double() * UNITS).round_()
            if not bool(units.abs().max() <= room):
                raise UserError("token_sketches: the encoder's hidden states are too large, or not finite")
            weights = torch.from_numpy(np.repeat(share.rows[batch], share.tweets.lengths[batch]))
            sums.index_add_(0, places[ids[present]], units.long() * weights[:, None])
            tracker.advance(len(batch))
    return sums.numpy()


def _hidden_states(base: Any, tweets: TokenLists, batch: Integers, *, bf16: bool) -> tuple[Any, Any, Any]:
    """Ids and presence [rows, places] and the last hidden states of the present ones [tokens, dim], fp32 on the CPU."""
    import torch

    ids, present = (torch.from_numpy(array) for array in tweets.pad(batch))
    with autocast(bf16=bf16):
        output = base(input_ids=ids.to(base.device), attention_mask=present.long().to(base.device))
    return ids, present, output.last_hidden_state.float().cpu()[present]
