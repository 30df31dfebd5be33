"""The XML that JUnit reports share: safe text, seconds, the document."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, indent, tostring

from reconciler.core.duration import in_seconds
from reconciler.core.text import printable

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Redact = Callable[[str], str]


def xml_text(value: str, redact: Redact) -> str:
    """Text without characters that XML cannot contain."""
    return _NOT_XML.sub("\ufffd", redact(printable(value)))


def xml_seconds(milliseconds: int) -> str:
    """A duration in JUnit's format; negative ones, after a clock was set back, become zero."""
    return f"{in_seconds(max(0, milliseconds)):.3f}"


def xml_document(root: Element) -> str:
    """The whole file."""
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
