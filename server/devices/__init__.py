"""Devices and the encounters they are on; readings are filed by it."""
