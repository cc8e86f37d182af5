import com.rabbitmq.client.Connection;
import java.util.Map;

/**
 * RabbitMQ's Java client against a Coffer that runs: Main MODE, one of
 * patterns, mistakes, locked, recovery. Each line
 * `ok NAME` is one part that held; the first that does not ends the program.
 */
final class Main {
    interface Part {
        void run(Connection connection) throws Exception;
    }

    public static void main(String[] arguments) {
        try {
            for (Map.Entry<String, Part> part : parts(arguments[0]).entrySet()) {
                try (Connection connection = Client.connect()) {
                    part.getValue().run(connection);
                }
                System.out.println("ok " + part.getKey());
            }
            System.exit(0);
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1); // the client's threads may still be there
        }
    }

    private static Map<String, Part> parts(String mode) {
        switch (mode) {
            case "patterns":
                return Patterns.all();
            case "mistakes":
                return Mistakes.all();
            case "recovery":
                return Map.of("recovery", Recovery::run);
            default:
                return Map.of("locked", Locked::run);
        }
    }

    private Main() {}
}
