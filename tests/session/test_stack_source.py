"""The files of a stack: which ones of a directory are part of it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reconciler.config.load import select_stack_files
from reconciler.config.yaml.source_map import Source
from reconciler.session.stack_source import read_sources

STACK = "stack: demo\nproviders: {}\n"
OTHERS = {
    "compose.yaml": "services:\n  web: {image: nginx}\nvolumes: {}\n",
    "configmap.yaml": "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n",
    "several.yml": "---\na: 1\n---\nb: !Ref x\n",
    "list.yaml": "# hosts\n- a\n- b\n",
    "rules.yml": "groups:\n- name: x\n  rules: []\n",
    "empty.yaml": "# nothing\n",
    "pre-commit.yaml": "repos:\n- repo: local\n",
}


def _selected(**files: str) -> list[str]:
    return [source.name for source in select_stack_files([Source(name, text.encode()) for name, text in files.items()])]


def test_a_directory_may_hold_other_yaml(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, text in {**OTHERS, "main.yml": STACK, "more.yaml": "resources: {}\n", ".hidden.yml": STACK}.items():
        (tmp_path / name).write_text(text)
    with caplog.at_level(logging.DEBUG):
        sources, root = read_sources(tmp_path)
    assert [Path(source.name).name for source in sources] == ["main.yml", "more.yaml"]
    assert root == tmp_path
    for name in OTHERS:
        assert f"{name} is not part of the stack" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "resorces:\n  siren: {}\n",
        "  stack: b\n",
        "{resources: {}}\n",
        "'resources':\n  a: {}\n",
        "guards :\n  a: 1\n",
        "x y z",
    ],
)
def test_a_file_that_may_be_meant_is_left_to_the_loader(text: str) -> None:
    assert _selected(**{"a.yaml": STACK, "b.yaml": text}) == ["a.yaml", "b.yaml"]


def test_without_a_stack_every_file_is_kept() -> None:
    assert _selected(**OTHERS) == list(OTHERS)
