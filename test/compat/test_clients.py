"""Client programs of other languages against the built binary: what their
tutorials do, what their users do wrong, and a key that is taken away.

In the folder COFFER_COMPAT_CLIENTS a file named after each client says how to
run it; with .skip in its name, why it cannot be run. A program prints `ok NAME`
for each part that held.
"""

import contextlib
import os
import pathlib
import shlex
import signal
import subprocess
import threading
import unittest
import urllib.parse

from coffer import Broker, Server, another_authority, clean_environment
from relay import Relay

HERE = pathlib.Path(__file__).parent
PATTERNS = ["work-queue", "publish-subscribe", "routing", "topics", "rpc", "direct-reply-to",
            "confirms", "dead-letters", "delayed-retry"]
MISTAKES = ["wrong-password", "wrong-vhost", "wrong-ca", "plaintext", "missing-queue",
            "missing-exchange", "other-arguments", "acked-twice", "exclusive"]
PATIENCE = 300  # seconds that a program may take; it limits each of its waits itself


def end(process):
    """Ends a program and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Client(unittest.TestCase):
    """One client library; a subclass says which and what it cannot do."""

    name = None
    patterns, mistakes = PATTERNS, MISTAKES

    @classmethod
    def setUpClass(cls):
        if cls.name is None:
            raise unittest.SkipTest("the base of the others")
        said = pathlib.Path(os.environ.get("COFFER_COMPAT_CLIENTS", HERE), cls.name)
        why = said.with_suffix(".skip")
        if why.is_file():
            raise unittest.SkipTest(f"{cls.name}: {why.read_text().strip()}")
        if not said.is_file():
            raise unittest.SkipTest(f"not asked for; make compat CLIENTS={cls.name}")
        cls.command = shlex.split(said.read_text())

    def setUp(self):
        self.server = Server(self)

    def launch(self, mode, **more):
        env = {**clean_environment(), **self.server.env, **more}
        process = subprocess.Popen([*self.command, mode], env=env, text=True, cwd=HERE,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        timer = threading.Timer(PATIENCE, end, [process])
        timer.start()
        for done in (process.stdout.close, process.stdin.close, process.wait,
                     lambda: end(process), timer.join, timer.cancel):
            self.addCleanup(done)  # the last first
        return process

    def finish(self, process, parts, answer=None):
        """Reads to the program's end; it must have printed these parts."""
        said = []
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            if answer and said[-1] in answer:
                process.stdin.write(answer[said[-1]]() + "\n")
                process.stdin.flush()
        status = process.wait()
        held = [line[3:] for line in said if line.startswith("ok ")]
        if (status, held) != (0, parts):
            missing = [part for part in parts if part not in held]
            self.fail("\n".join([f"status {status}, without {missing}:", *said]))

    def test_patterns(self):
        self.finish(self.launch("patterns"), self.patterns)

    def test_mistakes(self):
        other = another_authority(self.server.home.name)
        self.finish(self.launch("mistakes", OTHER_CA=other), self.mistakes)

    def aws(self, *words):
        """The AWS CLI, which is how the owner of a key takes it away."""
        env = {**clean_environment(), **self.server.env, "AWS_PAGER": "",
               "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_OUTPUT": "text"}
        done = subprocess.run(["aws", *words], env=env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()


class Revocable(Client):
    """A client that is shown what a customer's disabled key does to it."""

    def test_locked(self):
        key = self.aws("kms", "create-key", "--query", "KeyMetadata.Arn")
        broker = Broker(self.server, "locked", key)

        def disable():
            self.aws("kms", "disable-key", "--key-id", key)
            return key + " is disabled"

        def enable():
            self.aws("kms", "enable-key", "--key-id", key)
            return "enabled"

        self.finish(self.launch("locked", COFFER_LOCKED_URL=broker.url()), ["locked"],
                    {"disable": disable, "enable": enable})


class Recovering(Client):
    """A client that connects again by itself, and sets up again what it had."""

    def test_recovery(self):
        relay = Relay(self, lambda: urllib.parse.urlsplit(self.server.env["COFFER_AMQP_URL"]).port)
        url = urllib.parse.urlsplit(self.server.env["COFFER_AMQP_URL"])
        url = url._replace(netloc=url.netloc.replace(f":{url.port}", f":{relay.port}"))

        def restart():
            self.server.kill()
            self.server.start()
            return "restarted"

        program = self.launch("recovery", COFFER_AMQP_URL=url.geturl())
        self.finish(program, ["recovery"], {"restart": restart})


class Node(Revocable, Recovering):
    name = "node"


class AioPika(Recovering):
    name = "aiopika"


class Java(Revocable, Recovering):
    name = "java"


class Spring(Recovering):
    name = "spring"
    patterns = [*PATTERNS[:7], "transactions", *PATTERNS[7:]]
    mistakes = [m for m in MISTAKES if m != "acked-twice"]  # listeners ack, not users


class Ruby(Recovering):
    name = "ruby"


class Php(Client):
    name = "php"


class Celery(Client):
    """It has no reply-to but its own queues."""

    name = "celery"
    patterns = ["start", *(p for p in PATTERNS if p != "direct-reply-to"), "stop"]


del Client, Revocable, Recovering  # unittest would run them too

if __name__ == "__main__":
    unittest.main()
