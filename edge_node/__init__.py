"""The bedside Raspberry Pi: devices in, typed readings out, nothing lost between."""
