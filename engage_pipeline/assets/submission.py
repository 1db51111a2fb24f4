"""Assets of the submission stage: results.csv."""

import dagster as dg

from engage_pipeline.artifacts import Draft
from engage_pipeline.assets.definition import pipeline_asset
from engage_pipeline.assets.making import make_one, user_errors
from engage_pipeline.resources import Pipeline


@pipeline_asset(kinds={"csv"})
def submission(pipeline: Pipeline) -> dg.MaterializeResult:
    """results.csv: the probabilities of reply, retweet, retweet with comment and like, one line for every test row in
    the order of the input."""
    from engage_pipeline.model.bundle import TrainedModel
    from engage_pipeline.submission.results import write_submission

    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets, features = store.open("test_tweets"), store.open("test_features")
        files = [f"{part}.parquet" for part in tweets.manifest.facts["parts"]]
        draft.facts |= write_submission(
            TrainedModel.load(store.open("trained_model"), store.settings.engine.threads),
            [tweets.path(file) for file in files],
            [features.path(file) for file in files],
            draft.path("results.csv"),
        )
        draft.rows = draft.facts["rows"]

    return make_one(store, "submission", make)
