import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoverableConnection;
import com.rabbitmq.client.RecoveryListener;

/**
 * The broker is killed and started again; the client connects again by itself and sets up its
 * channels, queues, bindings and consumers.
 */
final class Recovery {
    static void run(Connection connection) throws Exception {
        Client.Inbox<String> recovered = new Client.Inbox<>();
        ((RecoverableConnection) connection).addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recoverable) {
                recovered.ready.add("recovered");
            }

            @Override
            public void handleRecoveryStarted(Recoverable recoverable) {}
        });
        Channel out = Client.confirming(connection);
        Channel into = connection.createChannel();
        Client.Inbox<Delivery> news = subscribe(into);
        Client.Inbox<Delivery> kept = fill(out, into);
        Client.ask("restart");
        recovered.next("the connection");
        drain(out, into, kept);
        Client.publish(out, "news", "", "again");
        Client.equal("again", Client.text(news.next("the news")));
    }

    /** Consumes a server-named queue, which goes with its connection. */
    private static Client.Inbox<Delivery> subscribe(Channel channel) throws Exception {
        channel.exchangeDeclare("news", BuiltinExchangeType.FANOUT);
        String queue = channel.queueDeclare().getQueue();
        channel.queueBind(queue, "news", "");
        return Client.consume(channel, queue, true);
    }

    private static Client.Inbox<Delivery> fill(Channel out, Channel into) throws Exception {
        out.queueDeclare("kept", true, false, false, null);
        for (int n = 0; n < 10; n++) {
            Client.publish(out, "", "kept", "" + n);
        }
        into.basicQos(1);
        Client.Inbox<Delivery> kept = Client.consume(into, "kept", false);
        Client.equal("0", Client.text(kept.next("the first message")));
        return kept;
    }

    /** What was confirmed is there in its order, what was in a hand is redelivered. */
    private static void drain(Channel out, Channel into, Client.Inbox<Delivery> kept)
            throws Exception {
        Client.publish(out, "", "kept", "10");
        for (int n = 0; n <= 10; n++) {
            Delivery delivery = kept.next("message " + n);
            Client.equal("" + n, Client.text(delivery));
            Client.equal(n == 0, delivery.getEnvelope().isRedeliver());
            Client.ack(into, delivery);
        }
        Client.equal(0, into.queueDelete("kept").getMessageCount());
    }

    private Recovery() {}
}
