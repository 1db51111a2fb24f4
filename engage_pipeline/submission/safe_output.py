"""Where predictions and explanations are written: never over their input, nor into the published artifacts."""

from collections.abc import Sequence

from engage_pipeline.catalogue import Stage
from engage_pipeline.files.outputs import Output
from engage_pipeline.locations.location import Location
from engage_pipeline.settings.settings import Settings


def require_safe(output: Output, inputs: Sequence[Location], settings: Settings) -> None:
    """Raises UserError if `output` is one of the files `inputs`, or lies in the artifact store, such as behind the link
    `latest/results.csv`."""
    output.refuse_among(inputs, [settings.working_dir / stage for stage in Stage])
