// A process of sqs-consumer that tells its parent each message which it handles, and is
// done with it, so that the library deletes it, when the parent says so:
// worker.js QUEUE-URL single|batch.
'use strict';

const { Consumer } = require('sqs-consumer');
const { client } = require('./client');

const [, , queueUrl, mode] = process.argv;
const inHand = new Map();

const handle = (message) => new Promise((resolve) => {
  inHand.set(message.MessageId, resolve);
  process.send({ id: message.MessageId, body: message.Body });
});
process.on('message', (id) => inHand.get(id)());

const consumer = Consumer.create({
  queueUrl, sqs: client, batchSize: 10, waitTimeSeconds: 20, suppressFifoWarning: true,
  ...(mode === 'batch'
    ? {
      async handleMessageBatch(list) {
        for (const message of list) await handle(message);
        return list;
      },
    }
    : {
      async handleMessage(message) {
        await handle(message);
        return message;
      },
    }),
});
consumer.on('error', (e) => {
  console.error(e);
  process.exit(1);
});
process.on('disconnect', () => process.exit(1)); // whoever started it is gone
consumer.start();
