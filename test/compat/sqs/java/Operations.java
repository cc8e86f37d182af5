import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.ChangeMessageVisibilityBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.DeleteMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.MessageSystemAttributeName;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.QueueDoesNotExistException;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchRequestEntry;
import software.amazon.awssdk.services.sqs.model.SendMessageBatchResponse;
import software.amazon.awssdk.services.sqs.model.SqsRequest;

/** Every operation of SQS; the SDK itself compares the digests of messages. */
final class Operations {
    private static final String BODY = "Grüße\t\r\n\ud83d\ude00<&>";
    private static final String GONE = "AWS.SimpleQueueService.NonExistentQueue";
    /** Messages that a task moves one a second, until it is cancelled. */
    private static final int SLOW = 100;

    private final SqsClient sqs = Client.sync();
    private String url;
    private String arn;

    Map<String, Main.Part> parts() {
        Map<String, Main.Part> parts = new LinkedHashMap<>();
        parts.put("queues", this::queues);
        parts.put("tags", this::tags);
        parts.put("permissions", this::permissions);
        parts.put("messages", this::messages);
        parts.put("batches", this::batches);
        parts.put("moves", this::moves);
        parts.put("ends", this::ends);
        parts.put("every", this::every);
        return parts;
    }

    private void queues() {
        url = sqs.createQueue(r -> r.queueName("jobs").tags(Map.of("team", "red"))
                .attributes(Map.of(QueueAttributeName.VISIBILITY_TIMEOUT, "600"))).queueUrl();
        arn = Client.attribute(sqs, url, QueueAttributeName.QUEUE_ARN);
        Client.equal(url, sqs.getQueueUrl(r -> r.queueName("jobs")).queueUrl());
        Client.equal(QueueDoesNotExistException.class, Client.refused(GONE,
                () -> sqs.getQueueUrl(r -> r.queueName("nowhere"))).getClass());
        Client.equal(List.of(url), sqs.listQueuesPaginator(r -> r.maxResults(1)).queueUrls()
                .stream().collect(Collectors.toList()));
        sqs.setQueueAttributes(r -> r.queueUrl(url)
                .attributes(Map.of(QueueAttributeName.MAXIMUM_MESSAGE_SIZE, "2048")));
        Client.equal("2048",
                Client.attribute(sqs, url, QueueAttributeName.MAXIMUM_MESSAGE_SIZE));
        Client.refused("InvalidAttributeValue", () -> sqs.setQueueAttributes(r -> r.queueUrl(url)
                .attributes(Map.of(QueueAttributeName.DELAY_SECONDS, "901"))));
    }

    private void tags() {
        sqs.tagQueue(r -> r.queueUrl(url).tags(Map.of("cost", "7")));
        Client.equal(Map.of("team", "red", "cost", "7"),
                sqs.listQueueTags(r -> r.queueUrl(url)).tags());
        sqs.untagQueue(r -> r.queueUrl(url).tagKeys("team", "cost"));
        Client.equal(Map.of(), sqs.listQueueTags(r -> r.queueUrl(url)).tags());
    }

    private void permissions() {
        sqs.addPermission(r -> r.queueUrl(url).label("mine").actions("SendMessage")
                .awsAccountIds(arn.split(":")[4]));
        String policy = Client.attribute(sqs, url, QueueAttributeName.POLICY);
        Client.equal(true, policy.contains("\"SQS:SendMessage\""));
        sqs.removePermission(r -> r.queueUrl(url).label("mine"));
        Client.equal(null, Client.attribute(sqs, url, QueueAttributeName.POLICY));
    }

    /** The one message that the queue is to give. */
    private Message take() {
        List<Message> got = sqs.receiveMessage(r -> r.queueUrl(url).waitTimeSeconds(20)
                .messageAttributeNames("All")
                .messageSystemAttributeNames(MessageSystemAttributeName.ALL)).messages();
        Client.equal(1, got.size());
        return got.get(0);
    }

    private void messages() {
        Map<String, MessageAttributeValue> attributes = Map.of(
                "text", MessageAttributeValue.builder().dataType("String").stringValue("grün")
                        .build(),
                "bytes", MessageAttributeValue.builder().dataType("Binary")
                        .binaryValue(SdkBytes.fromByteArray(new byte[] {0, -1, 7})).build());
        String id = sqs.sendMessage(r -> r.queueUrl(url).messageBody(BODY)
                .messageAttributes(attributes)).messageId();
        Message got = take();
        Client.equal(BODY, got.body());
        Client.equal(id, got.messageId());
        Client.equal(attributes, got.messageAttributes());
        sqs.changeMessageVisibility(r -> r.queueUrl(url).receiptHandle(got.receiptHandle())
                .visibilityTimeout(0));
        Message again = take();
        Client.equal("2",
                again.attributes().get(MessageSystemAttributeName.APPROXIMATE_RECEIVE_COUNT));
        sqs.deleteMessage(r -> r.queueUrl(url).receiptHandle(again.receiptHandle()));
        Client.refused("ReceiptHandleIsInvalid",
                () -> sqs.deleteMessage(r -> r.queueUrl(url).receiptHandle("rotten")));
    }

