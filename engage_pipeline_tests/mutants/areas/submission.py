"""Mutations of predicting, results.csv and its scoring."""

from engage_pipeline_tests.mutants.mutation import mutations

MUTATIONS = [
    *mutations(
        "submission",
        "submission/results.py",
        "submission/test_one_too_many.py submission/test_results.py",
        (
            "schema.TARGETS.index(engagement) for engagement in schema.SUBMISSION_ENGAGEMENTS",
            "i for i, _ in enumerate(schema.SUBMISSION_ENGAGEMENTS)",
        ),
        ("(probabilities > 0) & (probabilities < 1)", "(probabilities >= 0) & (probabilities <= 1)"),
        ("np.clip(probabilities, 1000 * least, 1 - least)", "probabilities"),
        ("self.total / max(self.rows, 1)", "self.total / max(self.rows + 1, 1)"),
        ("self.lowest = min(self.lowest,", "self.lowest = max(0.0,"),
        ('quoting_style="none"', 'quoting_style="needed"'),
    ),
    *mutations(
        "submission",
        "submission/scoring/results_file.py",
        "submission/test_one_too_many.py submission/scoring/test_report.py",
        ("None if 0 <= float(stripped) <= 1", "None if 0 < float(stripped) <= 1"),
        ("enumerate(_lines(path), start=1)", "enumerate(_lines(path), start=0)"),
        ("if len(line) == _LONGEST_LINE:", "if len(line) > 2 * _LONGEST_LINE:"),
        (
            "np.column_stack([table[name].to_numpy() for name in schema.TARGETS])",
            "np.column_stack([table[name].to_numpy() for name in schema.SUBMISSION_ENGAGEMENTS])",
        ),
        ("ignore_empty_lines=False", "ignore_empty_lines=True"),
    ),
    *mutations(
        "submission",
        "submission/scoring/matching.py",
        "submission/scoring/test_report.py",
        ("if len(lines) > len(wanted):", "if False:"),
        ("    if (twice := _repeated(wanted)) is not None:", "    if (twice := None) is not None:"),
        ("    if (twice := _repeated(lines)) is not None:", "    if (twice := None) is not None:"),
        ("if predictions.ids.equals(rows.ids):", "if len(predictions.ids) == len(rows.ids):"),
        ("if places.null_count:", "if places.null_count > 1:"),
    ),
    *mutations(
        "submission",
        "submission/scoring/labels.py",
        "submission/test_one_too_many.py submission/scoring/test_report.py",
        ("(values != 0) & (values != 1)", "values > 1"),
        ("if table.num_rows != len(rows.labels):", "if table.num_rows < len(rows.labels):"),
        ("if table.num_rows == 0:", "if table.num_rows < 0:"),
        ("if (row := pc.index(same, False).as_py()) >= 0:", "if (row := pc.index(same, False).as_py()) > 0:"),
    ),
    *mutations(
        "submission",
        "submission/scoring/report.py",
        "submission/scoring/test_report.py",
        ("given.probabilities[match(given, rows)]", "given.probabilities"),
        ("np.full(len(aligned), True)", "np.arange(len(aligned)) > 0"),
    ),
    *mutations(
        "submission",
        "submission/unknown.py",
        "submission/test_unknown.py",
        ("(shown == 0)", "(shown <= 1)"),
        ("inner[ends[ends > starts] - 1] = False", "pass"),
        ("(~has_code[tokens]).sum()", "has_code[tokens].sum()"),
    ),
    *mutations(
        "submission",
        "submission/predict.py",
        "submission/test_predict.py::test_two_processes_write_the_bytes_of_one",
        (
            "if part.resolve() in parts:",
            "if part in parts.values() and False:",
            "submission/test_predict.py::test_inputs_are_checked_before_any_work",
        ),
        (
            "for place in sorted(place for share in shares for place in share):",
            "for place in (place for share in shares for place in share):",
        ),
    ),
    *mutations(
        "submission",
        "submission/parts.py",
        "submission/test_predict.py",
        ("features.slice(start, BATCH_ROWS)", "features.slice(0, BATCH_ROWS)"),
        ("rows.slice(start, BATCH_ROWS)", "rows.slice(0, BATCH_ROWS)"),
        ("reports[path] = _predict_part", "reports[parts[0]] = _predict_part"),
    ),
    *mutations(
        "submission",
        "machine/shares.py",
        "machine/test_shares.py",
        ("key=lambda place: -sizes[place]", "key=lambda place: sizes[place]"),
        ("number / processes", "number"),
        ("threads_of(settings) // settings.training_threads", "threads_of(settings)"),
        ("(loads[share], len(shares[share]))", "loads[share]"),
    ),
]
