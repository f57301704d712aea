"""The examples of README.md, and those of the project's pages, as they stand there."""

import re
import signal
import subprocess
import sys
from pathlib import Path


def examples(readme):
    return re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)


FOLDER = Path(__file__).resolve().parents[1]
PUSH, WORK, SCHEDULE, FAKE = examples(FOLDER / "README.md")
(BOTH,) = examples(FOLDER.parents[1] / "README.md")
SQS, STREAMS, BEANSTALKD = examples(FOLDER.parents[1] / "docs/coming-from.md")
(AT_START,) = examples(FOLDER.parents[1] / "docs/schedules.md")


def test_what_to_install_is_this_package():
    (path,) = re.findall(r"pip install (\./\S+)\n", (FOLDER / "README.md").read_text())
    assert (FOLDER.parents[1] / path).samefile(FOLDER)


def test_push_and_work(url, tmp_path, client):
    run(PUSH.replace("redis://localhost:6379", url))
    assert client.len("orders") == 2
    assert work(WORK, url, tmp_path, 2) == ["processed order 17\n", "processed order 18\n"]
    assert client.len("orders") == 0


def test_the_example_of_the_project(url, tmp_path, client):
    assert work(BOTH, url, tmp_path, 1) == ["processed order 17\n"]
    assert client.len("orders") == 0


def test_coming_from_others(url, tmp_path, client, capsys):
    for code in (SQS, BEANSTALKD):
        run(code.replace("redis://localhost:6379", url))
        assert client.len("orders") == 0
    assert capsys.readouterr().out == "order 17\norder 17 failed before: no such order\n"
    assert work(STREAMS, url, tmp_path, 1) == ["processed order 17\n"]


def test_a_schedule(url, client, capsys):
    run(SCHEDULE.replace("redis://localhost:6379", url))
    (daily,) = client.schedules("reports")
    assert capsys.readouterr().out == f"next: {daily.next_tick.astimezone()}\n"


def test_the_schedules_of_an_application(url, client):
    client.schedule("reports", "shop:old", "", every=60)
    client.schedule("reports", "other", "", every=60)
    for _ in range(2):
        run(AT_START.replace("redis://localhost:6379", url))
        assert {one.name for one in client.schedules("reports")} == {"other", "shop:poll", "shop:sales"}


def test_the_fake():
    run(FAKE)


def run(code):
    exec(compile(code, "README.md", "exec"), {})


def work(code, url, folder, count):
    """Runs a program until it has printed so many lines, and returns them, sorted."""
    program = folder / "worker.py"
    program.write_text(code.replace("redis://localhost:6379", url))
    worker = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    try:
        lines = [worker.stdout.readline() for _ in range(count)]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    finally:
        worker.kill()
        worker.stdout.close()
    return sorted(lines)
