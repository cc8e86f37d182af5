'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { connect, event } = require('./client');

const fails = (wrong, what) => assert.rejects(wrong, (error) => {
  for (const [key, value] of Object.entries(what)) {
    if (value instanceof RegExp) assert.match(String(error[key]), value);
    else assert.equal(error[key], value);
  }
  return true;
});

function changed(change) {
  const url = new URL(process.env.COFFER_AMQP_URL);
  change(url);
  return url.toString();
}

/** One call on a channel of its own, and how the broker ends that channel. */
async function channelEnds(connection, code, message, wrong) {
  const channel = await connection.createChannel();
  const ended = event(channel, 'error');
  Promise.resolve(wrong(channel)).catch(() => {});
  const error = await ended;
  assert.equal(error.code, code);
  assert.ok(error.message.includes(`"${message}"`), `${error.message}\nwant ${message}`);
  await connection.createChannel(); // the connection stays
}

const closes = (code, message, wrong) =>
  (connection) => channelEnds(connection, code, message, (channel) => wrong(channel, connection));

module.exports = {
  'wrong-password': () => fails(connect(changed((url) => { url.password = 'wrong'; })), {
    message: /403 \(ACCESS-REFUSED\).*"ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN\. For details see the broker logfile\."/,
  }),
  'wrong-vhost': () => fails(connect(changed((url) => { url.pathname = '/nowhere'; })), {
    message: 'Expected ConnectionOpenOk; got <ConnectionClose channel:0>', // all it tells
  }),
  'wrong-ca': () => fails(
    connect(process.env.COFFER_AMQP_URL, { ca: [fs.readFileSync(process.env.OTHER_CA)] }),
    { code: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/ }),
  plaintext: () => fails(
    connect(process.env.COFFER_AMQP_URL.replace('amqps:', 'amqp:')),
    { message: /Socket closed abruptly|ECONNRESET|Expected|Invalid/ }),
  'missing-queue': closes(404, "NOT_FOUND - no queue 'nope' in vhost '/'",
    (channel) => channel.checkQueue('nope')),
  'missing-exchange': closes(404, "NOT_FOUND - no exchange 'nope' in vhost '/'",
    (channel) => channel.publish('nope', 'key', Buffer.from('x'))),
  'other-arguments': async (connection) => {
    await (await connection.createChannel()).assertQueue('mine', { durable: true });
    await channelEnds(connection, 406, "PRECONDITION_FAILED - inequivalent arg 'x-max-length' " +
      "for queue 'mine' in vhost '/': received the value '5' of type 'byte' but current " +
      'is none', (channel) => channel.assertQueue('mine', { durable: true, maxLength: 5 }));
  },
  'acked-twice': closes(406, 'PRECONDITION_FAILED - unknown delivery tag 7',
    (channel) => channel.ack({ fields: { deliveryTag: 7 } })),
  exclusive: async (connection) => {
    await (await connection.createChannel()).assertQueue('private', { exclusive: true });
    const other = await connect();
    await channelEnds(other, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked " +
      "queue 'private' in vhost '/'. It could be originally declared on another connection or " +
      'the exclusive property value does not match that of the original declaration.',
    (channel) => channel.consume('private', () => {}));
    await other.close();
  },
};
