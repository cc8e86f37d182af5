"""RabbitMQ's tutorials with pika over TLS, as the programs of test_clients.py
do them in other languages."""

import collections
import functools
import unittest

import pika

from coffer import PATIENCE, Server
from publisher import publish

PERSISTENT = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value)


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Tutorials(unittest.TestCase):
    def setUp(self):
        self.server = Server(self)
        self.connection = self.server.connect()
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def next(self, channel, queue, **how):
        method, properties, body = next(
            channel.consume(queue, inactivity_timeout=PATIENCE, **how))
        self.assertIsNotNone(method, f"nothing came from {queue}")
        return method, properties, body.decode()

    def bound(self, exchange, *patterns):
        queue = self.channel.queue_declare("", exclusive=True).method.queue
        for pattern in patterns:
            self.channel.queue_bind(queue, exchange, pattern)
        return queue

    def keys(self, queue):
        get = functools.partial(self.channel.basic_get, queue, auto_ack=True)
        return [method.routing_key for method, _, _ in iter(get, (None, None, None))]

    def test_work_queue(self):
        self.channel.queue_declare("task_queue", durable=True)
        for n in range(10):
            self.channel.basic_publish("", "task_queue", str(n).encode(), PERSISTENT)
        other = self.server.connect()
        slow = other.channel()
        slow.basic_qos(prefetch_count=1)
        self.assertEqual(self.next(slow, "task_queue")[2], "0")
        quick = self.connection.channel()
        quick.basic_qos(prefetch_count=1)
        for n in range(1, 10):
            method, _, body = self.next(quick, "task_queue")
            self.assertEqual((body, method.redelivered), (str(n), False))
            self.assertEqual(quick.get_waiting_message_count(), 0)
            quick.basic_ack(method.delivery_tag)
        other.close()
        method, properties, body = self.next(quick, "task_queue")
        self.assertEqual((body, method.redelivered, properties.delivery_mode), ("0", True, 2))
        quick.basic_ack(method.delivery_tag)
        quick.cancel()
        self.assertEqual(quick.queue_delete("task_queue").method.message_count, 0)

    def test_publish_subscribe(self):
        self.channel.exchange_declare("logs", "fanout")
        queues = [self.bound("logs", ""), self.bound("logs", "")]
        for n in range(5):
            self.channel.basic_publish("logs", "ignored", str(n).encode())
        for queue in queues:
            self.assertTrue(queue.startswith("amq.gen-"))
            subscriber = self.connection.channel()
            got = [self.next(subscriber, queue, auto_ack=True)[2] for _ in range(5)]
            self.assertEqual(got, ["0", "1", "2", "3", "4"])

    def test_routing(self):
        self.channel.exchange_declare("direct_logs", "direct")
        errors = self.bound("direct_logs", "error")
        every = self.bound("direct_logs", "info", "warning", "error")
        for key in ("info", "error", "debug", "warning", "error"):
            self.channel.basic_publish("direct_logs", key, b"x")
        self.assertEqual(self.keys(errors), ["error", "error"])
        self.assertEqual(self.keys(every), ["info", "error", "warning", "error"])

    def test_topics(self):
        self.channel.exchange_declare("animals", "topic")
        first = self.bound("animals", "*.orange.*")
        second = self.bound("animals", "*.*.rabbit", "lazy.#")
        for key in ("quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox",
                    "lazy.brown.fox", "lazy.pink.rabbit", "orange", "lazy",
                    "quick.orange.new.rabbit", "lazy.orange.new.rabbit"):
            self.channel.basic_publish("animals", key, b"x")
        self.assertEqual(self.keys(first), [
            "quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"])
        self.assertEqual(self.keys(second), [
            "quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox", "lazy.pink.rabbit",
            "lazy", "lazy.orange.new.rabbit"])
        with self.assertRaises(pika.exceptions.UnroutableError) as caught:
            self.channel.basic_publish("animals", "quick.brown.fox", b"x", mandatory=True)
        (returned,) = caught.exception.messages
        self.assertEqual((returned.method.reply_code, returned.method.reply_text),
                         (312, "NO_ROUTE"))

    def answer(self, channel, method, properties, body):
        reply = pika.BasicProperties(correlation_id=properties.correlation_id)
        channel.basic_publish("", properties.reply_to, str(fib(int(body))).encode(), reply)
        channel.basic_ack(method.delivery_tag)

    def call(self, reply_to):
        """Server and client are two channels of one connection."""
        server = self.connection.channel()
        server.queue_declare("rpc_queue")
        server.basic_qos(prefetch_count=1)
        server.basic_consume("rpc_queue", self.answer)
        client = self.connection.channel()
        replies = collections.deque()
        client.basic_consume(reply_to, lambda *reply: replies.append(reply[2:]), auto_ack=True)
        for n, want in ((10, b"55"), (20, b"6765"), (1, b"1")):
            request = pika.BasicProperties(reply_to=reply_to, correlation_id=f"call-{n}")
            client.basic_publish("", "rpc_queue", str(n).encode(), request)
            self.server.wait("a reply", lambda: self.connection.process_data_events(1) or replies)
            properties, body = replies.popleft()
            self.assertEqual((properties.correlation_id, body), (f"call-{n}", want))

    def test_rpc(self):
        self.call(self.channel.queue_declare("", exclusive=True).method.queue)

    def test_direct_reply_to(self):
        self.call("amq.rabbitmq.reply-to")

    def test_confirms(self):
        self.channel.queue_declare("confirmed", durable=True)
        for _ in range(100):
            self.channel.basic_publish("", "confirmed", b"one by one", PERSISTENT)
        many = [b"as they come"] * 500
        settled = publish(self.server.parameters(), "confirmed", many, PERSISTENT)
        self.assertEqual(settled, (500, 0))
        self.assertEqual(self.channel.queue_purge("confirmed").method.message_count, 600)

    def test_dead_letters(self):
        self.channel.queue_declare("dead", durable=True)
        self.channel.exchange_declare("dlx", "direct", durable=True)
        self.channel.queue_bind("dead", "dlx", "gone")
        letters = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "gone"}
        self.channel.queue_declare("rejecting", durable=True, arguments=letters)
        self.channel.queue_declare("short", durable=True, arguments={**letters, "x-max-length": 1})
        worker = self.connection.channel()
        self.channel.basic_publish("", "rejecting", b"bad")
        worker.basic_reject(self.next(worker, "rejecting")[0].delivery_tag, requeue=False)
        self.died("bad", "rejecting", "rejected")
        worker.cancel()
        soon = pika.BasicProperties(expiration="1")
        self.channel.basic_publish("", "rejecting", b"old", soon)
        expired = self.died("old", "rejecting", "expired")
        self.assertEqual(expired.headers["x-death"][0]["original-expiration"], "1")
        self.assertIsNone(expired.expiration)
        for body in (b"first", b"second"):
            self.channel.basic_publish("", "short", body)
        self.died("first", "short", "maxlen")

    def died(self, body, queue, reason):
        channel = self.connection.channel()
        method, properties, got = self.next(channel, "dead")
        channel.basic_ack(method.delivery_tag)
        channel.close()
        self.assertEqual((got, method.exchange, method.routing_key), (body, "dlx", "gone"))
        (death,) = properties.headers["x-death"]
        death = dict(death)
        self.assertTrue(death.pop("time"))
        death.pop("original-expiration", None)
        self.assertEqual(death, {"queue": queue, "reason": reason, "count": 1, "exchange": "",
                                 "routing-keys": [queue]})
        first = [properties.headers["x-first-death-" + k] for k in ("queue", "reason", "exchange")]
        self.assertEqual(first, [queue, reason, ""])
        return properties


if __name__ == "__main__":
    unittest.main()
