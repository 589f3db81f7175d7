"""Records as R4 resources: one function a type, without meta (:mod:`server.fhir.sources` adds it)."""
