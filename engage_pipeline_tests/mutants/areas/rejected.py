"""Mutations of what is done with bad lines: limits, long texts, what is kept of a part that fails."""

from engage_pipeline_tests.mutants.mutation import mutations

READING = "ingest/test_part_ingest.py"

MUTATIONS = [
    *mutations(
        "ingest",
        "ingest/parsing/line_rules.py",
        "ingest/parsing/test_lines.py",
        ("if not line.endswith(NO_LABELS):", "if False:"),
    ),
    *mutations(
        "ingest",
        "ingest/part_ingest.py",
        READING,
        ("        if read.failed:\n", "        if read.failed and read.stopped:\n"),
        ("return self.too_many or (not self.rows", "return self.too_many and (not self.rows"),
        ("(not self.rows and self.tally.count > 0)", "(not self.rows and self.stopped)"),
        ("    if not read.rows:\n", "    if read.rows is None:\n"),
        (".sort(LINE_NUMBER)", "", "ingest/parsing/test_parquet_rows.py"),
        ("if (np.diff(numbers) > 0).all():", "if True:", "ingest/parsing/test_parquet_rows.py"),
        ("if (np.diff(numbers) > 0).all():", "if False:"),
        ("bounded(in_order) if read.failed else in_order", "in_order", "ingest/test_rejects_shown.py"),
    ),
    *mutations(
        "ingest",
        "ingest/reject_limit.py",
        READING,
        ("return rejected > self._share * lines", "return rejected >= self._share * lines"),
        ("max(int(self._share * self.lines), rejected + 1)", "max(int(2 * self._share * self.lines), rejected + 1)"),
    ),
    *mutations(
        "forgetting",
        "ingest/deletions/lists.py",
        "ingest/deletions/test_lists.py",
        ("elif path.name.startswith((TWEETS, USERS)) and path.is_file():", "elif path.is_file():"),
        ('pc.equal(ids, "")))', 'pc.equal(ids, " ")))'),
    ),
]
