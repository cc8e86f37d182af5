import static java.util.Arrays.asList;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.RpcServer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the tutorials do. */
final class Patterns {
    static Map<String, Main.Part> all() {
        Map<String, Main.Part> all = new LinkedHashMap<>();
        all.put("work-queue", Patterns::work);
        all.put("publish-subscribe", Patterns::publishSubscribe);
        all.put("routing", Patterns::routing);
        all.put("topics", Patterns::topics);
        all.put("rpc", Patterns::rpc);
        all.put("direct-reply-to", Patterns::directReplyTo);
        all.put("confirms", Patterns::confirms);
        all.put("dead-letters", DeadLetters::letters);
        all.put("delayed-retry", DeadLetters::retry);
        return all;
    }

    /** Two workers share a durable queue; what one leaves undone the other gets. */
    private static void work(Connection connection) throws Exception {
        Channel out = Client.confirming(connection);
        out.queueDeclare("task_queue", true, false, false, null);
        for (int n = 0; n < 10; n++) {
            Client.publish(out, "", "task_queue", "" + n);
        }
        Connection other = Client.connect();
        Channel slow = other.createChannel();
        slow.basicQos(1);
        Delivery held = Client.consume(slow, "task_queue", false).next("the first task");
        Client.equal("0", Client.text(held));
        Channel quick = connection.createChannel();
        quick.basicQos(1);
        Client.Inbox<Delivery> tasks = Client.consume(quick, "task_queue", false);
        for (int n = 1; n < 10; n++) {
            Delivery task = tasks.next("task " + n);
            Client.equal("" + n, Client.text(task));
            Client.equal(false, task.getEnvelope().isRedeliver());
            Client.equal(0, tasks.ready.size());
            Client.ack(quick, task);
        }
        other.close();
        Delivery again = tasks.next("the task that nobody finished");
        Client.equal("0", Client.text(again));
        Client.equal(true, again.getEnvelope().isRedeliver());
        Client.equal(2, again.getProperties().getDeliveryMode());
        Client.ack(quick, again);
        Client.equal(0, quick.queueDelete("task_queue").getMessageCount());
    }

