"""Token ids of plain texts, by the tokenizer of `encoder.model`. What does not belong here: the encoder (language)."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engage_pipeline.errors import UserError
from engage_pipeline.locations.location import Location
from engage_pipeline.schema import CLS_TOKEN, SEP_TOKEN, VOCABULARY_SIZE
from engage_pipeline.settings.settings import Settings

TOKENIZER, VOCABULARY = "tokenizer.json", "vocab.txt"
_REMEDY = f"set encoder.model to a folder with {TOKENIZER} or {VOCABULARY}, or give text_tokens instead"


class TextTokenizer:
    """Turns texts to the token ids of multilingual BERT, [CLS] and [SEP] included; texts are not cut."""

    def __init__(self, part: Location, settings: Settings) -> None:
        """Loads the tokenizer for `part`, which has texts.

        Raises UserError: the encoder has no tokenizer, it can't be read, or it has other tokens than the challenge's.
        """
        name = settings.encoder.base
        if name is None:
            model = settings.encoder.model
            raise UserError(f"{part}: has text, but encoder.model = {model} has no tokenizer; {_REMEDY}")
        # Parts are read side by side, by processes: threads within each would only get in each other's way.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._tokenizer = _loaded(part, name)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        size, bare = self._tokenizer.get_vocab_size(), self._tokenizer.encode("").ids
        others = [] if size == VOCABULARY_SIZE else [f"{size:,} tokens instead of {VOCABULARY_SIZE:,}"]
        if bare != [CLS_TOKEN, SEP_TOKEN]:
            others.append(f"an empty text is {bare} instead of {[CLS_TOKEN, SEP_TOKEN]}")
        if others:
            raise UserError(
                f"{part}: has text, but the tokenizer of encoder.model = {name} is not that of multilingual BERT "
                f"(cased): {', and '.join(others)}; {_REMEDY}"
            )

    def ids(self, texts: pa.StringArray) -> pa.ListArray:
        """Returns the token ids of each text, list<int32> (n,); none where the text is missing or empty."""
        found = [encoding.ids for encoding in self._tokenizer.encode_batch(texts.fill_null("").to_pylist())]
        lists = [ids if len(ids) > 2 else [] for ids in found]
        offsets = np.append(0, np.cumsum([len(ids) for ids in lists])).astype(np.int32)
        return pa.ListArray.from_arrays(offsets, pa.array([one for ids in lists for one in ids], pa.int32()))


def _loaded(part: Location, name: str) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.implementations import BertWordPieceTokenizer

    file = _file(part, name)
    try:
        if file.name == TOKENIZER:
            return Tokenizer.from_file(str(file))
        return BertWordPieceTokenizer(str(file), lowercase=False, strip_accents=False)
    except Exception as error:  # the library has no error class of its own
        raise UserError(f"{file}: can't be read as a tokenizer: {' '.join(str(error).split())[:200]}") from error


def _file(part: Location, name: str) -> Path:
    """Returns the tokenizer's file, in the folder `name` or of the model `name` of the hub."""
    folder = Path(name).expanduser()
    if folder.is_dir() or folder.is_absolute():
        for file in (folder / TOKENIZER, folder / VOCABULARY):
            if file.is_file():
                return file
        raise UserError(f"{part}: has text, but there is no {TOKENIZER} in encoder.model = {name}; {_REMEDY}")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, TOKENIZER))
    except Exception as error:  # huggingface_hub has an error class of its own for each reason
        words = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
        raise UserError(
            f"{part}: has text, but {TOKENIZER} of encoder.model = {name} can't be fetched ({words}); {_REMEDY}"
        ) from None
