"""What Celery's users do."""

import contextlib
import pathlib
import subprocess
import sys

import kombu

import tasks

LIMIT = 120  # seconds that a wait for what is to come lasts at most


def equal(want, got):
    if want != got:
        raise AssertionError(f"got {got!r}, want {want!r}")


class Worker:
    """A worker's process; it has started when it answers the app's ping."""

    def __init__(self, name):
        self.name = f"{name}@localhost"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-n", self.name, "-P",
             "solo", "-l", "warning", "--without-gossip", "--without-mingle"],
            cwd=pathlib.Path(__file__).parent)

    def end(self):
        """As a machine ends that loses its power: no word to the broker."""
        self.process.kill()
        self.process.wait(LIMIT)

    def stop(self):
        self.process.terminate()
        equal(0, self.process.wait(LIMIT))


def awake(*workers):
    """Waits until all the workers answer; the ping goes through a fanout."""
    names = {worker.name for worker in workers}
    for _ in range(LIMIT):
        replies = tasks.app.control.ping(timeout=1, limit=len(names), destination=list(names))
        if {name for reply in replies for name in reply} == names:
            return
        equal(None, next((w.process.poll() for w in workers if w.process.poll()), None))
    raise AssertionError(f"waited {LIMIT} s for {names}")


@contextlib.contextmanager
def received(queue):
    """Gives the function that waits for the next message of a queue."""
    with tasks.app.connection_for_read() as connection:
        simple = connection.SimpleQueue(queue)

        def take():
            message = simple.get(timeout=LIMIT)
            message.ack()
            return message

        yield take
        simple.close()


def work():
    """Tasks are shared, and what a dying worker has in hand is done by another."""
    results = [tasks.fib.delay(n) for n in range(12)]
    equal([0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89], [r.get(timeout=LIMIT) for r in results])
    with received("holders") as holder:
        result = tasks.hold.delay()
        first = holder().payload
        next(w for w in workers if w.name.startswith(first)).end()
        second = holder().payload
        equal({"one", "two"}, {first, second})
        equal(second, result.get(timeout=LIMIT))
    dead = next(w for w in workers if w.name.startswith(first))
    workers[workers.index(dead)] = Worker(first)
    awake(*workers)


def publish_subscribe():
    """Each worker runs a task of a broadcast."""
    with received("holders") as holder:
        tasks.tell.apply_async(exchange="news", routing_key="")
        equal({"one", "two"}, {holder().payload, holder().payload})


def routing():
    result = tasks.where.apply_async(exchange="levels", routing_key="error")
    equal(["levels", "error"], result.get(timeout=LIMIT)[1:])


def topics():
    for key in ("quick.orange.fox", "lazy.brown"):
        result = tasks.where.apply_async(exchange="animals", routing_key=key)
        equal(["animals", key], result.get(timeout=LIMIT)[1:])


def rpc():
    """Results come to the reply queue of the caller."""
    equal(6765, tasks.fib.delay(20).get(timeout=LIMIT))
    equal([55, 1], [r.get(timeout=LIMIT) for r in (tasks.fib.delay(10), tasks.fib.delay(1))])


def confirms():
    """py-amqp waits for the confirmation of each message."""
    with tasks.app.connection_for_write() as connection:
        queue = kombu.Queue("confirmed", durable=True)(connection.default_channel)
        queue.declare()
        producer = connection.Producer()
        for n in range(200):
            producer.publish(n, routing_key="confirmed", delivery_mode="persistent", timeout=LIMIT)
        equal(200, queue.purge())


def dead_letters():
    with tasks.app.connection_for_write() as connection:
        tasks.dead(connection.default_channel).declare()
    with received(tasks.dead) as dead:
        tasks.unwanted.apply_async(exchange="mortal", routing_key="mortal")
        message = dead()
    equal("tasks.unwanted", message.headers["task"])
    (death,) = message.headers["x-death"]
    equal(("mortal", "rejected", 1, ["mortal"]),
          (death["queue"], death["reason"], death["count"], death["routing-keys"]))


def delayed_retry():
    """With quorum queues Celery delays tasks by 28 queues with a TTL, each the
    dead-letter target of the one before."""
    equal(3, tasks.flaky.delay().get(timeout=LIMIT))
    with tasks.app.connection_for_read() as connection:
        channel = connection.default_channel
        names = [f"celery_delayed_{level}" for level in range(28)]
        ready = [channel.queue_declare(name, passive=True).message_count for name in names]
        equal([0] * 28, ready)


workers = []


def parts():
    yield from {
        "start": start, "work-queue": work, "publish-subscribe": publish_subscribe,
        "routing": routing, "topics": topics, "rpc": rpc, "confirms": confirms,
        "dead-letters": dead_letters, "delayed-retry": delayed_retry, "stop": stop,
    }.items()


def start():
    workers.extend((Worker("one"), Worker("two")))
    awake(*workers)


def stop():
    """A warm shutdown ends well."""
    while workers:
        workers.pop().stop()
