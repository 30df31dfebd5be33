"""The origin of a run: who started it, where, in which pipeline, at which commit."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.core.text import sanitize

SHORT_COMMIT = 12
"""How many characters of a commit id are shown."""

_URL_USER = r"(?<=://)[^/@\s]*@"


class Origin(NamedTuple):
    """Who started a run; ``pipeline`` is a URL if the CI system provides one. None: started outside a pipeline."""

    user: str
    host: str
    pipeline: str | None = None
    commit: str | None = None

    @property
    def where(self) -> str:
        """The pipeline and the commit, to append to a name; empty outside a pipeline."""
        pipeline = f", pipeline {self.pipeline}" if self.pipeline else ""
        return f"{pipeline}, commit {self.commit[:SHORT_COMMIT]}" if self.commit else pipeline

    def __str__(self) -> str:
        """Who it is, as messages say it."""
        return f"{self.user} on {self.host}{self.where}"


_USERS = ("RECONCILER_USER", "GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")
_PIPELINES = ("RECONCILER_PIPELINE", "CI_PIPELINE_URL", "BUILD_URL", "CI_JOB_URL", "CI_PIPELINE_ID")
_COMMITS = ("RECONCILER_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")


def origin(environ: Mapping[str, str], user: str, host: str) -> Origin:
    """The origin of a run: an account of this machine, or the user that the CI system names.

    The variables are those of GitHub Actions, of GitLab CI (which Woodpecker shares) and of Jenkins;
    ``RECONCILER_USER``, ``RECONCILER_PIPELINE`` and ``RECONCILER_COMMIT`` override them.
    """
    return Origin(
        _first(environ, _USERS) or user,
        host,
        _first(environ, _PIPELINES[:1]) or _github_run(environ) or _first(environ, _PIPELINES[1:]),
        _first(environ, _COMMITS),
    )


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first of these variables that is set; credentials in a URL are removed."""
    return next((re.sub(_URL_USER, "", found) for name in names if (found := sanitize(environ.get(name, "")))), None)


def _github_run(environ: Mapping[str, str]) -> str | None:
    server, repository, run = (environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    if not (server and repository and run):
        return None
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
    return sanitize(f"{server}/{repository}/actions/runs/{run}{'' if attempt == '1' else f'/attempts/{attempt}'}")
