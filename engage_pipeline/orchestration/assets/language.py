"""Assets of the language stage: from token ids to sketch codes."""

from collections import Counter

from engage_pipeline import plots
from engage_pipeline.ingest.facts import PartFacts
from engage_pipeline.language.encoder_card import TrainedOn, joined_days, write_encoder_card
from engage_pipeline.language.facts import EncoderFacts, SketchFacts, TokenFacts, TopicFacts
from engage_pipeline.language.token_vectors import TOKEN_VECTORS
from engage_pipeline.language.topics import TopicModel, fit_topics
from engage_pipeline.orchestration.assets.definition import pipeline_asset
from engage_pipeline.orchestration.assets.materializing import Shown
from engage_pipeline.orchestration.encoder_choice import encoder_workspace, skipped_before_training
from engage_pipeline.store.file_names import TWEETS
from engage_pipeline.store.store import ArtifactStore, Draft


@pipeline_asset(kinds={"transformers", "torch"})
def finetuned_encoder(store: ArtifactStore, draft: Draft) -> Shown:
    """DistilBERT fine-tuned as a masked language model on the tweets of the first training parts, with the checkpoints
    that were saved on the way and the loss on held-out tweets. None where its weights can't be had, or `encoder.model`
    says so."""
    from engage_pipeline.language.finetuning import finetune_encoder

    if why := skipped_before_training(store):
        draft.record(EncoderFacts(why=why))
        return {}
    rows = _training_rows(store)
    tweets = store.part_paths("finetuned_encoder", TWEETS)
    facts = EncoderFacts(**finetune_encoder(tweets, draft.directory, encoder_workspace(store), store.settings))
    draft.record(facts)
    write_encoder_card(draft.directory, facts, rows, store.settings)
    return {"loss": plots.loss_curve(facts.training_curve(), facts.heldout_curve())}


def _training_rows(store: ArtifactStore) -> TrainedOn:
    """Returns what the manifests say of the parts whose tweets train the encoder."""
    keys = store.parts_of("finetuned_encoder")
    parts = [PartFacts.read(store.open("tweet_parts", key).manifest) for key in keys]
    counts = Counter[str]()
    for part in parts:
        counts.update(part.positives)
    return TrainedOn(len(parts), sum(part.rows for part in parts), *joined_days(part.days for part in parts), counts)


@pipeline_asset(kinds={"torch", "parquet"})
def token_sketches(store: ArtifactStore, draft: Draft) -> Shown:
    """The vector of each token: the mean of its last hidden states over every occurrence in the sketched parts. None
    without an encoder."""
    from engage_pipeline.language.token_vectors import no_vectors, sketch_tokens

    encoder = store.open("finetuned_encoder")
    if EncoderFacts.read(encoder.manifest).why is None:
        tweets = store.part_paths("token_sketches", TWEETS)
        facts = TokenFacts(**sketch_tokens(encoder.directory(), tweets, draft.directory, store.settings))
    else:
        facts = TokenFacts(**no_vectors(draft.directory))
    draft.record(facts, rows=facts.tokens)
    return {"tokens by frequency": plots.token_frequencies(facts.frequencies)} if facts.tokens else {}


@pipeline_asset(kinds={"numpy", "parquet"})
def emde_sketches(store: ArtifactStore, draft: Draft) -> Shown:
    """EMDE codes: each token's bucket at every depth, and the fitted coder, so that new tokens can be coded later. None
    without an encoder."""
    from engage_pipeline.language.emde import code_tokens

    vectors = store.open("token_sketches").path(TOKEN_VECTORS)
    facts = SketchFacts(**code_tokens(vectors, draft.directory, store.settings))
    draft.record(facts, rows=facts.tokens)
    return {"tokens by code": plots.code_occupancy(facts.occupancy, facts.tokens_a_code())} if facts.tokens else {}


@pipeline_asset(kinds={"sklearn"})
def tweet_topics(store: ArtifactStore, draft: Draft) -> Shown:
    """Topics of tweets: clusters of tweets of one language with similar tokens, and what gives a new tweet its topic.
    None where no feature family that is on reads them."""
    if not store.settings.features.topics:
        TopicModel.none().save(draft.directory)
        draft.record(TopicFacts(topics=0, why="no family of features.families reads topics"))
        return {}
    tweets = store.part_paths("tweet_topics", TWEETS)
    facts = TopicFacts(**fit_topics(tweets, draft.directory, store.settings))
    draft.record(facts)
    return {"tweets by topic": plots.cluster_shares({"tweets": facts.shares}, title="Tweets by topic", cluster="topic")}
