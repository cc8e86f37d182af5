"""Celery's SQS transport at work: workers take thousands of tasks, and some are killed
with tasks in hand. Each line `ok NAME` is one part that held; the first that does not
ends the program."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
TASKS = 1000
KILLS = 3
PATIENCE = 240  # seconds that a wait for something that is to come lasts at most


@contextlib.contextmanager
def crew(count):
    """Keeps workers, by name; whoever stays is killed at the end."""
    workers = {}

    def hire(name):
        workers[name] = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "2", "-n", name,
             "-l", "error", "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=HERE, start_new_session=True, stdout=sys.stderr)

    def kill(name):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(workers[name].pid, signal.SIGKILL)
        workers[name].wait()

    try:
        for i in range(count):
            hire(f"w{i}")
        yield hire, kill
    finally:
        for name in workers:
            kill(name)


def noted():
    with open(os.environ["COFFER_NOTES"]) as f:
        return {int(line) for line in f if line.endswith("\n")}


def wait(count):
    """Waits until so many numbers are written down."""
    late = time.monotonic() + PATIENCE
    while len(noted()) < count:
        if time.monotonic() > late:
            raise AssertionError(f"{len(noted())} of {count} after {PATIENCE} s")
        time.sleep(0.02)


def killed_workers(tasks):
    """All workers are killed again and again, and no task is lost."""
    with crew(2) as (hire, kill):
        for n in range(TASKS):
            tasks.note.delay(n)
        for i in range(KILLS):
            wait((i + 1) * TASKS // (KILLS + 2))
            kill(f"w{i % 2}")
            hire(f"w{i % 2}")
        wait(TASKS)
    if noted() != set(range(TASKS)):
        raise AssertionError("tasks were lost")


def retries(tasks):
    """A task that fails comes back after its delay."""
    with crew(1):
        for n in range(3):
            tasks.flaky.delay(TASKS + n)
        wait(TASKS + 3)


def main():
    with tempfile.NamedTemporaryFile() as notes:
        os.environ["COFFER_NOTES"] = notes.name
        sys.path.insert(0, str(HERE))
        import tasks
        for part in (killed_workers, retries):
            part(tasks)
            print(f"ok {part.__name__}", flush=True)


if __name__ == "__main__":
    main()
