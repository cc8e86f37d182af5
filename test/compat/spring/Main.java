import java.util.Map;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/**
 * Spring AMQP against a Coffer that runs: Main patterns|mistakes|recovery. Each line `ok NAME` is
 * one part that held; the first that does not ends the program.
 */
final class Main {
    interface Part {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        try {
            switch (arguments[0]) {
                case "mistakes":
                    runAll(Mistakes.all());
                    break;
                case "recovery":
                    runAll(Map.of("recovery", Recovery::run));
                    break;
                default:
                    patterns();
            }
            System.exit(0);
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1); // listeners may still be there
        }
    }

    /** The application: its queues are declared and its listeners wait when it has started. */
    private static void patterns() throws Exception {
        try (AnnotationConfigApplicationContext context =
                new AnnotationConfigApplicationContext(Application.class)) {
            runAll(context.getBean(Patterns.class).all());
            context.getBean(CachingConnectionFactory.class).resetConnection();
        }
    }

    private static void runAll(Map<String, Part> parts) throws Exception {
        for (Map.Entry<String, Part> part : parts.entrySet()) {
            part.getValue().run();
            System.out.println("ok " + part.getKey());
        }
    }

    private Main() {}
}
