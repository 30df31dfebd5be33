from __future__ import annotations

import tomllib
from pathlib import Path

import _ruamel_yaml
from ruamel.yaml.events import StreamStartEvent

from reconciler.config.yaml.parser import events, tokens

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_the_private_parser_still_has_what_the_loader_uses() -> None:
    assert _ruamel_yaml.CParser is not None
    assert isinstance(events(b"a: 1")(), StreamStartEvent)
    scalars = [(token.start, token.end, token.style) for token in tokens(b"a: 'b'") if token.kind == "Scalar"]
    assert scalars == [(0, 1, ""), (3, 6, "'")]


def test_the_versions_of_the_private_parser_have_an_upper_bound() -> None:
    dependencies = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    bounded = [item for item in dependencies if item.startswith("ruamel")]
    assert len(bounded) == 2 and all("<" in item for item in bounded)
