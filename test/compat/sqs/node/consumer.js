// sqs-consumer at work: processes of its consumers take thousands of messages, and some
// are killed with messages in hand. Nothing is lost, and no group gets out of order.
'use strict';

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { assert, attribute, call, eventually } = require('./client');

const MESSAGES = 2000;
const WORKERS = 3;
const GROUPS = 20;
const VISIBILITY = 3; // seconds after which others get what a killed process had

// crew keeps processes at work and kills one after so many handled messages.
class Crew {
  constructor(url, mode, every, handled) {
    Object.assign(this, { url, mode, every, handled, left: every, workers: new Set(), kills: 0 });
    for (let i = 0; i < WORKERS; i++) this.hire();
  }

  hire() {
    const worker = fork(`${__dirname}/worker.js`, [this.url, this.mode], { stdio: 'inherit' });
    this.workers.add(worker);
    worker.on('message', ({ id, body }) => {
      if (!this.workers.has(worker)) return; // it was killed, and cannot be done with it
      this.handled(body);
      if (--this.left === 0) this.replace(worker);
      else worker.send(id);
    });
  }

  // replace kills a process that handles a message, and maybe others.
  replace(worker) {
    this.workers.delete(worker);
    worker.kill('SIGKILL');
    this.kills++;
    this.left = this.every;
    this.hire();
  }

  async dismiss() {
    const all = [...this.workers];
    this.workers.clear();
    await Promise.all(all.map(async (worker) => {
      const ended = once(worker, 'exit');
      worker.kill('SIGKILL');
      await ended;
    }));
  }
}

async function fill(QueueUrl, bodies, more) {
  for (let at = 0; at < bodies.length; at += 10) {
    const Entries = bodies.slice(at, at + 10).map((MessageBody, i) => (
      { Id: `${i}`, MessageBody, ...more(MessageBody) }));
    const { Successful } = await call('SendMessageBatch', { QueueUrl, Entries });
    assert.equal(Successful.length, Entries.length);
  }
}

async function empty(QueueUrl) {
  await eventually(async () => `${await attribute(QueueUrl, 'ApproximateNumberOfMessages')} ${
    await attribute(QueueUrl, 'ApproximateNumberOfMessagesNotVisible')}`, '0 0');
}

async function thousands() {
  const { QueueUrl } = await call('CreateQueue', { QueueName: 'work',
    Attributes: { VisibilityTimeout: `${VISIBILITY}` } });
  const bodies = Array.from({ length: MESSAGES }, (_, i) => `job ${i}`);
  const missing = new Set(bodies);
  const crew = new Crew(QueueUrl, 'single', MESSAGES / 8, (body) => missing.delete(body));
  await fill(QueueUrl, bodies, () => ({}));
  await empty(QueueUrl);
  await crew.dismiss();
  assert.equal(missing.size, 0, `lost ${[...missing].slice(0, 9)}`);
  assert.ok(crew.kills >= 5, `${crew.kills} were killed`);
}

// inOrder: of each group a message is handled only when those before it were.
async function inOrder() {
  const { QueueUrl } = await call('CreateQueue', { QueueName: 'work.fifo', Attributes: {
    FifoQueue: 'true', ContentBasedDeduplication: 'true', VisibilityTimeout: `${VISIBILITY}` } });
  const bodies = Array.from({ length: MESSAGES / 2 }, (_, i) => (
    `${i % GROUPS} ${Math.floor(i / GROUPS)}`));
  const next = new Array(GROUPS).fill(0);
  const early = [];
  const crew = new Crew(QueueUrl, 'batch', MESSAGES / 8, (body) => {
    const [group, n] = body.split(' ').map(Number);
    if (n > next[group]) early.push(body);
    next[group] = Math.max(next[group], n + 1);
  });
  await fill(QueueUrl, bodies, (body) => ({ MessageGroupId: body.split(' ')[0] }));
  await fill(QueueUrl, bodies, (body) => ({ MessageGroupId: body.split(' ')[0] })); // duplicates
  await empty(QueueUrl);
  await crew.dismiss();
  assert.deepEqual(early, []);
  assert.deepEqual(next, new Array(GROUPS).fill(bodies.length / GROUPS));
  assert.ok(crew.kills >= 3, `${crew.kills} were killed`);
}

module.exports = { standard: { thousands }, groups: { inOrder } };
