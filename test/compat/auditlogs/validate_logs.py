"""Runs the AWS CLI's own `cloudtrail validate-logs` over an exported directory.

S3 and ListPublicKeys are answered from the files. The first argument is the
directory, the second the account, the third the Region; it prints what the CLI
prints, and ends with 1 when anything is not valid.
"""

import json
import pathlib
import sys
from datetime import datetime, timedelta, timezone

import jmespath
from awscli.customizations.cloudtrail import validation
from botocore.exceptions import ClientError

root = pathlib.Path(sys.argv[1])
account, region = sys.argv[2:4]


class Pages:
    def __init__(self, prefix, marker):
        names = sorted(
            p.relative_to(root).as_posix() for p in root.rglob("*.json.gz")
        )
        self.page = {
            "Contents": [
                {"Key": n} for n in names if n.startswith(prefix) and n > marker
            ]
        }

    def search(self, expression):
        return iter(jmespath.search(expression, self.page) or [])


class S3:
    def get_paginator(self, _):
        return self

    def paginate(self, Bucket, Marker, Prefix):
        return Pages(Prefix, Marker)

    def get_object(self, Bucket, Key):
        name = root / Key
        if Bucket != "coffer-audit" or not name.exists():
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        beside = pathlib.Path(str(name) + ".metadata.json")
        metadata = json.loads(beside.read_text()) if beside.exists() else {}
        return {"Body": name.open("rb"), "Metadata": metadata}

    def get_client(self, _):
        return self


class CloudTrail:
    def list_public_keys(self, StartTime, EndTime):
        keys = []
        for file in (root / "CloudTrail-Keys").glob("*.json"):
            keys += json.loads(file.read_text())["PublicKeyList"]
        return {"PublicKeyList": keys}


command = validation.CloudTrailValidateLogs(None)
command.trail_arn = f"arn:aws:cloudtrail:{region}:{account}:trail/coffer"
command.is_verbose = True
command.start_time = datetime(2026, 2, 27, tzinfo=timezone.utc)
command.end_time = command.start_time + timedelta(days=2)
command.s3_bucket, command.s3_prefix, command.account_id = "coffer-audit", None, None
command.s3_client_provider, command.cloudtrail_client = S3(), CloudTrail()
command.organization_client = None
status = command._call()
sys.exit(1 if status or command._invalid_logs or command._invalid_digests else 0)
