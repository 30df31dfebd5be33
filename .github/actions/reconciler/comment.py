"""Comments a report on the pull request of this job: brings the comment of the same stack and environment up to date,
or makes it.

A hidden first line says which stack and environment a comment is of. It is the stack's path, since a configuration
that cannot be read has no name; the environment is its files of variables.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reconciler.views.markdown.text import LIMIT, code, fitted


def main(report: Path) -> None:
    environment = os.environ.get("INPUT_VAR_FILES", "").split("\n")
    files = [file.strip() for file in environment if file.strip()]
    first = marker(os.environ.get("INPUT_PATH", "."), files)
    shown = f"\n{place(files)}\n" if files else ""
    body = f"{first}\n{fitted(report.read_text(encoding='utf-8'), LIMIT - len(first) - len(shown) - 1)}{shown}"
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    repository = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    comments = f"{repository}/issues/{event['pull_request']['number']}/comments"
    page: str | None = f"{comments}?per_page=100"
    while page:
        found, page = request("GET", page)
        for comment in found:
            if comment["user"]["type"] == "Bot" and comment["body"].split("\n", 1)[0].rstrip() == first:
                request("PATCH", f"{repository}/issues/comments/{comment['id']}", {"body": body})
                return
    request("POST", comments, {"body": body})


def marker(stack: str, files: list[str]) -> str:
    """A comment that Markdown does not show; percent signs stand for whatever could end it."""
    environment = ",".join(quote(os.path.normpath(file)) for file in files)
    return f"<!-- reconciler plan: stack={quote(os.path.normpath(stack))} environment={environment} -->"


def place(files: list[str]) -> str:
    return f"Variables: {', '.join(map(code, files))}"


def request(method: str, url: str, body: object = None) -> tuple[Any, str | None]:
    """The JSON of the answer, and the address of the next page."""
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:
        following = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("Link") or "")
        return json.load(answer), following[1] if following else None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
