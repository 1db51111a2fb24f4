"""A made-up Twitter in the challenge's format, with the true probability of every label.

The challenge's data may not be passed on, so this package makes data like it: calibrated to the challenge's published
figures, and learnable for the same reasons. The order of the modules is the order of the work: world (who there is),
tweets (what is written), exposures (who sees what), labels (who engages, and how likely that was), writing (files).
"""

from engage_pipeline.synthetic.generator import synthesize

__all__ = ["synthesize"]
