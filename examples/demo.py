"""The product at work: runs the real command over a copy of the quickstart, and fails where it does not do its job."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

QUICKSTART = Path(__file__).parent / "quickstart"
COMMAND = Path(sys.executable).with_name("reconciler")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        stack = Path(temporary) / "quickstart"
        shutil.copytree(QUICKSTART, stack, ignore=shutil.ignore_patterns(".reconciler"))
        demonstrate(stack)
    say("The demo ran as it should.")


def demonstrate(stack: Path) -> None:
    """Take the stack in a directory from nothing to applied, through two edits, and back to nothing."""
    say("Is the configuration right?")
    expect("Valid.", reconciler(stack, "validate"))

    say("What would be done?")
    expect("Plan: 4 to create, 1 to record.", reconciler(stack, "plan"))

    say("Do it.")
    expect("Apply complete: 4 created, 1 recorded.", reconciler(stack, "apply", "--auto-approve"))

    say("Is anything left to do?")
    expect("No changes. 5 alarms and 1 event are as declared.", reconciler(stack, "plan"))

    say("Change one alarm's severity, and what another one says.")
    edit(stack / "stack.yaml", "resource_id: payment", "event_severity: Major", "event_severity: Critical")
    edit(stack / "stack.yaml", "resource_id: orders", "More than 10,000 orders", "More than 20,000 orders")
    planned = reconciler(stack, "plan")
    expect("Plan: 1 to update, 1 to replace.", planned)
    expect("forces replace", planned)

    say("Do that too.")
    expect("Apply complete: 1 updated, 1 replaced.", reconciler(stack, "apply", "--auto-approve"))

    say("The drill is over: clear every alarm of this stack.")
    expect("Destroy complete: 4 cleared.", reconciler(stack, "destroy", "--auto-approve"))

    say("Is any alarm of the stack still active?")
    expect("No alarm of this stack is firing", reconciler(stack, "destroy", "--auto-approve"))
    left = json.loads(reconciler(stack, "plan", "--format", "json", shown=False))
    active = [change["address"] for change in left["changes"] if change["before"]]
    check(not active, f"these alarms are still active: {active}")
    check(left["counts"]["create"] == 4, "a plan should want to create all four alarms again")
    say("None is: a new plan would create all four again.")


def reconciler(stack: Path, *arguments: str, shown: bool = True) -> str:
    """Run a command in the stack's directory, print it and its output, and return its standard output."""
    if shown:
        print(f"\n$ reconciler {' '.join(arguments)}", flush=True)
    done = subprocess.run([COMMAND, *arguments], cwd=stack, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - a command of ours
    if shown or done.returncode:
        print(done.stdout + done.stderr, end="", flush=True)
    check(done.returncode == 0, f"exit code {done.returncode}")
    return done.stdout


def edit(file: Path, near: str, old: str, new: str) -> None:
    """Replace the occurrence of a text that is nearest to another one."""
    text = file.read_text(encoding="utf-8")
    anchor = text.index(near)
    places = [place for place in range(len(text)) if text.startswith(old, place)]
    place = min(places, key=lambda candidate: abs(candidate - anchor))
    file.write_text(text[:place] + new + text[place + len(old) :], encoding="utf-8")
    print(f"  {old}  ->  {new}")


def expect(wanted: str, output: str) -> None:
    check(wanted in output, f"expected to read: {wanted}")


def check(holds: bool, problem: str) -> None:
    if not holds:
        sys.exit(f"\nThe demo failed: {problem}")


def say(text: str) -> None:
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    main()
