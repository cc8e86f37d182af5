<?php
// What the patterns share: connections, waits with a limit, a consumer's inbox.

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPSSLConnection;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

final class Client
{
    /** Seconds that a wait for what is to come lasts at most. */
    const LIMIT = 120;

    /** Connects over TLS; only the CA given is trusted. Logs in with AMQPLAIN. */
    public static function connect(array $other = []): AMQPSSLConnection
    {
        $url = parse_url(getenv('COFFER_AMQP_URL'));
        $is = $other + ['pass' => rawurldecode($url['pass']), 'vhost' => '/',
            'ca' => getenv('COFFER_CA')];
        return new AMQPSSLConnection(
            $url['host'], $url['port'], rawurldecode($url['user']), $is['pass'], $is['vhost'],
            ['cafile' => $is['ca'], 'verify_peer' => true, 'verify_peer_name' => true],
            ['connection_timeout' => self::LIMIT, 'read_write_timeout' => self::LIMIT,
                'channel_rpc_timeout' => self::LIMIT],
            'tls'
        );
    }

    /** A channel in confirm mode. */
    public static function confirming(AMQPSSLConnection $connection): AMQPChannel
    {
        $channel = $connection->channel();
        $channel->confirm_select();
        return $channel;
    }

    public static function message(string $body, array $more = []): AMQPMessage
    {
        $persistent = ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT];
        return new AMQPMessage($body, $more + $persistent);
    }

    /** Publishes on a channel in confirm mode, and waits for the confirmation. */
    public static function publish(
        AMQPChannel $channel, string $exchange, string $key, string $body, array $more = []
    ): void {
        $acked = 0;
        $channel->set_ack_handler(function () use (&$acked): void {
            $acked++;
        });
        $channel->basic_publish(self::message($body, $more), $exchange, $key, true);
        $channel->wait_for_pending_acks_returns(self::LIMIT);
        self::same(1, $acked);
    }

    public static function same($want, $got): void
    {
        if ($want !== $got) {
            throw new Exception('got ' . var_export($got, true) . ', want '
                . var_export($want, true));
        }
    }

    /** Declares a durable queue. */
    public static function queue(AMQPChannel $channel, string $name, array $arguments = []): void
    {
        $channel->queue_declare(
            $name, false, true, false, false, false, new AMQPTable($arguments));
    }
}

/** What a consumer gets, kept until it is asked for. */
final class Inbox
{
    /** @var AMQPMessage[] */
    public array $ready = [];
    public string $tag;
    private AMQPChannel $channel;

    public function __construct(AMQPChannel $channel, string $queue, bool $noAck = false)
    {
        $this->channel = $channel;
        $put = function (AMQPMessage $message): void {
            $this->ready[] = $message;
        };
        $this->tag = $channel->basic_consume($queue, '', false, $noAck, false, false, $put);
    }

    /** The next message; throws AMQPTimeoutException when none comes. */
    public function next(): AMQPMessage
    {
        while (!$this->ready) {
            $this->channel->wait(null, false, Client::LIMIT);
        }
        return array_shift($this->ready);
    }
}
