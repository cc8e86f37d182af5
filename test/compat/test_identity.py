"""Who may what, with boto3: users, roles, sessions and MFA devices."""

import base64
import hashlib
import hmac
import json
import struct
import time
import unittest

import botocore.exceptions

from coffer import Server

ACCOUNT = "000000000000"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class Clock:
    """Gives the codes of one device, each once (RFC 6238)."""

    def __init__(self, seed):
        while time.time() % 30 > 15:  # the rest of the step must do for all codes
            time.sleep(0.1)
        self.key, self.last = base64.b32decode(seed), int(time.time()) // 30 - 2

    def code(self):
        """The next code. Three are near enough to now to be taken without a wait."""
        self.last += 1
        digest = hmac.digest(self.key, struct.pack(">Q", self.last), hashlib.sha1)
        at = digest[-1] & 15
        number = struct.unpack(">I", digest[at:at + 4])[0] & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"


class Identity(unittest.TestCase):
    """IAM-01, MFA-01, MFA-02, KMS-20."""

    def setUp(self):
        self.server = Server(self)
        self.iam = self.server.client("iam")

    def refused(self, code, call, **arguments):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def user(self, name):
        """Makes a user and gives its credentials as arguments of a client."""
        self.iam.create_user(UserName=name)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return self.access(key)

    def access(self, key):
        self.server.secrets.append(key["SecretAccessKey"])
        out = {"aws_access_key_id": key["AccessKeyId"],
               "aws_secret_access_key": key["SecretAccessKey"]}
        if "SessionToken" in key:
            self.server.secrets.append(key["SessionToken"])
            out["aws_session_token"] = key["SessionToken"]
        return out

    def test_user(self):
        mq = self.server.client("mq", **self.user("ada"))
        broker = {"BrokerName": "b", "EngineType": "RABBITMQ", "PubliclyAccessible": False,
                  "DeploymentMode": "SINGLE_INSTANCE", "HostInstanceType": "mq.m5.large",
                  "Users": [{"Username": "app", "Password": "a-long-password-1"}]}
        self.server.secrets.append("a-long-password-1")
        text = self.refused("AccessDeniedException", mq.create_broker, **broker)
        self.assertIn(f"arn:aws:iam::{ACCOUNT}:user/ada", text)
        self.assertIn("mq:CreateBroker", text)
        arn = self.iam.create_policy(
            PolicyName="brokers", PolicyDocument=document(allow("mq:*")))["Policy"]["Arn"]
        self.iam.attach_user_policy(UserName="ada", PolicyArn=arn)
        self.assertEqual(len(mq.list_brokers()["BrokerSummaries"]), 1)  # main
        self.iam.put_user_policy(UserName="ada", PolicyName="not", PolicyDocument=document(
            {"Effect": "Deny", "Action": "mq:CreateBroker", "Resource": "*"}))
        self.assertIn("explicit deny", self.refused(
            "AccessDeniedException", mq.create_broker, **broker))
        self.iam.delete_user_policy(UserName="ada", PolicyName="not")
        self.assertTrue(mq.create_broker(**broker)["BrokerId"])
        self.iam.detach_user_policy(UserName="ada", PolicyArn=arn)
        self.refused("AccessDeniedException", mq.list_brokers)

    def test_session(self):
        ada = self.user("ada")
        self.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=document({
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ada"},
            "Condition": {"StringEquals": {"sts:ExternalId": "42"}}}))
        role = f"arn:aws:iam::{ACCOUNT}:role/reader"
        sts = self.server.client("sts", **ada)
        self.refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="night")
        got = sts.assume_role(RoleArn=role, RoleSessionName="night", ExternalId="42")
        stolen = self.access(got["Credentials"])
        self.assertEqual(self.server.client("sts", **stolen).get_caller_identity()["Arn"],
                         f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/night")
        kms = self.server.client("kms", **stolen)
        self.refused("AccessDeniedException", kms.list_keys)
        self.iam.put_role_policy(RoleName="reader", PolicyName="p",
                                 PolicyDocument=document(allow("kms:ListKeys")))
        kms.list_keys()
        self.iam.delete_role_policy(RoleName="reader", PolicyName="p")
        self.refused("AccessDeniedException", kms.list_keys)
        other = {**stolen, "aws_session_token": stolen["aws_session_token"][:-8] + "AAAAAAA="}
        self.refused("UnrecognizedClientException", self.server.client("kms", **other).list_keys)
        self.iam.delete_role(RoleName="reader")
        self.refused("UnrecognizedClientException", kms.list_keys)

    def test_mfa(self):
        access = self.user("ada")
        self.iam.put_user_policy(UserName="ada", PolicyName="p", PolicyDocument=document(
            allow("kms:ListKeys", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})))
        device = self.iam.create_virtual_mfa_device(
            VirtualMFADeviceName="phone")["VirtualMFADevice"]
        seed = device["Base32StringSeed"].decode()
        self.server.secrets.append(seed)
        self.assertTrue(device["QRCodePNG"].startswith(b"\x89PNG"))
        clock = Clock(seed)
        self.iam.enable_mfa_device(UserName="ada", SerialNumber=device["SerialNumber"],
                                   AuthenticationCode1=clock.code(),
                                   AuthenticationCode2=clock.code())
        sts = self.server.client("sts", **access)
        self.refused("AccessDeniedException", self.server.client("kms", **access).list_keys)
        for wrong in ("000000", "123456"):
            self.refused("AccessDenied", sts.get_session_token,
                         SerialNumber=device["SerialNumber"], TokenCode=wrong)
        code = clock.code()
        got = sts.get_session_token(SerialNumber=device["SerialNumber"], TokenCode=code)
        self.refused("AccessDenied", sts.get_session_token,
                     SerialNumber=device["SerialNumber"], TokenCode=code)  # again
        self.server.client("kms", **self.access(got["Credentials"])).list_keys()
        trail = self.server.client("cloudtrail")
        events = trail.lookup_events(LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "ListKeys"}])["Events"]
        newest = json.loads(events[0]["CloudTrailEvent"])
        attributes = newest["userIdentity"]["sessionContext"]["attributes"]
        self.assertEqual(attributes["mfaAuthenticated"], "true")
