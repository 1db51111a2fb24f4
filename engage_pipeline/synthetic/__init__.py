"""A synthetic Twitter in the challenge's format, with the true probability of every label.

The challenge's data may not be redistributed, so this package makes similar data, calibrated to the challenge's
published figures. The modules in the order of the work: recipes (what a world has), windows (its days), world, drift
and audience (people), tweets, exposures and sessions (who sees which tweet), effects, history and labels (who engages,
and how probable that was), accounts and calibration (the real margins and rates), text (columns as text), writing
(files).
"""

from engage_pipeline.synthetic.generator import synthesize
from engage_pipeline.synthetic.recipes import Recipe, recipe_named

__all__ = ["Recipe", "recipe_named", "synthesize"]
