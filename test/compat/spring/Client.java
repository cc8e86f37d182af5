import com.rabbitmq.client.ConnectionFactory;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;

/** What the patterns share: connections, waits with a limit, what listeners got. */
final class Client {
    /** How long a wait for what is to come lasts at most. */
    static final long LIMIT_SECONDS = 120;
    static final int LIMIT_MILLIS = (int) TimeUnit.SECONDS.toMillis(LIMIT_SECONDS);

    /** A factory that trusts the CA of the file, and nothing else, and checks the host's name. */
    static ConnectionFactory factory(String ca) throws Exception {
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
        factory.setUri(System.getenv("COFFER_AMQP_URL"));
        factory.useSslProtocol(context);
        factory.enableHostnameVerification();
        factory.setAutomaticRecoveryEnabled(false); // Spring has its own
        factory.setConnectionTimeout(LIMIT_MILLIS);
        factory.setHandshakeTimeout(LIMIT_MILLIS);
        factory.setChannelRpcTimeout(LIMIT_MILLIS);
        return factory;
    }

    /** Connections whose publishes are confirmed and returned, each known by its correlation. */
    static CachingConnectionFactory connections(ConnectionFactory factory) {
        CachingConnectionFactory connections = new CachingConnectionFactory(factory);
        connections.setPublisherConfirmType(CachingConnectionFactory.ConfirmType.CORRELATED);
        connections.setPublisherReturns(true);
        return connections;
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

    private Client() {}
}
