"""Assets of the submission stage: results.csv."""

from engage_pipeline.language.codes import CODES
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.store import promoted_counters
from engage_pipeline.store.file_names import RESULTS
from engage_pipeline.store.store import ArtifactStore, Draft
from engage_pipeline.submission.facts import SubmissionFacts


@pipeline_asset(kinds={"csv"})
def submission(store: ArtifactStore, draft: Draft) -> None:
    """results.csv: the probabilities of reply, retweet, retweet with comment and like, one line for every test row in
    the order of the input. Where the test features are not of these rows and of the counters that the model was
    promoted with, the rows are joined with these once more."""
    from engage_pipeline.model.bundle import TrainedModel
    from engage_pipeline.model.promotion.predicting import predicting_model
    from engage_pipeline.submission.results import write_submission
    from engage_pipeline.submission.test_rows import feature_files
    from engage_pipeline.submission.unknown import count_unknown

    trained = predicting_model(store)
    counters = promoted_counters.find_counters(store, trained.manifest)
    model = TrainedModel.load(trained, store.settings.engine.threads, store.settings.engine.device)
    with feature_files(store, counters) as rows:
        found = write_submission(model, rows, draft.path(RESULTS), scored_file=model.reads_scored_file)
        unknown = count_unknown(rows, model.finetuned.network.config.languages, trained.path(CODES))
    facts = SubmissionFacts(**found, unknown=unknown)
    draft.record(facts, rows=facts.rows)
    draft.record(promoted_counters.as_fact({name: one.manifest.version for name, one in counters.items()}))
