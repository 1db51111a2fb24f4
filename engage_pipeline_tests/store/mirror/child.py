"""A process that publishes test_tweets, to be killed: `python -m …child <working_dir> <mirror> <content>`."""

import sys
from pathlib import Path

from engage_pipeline.store.mirror.following import follow_mirror, send_unsent
from engage_pipeline_tests.samples import bare_store, tiny_settings
from engage_pipeline_tests.store.mirror.machines import FILE, publish

if __name__ == "__main__":
    folder, mirror, content = sys.argv[1:]
    store = bare_store(tiny_settings(Path(folder), mirror=mirror))
    follow_mirror(store)
    send_unsent(store)
    publish(store, "test_tweets", {FILE: content.encode(), "other": b"its"})
