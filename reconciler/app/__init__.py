"""The use cases behind commands, without a terminal: what the command line, Chaos Toolkit and library users call.

Each function takes values and callbacks (progress, approval, signals) and returns a result, or raises
``DiagnosticError``, ``ServiceError`` or ``LeaseHeldError``. Nothing here reads options, prints or renders.
"""
