import json
from pathlib import Path

import pytest

from engage_pipeline.language.tokenizer_files import copy_tokenizer, has_tokenizer
from engage_pipeline_tests.language.corpora import add_tokenizer, small_encoder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "output").mkdir()
    return tmp_path / "output"


def test_the_tokenizer_of_a_local_folder_is_copied_and_opens(tmp_path: Path, output: Path) -> None:
    from transformers import AutoTokenizer

    folder = small_encoder(tmp_path / "encoder")
    add_tokenizer(folder)
    (folder / "notes.txt").write_text("not a tokenizer", encoding="utf-8")
    names = copy_tokenizer(str(folder), output)
    assert sorted(names) == sorted(path.name for path in output.iterdir())
    assert "tokenizer.json" in names
    assert (output / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    (output / "config.json").write_bytes((folder / "config.json").read_bytes())
    assert AutoTokenizer.from_pretrained(output)("word120 word399")["input_ids"] == [101, 120, 399, 102]


def test_paths_of_the_machine_and_foreign_code_stay_behind(tmp_path: Path, output: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    add_tokenizer(folder, name_or_path=str(tmp_path), tokenizer_file="/root/tokenizer.json", auto_map={"a": "b.c"})
    copy_tokenizer(str(folder), output)
    there = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    copied = json.loads((output / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert there.keys() - copied.keys() == {"name_or_path", "tokenizer_file", "auto_map"}
    assert copied.items() <= there.items()
    assert str(tmp_path) not in (output / "tokenizer_config.json").read_text(encoding="utf-8")


def test_a_configuration_without_such_keys_keeps_its_bytes(tmp_path: Path, output: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    (folder / "vocab.txt").write_text("[PAD]", encoding="utf-8")
    for content in (b'{"do_lower_case":false}', b"not json", b"[1]"):
        (folder / "tokenizer_config.json").write_bytes(content)
        assert copy_tokenizer(str(folder), output) == ["vocab.txt", "tokenizer_config.json"]
        assert (output / "tokenizer_config.json").read_bytes() == content


def test_no_vocabulary_is_no_tokenizer(tmp_path: Path, output: Path) -> None:
    folder = small_encoder(tmp_path / "encoder")
    (folder / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    assert not has_tokenizer(folder)
    assert copy_tokenizer(str(folder), output) == []
    assert copy_tokenizer(None, output) == []
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("tokenizer", [True, False])
def test_an_encoder_in_the_hub_s_cache(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: bool
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    repository = tmp_path / "cache" / "models--some--encoder"
    snapshot = small_encoder(repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    if tokenizer:
        add_tokenizer(snapshot)
    assert bool(copy_tokenizer("some/encoder", output)) == tokenizer
    assert has_tokenizer(output) == tokenizer
