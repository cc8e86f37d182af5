"""What applications do with SQS, by boto3 of any age: one that speaks JSON or one that
speaks the query protocol. The environment is that of `coffer env`; the first argument is
the part to play. It prints `ok NAME` for each thing that held and ends at the first that
does not.
"""

import hashlib
import os
import sys

import boto3
from botocore.config import Config

ATTRIBUTES = {
    "Color": {"DataType": "String", "StringValue": "grün"},
    "Size": {"DataType": "Number.int", "StringValue": "42"},
    "Raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}


def same(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def refused(error, call, **arguments):
    try:
        call(**arguments)
    except Exception as e:  # its class is the client's own, made at run time
        same(e.response["Error"]["Code"], error)
    else:
        raise AssertionError("no " + error)


def drain(sqs, url, count):
    """Receives and deletes until count messages came."""
    got = []
    while len(got) < count:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20,
            AttributeNames=["All"], MessageAttributeNames=["All"])
        messages = answer["Messages"]
        got += messages
        sqs.delete_message_batch(QueueUrl=url, Entries=[
            {"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)])
    return got


def send(sqs):
    url = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "600"},
                           tags={"team": "red"})["QueueUrl"]
    same(sqs.create_queue(QueueName="orders")["QueueUrl"], url)
    refused("QueueAlreadyExists", sqs.create_queue, QueueName="orders",
            Attributes={"VisibilityTimeout": "30"})
    same(sqs.get_queue_url(QueueName="orders")["QueueUrl"], url)
    same(sqs.list_queues(QueueNamePrefix="ord")["QueueUrls"], [url])
    same(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "red"})
    print("ok create")
    answer = sqs.send_message(QueueUrl=url, MessageBody="aaa", MessageAttributes=ATTRIBUTES)
    same(answer["MD5OfMessageBody"], "47bce5c74f589f4867dbd57e9ca9f808")
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[
        {"Id": "one", "MessageBody": "ü <&> \n"}, {"Id": "two", "MessageBody": "x" * 100_000},
        {"Id": "three", "MessageBody": "late", "DelaySeconds": 1}])
    same([e["Id"] for e in answer["Successful"]], ["one", "two", "three"])
    print("ok send")
    refused("AWS.SimpleQueueService.NonExistentQueue", sqs.send_message,
            QueueUrl=url + "-not", MessageBody="x")
    refused("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="x")
    refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch,
            QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "x"}] * 2)
    print("ok refusals")


def receive(sqs):
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    got = drain(sqs, url, 4)
    same(sorted(m["Body"] for m in got), sorted(["aaa", "ü <&> \n", "x" * 100_000, "late"]))
    for m in got:
        same(m["MD5OfBody"], hashlib.md5(m["Body"].encode()).hexdigest())
        same(m["Attributes"]["ApproximateReceiveCount"], "1")
    first = next(m for m in got if m["Body"] == "aaa")
    same(first["MessageAttributes"], ATTRIBUTES)
    print("ok receive")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "7"})
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    same((shown["DelaySeconds"], shown["ApproximateNumberOfMessages"]), ("7", "0"))
    print("ok attributes")
    sqs.tag_queue(QueueUrl=url, Tags={"a": "1", "b": "2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "team"])
    same(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"b": "2"})
    print("ok tags")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
    sqs.send_message(QueueUrl=url, MessageBody="again")
    m = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"],
                                  VisibilityTimeout=0)
    m = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20,
                            AttributeNames=["ApproximateReceiveCount"])["Messages"][0]
    same(m["Attributes"], {"ApproximateReceiveCount": "2"})
    print("ok visibility")
    sqs.purge_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    same(sqs.list_queues().get("QueueUrls"), None)
    print("ok delete")


if __name__ == "__main__":
    # Older versions do not take the endpoint from the environment.
    client = boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                          config=Config(retries={"total_max_attempts": 1}))
    {"send": send, "receive": receive}[sys.argv[1]](client)
