import com.rabbitmq.client.Channel;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.AmqpException;
import org.springframework.amqp.core.AcknowledgeMode;
import org.springframework.amqp.core.AnonymousQueue;
import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.FanoutExchange;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.api.ChannelAwareMessageListener;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * The broker is killed and started again; the listener containers connect again by themselves,
 * and the admin declares again what the application has.
 */
@Configuration
class Recovery {
    private static final long RETRY_MILLIS = 200;
    private static final Client.Inbox<Message> KEPT = new Client.Inbox<>();
    private static final Client.Inbox<Message> NEWS = new Client.Inbox<>();

    static void run() throws Exception {
        try (AnnotationConfigApplicationContext context =
                new AnnotationConfigApplicationContext(Recovery.class)) {
            RabbitTemplate template = context.getBean(RabbitTemplate.class);
            for (int n = 0; n < 10; n++) {
                publish(template, "", "kept", "" + n);
            }
            Client.equal("0", new String(KEPT.next("the first message").getBody()));
            System.out.println("restart");
            new BufferedReader(new InputStreamReader(System.in)).readLine();
            publish(template, "", "kept", "10");
            for (int n = 0; n <= 10; n++) {
                Message message = KEPT.next("message " + n);
                Client.equal("" + n, new String(message.getBody()));
                Client.equal(n == 0, message.getMessageProperties().isRedelivered());
            }
            awaitNews(template);
        }
    }

    /** The subscriber's queue is there again when its container is; until then all is lost. */
    private static void awaitNews(RabbitTemplate template) throws Exception {
        for (long waited = 0; waited < Client.LIMIT_MILLIS; waited += RETRY_MILLIS) {
            publish(template, "news", "", "again");
            if (NEWS.ready.poll(RETRY_MILLIS, TimeUnit.MILLISECONDS) != null) {
                return;
            }
        }
        throw new AssertionError("waited " + Client.LIMIT_SECONDS + " s for the news");
    }

    /** Publishes until the broker confirms; not while there is no connection. */
    private static void publish(RabbitTemplate template, String exchange, String key, String body)
            throws Exception {
        long late = System.nanoTime() + TimeUnit.SECONDS.toNanos(Client.LIMIT_SECONDS);
        for (;;) {
            CorrelationData correlation = new CorrelationData();
            try {
                template.convertAndSend(exchange, key, (Object) body, correlation);
                Client.equal(true, correlation.getFuture()
                        .get(Client.LIMIT_SECONDS, TimeUnit.SECONDS).ack());
                return;
            } catch (AmqpException e) {
                if (System.nanoTime() > late) {
                    throw e;
                }
            }
        }
    }

    @Bean
    CachingConnectionFactory connections() throws Exception {
        return Client.connections(Client.factory(System.getenv("COFFER_CA")));
    }

    @Bean
    RabbitAdmin admin(CachingConnectionFactory connections) {
        return new RabbitAdmin(connections);
    }

    @Bean
    RabbitTemplate template(CachingConnectionFactory connections) {
        return new RabbitTemplate(connections);
    }

    @Bean
    Queue kept() {
        return new Queue("kept");
    }

    @Bean
    FanoutExchange news() {
        return new FanoutExchange("news", false, false);
    }

    @Bean
    AnonymousQueue subscriber() {
        return new AnonymousQueue();
    }

    @Bean
    Binding subscription(AnonymousQueue subscriber, FanoutExchange news) {
        return BindingBuilder.bind(subscriber).to(news);
    }

    private static SimpleMessageListenerContainer container(CachingConnectionFactory connections,
            Queue queue, ChannelAwareMessageListener listener) {
        SimpleMessageListenerContainer container = new SimpleMessageListenerContainer(connections);
        container.setQueues(queue);
        container.setPrefetchCount(1);
        container.setAcknowledgeMode(AcknowledgeMode.MANUAL);
        container.setRecoveryInterval(RETRY_MILLIS);
        container.setMessageListener(listener);
        return container;
    }

    /** The first message stays in the listener's hand until its connection ends. */
    @Bean
    SimpleMessageListenerContainer worker(CachingConnectionFactory connections,
            @Qualifier("kept") Queue kept) {
        return container(connections, kept, (message, channel) -> {
            KEPT.ready.add(message);
            boolean again = message.getMessageProperties().isRedelivered();
            if (again || !new String(message.getBody()).equals("0")) {
                ack(message, channel);
            }
        });
    }

    @Bean
    SimpleMessageListenerContainer reader(CachingConnectionFactory connections,
            AnonymousQueue subscriber) {
        return container(connections, subscriber, (message, channel) -> {
            NEWS.ready.add(message);
            ack(message, channel);
        });
    }

    private static void ack(Message message, Channel channel) throws Exception {
        channel.basicAck(message.getMessageProperties().getDeliveryTag(), false);
    }
}
