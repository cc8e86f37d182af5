"""The audit trail with boto3: its paginator over many events while others are written."""

import os
import subprocess
import threading
import unittest

from coffer import Server, clean_environment

# As many as the trail must page through without gap or repeat, or a few of them.
EVENTS = 100_000 if os.environ.get("COFFER_COMPAT_WHOLE") else 2_000


class Trail(unittest.TestCase):
    def setUp(self):
        self.server = Server(self)
        self.server.stop()
        subprocess.run(["go", "run", "coffer/test/compat/trail", "-data", self.server.data,
                        "-events", str(EVENTS)], check=True,
                       env={**clean_environment(), "PATH": os.environ["PATH"]})
        self.server.start()
        self.over, self.written = threading.Event(), 0

    def write(self):
        """Makes events, some with effects, until the walk is over."""
        kms = self.server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        while not self.over.is_set():
            kms.describe_key(KeyId=key)
            kms.update_key_description(KeyId=key, Description=str(self.written))
            self.written += 2

    def walk(self, **query):
        """The ids of all events that were there before, as the paginator gives them."""
        pages = self.server.client("cloudtrail").get_paginator("lookup_events").paginate(**query)
        seen, ids = set(), []
        for page in pages:
            for event in page["Events"]:
                self.assertNotIn(event["EventId"], seen, "an event comes twice")
                seen.add(event["EventId"])
                if event["EventId"].startswith("00000000-0000-4000-8000-"):
                    ids.append(int(event["EventId"][24:]))
        return ids

    def test_pages_meanwhile(self):
        """Every event of 80 days once and in order, with and without an attribute."""
        writer = threading.Thread(target=self.write)
        writer.start()
        try:
            self.assertEqual(self.walk(), list(range(EVENTS - 1, -1, -1)))
            one = [{"AttributeKey": "Username", "AttributeValue": "user-7"}]
            self.assertEqual(self.walk(LookupAttributes=one),
                             [n for n in range(EVENTS - 1, -1, -1) if n % 100 == 7])
        finally:
            self.over.set()
            writer.join()
        self.assertGreater(self.written, 0)
