"""A service that predicts rows with the published model.

    .venv/bin/pip install fastapi
    .venv/bin/uvicorn --app-dir examples service:app
    curl -X POST localhost:8000/predict -H 'Content-Type: application/json' -d '[{"tweet_id": "…", …}]'

A row is a JSON object of the 20 columns of docs/data.md by name; what is missing is unknown. A value of another type is
refused (422) with its row, column and the reason. The model is that of the moment the service starts: start it again
after a promotion.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

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


@app.exception_handler(UserError)
async def refuse(_request: Request, error: UserError) -> JSONResponse:
    """Answers with the reason."""
    return JSONResponse({"detail": str(error)}, 422)


@app.exception_handler(RequestValidationError)
async def refuse_body(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answers where the body is no row or list of rows; without its values, which may be no JSON, such as NaN."""
    said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
    return await refuse(request, UserError("; ".join(said[:5])))


@app.post("/predict")
async def predict(rows: Annotated[list[dict[str, Any]], Body()]) -> list[dict[str, float]]:
    """The chance of each engagement, for each row. A row takes milliseconds, so that one is predicted at a time."""
    found = held["predictor"].predict_many(rows)
    return [dict(zip(schema.TARGETS, one, strict=True)) for one in found.tolist()]


@app.post("/explain")
async def explain(row: Annotated[dict[str, Any], Body()]) -> dict[str, dict[str, float]]:
    """What each family of features adds to the log-odds of each engagement."""
    explained = held["predictor"].explain(row)
    return {
        one.engagement: {effect.family.name: effect.contribution for effect in one.effects()}
        for one in explained.engagements
    }
