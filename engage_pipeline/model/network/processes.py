"""Training on several processes, each of which takes its share of every batch's rows.

Without a launcher, the process that makes the artifact starts and ends `network.processes` of them on its machine, and
it alone publishes. They find each other through a file and communicate on the loopback interface: no port is open to
other machines. Where a launcher has started the processes, on one machine or several, they train (launched).
"""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.machine.device import torch_device
from engage_pipeline.machine.workers import run_in_processes
from engage_pipeline.model.network.launched import current_launch, process_group, train_together
from engage_pipeline.settings.settings import Settings

Facts = dict[str, Any]


def train_in_processes(what: str, settings: Settings, train: Callable[..., Facts], *arguments: Any) -> Facts:
    """Calls `train(*arguments)` in network.processes processes of one torch process group; returns the first's result.

    With one process it is called in this process. Raises what `train` raises, and UserError naming `what` if a process
    was killed or there are fewer GPUs than processes.
    """
    count = settings.network.processes
    if (launch := current_launch()) is not None:
        return train_together(what, launch, train, arguments)
    if count == 1:
        return train(*arguments)
    import torch

    if torch_device(settings.engine.device).type == "cuda" and torch.cuda.device_count() < count:
        raise UserError(f"{what}: network.processes = {count}, and there are {torch.cuda.device_count()} GPUs")
    with tempfile.TemporaryDirectory(prefix="engage-processes-") as folder:
        meeting = str(Path(folder) / "meeting")
        shares = [(meeting, rank, settings, train, arguments) for rank in range(count)]
        return run_in_processes(what, _train, shares)[0]


def _train(
    meeting: str, rank: int, settings: Settings, train: Callable[..., Facts], arguments: tuple[Any, ...]
) -> Facts:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    if rank > 0:
        logging.getLogger("engage_pipeline").setLevel(logging.WARNING)  # the first one logs for all
    with process_group(settings, rank, rank, settings.network.processes, {}, init_method=f"file://{meeting}"):
        return train(*arguments)
