<?php
// AsyncAws, a client of SQS that speaks the query protocol, and Symfony Messenger, which
// works through it: main.php operations|messenger. Each line `ok NAME` is one part that
// held; the first that does not ends the program.

declare(strict_types=1);

require 'Symfony/Component/Messenger/Bridge/AmazonSqs/autoload.php';

use AsyncAws\Core\Exception\Http\HttpException;
use AsyncAws\Sqs\SqsClient;
use Symfony\Component\HttpClient\HttpClient;
use Symfony\Component\Messenger\Bridge\AmazonSqs\Transport\AmazonSqsFifoStamp;
use Symfony\Component\Messenger\Bridge\AmazonSqs\Transport\AmazonSqsTransport;
use Symfony\Component\Messenger\Bridge\AmazonSqs\Transport\Connection;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Stamp\DelayStamp;

const GONE = 'AWS.SimpleQueueService.NonExistentQueue';
const BODY = "Grüße\t\n<&>";

function check($want, $got): void
{
    if ($want !== $got) {
        throw new Exception(sprintf("got %s, want %s", json_encode($got), json_encode($want)));
    }
}

function refused(string $code, callable $call): void
{
    try {
        $call();
    } catch (HttpException $e) {
        check($code, $e->getAwsCode());
        return;
    }
    throw new Exception("was not refused with $code");
}

function http()
{
    return HttpClient::create(['cafile' => getenv('AWS_CA_BUNDLE'), 'timeout' => 120]);
}

function sqs(): SqsClient
{
    return new SqsClient([
        'endpoint' => getenv('AWS_ENDPOINT_URL'), 'region' => getenv('AWS_REGION'),
        'accessKeyId' => getenv('AWS_ACCESS_KEY_ID'),
        'accessKeySecret' => getenv('AWS_SECRET_ACCESS_KEY'),
    ], null, http());
}

function queues(): void
{
    $sqs = sqs();
    $url = $sqs->createQueue(['QueueName' => 'jobs', 'tags' => ['team' => 'red'],
        'Attributes' => ['VisibilityTimeout' => '600']])->getQueueUrl();
    check($url, $sqs->getQueueUrl(['QueueName' => 'jobs'])->getQueueUrl());
    check([$url], iterator_to_array($sqs->listQueues(['QueueNamePrefix' => 'jo']), false));
    $shown = $sqs->getQueueAttributes(['QueueUrl' => $url, 'AttributeNames' => ['All']]);
    check('600', $shown->getAttributes()['VisibilityTimeout']);
    refused(GONE, fn () => $sqs->getQueueUrl(['QueueName' => 'nowhere'])->resolve());
    check(true, $sqs->queueExists(['QueueName' => 'jobs'])->isSuccess());
}

function messages(): void
{
    $sqs = sqs();
    $url = $sqs->getQueueUrl(['QueueName' => 'jobs'])->getQueueUrl();
    $sent = $sqs->sendMessage(['QueueUrl' => $url, 'MessageBody' => BODY, 'MessageAttributes' => [
        'text' => ['DataType' => 'String', 'StringValue' => 'grün'],
        'bytes' => ['DataType' => 'Binary', 'BinaryValue' => "\x00\xff"]]]);
    check(md5(BODY), $sent->getMd5OfMessageBody());
    $ask = ['QueueUrl' => $url, 'WaitTimeSeconds' => 20, 'MessageAttributeNames' => ['All'],
        'AttributeNames' => ['All']];
    [$got] = $sqs->receiveMessage($ask)->getMessages();
    check([$sent->getMessageId(), BODY], [$got->getMessageId(), $got->getBody()]);
    check('grün', $got->getMessageAttributes()['text']->getStringValue());
    check("\x00\xff", $got->getMessageAttributes()['bytes']->getBinaryValue());
    $mine = ['QueueUrl' => $url, 'ReceiptHandle' => $got->getReceiptHandle()];
    $sqs->changeMessageVisibility($mine + ['VisibilityTimeout' => 0])->resolve();
    [$again] = $sqs->receiveMessage($ask)->getMessages();
    check('2', $again->getAttributes()['ApproximateReceiveCount']);
    $sqs->deleteMessage(['QueueUrl' => $url, 'ReceiptHandle' => $again->getReceiptHandle()])
        ->resolve();
    refused('ReceiptHandleIsInvalid',
        fn () => $sqs->deleteMessage(['QueueUrl' => $url, 'ReceiptHandle' => 'x'])->resolve());
}

