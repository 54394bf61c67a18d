"""The mail catcher, as a process of its own."""

import re
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path


@contextmanager
def mailcatcher(directory: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "tooling.mailcatcher", "--port", "0", "--directory"]
    with subprocess.Popen([*command, str(directory)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = re.search(r"ready on 127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert ready is not None
            yield process, int(ready[1])
        finally:
            process.kill()


def send(port: int, message_id: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "a@b.example", "c@d.example", message_id
    mail.set_content("Hello")
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
        client.send_message(mail)


def test_each_mail_becomes_a_file_named_by_order_and_message_id(tmp_path: Path) -> None:
    with mailcatcher(tmp_path) as (_, port):
        send(port, "<confirmation.1@shop.example>")
        send(port, "<../../etc/passwd>")

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["0001-confirmation.1@shop.example.eml", "0002-.._.._etc_passwd.eml"]
    assert "Hello" in (tmp_path / names[0]).read_text()


def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    for _ in range(2):
        with mailcatcher(tmp_path) as (_, port):
            send(port, "<same@shop.example>")

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["0001-same@shop.example.eml", "0002-same@shop.example.eml"]


def test_sigterm_stops_it_well(tmp_path: Path) -> None:
    with mailcatcher(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
