<?php
// What users do wrong, and the exception and text that they are told.

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPSSLConnection;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Exception\AMQPIOException;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Wire\AMQPTable;

final class Mistakes
{
    public static function refused(string $kind, callable $wrong): Throwable
    {
        try {
            $wrong();
        } catch (Throwable $e) {
            if ($e instanceof $kind) {
                return $e;
            }
            throw $e;
        }
        throw new Exception("was not refused, want $kind");
    }

    public static function password(): void
    {
        $e = self::refused(AMQPConnectionClosedException::class, function (): void {
            Client::connect(['pass' => 'wrong']);
        });
        Client::same([403, 'ACCESS_REFUSED - Login was refused using authentication mechanism '
            . 'AMQPLAIN. For details see the broker logfile.(0, 0)'], [$e->getCode(), $e->getMessage()]);
    }

    public static function vhost(): void
    {
        $e = self::refused(AMQPConnectionClosedException::class, function (): void {
            Client::connect(['vhost' => 'nowhere']);
        });
        Client::same([530, 'NOT_ALLOWED - vhost nowhere not found(10, 40)'],
            [$e->getCode(), $e->getMessage()]);
    }

    public static function authority(): void
    {
        $e = self::refused(AMQPIOException::class, function (): void {
            Client::connect(['ca' => getenv('OTHER_CA')]);
        });
        Client::same(true, str_contains($e->getMessage(), 'Unable to connect to tls://'));
    }

    public static function plaintext(): void
    {
        self::refused(AMQPExceptionInterface::class, function (): void {
            $url = parse_url(getenv('COFFER_AMQP_URL'));
            new AMQPStreamConnection($url['host'], $url['port'], $url['user'], $url['pass'], '/',
                false, 'PLAIN', null, 'en_US', Client::LIMIT, Client::LIMIT);
        });
    }

    /** One call on a channel of its own, and how the broker ends that channel. */
    public static function ends(
        AMQPSSLConnection $connection, int $code, string $text, callable $wrong
    ): void {
        $channel = $connection->channel();
        $e = self::refused(AMQPProtocolChannelException::class,
            function () use ($channel, $wrong): void {
                $wrong($channel);
                $channel->wait(null, false, Client::LIMIT); // what has no answer is told here
            });
        Client::same([$code, $text], [$e->amqp_reply_code, $e->amqp_reply_text]);
        $connection->channel()->close(); // the connection stays
    }

    public static function arguments(AMQPSSLConnection $connection): void
    {
        Client::queue($connection->channel(), 'mine');
        self::ends($connection, 406, "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for "
            . "queue 'mine' in vhost '/': received the value '5' of type 'signedint' but current "
            . 'is none', function (AMQPChannel $channel): void {
                Client::queue($channel, 'mine', ['x-max-length' => 5]);
            });
    }

    public static function exclusive(AMQPSSLConnection $connection): void
    {
        $connection->channel()->queue_declare('private', false, false, true);
        $other = Client::connect();
        self::ends($other, 405, 'RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '
            . "'private' in vhost '/'. It could be originally declared on another connection or "
            . 'the exclusive property value does not match that of the original declaration.',
            function (AMQPChannel $channel): void {
                $channel->queue_purge('private');
            });
        $other->close();
    }
}

$ends = fn (int $code, string $text, callable $wrong): callable =>
    fn (AMQPSSLConnection $connection) => Mistakes::ends($connection, $code, $text, $wrong);

return [
    'wrong-password' => [Mistakes::class, 'password'],
    'wrong-vhost' => [Mistakes::class, 'vhost'],
    'wrong-ca' => [Mistakes::class, 'authority'],
    'plaintext' => [Mistakes::class, 'plaintext'],
    'missing-queue' => $ends(404, "NOT_FOUND - no queue 'nope' in vhost '/'",
        fn (AMQPChannel $channel) => $channel->queue_declare('nope', true)),
    'missing-exchange' => $ends(404, "NOT_FOUND - no exchange 'nope' in vhost '/'",
        fn (AMQPChannel $channel) => $channel->basic_publish(Client::message('x'), 'nope', 'k')),
    'other-arguments' => [Mistakes::class, 'arguments'],
    'acked-twice' => $ends(406, 'PRECONDITION_FAILED - unknown delivery tag 7',
        fn (AMQPChannel $channel) => $channel->basic_ack(7)),
    'exclusive' => [Mistakes::class, 'exclusive'],
];
