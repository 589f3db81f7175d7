"""Hospital integration: HL7 v2 messages in, administrations out."""
