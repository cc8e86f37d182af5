'use strict';
// What the patterns share: connections, waits with a limit, a consumer's inbox.

const fs = require('node:fs');
const readline = require('node:readline');
const amqp = require('amqplib');

const LIMIT = 120_000; // milliseconds that a wait for what is to come lasts at most

const ca = [fs.readFileSync(process.env.COFFER_CA)];

/** Connects over TLS; only Coffer's own CA is trusted. */
function connect(url = process.env.COFFER_AMQP_URL, options = {}) {
  return within('a connection', amqp.connect(url, { ca, ...options }));
}

/** Gives what the promise gives, or fails when that takes too long. */
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${LIMIT} ms for ${what}`)), LIMIT);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Waits for one event of an emitter. */
function event(emitter, name) {
  return within(name, new Promise((resolve) => emitter.once(name, resolve)));
}

/** Keeps what comes until it is asked for. */
class Inbox {
  ready = [];
  #asked = [];

  put(message) {
    const asked = this.#asked.shift();
    if (asked) asked(message);
    else this.ready.push(message);
  }

  next(what) {
    if (this.ready.length) return Promise.resolve(this.ready.shift());
    return within(what, new Promise((resolve) => this.#asked.push(resolve)));
  }
}

/** Consumes a queue into an inbox, which also says the consumer's tag. */
async function consume(channel, queue, options) {
  const inbox = new Inbox();
  const put = (message) => inbox.put(message);
  inbox.tag = (await within('consume-ok', channel.consume(queue, put, options))).consumerTag;
  return inbox;
}

/** Publishes on a confirm channel; false when the broker refuses the message. */
function confirmed(channel, exchange, key, body, options = {}) {
  return within('a confirmation', new Promise((resolve) => {
    channel.publish(exchange, key, Buffer.from(body), options, (error) => resolve(!error));
  }));
}

const lines = readline.createInterface({ input: process.stdin });
const heard = new Inbox();
lines.on('line', (line) => heard.put(line));

/** Asks the one who runs this program to do something, and gives its answer. */
function ask(what) {
  console.log(what);
  return heard.next(`the answer to ${what}`);
}

/** Lets the program end. */
function rest() {
  lines.close();
  process.stdin.unref?.();
}

module.exports = { amqp, ask, ca, confirmed, connect, consume, event, Inbox, rest, within };
