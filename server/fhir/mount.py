"""Puts the FHIR door on the application."""

from __future__ import annotations

from fastapi import FastAPI

from server.fhir import contract, errors, export_routes, routes, routes_in, subscription_routes, token_routes
from server.fhir.doors import Door


def mount(app: FastAPI) -> None:
    """Add the routes below ``/fhir/R4``, and what turns every refusal there into an OperationOutcome.

    It has to come after every other middleware, so that it sees what they refuse.
    """
    app.state.fhir = Door()
    errors.install(app)
    for feature in (routes, routes_in, subscription_routes, export_routes, token_routes):
        app.include_router(feature.router)
    app.add_middleware(errors.Outcomes)
    made = app.openapi
    app.openapi = lambda: contract.describe(made())  # type: ignore[method-assign]  # the documented way
