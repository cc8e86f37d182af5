module amqpgen

go 1.26
