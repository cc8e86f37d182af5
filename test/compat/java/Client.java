import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DeliverCallback;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** What the patterns share: connections, waits with a limit, a consumer's inbox. */
final class Client {
    /** How long a wait for what is to come lasts at most. */
    static final long LIMIT_SECONDS = 120;

    private static final BufferedReader ANSWERS =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    static final AMQP.BasicProperties PERSISTENT = MessageProperties.MINIMAL_PERSISTENT_BASIC;

    /** A factory that trusts the CA of the file, and nothing else, and checks the host's name. */
    static ConnectionFactory factory(String url, String ca) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream in = new FileInputStream(ca)) {
            store.setCertificateEntry("ca",
                    CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        factory.useSslProtocol(context);
        factory.enableHostnameVerification();
        factory.setNetworkRecoveryInterval(200); // milliseconds
        factory.setConnectionTimeout((int) TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
        factory.setHandshakeTimeout((int) TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
        factory.setChannelRpcTimeout((int) TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
        return factory;
    }

    static ConnectionFactory factory() throws Exception {
        return factory(System.getenv("COFFER_AMQP_URL"), System.getenv("COFFER_CA"));
    }

    static Connection connect() throws Exception {
        return factory().newConnection();
    }

    /** Publishes on a channel in confirm mode; false when the broker refuses the message. */
    static boolean confirmed(Channel channel, String exchange, String key, String body,
            AMQP.BasicProperties properties) throws Exception {
        channel.basicPublish(exchange, key, true, properties, bytes(body));
        return channel.waitForConfirms(TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
    }

    static void publish(Channel channel, String exchange, String key, String body)
            throws Exception {
        equal(true, confirmed(channel, exchange, key, body, PERSISTENT));
    }

    static Channel confirming(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        channel.confirmSelect();
        return channel;
    }

    /** Asks the one who runs this program to do something, and gives the answer. */
    static String ask(String what) throws Exception {
        System.out.println(what);
        return ANSWERS.readLine();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(Delivery delivery) {
        return new String(delivery.getBody(), StandardCharsets.UTF_8);
    }

    static void ack(Channel channel, Delivery delivery) throws Exception {
        channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
    }

    /** Ends the program unless the two are equal. */
    static void equal(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    /** What comes, kept until it is asked for. */
    static final class Inbox<T> {
        final BlockingQueue<T> ready = new LinkedBlockingQueue<>();

        T next(String what) throws InterruptedException {
            T got = ready.poll(LIMIT_SECONDS, TimeUnit.SECONDS);
            if (got == null) {
                throw new AssertionError("waited " + LIMIT_SECONDS + " s for " + what);
            }
            return got;
        }
    }

    static Inbox<Delivery> consume(Channel channel, String queue, boolean autoAck)
            throws Exception {
        Inbox<Delivery> inbox = new Inbox<>();
        DeliverCallback put = (tag, delivery) -> inbox.ready.add(delivery);
        channel.basicConsume(queue, autoAck, put, tag -> {});
        return inbox;
    }

    private Client() {}
}
