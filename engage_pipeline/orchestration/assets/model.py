"""Assets of the model stage: the networks, effects and trees, their bundle, and its evaluation."""

import pyarrow.parquet as pq

from engage_pipeline import plots
from engage_pipeline.interactions.drift.profile import write_summary
from engage_pipeline.interactions.drift.stability import COMPARABLE_FEATURES
from engage_pipeline.language.codes import CODES
from engage_pipeline.model.facts import BundleFacts, EffectsFacts, EvaluationFacts, NetworkFacts, TreesFacts
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown
from engage_pipeline.store import promoted_counters
from engage_pipeline.store.file_names import FEATURES, LANGUAGES, PROFILE
from engage_pipeline.store.store import ArtifactStore, Draft
from engage_pipeline.tracking.tracked import tracking


@pipeline_asset(kinds={"torch"})
def pretrained_network(store: ArtifactStore, draft: Draft) -> Shown:
    """The network trained on the rows of the training parts, day by day or shuffled as the settings say; from
    random weights, or with `network.warm_start` from those of the network before."""
    from engage_pipeline.language.codes import load_codes
    from engage_pipeline.model.network.pretraining import pretrain_network
    from engage_pipeline.model.network.warm_start import network_before

    features = store.part_paths("pretrained_network", FEATURES, "interaction_features")
    codes = load_codes(store.open("emde_sketches").path(CODES))
    languages = pq.read_table(store.open("interaction_counts").path(LANGUAGES))["language"].to_pylist()
    workspace = store.workspace("pretrained_network")
    before = network_before(store) if store.settings.network.warm_start else None
    found = pretrain_network(features, codes, languages, draft.directory, workspace, store.settings, before)
    return _record_network(draft, NetworkFacts(**found))


@pipeline_asset(kinds={"torch"})
def finetuned_network(store: ArtifactStore, draft: Draft) -> Shown:
    """The network trained further on the fine-tuning rows of the validation part, scored on the holdout before and
    after."""
    from engage_pipeline.language.codes import load_codes
    from engage_pipeline.model.evaluation.figures import holdout_table
    from engage_pipeline.model.network.finetuning import finetune_network

    pretrained = store.open("pretrained_network").directory()
    features = store.open("validation_features").path(FEATURES)
    codes = load_codes(store.open("emde_sketches").path(CODES))
    workspace = store.workspace("finetuned_network")
    found = finetune_network(pretrained, features, codes, draft.directory, workspace, store.settings)
    facts = NetworkFacts(**found)
    return {
        **_record_network(draft, facts),
        "before and after fine-tuning": holdout_table(facts.holdout).to_markdown(),
    }


def _record_network(draft: Draft, facts: NetworkFacts) -> Shown:
    draft.record(facts, rows=facts.rows)
    return {"training loss": plots.network_curve(facts.curve, rows=facts.rows)}


@pipeline_asset(kinds={"numpy", "parquet"})
def engagement_effects(store: ArtifactStore, draft: Draft) -> None:
    """The mixed model: an effect for each viewer, author, pair, tweet, topic and community, as far as the feature
    families are on, and what it says of each validation row without having seen it."""
    from engage_pipeline.model.effects.scoring import copy_clusters, load_clusters
    from engage_pipeline.model.effects.training import train_effects

    training = store.part_paths("engagement_effects", FEATURES, "interaction_features")
    validation = store.open("validation_features").path(FEATURES)
    topics, communities = (store.open(name).directory() for name in ("tweet_topics", "user_communities"))
    copy_clusters(topics, communities, draft.directory)
    clusters = load_clusters(draft.directory)
    found = train_effects(training, validation, clusters, draft.directory, store.settings)
    facts = EffectsFacts(**found)
    draft.record(facts, rows=facts.rows)


@pipeline_asset(kinds={"lightgbm"})
def engagement_trees(store: ArtifactStore, draft: Draft) -> Shown:
    """LightGBM trees of the second stage, one model an engagement, on the fine-tuning rows with the pretrained
    network's logits, which are honest because that network never saw these rows, and with the effects, which were
    fitted without their labels."""
    from engage_pipeline.language.codes import load_codes
    from engage_pipeline.model.effects.columns import read_columns
    from engage_pipeline.model.evaluation.tracked_scores import track_rounds
    from engage_pipeline.model.network.scoring import NetworkScorer
    from engage_pipeline.model.trees.training import train_trees

    codes = load_codes(store.open("emde_sketches").path(CODES))
    network = store.open("pretrained_network").directory()
    pretrained = NetworkScorer.load(network, codes, device=store.settings.engine.device)
    features = store.open("validation_features").path(FEATURES)
    effects = read_columns(store.open("engagement_effects").directory())
    facts = TreesFacts(**train_trees(features, pretrained, effects, draft.directory, store.settings))
    draft.record(facts, rows=facts.rows)
    track_rounds(tracking(store.settings, "engagement_trees", _identity(store, "engagement_trees")), facts.engagements)
    return {
        f"{target}: gain": plots.feature_importance(one.gain, title=f"Feature gain: {target}")
        for target, one in facts.engagements.items()
    }


