import com.amazon.sqs.javamessaging.ProviderConfiguration;
import com.amazon.sqs.javamessaging.SQSConnection;
import com.amazon.sqs.javamessaging.SQSConnectionFactory;
import jakarta.jms.JMSException;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import software.amazon.awssdk.services.sqs.model.CreateQueueRequest;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;

/** Amazon's library that gives SQS to applications written for JMS. */
final class Jms {
    private static final int MESSAGES = 30;

    private static SQSConnection connect() throws JMSException {
        return new SQSConnectionFactory(new ProviderConfiguration(), Client.sync())
                .createConnection();
    }

    private static Message next(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(Client.LIMIT.toMillis());
        if (message == null) {
            throw new AssertionError("waited " + Client.LIMIT + " for a message");
        }
        return message;
    }

    /** Texts with properties; what a session takes back comes again, redelivered. */
    static void queue() throws Exception {
        try (SQSConnection connection = connect()) {
            connection.getWrappedAmazonSQSClient().createQueue("jms");
            Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
            MessageConsumer consumer = session.createConsumer(session.createQueue("jms"));
            TextMessage sent = session.createTextMessage("Grüße\n<&>");
            sent.setStringProperty("colour", "grün");
            sent.setLongProperty("weight", Long.MAX_VALUE);
            sent.setJMSCorrelationID("one");
            session.createProducer(session.createQueue("jms")).send(sent);
            connection.start();
            Client.equal(false, next(consumer).getJMSRedelivered());
            session.recover();
            TextMessage got = (TextMessage) next(consumer);
            Client.equal("Grüße\n<&>", got.getText());
            Client.equal("grün", got.getStringProperty("colour"));
            Client.equal(Long.MAX_VALUE, got.getLongProperty("weight"));
            Client.equal("one", got.getJMSCorrelationID());
            Client.equal(sent.getJMSMessageID(), got.getJMSMessageID());
            Client.equal(true, got.getJMSRedelivered());
            Client.equal(2, got.getIntProperty("JMSXDeliveryCount"));
            got.acknowledge();
        }
        empty("jms");
    }

    /** A listener gets the groups of a FIFO queue in order. */
    static void groups() throws Exception {
        try (SQSConnection connection = connect()) {
            connection.getWrappedAmazonSQSClient().createQueue(CreateQueueRequest.builder()
                    .queueName("jms.fifo").attributes(Map.of(
                            QueueAttributeName.FIFO_QUEUE, "true",
                            QueueAttributeName.CONTENT_BASED_DEDUPLICATION, "true")).build());
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            BlockingQueue<Message> inbox = new LinkedBlockingQueue<>();
            session.createConsumer(session.createQueue("jms.fifo"))
                    .setMessageListener(inbox::add);
            connection.start();
            Session sending = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageProducer producer = sending.createProducer(sending.createQueue("jms.fifo"));
            for (int i = 0; i < MESSAGES; i++) {
                TextMessage message = sending.createTextMessage(i % 3 + " " + i / 3);
                message.setStringProperty("JMSXGroupID", "group-" + i % 3);
                producer.send(message);
            }
            int[] seen = new int[3];
            for (int i = 0; i < MESSAGES; i++) {
                Message got = inbox.poll(Client.LIMIT.toSeconds(), TimeUnit.SECONDS);
                String[] words = ((TextMessage) got).getText().split(" ");
                int group = Integer.parseInt(words[0]);
                Client.equal("group-" + group, got.getStringProperty("JMSXGroupID"));
                Client.equal(seen[group]++, Integer.parseInt(words[1]));
            }
        }
        empty("jms.fifo");
    }

    /** Everything was acknowledged. */
    private static void empty(String name) throws Exception {
        var sqs = Client.sync();
        String url = sqs.getQueueUrl(r -> r.queueName(name)).queueUrl();
        for (QueueAttributeName count : new QueueAttributeName[] {
                QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES,
                QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES_NOT_VISIBLE}) {
            Client.eventually("0", () -> Client.attribute(sqs, url, count));
        }
    }

    private Jms() {}
}
