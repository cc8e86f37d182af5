"""Celery, with its workers as processes of their own, against a Coffer that
runs: main.py patterns|mistakes. Each line `ok NAME` is one part that held; the
first that does not ends the program."""

import importlib
import pathlib
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def main(mode):
    for name, part in importlib.import_module(mode).parts():
        part()
        print(f"ok {name}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
