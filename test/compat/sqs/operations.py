"""Every operation of SQS that this boto3 knows, once in the right way and once in a
wrong one: current ones speak JSON, those from before October 2023 the query protocol.
Prints `ok NAME` for each operation that held; the first that does not ends it. The
argument is the protocol that is spoken: json or query."""

import json
import os
import sys
import time

import boto3
import botocore.config
import botocore.exceptions

PATIENCE = 60  # seconds that a wait for something that is to come lasts at most
QUEUE_GONE = "AWS.SimpleQueueService.NonExistentQueue"
ROTTEN = "not-a-receipt-handle"
SLOW = 100  # messages that a task moves one a second, until it is cancelled


def client():
    return boto3.session.Session().client(
        "sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name=os.environ["AWS_REGION"],
        verify=os.environ["AWS_CA_BUNDLE"],
        config=botocore.config.Config(retries={"max_attempts": 0}, signature_version="v4"))


sqs = client()
seen = set()


def check(got, want):
    if got != want:
        raise AssertionError(f"{got!r}, not {want!r}")


def refused(code, call, **arguments):
    """The call must fail with this code, and give the name of the exception."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as e:
        check(e.response["Error"]["Code"], code)
        return type(e).__name__
    raise AssertionError(f"{arguments} was not refused with {code}")


def done(*operations):
    for name in operations:
        seen.add(name)
        print("ok", name, flush=True)


def eventually(ask, want):
    late = time.monotonic() + PATIENCE
    while (got := ask()) != want:
        if time.monotonic() > late:
            raise AssertionError(f"{got!r} after {PATIENCE} s, not {want!r}")


def attribute(url, name):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]


def take(url, **more):
    """The one message that a queue is to give."""
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, **more)["Messages"]
    return message


def queues():
    url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "600"},
                           tags={"team": "red"})["QueueUrl"]
    check(sqs.create_queue(QueueName="jobs")["QueueUrl"], url)
    refused("QueueAlreadyExists", sqs.create_queue, QueueName="jobs",
            Attributes={"DelaySeconds": "9"})
    refused("InvalidParameterValue", sqs.create_queue, QueueName="no/name")
    check(sqs.get_queue_url(QueueName="jobs")["QueueUrl"], url)
    check(refused(QUEUE_GONE, sqs.get_queue_url, QueueName="nowhere"), "QueueDoesNotExist")
    check(sqs.list_queues(QueueNamePrefix="jo")["QueueUrls"], [url])
    pages = sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1})
    check([u for page in pages for u in page.get("QueueUrls", [])], [url])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
    check(attribute(url, "ReceiveMessageWaitTimeSeconds"), "1")
    check(attribute(url, "VisibilityTimeout"), "600")
    refused("InvalidAttributeValue", sqs.set_queue_attributes, QueueUrl=url,
            Attributes={"DelaySeconds": "901"})
    refused("InvalidAttributeName", sqs.get_queue_attributes, QueueUrl=url,
            AttributeNames=["Colour"])
    done("CreateQueue", "GetQueueUrl", "ListQueues", "SetQueueAttributes", "GetQueueAttributes")
    return url


def tags(url):
    sqs.tag_queue(QueueUrl=url, Tags={"cost": "7", "empty": ""})
    check(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "red", "cost": "7", "empty": ""})
    sqs.untag_queue(QueueUrl=url, TagKeys=["team", "cost", "empty"])
    check("Tags" in sqs.list_queue_tags(QueueUrl=url), False)
    done("TagQueue", "ListQueueTags", "UntagQueue")


def permissions(url):
    account = attribute(url, "QueueArn").split(":")[4]
    sqs.add_permission(QueueUrl=url, Label="mine", AWSAccountIds=[account],
                       Actions=["SendMessage", "ReceiveMessage"])
    (statement,) = json.loads(attribute(url, "Policy"))["Statement"]
    check(statement["Action"], ["SQS:SendMessage", "SQS:ReceiveMessage"])
    refused("InvalidParameterValue", sqs.add_permission, QueueUrl=url, Label="mine",
            AWSAccountIds=[account], Actions=["SendMessage"])
    sqs.remove_permission(QueueUrl=url, Label="mine")
    check("Attributes" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]), False)
    done("AddPermission", "RemovePermission")


def messages(url):
    """boto3 itself compares the digests of what it sends and receives."""
    attributes = {"text": {"DataType": "String", "StringValue": "grün"},
                  "number": {"DataType": "Number.int", "StringValue": "12"},
                  "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))}}
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="Grüße\t\r\n\U0001f600<&>", MessageAttributes=attributes,
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}})
    got = take(url, AttributeNames=["All"], MessageAttributeNames=["All"])
    check(got["Body"], "Grüße\t\r\n\U0001f600<&>")
    check(got["MessageId"], sent["MessageId"])
    check(got["MessageAttributes"], attributes)
    check(got["Attributes"]["AWSTraceHeader"], "Root=1")
    check(got["Attributes"]["ApproximateReceiveCount"], "1")
    check(attribute(url, "ApproximateNumberOfMessagesNotVisible"), "1")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"],
                                  VisibilityTimeout=0)
    again = take(url, AttributeNames=["ApproximateReceiveCount"], MessageAttributeNames=["te.*"])
    check(again["Attributes"], {"ApproximateReceiveCount": "2"})
    check(list(again["MessageAttributes"]), ["text"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle=ROTTEN)
    check(attribute(url, "ApproximateNumberOfMessagesNotVisible"), "0")
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    refused("InvalidMessageContents", sqs.send_message, QueueUrl=url, MessageBody="\x01")
    done("SendMessage", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")


def batches(url):
    entries = [{"Id": f"e{i}", "MessageBody": f"body {i}"} for i in range(9)]
    entries.append({"Id": "late", "MessageBody": "x", "DelaySeconds": 901})
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    check(len(sent["Successful"]), 9)
    check([(f["Id"], f["SenderFault"], f["Code"]) for f in sent["Failed"]],
          [("late", True, "InvalidParameterValue")])
    got = []
    while len(got) < 9:
        got += sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10,
                                   WaitTimeSeconds=20)["Messages"]
    check(sorted(m["Body"] for m in got), [f"body {i}" for i in range(9)])
    changed = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
        {"Id": "a", "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": 300},
        {"Id": "b", "ReceiptHandle": ROTTEN, "VisibilityTimeout": 300}])
    check([e["Id"] for e in changed["Successful"]], ["a"])
    check([e["Code"] for e in changed["Failed"]], ["ReceiptHandleIsInvalid"])
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[
        {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)])
    check(len(deleted["Successful"]), 9)
    refused("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", sqs.delete_message_batch,
            QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": ROTTEN} for i in range(11)])
    check(attribute(url, "ApproximateNumberOfMessagesNotVisible"), "0")
    done("SendMessageBatch", "ChangeMessageVisibilityBatch", "DeleteMessageBatch")


def groups():
    """A FIFO queue: one message of a group at a time, no duplicates."""
    url = sqs.create_queue(QueueName="groups.fifo", Attributes={
        "FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    first = sqs.send_message(QueueUrl=url, MessageBody="1", MessageGroupId="a")
    again = sqs.send_message(QueueUrl=url, MessageBody="1", MessageGroupId="a")
    check(again["MessageId"], first["MessageId"])
    second = sqs.send_message(QueueUrl=url, MessageBody="2", MessageGroupId="a")
    assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])
    for body in ("1", "2"):
        got = take(url, AttributeNames=["All"])
        check((got["Body"], got["Attributes"]["MessageGroupId"]), (body, "a"))
        check("Messages" in sqs.receive_message(QueueUrl=url), False)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
    refused("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="3")
    sqs.delete_queue(QueueUrl=url)
    print("ok groups", flush=True)


def dead_letters(url):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = attribute(dead, "QueueArn")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})})
    check(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
    done("ListDeadLetterSourceQueues")
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    check(take(url, VisibilityTimeout=0)["Body"], "poison")
    check("Messages" in sqs.receive_message(QueueUrl=url), False)
    if hasattr(sqs, "start_message_move_task"):
        moves(url, arn)
    sqs.delete_queue(QueueUrl=dead)


def moves(url, arn):
    eventually(lambda: attribute(url.replace("jobs", "dead"), "ApproximateNumberOfMessages"), "1")
    sqs.start_message_move_task(SourceArn=arn)

    def last():
        (task,) = sqs.list_message_move_tasks(SourceArn=arn)["Results"]
        return task["Status"], task["ApproximateNumberOfMessagesMoved"]

    eventually(last, ("COMPLETED", 1))
    check(take(url)["Body"], "poison")
    code = refused("ResourceNotFoundException", sqs.start_message_move_task, SourceArn=arn + "x")
    check(code, "ResourceNotFoundException")
    refused("InvalidParameterValue", sqs.cancel_message_move_task, TaskHandle=ROTTEN)
    cancelled(url, arn)
    done("StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask")


def cancelled(url, arn):
    """A task that is cancelled while it runs; what it has not moved stays where it is."""
    dead = url.replace("jobs", "dead")
    for _ in range(SLOW // 10):
        sqs.send_message_batch(QueueUrl=dead, Entries=[
            {"Id": str(i), "MessageBody": "x"} for i in range(10)])
    before = int(attribute(url, "ApproximateNumberOfMessages"))
    slow = {"SourceArn": arn, "DestinationArn": attribute(url, "QueueArn"),
            "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**slow)["TaskHandle"]
    (task,) = sqs.list_message_move_tasks(SourceArn=arn)["Results"]
    check([task[k] for k in ("TaskHandle", "Status", "ApproximateNumberOfMessagesToMove",
                             "MaxNumberOfMessagesPerSecond")], [handle, "RUNNING", SLOW, 1])
    refused("InvalidParameterValue", sqs.start_message_move_task, **slow)
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert moved < SLOW, moved
    eventually(lambda: [t["Status"] for t in sqs.list_message_move_tasks(
        SourceArn=arn, MaxResults=10)["Results"]], ["CANCELLED", "COMPLETED"])
    refused("AWS.SimpleQueueService.UnsupportedOperation", sqs.cancel_message_move_task,
            TaskHandle=handle)
    check(sum(int(attribute(u, "ApproximateNumberOfMessages")) for u in (url, dead)),
          before + SLOW)


def ends(url):
    sqs.send_message(QueueUrl=url, MessageBody="unwanted")
    sqs.purge_queue(QueueUrl=url)
    eventually(lambda: attribute(url, "ApproximateNumberOfMessages"), "0")
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    refused(QUEUE_GONE, sqs.send_message, QueueUrl=url, MessageBody="x")
    check("QueueUrls" in sqs.list_queues(), False)
    done("PurgeQueue", "DeleteQueue")


def main():
    model = sqs.meta.service_model
    check(model.metadata["protocol"], sys.argv[1])
    url = queues()
    tags(url)
    permissions(url)
    messages(url)
    batches(url)
    groups()
    dead_letters(url)
    ends(url)
    check(sorted(seen), sorted(model.operation_names))


if __name__ == "__main__":
    sys.exit(main())
