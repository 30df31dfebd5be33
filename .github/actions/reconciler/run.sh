#!/usr/bin/env bash
# Runs one command of reconciler for the action; its inputs are in INPUT_*. The report goes to a file as Markdown, and
# the command itself adds it to the job's summary and annotates faulty lines.
set -uo pipefail

report="${RUNNER_TEMP:-/tmp}/reconciler-report.md"
arguments=("$INPUT_PATH")
if [[ "$INPUT_COMMAND" == apply && -n "$INPUT_PLAN_FILE" ]]; then
  arguments+=("$INPUT_PLAN_FILE")
fi
while IFS= read -r file; do
  [[ -n "$file" ]] && arguments+=(--var-file "$file")
done <<< "$INPUT_VAR_FILES"
while IFS= read -r argument; do
  [[ -n "$argument" ]] && arguments+=("$argument")
done <<< "$INPUT_ARGS"

# With a key, a plan is signed, and only a signed one is applied.
if [[ -n "${RECONCILER_PLAN_KEY:-}" && -n "$INPUT_PLAN_FILE" ]]; then
  case "$INPUT_COMMAND" in
    plan) arguments+=(--sign) ;;
    apply) arguments+=(--verify) ;;
  esac
fi

case "$INPUT_COMMAND" in
  plan) command=(plan --detailed-exitcode --out "$INPUT_PLAN_FILE") ;;
  drift) command=(plan --detailed-exitcode --refresh-only) ;;
  apply) command=(apply --auto-approve) ;;
  check) command=(check) ;;
  *)
    echo "::error title=reconciler::command is plan, apply, check or drift, not $INPUT_COMMAND"
    exit 1
    ;;
esac

reconciler "${command[@]}" "${arguments[@]}" --format markdown | tee "$report"
code=${PIPESTATUS[0]}

changes=false
[[ "$code" == 2 ]] && changes=true
{
  echo "changes=$changes"
  echo "exit-code=$code"
  if [[ -s "$report" ]]; then echo "report=$report"; fi
} >> "$GITHUB_OUTPUT"

# Changes are what a plan is for; drift is what a report of drift is there to catch.
if [[ "$INPUT_COMMAND" == plan && "$code" == 2 ]]; then
  exit 0
fi
exit "$code"
