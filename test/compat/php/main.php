<?php
// php-amqplib against a Coffer that runs: php main.php patterns|mistakes. Each
// line `ok NAME` is one part that held; the first that does not ends the program.

declare(strict_types=1);

require_once 'PhpAmqpLib/autoload.php';
require_once __DIR__ . '/client.php';

error_reporting(E_ALL & ~E_DEPRECATED); // the library's own, of this PHP
set_error_handler(function (int $level, string $text, string $file, int $line): bool {
    if (!(error_reporting() & $level)) {
        return false;
    }
    throw new ErrorException($text, 0, $level, $file, $line);
});

$parts = require __DIR__ . '/' . basename($argv[1]) . '.php';
foreach ($parts as $name => $part) {
    $connection = Client::connect();
    $part($connection);
    $connection->close();
    echo "ok $name\n";
}
