"""How schemathesis plays a shopper: what it knows of the shop, and what it carries on."""
