"""A synthetic Twitter in the challenge's format, with the true probability of every label.

The challenge's data may not be redistributed, so this package makes similar data, calibrated to the challenge's
published figures. The modules in the order of the work: world (people), tweets, exposures (who sees which tweet),
labels (who engages, and how probable that was), text (columns as text), writing (files).
"""

from engage_pipeline.synthetic.generator import synthesize

__all__ = ["synthesize"]
