"""The device that torch computes on, and the number format of its products: bfloat16 where fast, else float32."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def torch_device() -> "torch.device":
    """Returns the GPU if there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def bf16_is_fast(device: "torch.device | None" = None) -> bool:
    """Returns whether `device` multiplies bfloat16 in hardware (CPU: AMX or AVX-512 BF16); None = `torch_device()`.

    Other CPUs emulate bfloat16 and are slower with it.
    """
    import torch

    if (device or torch_device()).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resolve_precision(setting: str, device: "torch.device") -> str:
    """Returns `bf16` or `fp32`; a `setting` of `auto` means bf16 if it is fast."""
    if setting != "auto":
        return setting
    return "bf16" if bf16_is_fast(device) else "fp32"


def autocast(device: "torch.device | None" = None, *, bf16: bool) -> AbstractContextManager[object]:
    """Computes products in bfloat16 within the block if `bf16`; sums, softmax, normalisation, weights stay float32.

    `device` None = `torch_device()`.
    """
    import torch

    return torch.autocast((device or torch_device()).type, dtype=torch.bfloat16, enabled=bf16)
