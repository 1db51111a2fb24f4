"""The device that torch computes on, and the number format of its products: bfloat16 where fast, else float32."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def torch_device() -> "torch.device":
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def bf16_is_fast(device: "torch.device | None" = None) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware (a CPU: AMX or AVX-512 BF16); None = `torch_device()`.

    Other CPUs emulate bfloat16 and are slower with it.
    """
    import torch

    if (device or torch_device()).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resolve_precision(setting: str, device: "torch.device") -> str:
    """`bf16` or `fp32`, where `setting` may also be `auto`."""
    if setting != "auto":
        return setting
    return "bf16" if bf16_is_fast(device) else "fp32"


def autocast(device: "torch.device | None" = None, *, bf16: bool) -> AbstractContextManager[object]:
    """Products in bfloat16 within the block where `bf16` is true; sums, softmax, normalisation, weights stay float32.

    `device` None = `torch_device()`.
    """
    import torch

    return torch.autocast((device or torch_device()).type, dtype=torch.bfloat16, enabled=bf16)
