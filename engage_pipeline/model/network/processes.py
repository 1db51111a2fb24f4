"""Training on several processes of one machine: each takes its share of every batch's rows.

The process that makes the artifact starts and ends `network.processes` of them, and it alone publishes. They find each
other through a file and communicate on the loopback interface: no port is open to other machines.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.machine.workers import run_in_processes

Facts = dict[str, Any]


def train_in_processes(what: str, count: int, train: Callable[..., Facts], *arguments: Any) -> Facts:
    """Calls `train(*arguments)` in `count` processes of one torch process group; returns the result of the first.

    With a count of 1 it is called in this process. Raises what `train` raises, and UserError naming `what` if a process
    was killed or there are fewer GPUs than processes.
    """
    if count == 1:
        return train(*arguments)
    import torch

    if 0 < torch.cuda.device_count() < count:
        raise UserError(f"{what}: network.processes = {count}, and there are {torch.cuda.device_count()} GPUs")
    with tempfile.TemporaryDirectory(prefix="engage-processes-") as folder:
        meeting = str(Path(folder) / "meeting")
        shares = [(meeting, rank, count, train, arguments) for rank in range(count)]
        return run_in_processes(what, _train, shares)[0]


def _train(meeting: str, rank: int, count: int, train: Callable[..., Facts], arguments: tuple[Any, ...]) -> Facts:
    # accelerate reads these variables, which a launcher sets elsewhere.
    ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    os.environ |= {name: str(value) for name, value in ranks.items()}
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else accelerate sets it and warns; training sets its own number
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    if rank > 0:
        logging.getLogger("engage_pipeline").setLevel(logging.WARNING)  # the first one logs for all
    import torch

    backend = "nccl" if torch.cuda.is_available() else "gloo"
    torch.distributed.init_process_group(backend, init_method=f"file://{meeting}", rank=rank, world_size=count)
    try:
        return train(*arguments)
    finally:
        # Processes that wait for this one then fail instead of waiting on.
        torch.distributed.destroy_process_group()
