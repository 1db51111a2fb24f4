"""In which number format matrices are multiplied: bfloat16 where the processor or GPU is fast at it, else float32."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch  # noqa: TID253 - nothing light imports this module


def fast_at_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 matrices in hardware (a CPU: AMX or AVX-512 BF16)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def resolve_precision(setting: str, device: torch.device) -> str:
    """`bf16` or `fp32`, where `setting` may also be `auto`."""
    if setting != "auto":
        return setting
    return "bf16" if fast_at_bf16(device) else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """A context in which matrices are multiplied in `precision`; weights and sums stay float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
