<?php
// What cannot be worked on goes elsewhere, with its history.

declare(strict_types=1);

use PhpAmqpLib\Connection\AMQPSSLConnection;
use PhpAmqpLib\Message\AMQPMessage;

final class Letters
{
    public static function dead(AMQPSSLConnection $connection): void
    {
        $channel = Client::confirming($connection);
        Client::queue($channel, 'dead');
        $channel->exchange_declare('dlx', 'direct', false, true, false);
        $channel->queue_bind('dead', 'dlx', 'gone');
        $letters = ['x-dead-letter-exchange' => 'dlx', 'x-dead-letter-routing-key' => 'gone'];
        Client::queue($channel, 'rejecting', $letters);
        Client::queue($channel, 'short', $letters + ['x-max-length' => 1]);
        $dead = new Inbox($channel, 'dead');
        $worker = $connection->channel();
        Client::publish($channel, '', 'rejecting', 'bad');
        (new Inbox($worker, 'rejecting'))->next()->reject(false);
        self::died($dead, 'bad', 'rejecting', 'rejected');
        $worker->close();
        Client::publish($channel, '', 'rejecting', 'old', ['expiration' => '1']);
        $expired = self::died($dead, 'old', 'rejecting', 'expired');
        Client::same('1', self::deaths($expired)[0]['original-expiration']);
        Client::same(false, $expired->has('expiration'));
        Client::publish($channel, '', 'short', 'first');
        Client::publish($channel, '', 'short', 'second');
        self::died($dead, 'first', 'short', 'maxlen');
    }

    private static function headers(AMQPMessage $message): array
    {
        if (!$message->has('application_headers')) {
            return [];
        }
        return $message->get('application_headers')->getNativeData();
    }

    private static function deaths(AMQPMessage $message): array
    {
        return self::headers($message)['x-death'] ?? [];
    }

    private static function died(Inbox $dead, string $body, string $queue, string $reason): AMQPMessage
    {
        $message = $dead->next();
        Client::same([$body, 'dlx', 'gone'],
            [$message->getBody(), $message->getExchange(), $message->getRoutingKey()]);
        [$death] = self::deaths($message);
        Client::same([$queue, $reason, 1, '', [$queue]], [$death['queue'], $death['reason'],
            $death['count'], $death['exchange'], $death['routing-keys']]);
        Client::same(true, $death['time'] instanceof DateTimeInterface);
        $headers = self::headers($message);
        Client::same([$queue, $reason, ''], [$headers['x-first-death-queue'],
            $headers['x-first-death-reason'], $headers['x-first-death-exchange']]);
        $message->ack();
        return $message;
    }

    /** What fails waits in a second queue and comes back. */
    public static function retry(AMQPSSLConnection $connection): void
    {
        $channel = Client::confirming($connection);
        $channel->exchange_declare('work', 'direct', false, true, false);
        $channel->exchange_declare('retry', 'direct', false, true, false);
        Client::queue($channel, 'jobs', ['x-dead-letter-exchange' => 'retry']);
        Client::queue($channel, 'jobs.wait',
            ['x-message-ttl' => 20, 'x-dead-letter-exchange' => 'work']);
        $channel->queue_bind('jobs', 'work', 'job');
        $channel->queue_bind('jobs.wait', 'retry', 'job');
        Client::publish($channel, 'work', 'job', 'payload');
        $jobs = new Inbox($channel, 'jobs');
        for ($tries = 0; $tries < 4; $tries++) {
            $job = $jobs->next();
            Client::same('payload', $job->getBody());
            $found = [];
            foreach (self::deaths($job) as $d) {
                $found[] = [$d['queue'], $d['reason'], $d['count'], $d['exchange']];
            }
            Client::same($tries === 0 ? [] : [['jobs.wait', 'expired', $tries, 'retry'],
                ['jobs', 'rejected', $tries, 'work']], $found);
            $tries === 3 ? $job->ack() : $job->nack(false);
        }
        Client::same([0, 0], [$channel->queue_delete('jobs'), $channel->queue_delete('jobs.wait')]);
    }
}
