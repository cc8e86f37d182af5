// What the parts share: a client that trusts what NODE_EXTRA_CA_CERTS says and tries
// nothing again, and waits that end.
'use strict';

const assert = require('node:assert/strict');
const sqs = require('@aws-sdk/client-sqs');

const PATIENCE = 60_000; // ms that a wait for something that is to come lasts at most

const client = new sqs.SQSClient({
  endpoint: process.env.AWS_ENDPOINT_URL, region: process.env.AWS_REGION, maxAttempts: 1,
});

// call sends a command by its name.
const call = (name, input) => client.send(new sqs[`${name}Command`](input));

// refused is the exception that a call must end with, by its class and code.
async function refused(kind, code, name, input) {
  await assert.rejects(call(name, input), (e) => {
    assert.deepEqual([e.name, e.Code ?? e.code], [kind, code], `${name}: ${e.message}`);
    return true;
  });
}

async function attribute(QueueUrl, name) {
  const out = await call('GetQueueAttributes', { QueueUrl, AttributeNames: [name] });
  return out.Attributes?.[name];
}

async function eventually(ask, want) {
  const late = Date.now() + PATIENCE;
  for (;;) {
    const got = await ask();
    if (got === want) return;
    if (Date.now() > late) assert.equal(got, want);
  }
}

module.exports = { PATIENCE, assert, attribute, call, client, eventually, refused };
