"""The application that Celery's workers serve: its queues and tasks."""

import os
import ssl
import threading
import urllib.parse

import celery
import kombu
import kombu.common

URL = os.environ["COFFER_AMQP_URL"]
HOST = urllib.parse.urlsplit(URL).hostname
TLS = {"ca_certs": os.environ["COFFER_CA"], "cert_reqs": ssl.CERT_REQUIRED,
       "server_hostname": HOST}  # with a name py-amqp checks it

LETTERS = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "gone"}
animals = kombu.Exchange("animals", "topic")
dlx = kombu.Exchange("dlx", "direct")
work = kombu.Exchange("work", "topic")
dead = kombu.Queue("dead", dlx, "gone")
WORKING = [
    kombu.Queue("work", work, "work", queue_arguments={"x-queue-type": "quorum"}),
    kombu.Queue("errors", kombu.Exchange("levels", "direct"), "error"),
    kombu.Queue("orange", animals, "*.orange.*"),
    kombu.Queue("lazy", animals, "lazy.#"),
    kombu.Queue("mortal", kombu.Exchange("mortal", "direct"), "mortal",
                queue_arguments=LETTERS),
    kombu.common.Broadcast("news", routing_key="news"),
]

app = celery.Celery("compat", broker=URL, backend="rpc://")
app.conf.update(
    broker_use_ssl=TLS,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
    task_queues=WORKING,
    task_default_queue="work",
    task_default_exchange="work",
    task_default_routing_key="work",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)


@app.task
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@app.task(bind=True)
def where(task):
    """The worker and the delivery of this task."""
    info = task.request.delivery_info
    return [task.request.hostname.split("@")[0], info["exchange"], info["routing_key"]]


@app.task(bind=True, max_retries=3)
def flaky(task):
    """Fails until it has been tried three times."""
    if task.request.retries < 3:
        raise task.retry(countdown=1)
    return task.request.retries


def announce(task):
    """Tells a queue which worker has this task."""
    name = task.request.hostname.split("@")[0]
    with app.producer_pool.acquire(block=True) as producer:
        producer.publish(name, routing_key="holders")
    return name


@app.task(bind=True)
def tell(task):
    return announce(task)


@app.task(bind=True)
def hold(task):
    """Tells who has it, and keeps the first worker for as long as it lives."""
    name = announce(task)
    if not task.request.delivery_info["redelivered"]:
        threading.Event().wait()
    return name


@app.task
def unwanted():
    raise celery.exceptions.Reject("nobody wants it", requeue=False)
