// The AWS SDK for JavaScript and sqs-consumer against an SQS that runs:
// main.js operations|mistakes|consumer|groups. Each line `ok NAME` is one part that held; the
// first that does not ends the program.
'use strict';

const modes = {
  operations: () => require('./operations'),
  mistakes: () => require('./mistakes'),
  consumer: () => require('./consumer').standard,
  groups: () => require('./consumer').groups,
};

async function main(mode) {
  for (const [name, part] of Object.entries(modes[mode]())) {
    await part();
    console.log(`ok ${name}`);
  }
}

main(process.argv[2]).catch((e) => {
  console.error(e);
  process.exit(1);
});
