"""Sketches count within their error, add up, and are not paid for before there is one."""

import subprocess
import sys

import pytest

from router.store import sketches


@pytest.mark.parametrize("number", [0, 1, 1000, 30_000])
def test_counts_are_within_three_per_cent_also_when_read_again_and_joined(number: int) -> None:
    parts = [sketches.new() for _ in range(3)]
    for n in range(number):
        parts[n % 3].update(f"user:{n}")
        parts[(n + 1) % 3].update(f"user:{n}")
    again = [sketches.read(part.serialize_compact()) for part in parts]

    assert sketches.distinct(again) == pytest.approx(number, rel=0.03)


def test_the_library_is_not_loaded_before_a_sketch_is_made() -> None:
    script = "import sys, router.cli; print('numpy' in sys.modules, '_datasketches' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
