'use strict';
// The broker of COFFER_LOCKED_URL is under a key that the one who runs this
// program disables and enables when it is asked to.

const assert = require('node:assert/strict');
const { ask, confirmed, connect, consume, event } = require('./client');

const WAITING = 20;
const PREFETCH = 5;

/** Nothing comes, though answers do, and messages of another broker. */
async function silent(main, channel, inbox) {
  assert.equal((await channel.checkQueue('locked')).messageCount, WAITING - PREFETCH);
  const other = await main.createConfirmChannel();
  await other.assertQueue('open');
  const through = await consume(other, 'open', { noAck: true });
  for (let n = 0; n < 10; n++) {
    assert.ok(await confirmed(other, '', 'open', 'x'));
    await through.next('a message of another broker');
  }
  assert.equal((await channel.checkQueue('locked')).messageCount, WAITING - PREFETCH);
  assert.equal(inbox.ready.length, 0);
}

async function locked(main) {
  const connection = await connect(process.env.COFFER_LOCKED_URL);
  const out = await connection.createConfirmChannel();
  const into = await connection.createChannel();
  await out.assertQueue('locked', { durable: true });
  for (let n = 0; n < WAITING; n++) {
    assert.ok(await confirmed(out, '', 'locked', String(n), { persistent: true }));
  }
  await into.prefetch(PREFETCH);
  const inbox = await consume(into, 'locked');
  const held = [];
  while (held.length < PREFETCH) held.push(await inbox.next('a message'));

  const blocked = event(connection, 'blocked');
  const why = await ask('disable');
  assert.ok((await blocked).includes(why), `${await blocked}\nwant ${why}`);
  assert.equal(await confirmed(out, '', 'locked', 'refused', { persistent: true }), false);
  const plain = await connection.createChannel();
  const ended = event(plain, 'error');
  plain.sendToQueue('locked', Buffer.from('refused'));
  assert.equal((await ended).code, 506);
  assert.ok((await ended).message.includes(why), (await ended).message);
  for (const message of held) into.ack(message);
  await silent(main, into, inbox);

  const unblocked = event(connection, 'unblocked');
  await ask('enable');
  await unblocked;
  assert.ok(await confirmed(out, '', 'locked', String(WAITING), { persistent: true }));
  while (held.length <= WAITING) {
    const message = await inbox.next('what waited');
    assert.equal(message.fields.redelivered, false);
    into.ack(message);
    held.push(message);
  }
  assert.deepEqual(held.map((m) => Number(m.content)), [...Array(WAITING + 1).keys()]);
  assert.equal((await into.deleteQueue('locked')).messageCount, 0);
  await connection.close();
}

module.exports = { locked };
