"""Provider types as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.core.data_source import sources_of
from reconciler.providers.protocol import ProviderType
from reconciler.views.json.document import FORMAT_VERSION

if TYPE_CHECKING:
    from reconciler.views.json.schema_lists import ProvidersOutput


def providers_document(providers: Iterable[ProviderType]) -> ProvidersOutput:
    """The document of the installed provider types."""
    return {
        "format_version": FORMAT_VERSION,
        "providers": [
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
        ],
    }
