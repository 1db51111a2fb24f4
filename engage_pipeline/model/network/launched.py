"""Training of one network by processes that a launcher has started, such as torchrun on several machines.

The first process (RANK 0) works as it would alone, and alone publishes. Each other one waits for a training, takes part
in it, waits for the next, and ends with the first. They find each other at MASTER_ADDR:MASTER_PORT. What they are told
travels as JSON and safetensors: nothing is unpickled. What does not belong here: processes that the first one starts
by itself on its machine (processes).
"""

import inspect
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np

from engage_pipeline.errors import UserError
from engage_pipeline.machine.device import torch_device
from engage_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from torch.distributed import Store

LOGGER = logging.getLogger("engage_pipeline")
_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_LONGEST_WAIT = timedelta(days=20)
"""How long the other processes wait for a training: what comes before it may take days. torch's limit is 24 days."""
_MEETING = timedelta(minutes=10)
"""How long a training waits until all processes take part, and a step for the share of another."""
_LAST_WORDS = timedelta(seconds=30)
"""How long the first process waits at its end until the others have heard of it."""
_DONE, _FAILED = "done", "failed"

Training = Callable[..., dict[str, Any]]


@dataclass
class Launch:
    """One of several processes that were started together: its `rank` among `count`, its place on its machine."""

    rank: int
    count: int
    local_rank: int
    variables: Mapping[str, str]
    n_told: int = field(default=0, init=False)
    """How many messages the first process has sent."""

    @cached_property
    def store(self) -> "Store":
        """The values that all processes share, on the machine of the first. Waits until it is there."""
        from torch.distributed import rendezvous

        with variables(self.variables):
            found, _, _ = next(iter(rendezvous("env://", self.rank, self.count)))
        return found

    def tell(self, what: str, train: Training | None = None, arguments: tuple[Any, ...] = ()) -> None:
        """Tells the others to take part in `train(*arguments)`, or without it that the work is done or failed."""
        from pydantic import TypeAdapter
        from safetensors.numpy import save

        named = {} if train is None else inspect.signature(train).bind(*arguments).arguments
        types = get_type_hints(train) if train else {}
        arrays = {name: value for name, value in named.items() if isinstance(value, np.ndarray)}
        others = {
            name: TypeAdapter(types[name]).dump_json(value, round_trip=True).decode()
            for name, value in named.items()
            if name not in arrays
        }
        self.store.set(f"arrays-{self.n_told}", save(arrays))  # type: ignore[arg-type]  # bytes are as good
        self.store.set(f"message-{self.n_told}", json.dumps([what, others]))
        self.n_told += 1

    def hear(self, trainings: Mapping[str, Training]) -> tuple[str, dict[str, Any]]:
        """Waits for the next message; returns what to do and the arguments. Raises UserError if the first is gone."""
        from pydantic import TypeAdapter
        from safetensors.numpy import load
        from torch.distributed import DistError

        try:
            self.store.wait([f"message-{self.n_told}"], _LONGEST_WAIT)
            what, others = json.loads(self.store.get(f"message-{self.n_told}"))
            arrays = load(self.store.get(f"arrays-{self.n_told}"))
        except DistError as error:
            raise UserError("the first process of the launch is gone: start all of them again") from error
        self.n_told += 1
        types = get_type_hints(trainings[what]) if what in trainings else {}
        return what, {**{name: TypeAdapter(types[name]).validate_json(text) for name, text in others.items()}, **arrays}


_launch: Launch | None = None


