"""Runs the built binary for the tests: starts `coffer serve`, reads `coffer
env`, gives boto3 and pika clients that trust its CA, kills and stops it.

Only the process that a Server started is ended by it.
"""

import contextlib
import os
import secrets
import shlex
import signal
import ssl
import stat
import subprocess
import tempfile
import time
import unittest

import boto3
import botocore.config
import pika

BINARY = os.environ["COFFER_BINARY"]
PATIENCE = 60  # seconds that a wait for something that is to come lasts at most


def clean_environment():
    """The tester's own without what would configure the binary or clients."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("COFFER_", "AWS_"))}


class Server:
    """One data directory and the process that serves it."""

    def __init__(self, case: unittest.TestCase, *args: str):
        self.case, self.args = case, args
        self.home = tempfile.TemporaryDirectory(prefix="coffer-compat-")
        case.addCleanup(self.home.cleanup)
        self.data = os.path.join(self.home.name, "data")
        self.log_path = os.path.join(self.home.name, "log")
        self.process, self.env, self.secrets = None, {}, []
        case.addCleanup(self.end)
        self.start()

    def start(self):
        stale = self.endpoints()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--ports=auto", "--data", self.data, *self.args],
                env=clean_environment(), stdout=log, stderr=log)
        self.wait("the endpoints", lambda: self.alive() and self.endpoints() not in (None, stale))
        out = subprocess.run([BINARY, "env", "--data", self.data], env=clean_environment(),
                             capture_output=True, text=True, check=True).stdout
        self.env = dict(shlex.split(line)[1].split("=", 1) for line in out.splitlines())
        with open(os.path.join(self.data, "main-admin")) as f:
            self.secrets += [f.read().strip(), self.env["AWS_SECRET_ACCESS_KEY"]]

    def alive(self):
        self.case.assertIsNone(self.process.poll(), "the process ended while it started")
        return True

    def endpoints(self):
        """Which file it is: when it is replaced twice, its inode number may be
        the old one again."""
        try:
            found = os.stat(os.path.join(self.data, "endpoints.json"))
            return found.st_ino, found.st_mtime_ns
        except FileNotFoundError:
            return None

    def wait(self, what, ready):
        late = time.monotonic() + PATIENCE
        while not ready():
            if time.monotonic() > late:
                self.case.fail(f"waited {PATIENCE} s for {what}\n{self.goroutines()}")
            time.sleep(0.01)

    def goroutines(self):
        """Ends the process with SIGQUIT; the end of its log, and what it was at."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE)
        self.process = None
        with open(self.log_path, errors="replace") as f:
            return f.read()[-50_000:]

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process = None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.case.assertEqual(self.process.wait(PATIENCE), 0, "stop")
        self.process = None

    def end(self):
        if self.process:
            self.stop()
        with open(self.log_path, errors="replace") as f:
            log = f.read()
        for secret in self.secrets:
            self.case.assertNotIn(secret, log, "the log holds a secret")

    def client(self, service, **credentials):
        """A boto3 client that does not try again."""
        access = {"aws_access_key_id": self.env["AWS_ACCESS_KEY_ID"],
                  "aws_secret_access_key": self.env["AWS_SECRET_ACCESS_KEY"], **credentials}
        return boto3.session.Session().client(
            service, endpoint_url=self.env["AWS_ENDPOINT_URL"], verify=self.env["AWS_CA_BUNDLE"],
            region_name=self.env["AWS_REGION"], **access,
            config=botocore.config.Config(retries={"total_max_attempts": 1}))

    def parameters(self, url=None):
        """pika's parameters for a broker's URL; broker main's if none is given."""
        p = pika.URLParameters(url or self.env["COFFER_AMQP_URL"])
        context = ssl.create_default_context(cafile=self.env["COFFER_CA"])
        p.ssl_options = pika.SSLOptions(context, p.host)
        p.blocked_connection_timeout = None
        return p

    def connect(self, url=None):
        connection = pika.BlockingConnection(self.parameters(url))
        self.case.addCleanup(close, connection)
        return connection


def close(connection):
    """Closes a connection whose process may have ended."""
    if connection.is_open:
        with contextlib.suppress(pika.exceptions.AMQPError):
            connection.close()


class Broker:
    """A broker that a test made."""

    def __init__(self, server: Server, name, key=None):
        self.server, self.password = server, "pw-" + secrets.token_hex(16)
        server.secrets.append(self.password)
        out = server.client("mq").create_broker(**self.request(name, key))
        self.id = out["BrokerId"]
        self.await_state("RUNNING")

    def request(self, name, key=None):
        r = {"BrokerName": name, "EngineType": "RABBITMQ", "DeploymentMode": "SINGLE_INSTANCE",
             "HostInstanceType": "mq.m5.large", "PubliclyAccessible": False,
             "AutoMinorVersionUpgrade": True,
             "Users": [{"Username": "story", "Password": self.password}]}
        if key:
            r["EncryptionOptions"] = {"UseAwsOwnedKey": False, "KmsKeyId": key}
        return r

    def describe(self):
        return self.server.client("mq").describe_broker(BrokerId=self.id)

    def await_state(self, state):
        self.server.wait(state, lambda: self.describe()["BrokerState"] == state)
        return self.describe()

    def url(self):
        (instance,) = self.describe()["BrokerInstances"]
        (endpoint,) = instance["Endpoints"]
        return endpoint.replace("://", f"://story:{self.password}@") + "/%2f"


def another_authority(directory):
    """The certificate of an authority that has signed nothing, in a file."""
    path = os.path.join(directory, "other.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                    "/CN=Another CA", "-keyout", path + ".key", "-out", path],
                   check=True, capture_output=True)
    return path


def scan(directory, word: bytes):
    """The files below a directory that hold the word."""
    found = []
    for base, _, names in os.walk(directory):
        for path in (os.path.join(base, name) for name in names):
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue  # the control socket
                with open(path, "rb") as f:
                    if word in f.read():
                        found.append(path)
            except FileNotFoundError:
                pass  # the store removes files while it runs
    return found
