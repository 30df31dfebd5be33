"""Runs of drills as JUnit XML: a test case for each step, each check, and for each alarm that it was cleared."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from reconciler.core.duration import format_instant
from reconciler.drill.latency import LATENCY_STAGES
from reconciler.drill.record import CheckRecord, Emission, Record, StepRecord, StepState
from reconciler.drill.spec import StepAction
from reconciler.views.junit.xml import Redact, xml_document, xml_seconds, xml_text
from reconciler.views.phrases.drill import death_told, headline, state_of


def record_junit(record: Record, redact: Redact) -> str:
    """The whole run; every text passes ``redact``."""

    def text(value: str) -> str:
        return xml_text(value, redact)

    suite = Element("testsuite", {"name": text(f"{record.stack}.{record.drill}")})
    if record.targets:
        properties = SubElement(suite, "properties")
        for key, target in record.targets.items():
            SubElement(properties, "property", {"name": text(f"target.{key}"), "value": text(target)})
    for step in record.steps:
        if step.action is not StepAction.CHECK:  # checks are separate cases, including those of steps
            _step(suite, record, step, text)
    for check in record.checks:
        _check(suite, record, check, text)
    for sent in record.alarms:
        if not sent.unsent:
            _cleared(suite, record, sent, text)
    if record.leftovers and not any(sent.active for sent in record.alarms):
        case = _case(suite, record, "clearing", "nothing is left", 0, text)
        SubElement(case, "failure", {"message": text(record.leftovers[0]), "type": "left"})
    told = [headline(record), *(death_told(record, death) for death in record.deaths)]
    SubElement(suite, "system-out").text = text(" ".join(told))
    totals = {
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": str(len(suite.findall("testcase/skipped"))),
        "time": xml_seconds((record.ended_at or record.began_at) - record.began_at),
    }
    suite.attrib.update({"timestamp": format_instant(record.began_at).removesuffix("Z"), **totals})
    root = Element("testsuites", {"name": "reconciler drill", **totals})
    root.append(suite)
    return xml_document(root)


def _step(suite: Element, record: Record, step: StepRecord, text: Redact) -> None:
    took = (step.ended_at or 0) - (step.started_at or 0) if step.ended_at and step.started_at else 0
    case = _case(suite, record, "steps", step.name, took, text)
    if step.state is StepState.DONE:
        SubElement(case, "system-out").text = text(step.outcome)
    elif step.state is StepState.FAILED:
        SubElement(case, "failure", {"message": text(step.outcome), "type": "step"})
    else:
        SubElement(case, "skipped", {"message": text(step.outcome or step.state)})


def _check(suite: Element, record: Record, check: CheckRecord, text: Redact) -> None:
    name = f"{check.name} ({check.phase})"
    case = _case(suite, record, "checks", name, check.ended_at - check.started_at, text)
    if check.status == "passed":
        SubElement(case, "system-out").text = text(check.reason)
    else:
        tag = "failure" if check.status == "failed" else "error"
        SubElement(case, tag, {"message": text(check.reason), "type": check.status})


def _cleared(suite: Element, record: Record, sent: Emission, text: Redact) -> None:
    case = _case(suite, record, "clearing", f"{sent.address} is cleared", 0, text)
    told = {f"{stage.key}_ms": took for stage in LATENCY_STAGES if (took := stage.measure(sent)) is not None}
    if told:
        properties = SubElement(case, "properties")
        for name, value in told.items():
            SubElement(properties, "property", {"name": name, "value": str(value)})
    if sent.active:
        SubElement(case, "failure", {"message": text(f"{sent.address}: {state_of(sent)}"), "type": "left"})
    else:
        SubElement(case, "system-out").text = text(f"ended by {sent.ended_by}")


def _case(suite: Element, record: Record, group: str, name: str, took: int, text: Redact) -> Element:
    classname = text(f"{record.stack}.{record.drill}.{group}")
    return SubElement(suite, "testcase", {"name": text(name), "classname": classname, "time": xml_seconds(took)})
