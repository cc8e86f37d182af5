import static java.util.Arrays.asList;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.transaction.RabbitTransactionManager;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.stereotype.Component;
import org.springframework.transaction.support.TransactionTemplate;

/** What the tutorials do. */
@Component
class Patterns {
    private final RabbitTemplate template;
    private final RabbitTemplate withQueues;
    private final RabbitAdmin admin;
    private final Listeners listeners;
    private final RabbitTransactionManager transactions;

    Patterns(@Qualifier("template") RabbitTemplate template,
            @Qualifier("withQueues") RabbitTemplate withQueues, RabbitAdmin admin,
            Listeners listeners, RabbitTransactionManager transactions) {
        this.template = template;
        this.withQueues = withQueues;
        this.admin = admin;
        this.listeners = listeners;
        this.transactions = transactions;
    }

    Map<String, Main.Part> all() {
        Map<String, Main.Part> all = new LinkedHashMap<>();
        all.put("work-queue", this::work);
        all.put("publish-subscribe", this::publishSubscribe);
        all.put("routing", this::routing);
        all.put("topics", this::topics);
        all.put("rpc", () -> call(withQueues));
        all.put("direct-reply-to", () -> call(template));
        all.put("confirms", this::confirms);
        all.put("transactions", this::transactions);
        all.put("dead-letters", this::deadLetters);
        all.put("delayed-retry", this::delayedRetry);
        return all;
    }

    /** Publishes and waits for the confirmation, which comes after a return, if any. */
    private CorrelationData publish(String exchange, String key, String body) throws Exception {
        CorrelationData correlation = new CorrelationData();
        template.convertAndSend(exchange, key, (Object) body, correlation);
        Client.equal(true, correlation.getFuture()
                .get(Client.LIMIT_SECONDS, TimeUnit.SECONDS).ack());
        return correlation;
    }

    private static String text(Message message) {
        return new String(message.getBody());
    }

    private void work() throws Exception {
        Set<String> want = new TreeSet<>();
        for (int n = 0; n < 10; n++) {
            publish("", "task_queue", "task " + n);
            want.add("task " + n);
        }
        Set<String> got = new TreeSet<>();
        int again = 0;
        for (int n = 0; n < 11; n++) {
            Message task = listeners.inbox("task").next("a task");
            got.add(text(task));
            if (task.getMessageProperties().isRedelivered()) {
                Client.equal("task 3", text(task));
                again++;
            }
        }
        Client.equal(want, got);
        Client.equal(1, again);
    }

    private void publishSubscribe() throws Exception {
        for (int n = 0; n < 5; n++) {
            publish("logs", "ignored", "log " + n);
        }
        for (String subscriber : asList("first", "second")) {
            for (int n = 0; n < 5; n++) {
                Client.equal("log " + n, text(listeners.inbox(subscriber).next("a log")));
            }
        }
    }

    private List<String> keys(String inbox, int count) throws Exception {
        List<String> keys = new ArrayList<>();
        while (keys.size() < count) {
            keys.add(listeners.inbox(inbox).next("message " + keys.size() + " of " + inbox)
                    .getMessageProperties().getReceivedRoutingKey());
        }
        Client.equal(0, listeners.inbox(inbox).ready.size());
        return keys;
    }

    private void routing() throws Exception {
        for (String key : asList("info", "error", "debug", "warning", "error")) {
            publish("direct_logs", key, key);
        }
        Client.equal(asList("error", "error"), keys("errors", 2));
        Client.equal(asList("info", "error", "warning", "error"), keys("every", 4));
    }

    private void topics() throws Exception {
        for (String key : asList("quick.orange.rabbit", "lazy.orange.elephant",
                "quick.orange.fox", "lazy.brown.fox", "lazy.pink.rabbit", "orange", "lazy",
                "quick.orange.new.rabbit", "lazy.orange.new.rabbit")) {
            publish("animals", key, key);
        }
        Client.equal(asList("quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"),
                keys("orange", 3));
        Client.equal(asList("quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox",
                "lazy.pink.rabbit", "lazy", "lazy.orange.new.rabbit"), keys("rabbits", 6));
        CorrelationData nowhere = publish("animals", "quick.brown.fox", "x");
        Client.equal(312, nowhere.getReturned().getReplyCode());
        Client.equal("NO_ROUTE", nowhere.getReturned().getReplyText());
    }

