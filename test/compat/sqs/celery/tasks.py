"""The application that Celery's workers serve, with SQS as its broker."""

import os
import urllib.parse

import celery
import kombu.asynchronous.aws.connection

# kombu's receives trust what certifi brings, whatever AWS_CA_BUNDLE says.
kombu.asynchronous.aws.connection.get_cert_path = lambda _: os.environ["AWS_CA_BUNDLE"]

VISIBILITY = 5  # seconds after which others get what a killed worker had
key, secret = (urllib.parse.quote(os.environ[name], safe="")
               for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
where = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc

app = celery.Celery("compat", broker=f"sqs://{key}:{secret}@{where}")
app.conf.update(
    broker_transport_options={
        "region": os.environ["AWS_REGION"], "is_secure": True, "wait_time_seconds": 5,
        "visibility_timeout": VISIBILITY, "queue_name_prefix": "compat-",
    },
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=4,
)


@app.task
def note(n):
    """Writes the number down, in one piece."""
    with open(os.environ["COFFER_NOTES"], "a") as f:
        f.write(f"{n}\n")


@app.task(bind=True, max_retries=2)
def flaky(task, n):
    """Fails twice, with a delay between."""
    if task.request.retries < 2:
        raise task.retry(countdown=1)
    note.run(n)
