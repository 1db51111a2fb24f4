"""The architecture and the shape of a network: all that its weights don't say."""

from dataclasses import dataclass

from engage_pipeline import schema
from engage_pipeline.model.network.fourier import FEATURES_PER_NUMBER
from engage_pipeline.model.network.smoothed_rates import n_history_features


@dataclass(frozen=True)
class NetworkConfig:
    """The network's architecture and shape, and the languages it knows in the order of their embeddings."""

    languages: tuple[str, ...]
    sketch_depth: int
    sketch_width: int
    """Both are 0 if the network reads no tweet sketches."""
    hidden_size: int
    embedding_size: int
    base_rates: tuple[float, ...] = ()
    """Base rates of the training rows, in the order of TARGETS; empty if the network reads no smoothed rates."""
    precision: str = "fp32"
    """Precision of the training: `fp32` or `bf16`."""
    architecture: str = "residual"
    """A name in ARCHITECTURES."""
    further_counters: tuple[str, ...] = ()
    """Counters beyond the reference whose smoothed rates the network reads; not in network.json if empty."""
    vocabulary: tuple[int, ...] = ()
    """The number of viewers, authors and tokens that it knows; empty, and not in network.json, if it reads none."""
    members: int = 1
    """The networks of other random weights that are trained side by side; not in network.json if there is one."""

    @property
    def history_size(self) -> int:
        """The number of columns of the smoothed rates."""
        return n_history_features(len(self.further_counters)) if self.base_rates else 0

    @property
    def known_size(self) -> int:
        """The number of columns of `Inputs.known`: depth x width + 16 x 73 + 12, with a vocabulary depth x width + 8
        + 12, and those of the smoothed rates."""
        numbers = len(schema.PROFILE_NUMBERS) if self.vocabulary else FEATURES_PER_NUMBER * len(schema.NUMBERS)
        return self.sketch_depth * self.sketch_width + numbers + len(schema.BINARY_FEATURES) + self.history_size
