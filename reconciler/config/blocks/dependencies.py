"""Dependencies: what ``depends_on`` names must exist, and must not lead back to itself."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.core.address import Address
from reconciler.core.diagnostic import did_you_mean


class Dependencies:
    """Collects the resources there are and what they need while they are expanded; ``check`` is called at the end."""

    def __init__(self, diagnostics: DiagnosticCollector) -> None:
        self._diagnostics = diagnostics
        self._resources: dict[Address, int] = {}
        self._instances: set[Address] = set()
        self._broken: set[Address] = set()
        self._needs: dict[Address, dict[Address, int]] = {}

    def declare(self, resource: Address, offset: int) -> None:
        """A resource is written at a place."""
        self._resources[resource] = offset

    def instance(self, address: Address) -> None:
        """A resource makes this instance."""
        self._instances.add(address)

    def failed(self, resource: Address) -> None:
        """The instances of a resource are not known."""
        self._broken.add(resource)

    def need(self, address: Address, text: str, offset: int) -> Address | None:
        """What a text under ``depends_on`` names; None, with a problem noted, where it is no address."""
        try:
            needed = Address.parse(text)
        except ValueError as error:
            self._diagnostics.add(offset, f"depends_on: {error}", address=address)
            return None
        self._needs.setdefault(address._replace(key=None), {})[needed] = offset
        return needed

    def check(self) -> None:
        """Note what does not exist, and each cycle once."""
        graph: dict[Address, set[Address]] = {}
        for resource, needs in self._needs.items():
            for needed, offset in needs.items():
                whole = needed._replace(key=None)
                if whole not in self._resources:
                    hint = did_you_mean(str(whole), map(str, self._resources))
                    self._diagnostics.add(offset, f"there is no resource {whole} to depend on", hint)
                elif needed.key is not None and needed not in self._instances and whole not in self._broken:
                    self._diagnostics.add(offset, f"{whole} has no instance {needed}")
                else:
                    graph.setdefault(resource, set()).add(whole)
        self._note_cycles(graph)

    def _note_cycles(self, graph: dict[Address, set[Address]]) -> None:
        while True:
            try:
                TopologicalSorter(graph).prepare()
                return
            except CycleError as error:
                ring: list[Address] = error.args[1][:0:-1]
                start = ring.index(min(ring, key=lambda resource: self._resources[resource]))
                ring = ring[start:] + ring[:start]
                shown = " -> ".join(map(str, (*ring, ring[0])))
                self._diagnostics.add(
                    self._resources[ring[0]],
                    f"these resources depend on each other: {shown}",
                    "remove one of these references from depends_on",
                )
                graph = {resource: inner - set(ring) for resource, inner in graph.items() if resource not in ring}
