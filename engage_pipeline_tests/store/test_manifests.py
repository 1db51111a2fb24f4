"""The content of a manifest, changed bit by bit."""

from dataclasses import replace
from pathlib import Path

import pytest

from engage_pipeline.store.manifests import read_manifest
from engage_pipeline.store.publishing import MANIFEST
from engage_pipeline_tests.samples import bare_store, tiny_settings


def test_no_bit_changes_unseen(tmp_path: Path) -> None:
    """Nor one that leaves the values: 1e-05 as 1E-05, or another name for the checksum."""
    store = bare_store(tiny_settings(tmp_path))
    with store.publish("test_tweets") as draft:
        draft.path("rows").write_bytes(b"rows")
    folder = store.folder("test_tweets")
    manifest = read_manifest((folder / MANIFEST).read_bytes(), folder)
    content = replace(manifest, facts={"error": 1e-05}).to_json().encode()
    assert read_manifest(content, folder).facts == {"error": 1e-05}
    with pytest.raises(ValueError, match="changed since it was written"):
        read_manifest(content.replace(b"1e-05", b"1E-05"), folder)
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):
            read_manifest(bytes(changed), folder)


def test_the_same_bytes_are_parsed_once(tmp_path: Path) -> None:
    store = bare_store(tiny_settings(tmp_path))
    with store.publish("test_tweets"):
        pass
    folder = store.folder("test_tweets")
    content = (folder / MANIFEST).read_bytes()
    manifest = read_manifest(content, folder)
    assert read_manifest(bytes(bytearray(content)), folder) is manifest
    other = replace(manifest, rows=7).to_json().encode()
    assert read_manifest(other, folder).rows == 7
    with pytest.raises(ValueError, match="of another artifact"):
        read_manifest(content, folder.with_name("tweet_parts"))
