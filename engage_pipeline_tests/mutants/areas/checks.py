"""Mutations of the rules that a version is held to, of checks that warn, of promotion and of rollbacks."""

from engage_pipeline_tests.mutants.mutation import mutations

BY_HAND = "ingest/test_rules_by_hand.py"
COUNTS = "interactions/test_rules_by_hand.py"

MUTATIONS = [
    *mutations(
        "checks",
        "ingest/rules.py",
        BY_HAND,
        (
            "if facts.rows + facts.rejected + facts.blank + facts.forgotten != facts.lines:",
            "if facts.rows + facts.rejected + facts.blank + facts.forgotten > facts.lines:",
        ),
        (
            "if facts.rows + facts.rejected + facts.blank + facts.forgotten != facts.lines:",
            "if facts.rows + facts.rejected + facts.blank + facts.forgotten < facts.lines:",
        ),
        (
            "if facts.rows + facts.rejected + facts.blank + facts.forgotten != facts.lines:",
            "if facts.rows + facts.rejected + facts.blank != facts.lines:",
        ),
        ("if found > share * whole else", "if found >= share * whole else"),
        ("if found > share * whole else", "if found > 2 * share * whole else"),
        ("facts.duplicates, facts.rows", "facts.duplicates, 2 * facts.rows"),
        ("if found > limit * whole:", "if found < limit * whole:"),
        ("if not 0 < held_out < rows:", "if not 0 < held_out <= rows:"),
        ("if not 0 < held_out < rows:", "if not 0 <= held_out < rows:"),
        ("<= 5 * (rows", "<= 50 * (rows"),
        ("<= 5 * (rows", "<= 4 * (rows"),
        ("passed = abs(held_out - rows * share)", "passed = (held_out - rows * share)"),
        ('if earlier and manifest.rows else ""', 'if earlier else ""'),
        ("*(source.sha256 for source in manifest.sources)", "*()"),
        ("other.key == manifest.key or not other.rows", "other.key == manifest.key"),
        ('names += [("tweet_parts", key) for key in store.parts()]', "pass"),
        ("if name != own.artifact]", "if name == own.artifact]"),
        (
            "rows_outside(version.path(DAYS), limits.first_day, last)",
            "rows_outside(version.path(DAYS), last, limits.first_day)",
        ),
    ),
    *mutations(
        "checks",
        "interactions/rules.py",
        COUNTS,
        ("if counted[name] != count", "if counted[name] > count"),
        ("if counted[name] != count", "if counted[name] < count"),
        ("if not counted[name] and name not in allowed", "if not counted[name] and name in allowed"),
        ("if not counted[name] and name not in allowed", "if counted[name] <= 1 and name not in allowed"),
        ("manifest is None or manifest.version != made_of", "manifest is None"),
        ("if compared and made != wanted", "if compared and made > wanted"),
        ("if compared and made != wanted", "if compared and made < wanted"),
        ("if compared and made != wanted", "if made != wanted"),
        ("for part in parts if part.rows}", "for part in parts if not part.rows}"),
        ("sum(part.rows for part in facts)", "max(part.rows for part in facts)", COUNTS),
    ),
    *mutations(
        "checks",
        "submission/rules.py",
        COUNTS,
        ("if compared and lines != rows", "if compared and lines > rows"),
        ("if compared and lines != rows", "if compared and lines < rows"),
    ),
    *mutations(
        "checks",
        "model/evaluation/fairness.py",
        "model/evaluation/test_fairness.py",
        ("STANDARD_ERRORS = 3.0", "STANDARD_ERRORS = 30.0"),
        ("abs(self.predicted - self.observed)", "(self.predicted - self.observed)"),
        ("if rate in {0.0, 1.0}:", "if rate == 0.0:"),
        ("(loss - ratio * naive) ** 2", "(loss - naive) ** 2"),
        ("groups == number", "groups <= number"),
    ),
    *mutations(
        "promotion",
        "model/promotion/promotion.py",
        "model/promotion/test_promotion.py",
    ),
    *mutations(
        "promotion",
        "model/promotion/rollback.py",
        "model/promotion/test_rollback.py",
        ("key=lambda model: model.promoted_at, reverse=True", "key=lambda model: model.promoted_at"),
        ("models[places[0] + 1 :]", "models[places[0] :]"),
        ("    _check_files(chosen)\n", ""),
        ("    TrainedModel.load(chosen.source)\n", ""),
        ("if len(found) > 1:", "if len(found) > 2:"),
        ("- {chosen.version}", ""),
        ("if date := deleted_since(store, chosen.source):", "if date := None:"),
        (
            "before, draft.inputs = current.manifest.version, current.manifest.inputs",
            "before = current.manifest.version",
        ),
    ),
]
