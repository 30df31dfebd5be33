"""Terraform for synthetic alarms and events.

``Stack`` and what it returns and raises are the library: see docs/library.md. They are imported when they are asked
for, since importing the package must cost nothing.
"""

TYPE_CHECKING = False  # for type checkers: importing typing would take longer than everything else here

if TYPE_CHECKING:
    from reconciler.app.stack import Stack
    from reconciler.app.status import StackStatus
    from reconciler.apply.result import Result, RunFailedError
    from reconciler.checks.result import Report
    from reconciler.core.diagnostic import Diagnostic, DiagnosticError
    from reconciler.ledger.protocol import LeaseHeldError
    from reconciler.plan.plan import Plan
    from reconciler.providers.protocol import ServiceError

__version__ = "0.2.0"

__all__ = [
    "Diagnostic",
    "DiagnosticError",
    "LeaseHeldError",
    "Plan",
    "Report",
    "Result",
    "RunFailedError",
    "ServiceError",
    "Stack",
    "StackStatus",
    "__version__",
]

_PLACES = {
    "Diagnostic": "core.diagnostic",
    "DiagnosticError": "core.diagnostic",
    "LeaseHeldError": "ledger.protocol",
    "Plan": "plan.plan",
    "Report": "checks.result",
    "Result": "apply.result",
    "RunFailedError": "apply.result",
    "ServiceError": "providers.protocol",
    "Stack": "app.stack",
    "StackStatus": "app.status",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
