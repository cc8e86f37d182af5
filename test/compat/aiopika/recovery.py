"""The broker is killed and started again; the robust connection connects again by itself
and sets up its channels, queues, bindings and consumers."""

import asyncio
import sys

import aio_pika

from client import Inbox, check, connect, publish, within


async def recovery(_):
    connection = await connect(make=aio_pika.connect_robust, reconnect_interval=0.2)
    again = asyncio.Event()
    connection.reconnect_callbacks.add(lambda *_: again.set())
    out, into = await connection.channel(), await connection.channel()
    await into.set_qos(prefetch_count=1)
    kept = await into.declare_queue("kept", durable=True)
    news = await into.declare_exchange("news", aio_pika.ExchangeType.FANOUT)
    mine = await into.declare_queue(exclusive=True)
    await mine.bind(news)
    letters = await Inbox.of(mine, no_ack=True)
    for n in range(10):
        await publish(out.default_exchange, "kept", str(n), delivery_mode=2)
    inbox = await Inbox.of(kept)
    await inbox.next("0", redelivered=False)
    print("restart", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await within(again.wait())
    await publish(out.default_exchange, "kept", "10", delivery_mode=2)
    for n in range(11):
        await (await inbox.next(str(n), redelivered=n == 0)).ack()
    await publish(await out.get_exchange("news"), "", "again")
    await letters.next("again")
    await kept.cancel(inbox.tag)
    check((await kept.delete()).message_count, 0)
    await connection.close()


ALL = (recovery,)
