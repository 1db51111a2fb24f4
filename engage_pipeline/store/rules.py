"""Rules that a version must satisfy before it is used, and how a version is judged by them.

A stage defines its rules in its module `rules`. A version is judged before its manifest is written, and again when the
limits, the rules or the versions with which it is compared have changed. The verdict is part of the manifest, so no
version is ever current without one. What does not belong here: the rules themselves (the stages), and how an outcome is
shown (orchestration.checks).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from engage_pipeline.catalogue import ARTIFACTS, Stage
from engage_pipeline.errors import UserError
from engage_pipeline.settings.settings import Settings
from engage_pipeline.store.manifests import ABSENT, Manifest, Verdict, VersionError
from engage_pipeline.store.versions import Reader, Version

_MODULES = {stage: f"engage_pipeline.{stage.value}.rules" for stage in (Stage.INGEST, Stage.INTERACTIONS)} | {
    Stage.SUBMISSION: "engage_pipeline.submission.rules"
}


@dataclass(frozen=True)
class Outcome:
    """The result of a rule for one version: the problem in one line (empty = none), and figures by name.

    It is `final` unless something else than the version could not be read, which may pass.
    """

    problem: str
    figures: Mapping[str, int]
    final: bool = True


@dataclass(frozen=True)
class Judgement:
    """A verdict, and whether it is `final`: one that is not must not be recorded."""

    verdict: Verdict
    final: bool


@dataclass(frozen=True)
class Rule:
    """A rule that every version of an artifact must satisfy.

    `summary` says that it holds: a format string over the figures. `limits` are the dotted names of the settings that
    the figures are held to; without them the summary names the limit. `compared_with` are artifacts without parts: a
    verdict is valid only as long as their versions are the compared ones.
    """

    name: str
    description: str
    summary: str
    look: Callable[[Reader, Version], Outcome]
    limits: tuple[str, ...] = ()
    compared_with: tuple[str, ...] = ()


Rules = Sequence[Rule]


def rule(
    summary: str, *, limits: tuple[str, ...] = (), compared_with: tuple[str, ...] = ()
) -> Callable[[Callable[[Reader, Version], Outcome]], Rule]:
    """Makes the decorated function a rule with its name; its docstring describes the rule to people."""

    def make(look: Callable[[Reader, Version], Outcome]) -> Rule:
        return Rule(look.__name__, " ".join((look.__doc__ or "").split()), summary, look, limits, compared_with)

    return make


def stage_rules(name: str) -> Rules:
    """Returns the rules of the artifact `name` from its stage."""
    module = _MODULES.get(ARTIFACTS[name].stage)
    rules: Rules = () if module is None else import_module(module).RULES.get(name, ())
    return rules


def judge(store: Reader, version: Version, rules: Rules) -> Judgement:
    """Judges a version, published or about to be, by the `rules` under the settings of the store."""
    found = {one.name: outcome_of(store, version, one) for one in rules}
    problems = {name: outcome.problem for name, outcome in found.items()}
    final = all(outcome.final for outcome in found.values())
    return Judgement(Verdict(limits(store.settings), _compared(store, rules), problems), final)


def outcome_of(store: Reader, version: Version, one: Rule) -> Outcome:
    """Returns the outcome of one rule. A version that can't be read, or not compared, has a problem."""
    try:
        return one.look(store, version)
    except UserError as error:
        own = isinstance(error, VersionError) and error.directory == version.manifest.directory
        return Outcome(str(error), {}, final=own)
    except KeyError as error:
        if version.manifest.code_version == ARTIFACTS[version.manifest.artifact].code_version:
            raise
        return Outcome(f"an earlier version of the program made it, without the figure {error}", {})


def holds_still(store: Reader, verdict: Verdict | None, rules: Rules) -> bool:
    """Returns whether the verdict is still valid: rules, limits and compared versions are unchanged."""
    return (
        verdict is not None
        and verdict.problems.keys() == {one.name for one in rules}
        and verdict.limits == limits(store.settings)
        and verdict.compared == _compared(store, rules)
    )


def limits(settings: Settings) -> dict[str, Any]:
    """Returns the settings that rules may use, as JSON types."""
    checks: dict[str, Any] = settings.checks.model_dump(mode="json")
    return {**checks, "ingest.max_rejected_share": settings.ingest.max_rejected_share}


def failures(verdict: Verdict) -> str:
    """Returns all problems in one line; empty if there are none."""
    return "; ".join(problem for problem in verdict.problems.values() if problem)


def _compared(store: Reader, rules: Rules) -> dict[str, str]:
    names = sorted({name for one in rules for name in one.compared_with})
    return {name: _version(store, name) for name in names}


def _version(store: Reader, name: str) -> str:
    try:
        manifest: Manifest | None = store.manifest(name)
    except UserError:
        return ABSENT
    return manifest.version if manifest else ABSENT