function batches(): void
{
    $sqs = sqs();
    $url = $sqs->getQueueUrl(['QueueName' => 'jobs'])->getQueueUrl();
    $entries = array_map(fn ($i) => ['Id' => "e$i", 'MessageBody' => "b$i",
        'DelaySeconds' => $i === 9 ? 901 : 0], range(0, 9));
    $sent = $sqs->sendMessageBatch(['QueueUrl' => $url, 'Entries' => $entries]);
    check(9, count($sent->getSuccessful()));
    check('InvalidParameterValue', $sent->getFailed()[0]->getCode());
    for ($left = 9; $left > 0; $left -= count($got)) {
        $got = $sqs->receiveMessage(['QueueUrl' => $url, 'WaitTimeSeconds' => 20,
            'MaxNumberOfMessages' => 10])->getMessages();
        $sqs->deleteMessageBatch(['QueueUrl' => $url, 'Entries' => array_map(
            fn ($m) => ['Id' => $m->getMessageId(), 'ReceiptHandle' => $m->getReceiptHandle()],
            $got)])->resolve();
    }
}

function ends(): void
{
    $sqs = sqs();
    $url = $sqs->getQueueUrl(['QueueName' => 'jobs'])->getQueueUrl();
    $sqs->purgeQueue(['QueueUrl' => $url])->resolve();
    refused('AWS.SimpleQueueService.PurgeQueueInProgress',
        fn () => $sqs->purgeQueue(['QueueUrl' => $url])->resolve());
    $sqs->deleteQueue(['QueueUrl' => $url])->resolve();
    refused(GONE, fn () => $sqs->sendMessage(['QueueUrl' => $url, 'MessageBody' => 'x'])->resolve());
}

function transport(string $queue): AmazonSqsTransport
{
    $u = parse_url(getenv('AWS_ENDPOINT_URL'));
    return new AmazonSqsTransport(Connection::fromDsn(sprintf('sqs://%s:%s@%s:%d/%s?region=%s',
        rawurlencode(getenv('AWS_ACCESS_KEY_ID')), rawurlencode(getenv('AWS_SECRET_ACCESS_KEY')),
        $u['host'], $u['port'], $queue, getenv('AWS_REGION')), [], http()));
}

/** The next message that a transport gives. */
function next_of(AmazonSqsTransport $transport): Envelope
{
    for ($late = time() + 120; time() < $late;) {
        foreach ($transport->get() as $envelope) {
            return $envelope;
        }
    }
    throw new Exception('no message came');
}

function order(int $n): stdClass
{
    $order = new stdClass();
    $order->number = $n;
    $order->text = BODY;
    return $order;
}

/** The queue is made by the transport; messages go in time, late, and away. */
function work(): void
{
    $transport = transport('messages');
    $transport->send(new Envelope(order(1), [new DelayStamp(1000)]));
    $transport->send(new Envelope(order(0)));
    foreach ([0, 1] as $n) {
        $envelope = next_of($transport);
        check([$n, BODY], [$envelope->getMessage()->number, $envelope->getMessage()->text]);
        $n === 0 ? $transport->ack($envelope) : $transport->reject($envelope);
    }
    check(0, $transport->getMessageCount());
}

/** The groups of a FIFO queue, in order. */
function groups(): void
{
    $transport = transport('messages.fifo');
    for ($n = 0; $n < 12; $n++) {
        $transport->send(new Envelope(order($n), [new AmazonSqsFifoStamp('group-' . $n % 3, "$n")]));
    }
    $next = [0, 1, 2];
    for ($n = 0; $n < 12; $n++) {
        $envelope = next_of($transport);
        $number = $envelope->getMessage()->number;
        check($next[$number % 3], $number);
        $next[$number % 3] += 3;
        $transport->ack($envelope);
    }
}

$parts = ['operations' => ['queues', 'messages', 'batches', 'ends'],
    'messenger' => ['work', 'groups']];
foreach ($parts[$argv[1]] as $part) {
    $part();
    echo "ok $part\n";
}
