"""The graph: complete, acyclic, in the order of the stages, and every setting has its place in it."""

from pathlib import Path

from engage_pipeline.catalogue import ARTIFACTS, ancestry, relevant_settings, setting_values
from engage_pipeline.settings.families import DEFAULT_FAMILIES, FAMILY_NAMES, SCORED_FILE
from engage_pipeline.settings.section import SettingsSection
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.plan import SEGMENTS
from engage_pipeline.store.staleness import changed_setting
from engage_pipeline_tests.samples import tiny_settings

FIXED_NAMES = {
    "tweet_parts",
    "finetuned_encoder",
    "token_sketches",
    "emde_sketches",
    "author_similarity",
    "interaction_features",
    "trained_model",
    "submission",
}
NOT_CONTENT = {
    "preset",
    "working_dir",
    "recsys_data",
    "validation_part",
    "test_data",
    "deletions",
    "follow_links",
    "owners",
    "trackers",
    "mirror",
    "engine",
} | {
    "ingest",
    "checks",
    "promotion",
    "automation",
}
"""Settings that say where and how fast, not what: they change no artifact."""


def test_the_fixed_names_are_there() -> None:
    assert ARTIFACTS.keys() >= FIXED_NAMES


def test_segments_hold_every_artifact_once_after_its_inputs() -> None:
    order = [name for names in SEGMENTS for name in names]
    assert sorted(order) == sorted(ARTIFACTS)
    for name in order:
        assert all(order.index(parent) < order.index(name) for parent in ARTIFACTS[name].inputs)


def test_a_segment_is_partitioned_as_a_whole_or_not_at_all() -> None:
    assert all(len({ARTIFACTS[name].partitioned for name in names}) == 1 for names in SEGMENTS)


def test_every_setting_that_changes_a_result_is_known_to_an_artifact(tmp_path: Path) -> None:
    known = {name for artifact in ARTIFACTS.values() for name in artifact.settings}
    for name, info in Settings.model_fields.items():
        if name in NOT_CONTENT:
            continue
        if isinstance(info.annotation, type) and issubclass(info.annotation, SettingsSection):
            derived = info.annotation.model_computed_fields
            fields = {f"{name}.{field}" for field in derived or info.annotation.model_fields}
            assert name in known or fields <= known, name
        else:
            assert name in known, name
    assert relevant_settings("submission", tiny_settings(tmp_path))


def test_a_version_from_before_the_families_beyond_the_reference_is_current(tmp_path: Path) -> None:
    off = relevant_settings("submission", tiny_settings(tmp_path))
    on = relevant_settings("submission", tiny_settings(tmp_path, features={"families": list(FAMILY_NAMES)}))
    before = {name: value for name, value in off.items() if name not in {"features.further", "features.scored_file"}}
    assert changed_setting(before, off) is None
    assert changed_setting(on, off)
    assert changed_setting(before, on)


def test_counts_inside_the_scored_file_make_no_more_than_the_trees_stale(tmp_path: Path) -> None:
    off, on = (
        tiny_settings(tmp_path, features={"families": [*DEFAULT_FAMILIES, *more]}) for more in ((), (SCORED_FILE,))
    )
    changed = {name for name, one in ARTIFACTS.items() if setting_values(one, off) != setting_values(one, on)}
    assert changed == {"engagement_trees"}


def test_no_artifact_depends_on_the_limit_of_rejected_lines() -> None:
    """It changes no content, and rules hold published parts to it."""
    for name in ARTIFACTS:
        assert not any(one.startswith("ingest") for one in relevant_settings(name, Settings()))


def test_submission_is_made_of_everything_but_the_evaluation() -> None:
    assert ancestry("submission") == set(ARTIFACTS) - {"evaluation"}


READ_BY: dict[str, set[str]] = {
    "token_sketches": {"encoder.parts", "encoder.max_tweets", "encoder.max_tokens", "encoder.checkpoint"},
    "finetuned_encoder": {"encoder.model", "encoder.max_tokens", "encoder.mask_probability", "seed"},
    "emde_sketches": {"sketch_width", "sketch_depth", "seed"},
    "validation_tweets": {"validation_percentage", "num_validation_chunks", "seed"},
    "author_similarity": {"authors_similarity_top_N", "authors_similarity_threshold", "max_n_parts"},
    "tweet_topics": {"topics", "seed"},
    "user_communities": {"communities", "seed"},
    "pretrained_network": {"network.hidden_size", "network.decay_per_day", "max_n_parts_in_memory", "seed"},
    "finetuned_network": {"network", "trees.enabled", "seed"},
    "interaction_features": {"features.counters"},
    "engagement_effects": {"effects", "features.effects"},
    "engagement_trees": {"trees", "features.effects", "features.scored_file", "seed"},
    "candidate_model": {"features.effects", "trees.enabled"},
    "evaluation": {"evaluation"},
}
"""Settings that the library function of an artifact reads itself."""


def test_an_artifact_knows_the_settings_that_it_reads_itself() -> None:
    for name, settings in READ_BY.items():
        assert settings <= set(ARTIFACTS[name].settings), name
