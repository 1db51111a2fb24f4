"""`engage forget` and the job `forget`: remove deleted tweets and users from every artifact, and show which artifacts
still need a new training.

What belongs here: the order of the steps, and the events for Dagster. What does not: which rows are removed
(ingest.deletions.forgetting), what predates a deletion (store.deletion_ledger).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import dagster as dg

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.errors import UserError
from engage_pipeline.files import atomic
from engage_pipeline.ingest.deletions.forgetting import INGESTED, Forgotten, forget_rows, raw_files
from engage_pipeline.ingest.deletions.lists import Deletions, read_deletions
from engage_pipeline.locations.location import Location
from engage_pipeline.machine.spill import remove_spilled
from engage_pipeline.orchestration.assets.materializing import materialization, user_errors
from engage_pipeline.orchestration.checks.deletions import CHECK, judge
from engage_pipeline.orchestration.dead_runs import mark_run
from engage_pipeline.orchestration.launching import FORGET_COMMAND, runs_in_words
from engage_pipeline.orchestration.resources import AnyPipeline, Pipeline
from engage_pipeline.plurals import counted
from engage_pipeline.store.deletion_ledger import LEDGER, enter, predating
from engage_pipeline.store.manifests import label
from engage_pipeline.store.mirror.following import remove_unnamed
from engage_pipeline.store.promoted_counters import MODEL, published_now
from engage_pipeline.store.rewriting import note_facts, purge, remove, remove_workspace
from engage_pipeline.store.store import MANIFEST, ArtifactStore

COUNTED = tuple(name for name, artifact in ARTIFACTS.items() if artifact.stage is Stage.INTERACTIONS)
OF_A_MODEL = ("evaluation", "submission")
WITH_ROWS = (*INGESTED, *COUNTED, *OF_A_MODEL)
"""Artifacts with ids or single rows, remade at once. Networks and trees hold neither: they wait for the next training.
"""
FORGET = (
    "Applies the lists of deleted tweets and users: rewrites the parts that hold them and remakes the artifacts that "
    "follow."
)
Report = Callable[[dg.AssetMaterialization], None]


@dataclass
class ForgetOutcome:
    """The result of forgetting, for people."""

    deletions: Deletions
    forgotten: Forgotten
    folder: Location
    made: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    predating: dict[str, str] = field(default_factory=dict)
    raw_files: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def to_text(self) -> str:
        """Formats some lines: what was rewritten, remade and removed, and what is left to do."""
        if not self.deletions:
            there = "holds no ids" if self.folder.is_dir() else "does not exist"
            return f"no deletions: the folder {self.folder} {there} (setting deletions)"
        lines = [f"deletions: {self.deletions}; {counted(self.forgotten.looked_through, 'artifact')} searched"]
        lines += [f"  {name}: {counted(count, 'line')} forgotten" for name, count in self.forgotten.lines.items()]
        lines += [f"made again: {', '.join(self.made)}"] if self.made else []
        lines += [f"removed: {text}" for text in self.removed]
        if self.predating:
            lines.append("predate a deletion until the next training (engage run):")
            lines += [f"  {name}: {date[:10]}" for name, date in self.predating.items()]
        if self.raw_files:
            lines.append("raw files still hold deleted lines; they are yours to keep or to delete:")
            lines += [f"  {path}: {counted(count, 'line')}" for path, count in self.raw_files.items()]
        return "\n".join(lines)


def forget(
    pipeline: AnyPipeline, instance: dg.DagsterInstance, report: Report | None = None, *, started_by: str | None = None
) -> ForgetOutcome:
    """Applies the current lists to every artifact. After a failure or a kill, call it again: it resumes.

    `report` receives the event of each rewritten part; None = the instance. Problems of single artifacts are in the
    outcome. Raises UserError if a list can't be read.
    """
    pipeline = pipeline.held()
    store = pipeline.store()
    deletions = read_deletions(store.settings.deletions, follow_links=store.settings.follow_links)
    lock = (store.root / LEDGER).with_name(".forget.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with atomic.exclusive(lock, "another run is forgetting deleted tweets and users"):
        outcome = ForgetOutcome(deletions, forget_rows(store, deletions), store.settings.deletions)
        if deletions:
            _forget_everywhere(pipeline, instance, outcome, report or instance.report_runless_asset_event, started_by)
    outcome.problems += outcome.forgotten.problems.values()
    return outcome


def _forget_everywhere(
    pipeline: AnyPipeline, instance: dg.DagsterInstance, outcome: ForgetOutcome, report: Report, started_by: str | None
) -> None:
    store = pipeline.store()
    enter(store, [])
    for manifest in outcome.forgotten.rewritten:
        report(materialization(store, manifest))
    report_checks(store, instance)
    _remove_orphans(store, outcome)
    _make_again(pipeline, instance, outcome, started_by)
    _purge(store, outcome)
    with _problems(outcome):
        outcome.problems += remove_unnamed(store)
    outcome.predating = predating(store)
    outcome.raw_files = raw_files(store)
    report_checks(store, instance)


def _remove_orphans(store: ArtifactStore, outcome: ForgetOutcome) -> None:
    """Removes features of parts that are not in the training set: they are never remade."""
    dates = predating(store)
    wanted = store.parts()[: store.settings.max_n_parts]
    for key in store.keys_on_disk("interaction_features"):
        name = label("interaction_features", key)
        if name in dates and key not in wanted:
            with _problems(outcome):
                remove(store, "interaction_features", key)
                outcome.removed.append(f"{name} (the part is not in the training set)")


def _make_again(
    pipeline: AnyPipeline, instance: dg.DagsterInstance, outcome: ForgetOutcome, started_by: str | None
) -> None:
    """Remakes counts, similar authors and features; then the scores and results.csv of the existing models."""
    before = len(outcome.problems)
    with _problems(outcome):
        _make(pipeline, instance, COUNTED, outcome, started_by)
        _read_published_counters(pipeline.store())
    if len(outcome.problems) > before:
        return
    for name in OF_A_MODEL:
        try:
            _make(pipeline, instance, [name], outcome, started_by)
        except UserError as error:
            with _problems(outcome):
                remove(pipeline.store(), name)
                outcome.removed.append(f"{name} (it can't be remade now: {error})")


def _read_published_counters(store: ArtifactStore) -> None:
    """Makes the current model read the current counters: the older ones, which count deleted rows, are removed."""
    model = store.current(MODEL)
    if model is not None:
        note_facts(store, model, published_now(store))


def _make(
    pipeline: AnyPipeline,
    instance: dg.DagsterInstance,
    names: Sequence[str],
    outcome: ForgetOutcome,
    started_by: str | None,
) -> None:
    """Remakes those of the artifacts `names` that predate a deletion and are stale."""
    from engage_pipeline.orchestration.running import run_pipeline

    found = {name.partition("/")[0] for name in predating(pipeline.store())}.intersection(names)
    if found:
        made = run_pipeline(pipeline, instance, found, command=FORGET_COMMAND, started_by=started_by, only_made=True)
        outcome.made += [label(step.artifact, step.key) for step in made]


def _purge(store: ArtifactStore, outcome: ForgetOutcome) -> None:
    """Removes old versions that the store keeps for readers, and workspaces of killed runs."""
    dates = predating(store)
    for name in ARTIFACTS:
        for key in store.keys_on_disk(name):
            if name in WITH_ROWS:
                with _problems(outcome):
                    purge(store, name, key)
            elif name in dates:
                with suppress(UserError):  # a running training removes its workspace at its end
                    remove_workspace(store, name)
    with _problems(outcome):
        remove_spilled(store.settings)


@contextmanager
def _problems(outcome: ForgetOutcome) -> Iterator[None]:
    """Records a UserError of the block as a problem, and continues after the block."""
    try:
        yield
    except UserError as error:
        outcome.problems.append(str(error))


def report_checks(store: ArtifactStore, instance: dg.DagsterInstance) -> None:
    """Reports to the UI whether each existing artifact predates a deletion, without remaking it."""
    dates = predating(store)
    for name in ARTIFACTS:
        if any(store.folder(name, key).joinpath(MANIFEST).is_file() for key in store.keys_on_disk(name)):
            found = judge(name, dates)
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(name),
                    check_name=CHECK,
                    passed=found.passed,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=found.description,
                    metadata={},
                )
            )


@dg.op(name="forget_deletions", description=FORGET)
def forget_deletions(context: dg.OpExecutionContext, pipeline: Pipeline) -> None:
    """Does the same as `engage forget`, with the rewritten parts in this run's log."""
    mark_run(context.instance, context.run)
    with user_errors():
        outcome = forget(pipeline, context.instance, context.log_event, started_by=context.run_id)
        text = f"```\n{outcome.to_text()}\n```"
        runs = dg.MetadataValue.md(runs_in_words(context.instance, context.run_id))
        context.add_output_metadata({"outcome": dg.MetadataValue.md(text), "runs": runs})
        if outcome.problems:
            raise UserError("; ".join(outcome.problems))


@dg.job(name="forget", description=FORGET, executor_def=dg.in_process_executor)
def forget_job() -> None:
    """Applies the lists of deleted tweets and users."""
    forget_deletions()
