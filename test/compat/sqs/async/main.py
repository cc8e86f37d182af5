"""SQS by the asynchronous client for Python, aiobotocore, on which aioboto3 rests. Many
requests are under way at once on one client. Prints `ok NAME` for each part that held;
the first that does not ends it."""

import asyncio
import json
import os
import sys
import time

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

PATIENCE = 60  # seconds that a wait for something that is to come lasts at most
CROWD = 6  # tasks that do every operation at once
POLLS = 60  # long polls that wait at once
GROUPS, LENGTH = 12, 10  # of a FIFO queue, and the messages of each
SLOW = 100  # messages that a task moves one a second, until it is cancelled
ROTTEN = "not-a-receipt-handle"


def check(got, want):
    if got != want:
        raise AssertionError(f"{got!r}, not {want!r}")


async def refused(code, call):
    try:
        await call
    except ClientError as e:
        check(e.response["Error"]["Code"], code)
    else:
        raise AssertionError(f"was not refused with {code}")


async def eventually(ask, want):
    late = time.monotonic() + PATIENCE
    while (got := await ask()) != want:
        if time.monotonic() > late:
            raise AssertionError(f"{got!r} after {PATIENCE} s, not {want!r}")


async def attribute(sqs, url, name):
    out = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return out["Attributes"][name]


async def take(sqs, url, **more):
    """The one message that a queue is to give."""
    (message,) = (await sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, **more))["Messages"]
    return message


async def queue(sqs, name):
    """Makes a queue and does what is done to one without messages."""
    url = (await sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "600"},
                                  tags={"team": "red"}))["QueueUrl"]
    check((await sqs.get_queue_url(QueueName=name))["QueueUrl"], url)
    check((await sqs.list_queues(QueueNamePrefix=name))["QueueUrls"], [url])
    await sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": "2048"})
    check(await attribute(sqs, url, "MaximumMessageSize"), "2048")
    await sqs.tag_queue(QueueUrl=url, Tags={"cost": "7"})
    await sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
    check((await sqs.list_queue_tags(QueueUrl=url))["Tags"], {"cost": "7"})
    arn = await attribute(sqs, url, "QueueArn")
    await sqs.add_permission(QueueUrl=url, Label="mine", AWSAccountIds=[arn.split(":")[4]],
                             Actions=["SendMessage"])
    (statement,) = json.loads(await attribute(sqs, url, "Policy"))["Statement"]
    check(statement["Action"], "SQS:SendMessage")
    await sqs.remove_permission(QueueUrl=url, Label="mine")
    return url, arn


async def messages(sqs, url):
    """Messages one by one; the client itself compares the digests of bodies."""
    attributes = {"text": {"DataType": "String", "StringValue": "grün"},
                  "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))}}
    sent = await sqs.send_message(QueueUrl=url, MessageBody="Grüße\r\n\U0001f600<&>",
                                  MessageAttributes=attributes)
    got = await take(sqs, url, MessageAttributeNames=["All"])
    check((got["Body"], got["MessageId"], got["MessageAttributes"]),
          ("Grüße\r\n\U0001f600<&>", sent["MessageId"], attributes))
    await sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"],
                                        VisibilityTimeout=0)
    again = await take(sqs, url, MessageSystemAttributeNames=["All"])
    check(again["Attributes"]["ApproximateReceiveCount"], "2")
    await sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    await refused("ReceiptHandleIsInvalid", sqs.delete_message(QueueUrl=url, ReceiptHandle=ROTTEN))
    await refused("InvalidParameterValue",
                  sqs.send_message(QueueUrl=url, MessageBody="x" * 2049))


async def batches(sqs, url):
    sent = await sqs.send_message_batch(QueueUrl=url, Entries=[
        {"Id": str(i), "MessageBody": f"body {i}", "DelaySeconds": 901 * (i == 9)}
        for i in range(10)])
    check((len(sent["Successful"]), [f["Id"] for f in sent["Failed"]]), (9, ["9"]))
    got = []
    while len(got) < 9:
        got += (await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10,
                                          WaitTimeSeconds=20))["Messages"]
    handles = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
    changed = await sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
        {**handle, "VisibilityTimeout": 300} for handle in handles])
    check(len(changed["Successful"]), 9)
    deleted = await sqs.delete_message_batch(QueueUrl=url, Entries=handles)
    check(len(deleted["Successful"]), 9)


