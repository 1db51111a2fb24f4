"""Trees for one row at a time, by LightGBM's own function for it: Booster.predict takes ten times as long to be called.

The function is in LightGBM's C interface alone.
"""

import ctypes
import weakref
from typing import Any

import numpy as np

_FLOAT32, _RAW_SCORE = 0, 1
"""C_API_DTYPE_FLOAT32 and C_API_PREDICT_RAW_SCORE."""


class SingleRowTrees:
    """The trees of a booster; gives the bits that Booster.predict gives."""

    def __init__(self, booster: Any) -> None:
        """Prepares the calls of a lightgbm.Booster, which must not change any more."""
        from lightgbm import basic

        self._booster, self._library, self._config = booster, basic._LIB, ctypes.c_void_p()
        columns, config = ctypes.c_int32(booster.num_feature()), ctypes.byref(self._config)
        prepare = self._library.LGBM_BoosterPredictForMatSingleRowFastInit
        self._check(prepare(booster._handle, _RAW_SCORE, 0, 0, _FLOAT32, columns, b"num_threads=1", config))
        weakref.finalize(self, self._library.LGBM_FastConfigFree, self._config)
        self._length, self._score = ctypes.c_int64(), ctypes.c_double()
        self._places = ctypes.byref(self._length), ctypes.byref(self._score)

    def score(self, row: np.ndarray) -> float:
        """Returns the sum of the leaves of a row, contiguous float32 [1, columns]."""
        data = ctypes.c_void_p(row.ctypes.data)
        self._check(self._library.LGBM_BoosterPredictForMatSingleRowFast(self._config, data, *self._places))
        return self._score.value

    def _check(self, status: int) -> None:
        if status:
            raise RuntimeError(self._library.LGBM_GetLastError().decode())
