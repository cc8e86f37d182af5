'use strict';

const assert = require('node:assert/strict');
const { confirmed, connect, consume, event, Inbox, within } = require('./client');

const text = (message) => message.content.toString();

/** Two workers share a durable queue; what one leaves undone the other gets. */
async function work(connection) {
  const out = await connection.createConfirmChannel();
  await out.assertQueue('task_queue', { durable: true });
  for (let n = 0; n < 10; n++) {
    out.sendToQueue('task_queue', Buffer.from(String(n)), { persistent: true });
  }
  await within('confirmations', out.waitForConfirms());
  const other = await connect();
  const slow = await other.createChannel();
  await slow.prefetch(1);
  const held = await (await consume(slow, 'task_queue')).next('the first task');
  assert.equal(text(held), '0');
  const quick = await connection.createChannel();
  await quick.prefetch(1);
  const tasks = await consume(quick, 'task_queue');
  for (let n = 1; n < 10; n++) {
    const task = await tasks.next(`task ${n}`);
    assert.equal(text(task), String(n));
    assert.equal(task.fields.redelivered, false);
    assert.equal(tasks.ready.length, 0, 'more than the prefetch');
    quick.ack(task);
  }
  await other.close();
  const again = await tasks.next('the task that nobody finished');
  assert.equal(text(again), '0');
  assert.equal(again.fields.redelivered, true);
  assert.equal(again.properties.deliveryMode, 2);
  quick.ack(again);
  assert.equal((await quick.deleteQueue('task_queue')).messageCount, 0);
}

/** Every subscriber gets every message. */
async function publishSubscribe(connection) {
  const channel = await connection.createChannel();
  await channel.assertExchange('logs', 'fanout', { durable: false });
  const subscribers = [];
  for (let i = 0; i < 2; i++) {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    assert.match(queue, /^amq\.gen-/);
    await channel.bindQueue(queue, 'logs', '');
    subscribers.push(await consume(channel, queue, { noAck: true }));
  }
  for (let n = 0; n < 5; n++) channel.publish('logs', 'ignored', Buffer.from(`log ${n}`));
  for (const subscriber of subscribers) {
    for (let n = 0; n < 5; n++) assert.equal(text(await subscriber.next('a log')), `log ${n}`);
  }
}

/** Gives the keys of what a queue bound by the patterns gets. */
async function bound(channel, exchange, patterns) {
  const { queue } = await channel.assertQueue('', { exclusive: true });
  for (const pattern of patterns) await channel.bindQueue(queue, exchange, pattern);
  return queue;
}

async function keys(channel, queue) {
  const found = [];
  for (;;) {
    const message = await within('a message', channel.get(queue, { noAck: true }));
    if (!message) return found;
    found.push(message.fields.routingKey);
  }
}

async function routing(connection) {
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('direct_logs', 'direct', { durable: false });
  const errors = await bound(channel, 'direct_logs', ['error']);
  const all = await bound(channel, 'direct_logs', ['info', 'warning', 'error']);
  const sent = ['info', 'error', 'debug', 'warning', 'error'];
  for (const key of sent) assert.ok(await confirmed(channel, 'direct_logs', key, key));
  assert.deepEqual(await keys(channel, errors), ['error', 'error']);
  assert.deepEqual(await keys(channel, all), ['info', 'error', 'warning', 'error']);
}

async function topics(connection) {
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('animals', 'topic', { durable: false });
  const first = await bound(channel, 'animals', ['*.orange.*']);
  const second = await bound(channel, 'animals', ['*.*.rabbit', 'lazy.#']);
  const sent = ['quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox',
    'lazy.brown.fox', 'lazy.pink.rabbit', 'quick.brown.fox', 'orange', 'lazy',
    'quick.orange.new.rabbit', 'lazy.orange.new.rabbit'];
  for (const key of sent) assert.ok(await confirmed(channel, 'animals', key, key));
  assert.deepEqual(await keys(channel, first),
    ['quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox']);
  assert.deepEqual(await keys(channel, second), ['quick.orange.rabbit', 'lazy.orange.elephant',
    'lazy.brown.fox', 'lazy.pink.rabbit', 'lazy', 'lazy.orange.new.rabbit']);
  const returned = event(channel, 'return');
  assert.ok(await confirmed(channel, 'animals', 'quick.brown.fox', 'x', { mandatory: true }));
  assert.equal((await returned).fields.replyText, 'NO_ROUTE');
  assert.equal((await returned).fields.replyCode, 312);
}

/** Serves requests of Fibonacci numbers until the connection ends. */
async function serve(connection) {
  const channel = await connection.createChannel();
  await channel.assertQueue('rpc_queue');
  await channel.prefetch(1);
  const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
  await channel.consume('rpc_queue', (m) => {
    const { replyTo, correlationId } = m.properties;
    channel.sendToQueue(replyTo, Buffer.from(String(fib(Number(text(m))))), { correlationId });
    channel.ack(m);
  });
}

async function call(channel, replies, replyTo) {
  for (const [n, want] of [[10, '55'], [20, '6765'], [1, '1']]) {
    const correlationId = `call-${n}`;
    channel.sendToQueue('rpc_queue', Buffer.from(String(n)), { replyTo, correlationId });
    const reply = await replies.next('a reply');
    assert.equal(reply.properties.correlationId, correlationId);
    assert.equal(text(reply), want);
  }
}

