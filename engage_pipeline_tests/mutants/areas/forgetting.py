"""Mutations of deletions and of the watch over the raw parts."""

from engage_pipeline_tests.mutants.mutation import mutations

MUTATIONS = [
    *mutations(
        "forgetting",
        "ingest/deletions/lists.py",
        "ingest/deletions/test_lists.py",
        ("if first == 1 else block.split", "if first == 0 else block.split"),
        ("first += len(lines) - 1", "first += len(lines)"),
        ("content.update(block)", "content.update(b'')"),
        ('ids.filter(pc.not_equal(ids, ""))', "ids"),
        ("rest = data[end:]", "rest = b''"),
    ),
    *mutations(
        "forgetting",
        "ingest/deletions/rows.py",
        "ingest/deletions/test_forgetting.py",
        ("blanks[length:] == blanks[:-length]", "blanks[length:-1] == blanks[: -length - 1]"),
        ("letters.update(np.unique(_bytes_of(array)).tolist())", "letters = set(np.unique(_bytes_of(array)).tolist())"),
        ("return len(self.rows) + len(self.rejected)", "return len(self.rows)"),
        ("kept = ~np.isin(", "kept = np.isin("),
    ),
    *mutations(
        "forgetting",
        "ingest/deletions/deleted_tweets.sql",
        "ingest/deletions/test_forgetting.py",
        ("    OR engaging_user_id IN (SELECT id FROM deleted_user_ids)", ""),
        ("    OR engaged_with_user_id IN (SELECT id FROM deleted_user_ids)\n", ""),
    ),
    *mutations(
        "forgetting",
        "ingest/deletions/deleted_candidates.sql",
        "ingest/deletions/test_forgetting.py",
        ("\n    OR id IN (SELECT id FROM deleted_user_ids)", ""),
    ),
    *mutations(
        "forgetting",
        "ingest/deletions/forgetting.py",
        "ingest/deletions/test_forgetting.py",
        ("manifest is not None and IngestedFacts.read(manifest).deletions != deletions.digest", "manifest is not None"),
        ("forgotten=before.forgotten + hits.lines", "forgotten=hits.lines"),
        ("            holding = True", "            holding = False"),
        ("    enter(store, [manifest])\n    started", "    started"),
        ("if current.manifest.directory != manifest.directory:", "if current.manifest.version == manifest.version:"),
    ),
    *mutations(
        "forgetting",
        "ingest/watch/decision.py",
        "ingest/watch/test_decision.py",
        (
            "return situation.now - since >= situation.stable_seconds",
            "return situation.now - since > situation.stable_seconds",
        ),
        ("since = min(before.since, situation.now)", "since = before.since"),
        ("if name in situation.busy:", "if name not in situation.busy:"),
        ("asked.run_key not in situation.lost", "True"),
        ("len(runs[-1]) < at_most", "len(runs[-1]) <= at_most"),
        ("place[runs[-1][-1]] + 1 == place[name]", "place[runs[-1][-1]] < place[name]"),
        ("if name not in situation.present}", "}"),
        ("(before is None or unchanged)", "True"),
        ("written = seen.mtime_ns / 1e9", "written = 0.0"),
    ),
    *mutations(
        "forgetting",
        "ingest/watch/observation.py",
        "ingest/watch/test_observation.py",
        ("if after == before else after", "if True else after"),
        ("state.identity != status", "state.offset < 0"),
        ("if self._clock() >= deadline:", "if False:"),
    ),
]
