"""The JSON schema of a settings file, for editors: `engage settings --schema > docs/config.schema.json`."""

import json
from typing import Any

from engage_pipeline.settings.settings import Settings


def settings_schema() -> str:
    """Returns the schema as JSON text. Defaults are those of the preset `default`; paths are relative to the file."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Settings of engage_pipeline"
    return json.dumps(_plain(schema), indent=2, ensure_ascii=False)


def _plain(node: Any) -> Any:
    """Returns the schema without what validators do not know, such as the format `path`."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items() if (key, value) != ("format", "path")}
    return [_plain(one) for one in node] if isinstance(node, list) else node