def take_launch() -> Launch | None:
    """Returns the place of this process in a launch, from the launcher's variables; None if it was started alone.

    The variables are removed from the environment, so that no library takes other work for a part of the launch.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return None
    found = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    if missing := [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in found]:
        raise UserError(f"WORLD_SIZE is set, but {missing[0]} is not: start all processes by torchrun")
    rank = int(found["RANK"])
    return Launch(rank, int(found["WORLD_SIZE"]), int(found.get("LOCAL_RANK", rank)), found)


def current_launch() -> Launch | None:
    """Returns the launch that this process leads; None if there is none."""
    return _launch


@contextmanager
def leading(launch: Launch | None, settings: Settings) -> Iterator[None]:
    """Makes the trainings within the block those of all processes of `launch`, and ends the others after it.

    Raises UserError if network.processes is not their number: it is part of what a network is made of.
    """
    global _launch  # noqa: PLW0603
    if launch is None:
        yield
        return
    _launch, end = launch, _FAILED
    _ = launch.store  # the others must find the first process, however long its other work takes
    try:
        if settings.network.processes != launch.count:
            raise UserError(
                f"network.processes is {settings.network.processes}, but {launch.count} processes were launched: "
                "make them equal"
            )
        LOGGER.info("%d processes train the networks together", launch.count)
        yield
        end = _DONE
    finally:
        _launch = None
        _say_goodbye(launch, end)


def _say_goodbye(launch: Launch, end: str) -> None:
    """Tells the others of the end, and waits a while until they have heard: they hear through this process."""
    from torch.distributed import DistError

    try:
        launch.tell(end)
        launch.store.wait([f"heard-{rank}" for rank in range(1, launch.count)], _LAST_WORDS)
    except DistError as error:
        LOGGER.warning("not all processes of the launch heard of its end: %s", _first_line(error))


def train_together(what: str, launch: Launch, train: Training, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Calls `train(*arguments)` here and in all other processes of the launch; returns the result of this one.

    Raises UserError naming `what` if another process ended meanwhile.
    """
    launch.tell(what, train, arguments)
    return _take_part(what, launch, train, inspect.signature(train).bind(*arguments).arguments)


def follow(launch: Launch, trainings: Mapping[str, Training]) -> None:
    """Takes part in each of `trainings` that the first process begins, until its end.

    Raises UserError if that process fails or is gone, or if another one ends during a training.
    """
    LOGGER.info("process %d of %d waits for a training to begin", launch.rank + 1, launch.count)
    LOGGER.setLevel(logging.WARNING)  # the first one logs for all
    while True:
        what, arguments = launch.hear(trainings)
        if what in trainings:
            _take_part(what, launch, trainings[what], arguments)
            continue
        launch.store.set(f"heard-{launch.rank}", "")
        if what == _FAILED:
            raise UserError("the first process of the launch has failed: its output says why")
        return


def _take_part(what: str, launch: Launch, train: Training, arguments: Mapping[str, Any]) -> dict[str, Any]:
    from torch.distributed import DistError, PrefixStore

    settings: Settings = arguments["settings"]
    store = PrefixStore(f"group-{launch.n_told}", launch.store)
    try:
        with process_group(settings, launch.rank, launch.local_rank, launch.count, launch.variables, store=store):
            return train(**arguments)
    except RuntimeError as error:
        if isinstance(error, DistError) or "gloo" in str(error):
            raise UserError(
                f"{what}: another process of the launch ended or can't be reached ({_first_line(error)}): start all "
                "again, and the training continues from its last checkpoint"
            ) from error
        raise


@contextmanager
def process_group(
    settings: Settings, rank: int, local_rank: int, count: int, others: Mapping[str, str], **meeting: Any
) -> Iterator[None]:
    """Makes this process one of a torch process group within the block: NCCL on GPUs, gloo on CPUs.

    `others` are variables of the environment that accelerate reads beside the ranks; `meeting` says where the processes
    find each other, as torch's init_process_group takes it. After the block nothing is left of a group of gloo, as soon
    as what was trained in it is let go of.
    """
    import torch
    import torch.distributed.nn.functional  # which would keep the group of its import as a default of its arguments

    ranks = {"RANK": rank, "LOCAL_RANK": local_rank, "WORLD_SIZE": count}
    # Else accelerate sets OMP_NUM_THREADS, and warns; training sets its own number.
    defaults = {"LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    backend = "nccl" if torch_device(settings.engine.device).type == "cuda" else "gloo"
    with variables({**defaults, **others, **{name: str(value) for name, value in ranks.items()}}):
        torch.distributed.init_process_group(backend, timeout=_MEETING, rank=rank, world_size=count, **meeting)
        try:
            yield
        finally:
            # Processes that wait for this one then fail instead of waiting on.
            torch.distributed.destroy_process_group()


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the environment within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
