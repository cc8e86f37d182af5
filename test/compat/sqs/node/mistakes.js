// What new users do wrong, and what the SDK for JavaScript then tells them.
'use strict';

const fs = require('node:fs');
const { Agent } = require('node:https');
const { ListQueuesCommand, SendMessageCommand, SQSClient } = require('@aws-sdk/client-sqs');
const { assert, call } = require('./client');

const { AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, AWS_REGION, AWS_SECRET_ACCESS_KEY, NOBODY_KEY,
  NOBODY_SECRET, OTHER_CA } = process.env;

// fails sends a command with other settings; it must end with this name and say this.
async function fails(name, text, settings, command = new ListQueuesCommand({})) {
  const client = new SQSClient({
    endpoint: AWS_ENDPOINT_URL, region: AWS_REGION, maxAttempts: 1, ...settings,
  });
  await assert.rejects(client.send(command), (e) => {
    assert.equal(e.name, name, `${e}`);
    assert.match(e.message, text);
    return true;
  });
}

const credentials = (accessKeyId, secretAccessKey) => (
  { credentials: { accessKeyId, secretAccessKey } });

async function queue(QueueName) {
  const { QueueUrl } = await call('CreateQueue', { QueueName });
  return new SendMessageCommand({ QueueUrl, MessageBody: 'x' });
}

module.exports = {
  'wrong-secret': () => fails('SignatureDoesNotMatch', /signature we calculated/,
    credentials(AWS_ACCESS_KEY_ID, 'wrong')),
  'wrong-key': () => fails('InvalidClientTokenId', /security token/,
    credentials('AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY)),
  'wrong-region': async () => fails('QueueDoesNotExist', new RegExp(AWS_REGION),
    { region: 'eu-west-1' }, await queue('mine')),
  'no-region': () => fails('SignatureDoesNotMatch', /valid region/, { region: 'elasticmq' }),
  plaintext: () => fails('InvalidSecurity', /use https:\/\//,
    { endpoint: AWS_ENDPOINT_URL.replace('https:', 'http:') }),
  'wrong-ca': () => fails('Error', /self-signed|unable to verify/, {
    requestHandler: { httpsAgent: new Agent({ ca: fs.readFileSync(OTHER_CA) }) },
  }),
  'deleted-queue': async () => {
    const command = await queue('short');
    await call('DeleteQueue', { QueueUrl: command.input.QueueUrl });
    await fails('QueueDoesNotExist', /does not exist/, {}, command);
  },
  'no-permission': async () => fails('AccessDenied',
    /nobody is not authorized to perform: sqs:sendmessage on resource: /,
    credentials(NOBODY_KEY, NOBODY_SECRET), await queue('secrets')),
};