async def moves(sqs, url, target, name):
    """A move that is cancelled while it runs; what was not moved stays."""
    dead = (await sqs.create_queue(QueueName="dead-" + name))["QueueUrl"]
    arn = await attribute(sqs, dead, "QueueArn")
    await sqs.set_queue_attributes(QueueUrl=url, Attributes={
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})})
    sources = await sqs.list_dead_letter_source_queues(QueueUrl=dead)
    check(sources["queueUrls"], [url])
    await asyncio.gather(*(sqs.send_message_batch(QueueUrl=dead, Entries=[
        {"Id": str(i), "MessageBody": "x"} for i in range(10)]) for _ in range(SLOW // 10)))
    handle = (await sqs.start_message_move_task(
        SourceArn=arn, DestinationArn=target, MaxNumberOfMessagesPerSecond=1))["TaskHandle"]
    await sqs.cancel_message_move_task(TaskHandle=handle)

    async def state():
        (task,) = (await sqs.list_message_move_tasks(SourceArn=arn))["Results"]
        return task["Status"]

    await eventually(state, "CANCELLED")
    counts = [int(await attribute(sqs, u, "ApproximateNumberOfMessages")) for u in (url, dead)]
    check(sum(counts), SLOW)
    return dead


async def everything(sqs, name):
    """Every operation, on queues of this task's own."""
    url, arn = await queue(sqs, name)
    await messages(sqs, url)
    await batches(sqs, url)
    dead = await moves(sqs, url, arn, name)
    await sqs.purge_queue(QueueUrl=dead)
    await refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue(QueueUrl=dead))
    for gone in (url, dead):
        await sqs.delete_queue(QueueUrl=gone)
    await refused("AWS.SimpleQueueService.NonExistentQueue",
                  sqs.send_message(QueueUrl=url, MessageBody="x"))


async def operations(sqs):
    seen = set()
    sqs.meta.events.register("before-call.sqs", lambda model, **_: seen.add(model.name))
    await asyncio.gather(*(everything(sqs, f"jobs-{i}") for i in range(CROWD)))
    check(sorted(seen), sorted(sqs.meta.service_model.operation_names))


async def polls(sqs):
    """Each long poll gets the message that comes to its queue while it waits."""
    urls = [(await sqs.create_queue(QueueName=f"poll-{i}"))["QueueUrl"] for i in range(POLLS)]
    waiting = [asyncio.create_task(take(sqs, url)) for url in urls]
    await asyncio.gather(*(sqs.send_message(QueueUrl=url, MessageBody=url)
                           for url in reversed(urls)))
    check([m["Body"] for m in await asyncio.gather(*waiting)], urls)


async def groups(sqs):
    """Many receivers at a FIFO queue: a group's messages come in order, one at a time."""
    url = (await sqs.create_queue(QueueName="groups.fifo", Attributes={
        "FifoQueue": "true", "VisibilityTimeout": "600"}))["QueueUrl"]
    next_of, inside = [0] * GROUPS, set()

    async def send(group):
        for n in range(LENGTH):
            body = f"{group} {n}"
            for _ in range(2):  # the second is a duplicate
                await sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=str(group),
                                       MessageDeduplicationId=body.replace(" ", "-"))

    async def work():
        while sum(next_of) < GROUPS * LENGTH:
            got = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1)
            for message in got.get("Messages", []):
                group, n = map(int, message["Body"].split())
                check((n, group in inside), (next_of[group], False))
                inside.add(group)
                await asyncio.sleep(0)  # others have their turn
                inside.remove(group)
                next_of[group] += 1
                await sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    await asyncio.gather(*map(send, range(GROUPS)), *(work() for _ in range(GROUPS)))
    check(next_of, [LENGTH] * GROUPS)


async def main():
    async with get_session().create_client(
            "sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
            region_name=os.environ["AWS_REGION"], verify=os.environ["AWS_CA_BUNDLE"],
            config=AioConfig(retries={"total_max_attempts": 1},
                             max_pool_connections=2 * POLLS)) as sqs:
        for part in (operations, polls, groups):
            await asyncio.wait_for(part(sqs), 4 * PATIENCE)
            print("ok", part.__name__, flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
