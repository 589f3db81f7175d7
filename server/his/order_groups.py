"""Takes an order message apart: one group of segments for each ORC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from server.his.message import Message, Segment
from server.his.refusal import RefusedMessageError

_SINGLE = ("TQ1", "RXO", "RXE", "RXR", "OBR", "BPO")
_REPEATED = ("RXC", "NTE", "OBX")


@dataclass(slots=True)
class OrderGroup:
    """The segments that belong to one ORC, the first of each kind and all of the repeating ones."""

    orc: Segment
    single: dict[str, Segment] = field(default_factory=dict)
    repeated: dict[str, list[Segment]] = field(default_factory=dict)

    def get(self, name: str) -> Segment | None:
        """Return the segment of that name, if the group has one."""
        return self.single.get(name)

    def all(self, name: str) -> list[Segment]:
        """Return every segment of that name."""
        return self.repeated.get(name, [])

    def take(self, segment: Segment) -> None:
        """Add a segment.

        Raises:
            RefusedMessageError: A second drug or timing under one ORC: taking only the first would lose it.
        """
        name = segment.name
        if name in _REPEATED:
            self.repeated.setdefault(name, []).append(segment)
        elif name in _SINGLE and self.single.setdefault(name, segment) is not segment:
            raise RefusedMessageError(
                "group-repeats",
                f"One ORC group holds more than one {name}; send one ORC for each order.",
                hl7_code=100,
                where=name,
            )

    @property
    def is_blood(self) -> bool:
        """Whether the group orders blood."""
        return "BPO" in self.single

    @property
    def is_pharmacy(self) -> bool:
        """Whether the group orders a drug."""
        return "RXO" in self.single or "RXE" in self.single


def groups_of(message: Message) -> Iterator[OrderGroup]:
    """Give the order groups of a message in order; segments before the first ORC belong to the patient."""
    group: OrderGroup | None = None
    for segment in message.segments:
        if segment.name == "ORC":
            if group is not None:
                yield group
            group = OrderGroup(segment)
        elif group is not None:
            group.take(segment)
    if group is not None:
        yield group