async function rpc(connection) {
  await serve(connection);
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await call(channel, await consume(channel, queue, { noAck: true }), queue);
}

async function directReplyTo(connection) {
  await serve(connection);
  const channel = await connection.createChannel();
  const name = 'amq.rabbitmq.reply-to';
  await call(channel, await consume(channel, name, { noAck: true }), name);
}

/** Confirms one by one, of a batch, and as they come. */
async function confirms(connection) {
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue('confirmed', { durable: true });
  assert.ok(await confirmed(channel, '', queue, 'one', { persistent: true }));
  for (let n = 0; n < 100; n++) channel.sendToQueue(queue, Buffer.from('b'), { persistent: true });
  await within('confirmations', channel.waitForConfirms());
  const settled = new Inbox();
  for (let n = 0; n < 500; n++) {
    channel.sendToQueue(queue, Buffer.from('c'), { persistent: true }, (e) => settled.put([e]));
  }
  for (let n = 0; n < 500; n++) assert.deepEqual(await settled.next('a confirmation'), [null]);
  assert.equal((await channel.checkQueue(queue)).messageCount, 601);
  assert.equal((await channel.purgeQueue(queue)).messageCount, 601);
}

/** Makes a queue whose dead letters go to the queue `dead`. */
async function mortal(channel, queue, options = {}) {
  await channel.assertQueue('dead', { durable: true });
  await channel.assertExchange('dlx', 'direct', { durable: true });
  await channel.bindQueue('dead', 'dlx', 'gone');
  const letters = { deadLetterExchange: 'dlx', deadLetterRoutingKey: 'gone' };
  await channel.assertQueue(queue, { durable: true, ...letters, ...options });
}

async function deadLetters(connection) {
  const channel = await connection.createConfirmChannel();
  await mortal(channel, 'rejecting');
  await mortal(channel, 'short', { maxLength: 1 });
  const dead = await consume(channel, 'dead');
  const died = async (body, queue, reason) => {
    const message = await dead.next(`a message that was ${reason}`);
    assert.equal(text(message), body);
    const { headers } = message.properties;
    const [death] = headers['x-death'];
    assert.equal(headers['x-death'].length, 1);
    assert.deepEqual([death.queue, death.reason, death.count, death.exchange,
      death['routing-keys']], [queue, reason, 1, '', [queue]]);
    assert.equal(death.time['!'], 'timestamp');
    assert.deepEqual([headers['x-first-death-queue'], headers['x-first-death-reason'],
      headers['x-first-death-exchange']], [queue, reason, '']);
    assert.equal(message.fields.exchange, 'dlx');
    assert.equal(message.fields.routingKey, 'gone');
    channel.ack(message);
    return message;
  };
  channel.sendToQueue('rejecting', Buffer.from('bad'));
  const jobs = await consume(channel, 'rejecting');
  channel.reject(await jobs.next('the bad one'), false);
  await died('bad', 'rejecting', 'rejected');
  await channel.cancel(jobs.tag);
  assert.ok(await confirmed(channel, '', 'rejecting', 'old', { expiration: '1' }));
  const expired = await died('old', 'rejecting', 'expired');
  assert.equal(expired.properties.headers['x-death'][0]['original-expiration'], '1');
  assert.equal(expired.properties.expiration, undefined);
  for (const body of ['first', 'second']) assert.ok(await confirmed(channel, '', 'short', body));
  await died('first', 'short', 'maxlen');
}

/** What fails waits in a second queue and comes back, with its history. */
async function delayedRetry(connection) {
  const channel = await connection.createConfirmChannel();
  await channel.assertExchange('work', 'direct', { durable: true });
  await channel.assertExchange('retry', 'direct', { durable: true });
  await channel.assertQueue('jobs', { durable: true, deadLetterExchange: 'retry' });
  await channel.assertQueue('jobs.wait',
    { durable: true, messageTtl: 20, deadLetterExchange: 'work' });
  await channel.bindQueue('jobs', 'work', 'job');
  await channel.bindQueue('jobs.wait', 'retry', 'job');
  assert.ok(await confirmed(channel, 'work', 'job', 'payload', { persistent: true, type: 't' }));
  const jobs = await consume(channel, 'jobs');
  for (let tries = 0; ; tries++) {
    const job = await jobs.next(`try ${tries}`);
    assert.equal(text(job), 'payload');
    assert.equal(job.properties.type, 't');
    const deaths = (job.properties.headers['x-death'] || []).map(
      (d) => [d.queue, d.reason, d.count, d.exchange]);
    assert.deepEqual(deaths, tries === 0 ? [] : [['jobs.wait', 'expired', tries, 'retry'],
      ['jobs', 'rejected', tries, 'work']]);
    if (tries === 3) {
      channel.ack(job);
      break;
    }
    channel.nack(job, false, false);
  }
  assert.equal((await channel.deleteQueue('jobs')).messageCount, 0);
  assert.equal((await channel.deleteQueue('jobs.wait')).messageCount, 0);
}

module.exports = {
  'work-queue': work,
  'publish-subscribe': publishSubscribe,
  routing,
  topics,
  rpc,
  'direct-reply-to': directReplyTo,
  confirms,
  'dead-letters': deadLetters,
  'delayed-retry': delayedRetry,
};
