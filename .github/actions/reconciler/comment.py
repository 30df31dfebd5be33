"""Comments a report on the pull request of this job: brings the comment of the same stack and environment up to date,
or makes it.

A hidden first line says which stack and environment a comment is of. It is the stack's path, since a configuration
that cannot be read has no name; the environment is what the input of that name says, or else the files of variables
and the variables that the command is given.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reconciler.views.markdown.text import LIMIT, code, fitted


def main(report: Path) -> None:
    arguments = os.environ.get("INPUT_ARGS", "").split("\n")
    files = [file.strip() for file in os.environ.get("INPUT_VAR_FILES", "").split("\n") if file.strip()]
    files += values_of("--var-file", arguments)
    given = os.environ.get("INPUT_ENVIRONMENT", "").strip()
    first = marker(os.environ.get("INPUT_PATH", "."), given or environment(files, values_of("--var", arguments)))
    shown = f"\n{place(given, files)}\n" if given or files else ""
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


def values_of(option: str, arguments: list[str]) -> list[str]:
    """What an option is given, once or more, in arguments that stand one a line."""
    words = [argument for argument in arguments if argument]
    following = [value for name, value in pairwise(words) if name == option]
    return following + [word.removeprefix(f"{option}=") for word in words if word.startswith(f"{option}=")]


def environment(files: list[str], variables: list[str]) -> str:
    """What tells environments apart: files of variables, and a digest of variables, which may be secret.

    A variable that holds the commit is left out: a comment outlives commits.
    """
    names = [os.path.normpath(file) for file in files]
    commit = os.environ.get("GITHUB_SHA") or "\0"
    lasting = sorted(text for text in variables if commit not in text and head_commit() not in text)
    if lasting:
        salt = os.environ["GITHUB_REPOSITORY"].encode()
        names.append(hashlib.scrypt("\n".join(lasting).encode(), salt=salt, n=2**14, r=8, p=1, dklen=8).hex())
    return ",".join(names)


def head_commit() -> str:
    """The commit that a pull request proposes: GITHUB_SHA is that of its merge."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    return str(event["pull_request"].get("head", {}).get("sha") or "\0")


def marker(stack: str, environment: str) -> str:
    """A comment that Markdown does not show; percent signs stand for whatever could end it."""
    return f"<!-- reconciler plan: stack={quote(os.path.normpath(stack))} environment={quote(environment, '/,')} -->"


def place(environment: str, files: list[str]) -> str:
    return f"Environment: {code(environment)}" if environment else f"Variables: {', '.join(map(code, files))}"


def request(method: str, url: str, body: object = None) -> tuple[Any, str | None]:
    """The JSON of the answer, and the address of the next page."""
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as answer:  # noqa: S310 - the address is the runner's
        following = re.search(r'<([^>]+)>; rel="next"', answer.headers.get("Link") or "")
        return json.load(answer), following[1] if following else None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