    private void call(RabbitTemplate template) {
        Client.equal("55", template.convertSendAndReceive("rpc_queue", (Object) "10"));
        Client.equal("6765", template.convertSendAndReceive("rpc_queue", (Object) "20"));
        Client.equal("1", template.convertSendAndReceive("rpc_queue", (Object) "1"));
    }

    private void confirms() throws Exception {
        List<CorrelationData> correlations = new ArrayList<>();
        for (int n = 0; n < 500; n++) {
            CorrelationData correlation = new CorrelationData("" + n);
            template.convertAndSend("", "confirmed", (Object) ("m " + n), correlation);
            correlations.add(correlation);
        }
        for (CorrelationData correlation : correlations) {
            Client.equal(true, correlation.getFuture()
                    .get(Client.LIMIT_SECONDS, TimeUnit.SECONDS).ack());
        }
        Client.equal(500, admin.purgeQueue("confirmed"));
    }

    /** What a transaction sent is there when it is committed, and only then. */
    private void transactions() {
        RabbitTemplate inside = new RabbitTemplate(transactions.getConnectionFactory());
        inside.setChannelTransacted(true);
        TransactionTemplate transaction = new TransactionTemplate(transactions);
        transaction.executeWithoutResult(status -> {
            inside.convertAndSend("account", "taken back");
            status.setRollbackOnly();
        });
        transaction.executeWithoutResult(status -> {
            inside.convertAndSend("account", "one");
            inside.convertAndSend("account", "two");
        });
        Client.equal("one", template.receiveAndConvert("account"));
        transaction.executeWithoutResult(status -> {
            Client.equal("two", inside.receiveAndConvert("account"));
            status.setRollbackOnly();
        });
        Client.equal("two", template.receiveAndConvert("account", Client.LIMIT_MILLIS));
        Client.equal(null, template.receiveAndConvert("account"));
    }

    private void died(String body, String queue, String reason) throws Exception {
        Message message = listeners.inbox("dead").next("what was " + reason);
        Client.equal(body, text(message));
        List<Map<String, ?>> deaths = message.getMessageProperties().getXDeathHeader();
        Client.equal(1, deaths.size());
        Client.equal(queue, deaths.get(0).get("queue"));
        Client.equal(reason, deaths.get(0).get("reason"));
        Client.equal(1L, deaths.get(0).get("count"));
        Client.equal(asList(queue), deaths.get(0).get("routing-keys"));
        Client.equal(queue, message.getMessageProperties().getHeader("x-first-death-queue"));
        Client.equal(reason, message.getMessageProperties().getHeader("x-first-death-reason"));
    }

    private void deadLetters() throws Exception {
        publish("", "rejecting", "bad");
        died("bad", "rejecting", "rejected");
        publish("", "aging", "old");
        died("old", "aging", "expired");
        publish("", "short", "first");
        publish("", "short", "second");
        died("first", "short", "maxlen");
    }

    private void delayedRetry() throws Exception {
        publish("work", "job", "payload");
        for (long tries = 0; tries < 4; tries++) {
            Message job = listeners.inbox("jobs").next("try " + tries);
            Client.equal("payload", text(job));
            List<String> found = new ArrayList<>();
            List<Map<String, ?>> deaths = job.getMessageProperties().getXDeathHeader();
            for (Map<String, ?> d : deaths == null ? List.<Map<String, ?>>of() : deaths) {
                found.add(d.get("queue") + " " + d.get("reason") + " " + d.get("count"));
            }
            Client.equal(tries == 0 ? List.of()
                    : asList("jobs.wait expired " + tries, "jobs rejected " + tries), found);
        }
    }
}
