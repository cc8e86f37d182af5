import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.batchmanager.SqsAsyncBatchManager;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;

/** The asynchronous client at work. */
final class Groups {
    private static final int GROUPS = 20;
    private static final int LENGTH = 50; // messages of a group, in batches of ten
    private static final int RECEIVERS = 8;
    private static final int GATHERED = 300;

    private final SqsAsyncClient sqs = Client.async();
    private final AtomicIntegerArray next = new AtomicIntegerArray(GROUPS);
    private final AtomicInteger done = new AtomicInteger();
    private String url;

    private static <T> T wait(CompletableFuture<T> future) throws Exception {
        return future.get(2 * Client.LIMIT.toSeconds(), TimeUnit.SECONDS);
    }

    /**
     * Groups are sent at once, each in order and everything twice; receivers see each message
     * once, and of a group only what comes after what was deleted.
     */
    static void inOrder() throws Exception {
        Groups g = new Groups();
        g.url = wait(g.sqs.createQueue(r -> r.queueName("work.fifo").attributes(Map.of(
                QueueAttributeName.FIFO_QUEUE, "true",
                QueueAttributeName.CONTENT_BASED_DEDUPLICATION, "true",
                QueueAttributeName.VISIBILITY_TIMEOUT, "600")))).queueUrl();
        List<CompletableFuture<?>> all = new ArrayList<>();
        IntStream.range(0, GROUPS).forEach(group -> all.add(g.send(group, 0)));
        IntStream.range(0, RECEIVERS).forEach(i -> all.add(g.receive()));
        wait(CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0])));
        for (int group = 0; group < GROUPS; group++) {
            Client.equal(LENGTH, g.next.get(group));
        }
        g.sqs.close();
    }

    /** Sends a group's messages from a number on. */
    private CompletableFuture<?> send(int group, int from) {
        if (from == LENGTH) {
            return CompletableFuture.completedFuture(null);
        }
        List<SendMessageBatchRequestEntry> entries = IntStream.range(from, from + 10)
                .mapToObj(n -> SendMessageBatchRequestEntry.builder().id("e" + n)
                        .messageGroupId("group-" + group).messageBody(group + " " + n).build())
                .collect(Collectors.toList());
        return sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entries))
                .thenCompose(x -> sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entries)))
                .thenCompose(x -> {
                    Client.equal(10, x.successful().size());
                    return send(group, from + 10);
                });
    }

    private CompletableFuture<?> receive() {
        if (done.get() == GROUPS * LENGTH) {
            return CompletableFuture.completedFuture(null);
        }
        return sqs.receiveMessage(r -> r.queueUrl(url).maxNumberOfMessages(10).waitTimeSeconds(1))
                .thenCompose(r -> handle(r.messages())).thenCompose(x -> receive());
    }

    private CompletableFuture<?> handle(List<Message> messages) {
        if (messages.isEmpty()) {
            return CompletableFuture.completedFuture(null);
        }
        for (Message message : messages) {
            String[] words = message.body().split(" ");
            Client.equal(Integer.parseInt(words[1]),
                    next.getAndIncrement(Integer.parseInt(words[0])));
        }
        return sqs.deleteMessageBatch(r -> r.queueUrl(url).entries(messages.stream()
                .map(m -> DeleteMessageBatchRequestEntry.builder().id(m.messageId())
                        .receiptHandle(m.receiptHandle()).build())
                .collect(Collectors.toList()))).thenAccept(out -> {
                    Client.equal(messages.size(), out.successful().size());
                    done.addAndGet(messages.size());
                });
    }

    /** The SDK gathers single requests into batches. */
    static void gathered() throws Exception {
        SqsAsyncClient sqs = Client.async();
        String url = wait(sqs.createQueue(r -> r.queueName("gathered"))).queueUrl();
        SqsAsyncBatchManager manager = sqs.batchManager();
        List<CompletableFuture<?>> all = new ArrayList<>();
        Set<String> missing = new HashSet<>();
        for (int i = 0; i < GATHERED; i++) {
            String body = "body " + i;
            missing.add(body);
            all.add(manager.sendMessage(r -> r.queueUrl(url).messageBody(body)));
        }
        while (!missing.isEmpty()) {
            for (Message m : wait(manager.receiveMessage(r -> r.queueUrl(url))).messages()) {
                Client.equal(true, missing.remove(m.body()));
                all.add(manager.deleteMessage(r -> r.queueUrl(url)
                        .receiptHandle(m.receiptHandle())));
            }
        }
        wait(CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0])));
        manager.close();
        sqs.close();
    }

    private Groups() {}
}
