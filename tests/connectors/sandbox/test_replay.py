"""Replaying a file, as a function and from the command line."""

from __future__ import annotations

import csv
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from connectors.sandbox.cli import commands
from connectors.sandbox.names import invented
from connectors.sandbox.replay import FileFaultError, Options, ReplayError, read_rows, replay

if TYPE_CHECKING:
    from pathlib import Path

    from connectors.sandbox.server import Running
    from tests.connectors.sandbox.clients import Client

COLUMNS = ("page", "post_id", "id", "kind", "written_at", "text")
STREAM = [
    dict(zip(COLUMNS, row, strict=True))
    for row in (
        ("p1", "10.0", "3", "reply", "2024-05-18 09:00:00", "Ответ"),
        ("p1", "10.0", "2", "comment", "2024-05-18 08:00:00", "Вопрос"),
        ("p2", "11.0", "4", "comment", "2024-05-18 10:00:00", "Другой"),
        ("p1", "12.0", "5", "reply", "2024-05-18 11:00:00", "Без пары"),
    )
]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """A CSV file with a byte-order mark, as spreadsheets write it."""
    with path.open("w", encoding="utf-8-sig", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


async def test_a_stream_keeps_its_posts_replies_and_times(sandbox: Running, http: Client, tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "stream.csv", STREAM))
    assert [row.text for row in rows] == ["Вопрос", "Ответ", "Другой", "Без пары"]
    summary = await replay(rows, Options(url=sandbox.url, keep_times=True, time_zone="Europe/Moscow"))
    assert len(summary.placed) == 4
    assert summary.skipped == {}
    stored = {(item["platform"], item["page"], item["id"]): item for item in http.get("/truth")["comments"]}
    placed = {n: stored[item.platform, item.page, item.id] for n, item in summary.placed.items()}
    assert placed[1]["reply_to"] == placed[2]["id"]
    assert placed[1]["post_id"] == placed[2]["post_id"] != placed[4]["post_id"]
    assert placed[2]["written_at"] == "2024-05-18T05:00:00+00:00"
    assert placed[3]["page"] != placed[1]["page"]
    assert placed[4]["reply_to"] is None
    assert len({item["author"] for item in placed.values()}) == 4


async def test_texts_go_where_they_fit(sandbox: Running, http: Client, tmp_path: Path) -> None:
    texts = ["короткий"] * 6 + ["д" * 5000] * 3 + ["х" * 20_000, "  "]
    rows = read_rows(write(tmp_path / "texts.csv", [{"text": text, "author": "Я"} for text in texts]))
    summary = await replay(rows, Options(url=sandbox.url))
    assert len(summary.placed) == 9
    assert sorted(summary.skipped) == [10, 11]
    assert "20000 characters" in summary.skipped[10]
    assert {summary.placed[number].platform for number in (7, 8, 9)} == {"vk"}
    assert Counter(item.page for item in summary.placed.values()).keys() == {"town", "village", "town_news"}
    assert [item["text"] for item in http.get("/truth")["comments"][-9:]] == texts[:9]
    only = await replay(rows[:9], Options(url=sandbox.url, platforms=frozenset({"telegram"})))
    assert only.sent == {"telegram": 6}
    assert len(only.skipped) == 3


async def test_the_rate_is_kept(sandbox: Running, tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "texts.csv", [{"text": f"т{n}"} for n in range(11)]))
    started = time.monotonic()
    await replay(rows, Options(url=sandbox.url, rate=20, pages=frozenset({"village"})))
    assert 0.5 <= time.monotonic() - started < 3


async def test_what_cannot_be_replayed_says_why(sandbox: Running, tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "texts.csv", [{"text": "т"}]))
    with pytest.raises(ReplayError, match="no page"):
        await replay(rows, Options(url=sandbox.url, pages=frozenset({"nowhere"})))
    with pytest.raises(ReplayError, match="running"):
        await replay(rows, Options(url="http://127.0.0.1:9"))
    with pytest.raises(FileFaultError, match="text"):
        read_rows(write(tmp_path / "other.csv", [{"words": "т"}]))
    (tmp_path / "latin.csv").write_bytes(b"text\n\xff\xfe\n")
    with pytest.raises(FileFaultError):
        read_rows(tmp_path / "latin.csv")


def test_the_command_line_prints_a_summary_and_exit_codes(sandbox: Running, http: Client, tmp_path: Path) -> None:
    file = str(write(tmp_path / "stream.csv", STREAM))
    runner = CliRunner()
    done = runner.invoke(commands, ["replay", file, "--url", sandbox.url, "--platform", "vk"])
    assert done.exit_code == 0, done.output
    assert "sent 4" in done.output
    assert len(http.get("/truth?platform=vk")["comments"]) == 7
    assert runner.invoke(commands, ["replay", file, "--url", "http://127.0.0.1:9"]).exit_code == 1
    assert runner.invoke(commands, ["replay", str(tmp_path / "missing.csv")]).exit_code == 2
    assert runner.invoke(commands, ["replay", file, "--platform", "elsewhere"]).exit_code == 2
    assert runner.invoke(commands, ["replay", file, "--time-zone", "Mars/Base"]).exit_code == 2
    http.patch("/world/posts/vk/town/1", {"comments_open": False})
    port = sandbox.url.rpartition(":")[2]
    busy = runner.invoke(commands, ["--port", port])
    assert busy.exit_code == 1
    assert "--port" in busy.output
    bad = tmp_path / "bad.json"
    bad.write_text("{", encoding="utf-8")
    assert runner.invoke(commands, ["--port", "0", "--world", str(bad)]).exit_code == 1


def test_every_invented_person_is_another() -> None:
    names = [invented(number) for number in range(20_000)]
    assert len(set(names)) == len(names)
