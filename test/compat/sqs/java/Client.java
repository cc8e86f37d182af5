import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.client.config.ClientOverrideConfiguration;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.core.interceptor.SdkExecutionAttribute;
import software.amazon.awssdk.http.apache.ApacheHttpClient;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.sqs.SqsAsyncClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.SqsClientBuilder;
import software.amazon.awssdk.services.sqs.model.QueueAttributeName;
import software.amazon.awssdk.services.sqs.model.SqsException;

/** What the parts share: clients that try nothing again, and waits with a limit. */
final class Client {
    /** How long a wait for what is to come lasts at most. */
    static final Duration LIMIT = Duration.ofSeconds(120);

    static final String ENDPOINT = System.getenv("AWS_ENDPOINT_URL");
    static final String CA = System.getenv("AWS_CA_BUNDLE");

    /** The operations that were called. */
    static final Set<String> CALLED = ConcurrentHashMap.newKeySet();

    /** A builder whose client trusts the CA of the file, and nothing else. */
    static SqsClientBuilder builder(String ca) {
        return SqsClient.builder().endpointOverride(URI.create(ENDPOINT)).region(region())
                .overrideConfiguration(Client::configure)
                .httpClientBuilder(ApacheHttpClient.builder()
                        .tlsTrustManagersProvider(() -> trust(ca)));
    }

    static SqsClient sync() {
        return builder(CA).build();
    }

    static SqsAsyncClient async() {
        return SqsAsyncClient.builder().endpointOverride(URI.create(ENDPOINT)).region(region())
                .overrideConfiguration(Client::configure)
                .httpClientBuilder(NettyNioAsyncHttpClient.builder()
                        .tlsTrustManagersProvider(() -> trust(CA)))
                .build();
    }

    static Region region() {
        return Region.of(System.getenv("AWS_REGION"));
    }

    private static void configure(ClientOverrideConfiguration.Builder c) {
        c.retryStrategy(AwsRetryStrategy.doNotRetry()).addExecutionInterceptor(
                new ExecutionInterceptor() {
                    @Override
                    public void beforeExecution(Context.BeforeExecution context,
                            ExecutionAttributes attributes) {
                        CALLED.add(attributes.getAttribute(SdkExecutionAttribute.OPERATION_NAME));
                    }
                });
    }

    private static TrustManager[] trust(String ca) {
        try (InputStream in = new FileInputStream(ca)) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null);
            store.setCertificateEntry("ca",
                    CertificateFactory.getInstance("X.509").generateCertificate(in));
            TrustManagerFactory trust =
                    TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            trust.init(store);
            return trust.getTrustManagers();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    static String attribute(SqsClient sqs, String url, QueueAttributeName name) {
        return sqs.getQueueAttributes(r -> r.queueUrl(url).attributeNames(name))
                .attributes().get(name);
    }

    /** Ends the program unless the two are equal. */
    static void equal(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("got " + got + ", want " + want);
        }
    }

    /** A call that must fail with this code; gives the exception. */
    static SqsException refused(String code, Runnable call) {
        try {
            call.run();
        } catch (SqsException e) {
            equal(code, e.awsErrorDetails().errorCode());
            return e;
        }
        throw new AssertionError("was not refused with " + code);
    }

    static void eventually(Object want, Callable<?> ask) throws Exception {
        long late = System.nanoTime() + LIMIT.toNanos();
        Object got = ask.call();
        while (!Objects.equals(want, got)) {
            if (System.nanoTime() > late) {
                equal(want, got);
            }
            got = ask.call();
        }
    }

    private Client() {}
}
