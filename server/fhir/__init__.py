"""FHIR R4 over HTTP, in and out: the ward's facts as resources, and resources as facts of the hospital."""
