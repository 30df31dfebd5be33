"""Provider types as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.data_source import sources_of
from reconciler.core.text import printable
from reconciler.providers.protocol import ProviderType
from reconciler.views.text.line import Line, Style, line, pad, width


def provider_lines(providers: Sequence[ProviderType]) -> Iterator[Line]:
    """Each provider type with its summary, its resource types and its data sources."""
    if not providers:
        yield line("No providers are installed.")
    names = [printable(provider.name) for provider in providers]
    column = max(map(width, names), default=0) + 2
    for name, provider in zip(names, providers, strict=True):
        yield line((pad(name, column), Style.BOLD), printable(provider.summary), hang=column)
        types = ", ".join(f"{kind.name} ({kind.kind})" for kind in provider.resource_types.values())
        sources = ", ".join(sources_of(provider))
        for text in (types, f"data: {sources}" if sources else ""):
            if text:
                yield line(" " * column, (printable(text), Style.DIM), hang=column)
