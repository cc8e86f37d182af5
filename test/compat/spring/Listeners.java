import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.amqp.AmqpRejectAndDontRequeueException;
import org.springframework.amqp.core.ExchangeTypes;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.rabbit.annotation.Exchange;
import org.springframework.amqp.rabbit.annotation.Queue;
import org.springframework.amqp.rabbit.annotation.QueueBinding;
import org.springframework.amqp.rabbit.annotation.RabbitListener;
import org.springframework.stereotype.Component;

/** The application's listeners; each puts what it got into an inbox. */
@Component
class Listeners {
    final Map<String, Client.Inbox<Message>> inboxes = new ConcurrentHashMap<>();

    Client.Inbox<Message> inbox(String name) {
        return inboxes.computeIfAbsent(name, n -> new Client.Inbox<>());
    }

    private void put(String name, Message message) {
        inbox(name).ready.add(message);
    }

    /** Fails at a task that it sees for the first time and does not like. */
    @RabbitListener(queues = "task_queue", concurrency = "2")
    void work(Message task) {
        put("task", task);
        boolean again = task.getMessageProperties().isRedelivered();
        if (new String(task.getBody()).equals("task 3") && !again) {
            throw new IllegalStateException("this one goes back to the queue");
        }
    }

    @RabbitListener(bindings = @QueueBinding(value = @Queue,
            exchange = @Exchange(value = "logs", type = ExchangeTypes.FANOUT, durable = "false")))
    void first(Message log) {
        put("first", log);
    }

    @RabbitListener(bindings = @QueueBinding(value = @Queue,
            exchange = @Exchange(value = "logs", type = ExchangeTypes.FANOUT, durable = "false")))
    void second(Message log) {
        put("second", log);
    }

    @RabbitListener(bindings = @QueueBinding(value = @Queue, key = "error",
            exchange = @Exchange(value = "direct_logs")))
    void errors(Message log) {
        put("errors", log);
    }

    @RabbitListener(bindings = @QueueBinding(value = @Queue, key = {"info", "warning", "error"},
            exchange = @Exchange(value = "direct_logs")))
    void every(Message log) {
        put("every", log);
    }

    @RabbitListener(bindings = @QueueBinding(value = @Queue, key = "*.orange.*",
            exchange = @Exchange(value = "animals", type = ExchangeTypes.TOPIC)))
    void orange(Message log) {
        put("orange", log);
    }

    @RabbitListener(bindings = @QueueBinding(value = @Queue, key = {"*.*.rabbit", "lazy.#"},
            exchange = @Exchange(value = "animals", type = ExchangeTypes.TOPIC)))
    void rabbits(Message log) {
        put("rabbits", log);
    }

    /** What a listener returns goes to where the request wants its reply. */
    @RabbitListener(queues = "rpc_queue")
    String fibonacci(String n) {
        return "" + fib(Integer.parseInt(n));
    }

    private static int fib(int n) {
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
    }

    @RabbitListener(queues = "rejecting")
    void reject(Message message) {
        throw new AmqpRejectAndDontRequeueException("bad");
    }

    @RabbitListener(queues = "dead")
    void dead(Message message) {
        put("dead", message);
    }

    /** Rejects a job until it has come three times before. */
    @RabbitListener(queues = "jobs")
    void job(Message job) {
        put("jobs", job);
        Object count = job.getMessageProperties().getXDeathHeader() == null ? 0L
                : job.getMessageProperties().getXDeathHeader().get(0).get("count");
        if ((Long) count < 3) {
            throw new AmqpRejectAndDontRequeueException("later");
        }
    }
}