@pipeline_asset(kinds={"torch", "lightgbm"})
def candidate_model(store: ArtifactStore, draft: Draft) -> Shown:
    """The model just trained: network, trees, token codes and the weights of their blend, which are chosen on rows
    neither was trained on. It predicts once it is promoted."""
    from engage_pipeline.model.bundle import TRAINING_PROFILE, build_bundle
    from engage_pipeline.model.evaluation.figures import blend_table
    from engage_pipeline.model.provenance import provenance

    made_of = provenance(store)
    found = build_bundle(
        draft.directory,
        pretrained=store.open("pretrained_network").directory(),
        finetuned=store.open("finetuned_network").directory(),
        effects=store.open("engagement_effects").directory(),
        trees=store.open("engagement_trees").directory(),
        features=store.open("validation_features").path(FEATURES),
        codes_path=store.open("emde_sketches").path(CODES),
        settings=store.settings,
    )
    profiles = store.part_paths("candidate_model", PROFILE, "interaction_features")
    write_summary(profiles, COMPARABLE_FEATURES, draft.path(TRAINING_PROFILE))
    facts = BundleFacts(**found, provenance=made_of)
    draft.record(facts)
    draft.record(promoted_counters.judged_on(store))
    return {"weights of the blend": blend_table(facts.engagements).to_markdown()} if facts.engagements else {}


@pipeline_asset(kinds={"torch", "lightgbm"})
def trained_model(store: ArtifactStore, draft: Draft) -> Shown:
    """The model that predicts: the candidate, unless it scores worse on the holdout than the model that predicts
    already by more than `promotion.tolerance`, beyond noise. A first candidate must beat the constant rate, else no
    model predicts. The last few of them are kept: `engage rollback` returns to one."""
    from engage_pipeline.model.promotion.model_card import format_scores
    from engage_pipeline.model.promotion.promotion import promote

    return {"candidate and model before": format_scores(promote(store, draft))}


@pipeline_asset(kinds={"html", "scikit-learn"})
def evaluation(store: ArtifactStore, draft: Draft) -> Shown:
    """Scores of the candidate's network, effects, trees and blend on the holdout, overall and by author group, and the
    report as one HTML file. Where another model predicts, because the candidate was turned down, it is scored too."""
    from engage_pipeline.metrics import format_markdown
    from engage_pipeline.model.bundle import TrainedModel
    from engage_pipeline.model.evaluation.holdout import (
        PREDICTIONS,
        SCORES,
        bundle_predictor,
        evaluate_model,
        evaluation_plots,
        read_scores,
    )
    from engage_pipeline.model.evaluation.pipeline_facts import report_inputs
    from engage_pipeline.model.evaluation.tracked_scores import track_scores
    from engage_pipeline.model.promotion.history import model_history
    from engage_pipeline.model.promotion.predicting import holds_model

    candidate, trained = store.open("candidate_model"), store.open("trained_model")
    engine = store.settings.engine
    model, predicting = TrainedModel.load(candidate, engine.threads, engine.device, decided=True), None
    if trained.manifest.version != candidate.manifest.version and holds_model(trained.manifest):
        predicting = TrainedModel.load(trained, engine.threads, engine.device, decided=True)
    pretrained = store.open("pretrained_network").directory()
    found = evaluate_model(
        store.open("validation_features").path(FEATURES),
        bundle_predictor(model, pretrained, predicting),
        draft.directory,
        store.settings,
        scored_file=any(one.reads_scored_file for one in (model, predicting) if one),
        pipeline=report_inputs(store),
        history=model_history(store),
    )
    facts = EvaluationFacts(**found)
    draft.record(facts, rows=facts.rows)
    versions = {"candidate": candidate.manifest.version, "trained_model": trained.manifest.version}
    track_scores(tracking(store.settings, "evaluation", _identity(store, "evaluation"), params=versions), facts)
    scores = format_markdown(read_scores(draft.path(SCORES)))
    return {"scores": scores, **evaluation_plots(draft.path(PREDICTIONS))}


def _identity(store: ArtifactStore, name: str) -> str:
    """Returns a name of what the artifact is made of now, for the trackers."""
    return store.workspace(name).name if store.settings.trackers else ""
