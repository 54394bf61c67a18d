from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.core.management.base import CommandParser

from sagas import registry
from sagas.diagram import draw


class Command(BaseCommand):
    help = "Draw a saga from its definition as SVG, or check that a drawing is not stale."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", help="a key of settings.SAGAS, such as checkout")
        parser.add_argument("--output", type=Path, help="file to write; standard output without")
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if --output is stale"
        )

    def handle(self, *_: Any, kind: str, output: Path | None, check: bool, **__: Any) -> None:
        try:
            picture = draw(registry.newest(kind))
        except registry.UnknownDefinition as error:
            raise CommandError(str(error)) from error
        if output is None:
            if check:
                raise CommandError("--check needs --output: which file is to be compared?")
            self.stdout.write(picture)
        elif not check:
            output.write_text(picture)
        elif not output.exists() or output.read_text() != picture:
            raise CommandError(
                f"{output} is stale; draw it again: "
                f"python manage.py draw_saga {kind} --output {output}"
            )
