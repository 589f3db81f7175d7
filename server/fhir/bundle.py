"""Bundles of what was found, with links that lead on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from server.fhir.search import to_cursor
from server.fhir.shape import Resource


def entry(base: str, resource: Resource, mode: str) -> Resource:
    """Return one entry; a full URL is where the resource is read."""
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def searchset(
    base: str,
    path: str,
    asked: Sequence[tuple[str, str]],
    count: int,
    found: Iterable[Resource],
    *,
    following: str = "",
    total: int | None = None,
    included: Iterable[Resource] = (),
) -> Resource:
    """Return a page as a Bundle; the self link says what was searched for."""
    own = [*asked, ("_count", str(count))]
    links = [{"relation": "self", "url": _url(base, path, own)}]
    if following:
        links.append({"relation": "next", "url": _url(base, path, [*own, ("_cursor", to_cursor(following))])})
    entries = [entry(base, one, "match") for one in found]
    entries += [entry(base, one, "include") for one in included]
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if total is not None:
        bundle["total"] = total
    if entries:
        bundle["entry"] = entries
    return bundle


def _url(base: str, path: str, asked: Sequence[tuple[str, str]]) -> str:
    return f"{base}/{path}?{urlencode(asked)}"
