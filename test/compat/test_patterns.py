"""What teams do with RabbitMQ's queue arguments, with pika over TLS."""

import unittest

import pika

from coffer import PATIENCE, Server


class Patterns(unittest.TestCase):
    def setUp(self):
        self.server = Server(self)
        self.channel = self.server.connect().channel()
        self.channel.confirm_delivery()

    def declare(self, queue, **arguments):
        named = {"x-" + k.replace("_", "-"): v for k, v in arguments.items()}
        self.channel.queue_declare(queue, durable=True, arguments=named)

    def publish(self, queue, body, **properties):
        self.channel.basic_publish("", queue, body, pika.BasicProperties(**properties))

    def consume(self, queue):
        for method, properties, body in self.channel.consume(queue, inactivity_timeout=PATIENCE):
            self.assertIsNotNone(method, f"nothing came from {queue}")
            yield method, properties, body.decode()

    def test_retry(self):
        """Work that fails waits in a second queue and comes back."""
        self.declare("work", dead_letter_exchange="", dead_letter_routing_key="waiting")
        self.declare("waiting", message_ttl=1, dead_letter_exchange="",
                     dead_letter_routing_key="work")
        self.publish("work", b"m")
        for method, properties, _ in self.consume("work"):
            deaths = (properties.headers or {}).get("x-death", [])
            counts = [(d["queue"], d["reason"], d["count"]) for d in deaths]
            if len(counts) == 2 and counts[0][2] == 2:
                self.assertEqual(counts, [("waiting", "expired", 2), ("work", "rejected", 2)])
                self.assertEqual(properties.headers["x-first-death-reason"], "rejected")
                self.assertEqual(properties.headers["x-last-death-queue"], "waiting")
                self.channel.basic_ack(method.delivery_tag)
                break
            self.channel.basic_reject(method.delivery_tag, requeue=False)

    def test_priorities(self):
        self.declare("ranks", max_priority=3)
        for i, priority in enumerate((0, 2, 9, 3, 1)):
            self.publish("ranks", str(i).encode(), priority=priority)
        got = [self.channel.basic_get("ranks", auto_ack=True)[2].decode() for _ in range(5)]
        self.assertEqual(got, ["2", "3", "1", "4", "0"])

    def test_single_active_consumer(self):
        self.declare("only", single_active_consumer=True)
        other = self.server.connect().channel()
        other.basic_qos(prefetch_count=1)
        first = other.consume("only", inactivity_timeout=PATIENCE)
        for i in range(3):
            self.publish("only", str(i).encode())
        self.assertEqual(next(first)[2], b"0")
        mine = self.consume("only")
        other.connection.close()
        self.assertEqual([next(mine)[2] for _ in range(3)], ["0", "1", "2"])

    def test_delivery_limit(self):
        self.declare("end")
        self.declare("poison", queue_type="quorum", delivery_limit=2, dead_letter_exchange="",
                     dead_letter_routing_key="end")
        self.publish("poison", b"m")
        for n in range(3):
            method, properties, _ = self.channel.basic_get("poison")
            self.assertEqual((properties.headers or {}).get("x-delivery-count"), n or None)
            self.channel.basic_nack(method.delivery_tag, requeue=True)
        _, properties, _ = next(self.consume("end"))
        self.assertEqual(properties.headers["x-first-death-reason"], "delivery_limit")

    def test_overflow(self):
        for overflow, refused, kept in (
                ("drop-head", 0, ["2", "3"]), ("reject-publish", 2, ["0", "1"]),
                ("reject-publish-dlx", 2, ["0", "1"])):
            with self.subTest(overflow):
                self.declare(overflow, max_length=2, overflow=overflow)
                nacks = 0
                for i in range(4):
                    try:
                        self.publish(overflow, str(i).encode())
                    except pika.exceptions.NackError:
                        nacks += 1
                got = [self.channel.basic_get(overflow)[2].decode() for _ in range(2)]
                self.assertEqual((nacks, got), (refused, kept))
                self.assertIsNone(self.channel.basic_get(overflow)[0])


if __name__ == "__main__":
    unittest.main()
