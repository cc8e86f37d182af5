import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.net.ssl.SSLHandshakeException;

/** What users do wrong, and the exception and text that they are told. */
final class Mistakes {
    private static final String MINE = "PRECONDITION_FAILED - inequivalent arg 'x-max-length' "
            + "for queue 'mine' in vhost '/': received the value '5' of type 'signedint' but "
            + "current is none";
    private static final String PRIVATE = "RESOURCE_LOCKED - cannot obtain exclusive access to "
            + "locked queue 'private' in vhost '/'. It could be originally declared on another "
            + "connection or the exclusive property value does not match that of the original "
            + "declaration.";

    interface Wrong {
        void run(Channel channel) throws Exception;
    }

    static Map<String, Main.Part> all() {
        Map<String, Main.Part> all = new LinkedHashMap<>();
        all.put("wrong-password", c -> password());
        all.put("wrong-vhost", c -> vhost());
        all.put("wrong-ca", c -> authority());
        all.put("plaintext", c -> plaintext());
        all.put("missing-queue", c -> ends(c, 404, "NOT_FOUND - no queue 'nope' in vhost '/'",
                channel -> channel.queueDeclarePassive("nope")));
        all.put("missing-exchange", c -> ends(c, 404,
                "NOT_FOUND - no exchange 'nope' in vhost '/'",
                channel -> channel.basicPublish("nope", "key", null, Client.bytes("x"))));
        all.put("other-arguments", Mistakes::arguments);
        all.put("acked-twice", c -> ends(c, 406, "PRECONDITION_FAILED - unknown delivery tag 7",
                channel -> channel.basicAck(7, false)));
        all.put("exclusive", Mistakes::exclusive);
        return all;
    }

    /** Connects, which must fail, and gives the exception. */
    private static <T extends Throwable> T refused(ConnectionFactory factory, Class<T> kind)
            throws Exception {
        try {
            factory.newConnection().close();
        } catch (Exception e) {
            if (!kind.isInstance(e)) {
                throw e;
            }
            return kind.cast(e);
        }
        throw new AssertionError("connected, want " + kind);
    }

    private static void password() throws Exception {
        ConnectionFactory factory = Client.factory();
        factory.setPassword("wrong");
        Client.equal("ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. "
                + "For details see the broker logfile.",
                refused(factory, AuthenticationFailureException.class).getMessage());
    }

    private static void vhost() throws Exception {
        ConnectionFactory factory = Client.factory();
        factory.setVirtualHost("nowhere");
        Throwable cause = refused(factory, IOException.class).getCause();
        AMQP.Connection.Close close =
                (AMQP.Connection.Close) ((ShutdownSignalException) cause).getReason();
        Client.equal(530, close.getReplyCode());
        Client.equal("NOT_ALLOWED - vhost nowhere not found", close.getReplyText());
    }

    private static void authority() throws Exception {
        String url = System.getenv("COFFER_AMQP_URL");
        refused(Client.factory(url, System.getenv("OTHER_CA")), SSLHandshakeException.class);
    }

    private static void plaintext() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(System.getenv("COFFER_AMQP_URL").replace("amqps:", "amqp:"));
        refused(factory, IOException.class);
    }

    private static void arguments(Connection connection) throws Exception {
        connection.createChannel().queueDeclare("mine", true, false, false, null);
        ends(connection, 406, MINE, channel ->
                channel.queueDeclare("mine", true, false, false, Map.of("x-max-length", 5)));
    }

    private static void exclusive(Connection connection) throws Exception {
        connection.createChannel().queueDeclare("private", false, true, false, null);
        try (Connection other = Client.connect()) {
            ends(other, 405, PRIVATE, channel -> channel.queuePurge("private"));
        }
    }

    /** One call on a channel of its own, and how the broker ends that channel. */
    private static void ends(Connection connection, int code, String text, Wrong wrong)
            throws Exception {
        Channel channel = connection.createChannel();
        Client.Inbox<ShutdownSignalException> ended = new Client.Inbox<>();
        channel.addShutdownListener(ended.ready::add);
        try {
            wrong.run(channel);
        } catch (IOException e) {
            Client.equal(ShutdownSignalException.class, e.getCause().getClass());
        }
        AMQP.Channel.Close close =
                (AMQP.Channel.Close) ended.next("the end of the channel").getReason();
        Client.equal(code, close.getReplyCode());
        Client.equal(text, close.getReplyText());
        connection.createChannel().close(); // the connection stays
    }

    private Mistakes() {}
}
