<?php
// What the tutorials do.

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPSSLConnection;

require_once __DIR__ . '/letters.php';

final class Patterns
{
    /** Two workers share a durable queue; what one leaves undone the other gets. */
    public static function work(AMQPSSLConnection $connection): void
    {
        $out = Client::confirming($connection);
        Client::queue($out, 'task_queue');
        for ($n = 0; $n < 10; $n++) {
            Client::publish($out, '', 'task_queue', "$n");
        }
        $other = Client::connect();
        $slow = $other->channel();
        $slow->basic_qos(0, 1, false);
        Client::same('0', (new Inbox($slow, 'task_queue'))->next()->getBody());
        $quick = $connection->channel();
        $quick->basic_qos(0, 1, false);
        $tasks = new Inbox($quick, 'task_queue');
        for ($n = 1; $n < 10; $n++) {
            $task = $tasks->next();
            Client::same(["$n", false, 0],
                [$task->getBody(), $task->isRedelivered(), count($tasks->ready)]);
            $task->ack();
        }
        $other->close();
        $again = $tasks->next();
        Client::same(['0', true, 2],
            [$again->getBody(), $again->isRedelivered(), $again->get('delivery_mode')]);
        $again->ack();
        Client::same(0, $quick->queue_delete('task_queue'));
    }

    /** Every subscriber gets every message. */
    public static function publishSubscribe(AMQPSSLConnection $connection): void
    {
        $channel = $connection->channel();
        $channel->exchange_declare('logs', 'fanout', false, false, false);
        $subscribers = [];
        for ($i = 0; $i < 2; $i++) {
            [$queue] = $channel->queue_declare('', false, false, true);
            Client::same('amq.gen-', substr($queue, 0, 8));
            $channel->queue_bind($queue, 'logs');
            $subscribers[] = new Inbox($channel, $queue, true);
        }
        for ($n = 0; $n < 5; $n++) {
            $channel->basic_publish(Client::message("log $n"), 'logs', 'ignored');
        }
        foreach ($subscribers as $subscriber) {
            for ($n = 0; $n < 5; $n++) {
                Client::same("log $n", $subscriber->next()->getBody());
            }
        }
    }

    private static function bound(AMQPChannel $channel, string $exchange, string ...$patterns): string
    {
        [$queue] = $channel->queue_declare('', false, false, true);
        foreach ($patterns as $pattern) {
            $channel->queue_bind($queue, $exchange, $pattern);
        }
        return $queue;
    }

    private static function keys(AMQPChannel $channel, string $queue): array
    {
        $found = [];
        while (($message = $channel->basic_get($queue, true)) !== null) {
            $found[] = $message->getRoutingKey();
        }
        return $found;
    }

    public static function routing(AMQPSSLConnection $connection): void
    {
        $channel = Client::confirming($connection);
        $channel->exchange_declare('direct_logs', 'direct', false, false, false);
        $errors = self::bound($channel, 'direct_logs', 'error');
        $every = self::bound($channel, 'direct_logs', 'info', 'warning', 'error');
        foreach (['info', 'error', 'debug', 'warning', 'error'] as $key) {
            Client::publish($channel, 'direct_logs', $key, $key);
        }
        Client::same(['error', 'error'], self::keys($channel, $errors));
        Client::same(['info', 'error', 'warning', 'error'], self::keys($channel, $every));
    }

    public static function topics(AMQPSSLConnection $connection): void
    {
        $channel = Client::confirming($connection);
        $channel->exchange_declare('animals', 'topic', false, false, false);
        $first = self::bound($channel, 'animals', '*.orange.*');
        $second = self::bound($channel, 'animals', '*.*.rabbit', 'lazy.#');
        $sent = ['quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox',
            'lazy.brown.fox', 'lazy.pink.rabbit', 'orange', 'lazy', 'quick.orange.new.rabbit',
            'lazy.orange.new.rabbit'];
        foreach ($sent as $key) {
            Client::publish($channel, 'animals', $key, $key);
        }
        Client::same(['quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox'],
            self::keys($channel, $first));
        Client::same(['quick.orange.rabbit', 'lazy.orange.elephant', 'lazy.brown.fox',
            'lazy.pink.rabbit', 'lazy', 'lazy.orange.new.rabbit'], self::keys($channel, $second));
        $returned = null;
        $channel->set_return_listener(function (int $code, string $text) use (&$returned): void {
            $returned = [$code, $text];
        });
        Client::publish($channel, 'animals', 'quick.brown.fox', 'x');
        Client::same([312, 'NO_ROUTE'], $returned);
    }

    private static function fib(int $n): int
    {
        return $n < 2 ? $n : self::fib($n - 1) + self::fib($n - 2);
    }

    /** Server and client are two channels of one connection. */
    private static function call(AMQPSSLConnection $connection, AMQPChannel $client, string $replyTo): void
    {
        $server = $connection->channel();
        $server->queue_declare('rpc_queue', false, false, false, false);
        $server->basic_qos(0, 1, false);
        $requests = new Inbox($server, 'rpc_queue');
        $replies = new Inbox($client, $replyTo, true);
        foreach ([10 => '55', 20 => '6765', 1 => '1'] as $n => $want) {
            $client->basic_publish(
                Client::message("$n", ['reply_to' => $replyTo, 'correlation_id' => "call-$n"]),
                '', 'rpc_queue');
            $request = $requests->next();
            $server->basic_publish(
                Client::message((string) self::fib((int) $request->getBody()),
                    ['correlation_id' => $request->get('correlation_id')]),
                '', $request->get('reply_to'));
            $request->ack();
            $reply = $replies->next();
            Client::same(["call-$n", $want], [$reply->get('correlation_id'), $reply->getBody()]);
        }
    }

    public static function rpc(AMQPSSLConnection $connection): void
    {
        $channel = $connection->channel();
        [$queue] = $channel->queue_declare('', false, false, true);
        self::call($connection, $channel, $queue);
    }

    public static function directReplyTo(AMQPSSLConnection $connection): void
    {
        self::call($connection, $connection->channel(), 'amq.rabbitmq.reply-to');
    }

    /** Confirms one by one and of a batch. */
    public static function confirms(AMQPSSLConnection $connection): void
    {
        $channel = Client::confirming($connection);
        Client::queue($channel, 'confirmed');
        Client::publish($channel, '', 'confirmed', 'one');
        $counts = ['ack' => 0, 'nack' => 0];
        $channel->set_ack_handler(function () use (&$counts): void {
            $counts['ack']++;
        });
        $channel->set_nack_handler(function () use (&$counts): void {
            $counts['nack']++;
        });
        for ($n = 0; $n < 500; $n++) {
            $channel->batch_basic_publish(Client::message('batch'), '', 'confirmed');
        }
        $channel->publish_batch();
        $channel->wait_for_pending_acks(Client::LIMIT);
        Client::same(['ack' => 500, 'nack' => 0], $counts);
        Client::same(501, $channel->queue_purge('confirmed'));
    }
}

return [
    'work-queue' => [Patterns::class, 'work'],
    'publish-subscribe' => [Patterns::class, 'publishSubscribe'],
    'routing' => [Patterns::class, 'routing'],
    'topics' => [Patterns::class, 'topics'],
    'rpc' => [Patterns::class, 'rpc'],
    'direct-reply-to' => [Patterns::class, 'directReplyTo'],
    'confirms' => [Patterns::class, 'confirms'],
    'dead-letters' => [Letters::class, 'dead'],
    'delayed-retry' => [Letters::class, 'retry'],
];
