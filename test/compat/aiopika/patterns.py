"""What RabbitMQ's tutorials do, and what applications add to them."""

import asyncio

import aio_pika
from aio_pika import DeliveryMode, ExchangeType, Message

from client import Inbox, check, connect, publish, within

PERSISTENT = {"delivery_mode": DeliveryMode.PERSISTENT}


async def work_queue(connection):
    """Two workers share a durable queue; what one leaves undone the other gets."""
    out = await connection.channel()
    await out.declare_queue("task_queue", durable=True)
    for n in range(10):
        await publish(out.default_exchange, "task_queue", str(n), **PERSISTENT)
    other = await connect()
    slow = await other.channel()
    await slow.set_qos(prefetch_count=1)
    await (await Inbox.of(await slow.get_queue("task_queue"))).next("0", redelivered=False)
    quick = await connection.channel()
    await quick.set_qos(prefetch_count=1)
    queue = await quick.get_queue("task_queue")
    tasks = await Inbox.of(queue)
    for n in range(1, 10):
        task = await tasks.next(str(n), redelivered=False)
        check(tasks.qsize(), 0)
        await task.ack()
    await other.close()
    again = await tasks.next("0", redelivered=True)
    check(again.delivery_mode, DeliveryMode.PERSISTENT)
    await again.ack()
    await queue.cancel(tasks.tag)
    check((await queue.delete()).message_count, 0)


async def publish_subscribe(connection):
    """Every subscriber gets every message."""
    channel = await connection.channel()
    logs = await channel.declare_exchange("logs", ExchangeType.FANOUT)
    subscribers = []
    for _ in range(2):
        queue = await channel.declare_queue(exclusive=True)
        check(queue.name.startswith("amq.gen-"), True)
        await queue.bind(logs)
        subscribers.append(await Inbox.of(queue, no_ack=True))
    for n in range(5):
        await publish(logs, "ignored", f"log {n}")
    for subscriber in subscribers:
        for n in range(5):
            await subscriber.next(f"log {n}")


async def bound(channel, exchange, *patterns):
    queue = await channel.declare_queue(exclusive=True)
    for pattern in patterns:
        await queue.bind(exchange, pattern)
    return queue


async def keys(queue):
    """The routing keys of what a queue holds."""
    found = []
    while message := await within(queue.get(no_ack=True, fail=False)):
        found.append(message.routing_key)
    return found


async def routing(connection):
    channel = await connection.channel()
    exchange = await channel.declare_exchange("direct_logs", ExchangeType.DIRECT)
    errors = await bound(channel, exchange, "error")
    every = await bound(channel, exchange, "info", "warning", "error")
    for key in ("info", "error", "debug", "warning", "error"):
        await publish(exchange, key, key)
    check(await keys(errors), ["error", "error"])
    check(await keys(every), ["info", "error", "warning", "error"])


async def topics(connection):
    channel = await connection.channel(on_return_raises=True)
    exchange = await channel.declare_exchange("animals", ExchangeType.TOPIC)
    first = await bound(channel, exchange, "*.orange.*")
    second = await bound(channel, exchange, "*.*.rabbit", "lazy.#")
    for key in ("quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox",
                "lazy.brown.fox", "lazy.pink.rabbit", "quick.brown.fox", "orange", "lazy",
                "quick.orange.new.rabbit", "lazy.orange.new.rabbit"):
        await publish(exchange, key, key)
    check(await keys(first), ["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"])
    check(await keys(second), ["quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox",
                               "lazy.pink.rabbit", "lazy", "lazy.orange.new.rabbit"])
    try:
        await within(exchange.publish(Message(b"x"), "quick.brown.fox", mandatory=True))
    except aio_pika.exceptions.PublishError as e:
        check("NO_ROUTE" in str(e), True)
    else:
        raise AssertionError("was not returned")


async def serve(connection):
    """Answers with Fibonacci numbers until the connection ends."""
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=1)
    queue = await channel.declare_queue("rpc_queue")

    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    async def answer(message):
        async with message.process():
            await publish(channel.default_exchange, message.reply_to, str(fib(int(message.body))),
                          correlation_id=message.correlation_id)

    await queue.consume(answer)


