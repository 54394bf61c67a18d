"""Which answer leads to which request: the OpenAPI document's links."""

from collections.abc import Mapping
from typing import Any

#: operation -> name of the link -> (the operation that it leads to, parameter -> where it is from).
_LINKS: Mapping[str, Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "place_checkout": {
        "look": ("get_checkout", {"checkout_id": "$response.body#/id"}),
        "cancel": ("cancel_checkout", {"checkout_id": "$response.body#/id"}),
    },
    "get_checkout": {
        "again": ("get_checkout", {"checkout_id": "$response.body#/id"}),
        "cancel": ("cancel_checkout", {"checkout_id": "$response.body#/id"}),
        "order": ("orders_retrieve", {"number": "$response.body#/order_number"}),
        "cancel_order": ("cancel_order", {"number": "$response.body#/order_number"}),
        "give_a_part_back": ("refund_order", {"number": "$response.body#/order_number"}),
    },
    "cancel_order": {
        "look": ("get_cancellation", {"number": "$response.body#/order_number"}),
    },
    "refund_order": {
        "look": (
            "get_refund",
            {"number": "$response.body#/order_number", "refund_id": "$response.body#/id"},
        ),
    },
    "cancel_checkout": {
        "look": ("get_checkout", {"checkout_id": "$response.body#/id"}),
        "order": ("orders_retrieve", {"number": "$response.body#/order_number"}),
    },
    "orders_list": {"first": ("orders_retrieve", {"number": "$response.body#/results/0/number"})},
    "products_list": {
        "first": ("products_retrieve", {"sku": "$response.body#/results/0/sku"}),
        "buy": ("place_checkout", {}),
    },
    "products_retrieve": {"buy": ("place_checkout", {})},
}


def add_links(
    result: dict[str, Any], generator: object, request: object, public: bool
) -> dict[str, Any]:
    """Add the links to every answer that succeeded (a POSTPROCESSING_HOOK)."""
    for operations in result["paths"].values():
        for operation in operations.values():
            links = {
                name: {"operationId": target, "parameters": dict(parameters)}
                for name, (target, parameters) in _LINKS.get(operation["operationId"], {}).items()
            }
            for status, answer in operation["responses"].items():
                if links and status.startswith("2"):
                    answer["links"] = links
    return result
