"""The examples of README.md, as they stand there."""

import re
import signal
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
PUSH, WORK, FAKE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_push_and_work(url, tmp_path, client):
    run(PUSH.replace("redis://localhost:6379", url))
    assert client.len("orders") == 2
    program = tmp_path / "worker.py"
    program.write_text(WORK.replace("redis://localhost:6379", url))
    worker = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    try:
        assert sorted(worker.stdout.readline() for _ in range(2)) == ["processed order 17\n", "processed order 18\n"]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    finally:
        worker.kill()
        worker.stdout.close()
    assert client.len("orders") == 0


def test_the_fake():
    run(FAKE)


def run(code):
    exec(compile(code, "README.md", "exec"), {})
