"""What users do wrong, and the exception and text that kombu tells them."""

import os
import re
import ssl

import amqp
import kombu

import tasks

MINE = ("Queue.declare: (406) PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue "
        "'mine' in vhost '/': received the value '5' of type 'signedint' but current is none")
PRIVATE = ("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'private' in vhost "
           "'/'. It could be originally declared on another connection or the exclusive property "
           "value does not match that of the original declaration.")


def connect(url=tasks.URL, tls=tasks.TLS):
    connection = kombu.Connection(url, ssl=tls, login_method="PLAIN")
    connection.connect()
    return connection


def refused(kind, text, wrong):
    try:
        wrong()
    except kind as e:
        if text not in str(e):
            raise AssertionError(f"want {text}") from e
    else:
        raise AssertionError(f"was not refused, want {kind}")


def password():
    refused(amqp.AccessRefused, "(403) ACCESS_REFUSED - Login was refused using authentication "
            "mechanism PLAIN. For details see the broker logfile.",
            lambda: connect(re.sub(":[^:@]*@", ":wrong@", tasks.URL)))


def vhost():
    refused(amqp.NotAllowed, "Connection.open: (530) NOT_ALLOWED - vhost nowhere not found",
            lambda: connect(tasks.URL.replace("%2f", "nowhere")))


def authority():
    other = {**tasks.TLS, "ca_certs": os.environ["OTHER_CA"]}
    refused(ssl.SSLCertVerificationError, "certificate verify failed",
            lambda: connect(tls=other))


def plaintext():
    url = tasks.URL.replace("amqps:", "amqp:")
    refused(OSError, "", lambda: connect(url, tls=False))


def ends(kind, text, wrong):
    """One call on a channel of its own, which it ends; the connection stays."""
    with connect() as connection:
        channel = connection.channel()

        def call():
            wrong(channel)
            channel.basic_qos(0, 1, False)  # learns what came of what has no answer

        refused(kind, text, call)
        connection.channel().close()


def arguments():
    with connect() as connection:
        connection.channel().queue_declare("mine", durable=True, auto_delete=False)
    ends(amqp.PreconditionFailed, MINE, lambda channel: channel.queue_declare(
        "mine", durable=True, auto_delete=False, arguments={"x-max-length": 5}))


def exclusive():
    with connect() as connection:
        connection.channel().queue_declare("private", exclusive=True)
        ends(amqp.ResourceLocked, PRIVATE, lambda channel: channel.queue_purge("private"))


def parts():
    yield "wrong-password", password
    yield "wrong-vhost", vhost
    yield "wrong-ca", authority
    yield "plaintext", plaintext
    yield "missing-queue", lambda: ends(
        amqp.NotFound, "Queue.declare: (404) NOT_FOUND - no queue 'nope' in vhost '/'",
        lambda channel: channel.queue_declare("nope", passive=True))
    yield "missing-exchange", lambda: ends(
        amqp.NotFound, "(404) NOT_FOUND - no exchange 'nope' in vhost '/'",
        lambda channel: channel.basic_publish(amqp.Message("x"), "nope", "key"))
    yield "other-arguments", arguments
    yield "acked-twice", lambda: ends(
        amqp.PreconditionFailed, "(406) PRECONDITION_FAILED - unknown delivery tag 7",
        lambda channel: channel.basic_ack(7))
    yield "exclusive", exclusive
