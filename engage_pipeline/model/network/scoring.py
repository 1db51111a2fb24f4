"""Scoring: a saved network turns feature rows into logits."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch  # noqa: TID253 - nothing light imports this module

from engage_pipeline import schema
from engage_pipeline.machine.device import Device, torch_device
from engage_pipeline.machine.precision import autocast, bf16_is_fast
from engage_pipeline.model.feature_columns import Features
from engage_pipeline.model.network.inputs import InputBuilder, Inputs
from engage_pipeline.model.network.member_linear import MemberLinear
from engage_pipeline.model.network.network import EngagementNetwork
from engage_pipeline.model.network.network_files import load_network
from engage_pipeline.model.network.rows import Rows, empty_rows
from engage_pipeline.model.network.single_row import SingleRowNetwork, lay_out_by_input
from engage_pipeline.model.network.vocabulary import PEOPLE

BATCH_ROWS = 512


class NetworkScorer:
    """Scores rows on a device: in bf16 if the network was trained so and the device is fast at it, else in fp32."""

    def __init__(self, network: EngagementNetwork, codes: np.ndarray, device: Device = "cpu") -> None:
        """`codes` are those that the network was trained with, int32 [vocabulary, depth]; `device` as engine.device.

        Raises UserError if there is no such device.
        """
        self.chosen_device, self.device = device, torch_device(device)
        self.network, self.codes = network.to(self.device).eval(), codes
        self.inputs = InputBuilder.of(self.network, codes, self.device)
        self.reader = self.network.reader
        self.precision = network.config.precision if bf16_is_fast(self.device) else "fp32"
        if self.precision == "bf16":
            _round_weights(network)
        elif self.device.type == "cpu":
            lay_out_by_input(network.first_known)

    @classmethod
    def load(
        cls, folder: Path, codes: np.ndarray, *, threads: int | None = None, prefix: str = "", device: Device = "cpu"
    ) -> Self:
        """Loads the network in `folder`, from files whose names begin with `prefix`.

        `threads` sets torch's threads in the whole process; None leaves them. Raises UserError if there is no network,
        or no such `device`.
        """
        if threads:
            torch.set_num_threads(threads)
        return cls(load_network(folder, prefix), codes, device)

    def logits(self, table: Features) -> np.ndarray:
        """Returns logits float32 [n, 4], in the order of TARGETS, for the rows of a feature table, labelled or not."""
        return self.logits_of(self.rows(table))

    def rows(self, table: Features) -> Rows:
        """Returns what the network reads of a feature table. Raises UserError if a counter that it reads is missing."""
        return self.reader.rows(table, labelled=False)

    def logits_of(self, rows: Rows) -> np.ndarray:
        """Returns logits float32 [n, 4] for rows in memory."""
        result = np.empty((len(rows), len(schema.TARGETS)), np.float32)
        for place, batch in _batches(rows):
            result[place] = self._logits_from(self._build(batch))
        return result

    def reads_like(self, other: "NetworkScorer") -> bool:
        """Returns whether both networks build the same input from a row; compares whom and what they know."""
        mine, theirs = self.network.config, other.network.config
        alike = mine.languages == theirs.languages and mine.sketch_width == theirs.sketch_width
        rates = mine.base_rates == theirs.base_rates and mine.further_counters == theirs.further_counters
        known, others = self.reader.vocabulary, other.reader.vocabulary
        known_alike = others is None if known is None else known.same_as(others)
        return alike and rates and known_alike and self.codes is other.codes and self.precision == other.precision

    @cached_property
    def _single_row(self) -> SingleRowNetwork:
        further, people = len(self.reader.further), len(PEOPLE) if self.reader.vocabulary else 0
        return SingleRowNetwork(self.network, self._build(empty_rows(1, further, people=people)).known)

    def _build(self, rows: Rows) -> Inputs:
        with torch.inference_mode():
            if self._alone(len(rows)):
                return self.inputs.build_one(rows)
            found = self.inputs.build(rows)
            # Rounded here, it is rounded once for two networks; the first product would round it for each.
            return found._replace(known=found.known.bfloat16()) if self.precision == "bf16" else found

    def _alone(self, rows: int) -> bool:
        return rows == 1 and self.device.type == "cpu"

    def _logits_from(self, inputs: Inputs) -> np.ndarray:
        with torch.inference_mode(), autocast(self.device, bf16=self.precision == "bf16"):
            if self._alone(len(inputs.known)):
                return self._single_row(inputs).numpy()
            return self.network(*inputs).cpu().numpy()


def logits_of_both(
    first: NetworkScorer, second: NetworkScorer, table: Features, *, alike: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the logits of both, float32 [n, 4] each; builds the input once if both networks read `alike`."""
    if not alike:
        return first.logits(table), second.logits(table)
    rows = first.rows(table)
    results = tuple(np.empty((len(rows), len(schema.TARGETS)), np.float32) for _ in range(2))
    for place, batch in _batches(rows):
        inputs = first._build(batch)
        for result, scorer in zip(results, (first, second), strict=True):
            result[place] = scorer._logits_from(inputs)
    return results[0], results[1]


def _batches(rows: Rows) -> Iterator[tuple[slice, Rows]]:
    """Yields batches of the rows with their places; a single batch is not copied."""
    if 0 < len(rows) <= BATCH_ROWS:
        yield slice(None), rows
        return
    for start in range(0, len(rows), BATCH_ROWS):
        place = slice(start, min(start + BATCH_ROWS, len(rows)))
        yield place, rows.take(np.arange(place.start, place.stop))


def _round_weights(network: EngagementNetwork) -> None:
    """Stores the matrices as bfloat16, so that autocast need not round them for every batch."""
    for module in network.modules():
        if isinstance(module, torch.nn.Linear | MemberLinear):
            module.to(torch.bfloat16)
