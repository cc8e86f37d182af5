import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.ArrayList;
import java.util.List;

/**
 * The broker of COFFER_LOCKED_URL is under a key that the one who runs this program disables and
 * enables when it is asked to.
 */
final class Locked {
    private static final int WAITING = 20;
    private static final int PREFETCH = 5;

    private final Connection connection;
    private final Channel out;
    private final Channel into;
    private final Client.Inbox<Delivery> inbox;
    private final Client.Inbox<String> blocked = new Client.Inbox<>();
    private final Client.Inbox<String> unblocked = new Client.Inbox<>();

    private Locked(Connection connection) throws Exception {
        this.connection = connection;
        connection.addBlockedListener(blocked.ready::add, () -> unblocked.ready.add("unblocked"));
        out = Client.confirming(connection);
        into = connection.createChannel();
        out.queueDeclare("locked", true, false, false, null);
        for (int n = 0; n < WAITING; n++) {
            Client.publish(out, "", "locked", "" + n);
        }
        into.basicQos(PREFETCH);
        inbox = Client.consume(into, "locked", false);
    }

    static void run(Connection main) throws Exception {
        String url = System.getenv("COFFER_LOCKED_URL");
        String ca = System.getenv("COFFER_CA");
        try (Connection connection = Client.factory(url, ca).newConnection()) {
            Locked locked = new Locked(connection);
            List<Integer> got = new ArrayList<>();
            List<Delivery> held = new ArrayList<>();
            for (int n = 0; n < PREFETCH; n++) {
                held.add(locked.inbox.next("a message"));
            }
            locked.refused(Client.ask("disable"));
            for (Delivery delivery : held) {
                got.add(Integer.valueOf(Client.text(delivery)));
                Client.ack(locked.into, delivery);
            }
            locked.silent(main);
            Client.ask("enable");
            locked.flows(got);
        }
    }

    /** Nothing is taken, and the client is told the key and why. */
    private void refused(String why) throws Exception {
        contains(why, blocked.next("connection.blocked"));
        Client.equal(false, Client.confirmed(out, "", "locked", "refused", Client.PERSISTENT));
        Channel plain = connection.createChannel();
        Client.Inbox<ShutdownSignalException> ended = new Client.Inbox<>();
        plain.addShutdownListener(ended.ready::add);
        plain.basicPublish("", "locked", Client.PERSISTENT, Client.bytes("refused"));
        AMQP.Channel.Close close =
                (AMQP.Channel.Close) ended.next("the end of the channel").getReason();
        Client.equal(AMQP.RESOURCE_ERROR, close.getReplyCode());
        contains(why, close.getReplyText());
    }

    private static void contains(String want, String got) {
        if (!got.contains(want)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    /** Nothing comes, though answers do, and messages of another broker. */
    private void silent(Connection main) throws Exception {
        Client.equal((long) WAITING - PREFETCH, into.messageCount("locked"));
        Channel other = Client.confirming(main);
        other.queueDeclare("open", false, false, false, null);
        Client.Inbox<Delivery> through = Client.consume(other, "open", true);
        for (int n = 0; n < 10; n++) {
            Client.publish(other, "", "open", "x");
            through.next("a message of another broker");
        }
        Client.equal((long) WAITING - PREFETCH, into.messageCount("locked"));
        Client.equal(0, inbox.ready.size());
    }

    private void flows(List<Integer> got) throws Exception {
        unblocked.next("connection.unblocked");
        Client.publish(out, "", "locked", "" + WAITING);
        while (got.size() <= WAITING) {
            Delivery delivery = inbox.next("what waited");
            Client.equal(false, delivery.getEnvelope().isRedeliver());
            got.add(Integer.valueOf(Client.text(delivery)));
            Client.ack(into, delivery);
        }
        List<Integer> want = new ArrayList<>();
        for (int n = 0; n <= WAITING; n++) {
            want.add(n);
        }
        Client.equal(want, got);
        Client.equal(0, into.queueDelete("locked").getMessageCount());
    }
}
