"""A deployment gate: is the alarm path alive, and do synthetic alarms fire and clear as they should?"""

from reconciler import DiagnosticError, ServiceError, Stack

CONFIGURATION = """
stack: gate

variables:
  host: {default: web-1}

providers:
  alertmanager: {endpoints: [embedded]}

resources:
  alertmanager_alert:
    gate_probe:
      labels: {severity: info, instance: "${var.host}"}
      timeout: 10m

data:
  alertmanager_alerts:
    critical: {labels: {severity: critical}}

checks:
  nothing_critical: {data: alertmanager_alerts.critical, expect: {count: 0}}
"""


def main() -> int:
    try:
        with Stack.from_text(CONFIGURATION, variables={"host": "web-7"}) as stack:
            plan = stack.plan()
            print("planned:", ", ".join(f"{change.action} {change.address}" for change in plan.pending))
            result = stack.apply(plan)
            print("applied:", "all" if not result.remaining else f"all but {len(result.remaining)}")
            print("firing: ", ", ".join(str(alarm.address) for alarm in stack.status().alarms))
            report = stack.check()
            for check in report.results:
                print(f"check:   {check.name} {check.status}")
            stack.destroy()
            return 0 if report.passed and not result.remaining else 1
    except (DiagnosticError, ServiceError) as error:
        print(f"the gate could not tell: {error}")
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
