"""Sends a notice as JSON to the URL in ENGAGE_ALERT_WEBHOOK, in the shape that its receiver reads.

The URL is a secret: whoever has it can write to the channel. No message of this module holds it. What does not belong
here: when a notice is sent (sensor), and what it says (notices).
"""

import json
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from engage_pipeline.errors import UserError
from engage_pipeline.orchestration.alerts.notices import Notice

VARIABLE, SHAPE_VARIABLE = "ENGAGE_ALERT_WEBHOOK", "ENGAGE_ALERT_SHAPE"
SECONDS = 5.0
"""At most this long takes one attempt, whatever the receiver does."""
_SHAPES_BY_HOST = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
    "ntfy.sh": "ntfy",
}


@dataclass(frozen=True)
class Webhook:
    """A receiver: its URL, and the shape that it reads (a key of SHAPES)."""

    url: str
    shape: str

    def __repr__(self) -> str:
        """Names the host only."""
        return f"Webhook({urllib.parse.urlsplit(self.url).hostname}, {self.shape})"

    def send(self, notice: Notice, seconds: float = SECONDS) -> str:
        """Posts the notice once; returns why it was not taken, or an empty text if the answer is 2xx."""
        url, body = SHAPES[self.shape](self.url, notice)
        outcome = [f"no answer within {seconds:g} s"]
        # A receiver that sends a byte now and then keeps every single read within its limit: the thread ends with us.
        worker = threading.Thread(target=lambda: outcome.__setitem__(0, _post(url, body, seconds)), daemon=True)
        worker.start()
        worker.join(seconds)
        return outcome[0]


def configured() -> Webhook | None:
    """Returns the receiver that the environment names; None if it names none.

    Raises UserError: not an http or https URL, an unknown shape.
    """
    url = os.environ.get(VARIABLE, "").strip()
    if not url:
        return None
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:  # brackets that hold no address
        parts = urllib.parse.urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(f"{VARIABLE}: not an http:// or https:// URL")
    shape = os.environ.get(SHAPE_VARIABLE, "").strip() or _shape_of(parts.hostname)
    if shape not in SHAPES:
        raise UserError(f"{SHAPE_VARIABLE}: {shape} is not one of {', '.join(SHAPES)}")
    return Webhook(url, shape)


def _shape_of(host: str) -> str:
    for known, shape in _SHAPES_BY_HOST.items():
        if host == known or host.endswith(f".{known}"):
            return shape
    return "ntfy" if host.startswith("ntfy.") else "json"


def _json(url: str, notice: Notice) -> tuple[str, Any]:
    return url, {"event": notice.event, "title": notice.title, "text": notice.text, **notice.facts}


def _slack(url: str, notice: Notice) -> tuple[str, Any]:
    return url, {"text": f"*{notice.title}*\n{notice.text}"}


def _teams(url: str, notice: Notice) -> tuple[str, Any]:
    title = {"type": "TextBlock", "text": notice.title, "weight": "Bolder", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, {"type": "TextBlock", "text": notice.text, "wrap": True}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return url, {"type": "message", "attachments": [attachment]}


def _ntfy(url: str, notice: Notice) -> tuple[str, Any]:
    """The topic is the last piece of the URL's path; JSON goes to what is before it."""
    parts = urllib.parse.urlsplit(url)
    before, _, topic = parts.path.rstrip("/").rpartition("/")
    top = urllib.parse.urlunsplit((parts.scheme, parts.netloc, f"{before}/", parts.query, ""))
    return top, {"topic": topic, "title": notice.title, "message": notice.text, "tags": ["warning"], "priority": 4}


SHAPES: Mapping[str, Callable[[str, Notice], tuple[str, Any]]] = {
    "json": _json,
    "slack": _slack,
    "teams": _teams,
    "ntfy": _ntfy,
}
"""Where a notice is posted to, and the JSON, by the name of the shape."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET, which nobody reads."""

    def redirect_request(self, *_: Any) -> None:
        """Refuses."""


def _post(url: str, body: Any, seconds: float) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": "engage_pipeline"}
    try:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - `configured` checks it
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=seconds):
            return ""
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", "") or type(error).__name__)
