"""What users do wrong, and the exception and text that they are told."""

import os
import ssl
import urllib.parse

from aio_pika import Message
from aio_pika.exceptions import (AMQPConnectionError, ChannelNotFoundEntity,
                                 ChannelPreconditionFailed, InvalidFrameError,
                                 ProbableAuthenticationError)
from aiormq.exceptions import ChannelLockedResource

from client import URL, connect, publish, within

REFUSED = ("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
           "For details see the broker logfile.")


async def refused(kind, text, call):
    try:
        await within(call)
    except kind as e:
        if text not in str(e):
            raise
    else:
        raise AssertionError(f"no {kind}")


def changed(**parts):
    return urllib.parse.urlsplit(URL)._replace(**parts).geturl()


async def wrong_password(_):
    u = urllib.parse.urlsplit(URL)
    await refused(ProbableAuthenticationError, REFUSED,
                  connect(changed(netloc=f"admin:wrong@{u.hostname}:{u.port}")))


async def wrong_vhost(_):
    """The library does not show the reason that it is given."""
    await refused(InvalidFrameError, "got <Connection.Close", connect(changed(path="/nowhere")))


async def wrong_ca(_):
    await refused((AMQPConnectionError, ssl.SSLCertVerificationError),
                  "CERTIFICATE_VERIFY_FAILED", connect(ca=os.environ["OTHER_CA"]))


async def plaintext(_):
    await refused(AMQPConnectionError, "", connect(changed(scheme="amqp")))


async def ends(connection, kind, text, call):
    """One call on a channel of its own, and how the broker ends that channel."""
    await refused(kind, text, call(await connection.channel()))
    await (await connection.channel()).close()  # the connection stays


async def missing_queue(connection):
    await ends(connection, ChannelNotFoundEntity, "NOT_FOUND - no queue 'nope' in vhost '/'",
               lambda channel: channel.declare_queue("nope", passive=True))


async def missing_exchange(connection):
    async def call(channel):
        exchange = await channel.get_exchange("nope", ensure=False)
        await exchange.publish(Message(b"x"), "key")

    await ends(connection, ChannelNotFoundEntity, "NOT_FOUND - no exchange 'nope' in vhost '/'",
               call)


async def other_arguments(connection):
    await (await connection.channel()).declare_queue("mine", durable=True)
    await ends(connection, ChannelPreconditionFailed,
               "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'mine' in vhost "
               "'/': received the value '5' of type 'byte' but current is none",
               lambda channel: channel.declare_queue("mine", durable=True,
                                                     arguments={"x-max-length": 5}))


async def acked_twice(connection):
    async def call(channel):
        queue = await channel.declare_queue(exclusive=True)
        await publish(channel.default_exchange, queue.name, "x")
        message = await queue.get()
        underlay = await channel.get_underlay_channel()
        for _ in range(2):  # the library itself would refuse the second
            await underlay.basic_ack(message.delivery_tag, wait=True)
        await channel.declare_queue(exclusive=True)

    await ends(connection, ChannelPreconditionFailed,
               "PRECONDITION_FAILED - unknown delivery tag 1", call)


async def exclusive(connection):
    await (await connection.channel()).declare_queue("private", exclusive=True)
    other = await connect()
    await ends(other, ChannelLockedResource,
               "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'private' in "
               "vhost '/'. It could be originally declared on another connection or the "
               "exclusive property value does not match that of the original declaration.",
               lambda channel: channel.declare_queue("private", passive=True))
    await other.close()


ALL = (wrong_password, wrong_vhost, wrong_ca, plaintext, missing_queue, missing_exchange,
       other_arguments, acked_twice, exclusive)
