"""Warm start: training starts from the weights of the last network, or there is a reason why it starts anew.

The network before is the published pretrained_network, which never saw a validation row either. Its weights have the
same meaning only if its shape, the token codes and the code that made it have not changed. What does not belong here:
how long and at which learning rate such a network is trained (pretraining).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engage_pipeline.catalogue import ARTIFACTS
from engage_pipeline.errors import UserError
from engage_pipeline.store.deletion_ledger import predating
from engage_pipeline.store.store import ArtifactStore

if TYPE_CHECKING:
    from engage_pipeline.model.network.network import EngagementNetwork
    from engage_pipeline.model.network.network_config import NetworkConfig
    from engage_pipeline.model.network.vocabulary import Vocabulary

NETWORK, CODES = "pretrained_network", "emde_sketches"
WARM, COLD = "warm_started_from", "cold_start"
"""Facts of a network: the version that it started from, or why it started anew."""
_SHAPE = (
    "architecture",
    "sketch_depth",
    "sketch_width",
    "hidden_size",
    "embedding_size",
    "further_counters",
    "members",
)


@dataclass(frozen=True)
class ColdStart:
    """Why training can't start from the network before."""

    reason: str


@dataclass(frozen=True)
class NetworkBefore:
    """The folder of the last network, and its version."""

    folder: Path
    version: str


def network_before(store: ArtifactStore) -> NetworkBefore | ColdStart:
    """Returns the published network if its input has the same meaning now; else why there is none."""
    current = store.current(NETWORK)
    if current is None:
        return ColdStart("there is no network yet")
    manifest, codes = current.manifest, store.manifest(CODES)
    if manifest.code_version != ARTIFACTS[NETWORK].code_version:
        return ColdStart("it was trained by other code")
    if codes is None or manifest.inputs.get(CODES) != codes.version:
        return ColdStart("the token codes have changed")
    if NETWORK in predating(store):
        return ColdStart("rows that it was trained on have been deleted since")
    try:
        return NetworkBefore(current.directory(), manifest.version)
    except UserError as error:
        return ColdStart(str(error))


def warm_network(
    config: "NetworkConfig", folder: Path, known: "Vocabulary | None" = None
) -> "EngagementNetwork | ColdStart":
    """Returns a network of the shape `config` that computes the same as the network in `folder`.

    `known` is the vocabulary of the new one; a new language, person or token starts with the embedding of unknown ones.
    Returns a ColdStart if the shapes differ or the folder holds no network.
    """
    from engage_pipeline.model.network.architectures import network_of
    from engage_pipeline.model.network.network_files import load_network

    try:
        before = load_network(folder)
    except UserError as error:
        return ColdStart(str(error))
    if difference := _difference(before.config, config):
        return ColdStart(difference)
    return network_of(config, before.weights_for(config.languages, known))


def _difference(before: "NetworkConfig", now: "NetworkConfig") -> str | None:
    for name in _SHAPE:
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            return f"{name} was {old} and is {new}"
    if bool(before.base_rates) != bool(now.base_rates):
        return f"it reads {'' if before.base_rates else 'no '}smoothed rates"
    return None
