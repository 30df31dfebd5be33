"""Inputs that went wrong in tools of this kind, and others like them: three and more of each kind, over real HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from reconciler.receive.smn.endpoint import allowed_hosts
from tests.cli.process import read_until
from tests.cli.run_cli import reconciler

ALARM = "event_severity: Info, resource_provider: ecs, resource_type: vm"
TOKEN = "token-of-neighbours"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(Settings()) as url:
        yield url


def write(directory: Path, url: str, resources: str, more: str = "", settings: str = "") -> Path:
    project = directory.name[-40:].strip("_-")
    (directory / "stack.yaml").write_text(
        "stack: neighbours\n"
        f'providers: {{aom: {{endpoint: "{url}", project_id: {project}, auth: {{token: {TOKEN}}}{settings}}}}}\n'
        f"{more}resources:\n  aom_alarm:\n{resources}",
        encoding="utf-8",
    )
    return directory


def planned(stack: Path, *options: str | Path) -> list[dict[str, object]]:
    done = reconciler("plan", stack, "--format", "json", *options)
    assert done.code == 0, done
    return [change["after"] for change in json.loads(done.out)["changes"]]


@pytest.mark.parametrize(
    "number",
    [
        "1.10",
        "0012",
        "72225e2",
        "0x1F",
        "1e3",
        "0o17",
        "1_000",
        ".5",
        "1.0",
        "-0",
        "+5",
        "2026-05-01",
        "12:30:45",
        "yes",
    ],
)
@pytest.mark.parametrize("given", ["file", "default", "local", "option", "list"])
def test_a_number_that_becomes_text_keeps_the_way_it_was_written(
    tmp_path: Path, url: str, number: str, given: str
) -> None:
    values = tmp_path / "values.yml"
    values.write_text(f"release: {number}\n")
    more = {
        "default": f"variables: {{release: {{default: {number}}}}}\n",
        "local": f"variables: {{}}\nlocals: {{release: {number}}}\n",
        "list": f"variables: {{}}\nlocals: {{release: [{number}]}}\n",
    }.get(given, "variables: {release: {}}\n")
    name = {"local": "local.release", "list": "local.release | join('')"}.get(given, "var.release")
    stack = write(tmp_path, url, f'    a: {{{ALARM}, resource_id: "v${{{name}}}"}}\n', more)
    options = {"file": ("--var-file", values), "option": ("--var", f"release={number}")}.get(given, ())
    [alarm] = planned(stack, *options)
    assert alarm["identity"]["resource_id"] == f"v{number}"  # type: ignore[index]


@pytest.mark.parametrize("number", ["0012", "08080", "1.10", "72225e2", "0x1F", "1e3", "0o17", "007"])
@pytest.mark.parametrize("field", ["resource_id", "metadata: {port", "metadata: {version"])
def test_a_hint_quotes_a_number_as_it_is_written(tmp_path: Path, url: str, number: str, field: str) -> None:
    end = "}" if "{" in field else ""
    rest = "" if field == "resource_id" else ", resource_id: x"
    stack = write(tmp_path, url, f"    a: {{{ALARM}{rest}, {field}: {number}{end}}}\n")
    done = reconciler("validate", stack)
    assert done.code == 1
    assert f'quote it if text is meant: "{number}"' in done.err


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (
            "{at: 22:22, links: [http://a.example/x], q: what?}",
            {"at": "22:22", "links": ["http://a.example/x"], "q": "what?"},
        ),
        ("[a:b, urn:smn:cn-north-4:p:t, 12:30:45]", ["a:b", "urn:smn:cn-north-4:p:t", "12:30:45"]),
        ("{u: http://a.b/x?y=1&z#f, v: {w: k:v}}", {"u": "http://a.b/x?y=1&z#f", "v": {"w": "k:v"}}),
        ("{r: why?!, t: a?b, w: a#b, x: -y}", {"r": "why?!", "t": "a?b", "w": "a#b", "x": "-y"}),
        ("[::1, fe80::1, '::']", ["::1", "fe80::1", "::"]),
    ],
)
def test_a_colon_or_question_mark_inside_a_flow_collection_is_text(
    tmp_path: Path, url: str, written: str, value: object
) -> None:
    field = 'resource_id: "${local.v | tojson}"'
    stack = write(tmp_path, url, f"    a: {{{ALARM}, {field}}}\n", f"locals:\n  v: {written}\n")
    [alarm] = planned(stack)
    assert json.loads(alarm["identity"]["resource_id"]) == value  # type: ignore[index]


@pytest.mark.parametrize("text", ["deploy \U0001f600 done", "\U0001f680", "é漢\U00010348x"])
@pytest.mark.parametrize("given", ["json", "yaml", "stack"])
def test_a_pair_of_escapes_is_one_character(tmp_path: Path, url: str, text: str, given: str) -> None:
    values = tmp_path / ("values.json" if given == "json" else "values.yml")
    values.write_text(json.dumps({"note": text}))
    default = json.dumps(text) if given == "stack" else '""'
    more = f"variables: {{note: {{default: {default}}}}}\n"
    stack = write(tmp_path, url, f'    a: {{{ALARM}, resource_id: "${{var.note}}"}}\n', more)
    values = values.rename(tmp_path.parent / f"{tmp_path.name}-{values.name}")
    [alarm] = planned(stack, *(() if given == "stack" else ("--var-file", values)))
    assert alarm["identity"]["resource_id"] == text  # type: ignore[index]


@pytest.mark.parametrize("region", ["eu-west-101", "eu-west-102", "eu-west-199"])
@pytest.mark.parametrize("service", ["aom", "ces", "iam"])
def test_services_of_european_regions_are_looked_for_in_their_domain(tmp_path: Path, region: str, service: str) -> None:
    auth = "iam: {user: u, password: a-long-password, domain: d, project: p}" if service == "iam" else f"token: {TOKEN}"
    provider = "aom" if service == "iam" else service
    alarm = f"aom_alarm: {{a: {{{ALARM}, resource_id: x}}}}"
    event = "ces_event: {a: {occurrence: o, event_source: shop.deploy, content: c}}"
    (tmp_path / "stack.yaml").write_text(
        f"stack: eu\nproviders: {{{provider}: {{region: {region}, project_id: p, auth: {{{auth}}}}}}}\n"
        f"resources: {{{event if service == 'ces' else alarm}}}\n"
    )
    done = reconciler("plan", tmp_path)
    assert done.code == 1
    assert f"{service}.{region}.myhuaweicloud.eu" in done.err


def test_messages_of_topics_in_european_regions_are_verified_in_their_domain() -> None:
    topics = [f"urn:smn:{region}:project:topic" for region in ("eu-west-101", "cn-north-4", "af-south-1")]
    domains = {"eu-west-101.myhuaweicloud.eu", "cn-north-4.myhuaweicloud.com", "af-south-1.myhuaweicloud.com"}
    assert allowed_hosts(topics, ()) == {f"smn.{domain}:443" for domain in domains}


@pytest.mark.parametrize("secret", ["t", "abc", "the", "alarm"])
def test_a_short_secret_eats_no_word_and_is_told_at_its_place(tmp_path: Path, url: str, secret: str) -> None:
    more = f"variables: {{pin: {{default: {secret}, sensitive: true}}}}\n"
    stack = write(tmp_path, url, f"    a: {{{ALARM}, resource_id: the-alarm-about-it}}\n", more)
    done = reconciler("plan", stack)
    assert "***" not in done.out
    assert "the-alarm-about-it" in done.out
    assert "variable pin is sensitive and shorter than 6 characters: its value is not masked" in done.err
    assert "stack.yaml:3:13" in done.err


@pytest.mark.parametrize("secret", ["t", "abc", "there"])
def test_a_short_credential_for_a_service_is_told_at_its_place(tmp_path: Path, secret: str) -> None:
    stack = write(tmp_path, "https://aom.invalid", f"    a: {{{ALARM}, resource_id: x}}\n")
    file = stack / "stack.yaml"
    file.write_text(file.read_text().replace(TOKEN, secret))
    done = reconciler("plan", stack)
    assert "***" not in done.err
    assert "there is no host aom.invalid" in done.err
    assert "providers.aom.auth.token: shorter than 6 characters" in done.err


@pytest.mark.parametrize(
    ("target", "brought"),
    [
        ("aom_alarm.top", ["base", "middle", "top"]),
        ("aom_alarm.middle", ["base", "middle"]),
        ('aom_alarm.each["x"]', ["base", "each", "middle"]),
        ("aom_alarm.base", ["base"]),
    ],
)
@pytest.mark.parametrize("format", ["text", "markdown", "json"])
def test_a_target_brings_all_that_it_depends_on(
    tmp_path: Path, url: str, target: str, brought: list[str], format: str
) -> None:
    chain = f"    base: {{{ALARM}, resource_id: b}}\n"
    chain += f"    middle: {{{ALARM}, resource_id: m, depends_on: [aom_alarm.base]}}\n"
    chain += f"    top: {{{ALARM}, resource_id: t, depends_on: [aom_alarm.middle]}}\n"
    chain += f'    each: {{{ALARM}, for_each: [x, y], resource_id: "${{each.key}}", depends_on: [aom_alarm.middle]}}\n'
    stack = write(tmp_path, url, chain)
    changes = json.loads(reconciler("plan", stack, "--target", target, "--format", "json").out)["changes"]
    assert sorted({change["address"].split(".")[1].split("[")[0] for change in changes}) == brought
    done = reconciler("plan", stack, "--target", target, "--format", format)
    assert ("--target includes" in done.out.replace("\\", "")) == (len(brought) > 1)


COMMANDS = ("::set-output name=x::y", "::stop-commands::z", "##[add-mask]x", "##vso[task.setvariable]x", "::error::e")


@pytest.mark.parametrize(
    "command", [("plan",), ("apply", "--auto-approve"), ("status",), ("destroy", "--auto-approve")]
)
@pytest.mark.parametrize("format", ["text", "markdown"])
@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "TF_BUILD"])
def test_no_command_writes_what_a_runner_would_carry_out(
    tmp_path: Path, url: str, command: tuple[str, ...], format: str, variable: str
) -> None:
    message = json.dumps("\n".join(("notes:", *COMMANDS)))
    stack = write(tmp_path, url, f"    a: {{{ALARM}, resource_id: x, annotations: {{message: {message}}}}}\n")
    if command[0] in ("status", "destroy"):
        assert reconciler("apply", stack, "--auto-approve", "--no-verify").code == 0
    done = reconciler(*command, stack, "--format", format, env={variable: "true", "CI": "true"})
    assert done.code == 0
    for line in done.out.splitlines():
        assert not line.lstrip().startswith(COMMANDS)


@pytest.mark.parametrize(
    ("fired", "told"),
    [
        ((), "No drift. 3 declared alarms do not fire yet."),
        (("x",), "No drift. 2 declared alarms do not fire yet."),
        (("x", "y"), "No drift. 1 declared alarm does not fire yet."),
        (("x", "y", "z"), "No drift. 3 alarms are as declared."),
    ],
)
def test_refresh_only_says_what_it_knows(tmp_path: Path, url: str, fired: tuple[str, ...], told: str) -> None:
    alarms = f'    a: {{for_each: [x, y, z], {ALARM}, resource_id: "${{each.key}}"}}\n'
    stack = write(tmp_path, url, alarms)
    targets = [word for key in fired for word in ("--target", f'aom_alarm.a["{key}"]')]
    assert not fired or reconciler("apply", stack, "--auto-approve", "--no-verify", *targets).code == 0
    done = reconciler("plan", stack, "--refresh-only", "--detailed-exitcode")
    assert (done.code, told in done.out) == (0, True), done.out


@pytest.fixture
def counting() -> Iterator[tuple[str, list[int]]]:
    """A service without alarms, and how many requests it had at once at the most."""
    now, most = [0], [0]
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            self.rfile.read(int(self.headers["Content-Length"]))
            threading.Event().wait(0.02)
            body = b'{"events": [], "page_info": {"current_count": 0}}'
            with lock:
                now[0] -= 1
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", most
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("parallelism", [1, 2, 3])
@pytest.mark.parametrize("command", ["check", "plan", "status"])
def test_no_command_has_more_requests_at_once_than_its_parallelism(
    tmp_path: Path, counting: tuple[str, list[int]], parallelism: int, command: str
) -> None:
    address, most = counting
    queries = "".join(f"    q{number}: {{event_name: e{number}, lookback: 1h}}\n" for number in range(10))
    checks = "".join(f"  c{n}: {{data: aom_alarms.q{n}, expect: {{count: 0}}}}\n" for n in range(10))
    used = "".join(
        f'    a{n}: {{{ALARM}, resource_id: "${{data.aom_alarms.q{n} | length | string}}"}}\n' for n in range(10)
    )
    more = f"data:\n  aom_alarms:\n{queries}checks:\n{checks}"
    stack = write(tmp_path, address, used, more, settings=f", parallelism: {parallelism}")
    done = reconciler(command, stack)
    assert done.code == 0, done
    assert "urllib3" not in done.err
    assert 1 <= most[0] <= parallelism


@pytest.mark.parametrize("signals", [("SIGINT", "SIGINT"), ("SIGTERM", "SIGTERM"), ("SIGINT", "SIGTERM")])
def test_one_key_press_that_arrives_twice_lets_a_drill_clear(
    tmp_path: Path, url: str, signals: tuple[str, str]
) -> None:
    stack = write(tmp_path, url, f"    other: {{{ALARM}, resource_id: o}}\n")
    with (stack / "stack.yaml").open("a") as file:
        file.write(
            "drills:\n  d:\n    max_duration: 5m\n    resources:\n"
            f"      aom_alarm: {{x: {{{ALARM}, resource_id: x}}}}\n"
            "    steps: [{at: 0s, raise: aom_alarm.x}, {at: 60s, clear: all}]\n"
        )
    command = [sys.executable, "-m", "reconciler", "drill", "run", "d", str(stack), "--yes"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - a command of ours
        read_until(process.stderr, "raised 1")
        for name in signals:
            process.send_signal(getattr(signal, name))
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "all cleared" in out
