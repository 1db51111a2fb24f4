"""Mutations of Parquet parts, of notices to a webhook, of trackers, and of what closes dead runs."""

from engage_pipeline_tests.mutants.mutation import mutations

PARQUET = "ingest/parsing/test_parquet_rows.py"
ALERTS = "orchestration/alerts/test_sensor.py"
WEBHOOK = "orchestration/alerts/test_webhook.py"

MUTATIONS = [
    *mutations(
        "ingest",
        "ingest/parsing/parquet_columns.py",
        PARQUET,
        ("found[np.repeat(np.arange(len(lengths)), lengths)[items]] = True", "found[: items.sum()] = True"),
        ('f"\\0\\r\\n{FIELD_SEPARATOR}"', 'f"\\0\\r{FIELD_SEPARATOR}"'),
        ("pc.if_else(pc.is_nan(column), None, column)", "column"),
        ("(np.floor(numbers) == numbers) & ", ""),
        (
            "return (pc.if_else(empty, None, texts) if pc.any(empty).as_py() else texts), problems",
            "return texts, problems",
        ),
        ("values.fill_null(0).to_numpy() // unit", "(values.fill_null(0).to_numpy() / unit).astype(np.int64)"),
    ),
    *mutations(
        "ingest",
        "ingest/parsing/parquet_rows.py",
        PARQUET,
        ("pre_buffer=False, ", ""),
        ("if texts.null_count < len(texts):", "if texts.null_count == 0:"),
        ("good &= ~bad", "good = ~bad"),
        ("self.lines += len(table)", "self.lines += 1"),
        ("or block.numbers[-1] > row:", "or block.numbers[-1] >= 0:"),
        ("if labelled and not set(LABELS).intersection(schema.names):", "if labelled and not schema.names:"),
    ),
    *mutations(
        "ingest",
        "ingest/parsing/text_tokens.py",
        PARQUET,
        ("self._tokenizer.no_truncation()", "pass"),
        ("if len(ids) > 2 else []", ""),
        ("[] if size == VOCABULARY_SIZE else [", "[] if True else ["),
    ),
    *mutations(
        "alerts",
        "orchestration/alerts/sensor.py",
        ALERTS,
        ("if not _told_by_another(run)]", "]"),
        (" and run.parent_run_id is None", ""),
        ('{"first": min(found.first, now), "last": min(found.last, now)}', '{"last": min(found.last, now)}'),
        ("while waiting and not problem and", "while waiting and"),
        ("elif waiting[0].tries + 1 < MOST_TRIES:", "elif True:"),
        ("if record.dagster_run.run_id not in memory.runs:", "if True:"),
        ("max(memory.first, memory.last - _OVERLAP_SECONDS)", "memory.last - _OVERLAP_SECONDS"),
        ("if notice is not None and candidate != memory.candidate:", "if notice is not None:"),
    ),
    *mutations(
        "alerts",
        "orchestration/alerts/notices.py",
        ALERTS,
        ("if found.promoted or found.rolled_back_at:", "if found.promoted:"),
    ),
    *mutations(
        "alerts",
        "orchestration/alerts/webhook.py",
        WEBHOOK,
        ("worker.join(seconds)", "worker.join()"),
        ('if host == known or host.endswith(f".{known}"):', "if known in host:"),
        ("urllib.request.build_opener(_NoRedirects)", "urllib.request.build_opener()"),
    ),
    *mutations(
        "dead runs",
        "orchestration/dead_runs.py",
        "orchestration/test_dead_runs.py",
        ("run.tags.get(ASKED_TAG) != run.run_id", "True"),
        ("updated_before=now - _WAIT", "updated_before=now"),
        ("if run.is_complete_and_waiting_to_retry", ""),
        ("if run.is_finished and _process_is_gone(run)", "if run.is_finished"),
        ("!= socket.gethostname()", "== ''"),
    ),
    *mutations(
        "ui",
        "orchestration/launching.py",
        "orchestration/test_launching.py",
        ('(found or {"user": job})', '{"user": job}'),
        ("return {STARTED_BY_TAG: started_by, ", "return {"),
        ('del vars(instance)["create_run_for_job"]', "pass"),
    ),
    *mutations(
        "ui",
        "orchestration/assets/figures.py",
        "orchestration/assets/test_figures.py",
        ("if facts.candidate == manifest.version else CURRENT", ""),
        ("if value is not None}", "}"),
        ("return [rounded(one) for one in value]", "return value"),
        ("if len(names) <= MOST_FILES:", "if names:"),
        ("<= longest", "<= LONGEST_TEXT"),
    ),
    *mutations(
        "ui",
        "interactions/features/meanings.py",
        "interactions/features/test_meanings.py",
        (
            "yield from _counts(key, schema.VALIDATION_PREFIX, validation)",
            "yield from _counts(key, schema.VALIDATION_PREFIX, training)",
        ),
    ),
    *mutations(
        "ui",
        "catalogue.py",
        "orchestration/test_graph.py",
        ("elif value != default:", "else:"),
        (
            "changed = _differences(relevant_settings(name, settings), default_settings(name))",
            "changed: dict[str, Any] = {}",
        ),
    ),
    *mutations(
        "trackers",
        "tracking/services.py",
        "tracking/test_tracked.py",
        ("if step > self._last.get(name, -1)", "if True", "model/network/test_training.py"),
        (" and attributes.status != 'FINISHED'", ""),
        ("mlflow.end_run(status)", "mlflow.end_run()"),
        ('if theirs not in {"", _own_uri}:', "if theirs:"),
        ("        AcceleratorState._reset_state(reset_partial_state=True)\n", "        pass\n"),
    ),
    *mutations(
        "trackers",
        "tracking/tracked.py",
        "tracking/test_tracked.py",
        ("                del self._services[name]\n", "                pass\n"),
        ("MOST_POINTS = 200", "MOST_POINTS = 2000"),
    ),
]
