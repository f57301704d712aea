"""The README's application runs as it is, but on the tests' server."""

import os
import re
import subprocess
import sys

from celery import Celery

from tests.conftest import HERE, until


def test_the_application_of_the_readme_runs(server, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (HERE.parent / "README.md").read_text(), re.DOTALL)
    assert "localhost:6379" in code
    (tmp_path / "shop.py").write_text(code.replace("localhost:6379", f"127.0.0.1:{server.port}"))
    with open(tmp_path / "worker.log", "wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "shop", "worker", "--loglevel", "INFO", "--concurrency", "1"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with Celery("producer", broker=server.url) as app:
            app.send_task("shop.confirm", [17])
            until(lambda: "confirmed 17" in (tmp_path / "worker.log").read_text())
            until(lambda: server.mq("LEN", "celery") == 0)
    finally:
        worker.terminate()
        worker.wait(30)
