"""Checks as JUnit XML: a test suite with one case per check; a failed query is an error."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from reconciler.checks.evaluate import describe_item
from reconciler.checks.poll import CheckStatus
from reconciler.checks.result import CheckResult, Report
from reconciler.core.duration import format_instant
from reconciler.views.junit.xml import Redact, xml_document, xml_seconds, xml_text


def check_junit(report: Report, redact: Redact) -> str:
    """The whole report; every text passes ``redact``."""

    def text(value: str) -> str:
        return xml_text(value, redact)

    counts = report.counts
    totals = {
        "tests": str(len(report.results)),
        "failures": str(counts[CheckStatus.FAILED]),
        "errors": str(counts[CheckStatus.UNKNOWN]),
        "skipped": str(counts[CheckStatus.INTERRUPTED]),
        "time": xml_seconds(report.ended_at - report.started_at),
    }
    root = Element("testsuites", {"name": "reconciler check", **totals})
    timestamp = format_instant(report.started_at).removesuffix("Z")
    suite = SubElement(root, "testsuite", {"name": text(report.stack), "timestamp": timestamp, **totals})
    if report.targets:
        properties = SubElement(suite, "properties")
        for key, target in report.targets.items():
            SubElement(properties, "property", {"name": text(f"target.{key}"), "value": text(str(target))})
    for result in report.results:
        _case(suite, report.stack, result, text)
    return xml_document(root)


def _case(suite: Element, stack: str, result: CheckResult, text: Redact) -> None:
    found = result.outcome
    case = SubElement(
        suite,
        "testcase",
        {
            "name": text(result.name),
            "classname": text(f"{stack}.checks"),
            "time": xml_seconds(result.ended_at - result.started_at),
        },
    )
    if result.position is not None:
        case.set("file", text(result.position.file))
        case.set("line", str(result.position.line))
    latencies = {
        "held_after_ms": found.held_after,
        "visible_after_ms": found.visible_after,
        "gone_after_ms": found.gone_after,
        "delivered_after_ms": None if found.delivery is None else found.delivery.delivered_after,
        "resolved_after_ms": None if found.delivery is None else found.delivery.resolved_after,
    }
    told = {name: value for name, value in latencies.items() if value is not None}
    if told:
        properties = SubElement(case, "properties")
        for name, value in told.items():
            SubElement(properties, "property", {"name": name, "value": str(value)})
    if found.status is CheckStatus.PASSED:
        SubElement(case, "system-out").text = text(found.reason)
        return
    tags = {CheckStatus.FAILED: "failure", CheckStatus.UNKNOWN: "error", CheckStatus.INTERRUPTED: "skipped"}
    problem = SubElement(case, tags[found.status], {"message": text(found.reason)})
    if found.status is not CheckStatus.INTERRUPTED:
        problem.set("type", "expectation" if found.status is CheckStatus.FAILED else "unasked")
    listed = [f"{describe_item(item)}  id {item.get('id')}" for item in found.failing_items]
    problem.text = "\n".join(map(text, [found.reason, *listed]))
