"""Dependencies: what ``depends_on`` names must exist, and there must be no cycles."""

from __future__ import annotations

from reconciler.config.diagnostics import DiagnosticCollector
from reconciler.core.address import Address
from reconciler.core.diagnostic import did_you_mean


class Dependencies:
    """Collects resources and their dependencies during expansion; ``check`` is called at the end."""

    def __init__(self, diagnostics: DiagnosticCollector) -> None:
        self._diagnostics = diagnostics
        self._resources: dict[Address, int] = {}
        self._instances: set[Address] = set()
        self._broken: set[Address] = set()
        self._needs: dict[Address, dict[Address, int]] = {}

    def declare(self, resource: Address, offset: int) -> None:
        """Record where a resource is declared."""
        self._resources[resource] = offset

    def instance(self, address: Address) -> None:
        """Record an instance of a resource."""
        self._instances.add(address)

    def failed(self, resource: Address) -> None:
        """Record that the instances of a resource are unknown."""
        self._broken.add(resource)

    def need(self, address: Address, text: str, offset: int) -> Address | None:
        """The address that a text under ``depends_on`` names; None, with a problem reported, if it is invalid."""
        try:
            needed = Address.parse(text)
        except ValueError as error:
            self._diagnostics.add(offset, f"depends_on: {error}", address=address)
            return None
        self._needs.setdefault(address._replace(key=None), {})[needed] = offset
        return needed

    def check(self) -> None:
        """Report missing dependencies, and each cycle once."""
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
        if graph:
            self._note_cycles(graph)

    def _note_cycles(self, graph: dict[Address, set[Address]]) -> None:
        from graphlib import CycleError, TopologicalSorter

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
