"""What the encoder runs on: CPU or GPU, bf16 or not."""

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_FAST_BF16_FLAGS = {"amx_bf16", "avx512_bf16"}


def device() -> "torch.device":
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def bf16_is_fast() -> bool:
    """Whether bf16 products are faster than fp32 ones here: on a GPU that has them, on a CPU with AMX or AVX-512 BF16.

    Other CPUs emulate bf16 and are slower with it.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return not _FAST_BF16_FLAGS.isdisjoint(flags)


def autocast(*, bf16: bool) -> AbstractContextManager[object]:
    """Products in bf16 within the block where `bf16` is true; sums, softmax and normalisation stay fp32."""
    import torch

    return torch.autocast(device().type, dtype=torch.bfloat16, enabled=bf16)
