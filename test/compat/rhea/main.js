// rhea, the client of AMQP 1.0 for JavaScript, against a broker: links, settlement,
// request and answer, bodies, and mistakes. Each line `ok NAME` is one part that held; the
// first that does not ends the program.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const rhea = require('rhea');

const LIMIT = 120_000; // ms that a wait for what is to come lasts at most
const url = new URL(process.env.COFFER_AMQP_URL);

// event waits for one of the names, and gives what came with it.
function event(emitter, ...names) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${LIMIT} ms for ${names}`)), LIMIT);
    const came = names.map((name) => (context) => {
      clearTimeout(timer);
      names.forEach((other, i) => emitter.removeListener(other, came[i]));
      resolve({ name, ...context });
    });
    names.forEach((name, i) => emitter.on(name, came[i]));
  });
}

function dial(more = {}) {
  return rhea.create_container().connect({
    transport: 'tls', host: url.hostname, servername: url.hostname, port: Number(url.port),
    ca: [fs.readFileSync(process.env.COFFER_CA)], reconnect: false,
    username: decodeURIComponent(url.username), password: decodeURIComponent(url.password),
    ...more,
  });
}

async function connect() {
  const connection = dial();
  await event(connection, 'connection_open');
  return connection;
}

async function close(...connections) {
  for (const connection of connections) {
    connection.close();
    await event(connection, 'connection_close');
  }
}

async function sender(connection, target) {
  const link = connection.open_sender({ target });
  await event(link, 'sendable');
  return link;
}

// send gives the outcome of a message.
async function send(link, message) {
  link.send(message);
  return (await event(link, 'accepted', 'released', 'rejected')).name;
}

// receiver gives a link that settles nothing by itself, and asks for one message at a time.
async function receiver(connection, source) {
  const link = connection.open_receiver({ source, credit_window: 0, autoaccept: false });
  await event(link, 'receiver_open');
  return link;
}

async function take(link) {
  const came = event(link, 'message');
  link.add_credit(1);
  return came;
}

async function work(name) {
  const connection = await connect();
  const to = await sender(connection, name);
  for (let n = 0; n < 20; n++) {
    assert.equal(await send(to, { body: { n }, message_id: n, subject: 'task', durable: true,
      application_properties: { n } }), 'accepted');
  }
  const from = await receiver(connection, `/queues/${name}`);
  for (let n = 0; n < 20; n++) {
    const { message, delivery } = await take(from);
    assert.deepEqual([message.body, message.message_id, message.application_properties.n],
      [{ n }, n, n]);
    delivery.accept();
  }
  await close(connection);
}

// outcomes: what is released or modified comes back, what is rejected does not.
async function outcomes(name) {
  const connection = await connect();
  const to = await sender(connection, name);
  await send(to, { body: 'one' });
  const from = await receiver(connection, name);
  let { message, delivery } = await take(from);
  assert.deepEqual([message.first_acquirer, message.delivery_count || 0], [true, 0]);
  delivery.release();
  ({ message, delivery } = await take(from));
  assert.ok(!message.first_acquirer);
  delivery.modified({ delivery_failed: true });
  ({ message, delivery } = await take(from));
  assert.equal(message.body, 'one');
  delivery.reject({ condition: 'app:bad', description: 'bad' });
  await send(to, { body: 'two' });
  ({ message, delivery } = await take(from));
  assert.equal(message.body, 'two');
  delivery.accept();
  await close(connection);
}

async function publishSubscribe(name) {
  const connection = await connect();
  const some = await receiver(connection, `/topic/news.*.${name}`);
  const every = await receiver(connection, `/exchange/amq.topic/#.${name}`);
  for (const topic of ['news.eu', 'sport']) {
    const to = await sender(connection, `/exchanges/amq.topic/${topic}.${name}`);
    assert.equal(await send(to, { body: topic }), 'accepted');
  }
  for (const [link, bodies] of [[some, ['news.eu']], [every, ['news.eu', 'sport']]]) {
    for (const body of bodies) {
      const { message, delivery } = await take(link);
      assert.equal(message.body, body);
      delivery.accept();
    }
  }
  await close(connection);
}

// rpc asks with the address of a queue that the broker made for the answer.
async function rpc(name) {
  const [server, client] = [await connect(), await connect()];
  const questions = await receiver(server, name);
  const answers = await sender(server, null);
  const mine = await receiver(client, { dynamic: true });
  await send(await sender(client, name),
    { body: '2+2', reply_to: mine.source.address, correlation_id: 'c' });
  const question = await take(questions);
  question.delivery.accept();
  await send(answers, { to: question.message.reply_to, body: 4,
    correlation_id: question.message.correlation_id });
  const { message } = await take(mine);
  assert.deepEqual([message.body, message.correlation_id], [4, 'c']);
  await close(server, client);
}

async function bodies(name) {
  const connection = await connect();
  const to = await sender(connection, name);
  const from = await receiver(connection, name);
  for (const body of [null, true, -7, 1.5, 'täxt', Buffer.from([0, 255]), [1, 'two', [3]],
    { a: { b: [1] } }, 'x'.repeat(1_000_000),
    rhea.message.data_section(Buffer.alloc(3_000_000, 'y'))]) {
    assert.equal(await send(to, { body }), 'accepted');
    const { message, delivery } = await take(from);
    assert.deepEqual(message.body?.content ?? message.body, body?.content ?? body);
    delivery.accept();
  }
  await close(connection);
}

// mistakes: what is not there, who is not let in, and no TLS.
async function mistakes(name) {
  const connection = await connect();
  const link = connection.open_receiver(`/queues/none-${name}`);
  const { receiver: ended } = await event(link, 'receiver_error');
  assert.equal(ended.error.condition, 'amqp:not-found');
  assert.match(ended.error.description, new RegExp(`no queue 'none-${name}'`));
  const nowhere = await sender(connection, null);
  assert.equal(await send(nowhere, { to: `/queues/none-${name}`, body: 'x' }), 'released');
  await close(connection);
  const wrong = dial({ password: 'wrong' });
  const { connection: refused } = await event(wrong, 'connection_error');
  assert.match(refused.get_error().description, /Failed to authenticate/);
  const plain = dial({ transport: 'tcp' });
  await event(plain, 'disconnected');
}

const parts = { 'work-queue': work, outcomes, 'publish-subscribe': publishSubscribe, rpc, bodies,
  mistakes };

async function main() {
  for (const [name, part] of Object.entries(parts)) {
    await part(`${name}-${process.pid}`);
    console.log(`ok ${name}`);
  }
}

main().then(() => process.exit(0), (e) => {
  console.error(e);
  process.exit(1);
});
