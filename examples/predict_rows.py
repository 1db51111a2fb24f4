"""Predicts the first rows of a raw text part with the published model, and explains the first of them.

.venv/bin/python examples/predict_rows.py data/raw/test/part-00000
"""

import sys
from pathlib import Path

from engage_pipeline import Predictor, load_settings, schema

predictor = Predictor.open(load_settings(), threads=1)
lines = Path(sys.argv[1]).read_bytes().splitlines(keepends=True)[:100]

one = predictor.predict(lines[0])  # float64 [4], in the order of schema.TARGETS: milliseconds
print({target: round(float(chance), 4) for target, chance in zip(schema.TARGETS, one, strict=True)})

many = predictor.predict_many(lines)  # float64 [n, 4]
print("means of", len(many), "rows:", many.mean(axis=0).round(4))

for engagement in predictor.explain(lines[0]).engagements:
    largest = engagement.effects()[0]
    print(f"{engagement.engagement}: {largest.family.name} moves it by {100 * largest.points:+.2f} percentage points")
