"""The MQTT contract: topics, messages, access rules, TLS, and a private local broker."""
