"""A service that predicts rows with the published model.

    .venv/bin/pip install fastapi
    .venv/bin/uvicorn --app-dir examples service:app
    curl -X POST localhost:8000/predict -H 'Content-Type: application/json' -d '[{"tweet_id": "…", …}]'

A row is a JSON object of the 20 columns of docs/data.md by name; what is missing is unknown. The model is that of the
moment the service starts: start it again after a promotion.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException

from engage_pipeline import Predictor, load_settings, schema
from engage_pipeline.errors import UserError

held: dict[str, Predictor] = {}


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Opens the model once, before the first request."""
    held["predictor"] = Predictor.open(load_settings(), threads=1)
    yield
    held.clear()


app = FastAPI(title="engage_pipeline", lifespan=lifespan)


def line_of(row: dict[str, Any]) -> bytes:
    """Returns the row as a line of a raw part. Raises HTTPException for a name that is no column."""
    columns = schema.COLUMN_NAMES[: schema.N_TEST_COLUMNS]
    if unknown := sorted(set(row) - set(columns)):
        raise HTTPException(422, f"no such column: {', '.join(unknown)}")
    return schema.FIELD_SEPARATOR.join(text_of(row.get(name)) for name in columns).encode()


def text_of(value: Any) -> str:
    """Returns a value as a raw part writes it."""
    if isinstance(value, list):
        return "\t".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


@app.post("/predict")
async def predict(rows: Annotated[list[dict[str, Any]], Body()]) -> list[dict[str, float]]:
    """The chance of each engagement, for each row. A row takes milliseconds, so that one is predicted at a time."""
    try:
        found = held["predictor"].predict_many([line_of(row) for row in rows])
    except UserError as error:
        raise HTTPException(422, str(error)) from error
    return [dict(zip(schema.TARGETS, one, strict=True)) for one in found.tolist()]


@app.post("/explain")
async def explain(row: Annotated[dict[str, Any], Body()]) -> dict[str, dict[str, float]]:
    """What each family of features adds to the log-odds of each engagement."""
    try:
        explained = held["predictor"].explain(line_of(row))
    except UserError as error:
        raise HTTPException(422, str(error)) from error
    return {
        one.engagement: {effect.family.name: effect.contribution for effect in one.effects()}
        for one in explained.engagements
    }
