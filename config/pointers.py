"""Where in a JSON document something is, as problem details say it."""

from urllib.parse import quote

Path = tuple[str | int, ...]


def pointer(path: Path) -> str:
    """Write ``path`` as a JSON pointer in its URI fragment form (RFC 6901, section 6)."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{quote(part, safe='~', errors='replace')}" for part in parts)
