"""Who started a run, as the environment tells."""

import pytest

from reconciler.core.origin import Origin, origin

GITHUB = {
    "GITHUB_ACTOR": "ada",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "shop/alarms",
    "GITHUB_RUN_ID": "77",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_SHA": "0123456789abcdef",
}
GITLAB = {
    "GITLAB_USER_LOGIN": "grace",
    "CI_PIPELINE_URL": "https://gitlab.example.com/shop/-/pipelines/9",
    "CI_PIPELINE_ID": "9",
    "CI_COMMIT_SHA": "fedcba",
}
JENKINS = {"BUILD_USER_ID": "eve", "BUILD_URL": "https://jenkins.example.com/job/shop/3/", "GIT_COMMIT": "abc"}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Origin("runner", "host-1")),
        (GITHUB, Origin("ada", "host-1", "https://github.com/shop/alarms/actions/runs/77", "0123456789abcdef")),
        (
            GITHUB | {"GITHUB_RUN_ATTEMPT": "2", "GITHUB_TRIGGERING_ACTOR": "alan"},
            Origin("alan", "host-1", "https://github.com/shop/alarms/actions/runs/77/attempts/2", "0123456789abcdef"),
        ),
        (GITLAB, Origin("grace", "host-1", "https://gitlab.example.com/shop/-/pipelines/9", "fedcba")),
        (JENKINS, Origin("eve", "host-1", "https://jenkins.example.com/job/shop/3/", "abc")),
        ({"CI_PIPELINE_ID": "9"}, Origin("runner", "host-1", "9")),
        (
            GITHUB | {"RECONCILER_USER": "on-call", "RECONCILER_PIPELINE": "night", "RECONCILER_COMMIT": "c0ffee"},
            Origin("on-call", "host-1", "night", "c0ffee"),
        ),
    ],
    ids=["none", "github", "github again", "gitlab", "jenkins", "number", "override"],
)
def test_the_ci_systems_variables_name_who_started_a_run(environ: dict[str, str], expected: Origin) -> None:
    assert origin(environ, "runner", "host-1") == expected


def test_credentials_in_a_pipelines_url_are_dropped() -> None:
    found = origin({"BUILD_URL": "https://bot:hunter2secret@ci.example.com/7"}, "ada", "host-1")
    assert found.pipeline == "https://ci.example.com/7"


def test_what_the_environment_says_is_one_bounded_line_of_text() -> None:
    found = origin({"GITHUB_ACTOR": "a\x1b[31m\nb" + "c" * 9_999}, "ada", "host-1")
    assert found.user.startswith("a [31m bc")
    assert len(found.user) == 500


def test_an_origin_reads_as_one_sentence_with_a_short_commit() -> None:
    assert str(Origin("ada", "host-1")) == "ada on host-1"
    assert str(Origin("ada", "host-1", "https://ci/7", "0123456789abcdef")) == (
        "ada on host-1, pipeline https://ci/7, commit 0123456789ab"
    )
