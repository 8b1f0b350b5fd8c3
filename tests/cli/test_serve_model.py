"""serve-model serves until it is told to stop."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
COMMAND = [sys.executable, "-m", "sociarium", "serve-model", "scripted:echo", "--port", "0"]


def test_a_served_model_answers_until_it_is_told_to_stop() -> None:
    with subprocess.Popen(COMMAND, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/v1", serving.stdout.readline())
            assert found is not None
            body = json.dumps({"model": "any", "messages": [{"role": "user", "content": "Ten tons each."}]}).encode()
            request = urllib.request.Request(found.group() + "/chat/completions", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer)["choices"][0]["message"]["content"] == "Ten tons each."
            assert serving.poll() is None
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(30) == 0
        finally:
            serving.kill()


def test_an_address_that_others_can_reach_is_refused() -> None:
    command = [*COMMAND, "--host", "0.0.0.0"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "can be reached by other machines" in done.stderr
