"""The JSON Schema of results.json, as it is published in ``docs/results.schema.json``.

python -m reports.json_schema > docs/results.schema.json
"""

from __future__ import annotations

import json
from typing import Any

from reports.results import SCHEMA_VERSION, Results

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def results_schema() -> dict[str, Any]:
    """The schema, draft 2020-12. Fields with a default may be absent; unknown keys are refused.

    Relations between fields (low above high, more failures than attempts) are checked when results
    are loaded, and cannot be said here.
    """
    schema = Results.model_json_schema()
    about = {
        "$schema": DIALECT,
        "title": f"results.json of faceleak, schema_version {SCHEMA_VERSION}",
    }
    return {**about, **{key: value for key, value in schema.items() if key != "title"}}


def schema_text() -> str:
    """The text of the published file."""
    return json.dumps(results_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
