from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch  # noqa: TID253 - the module under test is about torch

from engage_pipeline.errors import UserError
from engage_pipeline.language import token_vectors as module
from engage_pipeline.language.encoders import load_encoder, save_weights, step_file
from engage_pipeline.language.token_vectors import sketch_tokens, token_vector_schema
from engage_pipeline_tests.language.corpora import encoder_settings, random_tweets, small_encoder, write_tweets
from engage_pipeline_tests.token_lists import token_list

MAX_TOKENS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_encoder(tmp_path / "encoder")
    tweets = random_tweets(40, seed=1)
    rows = [tweets[row] for row in np.random.default_rng(0).zipf(1.5, 120) % 40]
    write_tweets(tmp_path / "1.parquet", rows[:70])
    write_tweets(tmp_path / "2.parquet", [*rows[70:], (None, [101, 150, 0, 150, 102]), ("e" * 32, [])])
    return tmp_path


def sketch(folder: Path, name: str = "out", **values: object) -> tuple[dict, dict[int, tuple[int, np.ndarray]]]:
    (folder / name).mkdir(exist_ok=True)
    bf16, processes = bool(values.pop("bf16", False)), values.pop("processes", 1)
    settings = encoder_settings(folder, folder / "encoder", **{"max_tokens": MAX_TOKENS, **values})
    settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"processes": processes})})
    parts = [folder / "1.parquet", folder / "2.parquet"]
    facts = sketch_tokens(folder / "encoder", parts, folder / name, settings, bf16=bf16)
    table = pq.read_table(folder / name / "token_vectors.parquet")
    columns = zip(*(table[column].to_pylist() for column in ("token", "occurrences", "vector")), strict=True)
    return facts, {token: (count, np.array(vector)) for token, count, vector in columns}


def reference(folder: Path) -> dict[int, tuple[int, np.ndarray]]:
    """Row by row, token by token: no cut, no batch, no padding, no distinct tweets."""
    model = load_encoder(folder / "encoder").eval()
    states: dict[int, list[np.ndarray]] = {}
    for part in ("1.parquet", "2.parquet"):
        for tokens in map(token_list, pq.read_table(folder / part).to_pylist()):
            if not tokens:
                continue
            with torch.no_grad():
                hidden = model.distilbert(torch.tensor([tokens])).last_hidden_state[0].numpy()
            for token, state in zip(tokens, hidden, strict=True):
                states.setdefault(token, []).append(state.astype(np.float64))
    return {token: (len(found), np.mean(found, axis=0)) for token, found in states.items()}


def test_vectors_equal_the_slow_mean_over_every_occurrence(folder: Path) -> None:
    facts, found = sketch(folder)
    expected = reference(folder)
    lengths = [len(token_list(row)) for row in pq.read_table(folder / "1.parquet").to_pylist()]
    assert max(lengths) > MAX_TOKENS  # the encoder is fine-tuned on cut tweets, but sketched from whole ones
    assert list(found) == sorted(expected)
    for token, (count, vector) in expected.items():
        assert found[token][0] == count, token
        np.testing.assert_allclose(found[token][1], vector, atol=2e-6, err_msg=str(token))
    assert facts["rows"] == 121
    assert facts["tokens"] == len(expected)
    assert facts["dim"] == 16
    assert facts["tweets"] < 41


def test_the_file_has_its_schema_and_repeats_to_the_byte(folder: Path) -> None:
    for name in ("one", "two"):
        sketch(folder, name)
    assert pq.read_schema(folder / "one" / "token_vectors.parquet").equals(token_vector_schema(16))
    one, two = ((folder / name / "token_vectors.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("padded_tokens", [1, 50, 100_000])
def test_batching_does_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch, padded_tokens: int) -> None:
    _, expected = sketch(folder)
    monkeypatch.setattr(module, "_PADDED_TOKENS", padded_tokens)
    _, found = sketch(folder, "other")
    for token, (count, vector) in expected.items():
        assert found[token][0] == count
        np.testing.assert_allclose(found[token][1], vector, atol=2e-6)


@pytest.mark.long
def test_two_processes_give_the_bytes_of_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PADDED_TOKENS", 50)
    sketch(folder, "one")
    sketch(folder, "two", processes=2)
    one, two = ((folder / name / "token_vectors.parquet").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_sum_that_would_not_fit_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_UNITS", 2**20)
    with pytest.raises(UserError, match="hidden states are too large"):
        sketch(folder)


def test_max_tweets_has_an_effect(folder: Path) -> None:
    assert sketch(folder, max_tweets=10)[0]["tweets"] == 10


@pytest.mark.parametrize(("model", "positions", "longest"), [("tiny", 64, 7), ("pretrained", 9, 9)])
def test_a_tweet_ends_where_the_encoder_knows_no_places(folder: Path, model: str, positions: int, longest: int) -> None:
    small_encoder(folder / "encoder", positions=positions)
    parts = [folder / "1.parquet", folder / "2.parquet"]
    settings = encoder_settings(folder, model if model == "tiny" else folder / "encoder", max_tokens=7)
    (folder / "out").mkdir()
    sketch_tokens(folder / "encoder", parts, folder / "out", settings, bf16=False)
    counted = pq.read_table(folder / "out" / "token_vectors.parquet")["occurrences"].to_numpy().sum()
    rows = [token_list(row) for part in parts for row in pq.read_table(part).to_pylist()]
    assert counted == sum(min(len(row), longest) for row in rows) < sum(map(len, rows))


def test_bf16_stays_near_fp32(folder: Path) -> None:
    _, expected = sketch(folder)
    _, found = sketch(folder, bf16=True)
    difference = [np.abs(found[token][1] - vector).max() for token, (_, vector) in expected.items()]
    assert 0 < max(difference) < 0.05


def test_the_set_checkpoint_is_sketched(folder: Path) -> None:
    _, before = sketch(folder)
    save_weights(load_encoder(small_encoder(folder / "other", seed=5)), folder / "encoder" / step_file(40))
    _, after = sketch(folder, checkpoint=40)
    assert before.keys() == after.keys()
    assert not np.allclose(before[101][1], after[101][1], atol=1e-3)
    with pytest.raises(UserError, match=r"encoder\.checkpoint: no checkpoint of step 50; available steps: 40"):
        sketch(folder, checkpoint=50)


def test_hidden_states_that_are_no_numbers_are_refused(folder: Path) -> None:
    model = load_encoder(folder / "encoder")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    save_weights(model, folder / "encoder" / step_file(40))
    with pytest.raises(UserError, match="too large, or not finite"):
        sketch(folder, checkpoint=40)
