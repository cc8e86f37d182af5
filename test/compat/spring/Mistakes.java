import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.springframework.amqp.AmqpAuthenticationException;
import org.springframework.amqp.AmqpException;
import org.springframework.amqp.AmqpIOException;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.ChannelListener;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;

/** What users do wrong, and the exception and text that Spring tells them. */
final class Mistakes {
    private static final String CA = System.getenv("COFFER_CA");

    static Map<String, Main.Part> all() {
        Map<String, Main.Part> all = new LinkedHashMap<>();
        all.put("wrong-password", Mistakes::password);
        all.put("wrong-vhost", Mistakes::vhost);
        all.put("wrong-ca", () -> refused(AmqpIOException.class, "SSLHandshakeException",
                Client.factory(System.getenv("OTHER_CA"))));
        all.put("plaintext", Mistakes::plaintext);
        all.put("missing-queue", Mistakes::queue);
        all.put("missing-exchange", Mistakes::exchange);
        all.put("other-arguments", Mistakes::arguments);
        all.put("exclusive", Mistakes::exclusive);
        return all;
    }

    /** Runs what must fail with an exception of the kind that holds the text. */
    private static void fails(Class<? extends AmqpException> kind, String text, Runnable wrong) {
        try {
            wrong.run();
        } catch (AmqpException e) {
            if (!kind.isInstance(e) || !chain(e).contains(text)) {
                throw new AssertionError("want " + kind + ": " + text, e);
            }
            return;
        }
        throw new AssertionError("nothing failed, want " + kind);
    }

    private static String chain(Throwable e) {
        return e == null ? "" : e + "\n" + chain(e.getCause());
    }

    private static void refused(Class<? extends AmqpException> kind, String text,
            ConnectionFactory factory) {
        CachingConnectionFactory connections = new CachingConnectionFactory(factory);
        fails(kind, text, () -> connections.createConnection().close());
        connections.destroy();
    }

    private static void password() throws Exception {
        ConnectionFactory factory = Client.factory(CA);
        factory.setPassword("wrong");
        refused(AmqpAuthenticationException.class, "ACCESS_REFUSED - Login was refused using "
                + "authentication mechanism PLAIN. For details see the broker logfile.", factory);
    }

    private static void vhost() throws Exception {
        ConnectionFactory factory = Client.factory(CA);
        factory.setVirtualHost("nowhere");
        refused(AmqpIOException.class,
                "reply-code=530, reply-text=NOT_ALLOWED - vhost nowhere not found", factory);
    }

    private static void plaintext() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(System.getenv("COFFER_AMQP_URL").replace("amqps:", "amqp:"));
        refused(AmqpException.class, "Exception", factory);
    }

    interface Use {
        void run(CachingConnectionFactory connections) throws Exception;
    }

    private static void use(Use use) throws Exception {
        CachingConnectionFactory connections = new CachingConnectionFactory(Client.factory(CA));
        try {
            use.run(connections);
        } finally {
            connections.destroy();
        }
    }

    private static void queue() throws Exception {
        use(connections -> fails(AmqpIOException.class,
                "reply-code=404, reply-text=NOT_FOUND - no queue 'nope' in vhost '/'",
                () -> new RabbitTemplate(connections).receive("nope")));
    }

    /** A publish has no answer: the application's listener learns why its channel ended. */
    private static void exchange() throws Exception {
        Client.Inbox<ShutdownSignalException> ended = new Client.Inbox<>();
        CachingConnectionFactory connections = new CachingConnectionFactory(Client.factory(CA));
        connections.addChannelListener(new ChannelListener() {
            @Override
            public void onCreate(Channel channel, boolean transactional) {}

            @Override
            public void onShutDown(ShutdownSignalException signal) {
                ended.ready.add(signal);
            }
        });
        new RabbitTemplate(connections).convertAndSend("nope", "key", "x");
        String text = "reply-code=404, reply-text=NOT_FOUND - no exchange 'nope' in vhost '/'";
        String signal = ended.next("the end of the channel").getMessage();
        Client.equal(true, signal.contains(text));
        connections.destroy();
    }

    private static void arguments() throws Exception {
        use(connections -> {
            RabbitAdmin admin = new RabbitAdmin(connections);
            admin.declareQueue(new Queue("mine"));
            fails(AmqpIOException.class, "reply-code=406, reply-text=PRECONDITION_FAILED - "
                    + "inequivalent arg 'x-max-length' for queue 'mine' in vhost '/': received "
                    + "the value '5' of type 'long' but current is none",
                    () -> admin.declareQueue(QueueBuilder.durable("mine").maxLength(5L).build()));
        });
    }

    private static void exclusive() throws Exception {
        use(owner -> {
            new RabbitAdmin(owner).declareQueue(new Queue("private", false, true, false));
            use(other -> fails(AmqpIOException.class, "reply-code=405, reply-text=RESOURCE_LOCKED "
                    + "- cannot obtain exclusive access to locked queue 'private' in vhost '/'.",
                    () -> new RabbitTemplate(other).receive("private")));
        });
    }

    private Mistakes() {}
}
