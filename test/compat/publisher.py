"""A publisher that keeps many confirmations in flight; pika's blocking channel
waits for each."""

import pika


def publish(parameters, queue, bodies, properties, exchange=""):
    """Publishes the bodies in order and gives how many were acked, nacked."""
    counts = {"ack": 0, "nack": 0}
    settled = 0
    failure = []

    def on_settled(frame):
        nonlocal settled
        kind = "ack" if isinstance(frame.method, pika.spec.Basic.Ack) else "nack"
        upto = frame.method.delivery_tag
        n = upto - settled if frame.method.multiple else 1
        settled = max(settled, upto) if frame.method.multiple else settled + 1
        counts[kind] += n
        if counts["ack"] + counts["nack"] == len(bodies):
            connection.close()

    def on_channel(channel):
        channel.confirm_delivery(on_settled)
        for body in bodies:
            channel.basic_publish(exchange, queue, body, properties)

    def on_closed(_, reason):
        if counts["ack"] + counts["nack"] != len(bodies):
            failure.append(reason)
        connection.ioloop.stop()

    def on_error(_, reason):
        failure.append(reason)
        connection.ioloop.stop()

    connection = pika.SelectConnection(
        parameters, on_open_callback=lambda c: c.channel(on_open_callback=on_channel),
        on_open_error_callback=on_error, on_close_callback=on_closed)
    connection.ioloop.start()
    connection.ioloop.close()
    if failure:
        raise failure[0]
    return counts["ack"], counts["nack"]
