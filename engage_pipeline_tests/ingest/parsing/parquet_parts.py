"""Parts of the text format as Parquet parts with the same rows."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engage_pipeline import schema
from engage_pipeline.schema import Kind

TYPES = {
    Kind.TOKENS: pa.list_(pa.int32()),
    Kind.STRINGS: pa.list_(pa.string()),
    Kind.STRING: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
}


def typed(content: bytes) -> pa.Table:
    """The rows of a part whose every line is well-formed, each column with its type."""
    lines = [line.split("\x01") for line in content.decode().removesuffix("\n").split("\n")]
    columns = {}
    for column, texts in zip(schema.COLUMNS, zip(*lines, strict=True), strict=False):
        columns[column.name] = pa.array([_value(column.kind, text) for text in texts], TYPES[column.kind])
    return pa.table(columns)


def _value(kind: Kind, text: str) -> object:
    if not text:
        return None
    if kind is Kind.STRING:
        return text
    if kind is Kind.BOOLEAN:
        return text == "true"
    if kind is Kind.INTEGER:
        return int(text)
    items = text.split("\t")
    return items if kind is Kind.STRINGS else list(map(int, items))


def write(table: pa.Table, path: Path, rows: int = 700) -> Path:
    """Writes a Parquet file with row groups of `rows` rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows)
    return path


WORDS = {"hello": 2000, "world": 2001, "##s": 2002, "été": 2003, "!": 2004}


def write_tokenizer(folder: Path, size: int = schema.VOCABULARY_SIZE) -> Path:
    """Writes tokenizer.json of a word-piece tokenizer that has the WORDS, as multilingual BERT has its own."""
    from tokenizers.implementations import BertWordPieceTokenizer

    special = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
    taken = {number: word for word, number in (special | WORDS).items()}
    vocabulary = {taken.get(number, f"[unused{number}]"): number for number in range(size)}
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = BertWordPieceTokenizer(vocabulary, lowercase=False, strip_accents=False)
    tokenizer.enable_truncation(5)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    assert json.loads((folder / "tokenizer.json").read_bytes())["truncation"]
    return folder
