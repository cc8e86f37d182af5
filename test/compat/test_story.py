"""The core promise with boto3 and pika: one broker on one customer key."""

import json
import re
import secrets
import unittest

import botocore.exceptions
import pika

from coffer import PATIENCE, Broker, Server, scan
from publisher import publish

MESSAGES = 10_000
WAITING, PREFETCH = 20, 5
PERSISTENT = 2


class Promise(unittest.TestCase):
    """MQ-01, MQ-04, MQ-05, MQ-10, MQ-11, GRT-01 to GRT-10, GRT-12, KMS-24."""

    def setUp(self):
        self.server = Server(self)
        self.calls = []
        self.connect_apis()
        self.marker = secrets.token_hex(16)
        self.server.secrets.append(self.marker)

    def connect_apis(self):
        self.kms, self.mq, self.trail = map(self.server.client, ("kms", "mq", "cloudtrail"))
        for client in (self.kms, self.mq):
            client.meta.events.register("after-call", self.remember)

    def remember(self, model, parsed, **_):
        meta = parsed["ResponseMetadata"]
        code = parsed.get("Error", {}).get("Code", "")
        self.calls.append((meta["RequestId"], model.name, code))

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def events(self, **attribute):
        lookup = [{"AttributeKey": k, "AttributeValue": v} for k, v in attribute.items()]
        pages = self.trail.get_paginator("lookup_events").paginate(LookupAttributes=lookup)
        found = [json.loads(e["CloudTrailEvent"]) for page in pages for e in page["Events"]]
        return found[::-1]

    def test_promise(self):
        self.key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.broker = Broker(self.server, "story", self.key)
        options = self.broker.describe()["EncryptionOptions"]
        self.assertEqual(options, {"UseAwsOwnedKey": False, "KmsKeyId": self.key})
        for chapter in (self.grants, self.keys_refused, self.survive, self.lock,
                        self.restart_locked, self.delete, self.on_trail):
            with self.subTest(chapter.__name__):
                chapter()
                continue
            break  # the next chapter would begin where nothing ended
        self.server.stop()
        self.nowhere()

    def grants(self):
        events = [e for e in self.events(ResourceName=self.key) if e["eventName"] == "CreateGrant"]
        self.assertEqual(len(events), 2)
        mq, ebs = events
        grants = {g["GrantId"]: g for g in self.kms.list_grants(KeyId=self.key)["Grants"]}
        for e in events:
            self.assertRegex(e["responseElements"]["grantId"], "^[0-9a-f]{64}$")
            self.assertIn(e["responseElements"]["grantId"], grants)
            self.assertEqual(e["responseElements"]["keyId"], self.key)
            self.assertEqual([r["ARN"] for r in e["resources"]], [self.key])
            self.assertEqual(e["requestParameters"]["granteePrincipal"], "mq.amazonaws.com")
        self.assertEqual(mq["eventSource"], "amazonmq.amazonaws.com")
        self.assertEqual(mq["userIdentity"]["invokedBy"], "mq.amazonaws.com")
        self.assertIn("Boto3", mq["userAgent"])
        self.assertEqual(mq["requestParameters"]["operations"], [
            "CreateGrant", "Decrypt", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
            "ReEncryptTo", "DescribeKey"])
        self.assertEqual(ebs["eventSource"], "kms.amazonaws.com")
        self.assertEqual(ebs["userIdentity"],
                         {"type": "AWSService", "invokedBy": "mq.amazonaws.com"})
        self.assertEqual(ebs["requestParameters"]["operations"], ["Decrypt"])
        self.assertTrue(ebs["sharedEventID"])
        subset = ebs["requestParameters"]["constraints"]["encryptionContextSubset"]
        self.assertTrue(re.fullmatch("vol-[0-9a-f]{17}", subset["aws:ebs:id"]))

    def keys_refused(self):
        rsa = self.kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        other = self.key.replace(":000000000000:", ":111122223333:")
        for key, text in ((rsa["KeyMetadata"]["Arn"], "symmetric"), (other, "account")):
            self.assertIn(text, self.refused("BadRequestException", self.mq.create_broker,
                                             **self.broker.request("refused", key)))

    def survive(self):
        queue = "queue-" + self.marker
        self.server.connect(self.broker.url()).channel().queue_declare(queue, durable=True)
        properties = pika.BasicProperties(delivery_mode=PERSISTENT,
                                          headers={"header-" + self.marker: self.marker})
        bodies = [f"body {self.marker} {n}".encode() for n in range(MESSAGES)]
        parameters = self.server.parameters(self.broker.url())
        self.assertEqual(publish(parameters, queue, bodies, properties), (MESSAGES, 0))
        self.nowhere()
        self.server.kill()
        self.nowhere()
        self.server.start()
        self.connect_apis()
        self.broker.await_state("RUNNING")
        channel = self.server.connect(self.broker.url()).channel()
        channel.basic_qos(prefetch_count=500)
        got = []
        for method, props, body in channel.consume(queue, inactivity_timeout=PATIENCE):
            self.assertIsNotNone(method, f"only {len(got)} messages came back")
            self.assertEqual(props.headers, {"header-" + self.marker: self.marker})
            got.append(body)
            channel.basic_ack(method.delivery_tag)
            if len(got) == MESSAGES:
                break
        self.assertEqual(channel.cancel(), 0, "messages came twice")
        self.assertEqual(got, bodies)
        left = channel.queue_declare(queue, passive=True).method.message_count
        self.assertEqual(left, 0)

    def fill(self, queue):
        """A queue with messages, some of them in the hands of a consumer."""
        connection = self.server.connect(self.broker.url())
        out, into = connection.channel(), connection.channel()
        out.confirm_delivery()
        out.queue_declare(queue, durable=True)
        for n in range(WAITING):
            out.basic_publish("", queue, str(n).encode(),
                              pika.BasicProperties(delivery_mode=PERSISTENT))
        got = []
        into.basic_qos(prefetch_count=PREFETCH)
        into.basic_consume(queue, lambda _, method, __, body: got.append((method, body)))
        self.server.wait("the prefetch", lambda: self.turn(connection) or len(got) == PREFETCH)
        return connection, out, into, got

    @staticmethod
    def turn(connection):
        connection.process_data_events(time_limit=0.01)

    def lock(self):
        queue = "locked-" + self.marker
        connection, out, into, got = self.fill(queue)
        notices = []
        connection.add_on_connection_blocked_callback(
            lambda _, frame: notices.append(frame.method.reason))
        connection.add_on_connection_unblocked_callback(lambda *_: notices.append(""))
        why = self.key + " is disabled"
        self.kms.disable_key(KeyId=self.key)
        self.server.wait("connection.blocked", lambda: self.turn(connection) or notices)
        self.assertIn(why, notices.pop())
        with self.assertRaises(pika.exceptions.NackError):
            out.basic_publish("", queue, b"refused")
        plain = connection.channel()
        plain.basic_publish("", queue, b"refused")
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as caught:
            plain.queue_declare(queue, passive=True)
        self.assertEqual(caught.exception.reply_code, 506)
        self.assertIn(why, caught.exception.reply_text)
        self.critical(why)
        for method, _ in got:
            into.basic_ack(method.delivery_tag)
        self.still(connection, out, queue, got)
        self.kms.enable_key(KeyId=self.key)
        self.broker.await_state("RUNNING")
        self.server.wait("connection.unblocked", lambda: self.turn(connection) or notices)
        out.basic_publish("", queue, str(WAITING).encode())
        into.basic_ack(0, multiple=True)
        self.server.wait("the rest", lambda: self.take(connection, into, got) == WAITING + 1)
        self.assertEqual([int(body) for _, body in got], list(range(WAITING + 1)))

    def still(self, connection, out, queue, got):
        """No delivery comes, while the same and another connection are answered."""
        ready = out.queue_declare(queue, passive=True).method.message_count
        self.assertEqual(ready, WAITING - PREFETCH)
        main = self.server.connect().channel()
        main.confirm_delivery()
        main.queue_declare("open", durable=True)
        for _ in range(10):
            main.basic_publish("", "open", b"x")
            self.turn(connection)
        self.assertEqual(len(got), PREFETCH)

    def take(self, connection, channel, got):
        self.turn(connection)
        if got:
            channel.basic_ack(got[-1][0].delivery_tag, multiple=True)
        return len(got)

    def critical(self, why):
        out = self.broker.await_state("CRITICAL_ACTION_REQUIRED")
        (action,) = out["ActionsRequired"]
        self.assertEqual(action["ActionRequiredCode"], "RABBITMQ_INVALID_KMS_KEY")
        self.assertIn(why, action["ActionRequiredInfo"])
        text = self.refused("BadRequestException", self.mq.reboot_broker, BrokerId=self.broker.id)
        self.assertIn(why, text)

    def restart_locked(self):
        queue = "sleeping-" + self.marker
        self.fill(queue)
        self.kms.disable_key(KeyId=self.key)
        for end in (self.server.kill, self.server.stop):
            end()
            self.nowhere()
            self.server.start()
            self.connect_apis()
            self.critical(self.key + " is disabled")
        channel = self.server.connect(self.broker.url()).channel()
        left = channel.queue_declare(queue, passive=True).method.message_count
        self.assertEqual(left, WAITING)
        self.kms.enable_key(KeyId=self.key)
        self.broker.await_state("RUNNING")
        for n in range(WAITING):
            method, _, body = channel.basic_get(queue)
            self.assertEqual((int(body), method.redelivered), (n, n < PREFETCH))
            channel.basic_ack(method.delivery_tag)

    def delete(self):
        self.mq.delete_broker(BrokerId=self.broker.id)
        self.assertEqual(self.kms.list_grants(KeyId=self.key)["Grants"], [])
        self.refused("NotFoundException", self.mq.describe_broker, BrokerId=self.broker.id)

    def on_trail(self):
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext={"a": "b"})
        self.refused("InvalidCiphertextException", self.kms.decrypt,
                     CiphertextBlob=blob["CiphertextBlob"], EncryptionContext={"a": "c"})
        calls = list(self.calls)
        events = {e["requestID"]: e for e in self.events()}
        for request, name, code in calls:
            event = events.get(request, {})
            self.assertEqual((event.get("eventName"), event.get("errorCode", "")), (name, code))
        self.assertGreater(len(calls), 15)
        self.assertGreater(len([c for c in calls if c[2]]), 4)

    def nowhere(self):
        for word in (self.marker, self.broker.password):
            self.assertEqual(scan(self.server.data, word.encode()), [])
        self.assertEqual(len(scan(self.server.data, b"aws_secret_access_key")), 1)


if __name__ == "__main__":
    unittest.main()
