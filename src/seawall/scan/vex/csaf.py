"""CSAF 2.0 and 2.1, profile VEX (OASIS): a tree of products, and their status by vulnerability.

A product that is made by a relationship is the whole with its part: the part is the subcomponent.
The author is the publisher. A document says nothing of single statements' times: all have the one
of its current release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from seawall.core.strictjson import Json
from seawall.scan.vex.model import (
    Document,
    Product,
    Statement,
    Status,
    line,
    mapping,
    moment,
    objects,
    texts,
)

_STATUSES: Final = {
    "known_not_affected": Status.NOT_AFFECTED,
    "fixed": Status.FIXED,
    "first_fixed": Status.FIXED,
    "known_affected": Status.AFFECTED,
    "first_affected": Status.AFFECTED,
    "last_affected": Status.AFFECTED,
    "under_investigation": Status.UNDER_INVESTIGATION,
}


def read(document: dict[str, Json], digest: str) -> Document:
    """Read a document."""
    head = mapping(document.get("document"))
    tracking = mapping(head.get("tracking"))
    issued = moment(tracking.get("current_release_date"))
    tree = mapping(document.get("product_tree"))
    products = _products(tree)
    groups = {
        line(one.get("group_id")): texts(one.get("product_ids"))
        for one in objects(tree.get("product_groups"))
    }
    publisher = line(mapping(head.get("publisher")).get("name"), max_chars=200)
    statements = (
        statement
        for one in objects(document.get("vulnerabilities"))
        for statement in _statements(one, products, groups, issued)
    )
    return Document(
        format="csaf",
        digest=digest,
        author=publisher or "a publisher without a name",
        issued_at=issued,
        statements=tuple(statements),
    )


def _products(tree: dict[str, Json]) -> dict[str, Product]:
    """Return the products by id; parts of others with the whole as the product."""
    names = {line(one.get("product_id")): _names(one) for one in _leaves(tree)}
    found = {key: Product(names=value) for key, value in names.items()}
    for one in objects(tree.get("relationships")):
        key = line(mapping(one.get("full_product_name")).get("product_id"))
        part, whole = (
            line(one.get("product_reference")),
            line(one.get("relates_to_product_reference")),
        )
        if key and part in names and whole in names:
            found[key] = Product(names=names[whole], subcomponents=names[part])
    return found


def _leaves(tree: dict[str, Json]) -> Iterator[dict[str, Json]]:
    yield from objects(tree.get("full_product_names"))
    waiting = objects(tree.get("branches"))
    while waiting:
        branch = waiting.pop()
        if isinstance(product := branch.get("product"), dict):
            yield product
        waiting += objects(branch.get("branches"))


def _names(product: dict[str, Json]) -> tuple[str, ...]:
    helper = mapping(product.get("product_identification_helper"))
    found = [line(helper.get("purl")), *texts(helper.get("purls")), line(helper.get("cpe"))]
    for hashes in objects(helper.get("hashes")):
        for one in objects(hashes.get("file_hashes")):
            found.append(f"{line(one.get('algorithm'))}:{line(one.get('value'))}".lower())
    names = [name for name in found if name]
    return tuple(dict.fromkeys(names)) or (line(product.get("name"), max_chars=200) or "a product",)


def _statements(
    value: dict[str, Json],
    products: dict[str, Product],
    groups: dict[str, tuple[str, ...]],
    issued: str,
) -> Iterator[Statement]:
    names = [line(value.get("cve"), max_chars=100)]
    names += [line(one.get("text"), max_chars=100) for one in objects(value.get("ids"))]
    ids = tuple(dict.fromkeys(name for name in names if name))
    flags = _by_product(value.get("flags"), "label", groups)
    impacts = [one for one in objects(value.get("threats")) if one.get("category") == "impact"]
    told = _by_product([*impacts], "details", groups)
    for key, status in _STATUSES.items():
        for product_id in texts(mapping(value.get("product_status")).get(key)):
            if product_id in products:
                yield Statement(
                    ids=ids,
                    status=status,
                    products=(products[product_id],),
                    justification=flags.get(product_id, ""),
                    text=told.get(product_id, ""),
                    at=issued,
                )


def _by_product(entries: Json, field: str, groups: dict[str, tuple[str, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in objects(entries):
        members: Iterable[str] = texts(one.get("product_ids"))
        grouped = [m for group in texts(one.get("group_ids")) for m in groups.get(group, ())]
        for member in (*members, *grouped):
            found.setdefault(member, line(one.get(field)))
    return found
