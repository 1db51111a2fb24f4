"""Notices in the shapes of their receivers, sent to a real server that answers well, badly or never."""

import time

import pytest

from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.alerts.notices import Notice
from engage_pipeline.orchestration.alerts.webhook import SHAPE_VARIABLE, SHAPES, VARIABLE, Webhook, configured
from engage_pipeline_tests.orchestration.alerts.receiver import receiver
from engage_pipeline_tests.servers import free_port

NOTICE = Notice(event="run_failed", title="A title", text="Some text.", facts={"run_id": "r1", "failed": ["trees"]})


def shape_of(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, url)
    webhook = configured()
    assert webhook is not None
    return webhook.shape


def test_each_receiver_gets_its_shape() -> None:
    bodies = {}
    with receiver() as found:
        for shape in SHAPES:
            assert Webhook(found.url, shape).send(NOTICE) == ""
            path, kind, bodies[shape] = found.got[-1]
            assert kind == "application/json"
            assert path == ("/hooks/" if shape == "ntfy" else "/hooks/engage")
    assert bodies["json"] == {
        "event": "run_failed", "title": "A title", "text": "Some text.", "run_id": "r1", "failed": ["trees"]
    }  # fmt: skip
    assert bodies["slack"] == {"text": "*A title*\nSome text."}
    card = bodies["teams"]["attachments"][0]
    assert (bodies["teams"]["type"], card["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert [block["text"] for block in card["content"]["body"]] == ["A title", "Some text."]
    ntfy = {"topic": "engage", "title": "A title", "message": "Some text.", "tags": ["warning"], "priority": 4}
    assert bodies["ntfy"] == ntfy


def test_the_host_tells_the_shape_and_a_variable_overrules_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shape_of("https://hooks.slack.com/services/T/B/x", monkeypatch) == "slack"
    assert shape_of("https://prod-1.westeurope.logic.azure.com:443/workflows/x?sig=y", monkeypatch) == "teams"
    assert shape_of("https://example.webhook.office.com/webhookb2/x", monkeypatch) == "teams"
    assert (
        shape_of("https://ntfy.sh/topic", monkeypatch) == shape_of("https://ntfy.example.org/t", monkeypatch) == "ntfy"
    )
    assert shape_of("https://example.org/hooks.slack.com", monkeypatch) == "json"
    assert shape_of("https://nothooks.slack.com.example.org/x", monkeypatch) == "json"
    monkeypatch.setenv(SHAPE_VARIABLE, "slack")
    assert shape_of("https://example.org/x", monkeypatch) == "slack"


def test_what_is_no_url_or_no_shape_is_told_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert configured() is None
    for url in ("file:///etc/secret", "hooks.slack.com/secret", "https:///secret", "https://[secret/x"):
        monkeypatch.setenv(VARIABLE, url)
        with pytest.raises(UserError, match=r"^ENGAGE_ALERT_WEBHOOK: not an http:// or https:// URL$"):
            configured()
    monkeypatch.setenv(VARIABLE, "https://example.org/secret")
    monkeypatch.setenv(SHAPE_VARIABLE, "fax")
    with pytest.raises(UserError, match=r"^ENGAGE_ALERT_SHAPE: fax is not one of json, slack, teams, ntfy$"):
        configured()
    assert "secret" not in repr(Webhook("https://example.org/secret", "json"))


@pytest.mark.parametrize(
    ("answer", "problem"), [(500, "it answered 500"), (404, "it answered 404"), (302, "it answered 302")]
)
def test_a_refusal_is_a_problem(answer: int, problem: str) -> None:
    with receiver(answer) as found:
        assert Webhook(found.url, "json").send(NOTICE) == problem
        assert len(found.got) == 1


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_a_receiver_that_does_not_answer_is_left_in_time(answer: str) -> None:
    with receiver(answer) as found:
        started = time.monotonic()
        assert Webhook(found.url, "json").send(NOTICE, seconds=0.5) == "no answer within 0.5 s"
        assert time.monotonic() - started < 3


def test_nobody_there_is_a_problem_without_the_secret() -> None:
    problem = Webhook(f"http://127.0.0.1:{free_port()}/secret", "json").send(NOTICE)
    assert "refused" in problem
    assert "secret" not in problem
