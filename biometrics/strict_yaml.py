"""YAML that is read safely, and in which no key may stand twice."""

from __future__ import annotations

from typing import Any

import yaml


class YamlError(ValueError):
    """The text is not valid YAML; the message says where and why, in one line."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice instead of quietly taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for i, key in enumerate(keys):
            if key in keys[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key}' is given twice", node.value[i][0].start_mark
                )
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str, origin: str) -> Any:
    """Parse YAML.

    Raises:
        YamlError: naming the origin and the line of the problem.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise YamlError(f"{origin}{line}: not valid YAML: {problem}") from error
