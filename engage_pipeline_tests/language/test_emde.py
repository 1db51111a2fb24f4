from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engage_pipeline.errors import UserError
from engage_pipeline.language.codes import load_codes
from engage_pipeline.language.emde import (
    PLANES,
    EmdeCoder,
    code_occupancy,
    code_tokens,
    fit_emde,
    middle,
    significant_planes,
)
from engage_pipeline.language.token_vectors import token_vector_schema
from engage_pipeline.schema import VOCABULARY_SIZE
from engage_pipeline_tests.samples import GOLDEN, tiny_settings


def vectors(rows: int, dim: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((rows, dim)) * rng.uniform(0.1, 5, dim) + rng.normal(0, 3, dim)).astype(np.float32)


def plain_codes(coder: EmdeCoder, values: np.ndarray) -> np.ndarray:
    """Standardise, project on all planes, compare, pack, read as little-endian, modulo.

    docs/specification.md, section 5, line 3, literally.
    """
    bits = ((values.astype(float) - coder.mean) / coder.scale) @ coder.projection.T > coder.median
    packed = np.packbits(bits.reshape(len(values), coder.depth, PLANES), axis=2)
    return packed.view("<u2")[..., 0].astype(int) % coder.width


def test_codes_equal_the_reference_s() -> None:
    golden = np.load(GOLDEN / "emde.npz")
    arrays = {name: golden[name].astype(np.float64) for name in ("mean", "scale", "projection", "median")}
    coder = EmdeCoder(**arrays, depth=4, width=256)
    codes = coder.codes(golden["vectors"])
    np.testing.assert_array_equal(codes, golden["codes"])
    np.testing.assert_array_equal(codes + 256 * np.arange(4), golden["absolute_codes"])


def test_standardisation_equals_the_reference_s() -> None:
    golden = np.load(GOLDEN / "emde.npz")
    coder = fit_emde(golden["vectors"], depth=4, width=256, seed=0)
    np.testing.assert_allclose(coder.mean, golden["mean"], rtol=1e-12)
    np.testing.assert_allclose(coder.scale, golden["scale"], rtol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([2, 8, 10, 100, 256, 300, 512, 1000, 65536]), st.integers(1, 5), st.integers(1, 60))
def test_codes_equal_the_plain_computation_at_every_width(width: int, depth: int, rows: int) -> None:
    coder = fit_emde(vectors(rows), depth=depth, width=width, seed=rows)
    new = vectors(50, seed=99)
    codes = coder.codes(new)
    np.testing.assert_array_equal(codes, plain_codes(coder, new))
    assert codes.dtype == np.int32
    assert codes.min() >= 0
    assert codes.max() < width


def test_planes_that_cannot_matter_are_left_out() -> None:
    assert significant_planes(256).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert significant_planes(64).tolist() == [2, 3, 4, 5, 6, 7]
    assert significant_planes(1024).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 14, 15]
    assert len(significant_planes(100)) == PLANES


