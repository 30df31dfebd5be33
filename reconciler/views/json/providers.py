"""Provider types as JSON.

``{"format_version", "providers": [{"name", "summary", "resource_types": [{"name", "kind"}], "data_sources":
[{"name", "summary", "fields": [{"name", "description"}]}]}]}``; a kind is ``level`` (an alarm) or ``fact`` (an event).
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.core.data_source import sources_of
from reconciler.providers.protocol import ProviderType
from reconciler.views.json.document import document


def providers_document(providers: Iterable[ProviderType]) -> dict[str, object]:
    """The document of the installed provider types."""
    return document(
        providers=[
            {
                "name": provider.name,
                "summary": provider.summary,
                "resource_types": [
                    {"name": kind.name, "kind": kind.kind.value} for kind in provider.resource_types.values()
                ],
                "data_sources": [
                    {
                        "name": source.name,
                        "summary": source.summary,
                        "fields": [
                            {"name": name, "description": field.description} for name, field in source.fields.items()
                        ],
                    }
                    for source in sources_of(provider).values()
                ],
            }
            for provider in providers
        ]
    )
