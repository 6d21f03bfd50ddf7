"""`python -m tests.fuzz TARGET [options of libFuzzer]`: fuzz one target with coverage, for as long as you like.

Needs atheris (`pip install -e '.[fuzz]'`). What it finds goes into the corpus, where tests/fuzz/test_targets.py runs it
ever after: `python -m tests.fuzz body -max_total_time=600`.
"""

import sys
from pathlib import Path

import atheris

CORPUS = Path(__file__).with_name("corpus")


def main() -> None:
    with atheris.instrument_imports(include=["router"]):
        from tests.fuzz.targets import TARGETS
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"name a target: {', '.join(TARGETS)}")
    name = sys.argv.pop(1)
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    # New finds that only widen coverage stay out of the repository; those that fail are written to the corpus.
    arguments = [sys.argv[0], f"-artifact_prefix={folder}/", "-timeout=5", "-rss_limit_mb=1024", *sys.argv[1:]]
    atheris.Setup([*arguments, str(folder)] if len(sys.argv) == 1 else [*arguments], TARGETS[name])
    atheris.Fuzz()


main()
