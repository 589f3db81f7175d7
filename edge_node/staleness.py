"""Which values have grown old: what a device no longer says is withdrawn, never shown as if it were now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from clinical.records import AlarmPriority
from edge_node.local_alarms import Condition, Subject
from firmware_profiles.decode import DecodedValue
from firmware_profiles.plan import Profile
from firmware_profiles.schema import AlarmRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """One value of a device that was not repeated in time."""

    device: str
    profile: str
    name: str
    code: str
    unit: str


class Freshness:
    """When each value of each device will be too old, by the ``stale_s`` of its profile."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], tuple[float, Aged]] = {}

    def seen(
        self, device: str, profile: Profile, stream: str, values: Mapping[str, DecodedValue], now_s: float
    ) -> None:
        """Take the values of one frame; only those with a number, a text or a flag count as said."""
        for name, stale_s in limits(profile, stream).items():
            value = values.get(name)
            if value is not None and value.value is not None:
                aged = Aged(device=device, profile=profile.id, name=name, code=value.code, unit=value.unit)
                self._due[device, name] = (now_s + stale_s, aged)

    def aged(self, now_s: float) -> list[Aged]:
        """Values that have grown old since the last look; each is told once until it is said again."""
        found = [aged for due, aged in self._due.values() if due < now_s]
        for one in found:
            del self._due[one.device, one.name]
        return found

    def forget(self, device: str) -> None:
        """The device is lost; all its values are withdrawn with it."""
        for key in [key for key in self._due if key[0] == device]:
            del self._due[key]


def limits(profile: Profile, stream: str) -> dict[str, float]:
    """Seconds after which a value of a stream is too old, by name; only those with such a limit."""
    return {
        value.rule.name: value.rule.stale_s
        for value in profile.plan(stream).values
        if value.rule.stale_s is not None
    }


def absences(device: str, rules: Iterable[AlarmRule], said: Mapping[str, bool]) -> Iterator[Condition]:
    """Yield what rules of kind ``absence`` say of values that are told (true) or no longer are (false)."""
    for rule in rules:
        if rule.kind == "absence" and rule.value in said:
            yield Condition(
                name="device-fault",
                subject=Subject(device=device, code=f"{rule.value}-absent"),
                holds=not said[rule.value],
                priority=AlarmPriority(rule.priority),
                kind="technical",
                params={"value": rule.value},
            )
