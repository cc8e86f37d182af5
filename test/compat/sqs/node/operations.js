// Every operation of SQS by the SDK, those on messages for many queues at once.
'use strict';

const { assert, attribute, call, eventually, refused } = require('./client');

const gone = ['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue'];
const SLOW = 100; // messages that a task moves one a second, until it is cancelled
let url, arn;

async function take(QueueUrl, more = {}) {
  const out = await call('ReceiveMessage', { QueueUrl, WaitTimeSeconds: 20, ...more });
  assert.equal(out.Messages?.length, 1, 'one message');
  return out.Messages[0];
}

async function queues() {
  const made = await Promise.all(['jobs', 'other'].map((QueueName) =>
    call('CreateQueue', { QueueName, tags: { team: 'red' } })));
  url = made[0].QueueUrl;
  arn = await attribute(url, 'QueueArn');
  assert.equal((await call('GetQueueUrl', { QueueName: 'jobs' })).QueueUrl, url);
  await refused(...gone, 'GetQueueUrl', { QueueName: 'nowhere' });
  const listed = await call('ListQueues', { MaxResults: 1 });
  assert.equal(listed.QueueUrls.length, 1);
  const rest = await call('ListQueues', { MaxResults: 5, NextToken: listed.NextToken });
  assert.deepEqual([...listed.QueueUrls, ...rest.QueueUrls].sort(),
    made.map((m) => m.QueueUrl).sort());
  await call('SetQueueAttributes', { QueueUrl: url, Attributes: { VisibilityTimeout: '600' } });
  assert.equal(await attribute(url, 'VisibilityTimeout'), '600');
  await refused('InvalidAttributeValue', 'InvalidAttributeValue', 'SetQueueAttributes',
    { QueueUrl: url, Attributes: { DelaySeconds: '901' } });
  await call('DeleteQueue', { QueueUrl: made[1].QueueUrl });
}

async function tags() {
  await call('TagQueue', { QueueUrl: url, Tags: { cost: '7' } });
  const { Tags } = await call('ListQueueTags', { QueueUrl: url });
  assert.deepEqual(Tags, { team: 'red', cost: '7' });
  await call('UntagQueue', { QueueUrl: url, TagKeys: ['team', 'cost'] });
  assert.equal((await call('ListQueueTags', { QueueUrl: url })).Tags, undefined);
}

async function permissions() {
  await call('AddPermission', {
    QueueUrl: url, Label: 'mine', AWSAccountIds: [arn.split(':')[4]], Actions: ['SendMessage'],
  });
  const policy = JSON.parse(await attribute(url, 'Policy'));
  assert.equal(policy.Statement[0].Action, 'SQS:SendMessage');
  await call('RemovePermission', { QueueUrl: url, Label: 'mine' });
  assert.equal(await attribute(url, 'Policy'), undefined);
}

// messages go through twenty queues at once; the SDK itself compares the digests.
async function messages() {
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const { QueueUrl } = await call('CreateQueue', { QueueName: `many-${i}` });
    const sent = call('SendMessage', {
      QueueUrl, MessageBody: `Grüße ${i} \u{1f600}\t<&>`,
      MessageAttributes: {
        text: { DataType: 'String', StringValue: 'grün' },
        bytes: { DataType: 'Binary', BinaryValue: new Uint8Array([0, 255, i]) },
      },
    });
    const got = await take(QueueUrl, { MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'] });
    assert.equal(got.Body, `Grüße ${i} \u{1f600}\t<&>`);
    assert.deepEqual([...got.MessageAttributes.bytes.BinaryValue], [0, 255, i]);
    assert.equal(got.MessageId, (await sent).MessageId);
    const { ReceiptHandle } = got;
    await call('ChangeMessageVisibility', { QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });
    const again = await take(QueueUrl, { MessageSystemAttributeNames: ['All'] });
    assert.equal(again.Attributes.ApproximateReceiveCount, '2');
    await call('DeleteMessage', { QueueUrl, ReceiptHandle: again.ReceiptHandle });
    await refused('ReceiptHandleIsInvalid', 'ReceiptHandleIsInvalid', 'DeleteMessage',
      { QueueUrl, ReceiptHandle: 'rotten' });
    await call('DeleteQueue', { QueueUrl });
    await refused(...gone, 'SendMessage', { QueueUrl, MessageBody: 'x' });
  }));
}

