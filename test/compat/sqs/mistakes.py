"""What new users of boto3, of any age, do wrong, and what they are then told. Prints
`ok NAME` for each; the first that is not told ends it."""

import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, SSLError

GONE = "AWS.SimpleQueueService.NonExistentQueue"


def client(**more):
    """The environment's client but for what is given."""
    settings = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"],
                "region_name": os.environ["AWS_REGION"], "verify": os.environ["AWS_CA_BUNDLE"],
                "config": Config(retries={"total_max_attempts": 1}, signature_version="v4")}
    return boto3.session.Session().client("sqs", **{**settings, **more})


def tells(code, text, call, **arguments):
    """The call must fail with this code and say so."""
    try:
        call(**arguments)
    except ClientError as e:
        got = e.response["Error"]
        if got["Code"] != code or text not in got["Message"]:
            raise AssertionError(f"{got}, not {code} with {text!r}") from e
    else:
        raise AssertionError(f"was not refused with {code}")


def wrong_secret():
    tells("SignatureDoesNotMatch", "signature we calculated",
          client(aws_secret_access_key="wrong",
                 aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"]).list_queues)


def wrong_key():
    tells("InvalidClientTokenId", "security token",
          client(aws_secret_access_key="wrong",
                 aws_access_key_id="AKIAIOSFODNN7EXAMPLE").list_queues)


def wrong_region():
    url = client().create_queue(QueueName="mine")["QueueUrl"]
    tells(GONE, os.environ["AWS_REGION"], client(region_name="eu-west-1").send_message,
          QueueUrl=url, MessageBody="x")


def no_region():
    tells("SignatureDoesNotMatch", "valid region", client(region_name="elasticmq").list_queues)


def plaintext():
    """The old one looks for XML in the answer, and shows what it finds."""
    url = os.environ["AWS_ENDPOINT_URL"].replace("https://", "http://")
    try:
        client(endpoint_url=url).list_queues()
    except Exception as e:  # botocore.parsers' own, or ClientError
        if "use https://" not in str(e):
            raise
    else:
        raise AssertionError("was answered without TLS")


def wrong_ca():
    for verify in (True, os.environ["OTHER_CA"]):
        try:
            client(verify=verify).list_queues()
        except SSLError as e:
            if "CERTIFICATE_VERIFY_FAILED" not in str(e):
                raise
        else:
            raise AssertionError("another authority was trusted")


def deleted_queue():
    url = client().create_queue(QueueName="short")["QueueUrl"]
    client().delete_queue(QueueUrl=url)
    tells(GONE, "does not exist", client().receive_message, QueueUrl=url, WaitTimeSeconds=20)


def no_permission():
    url = client().create_queue(QueueName="secrets")["QueueUrl"]
    nobody = client(aws_access_key_id=os.environ["NOBODY_KEY"],
                    aws_secret_access_key=os.environ["NOBODY_SECRET"])
    tells("AccessDenied", "nobody is not authorized to perform: sqs:sendmessage on resource: ",
          nobody.send_message, QueueUrl=url, MessageBody="x")


def main():
    for part in (wrong_secret, wrong_key, wrong_region, no_region, plaintext, wrong_ca,
                 deleted_queue, no_permission):
        part()
        print("ok", part.__name__.replace("_", "-"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