@pytest.mark.parametrize("rows", [100, 101])
def test_every_plane_has_half_of_the_fitted_tokens_above_it(rows: int) -> None:
    values = vectors(rows)
    coder = fit_emde(values, depth=3, width=65536, seed=7)
    numbers = coder.codes(values).astype("<u2")
    bits = np.unpackbits(numbers.view(np.uint8).reshape(rows, 3, 2), axis=2)
    assert (bits.sum(axis=0) == rows // 2).all()


def test_directions_are_gaussian_with_the_variance_of_scikit_learn() -> None:
    projection = fit_emde(vectors(10, dim=200), depth=20, width=256, seed=1).projection
    assert projection.shape == (320, 200)
    assert projection.mean() == pytest.approx(0, abs=1e-3)
    assert projection.var() == pytest.approx(1 / 320, rel=0.02)


def test_a_constant_column_and_a_single_token_do_no_harm() -> None:
    values = vectors(30)
    values[:, 3] = 7.25
    coder = fit_emde(values, depth=2, width=16, seed=1)
    assert coder.scale[3] == 1
    assert np.isfinite(coder.projection).all()
    assert (fit_emde(values[:1], depth=2, width=16, seed=1).codes(values[:1]) == 0).all()
    with pytest.raises(UserError, match="no token vectors"):
        fit_emde(values[:0], depth=2, width=16, seed=1)


def test_middle_by_hand() -> None:
    assert middle(np.array([[4.0, 1, 3, 2]])).tolist() == [2.5]
    assert middle(np.array([[5.0, 1, 3], [1, 1, 1]])).tolist() == [4, 1]
    assert middle(np.array([[5.0]])).tolist() == [5]


def test_seed_decides_the_codes_and_nothing_else() -> None:
    values = vectors(200)
    first, second, other = (fit_emde(values, depth=4, width=64, seed=seed).codes(values) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).mean() > 0.9


def test_near_vectors_share_more_codes_than_far_ones() -> None:
    values = vectors(400)
    coder = fit_emde(values, depth=50, width=256, seed=1)
    codes = coder.codes(values)
    near = coder.codes(values + 0.02 * coder.scale)
    assert (codes == near).mean() > 0.8
    assert (codes == codes[::-1]).mean() < 0.1


def test_saved_coders_code_new_tokens_alike_and_repeat_to_the_byte(tmp_path: Path) -> None:
    coder = fit_emde(vectors(101), depth=5, width=128, seed=3)
    for name in ("one", "two"):
        coder.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    loaded = EmdeCoder.load(tmp_path / "one")
    assert (loaded.depth, loaded.width) == (5, 128)
    for name in ("mean", "scale", "projection", "median"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(coder, name))
    new = vectors(77, seed=8)
    np.testing.assert_array_equal(loaded.codes(new), coder.codes(new))
    fitted = vectors(101)
    np.testing.assert_array_equal(
        np.concatenate([loaded.codes(fitted[row : row + 1]) for row in range(101)]), coder.codes(fitted)
    )


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_no_coder_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "emde.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="not an EMDE coder"):
        EmdeCoder.load(tmp_path / "emde.safetensors")


def write_vectors(path: Path, tokens: list[int], values: np.ndarray) -> Path:
    dim = values.shape[1]
    columns = [
        pa.array(tokens, pa.int32()),
        pa.array([1] * len(tokens), pa.int64()),
        pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), dim),
    ]
    pq.write_table(pa.table(columns, schema=token_vector_schema(dim)), path)
    return path


def test_published_codes_load_by_token(tmp_path: Path) -> None:
    tokens = [101, 102, 5000, VOCABULARY_SIZE - 1, *range(6000, 6100)]
    values = vectors(len(tokens))
    path = write_vectors(tmp_path / "token_vectors.parquet", tokens, values)
    facts = code_tokens(path, tmp_path, tiny_settings(tmp_path))
    codes = load_codes(tmp_path / "codes.parquet")
    assert codes.shape == (VOCABULARY_SIZE, 4)
    assert codes.dtype == np.int32
    coder = EmdeCoder.load(tmp_path / "emde.safetensors")
    np.testing.assert_array_equal(codes[tokens], coder.codes(values))
    assert (np.delete(codes, tokens, axis=0) == -1).all()
    assert {key: facts[key] for key in ("tokens", "depth", "width")} == {"tokens": 104, "depth": 4, "width": 16}
    assert facts["used_share"] > 0.9
    assert [len(of_depth) for of_depth in facts["occupancy"]] == [5] * 4


def test_width_depth_and_seed_are_the_settings(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "token_vectors.parquet", list(range(300)), vectors(300))

    def codes(**values: object) -> np.ndarray:
        code_tokens(path, tmp_path, tiny_settings(tmp_path, **values))
        return load_codes(tmp_path / "codes.parquet")

    base = codes()
    np.testing.assert_array_equal(codes(), base)
    assert codes(sketch_depth=6).shape[1] == 6
    assert codes(sketch_width=64).max() > 15
    assert (codes(seed=1) != base).any()


def test_tokens_outside_the_vocabulary_are_refused(tmp_path: Path) -> None:
    path = write_vectors(tmp_path / "token_vectors.parquet", [1, VOCABULARY_SIZE], vectors(2))
    code_tokens(path, tmp_path, tiny_settings(tmp_path))
    with pytest.raises(UserError, match="tokens outside the vocabulary"):
        load_codes(tmp_path / "codes.parquet")


def test_occupancy_by_hand() -> None:
    codes = np.array([[0, 1], [0, 1], [0, 3], [2, 3], [2, 3]], np.int32)
    assert code_occupancy(codes, 4) == [[0, 0, 0, 2, 3], [0, 0, 0, 2, 3]]
    assert code_occupancy(codes, 3)[0] == [0, 0, 2, 2, 3]
