"""The device that torch computes on: the setting `engine.device` decides, and nothing else asks for a GPU.

On a GPU torch's deterministic kernels are chosen, so that the same inputs give the same bytes on the same kind of GPU
with the same torch. Where torch has none, it warns: the backward pass of memory-efficient attention is one. Results
differ in last digits from those of a CPU, and of another kind of GPU.
"""

import os
from typing import TYPE_CHECKING, Literal

from engage_pipeline.errors import UserError

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]


def torch_device(chosen: Device) -> "torch.device":
    """Returns the device of a setting: `auto` = the GPU if there is one, else the CPU.

    Makes torch deterministic if that is a GPU. Raises UserError if `cuda` is asked for and torch finds no GPU.
    """
    import torch

    if chosen == "cpu" or (chosen == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("engine.device: cuda, but torch finds no GPU on this machine: set it to auto or cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS at its first product
    torch.use_deterministic_algorithms(True, warn_only=True)
    return torch.device("cuda")