async function batches() {
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `e${i}`, MessageBody: `b${i}` }));
  const sent = await call('SendMessageBatch', { QueueUrl: url, Entries });
  assert.equal(sent.Successful.length, 10);
  const got = [];
  while (got.length < 10) {
    const out = await call('ReceiveMessage',
      { QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 });
    got.push(...out.Messages);
  }
  const entries = got.map((m, i) => ({ Id: `${i}`, ReceiptHandle: m.ReceiptHandle }));
  const changed = await call('ChangeMessageVisibilityBatch', { QueueUrl: url,
    Entries: [{ ...entries[0], VisibilityTimeout: 300 },
      { Id: 'bad', ReceiptHandle: 'rotten', VisibilityTimeout: 1 }] });
  assert.deepEqual(changed.Failed.map((f) => [f.Id, f.Code, f.SenderFault]),
    [['bad', 'ReceiptHandleIsInvalid', true]]);
  const deleted = await call('DeleteMessageBatch', { QueueUrl: url, Entries: entries });
  assert.equal(deleted.Successful.length, 10);
  await refused('TooManyEntriesInBatchRequest',
    'AWS.SimpleQueueService.TooManyEntriesInBatchRequest', 'DeleteMessageBatch',
    { QueueUrl: url, Entries: [...entries, { Id: 'x', ReceiptHandle: 'y' }] });
}

async function deadLetters() {
  const { QueueUrl } = await call('CreateQueue', { QueueName: 'dead' });
  const SourceArn = await attribute(QueueUrl, 'QueueArn');
  await call('SetQueueAttributes', { QueueUrl: url, Attributes: {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: SourceArn, maxReceiveCount: 1 }) } });
  assert.deepEqual((await call('ListDeadLetterSourceQueues', { QueueUrl })).queueUrls, [url]);
  await call('SendMessage', { QueueUrl: url, MessageBody: 'poison' });
  await take(url, { VisibilityTimeout: 0 });
  assert.equal((await call('ReceiveMessage', { QueueUrl: url })).Messages, undefined);
  await eventually(() => attribute(QueueUrl, 'ApproximateNumberOfMessages'), '1');
  await call('StartMessageMoveTask', { SourceArn });
  await eventually(async () =>
    (await call('ListMessageMoveTasks', { SourceArn })).Results[0].Status, 'COMPLETED');
  assert.equal((await take(url)).Body, 'poison');
  await refused('InvalidParameterValue', 'InvalidParameterValue',
    'CancelMessageMoveTask', { TaskHandle: 'rotten' });
  await cancelled(QueueUrl, SourceArn);
}

// cancelled ends a task while it runs; what it has not moved stays where it is.
async function cancelled(QueueUrl, SourceArn) {
  const Entries = Array.from({ length: 10 }, (_, i) => ({ Id: `${i}`, MessageBody: 'x' }));
  await Promise.all(Array.from({ length: SLOW / 10 }, () =>
    call('SendMessageBatch', { QueueUrl, Entries })));
  const { TaskHandle } = await call('StartMessageMoveTask',
    { SourceArn, DestinationArn: arn, MaxNumberOfMessagesPerSecond: 1 });
  await call('CancelMessageMoveTask', { TaskHandle });
  await eventually(async () =>
    (await call('ListMessageMoveTasks', { SourceArn })).Results[0].Status, 'CANCELLED');
  const counts = await Promise.all([url, QueueUrl].map((u) =>
    attribute(u, 'ApproximateNumberOfMessages')));
  assert.equal(Number(counts[0]) + Number(counts[1]), SLOW);
}

async function ends() {
  await call('PurgeQueue', { QueueUrl: url });
  await refused('PurgeQueueInProgress', 'AWS.SimpleQueueService.PurgeQueueInProgress',
    'PurgeQueue', { QueueUrl: url });
  await call('DeleteQueue', { QueueUrl: url });
}

module.exports = { queues, tags, permissions, messages, batches, deadLetters, ends };