    private static List<SendMessageBatchRequestEntry> ten() {
        return IntStream.range(0, 10).mapToObj(i -> SendMessageBatchRequestEntry.builder()
                .id("e" + i).messageBody("body " + i).build()).collect(Collectors.toList());
    }

    private void batches() {
        List<SendMessageBatchRequestEntry> entries = new ArrayList<>(ten());
        entries.set(9, entries.get(9).copy(e -> e.delaySeconds(901)));
        SendMessageBatchResponse sent =
                sqs.sendMessageBatch(r -> r.queueUrl(url).entries(entries));
        Client.equal(9, sent.successful().size());
        Client.equal("e9 InvalidParameterValue true", sent.failed().get(0).id() + " "
                + sent.failed().get(0).code() + " " + sent.failed().get(0).senderFault());
        List<Message> got = new ArrayList<>();
        while (got.size() < 9) {
            got.addAll(sqs.receiveMessage(r -> r.queueUrl(url).maxNumberOfMessages(10)
                    .waitTimeSeconds(20)).messages());
        }
        Client.equal(9, sqs.changeMessageVisibilityBatch(r -> r.queueUrl(url).entries(
                got.stream().map(m -> ChangeMessageVisibilityBatchRequestEntry.builder()
                        .id(m.messageId()).receiptHandle(m.receiptHandle()).visibilityTimeout(300)
                        .build()).collect(Collectors.toList()))).successful().size());
        Client.equal(9, sqs.deleteMessageBatch(r -> r.queueUrl(url).entries(
                got.stream().map(m -> DeleteMessageBatchRequestEntry.builder().id(m.messageId())
                        .receiptHandle(m.receiptHandle()).build())
                        .collect(Collectors.toList()))).successful().size());
    }

    /** A move that is cancelled while it runs; what was not moved stays where it is. */
    private void moves() throws Exception {
        String dead = sqs.createQueue(r -> r.queueName("dead")).queueUrl();
        String source = Client.attribute(sqs, dead, QueueAttributeName.QUEUE_ARN);
        sqs.setQueueAttributes(r -> r.queueUrl(url).attributes(Map.of(
                QueueAttributeName.REDRIVE_POLICY,
                "{\"deadLetterTargetArn\":\"" + source + "\",\"maxReceiveCount\":1}")));
        Client.equal(List.of(url),
                sqs.listDeadLetterSourceQueues(r -> r.queueUrl(dead)).queueUrls());
        for (int i = 0; i < SLOW / 10; i++) {
            sqs.sendMessageBatch(r -> r.queueUrl(dead).entries(ten()));
        }
        String handle = sqs.startMessageMoveTask(r -> r.sourceArn(source).destinationArn(arn)
                .maxNumberOfMessagesPerSecond(1)).taskHandle();
        sqs.cancelMessageMoveTask(r -> r.taskHandle(handle));
        Client.eventually("CANCELLED", () -> sqs.listMessageMoveTasks(r -> r.sourceArn(source))
                .results().get(0).status());
        int count = 0;
        for (String queue : List.of(url, dead)) {
            count += Integer.parseInt(Client.attribute(sqs, queue,
                    QueueAttributeName.APPROXIMATE_NUMBER_OF_MESSAGES));
        }
        Client.equal(SLOW, count);
        sqs.deleteQueue(r -> r.queueUrl(dead));
    }

    private void ends() {
        sqs.purgeQueue(r -> r.queueUrl(url));
        Client.refused("AWS.SimpleQueueService.PurgeQueueInProgress",
                () -> sqs.purgeQueue(r -> r.queueUrl(url)));
        sqs.deleteQueue(r -> r.queueUrl(url));
        Client.refused(GONE, () -> sqs.sendMessage(r -> r.queueUrl(url).messageBody("x")));
    }

    /** No operation that the SDK has was left out. */
    private void every() {
        Set<String> has = new TreeSet<>();
        for (Method method : SqsClient.class.getMethods()) {
            if (method.getParameterCount() == 1
                    && SqsRequest.class.isAssignableFrom(method.getParameterTypes()[0])
                    && !method.getName().endsWith("Paginator")) {
                has.add(method.getName().substring(0, 1).toUpperCase()
                        + method.getName().substring(1));
            }
        }
        Client.equal(has, new TreeSet<>(Client.CALLED));
    }
}
