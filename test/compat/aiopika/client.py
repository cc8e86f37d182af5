"""What the parts share: connections, waits with a limit, a consumer's inbox."""

import asyncio
import os
import ssl

import aio_pika

LIMIT = 120  # seconds that a wait for what is to come lasts at most
URL = os.environ["COFFER_AMQP_URL"]


def check(got, want):
    if got != want:
        raise AssertionError(f"{got!r}, not {want!r}")


def trust(ca):
    return ssl.create_default_context(cafile=ca)


async def connect(url=URL, ca=os.environ["COFFER_CA"], make=aio_pika.connect, **more):
    """Connects over TLS; only the authority of the file is trusted."""
    return await within(make(url, ssl_context=trust(ca), timeout=LIMIT, **more))


async def within(what):
    return await asyncio.wait_for(what, LIMIT)


class Inbox(asyncio.Queue):
    """Messages of a consumer until they are asked for."""

    @classmethod
    async def of(cls, queue, **more):
        inbox = cls()
        inbox.tag = await within(queue.consume(inbox.put, **more))
        return inbox

    async def next(self, body=None, redelivered=None):
        message = await within(self.get())
        if body is not None:
            check(message.body.decode(), body)
        if redelivered is not None:
            check(message.redelivered, redelivered)
        return message


async def publish(exchange, key, body, **properties):
    """Publishes and waits for the confirmation; a message for no queue is none to raise for."""
    await within(exchange.publish(aio_pika.Message(body.encode(), **properties), key,
                                  mandatory=False))
