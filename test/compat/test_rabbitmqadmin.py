"""RabbitMQ's own command for its management API, Debian's rabbitmqadmin, over TLS."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from coffer import Server, clean_environment

ADMIN = shutil.which("rabbitmqadmin")


@unittest.skipUnless(ADMIN, "rabbitmqadmin is not installed (Debian's rabbitmq-server has it)")
class RabbitmqAdmin(unittest.TestCase):
    def setUp(self):
        self.server = Server(self)
        self.url = urllib.parse.urlsplit(self.server.env["COFFER_MANAGEMENT_URL"])

    def admin(self, *args, user=None, vhost="/"):
        """What the command prints; it must succeed."""
        name, password = user or (self.url.username, self.url.password)
        out = subprocess.run(
            [ADMIN, "--ssl", "--ssl-ca-cert-file", self.server.env["COFFER_CA"],
             "--host", self.url.hostname, "--port", str(self.url.port), "--vhost", vhost,
             "--username", name, "--password", password, *args],
            env=clean_environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(out.returncode, 0, f"{args}: {out.stdout}{out.stderr}")
        return out.stdout

    def listed(self, what, *columns, **keywords):
        text = self.admin("--format=raw_json", "list", what, *columns, **keywords)
        return json.loads(text)

    def test_declare_list_delete(self):
        self.admin("declare", "vhost", "name=team")
        self.admin("declare", "user", "name=ann", "password=a-long-password", "tags=management")
        self.admin("declare", "permission", "vhost=team", "user=ann", "configure=.*",
                   "write=.*", "read=.*")
        self.server.secrets.append("a-long-password")
        ann = {"user": ("ann", "a-long-password"), "vhost": "team"}
        self.admin("declare", "exchange", "name=x", "type=topic", **ann)
        self.admin("declare", "queue", "name=q", "durable=true",
                   'arguments={"x-max-length":10}', **ann)
        self.admin("declare", "binding", "source=x", "destination=q", "routing_key=a.#", **ann)
        self.assertEqual([q["name"] for q in self.listed("queues", **ann)], ["q"])
        self.assertIn("x", [x["name"] for x in self.listed("exchanges", **ann)])
        self.assertIn("a.#", [b["routing_key"] for b in self.listed("bindings", **ann)])
        self.admin("declare", "policy", "name=p", "pattern=^q", 'definition={"max-length":5}',
                   "apply-to=queues", vhost="team")
        self.admin("declare", "operator_policy", "name=o", "pattern=^q",
                   'definition={"max-length":4}', "apply-to=queues", vhost="team")
        self.admin("declare", "vhost_limit", "vhost=team", "name=max-queues", "value=5")
        for what in ("users", "vhosts", "permissions", "nodes", "policies", "operator_policies",
                     "parameters", "vhost_limits", "connections", "channels",
                     "consumers"):
            self.listed(what, vhost="team")
        self.admin("show", "overview")
        queue = self.listed("queues", **ann)[0]
        self.assertEqual((queue["policy"], queue["operator_policy"]), ("p", "o"))
        self.admin("delete", "binding", "source=x", "destination_type=queue", "destination=q",
                   "properties_key=a.%23", **ann)
        for what, name in (("queue", "q"), ("exchange", "x")):
            self.admin("delete", what, "name=" + name, **ann)
        self.admin("delete", "policy", "name=p", vhost="team")
        self.admin("delete", "user", "name=ann")
        self.admin("delete", "vhost", "name=team")
        self.assertEqual([v["name"] for v in self.listed("vhosts")], ["/"])

    def test_messages(self):
        self.admin("declare", "queue", "name=q", "durable=true")
        for n in range(3):
            out = self.admin("publish", "routing_key=q", f"payload=m{n}",
                             'properties={"delivery_mode":2}')
            self.assertIn("Message published", out)
        got = json.loads(self.admin("--format=raw_json", "get", "queue=q", "count=2",
                                    "ackmode=ack_requeue_false"))
        self.assertEqual([m["payload"] for m in got], ["m0", "m1"])
        self.admin("purge", "queue", "name=q")
        self.assertEqual(self.listed("queues")[0]["messages"], 0)

    def test_close_connection(self):
        connection = self.server.connect()
        names = [c["name"] for c in self.listed("connections")]
        self.assertEqual(len(names), 1)
        self.admin("close", "connection", "name=" + names[0])
        with self.assertRaisesRegex(Exception, "CONNECTION_FORCED|Closed via management"):
            while True:
                connection.process_data_events(30)

    def test_definitions(self):
        """What is exported comes back on another broker, passwords included."""
        self.admin("declare", "vhost", "name=team")
        self.admin("declare", "user", "name=ann", "password=a-long-password", "tags=management")
        self.server.secrets.append("a-long-password")
        self.admin("declare", "permission", "vhost=team", "user=ann", "configure=.*",
                   "write=.*", "read=.*")
        self.admin("declare", "queue", "name=q", "durable=true", 'arguments={"x-max-length":10}',
                   vhost="team")
        self.admin("declare", "binding", "source=amq.topic", "destination=q", "routing_key=k",
                   vhost="team")
        with tempfile.TemporaryDirectory() as home:
            path = os.path.join(home, "definitions.json")
            # Without a virtual host everything is exported.
            self.export(path)
            first = self.url
            other = Server(self)
            self.server, self.url = other, urllib.parse.urlsplit(
                other.env["COFFER_MANAGEMENT_URL"])
            with open(path) as f:
                definitions = json.load(f)
            definitions["users"] = [u for u in definitions["users"] if u["name"] == "ann"]
            definitions["permissions"] = [
                p for p in definitions["permissions"] if p["user"] == "ann"]
            with open(path, "w") as f:
                json.dump(definitions, f)
            self.admin_all("import", path)
            self.assertNotEqual(first.port, self.url.port)
        ann = {"user": ("ann", "a-long-password"), "vhost": "team"}
        queue = self.listed("queues", **ann)[0]
        self.assertEqual((queue["name"], queue["arguments"]), ("q", {"x-max-length": 10}))
        self.assertIn("k", [b["routing_key"] for b in self.listed("bindings", **ann)])

    def admin_all(self, *args):
        """As admin, without a virtual host."""
        out = subprocess.run(
            [ADMIN, "--ssl", "--ssl-ca-cert-file", self.server.env["COFFER_CA"],
             "--host", self.url.hostname, "--port", str(self.url.port),
             "--username", self.url.username, "--password", self.url.password, *args],
            env=clean_environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(out.returncode, 0, f"{args}: {out.stdout}{out.stderr}")

    def export(self, path):
        self.admin_all("export", path)


if __name__ == "__main__":
    unittest.main()
