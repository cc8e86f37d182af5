"""AMQP 1.0 against the built binary: the integration tests of Azure's go-amqp, as
they are in its module, and programs with Qpid Proton, rhea and RabbitMQ's own client.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from coffer import Server, clean_environment

HERE = pathlib.Path(__file__).parent
PATIENCE = 600  # seconds for a program, most of which a first build may take
MODULE = "github.com/Azure/go-amqp"
# Its integration tests. The others need no broker and are Azure's to run.
TESTS = [
    "TestConcurrentSessionsOpenClose", "TestDialWithCancelledContext", "TestDrainingLink",
    "TestIntegrationClose", "TestIntegrationLinkName", "TestIntegrationReceiverModeSecond",
    "TestIntegrationRoundTrip", "TestIntegrationRoundTrip_Buffered",
    "TestIntegrationSessionHandleMax", "TestMultipleSendersSharedSession",
    "TestMultipleSessionsOpenClose", "TestNewReceiverWithCancelledContext",
    "TestNewSessionWithCancelledContext", "TestReceiverModeFirst",
    "TestReceivingLotsOfSettledMessages", "TestSenderExactlyOnce", "TestSenderNullValue",
]
# Bounds of its own calls, in the form of its source: a second is little on a machine
# that does other things.
HASTE = re.compile(r"\b([15]|10)\*time\.Second\b")


class GoAMQP(unittest.TestCase):
    def test_integration(self):
        said = subprocess.run(["go", "mod", "download", "-json", MODULE], cwd=HERE,
                              capture_output=True, text=True, check=True).stdout
        home = tempfile.TemporaryDirectory(prefix="coffer-goamqp-")
        self.addCleanup(home.cleanup)
        source = pathlib.Path(home.name, "source")
        shutil.copytree(json.loads(said)["Dir"], source, copy_function=shutil.copyfile)
        subprocess.run(["chmod", "-R", "u+w", source], check=True)
        test = source / "integration_test.go"
        text = test.read_text()
        self.assertEqual(sorted(set(re.findall(r"^func (Test\w+)", text, re.M))), sorted(TESTS))
        text = HASTE.sub("60*time.Second", text).replace("200 * time.Millisecond", "5 * time.Second")
        test.write_text(text)
        server = Server(self)
        env = {**clean_environment(), "GOFLAGS": "-mod=mod",
               "AMQP_BROKER_ADDR": server.env["COFFER_AMQP_URL"].split("/%2f")[0],
               "SSL_CERT_FILE": server.env["COFFER_CA"]}
        run = subprocess.run(
            ["go", "test", "-count=1", "-v", "-run", "^(" + "|".join(TESTS) + ")$", "."],
            cwd=source, env=env, capture_output=True, text=True, timeout=PATIENCE)
        passed = re.findall(r"^--- PASS: (\w+)", run.stdout, re.M)
        self.assertEqual(sorted(passed), sorted(TESTS), run.stdout[-8000:] + run.stderr)


class Program(unittest.TestCase):
    """A program that prints `ok NAME` for each part that held."""

    name, parts = None, []

    def test_parts(self):
        if self.name is None:
            self.skipTest("the base of the others")
        command = pathlib.Path(os.environ.get("COFFER_COMPAT_CLIENTS", HERE), self.name)
        why = command.with_suffix(".skip")
        if why.is_file():
            self.skipTest(f"{self.name}: {why.read_text().strip()}")
        if not command.is_file():
            self.skipTest(f"not asked for; make compat CLIENTS={self.name}")
        server = Server(self)
        run = subprocess.run(shlex.split(command.read_text()), cwd=HERE, capture_output=True,
                             env={**clean_environment(), **server.env}, text=True,
                             timeout=PATIENCE)
        held = re.findall(r"^ok (.+)$", run.stdout, re.M)
        self.assertEqual(held, self.parts, run.stdout + run.stderr)


class Proton(Program):
    name = "proton"
    parts = ["work-queue", "outcomes", "publish-subscribe", "rpc", "bodies", "mistakes"]


class Rhea(Program):
    name = "rhea"
    parts = ["work-queue", "outcomes", "publish-subscribe", "rpc", "bodies", "mistakes"]


class RabbitAMQP(Program):
    """RabbitMQ's own client for Java, which declares things at the management node."""

    name = "rabbitamqp"
    parts = ["declare", "publish", "consume", "rpc", "mistakes", "delete"]


del Program  # unittest would run it too

if __name__ == "__main__":
    unittest.main()
