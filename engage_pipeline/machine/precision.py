"""The number format of torch's products: bfloat16 where the device is fast at it, else float32."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def bf16_is_fast(device: "torch.device") -> bool:
    """Returns whether `device` multiplies bfloat16 in hardware (CPU: AMX or AVX-512 BF16).

    Other CPUs emulate bfloat16 and are slower with it.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resolve_precision(setting: str, device: "torch.device") -> str:
    """Returns `bf16` or `fp32`; a `setting` of `auto` means bf16 if it is fast."""
    if setting != "auto":
        return setting
    return "bf16" if bf16_is_fast(device) else "fp32"


def autocast(device: "torch.device", *, bf16: bool) -> AbstractContextManager[object]:
    """Computes products in bfloat16 within the block if `bf16`; sums, softmax, normalisation, weights stay float32."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)
