import org.springframework.amqp.core.Binding;
import org.springframework.amqp.core.BindingBuilder;
import org.springframework.amqp.core.Declarables;
import org.springframework.amqp.core.DirectExchange;
import org.springframework.amqp.core.Queue;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.annotation.EnableRabbit;
import org.springframework.amqp.rabbit.config.SimpleRabbitListenerContainerFactory;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.transaction.RabbitTransactionManager;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

/** The beans of an application as Spring's users write them. */
@Configuration
@EnableRabbit
@Import({Listeners.class, Patterns.class})
class Application {
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
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setMandatory(true);
        template.setReplyTimeout(Client.LIMIT_MILLIS);
        return template;
    }

    /** Replies come to a queue that the template makes for each request. */
    @Bean
    RabbitTemplate withQueues(CachingConnectionFactory connections) {
        RabbitTemplate template = new RabbitTemplate(connections);
        template.setUseTemporaryReplyQueues(true);
        template.setReplyTimeout(Client.LIMIT_MILLIS);
        return template;
    }

    @Bean
    RabbitTransactionManager transactions() throws Exception {
        CachingConnectionFactory plain =
                new CachingConnectionFactory(Client.factory(System.getenv("COFFER_CA")));
        return new RabbitTransactionManager(plain);
    }

    @Bean
    SimpleRabbitListenerContainerFactory rabbitListenerContainerFactory(
            CachingConnectionFactory connections) {
        SimpleRabbitListenerContainerFactory factory = new SimpleRabbitListenerContainerFactory();
        factory.setConnectionFactory(connections);
        factory.setPrefetchCount(1);
        return factory;
    }

    @Bean
    Declarables letters() {
        DirectExchange dlx = new DirectExchange("dlx");
        Queue dead = new Queue("dead");
        Queue mortal = QueueBuilder.durable("rejecting").deadLetterExchange("dlx")
                .deadLetterRoutingKey("gone").build();
        Queue old = QueueBuilder.durable("aging").deadLetterExchange("dlx")
                .deadLetterRoutingKey("gone").ttl(1).build();
        Queue shortQueue = QueueBuilder.durable("short").deadLetterExchange("dlx")
                .deadLetterRoutingKey("gone").maxLength(1L).build();
        Binding gone = BindingBuilder.bind(dead).to(dlx).with("gone");
        return new Declarables(dlx, dead, mortal, old, shortQueue, gone);
    }

    @Bean
    Declarables retry() {
        DirectExchange work = new DirectExchange("work");
        DirectExchange retry = new DirectExchange("retry");
        Queue jobs = QueueBuilder.durable("jobs").quorum().deadLetterExchange("retry").build();
        Queue wait = QueueBuilder.durable("jobs.wait").ttl(20).deadLetterExchange("work").build();
        return new Declarables(work, retry, jobs, wait,
                BindingBuilder.bind(jobs).to(work).with("job"),
                BindingBuilder.bind(wait).to(retry).with("job"));
    }

    @Bean
    Declarables others() {
        return new Declarables(new Queue("task_queue"), new Queue("rpc_queue"),
                new Queue("confirmed"), new Queue("account"));
    }
}
