'use strict';
// amqplib against a Coffer that runs: node main.js patterns|mistakes|locked|recovery.
// Each line `ok NAME` is one pattern that held; the first that does not ends it.

const client = require('./client');

async function main(mode) {
  const patterns = require(`./${mode}`);
  for (const [name, pattern] of Object.entries(patterns)) {
    const connection = mode === 'recovery' ? null : await client.connect();
    await pattern(connection);
    await connection?.close();
    console.log(`ok ${name}`);
  }
}

main(process.argv[2]).then(client.rest, (error) => {
  console.error(error);
  process.exit(1);
});
