"""`.env.example` lists what the code reads, no more and no less, with the defaults."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from config import settings
from config.tests.test_production_refuses import manage

ROOT = Path(__file__).resolve().parents[2]
READERS = [ROOT / "config/settings.py", ROOT / "sagas/management/commands/ensure_admin.py"]


def variables_read(file: Path) -> Iterator[str]:
    """Yield the names that a file asks for by env.kind("NAME") or os.environ.get("NAME")."""
    for call in ast.walk(ast.parse(file.read_text())):
        if (
            isinstance(call, ast.Call)
            and re.fullmatch(r"env\.\w+|os\.environ\.get", ast.unparse(call.func))
            and isinstance(call.args[0], ast.Constant)
        ):
            yield str(call.args[0].value)


def example() -> list[tuple[str, str, str]]:
    """Return each variable of the example: "# " if it is commented out, its name, its value."""
    return re.findall(r"^(# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)


def test_it_lists_every_variable_once_and_no_other() -> None:
    read = {name for file in READERS for name in variables_read(file)}
    listed = [name for _, name, _ in example()]
    assert sorted(listed) == sorted(read | set(settings.DATABASE_VARIABLES.values()))


def test_docs_name_every_variable() -> None:
    words = (ROOT / "docs/operations.md").read_text()
    assert [name for _, name, _ in example() if f"`{name}`" not in words] == []


def diffsettings(**given: str) -> str:
    """Return the settings as production has them with these variables and no others."""
    answer = manage("diffsettings", **given)
    assert answer.returncode == 0, answer.stderr
    return re.sub(r" at 0x[0-9a-f]+", "", answer.stdout)


def test_filled_in_it_starts_production_and_comments_show_the_defaults() -> None:
    fill = {"SECRET_KEY": "k" * 60, "PAYMENT_PROVIDER": "fake", "PAYMENT_ALLOW_FAKE": "true"}
    required = {name: value for comment, name, value in example() if not comment} | fill
    defaults = {name: value for comment, name, value in example() if comment and value}
    assert diffsettings(**defaults | required) == diffsettings(**required)
    assert diffsettings(**required, SHOP_NAME="Another") != diffsettings(**required)
