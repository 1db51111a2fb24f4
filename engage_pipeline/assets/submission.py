"""Assets of the submission stage: results.csv."""

import dagster as dg

from engage_pipeline.artifacts import Draft
from engage_pipeline.assets.definition import pipeline_asset
from engage_pipeline.assets.making import make_one, user_errors
from engage_pipeline.language.codes import CODES
from engage_pipeline.resources import Pipeline


@pipeline_asset(kinds={"csv"})
def submission(pipeline: Pipeline) -> dg.MaterializeResult:
    """results.csv: the probabilities of reply, retweet, retweet with comment and like, one line for every test row in
    the order of the input."""
    from engage_pipeline.model.bundle import TrainedModel
    from engage_pipeline.model.predicting import predicting_model
    from engage_pipeline.submission.results import write_submission
    from engage_pipeline.submission.unknown import count_unknown

    with user_errors():
        store = pipeline.store()

    def make(draft: Draft) -> None:
        tweets, features = store.open("test_tweets"), store.open("test_features")
        files = [f"{part}.parquet" for part in tweets.manifest.facts["parts"]]
        trained, rows = predicting_model(store), [features.path(file) for file in files]
        model = TrainedModel.load(trained, store.settings.engine.threads)
        draft.facts |= write_submission(model, [tweets.path(file) for file in files], rows, draft.path("results.csv"))
        draft.facts["unknown"] = count_unknown(rows, model.finetuned.network.config.languages, trained.path(CODES))
        draft.rows = draft.facts["rows"]

    return make_one(store, "submission", make)
