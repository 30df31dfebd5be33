"""What a plan shows is what is sent, to the byte, whatever is declared."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reconciler.emulator.server import running
from reconciler.emulator.settings import Settings
from tests.cli.run_cli import reconciler
from tests.e2e.sent import planned, sent
from tests.emulator.handle import Emulator

TEXT = st.text("aZ09 äß主机😀\"'\\/{}[]<>&#:|-%\n\t", min_size=1, max_size=12)
SEVERITY = st.sampled_from(["Critical", "Major", "Minor", "Info"])
MACHINE = {"resource_provider": "ecs", "resource_type": "vm"}
KEYS = st.lists(st.sampled_from(["h1", "h2", 'a "quoted" key', "主机"]), min_size=1, max_size=3, unique=True)

ALARM = st.fixed_dictionaries(
    {
        "for_each": KEYS,
        "event_severity": SEVERITY,
        "resource_id": st.just("${each.value}"),
        "annotations": st.fixed_dictionaries({"message": TEXT}),
        "timeout": st.sampled_from(["30m", "12h"]),
        "state": st.sampled_from(["firing", "firing", "cleared"]),
        "lifecycle": st.fixed_dictionaries({"create_before_clear": st.booleans()}),
    }
).map(lambda fields: {**MACHINE, **fields})
FACT = st.fixed_dictionaries({"occurrence": st.sampled_from(["v1", "v2"]), "event_severity": SEVERITY}).map(
    lambda fields: {**MACHINE, "resource_id": "r", **fields}
)
EVENT = st.fixed_dictionaries({"occurrence": st.sampled_from(["v1", "v2"]), "content": TEXT}).map(
    lambda fields: {"event_source": "checkout.deploy", **fields}
)


def some(what: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(["one", "two", "three"]), what, max_size=3)


RESOURCES = st.fixed_dictionaries({"aom_alarm": some(ALARM), "aom_event": some(FACT), "ces_event": some(EVENT)})


def declare(directory: Path, url: str, resources: dict[str, Any], batch_size: int) -> None:
    provider = {"endpoint": url, "project_id": "p", "auth": {"token": "t"}, "batch_size": batch_size}
    stack = {"stack": "any", "providers": {"aom": provider, "ces": provider}, "resources": resources}
    (directory / "stack.yaml").write_text(json.dumps(stack, ensure_ascii=False))


@given(RESOURCES, RESOURCES, st.sampled_from(["merge", "duplicate"]), st.sampled_from([1, 2, 100]))
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # an example takes too long to be made smaller many times
)
def test_the_requests_are_the_payloads_of_the_saved_plan(
    before: dict[str, Any], after: dict[str, Any], mode: Any, batch_size: int
) -> None:
    with tempfile.TemporaryDirectory() as temporary, running(Settings(on_repeat=mode)) as url:
        stack, saved, emulator = Path(temporary), Path(temporary) / "plan.json", Emulator(url)
        for resources in (before, after):
            declare(stack, url, resources, batch_size)
            emulator.forget_requests()
            assert reconciler("plan", stack, "--out", saved).code == 0
            assert sent(emulator) == []
            done = reconciler("apply", stack, saved)
            assert done.code == 0, done.err
            assert sent(emulator) == planned(saved, conditional=mode == "duplicate")
        assert reconciler("plan", stack, "--detailed-exitcode").code == 0
