import math

import numpy as np
import torch  # noqa: TID253 - it is what is tested

from engage_pipeline.model.network.fourier import fourier_features
from engage_pipeline_tests.samples import GOLDEN


def test_equals_the_references():
    with np.load(GOLDEN / "network.npz", allow_pickle=False) as golden:
        features = fourier_features(torch.from_numpy(golden["numbers"]))
        np.testing.assert_allclose(features, golden["fourier"], rtol=0, atol=1e-5)


def test_equals_plain_sines_and_cosines_even_for_huge_numbers():
    numbers = [[0.0, 1.0, 123.4], [99_999_999.0, 2**31 + 7, -5.0]]
    angles = [[x / 2**i for i in range(-1, 7)] for row in numbers for x in row]
    expected = [[*map(math.sin, scales), *map(math.cos, scales)] for scales in angles]
    features = fourier_features(torch.tensor(numbers, dtype=torch.float64))
    assert features.dtype == torch.float32
    np.testing.assert_allclose(features, np.reshape(expected, (2, 48)), rtol=0, atol=1e-7)