    /** Every subscriber gets every message. */
    private static void publishSubscribe(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        channel.exchangeDeclare("logs", BuiltinExchangeType.FANOUT);
        List<Client.Inbox<Delivery>> subscribers = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            String queue = channel.queueDeclare().getQueue();
            Client.equal(true, queue.startsWith("amq.gen-"));
            channel.queueBind(queue, "logs", "");
            subscribers.add(Client.consume(channel, queue, true));
        }
        for (int n = 0; n < 5; n++) {
            channel.basicPublish("logs", "ignored", null, Client.bytes("log " + n));
        }
        for (Client.Inbox<Delivery> subscriber : subscribers) {
            for (int n = 0; n < 5; n++) {
                Client.equal("log " + n, Client.text(subscriber.next("a log")));
            }
        }
    }

    private static String bound(Channel channel, String exchange, String... patterns)
            throws Exception {
        String queue = channel.queueDeclare().getQueue();
        for (String pattern : patterns) {
            channel.queueBind(queue, exchange, pattern);
        }
        return queue;
    }

    private static List<String> keys(Channel channel, String queue) throws Exception {
        List<String> found = new ArrayList<>();
        for (;;) {
            GetResponse message = channel.basicGet(queue, true);
            if (message == null) {
                return found;
            }
            found.add(message.getEnvelope().getRoutingKey());
        }
    }

    private static void routing(Connection connection) throws Exception {
        Channel channel = Client.confirming(connection);
        channel.exchangeDeclare("direct_logs", BuiltinExchangeType.DIRECT);
        String errors = bound(channel, "direct_logs", "error");
        String all = bound(channel, "direct_logs", "info", "warning", "error");
        for (String key : asList("info", "error", "debug", "warning", "error")) {
            Client.publish(channel, "direct_logs", key, key);
        }
        Client.equal(asList("error", "error"), keys(channel, errors));
        Client.equal(asList("info", "error", "warning", "error"), keys(channel, all));
    }

    private static void topics(Connection connection) throws Exception {
        Channel channel = Client.confirming(connection);
        channel.exchangeDeclare("animals", BuiltinExchangeType.TOPIC);
        String first = bound(channel, "animals", "*.orange.*");
        String second = bound(channel, "animals", "*.*.rabbit", "lazy.#");
        for (String key : asList("quick.orange.rabbit", "lazy.orange.elephant",
                "quick.orange.fox", "lazy.brown.fox", "lazy.pink.rabbit", "orange", "lazy",
                "quick.orange.new.rabbit", "lazy.orange.new.rabbit")) {
            Client.publish(channel, "animals", key, key);
        }
        Client.equal(asList("quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"),
                keys(channel, first));
        Client.equal(asList("quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox",
                "lazy.pink.rabbit", "lazy", "lazy.orange.new.rabbit"), keys(channel, second));
        Client.Inbox<Return> returns = new Client.Inbox<>();
        channel.addReturnListener(returns.ready::add);
        Client.publish(channel, "animals", "quick.brown.fox", "x");
        Return returned = returns.next("the message that fits nowhere");
        Client.equal(AMQP.NO_ROUTE, returned.getReplyCode());
        Client.equal("NO_ROUTE", returned.getReplyText());
    }

    private static int fib(int n) {
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
    }

    /** Serves requests of Fibonacci numbers with the client's own RPC server. */
    private static RpcServer serve(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        channel.queueDeclare("rpc_queue", false, false, false, null);
        channel.basicQos(1);
        RpcServer server = new RpcServer(channel, "rpc_queue") {
            @Override
            public byte[] handleCall(Delivery request, BasicProperties reply) {
                return Client.bytes("" + fib(Integer.parseInt(Client.text(request))));
            }
        };
        new Thread(() -> {
            try {
                server.mainloop();
            } catch (Exception e) {
                e.printStackTrace();
                System.exit(1);
            }
        }).start();
        return server;
    }

    private static void call(Connection connection, RpcClientParams parameters)
            throws Exception {
        RpcServer server = serve(connection);
        RpcClient client = new RpcClient(parameters.exchange("").routingKey("rpc_queue")
                .timeout((int) Client.LIMIT_SECONDS * 1000));
        Client.equal("55", client.stringCall("10"));
        Client.equal("6765", client.stringCall("20"));
        Client.equal("1", client.stringCall("1"));
        client.close();
        server.terminateMainloop();
    }

    private static void rpc(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String replies = channel.queueDeclare().getQueue();
        call(connection, new RpcClientParams().channel(channel).replyTo(replies));
    }

    private static void directReplyTo(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        call(connection, new RpcClientParams().channel(channel).replyTo("amq.rabbitmq.reply-to"));
    }

    /** Confirms one by one, of a batch, and as they come. */
    private static void confirms(Connection connection) throws Exception {
        Channel channel = Client.confirming(connection);
        channel.queueDeclare("confirmed", true, false, false, null);
        Client.publish(channel, "", "confirmed", "one");
        for (int n = 0; n < 100; n++) {
            channel.basicPublish("", "confirmed", Client.PERSISTENT, Client.bytes("batch"));
        }
        channel.waitForConfirmsOrDie(Client.LIMIT_SECONDS * 1000);
        Client.Inbox<long[]> settled = new Client.Inbox<>();
        Client.Inbox<Long> refused = new Client.Inbox<>();
        channel.addConfirmListener(
                (tag, multiple) -> settled.ready.add(new long[] {tag, multiple ? 1 : 0}),
                (tag, multiple) -> refused.ready.add(tag));
        long last = channel.getNextPublishSeqNo() - 1;
        for (int n = 0; n < 500; n++) {
            channel.basicPublish("", "confirmed", Client.PERSISTENT, Client.bytes("async"));
        }
        for (long count = 0; count < 500;) {
            long[] next = settled.next("a confirmation");
            count += next[1] == 1 ? next[0] - last : 1;
            last = Math.max(last, next[0]);
        }
        Client.equal(0, refused.ready.size());
        Client.equal(601L, channel.messageCount("confirmed"));
        Client.equal(601, channel.queuePurge("confirmed").getMessageCount());
    }

    private Patterns() {}
}
