"""What the benchmarks hold the library against computes what the library does, on a tiny world."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch  # noqa: TID253

from engage_pipeline import schema
from engage_pipeline.interactions.features.rows import FeatureFile
from engage_pipeline.interactions.graphs.similarity import SIMILAR_AUTHORS
from engage_pipeline.model.network.inputs import InputBuilder
from engage_pipeline.model.network.network import EngagementNetwork, NetworkConfig
from engage_pipeline.model.network.residual import ResidualNetwork
from engage_pipeline.model.network.rows import RowReader, Rows
from engage_pipeline_tests.benchmarks.alternatives.stages import polars_features
from engage_pipeline_tests.benchmarks.graphs import Graph, draw_edges, write_graph
from engage_pipeline_tests.benchmarks.kinds import KINDS
from engage_pipeline_tests.benchmarks.measuring import measure_here
from engage_pipeline_tests.benchmarks.plain_way import lines
from engage_pipeline_tests.benchmarks.plain_way import network as plain_network
from engage_pipeline_tests.benchmarks.plain_way.stages import feature_reader, feature_row
from engage_pipeline_tests.benchmarks.stages import with_needs
from engage_pipeline_tests.benchmarks.stages.interactions import compute_similarity
from engage_pipeline_tests.benchmarks.world import PART, World
from engage_pipeline_tests.token_lists import with_token_list

pytest.importorskip("polars")
ROWS, TRAINING_ROWS = 2000, 1525
WIDTH, DEPTH, HIDDEN = 8, 3, 16
LANGUAGES = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("bench"), ROWS, 1)
    world.make()
    for stage in with_needs(("interaction_features",)):
        measure_here("work", stage, world)
    return world


def tweets(world: World) -> list[dict]:
    rows = pq.read_table(world.store.open("tweet_parts", PART).path("tweets.parquet")).to_pylist()
    return list(map(with_token_list, rows))


def features(world: World) -> Path:
    return world.store.open("interaction_features", PART).path("features.parquet")


def test_plain_features_equal_the_librarys(made: World) -> None:
    rows = tweets(made)
    of_row = feature_reader(made, rows)
    found = {row[schema.LINE_NUMBER]: of_row(row, row[schema.ENGAGEMENT_DAY]) for row in rows}
    expected = pq.read_table(features(made)).to_pylist()
    assert len(found) == len(expected) == TRAINING_ROWS
    for row in expected:
        values = [row[name] for name in schema.INTERACTION_FEATURES]
        assert found[row[schema.LINE_NUMBER]] == pytest.approx(values, rel=1e-9)
    sums = [sum(row[name] for row in expected) for name in ("pair_like", "hashtag_like", "valid_viewer_negative")]
    assert all(sums)


def test_plain_rows_equal_the_librarys(made: World) -> None:
    rows = tweets(made)
    of_row = feature_reader(made, rows)
    table = FeatureFile(features(made)).read().to_pylist()
    expected = {row[schema.LINE_NUMBER]: with_token_list(row) for row in table}
    for row in rows[:200]:
        unseen = set(schema.INTERACTION_FEATURES)
        found = {name: value for name, value in feature_row(row, of_row).items() if name not in unseen}
        assert found == {name: expected[row[schema.LINE_NUMBER]][name] for name in found}


def test_plain_lines_equal_the_librarys(made: World) -> None:
    with made.source("tweet_parts").open(encoding="utf-8", newline="\n") as file:
        read = [lines.read_line(line) for line in file]
    for row in tweets(made):
        assert read[row[schema.LINE_NUMBER]] == {name: row[name] for name in schema.COLUMN_NAMES}


def test_polars_reads_and_counts_as_the_library_does(made: World, tmp_path: Path) -> None:
    from engage_pipeline_tests.benchmarks.alternatives import polars_way

    assert polars_way.ingest(made.source("tweet_parts"), tmp_path / "tweets.parquet") == TRAINING_ROWS
    found = {row[schema.LINE_NUMBER]: row for row in pq.read_table(tmp_path / "tweets.parquet").to_pylist()}
    assert found == {row[schema.LINE_NUMBER]: row for row in tweets(made)}
    table = polars_features(made).collect()
    names = [schema.LINE_NUMBER, *schema.INTERACTION_FEATURES]
    values = table.select(names).sort(schema.LINE_NUMBER).to_numpy()
    expected = pq.read_table(features(made), columns=names).sort_by(schema.LINE_NUMBER)
    for place, name in enumerate(names):
        np.testing.assert_allclose(values[:, place], expected[name].to_numpy(), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("stage", ["ingest", "interaction_counts", "interaction_features", "author_similarity"])
def test_limits_read_every_row(made: World, stage: str) -> None:
    with KINDS["limit"][stage](made) as work:
        assert work().rows == TRAINING_ROWS


def test_set_similarity_search_finds_the_librarys_pairs(made: World, tmp_path: Path) -> None:
    pytest.importorskip("SetSimilaritySearch")
    from engage_pipeline_tests.benchmarks.alternatives.set_similarity import similar_authors

    graph = Graph(60, 150, 900, hub=150)
    assert write_graph(graph, tmp_path / "tweets.parquet") == 1050
    compute_similarity(made, [tmp_path / "tweets.parquet"], tmp_path / SIMILAR_AUTHORS)
    expected: dict[str, list[float]] = {}
    for row in pq.read_table(tmp_path / SIMILAR_AUTHORS).to_pylist():
        expected.setdefault(row["author"], []).append(row["jaccard"])
    found = similar_authors(*draw_edges(graph), top_n=10, threshold=0.1)
    assert {f"A{author:031d}": [score for score, _ in similar] for author, similar in found.items()} == expected
    assert len(expected) > 30


@pytest.fixture(scope="module")
def network_rows(made: World) -> tuple[list[dict], Rows, EngagementNetwork, np.ndarray]:
    """Rows for the plain network and for the library's, a network with running statistics, codes."""
    table = FeatureFile(features(made)).read().slice(0, 300)
    languages = tuple(table["language"].drop_null().unique().to_pylist()[:LANGUAGES])
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, WIDTH, (120_000, 1)) + np.zeros((1, DEPTH), np.int64)
    torch.manual_seed(1)
    network = ResidualNetwork(NetworkConfig(languages, DEPTH, WIDTH, HIDDEN, 20))
    rows = RowReader(languages).rows(table, labelled=True)
    codes = codes.astype(np.int32)
    network.train()
    network(*InputBuilder(codes, WIDTH, torch.device("cpu")).build(rows))
    return list(map(with_token_list, table.to_pylist())), rows, network.eval(), codes


