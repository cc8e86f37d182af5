import io.awspring.cloud.sqs.listener.SqsMessageListenerContainer;
import io.awspring.cloud.sqs.operations.SqsTemplate;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.messaging.Message;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;

/** Spring Cloud AWS; it makes the queues that it does not find. */
final class Spring {
    private static final int MESSAGES = 30;

    static void template() {
        SqsAsyncClient sqs = Client.async();
        SqsTemplate template = SqsTemplate.newTemplate(sqs);
        template.send(to -> to.queue("spring").payload("Grüße").header("colour", "grün"));
        Message<?> got = template.receive(from -> from.queue("spring")
                .pollTimeout(Duration.ofSeconds(20))).orElseThrow();
        Client.equal("Grüße", got.getPayload());
        Client.equal("grün", got.getHeaders().get("colour"));
        Client.equal(true, template.receive(from -> from.queue("spring")
                .pollTimeout(Duration.ofSeconds(1))).isEmpty()); // it was deleted
        sqs.close();
    }

    /** A container's threads take groups at once, each in order; a failure comes again. */
    static void listener() throws Exception {
        SqsAsyncClient sqs = Client.async();
        SqsTemplate template = SqsTemplate.newTemplate(sqs);
        BlockingQueue<String> inbox = new LinkedBlockingQueue<>();
        for (int i = 0; i < MESSAGES; i++) {
            String group = "group-" + i % 3;
            String body = i % 3 + " " + i / 3;
            template.send(to -> to.queue("spring.fifo").payload(body).messageGroupId(group)
                    .messageDeduplicationId(body.replace(' ', '-')));
        }
        SqsMessageListenerContainer<String> container =
                SqsMessageListenerContainer.<String>builder().sqsAsyncClient(sqs)
                        .queueNames("spring.fifo").messageListener(m -> inbox.add(m.getPayload()))
                        .build();
        container.start();
        int[] seen = new int[3];
        for (int i = 0; i < MESSAGES; i++) {
            String[] words = inbox.poll(Client.LIMIT.toSeconds(), TimeUnit.SECONDS).split(" ");
            Client.equal(seen[Integer.parseInt(words[0])]++, Integer.parseInt(words[1]));
        }
        container.stop();
        sqs.close();
    }

    private Spring() {}
}
