'use strict';
// The broker is killed and started again; the client connects again by itself
// and runs the application's setup again.

const assert = require('node:assert/strict');
const { ask, confirmed, connect, consume, Inbox } = require('./client');

async function recovery() {
  const setups = new Inbox();
  const setup = async (connection) => {
    const out = await connection.createConfirmChannel();
    const into = await connection.createChannel();
    await out.assertQueue('kept', { durable: true });
    await into.prefetch(1);
    await out.assertExchange('news', 'fanout');
    const { queue } = await into.assertQueue('', { exclusive: true });
    await into.bindQueue(queue, 'news', '');
    const news = await consume(into, queue, { noAck: true });
    setups.put({ out, into, news });
  };
  const recover = { enabled: true, initialDelay: 100, maxDelay: 500, setup };
  const connection = await connect(process.env.COFFER_AMQP_URL, { recovery: recover });
  connection.on('error', () => {}); // the application only waits
  const first = await setups.next('the setup');
  for (let n = 0; n < 10; n++) {
    assert.ok(await confirmed(first.out, '', 'kept', String(n), { persistent: true }));
  }
  const held = await (await consume(first.into, 'kept')).next('the first message');
  assert.equal(held.content.toString(), '0');

  await ask('restart');
  const { out, into, news } = await setups.next('the setup after the restart');
  const kept = await consume(into, 'kept');
  assert.ok(await confirmed(out, '', 'kept', '10', { persistent: true }));
  for (let n = 0; n <= 10; n++) {
    const message = await kept.next(`message ${n}`);
    assert.equal(message.content.toString(), String(n));
    assert.equal(message.fields.redelivered, n === 0);
    into.ack(message);
  }
  assert.ok(await confirmed(out, 'news', '', 'again'));
  assert.equal((await news.next('the news')).content.toString(), 'again');
  assert.equal((await into.deleteQueue('kept')).messageCount, 0);
  await connection.close();
}

module.exports = { recovery };
