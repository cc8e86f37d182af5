"""What clients are told when they are wrong, word for word."""

import ssl
import unittest

import botocore.exceptions
import pika

from coffer import Server

REFUSED = ("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
           "For details see the broker logfile.")


class Errors(unittest.TestCase):
    def setUp(self):
        self.server = Server(self)

    def test_login(self):
        parameters = self.server.parameters()
        for user, password in (("admin", "wrong"), ("nobody", "wrong"), ("guest", "guest")):
            parameters.credentials = pika.PlainCredentials(user, password)
            with self.assertRaises(pika.exceptions.ProbableAuthenticationError) as caught:
                pika.BlockingConnection(parameters)
            self.assertIn(REFUSED, str(caught.exception))

    def test_unknown_vhost(self):
        parameters = self.server.parameters()
        parameters.virtual_host = "nowhere"
        with self.assertRaises(pika.exceptions.ProbableAccessDeniedError) as caught:
            pika.BlockingConnection(parameters)
        self.assertIn("(530) 'NOT_ALLOWED - vhost nowhere not found'", str(caught.exception))

    def test_wrong_authority(self):
        """The machine's own authorities do not vouch for Coffer."""
        parameters = self.server.parameters()
        parameters.ssl_options = pika.SSLOptions(ssl.create_default_context(), parameters.host)
        with self.assertRaises(ssl.SSLCertVerificationError):
            pika.BlockingConnection(parameters)

    def test_plaintext(self):
        """A client that speaks no TLS is not kept waiting."""
        parameters = self.server.parameters()
        parameters.ssl_options = None
        with self.assertRaises(pika.exceptions.IncompatibleProtocolError):
            pika.BlockingConnection(parameters)

    def test_exclusive(self):
        self.server.connect().channel().queue_declare("private", exclusive=True)
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as caught:
            self.server.connect().channel().queue_purge("private")
        self.assertEqual((caught.exception.reply_code, caught.exception.reply_text), (
            405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'private' in "
                 "vhost '/'. It could be originally declared on another connection or the "
                 "exclusive property value does not match that of the original declaration."))

    def test_channel(self):
        connection = self.server.connect()
        connection.channel().queue_declare("q", durable=True)
        for code, text, call in (
                (404, "NOT_FOUND - no queue 'nope' in vhost '/'",
                 lambda c: c.queue_declare("nope", passive=True)),
                (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost "
                      "'/': received 'false' but current is 'true'",
                 lambda c: c.queue_declare("q", durable=False)),
                (404, "NOT_FOUND - no exchange 'nope' in vhost '/'",
                 lambda c: c.exchange_declare("nope", passive=True)),
                (406, "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in "
                      "vhost '/': received the value '5' of type 'signedint' but current is none",
                 lambda c: c.queue_declare("q", durable=True, arguments={"x-max-length": 5})),
                (406, "PRECONDITION_FAILED - unknown delivery tag 7",
                 lambda c: c.basic_ack(7) or c.basic_qos()),
                (403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'",
                 lambda c: c.exchange_declare("amq.mine"))):
            with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as caught:
                call(connection.channel())
            self.assertEqual((caught.exception.reply_code, caught.exception.reply_text),
                             (code, text))

    def test_signature(self):
        for credentials, code in (
                ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
                ({"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}, "UnrecognizedClientException")):
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                self.server.client("kms", **credentials).list_keys()
            self.assertEqual(caught.exception.response["Error"]["Code"], code)

    def test_returned_and_topics(self):
        channel = self.server.connect().channel()
        channel.confirm_delivery()
        with self.assertRaises(pika.exceptions.UnroutableError):
            channel.basic_publish("", "nowhere", b"x", mandatory=True)
        channel.exchange_declare("t", "topic")
        channel.queue_declare("q", exclusive=True)
        channel.queue_bind("q", "t", "a.*.c")
        for key in ("a.b.c", "a.b", "a.x.c"):
            channel.basic_publish("t", key, key.encode())
        got = [channel.basic_get("q", auto_ack=True)[2] for _ in range(3)]
        self.assertEqual(got, [b"a.b.c", b"a.x.c", None])


if __name__ == "__main__":
    unittest.main()
