"""The rules that can hurt a patient, as pure functions: standard library only, no clock, no I/O."""