async def ask(channel, replies, reply_to):
    for n, want in ((10, "55"), (20, "6765"), (1, "1")):
        await publish(channel.default_exchange, "rpc_queue", str(n), reply_to=reply_to,
                      correlation_id=f"call-{n}")
        check((await replies.next(want)).correlation_id, f"call-{n}")


async def rpc(connection):
    await serve(connection)
    channel = await connection.channel()
    queue = await channel.declare_queue(exclusive=True)
    await ask(channel, await Inbox.of(queue, no_ack=True), queue.name)


async def direct_reply_to(connection):
    await serve(connection)
    channel = await connection.channel()
    queue = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
    await ask(channel, await Inbox.of(queue, no_ack=True), queue.name)


async def confirms(connection):
    """Confirms one by one, and many that are under way at once."""
    channel = await connection.channel()
    queue = await channel.declare_queue("confirmed", durable=True)
    await publish(channel.default_exchange, queue.name, "one", **PERSISTENT)
    await asyncio.gather(*(publish(channel.default_exchange, queue.name, "c", **PERSISTENT)
                           for _ in range(500)))
    check((await channel.declare_queue("confirmed", passive=True))
          .declaration_result.message_count, 501)
    check((await queue.purge()).message_count, 501)


async def dead_letters(connection):
    channel = await connection.channel()
    dead = await channel.declare_queue("dead", durable=True)
    dlx = await channel.declare_exchange("dlx", ExchangeType.DIRECT, durable=True)
    await dead.bind(dlx, "gone")
    letters = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "gone"}
    rejecting = await channel.declare_queue("rejecting", durable=True, arguments=letters)
    await channel.declare_queue("short", durable=True, arguments={**letters, "x-max-length": 1})
    graves = await Inbox.of(dead)

    async def died(body, queue, reason):
        message = await graves.next(body)
        (death,) = message.headers["x-death"]
        check([death[k] for k in ("queue", "reason", "count", "exchange", "routing-keys")],
              [queue, reason, 1, "", [queue]])
        check([message.headers["x-first-death-" + k] for k in ("queue", "reason", "exchange")],
              [queue, reason, ""])
        check((message.exchange, message.routing_key), ("dlx", "gone"))
        await message.ack()
        return message

    default = channel.default_exchange
    await publish(default, "rejecting", "bad")
    jobs = await Inbox.of(rejecting)
    await (await jobs.next("bad")).reject(requeue=False)
    await died("bad", "rejecting", "rejected")
    await rejecting.cancel(jobs.tag)
    await publish(default, "rejecting", "old", expiration=0.001)
    expired = await died("old", "rejecting", "expired")
    check((expired.headers["x-death"][0]["original-expiration"], expired.expiration), ("1", None))
    for body in ("first", "second"):
        await publish(default, "short", body)
    await died("first", "short", "maxlen")


async def delayed_retry(connection):
    """What fails waits in a second queue and comes back, with its history."""
    channel = await connection.channel()
    work = await channel.declare_exchange("work", ExchangeType.DIRECT, durable=True)
    retry = await channel.declare_exchange("retry", ExchangeType.DIRECT, durable=True)
    queue = await channel.declare_queue("jobs", durable=True,
                                        arguments={"x-dead-letter-exchange": "retry"})
    wait = await channel.declare_queue("jobs.wait", durable=True, arguments={
        "x-message-ttl": 20, "x-dead-letter-exchange": "work"})
    await queue.bind(work, "job")
    await wait.bind(retry, "job")
    await publish(work, "job", "payload", type="t", **PERSISTENT)
    jobs = await Inbox.of(queue)
    for tries in range(4):
        job = await jobs.next("payload")
        check(job.type, "t")
        deaths = [(d["queue"], d["reason"], d["count"], d["exchange"])
                  for d in job.headers.get("x-death", [])]
        check(deaths, [("jobs.wait", "expired", tries, "retry"),
                       ("jobs", "rejected", tries, "work")] if tries else [])
        await (job.ack() if tries == 3 else job.nack(requeue=False))
    await queue.cancel(jobs.tag)
    for q in (queue, wait):
        check((await q.delete()).message_count, 0)


ALL = (work_queue, publish_subscribe, routing, topics, rpc, direct_reply_to, confirms,
       dead_letters, delayed_retry)
