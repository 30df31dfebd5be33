"""The report of a fleet as JUnit XML: a test suite for each wave, with one case per stack."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from reconciler.app.unit import UnitKind, UnitResult, UnitState
from reconciler.core.duration import format_instant
from reconciler.core.exit_code import ExitCode
from reconciler.fleet.report import FleetReport
from reconciler.views.junit.xml import Redact, xml_document, xml_seconds, xml_text
from reconciler.views.phrases.fleet import unit_summary


def fleet_junit(report: FleetReport, redact: Redact, *, detailed: bool = False) -> str:
    """The whole report; every text passes ``redact``. With ``detailed`` a stack with changes is a failure."""

    def text(value: str) -> str:
        return xml_text(value, redact)

    root = Element("testsuites", {"name": f"reconciler fleet {report.kind}", **_totals(report.results, detailed)})
    for wave in report.waves:
        name = f"{report.fleet}.{wave.name}" if wave.name else report.fleet
        timestamp = format_instant(report.started_at).removesuffix("Z")
        totals = _totals(wave.results, detailed)
        suite = SubElement(root, "testsuite", {"name": text(name), "timestamp": timestamp, **totals})
        for result in wave.results:
            _case(suite, result, text, detailed)
    return xml_document(root)


def _case(suite: Element, result: UnitResult, text: Redact, detailed: bool) -> None:
    unit = result.unit
    names = {"name": text(unit.id), "classname": text(f"fleet.{unit.kind}"), "time": xml_seconds(_took(result))}
    case = SubElement(suite, "testcase", names)
    tag = _tag(result, detailed)
    told = unit_summary(result)
    if tag is None:
        SubElement(case, "system-out").text = text(told)
        return
    trouble = SubElement(case, tag, {"message": text(told)})
    if tag != "skipped":
        trouble.set("type", result.state.value)
    lines = [part for found in result.diagnostics for part in found.line.splitlines()]
    lines += [f"{change.action} {change.address}: {change.reason}" for change in result.changes]
    trouble.text = "\n".join(map(text, lines))


def _tag(result: UnitResult, detailed: bool) -> str | None:
    if result.state in (UnitState.NOT_RUN, UnitState.INTERRUPTED):
        return "skipped"
    if result.state is UnitState.DONE and result.unit.kind is UnitKind.CHECK and not result.counts:
        return "skipped"  # a stack without checks has not passed any
    if result.state is UnitState.DONE:
        return "failure" if detailed and result.exit_code is ExitCode.CHANGES else None
    return "failure" if result.exit_code in (ExitCode.CHECK_FAILED, ExitCode.PARTIAL) else "error"


def _totals(results: tuple[UnitResult, ...], detailed: bool) -> dict[str, str]:
    tags = [_tag(result, detailed) for result in results]
    return {
        "tests": str(len(results)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": xml_seconds(sum(map(_took, results))),
    }


def _took(result: UnitResult) -> int:
    return result.ended_at - result.started_at
