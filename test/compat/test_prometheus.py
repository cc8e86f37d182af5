"""Debian's Prometheus scraping the built binary, by the loopback port and by the
management port with a password: every target is up, and what RabbitMQ's Grafana
dashboards ask for is there with the values of what just happened.
"""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

import pika

from coffer import Server, clean_environment

HERE = pathlib.Path(__file__).parent
DASHBOARDS = HERE.parents[1] / "internal/rabbitmq/metrics/testdata/dashboards.txt"
LEFT_OUT = ("erlang_", "rabbitmq_raft_")  # see left-out.txt beside it
JOBS = ("loopback", "management")

CONFIG = """
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: loopback
  metrics_path: /rabbitmq/metrics
  static_configs: [{targets: ["127.0.0.1:%(metrics)d"]}]
- job_name: management
  scheme: https
  tls_config: {ca_file: %(ca)s}
  basic_auth: {username: admin, password_file: %(password)s}
  static_configs: [{targets: ["localhost:%(management)d"]}]
- job_name: per-object
  metrics_path: /rabbitmq/metrics/per-object
  static_configs: [{targets: ["127.0.0.1:%(metrics)d"]}]
- job_name: detailed
  metrics_path: /rabbitmq/metrics/detailed
  params: {family: [queue_coarse_metrics, queue_delivery_metrics], vhost: ["/"]}
  static_configs: [{targets: ["127.0.0.1:%(metrics)d"]}]
"""


def dashboards():
    """The names that dashboards ask for and that Coffer has."""
    for line in DASHBOARDS.read_text().splitlines():
        if line and line[0] not in "#=" and not line.startswith(LEFT_OUT):
            yield line.split()[0]


class Prometheus(unittest.TestCase):
    def setUp(self):
        said = pathlib.Path(os.environ.get("COFFER_COMPAT_CLIENTS", HERE), "prometheus")
        why = said.with_suffix(".skip")
        if why.is_file():
            self.skipTest(f"prometheus: {why.read_text().strip()}")
        if not said.is_file():
            self.skipTest("not asked for; make compat CLIENTS=prometheus")
        self.server = Server(self)
        with open(os.path.join(self.server.data, "endpoints.json")) as f:
            self.ports = json.load(f)
        home = tempfile.TemporaryDirectory(prefix="coffer-prometheus-")
        self.addCleanup(home.cleanup)
        self.home = home.name

    def begin(self):
        """Starts Prometheus on a free port."""
        config = os.path.join(self.home, "prometheus.yml")
        with open(config, "w") as f:
            f.write(CONFIG % {
                "metrics": self.ports["metrics"], "management": self.ports["management"],
                "ca": self.server.env["COFFER_CA"],
                "password": os.path.join(self.server.data, "main-admin")})
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        log = open(os.path.join(self.home, "log"), "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", "--storage.tsdb.path=" + self.home + "/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            env=clean_environment(), stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url) as r:
                return json.load(r)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None  # it is starting

    def value(self, expression):
        data = self.ask("query", query=expression)
        return [float(r["value"][1]) for r in data["result"]] if data else []

    def works(self):
        """Messages that are published, delivered, acknowledged, left, unroutable."""
        connection = self.server.connect()
        out, into = connection.channel(), connection.channel()
        out.queue_declare("q", durable=True)
        out.confirm_delivery()
        for n in range(10):
            out.basic_publish("", "q", str(n).encode(), pika.BasicProperties(delivery_mode=2))
        with self.assertRaises(pika.exceptions.UnroutableError):
            out.basic_publish("", "nowhere", b"x", mandatory=True)
        out.basic_get("q", auto_ack=True)
        into.basic_qos(prefetch_count=4)
        got = []
        into.basic_consume("q", lambda _, method, *__: got.append(method.delivery_tag))
        self.server.wait("deliveries", lambda: self.turn(connection) or len(got) == 4)
        into.basic_ack(got[0])
        self.server.wait("one more", lambda: self.turn(connection) or len(got) == 5)
        return connection

    @staticmethod
    def turn(connection):
        connection.process_data_events(time_limit=0.01)

    def test_scrape(self):
        connection = self.works()
        self.begin()
        want = {
            "rabbitmq_queue_messages_ready": 4, "rabbitmq_queue_messages_unacked": 4,
            "rabbitmq_queue_messages": 8, "rabbitmq_queues": 1, "rabbitmq_connections": 1,
            "rabbitmq_channels": 2, "rabbitmq_consumers": 1,
            "rabbitmq_queue_messages_published_total": 10,
            "rabbitmq_channel_messages_published_total": 11,
            "rabbitmq_channel_messages_confirmed_total": 11,
            "rabbitmq_channel_messages_unroutable_returned_total": 1,
            "rabbitmq_channel_messages_delivered_ack_total": 5,
            "rabbitmq_channel_messages_acked_total": 1, "rabbitmq_channel_get_total": 1,
            "rabbitmq_queues_created_total": 1, "rabbitmq_queues_declared_total": 1,
            "rabbitmq_connections_opened_total": 1, "rabbitmq_channels_opened_total": 2,
            "sum(rabbitmq_global_messages_delivered_total)": 6,
            "sum(rabbitmq_global_messages_acknowledged_total)": 1,
        }
        for job in JOBS:
            self.server.wait(job, lambda: self.value(f'up{{job="{job}"}}') == [1.0])
            for expression, number in want.items():
                name = expression.removeprefix("sum(").removesuffix(")")
                selected = expression.replace(name, f'{name}{{job="{job}"}}')
                self.server.wait(f"{selected} {number}",
                                 lambda: self.turn(connection) or self.value(selected) == [number])
            for name in dashboards():
                self.assertTrue(self.value(f'{name}{{job="{job}"}}'), f"{job}: no {name}")
        joined = ('sum(rabbitmq_queue_messages_ready * on(instance, job) '
                  'group_left(rabbitmq_cluster) rabbitmq_identity_info{job="loopback"})')
        self.assertEqual(self.value(joined), [4.0])
        for job, name in (("per-object", "rabbitmq_queue_messages_ready"),
                          ("detailed", "rabbitmq_detailed_queue_messages_ready")):
            self.server.wait(job, lambda: self.value(
                f'{name}{{job="{job}",vhost="/",queue="q"}}') == [4.0])
        targets = self.ask("targets")["activeTargets"]
        self.assertEqual({t["labels"]["job"]: t["health"] for t in targets},
                         {job: "up" for job in (*JOBS, "per-object", "detailed")})

    def test_promtool(self):
        """The format is one that Prometheus's own tool reads."""
        self.works()
        for path in ("metrics", "metrics/per-object",
                     "metrics/detailed?family=queue_metrics&family=channel_metrics"):
            url = f"http://127.0.0.1:{self.ports['metrics']}/rabbitmq/{path}"
            with urllib.request.urlopen(url) as r:
                text = r.read()
            done = subprocess.run(["promtool", "check", "metrics"], input=text,
                                  capture_output=True)
            self.assertNotIn(b"error while", done.stderr)
            self.assertIn(done.returncode, (0, 3), done.stderr)  # 3: it would name some else


if __name__ == "__main__":
    unittest.main()
