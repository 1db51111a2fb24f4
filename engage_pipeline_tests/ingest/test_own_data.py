"""The worked example of docs/data.md, as it stands there, on a click log of a shop."""

import csv
import re
import runpy
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
import yaml
from tokenizers import Tokenizer

from engage_pipeline import schema
from engage_pipeline.ingest.parsing import parquet_rows
from engage_pipeline.language.encoders import save_encoder, starting_encoder
from engage_pipeline.settings.settings import load_settings
from engage_pipeline_tests import worlds
from engage_pipeline_tests.ingest.parsing.parquet_parts import write_tokenizer

PAGE = (worlds.REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
_, EXAMPLE = PAGE.partition("\n## Reading what was made\n")[0].split("\n## A click log as parts\n")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", EXAMPLE, re.MULTILINE | re.DOTALL)
    return str(found)


def write_clicks(path: Path, rows: int = 6000) -> None:
    """A log of eight days with the header of the page: some customers click on some categories."""
    header = block("csv").splitlines()[0].split(",")
    rng = np.random.default_rng(5)
    start = datetime(2026, 3, 1)
    with path.open("w", newline="", encoding="utf-8") as file:
        log = csv.writer(file)
        log.writerow(header)
        for second in np.sort(rng.integers(0, 8 * 86_400, rows)).tolist():
            customer, product = rng.integers(0, 200), rng.integers(0, 400)
            shown = start + timedelta(seconds=second)
            rate = 0.6 if (customer + product) % 3 == 0 else 0.2
            clicked, shared = (shown + timedelta(seconds=40) if rng.random() < one else "" for one in (rate, rate / 5))
            tags = ";".join(rng.choice(["running", "sale", "new"], rng.integers(0, 3), replace=False))
            since = start - timedelta(days=int(customer))
            category = ("shoes", "hats", "socks")[product % 3]
            log.writerow(
                [
                    shown,
                    f"p{product}",
                    "hello world!",
                    f"s{product % 40}",
                    f"c{customer}",
                    since,
                    category,
                    tags,
                    clicked,
                    shared,
                ]
            )


def test_every_column_stands_in_the_table_in_its_order() -> None:
    table = PAGE.partition("## The columns")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == schema.COLUMN_NAMES
    assert set(re.findall(r"^\| `(\w+)` \| [a-z ]+, required", table, re.MULTILINE)) == set(parquet_rows.REQUIRED)


@pytest.mark.long
def test_the_click_log_of_the_page_becomes_results(tmp_path: Path) -> None:
    write_clicks(tmp_path / "clicks.csv")
    subprocess.run([sys.executable, "-c", block("python")], cwd=tmp_path, check=True)
    assert sorted(path.name for path in (tmp_path / "parts/train").iterdir()) == [
        f"part-{day:05}.parquet" for day in range(6)
    ]
    model = write_tokenizer(tmp_path / "model")
    save_encoder(starting_encoder(load_settings(worlds.write_config(tmp_path))), model)
    config = worlds.write_config(
        tmp_path, **worlds.overlaid(yaml.safe_load(block("yaml")), {"encoder": {"model": str(model)}})
    )
    worlds.run(config)
    store = worlds.store_of(tmp_path / "config.yaml")
    validation = store.manifest("validation_tweets")
    assert validation is not None
    lines = (store.open("submission").path("results.csv")).read_text().splitlines()
    assert len(lines) == validation.rows > 1000
    asked_in_a_program(tmp_path, model, lines)


def asked_in_a_program(folder: Path, model: Path, lines: list[str]) -> None:
    """The mapping of the page runs in `folder`; one with all values of a row has the probabilities of its line."""
    program = next(code for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S) if "row = {" in code)
    (folder / "example.py").write_text(program, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = runpy.run_path("example.py")
        row = duckdb.sql(
            "SELECT * REPLACE (epoch(tweet_timestamp)::BIGINT AS tweet_timestamp, tweet_id::VARCHAR AS tweet_id, "
            "epoch(engaging_user_account_creation)::BIGINT AS engaging_user_account_creation) "
            "FROM 'parts/test/part-00000.parquet' LIMIT 1"
        ).to_arrow_table()
    assert found["many"].shape == (2, 4)
    assert set(found["row"]) == {*row.column_names, "text_tokens", "engaged_with_user_follower_count"} - {"text"}
    (values,) = row.to_pylist()
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    values["text_tokens"] = tokenizer.encode(values.pop("text")).ids
    tweet, viewer, *chances = lines[0].split(",")
    assert (values["tweet_id"], values["engaging_user_id"]) == (tweet, viewer)
    asked = dict(zip(schema.TARGETS, found["predictor"].predict(values), strict=True))
    assert [asked[name] for name in schema.SUBMISSION_ENGAGEMENTS] == pytest.approx(
        [float(one) for one in chances], rel=1e-4
    )