def logits(network: EngagementNetwork, rows: Rows, codes: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(*InputBuilder(codes, WIDTH, torch.device("cpu")).build(rows)).numpy()


def test_plain_network_equals_the_librarys(network_rows: tuple) -> None:
    table, rows, network, codes = network_rows
    known = InputBuilder(codes, WIDTH, torch.device("cpu")).build(rows).known.numpy()
    found = np.stack([plain_network.row_input(row, codes, WIDTH) for row in table])
    np.testing.assert_allclose(found, known, atol=1e-5)
    languages = {name: place for place, name in enumerate(network.config.languages)}
    plain = plain_network.PlainNetwork(known.shape[1], LANGUAGES, HIDDEN)
    plain.load_state_dict(_plain_weights(network))
    predicted = plain_network.predict(plain, table, codes, WIDTH, languages)
    np.testing.assert_allclose(predicted, logits(network, rows, codes), atol=1e-4)
    before = plain.w1.weight.clone()
    plain_network.train(plain, table[:20], codes, WIDTH, languages)
    assert not torch.equal(before, plain.w1.weight)


def _plain_weights(network: EngagementNetwork) -> dict[str, torch.Tensor]:
    own = network.state_dict()
    first = torch.cat([own["first_known.weight"], own["first_embedded.weight"]], dim=1)
    weights = {
        f"w{place}.{part}": own[f"{name}.{part}"]
        for place, name in ((2, "second"), (3, "third"), (4, "fourth"))
        for part in ("weight", "bias")
    }
    for place, name in enumerate(("w1", "wp")):
        weights[f"{name}.weight"] = first[place * HIDDEN : (place + 1) * HIDDEN]
        weights[f"{name}.bias"] = own["first_known.bias"][place * HIDDEN : (place + 1) * HIDDEN]
    for place, name in enumerate(("language", "hour", "day")):
        weights[f"embeddings.{place}.weight"] = own[f"{name}.weight"]
    for name, value in own.items():
        if name.startswith("norm"):
            weights[f"norms.{int(name[4]) - 1}{name[5:]}"] = value
    return weights | {name: value for name, value in own.items() if name.startswith("output")}


def test_onnx_runtime_gives_the_librarys_logits(network_rows: tuple) -> None:
    pytest.importorskip("onnxruntime")
    from engage_pipeline_tests.benchmarks.alternatives.onnx_way import session

    _, rows, network, codes = network_rows
    known, categories, *_ = InputBuilder(codes, WIDTH, torch.device("cpu")).build(rows)
    (found,) = session(network, 1).run(["logits"], {"known": known.numpy(), "categories": categories.numpy()})
    np.testing.assert_allclose(found, logits(network, rows, codes), atol=1e-4)


@pytest.mark.long
def test_one_tweet_at_a_time_gives_the_librarys_vectors() -> None:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    from engage_pipeline.language.ragged import TokenLists
    from engage_pipeline.language.token_vectors import UNITS, TweetShare, sum_hidden_states
    from engage_pipeline_tests.benchmarks.alternatives.one_tweet import token_vectors

    torch.manual_seed(1)
    model = DistilBertForMaskedLM(DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32))
    tweets_of, rows = [[1, 2, 3, 4], [1, 5, 4], [1, 2, 2, 9, 8, 4]], [3, 1, 2]
    lengths = np.array([len(tokens) for tokens in tweets_of])
    flat = np.concatenate(tweets_of).astype(np.int32)
    lists = TokenLists(flat, np.cumsum(lengths) - lengths, lengths)
    shown = np.bincount(np.concatenate([np.repeat(t, n) for t, n in zip(tweets_of, rows, strict=True)]))
    tokens = np.flatnonzero(shown)
    share = TweetShare(lists, np.array(rows), [np.arange(len(rows))])
    sums = sum_hidden_states(model, share, tokens, int(shown.max()), torch.device("cpu"), bf16=False)
    vectors = sums / UNITS / shown[tokens][:, None]
    found = token_vectors(model, tweets_of, rows)
    assert sorted(found) == tokens.tolist()
    for token, vector in zip(tokens.tolist(), vectors, strict=True):
        np.testing.assert_allclose(found[token], vector, atol=1e-5)
