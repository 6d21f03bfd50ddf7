"""What is set of the interpreter and the system, in a process of its own."""

import json
import subprocess
import sys

SCRIPT = """
import ctypes, gc, json, resource, sys
from router.tuning import tune
tune()
print(json.dumps([gc.get_threshold()[0], gc.get_freeze_count() > 0, sys.getswitchinterval(),
                  resource.getrlimit(resource.RLIMIT_NOFILE), ctypes.CDLL(None).prctl(30, 0, 0, 0, 0)]))
"""


def test_everything_is_set() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    threshold, frozen, switch, (soft, hard), slack = json.loads(done.stdout)

    assert (threshold, frozen) == (50_000, True)
    assert abs(switch - 0.000_05) < 1e-6
    assert slack == 1, "nanoseconds, prctl's PR_GET_TIMERSLACK"
    assert soft == hard
