"""Mutations of who predicts: promotion, its intervals, the shrunk blend, the counters of a model."""

from engage_pipeline_tests.mutants.mutation import mutations

MUTATIONS = [
    *mutations(
        "promotion",
        "metrics/rare_classes.py",
        "metrics/test_metrics.py model/promotion/test_first_model.py",
        ("rarer < LEAST_OF_A_CLASS", "rarer <= LEAST_OF_A_CLASS"),
        ("one.overall.rce is not None and ", ""),
    ),
    *mutations(
        "promotion",
        "model/promotion/decision.py",
        "model/promotion/test_promotion.py model/promotion/test_first_model.py",
        ("self.mean is not None and self.mean > 0", "self.mean is not None and self.mean >= 0"),
        ("if candidate.mean <= least:", "if candidate.mean < least:"),
        ("if name not in few] or scored", "if name not in few]"),
        ("name in self.counted for name in schema.TARGETS", "True for name in schema.TARGETS"),
        (
            "    if least is None:\n        return Decision(True",
            "    if least is not None:\n        return Decision(True",
        ),
        ("if allowed < -tolerance:", "if allowed < tolerance:"),
        ("if allowed < -tolerance:", "if allowed <= -tolerance:"),
        ("allowed = found.highest if candidate.beats_the_constant() else found.mean", "allowed = found.highest"),
        ("allowed = found.highest if candidate.beats_the_constant() else found.mean", "allowed = found.mean"),
        ("draws = candidate.draws - current.draws", "draws = current.draws - candidate.draws"),
        (
            "return self.mean if self.interval is None else self.interval[1]",
            "return self.mean if self.interval is None else self.interval[0]",
        ),
        (
            "        return Decision(True, f\"promoted: the model before can't be scored",
            "        return Decision(False, f\"promoted: the model before can't be scored",
        ),
        (
            "found = _difference(candidate, current, candidate.mean - current.mean)",
            "found = _difference(candidate, current, current.mean - candidate.mean)",
        ),
    ),
    *mutations(
        "promotion",
        "model/promotion/promotion.py",
        "model/promotion/test_promotion.py model/promotion/test_first_model.py",
        ("if current is None and not facts.promoted:", "if False:"),
        ('before != now and before.get("part") == now.get("part")', "before != now"),
        (
            "if candidate.manifest.version in facts.held_back:",
            "if False:",
            "model/promotion/test_rollback.py",
        ),
        ("if deleted is not None and scores[CANDIDATE].beats_the_constant():", "if deleted is not None:"),
        ("if redrawn and scores[CANDIDATE].beats_the_constant():", "if redrawn and False:"),
        ("None if current is None or CANDIDATE_MODEL in predating(store) else", "None if current is None else"),
    ),
    *mutations(
        "promotion",
        "model/promotion/model_card.py",
        "model/promotion/test_model_card.py",
        ("figures.rce + figures.margin < 0", "figures.rce < 100"),
        ("one.predicted / one.observed", "one.observed / one.predicted"),
        ("CURRENT in facts.rce or facts.candidate == version", "facts.rce"),
    ),
    *mutations(
        "promotion",
        "model/promotion/promotion.py",
        "model/promotion/test_rollback.py",
        ("    require_known(store)\n", ""),
    ),
    *mutations(
        "promotion",
        "model/promotion/rollback.py",
        "model/promotion/test_rollback.py",
        (
            "if model.predicts or (not predicts and last is not None and model.version == last.version)",
            "if model.predicts",
        ),
    ),
    *mutations(
        "full disk",
        "machine/full_disk.py",
        "machine/test_full_disk.py",
        ("named = estimate if estimate > free else free + estimate", "named = estimate"),
    ),
    *mutations(
        "blend",
        "model/blend.py",
        "model/test_blend.py",
        ("alone = min(losses", "alone = max(losses"),
        ("losses[alone] - log_losses(", "log_losses(logits[alone], labels) * 2 - log_losses("),
    ),
    *mutations(
        "language",
        "language/masking.py",
        "language/test_masking.py",
        ("_NEVER_CHOSEN = (PAD_TOKEN, UNKNOWN_TOKEN, CLS_TOKEN,", "_NEVER_CHOSEN = (PAD_TOKEN, CLS_TOKEN,"),
        ("CLS_TOKEN, SEP_TOKEN, MASK_TOKEN)\n", "CLS_TOKEN, MASK_TOKEN)\n"),
    ),
    *mutations(
        "language",
        "language/ragged.py",
        "language/test_ragged.py",
        ("np.minimum(lengths, max_tokens)", "lengths"),
    ),
]
