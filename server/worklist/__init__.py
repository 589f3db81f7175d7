"""Timers of transfusions, skin tests and samples: a list for people, alarms for what must not wait."""
