import java.net.URI;
import java.util.LinkedHashMap;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.SqsClientBuilder;

/** What new users do wrong, and what the SDK then tells them. */
final class Mistakes {
    private static final String KEY = System.getenv("AWS_ACCESS_KEY_ID");
    private static final String SECRET = System.getenv("AWS_SECRET_ACCESS_KEY");
    private static final String GONE = "AWS.SimpleQueueService.NonExistentQueue";

    static Map<String, Main.Part> parts() {
        Map<String, Main.Part> parts = new LinkedHashMap<>();
        parts.put("wrong-secret", () -> fails("SignatureDoesNotMatch", "signature",
                with(KEY, "wrong")));
        parts.put("wrong-key", () -> fails("InvalidClientTokenId", "token",
                with("AKIAIOSFODNN7EXAMPLE", SECRET)));
        parts.put("wrong-region", Mistakes::region);
        parts.put("no-region", () -> fails("SignatureDoesNotMatch", "valid region",
                Client.builder(Client.CA).region(Region.of("elasticmq"))));
        parts.put("plaintext", () -> fails("InvalidSecurity", "use https://",
                Client.builder(Client.CA)
                        .endpointOverride(URI.create(Client.ENDPOINT.replace("https", "http")))));
        parts.put("wrong-ca", Mistakes::authority);
        parts.put("deleted-queue", Mistakes::deleted);
        parts.put("no-permission", Mistakes::permission);
        return parts;
    }

    private static SqsClientBuilder with(String key, String secret) {
        return Client.builder(Client.CA).credentialsProvider(
                StaticCredentialsProvider.create(AwsBasicCredentials.create(key, secret)));
    }

    private static void fails(String code, String text, SqsClientBuilder builder) {
        try (SqsClient sqs = builder.build()) {
            tells(text, Client.refused(code, sqs::listQueues));
        }
    }

    private static void tells(String text, Throwable e) {
        if (!e.getMessage().contains(text)) {
            throw new AssertionError("\"" + e.getMessage() + "\" does not tell " + text);
        }
    }

    private static void region() {
        String home = System.getenv("AWS_REGION");
        try (SqsClient sqs = Client.sync();
                SqsClient far = Client.builder(Client.CA).region(Region.EU_WEST_1).build()) {
            String url = sqs.createQueue(r -> r.queueName("mine")).queueUrl();
            tells(home, Client.refused(GONE,
                    () -> far.sendMessage(r -> r.queueUrl(url).messageBody("x"))));
        }
    }

    private static void authority() {
        try (SqsClient sqs = Client.builder(System.getenv("OTHER_CA")).build()) {
            sqs.listQueues();
        } catch (SdkClientException e) {
            tells("unable to find valid certification path", e);
            return;
        }
        throw new AssertionError("another authority was trusted");
    }

    private static void deleted() {
        try (SqsClient sqs = Client.sync()) {
            String url = sqs.createQueue(r -> r.queueName("short")).queueUrl();
            sqs.deleteQueue(r -> r.queueUrl(url));
            tells("does not exist", Client.refused(GONE,
                    () -> sqs.receiveMessage(r -> r.queueUrl(url).waitTimeSeconds(20))));
        }
    }

    private static void permission() {
        SqsClientBuilder builder = with(System.getenv("NOBODY_KEY"), System.getenv("NOBODY_SECRET"));
        try (SqsClient sqs = Client.sync(); SqsClient nobody = builder.build()) {
            String url = sqs.createQueue(r -> r.queueName("secrets")).queueUrl();
            tells("nobody is not authorized to perform: sqs:sendmessage on resource: ",
                    Client.refused("AccessDenied",
                            () -> nobody.sendMessage(r -> r.queueUrl(url).messageBody("x"))));
        }
    }

    private Mistakes() {}
}
