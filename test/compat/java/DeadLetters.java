import static java.util.Arrays.asList;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What cannot be worked on goes elsewhere, with its history. */
final class DeadLetters {
    private final Channel channel;
    private final Client.Inbox<Delivery> dead;

    private DeadLetters(Connection connection) throws Exception {
        channel = Client.confirming(connection);
        channel.queueDeclare("dead", true, false, false, null);
        channel.exchangeDeclare("dlx", BuiltinExchangeType.DIRECT, true);
        channel.queueBind("dead", "dlx", "gone");
        dead = Client.consume(channel, "dead", false);
    }

    static void letters(Connection connection) throws Exception {
        DeadLetters d = new DeadLetters(connection);
        d.declare("rejecting", Map.of());
        d.declare("short", Map.of("x-max-length", 1));
        Channel worker = connection.createChannel();
        Client.publish(d.channel, "", "rejecting", "bad");
        Delivery bad = Client.consume(worker, "rejecting", false).next("the bad one");
        worker.basicReject(bad.getEnvelope().getDeliveryTag(), false);
        d.died("bad", "rejecting", "rejected");
        worker.close();
        BasicProperties soon = new BasicProperties.Builder().expiration("1").build();
        Client.equal(true, Client.confirmed(d.channel, "", "rejecting", "old", soon));
        Delivery old = d.died("old", "rejecting", "expired");
        Client.equal("1", deaths(old).get(0).get("original-expiration").toString());
        Client.equal(null, old.getProperties().getExpiration());
        Client.publish(d.channel, "", "short", "first");
        Client.publish(d.channel, "", "short", "second");
        d.died("first", "short", "maxlen");
    }

    private void declare(String queue, Map<String, Object> more) throws Exception {
        Map<String, Object> arguments = new HashMap<>(more);
        arguments.put("x-dead-letter-exchange", "dlx");
        arguments.put("x-dead-letter-routing-key", "gone");
        channel.queueDeclare(queue, true, false, false, arguments);
    }

    @SuppressWarnings("unchecked") // the client gives tables as Map<String, Object>
    private static List<Map<String, Object>> deaths(Delivery delivery) {
        Map<String, Object> headers = delivery.getProperties().getHeaders();
        if (headers == null || !headers.containsKey("x-death")) {
            return List.of();
        }
        return (List<Map<String, Object>>) headers.get("x-death");
    }

    private Delivery died(String body, String queue, String reason) throws Exception {
        Delivery message = dead.next("a message that was " + reason);
        Client.equal(body, Client.text(message));
        Client.equal("dlx", message.getEnvelope().getExchange());
        Client.equal("gone", message.getEnvelope().getRoutingKey());
        Client.equal(1, deaths(message).size());
        Map<String, Object> death = deaths(message).get(0);
        Client.equal(queue, death.get("queue").toString());
        Client.equal(reason, death.get("reason").toString());
        Client.equal(1L, death.get("count"));
        Client.equal("", death.get("exchange").toString());
        Client.equal("[" + queue + "]", death.get("routing-keys").toString());
        Client.equal(Date.class, death.get("time").getClass());
        Map<String, Object> headers = message.getProperties().getHeaders();
        Client.equal(queue, headers.get("x-first-death-queue").toString());
        Client.equal(reason, headers.get("x-first-death-reason").toString());
        Client.equal("", headers.get("x-first-death-exchange").toString());
        Client.ack(channel, message);
        return message;
    }

    /** What fails waits in a second queue and comes back. */
    static void retry(Connection connection) throws Exception {
        Channel channel = Client.confirming(connection);
        channel.exchangeDeclare("work", BuiltinExchangeType.DIRECT, true);
        channel.exchangeDeclare("retry", BuiltinExchangeType.DIRECT, true);
        channel.queueDeclare("jobs", true, false, false, Map.of("x-dead-letter-exchange", "retry"));
        channel.queueDeclare("jobs.wait", true, false, false,
                Map.of("x-message-ttl", 20, "x-dead-letter-exchange", "work"));
        channel.queueBind("jobs", "work", "job");
        channel.queueBind("jobs.wait", "retry", "job");
        Client.publish(channel, "work", "job", "payload");
        Client.Inbox<Delivery> jobs = Client.consume(channel, "jobs", false);
        for (long tries = 0; tries < 4; tries++) {
            Delivery job = jobs.next("try " + tries);
            Client.equal("payload", Client.text(job));
            List<String> found = new ArrayList<>();
            for (Map<String, Object> d : deaths(job)) {
                found.add(d.get("queue") + " " + d.get("reason") + " " + d.get("count"));
            }
            Client.equal(tries == 0 ? List.of()
                    : asList("jobs.wait expired " + tries, "jobs rejected " + tries), found);
            if (tries == 3) {
                Client.ack(channel, job);
            } else {
                channel.basicNack(job.getEnvelope().getDeliveryTag(), false, false);
            }
        }
        Client.equal(0, channel.queueDelete("jobs").getMessageCount());
        Client.equal(0, channel.queueDelete("jobs.wait").getMessageCount());
    }
}
