import com.rabbitmq.client.amqp.AmqpException;
import com.rabbitmq.client.amqp.Connection;
import com.rabbitmq.client.amqp.Consumer;
import com.rabbitmq.client.amqp.Environment;
import com.rabbitmq.client.amqp.Management;
import com.rabbitmq.client.amqp.Message;
import com.rabbitmq.client.amqp.Publisher;
import com.rabbitmq.client.amqp.RpcClient;
import com.rabbitmq.client.amqp.RpcServer;
import com.rabbitmq.client.amqp.impl.AmqpEnvironmentBuilder;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** RabbitMQ's own client of AMQP 1.0; it prints "ok NAME" for each part that held. */
public final class Main {
  private static final int MESSAGES = 10;

  public static void main(String[] args) throws Exception {
    URI uri = new URI(System.getenv("COFFER_AMQP_URL"));
    String[] user = uri.getUserInfo().split(":");
    try (Environment env = new AmqpEnvironmentBuilder().build();
        Connection c =
            env.connectionBuilder().host(uri.getHost()).port(uri.getPort()).username(user[0])
                .password(user[1]).tls().sslContext(trust()).connection().build()) {
      declare(c.management());
      publish(c);
      consume(c);
      rpc(c);
      mistakes(c);
      delete(c.management());
    }
    System.exit(0);
  }

  private static SSLContext trust() throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    try (InputStream ca = Files.newInputStream(Path.of(System.getenv("COFFER_CA")))) {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      store.setCertificateEntry("ca", factory.generateCertificate(ca));
    }
    TrustManagerFactory managers = TrustManagerFactory.getInstance("PKIX");
    managers.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context;
  }

  private static void held(String part, boolean condition, Object seen) {
    if (!condition) {
      throw new IllegalStateException(part + ": " + seen);
    }
  }

  private static void ok(String part) {
    System.out.println("ok " + part);
  }

  private static <T> T next(BlockingQueue<T> queue, String what) throws InterruptedException {
    T t = queue.poll(60, TimeUnit.SECONDS);
    held(what, t != null, "nothing came");
    return t;
  }

  private static String text(Message m) {
    return new String(m.body(), StandardCharsets.UTF_8);
  }

  private static void declare(Management m) {
    m.exchange("orders").type(Management.ExchangeType.TOPIC).declare();
    Management.QueueInfo q = m.queue("work").quorum().deliveryLimit(3).queue().declare();
    held("declare", q.type() == Management.QueueType.QUORUM, q);
    m.queue("work").quorum().deliveryLimit(3).queue().declare();
    m.queue("questions").declare();
    m.binding().sourceExchange("orders").destinationQueue("work").key("order.*").bind();
    ok("declare");
  }

  private static void publish(Connection c) throws InterruptedException {
    BlockingQueue<Publisher.Status> told = new LinkedBlockingQueue<>();
    try (Publisher p = c.publisherBuilder().exchange("orders").key("order.eu").build()) {
      for (long i = 0; i < MESSAGES; i++) {
        byte[] body = ("m" + i).getBytes(StandardCharsets.UTF_8);
        p.publish(p.message(body).messageId(i), x -> told.add(x.status()));
      }
      for (int i = 0; i < MESSAGES; i++) {
        Publisher.Status s = next(told, "publish");
        held("publish", s == Publisher.Status.ACCEPTED, s);
      }
    }
    try (Publisher p = c.publisherBuilder().exchange("orders").key("none").build()) {
      p.publish(p.message(new byte[0]), x -> told.add(x.status()));
      Publisher.Status s = next(told, "publish");
      held("publish", s == Publisher.Status.RELEASED, s);
    }
    long count = c.management().queueInfo("work").messageCount();
    held("publish", count == MESSAGES, count);
    ok("publish");
  }

  /** One message is put back once and one refused; all others are accepted. */
  private static void consume(Connection c) throws InterruptedException {
    BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    Consumer consumer =
        c.consumerBuilder().queue("work").priority(5).initialCredits(4)
            .messageHandler((context, m) -> {
              boolean first = !seen.contains(text(m));
              seen.add(text(m));
              if (text(m).equals("m3") && first) {
                context.requeue();
              } else if (text(m).equals("m4")) {
                context.discard();
              } else {
                context.accept();
              }
            }).build();
    int again = 0;
    for (int i = 0; i <= MESSAGES; i++) {
      long late = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
      while (seen.size() <= i && System.nanoTime() < late) {
        Thread.onSpinWait();
      }
      held("consume", seen.size() > i, seen);
    }
    for (String s : seen) {
      again += s.equals("m3") ? 1 : 0;
    }
    held("consume", again == 2 && seen.size() == MESSAGES + 1, seen);
    consumer.close();
    ok("consume");
  }

  private static void rpc(Connection c) throws Exception {
    RpcServer server =
        c.rpcServerBuilder().requestQueue("questions").handler((context, question) -> {
              String answer = "answer to " + text(question);
              return context.message(answer.getBytes(StandardCharsets.UTF_8));
            }).build();
    try (RpcClient client =
            c.rpcClientBuilder().requestAddress().queue("questions").rpcClient().build()) {
      Message question = client.message("x".getBytes(StandardCharsets.UTF_8));
      String answer = text(client.publish(question).get(60, TimeUnit.SECONDS));
      held("rpc", answer.equals("answer to x"), answer);
    }
    server.close();
    ok("rpc");
  }

  private static void refused(Runnable call, Class<?> kind, String words) {
    try {
      call.run();
    } catch (AmqpException e) {
      held("mistakes", kind.isInstance(e) && e.getMessage().contains(words), e);
      return;
    }
    throw new IllegalStateException("mistakes: nothing says " + words);
  }

  private static void mistakes(Connection c) {
    Class<?> missing = AmqpException.AmqpEntityDoesNotExistException.class;
    refused(() -> c.publisherBuilder().exchange("missing").build(), missing,
        "no exchange 'missing' in vhost '/'");
    refused(() -> c.consumerBuilder().queue("missing").messageHandler((x, m) -> {}).build(),
        missing, "no queue 'missing' in vhost '/'");
    refused(() -> c.management().queue("work").type(Management.QueueType.CLASSIC).declare(),
        AmqpException.class, "inequivalent arg 'x-queue-type' for queue 'work'");
    ok("mistakes");
  }

  private static void delete(Management m) {
    m.unbind().sourceExchange("orders").destinationQueue("work").key("order.*").unbind();
    m.queuePurge("work");
    m.queueDelete("work");
    m.exchangeDelete("orders");
    refused(() -> m.queueInfo("work"), AmqpException.class, "not found");
    ok("delete");
  }
}
