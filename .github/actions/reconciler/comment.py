"""Comments a report on the pull request of this job: the one comment that begins like it, or a new one."""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any


def main(report: Path) -> None:
    body = report.read_text(encoding="utf-8")
    title = body.split("\n", 1)[0]
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    repository = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    comments = f"{repository}/issues/{event['pull_request']['number']}/comments"
    page: str | None = f"{comments}?per_page=100"
    while page:
        found, page = request("GET", page)
        for comment in found:
            if comment["user"]["type"] == "Bot" and comment["body"].split("\n", 1)[0].rstrip() == title:
                request("PATCH", f"{repository}/issues/comments/{comment['id']}", {"body": body})
                return
    request("POST", comments, {"body": body})


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
