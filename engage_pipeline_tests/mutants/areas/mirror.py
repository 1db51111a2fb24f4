"""Mutations of the store's mirror: commits, flags, files that are sent and fetched, what a machine takes over."""

from engage_pipeline_tests.mutants.mutation import mutations

TWO = "store/mirror/test_mirror.py"
FAULTS = "store/mirror/test_faults.py"
COMMITS = "store/mirror/test_commits.py"
STATES = "store/mirror/test_states.py"
LOST = "store/mirror/test_lost_commits.py"
UNNAMED = "store/mirror/test_unnamed_versions.py"
LOCKS = "store/mirror/test_locks.py"
REFUSED = f"{FAULTS}::test_a_store_that_refuses_at_any_request_leaves_the_version_before_or_the_new_one"
KILLED = f"{FAULTS}::test_a_killed_process_leaves_the_version_before_or_the_new_one"

MUTATIONS = [
    *mutations(
        "mirror",
        "store/mirror/commits.py",
        COMMITS,
        (
            "return max((name for name in names if _COMMIT.fullmatch(name))",
            "return min((name for name in names if _COMMIT.fullmatch(name))",
        ),
        ("return max((name for name in names if _COMMIT.fullmatch(name))", "return max((name for name in names)"),
        ("if one.key.endswith(_FLAG) and one.key != own", "if one.key.endswith(_FLAG) and False"),
        ("if one.key.endswith(_FLAG) and one.key != own", "if one.key.endswith(_FLAG)"),
        ("            alone = False\n", "            alone = True\n"),
        ("    if left is not None:\n        remove_object(folder / left)\n", ""),
        ("    remove_object(folder / name)\n    note(None)\n", "    note(None)\n"),
        ("        if _is_dead(one, raised):", "        if True:"),
        ("        if _is_dead(one, raised):", "        if False:"),
        ("[:-2]", "[:-1]", TWO),
        ("[:-2]", "[:-3]", TWO),
        ("+ 1 if base else 1", "if base else 1", TWO),
    ),
    *mutations(
        "mirror",
        "store/mirror/files.py",
        TWO,
        ("            if digest.hexdigest() != expected.sha256:", "            if False:"),
        ("            if size != expected.bytes:", "            if False:", f"{TWO} {STATES}"),
        (
            "            if there.get(key) == mark.bytes:\n                continue\n",
            "",
            f"{FAULTS}::test_what_was_sent_is_not_sent_again",
        ),
        ("            if there.get(key) == mark.bytes:\n", "            if key in there or True:\n"),
        ("there.get(key) != mark.bytes and atomic", "there.get(key) == mark.bytes and atomic"),
        ("list_names(mirrored).difference(kept)", "set().difference(kept)"),
        ("list_names(mirrored).difference(kept)", "list_names(mirrored).intersection(kept)"),
    ),
    *mutations(
        "mirror",
        "store/mirror/mirror.py",
        f"{TWO} {STATES}",
        ("            if seen.head not in {None, record.commit}:", "            if False:", f"{TWO} {COMMITS}"),
        ("if seen.alone and work(seen):", "if work(seen):", COMMITS),
        ("            if files.lacks(self.versions, state.versions):", "            if True:"),
        ("            if files.lacks(self.versions, state.versions):", "            if False:", UNNAMED),
        ("        if own.version != theirs.state.version:\n            raise", "        if False:\n            raise"),
        ("        if own.version != theirs.state.version:\n            raise", "        if True:\n            raise"),
        ("        files.remove_others(self.versions, theirs.state.folders)\n", "", UNNAMED),
        (
            "            if seen.head == record.commit:\n                files",
            "            if True:\n                files",
            UNNAMED,
        ),
        ("own.folders if own else ())", "())", UNNAMED),
        ("(own is None or own.digest != record.state):", "False:", UNNAMED),
        ("        if older and own is not None and not state.is_younger(own):", "        if False:", LOST),
        ("own is not None and not state.is_younger(own):", "own is not None:", LOST),
        ("expected = not older and (", "expected = (", LOST),
        ("commits.put_commit(self.log, record.last,", "commits.put_commit(self.log, record.commit,", LOST),
        ("commit=head, state=None, lost=record.last)", "commit=head, lost=record.last)", LOST),
        ("            read = None  # this", "            pass  # this", LOST),
        ("        read = None if head is None else self._read(head)\n", "        read = None\n", LOCKS),
        ("and record.pruned and record.commit == head)", "and record.commit == head)", REFUSED),
        ("and record.pruned and record.commit == head)", "and record.pruned)"),
        ("own.digest == record.state and record.pruned and", "record.pruned and"),
        ("        files.remove_others(self.versions, state.folders)\n", ""),
        ("        commits.remove_old(self.log, names)\n", ""),
        (
            "            state = NOTHING\n        if state is None",
            "            state = None\n        if state is None",
            STATES,
        ),
        (" or state_of(self.folder) is not None)\n", " or True)\n"),
        ("            write_record(self.folder, replace(self.record(), flag=name))", "            pass", KILLED),
    ),
    *mutations(
        "mirror",
        "store/mirror/state.py",
        STATES,
        ("values.pop(_CHECKSUM, None) != digest(values)", "values.pop(_CHECKSUM, None) is None"),
        ("asdict(replace(one, verdict=None))", "asdict(one)"),
        ("    if not set(state.folders) <= {", "    if False and not set(state.folders) <= {"),
        ("manifest.version, here=False", "manifest.version, here=True"),
        ("        write_manifest(folder, state.manifest)\n    for", "        pass\n    for", f"{TWO} {STATES}"),
        ("    kept_versions.replace_entries(folder, state.kept)\n", ""),
        ("            shutil.rmtree(path)\n\n\ndef _is", "            pass\n\n\ndef _is"),
        (
            "        current_link.point_to(folder, None)\n        (folder / MANIFEST).unlink(missing_ok=True)\n",
            "        pass\n",
        ),
        ("atomic.share(other / name, target / name)", "pass", TWO),
        ("self.manifest.created > than.manifest.created", "self.manifest.created < than.manifest.created", LOST),
    ),
    *mutations(
        "mirror",
        "store/mirror/following.py",
        f"{TWO} {STATES}",
        ("    if not heads and not mirror.bucket.is_dir():", "    if False:"),
        ("                copy.send_lost(there[copy.place])", "                pass"),
        ("    follow_ledgers(store, ledger_names(listed))\n", ""),
        ("if not there[copy.place] <= {*(own.folders if own else ())}:", "if False:", UNNAMED),
        ("                problems.append(str(error))", "                pass", UNNAMED),
    ),
    *mutations(
        "mirror",
        "locations/objects.py",
        UNNAMED,
        ("        elif found.type == FileType.Directory:", "        elif False:"),
    ),
    *mutations(
        "mirror",
        "locations/object_stores.py",
        UNNAMED,
        ('    if system.type_name != "gcs":\n        system.delete_dir', "    if True:\n        system.delete_dir"),
        ('    if system.type_name != "gcs":\n        system.delete_dir', "    if False:\n        system.delete_dir"),
    ),
    *mutations(
        "mirror",
        "store/store.py",
        LOCKS,
        ("seconds=LOOK_SECONDS", "seconds=0.0"),
    ),
    *mutations(
        "mirror",
        "store/store.py",
        f"{TWO} {STATES} {COMMITS}",
        ("                copy.follow()\n            yield", "                pass\n            yield"),
        ("                copy.send()\n", "                pass\n"),
    ),
    *mutations(
        "mirror",
        "store/versions.py",
        TWO,
        (
            "        if problem and self.mirror is not None and name",
            "        if False and self.mirror is not None and name",
        ),
    ),
    *mutations(
        "mirror",
        "store/readable.py",
        TWO,
        ("if copy is not None and (fetched := copy.repaired()) is not None:", "if False and (fetched := None):"),
    ),
    *mutations(
        "mirror",
        "store/measured.py",
        "store/mirror/test_tasks.py",
        ("if (copy := store.mirrored(name, key)) is not None:", "if (copy := None) is not None:"),
    ),
    *mutations(
        "mirror",
        "store/current_link.py",
        TWO,
        ("if sound and whole else None", "if sound else None"),
    ),
    *mutations(
        "mirror",
        "store/deletion_ledger.py",
        STATES,
        ("            put_ledger(mirror, _content(ledger), others.keys())\n", "            pass\n"),
        ("            _merge(ledger, others, mirror)\n        yield", "            pass\n        yield"),
    ),
    *mutations(
        "mirror",
        "store/rewriting.py",
        STATES,
        ("    kept_versions.forget_all(folder, manifest)\n", ""),
    ),
]
