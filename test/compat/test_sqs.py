"""SQS with boto3 of today, which speaks JSON, with Debian's, which speaks query, with the
asynchronous one, with AWS's SDKs for JavaScript and Java, with AsyncAws (PHP), and with
what is built on them: sqs-consumer (npm), Celery, JMS, Spring Cloud AWS, Symfony Messenger.

The programs print `ok NAME` for each part that held.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import unittest

from coffer import PATIENCE, Server, another_authority, clean_environment

HERE = pathlib.Path(__file__).parent
OLD = os.environ.get("COFFER_COMPAT_OLD")  # Python with an old boto3
CLIENTS = pathlib.Path(os.environ.get("COFFER_COMPAT_CLIENTS", HERE))

OPERATIONS = """CreateQueue GetQueueUrl ListQueues SetQueueAttributes GetQueueAttributes TagQueue
    ListQueueTags UntagQueue AddPermission RemovePermission SendMessage ReceiveMessage
    ChangeMessageVisibility DeleteMessage SendMessageBatch ChangeMessageVisibilityBatch
    DeleteMessageBatch groups ListDeadLetterSourceQueues""".split()
MOVES = ["StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask"]
ENDS = ["PurgeQueue", "DeleteQueue"]
MISTAKES = ["wrong-secret", "wrong-key", "wrong-region", "no-region", "plaintext", "wrong-ca",
            "deleted-queue", "no-permission"]


class Queues(unittest.TestCase):
    def setUp(self):
        self.server = Server(self)

    def play(self, program, part, *want, **more):
        environment = {**clean_environment(), **self.server.env, **more,
                       "AWS_DEFAULT_REGION": self.server.env["AWS_REGION"],
                       "NODE_EXTRA_CA_CERTS": self.server.env["AWS_CA_BUNDLE"],
                       "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true"}
        done = subprocess.run([*program, *part], env=environment, capture_output=True, text=True,
                              timeout=5 * PATIENCE, cwd=HERE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split("\n")[:-1], ["ok " + name for name in want])

    def story(self, python):
        program = [python, "sqs/story.py"]
        self.play(program, ["send"], "create", "send", "refusals")
        self.server.kill()
        self.server.start()
        self.play(program, ["receive"], "receive", "attributes", "tags", "visibility", "delete")

    def test_json(self):
        self.story(sys.executable)

    @unittest.skipUnless(OLD, "run.sh has made no environment of an old boto3")
    def test_query(self):
        self.story(OLD)

    def test_operations(self):
        self.play([sys.executable, "sqs/operations.py"], ["json"],
                  *OPERATIONS, *MOVES, *ENDS)

    @unittest.skipUnless(OLD, "run.sh has made no environment of an old boto3")
    def test_operations_query(self):
        self.play([OLD, "sqs/operations.py"], ["query"], *OPERATIONS, *ENDS)

    def mistaken(self):
        """An authority that is not ours, and the key of a user who may do nothing."""
        iam = self.server.client("iam")
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        self.server.secrets.append(key["SecretAccessKey"])
        return {"OTHER_CA": another_authority(self.server.home.name),
                "NOBODY_KEY": key["AccessKeyId"], "NOBODY_SECRET": key["SecretAccessKey"]}

    def test_mistakes(self):
        self.play([sys.executable, "sqs/mistakes.py"], [], *MISTAKES, **self.mistaken())

    @unittest.skipUnless(OLD, "run.sh has made no environment of an old boto3")
    def test_mistakes_query(self):
        self.play([OLD, "sqs/mistakes.py"], [], *MISTAKES, **self.mistaken())

    def client(self, name, part, *want, **more):
        """Plays a part of a client that install.sh has installed."""
        said = CLIENTS / name
        if said.with_suffix(".skip").is_file():
            self.skipTest(said.with_suffix(".skip").read_text().strip())
        if not said.is_file():
            self.skipTest(f"not asked for; make compat CLIENTS={name}")
        self.play(shlex.split(said.read_text()), part, *want, **more)

    def test_javascript(self):
        self.client("sqs", ["operations"],
                    "queues", "tags", "permissions", "messages", "batches", "deadLetters",
                    "ends")

    def test_javascript_mistakes(self):
        self.client("sqs", ["mistakes"], *MISTAKES, **self.mistaken())

    def test_asynchronous(self):
        self.client("sqsasync", [], "operations", "polls", "groups")

    def test_java(self):
        self.client("sqsjava", ["operations"], "queues", "tags", "permissions", "messages",
                    "batches", "moves", "ends", "every")

    def test_java_mistakes(self):
        self.client("sqsjava", ["mistakes"], *MISTAKES, **self.mistaken())

    def test_java_groups(self):
        self.client("sqsjava", ["groups"], "groups", "batchManager")

    def test_jms(self):
        self.client("sqsjava", ["jms"], "queue", "groups")

    def test_spring_cloud(self):
        self.client("sqsjava", ["spring"], "template", "listener")

    def test_php(self):
        self.client("sqsphp", ["operations"], "queues", "messages", "batches", "ends")

    def test_messenger(self):
        self.client("sqsphp", ["messenger"], "work", "groups")

    def test_celery(self):
        """Celery's workers are killed with tasks in hand; none is lost."""
        self.client("celerysqs", [], "killed_workers", "retries")

    @unittest.skipUnless(os.environ.get("COFFER_COMPAT_WHOLE"), "with CLIENTS=all")
    def test_consumer(self):
        """Processes of sqs-consumer are killed with messages in hand; nothing is lost."""
        self.client("sqs", ["consumer"], "thousands")

    @unittest.skipUnless(os.environ.get("COFFER_COMPAT_WHOLE"), "with CLIENTS=all")
    def test_consumer_groups(self):
        """So they are at a FIFO queue, and no group gets out of order."""
        self.client("sqs", ["groups"], "inOrder")
