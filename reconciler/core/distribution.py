"""The name under which the package is installed: on PyPI, ``reconciler`` belongs to another project."""

NAME = "alarm-reconciler"


def install_command(extra: str) -> str:
    """The command that installs an extra, as a hint shows it."""
    return f"pip install '{NAME}[{extra}]'"
