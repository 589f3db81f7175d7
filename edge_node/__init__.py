"""The bedside node: devices in, judged and kept readings out, alarms of its own when the network is gone."""
