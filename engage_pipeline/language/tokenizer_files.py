"""Copies the tokenizer of the starting encoder beside the fine-tuned one, for people who have text.

The pipeline itself reads token ids and opens no tokenizer.
"""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from engage_pipeline.language.encoder_files import base_folder, local_folder
from engage_pipeline.store.file_names import TOKENIZER_FILES, VOCABULARY_FILES

TOKENIZER_CONFIG = "tokenizer_config.json"
_OF_THE_MACHINE = ("name_or_path", "tokenizer_file", "vocab_file", "merges_file", "special_tokens_map_file")
"""Keys of tokenizer_config.json that hold paths of the machine that wrote it."""
_CODE = "auto_map"
"""The key that names code in the base's repository, which is not copied."""


def copy_tokenizer(name: str | None, output: Path) -> list[str]:
    """Copies the tokenizer files of `encoder.base` into the folder `output`; returns their names, none if it has none.

    Missing ones of the hub are fetched. Raises UserError: no such encoder.
    """
    if name is None:
        return []
    folder = base_folder(name)
    if not has_tokenizer(folder) and local_folder(name) is None:
        folder = _fetched(name) or folder
    if not has_tokenizer(folder):
        return []
    found = [file for file in TOKENIZER_FILES if (folder / file).is_file()]
    for file in found:
        shutil.copyfile(folder / file, output / file)
    _remove_paths(output / TOKENIZER_CONFIG)
    return found


def has_tokenizer(folder: Path) -> bool:
    """Returns whether the folder holds the vocabulary of a tokenizer."""
    return any((folder / name).is_file() for name in VOCABULARY_FILES)


def _fetched(name: str) -> Path | None:
    """Returns the hub's folder with the tokenizer; None if it can't be fetched."""
    from huggingface_hub import snapshot_download

    with suppress(Exception):  # huggingface_hub has an error class of its own for each reason
        return Path(snapshot_download(name, allow_patterns=list(TOKENIZER_FILES)))
    return None


def _remove_paths(path: Path) -> None:
    """Removes from a tokenizer_config.json what holds on one machine only; a file that is no JSON stays."""
    try:
        values: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return
    if isinstance(values, dict) and values.keys() & {*_OF_THE_MACHINE, _CODE}:
        kept = {key: value for key, value in values.items() if key not in {*_OF_THE_MACHINE, _CODE}}
        path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
