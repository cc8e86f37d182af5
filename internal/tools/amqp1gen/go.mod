module amqp1gen

go 1.26
