import java.util.LinkedHashMap;
import java.util.Map;

/**
 * AWS's SDK for Java and what is built on it against an SQS that runs: Main MODE, one of
 * operations, groups, jms, spring, mistakes. Each line `ok NAME` is one part that held; the first
 * that does not ends the program.
 */
final class Main {
    interface Part {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        try {
            for (Map.Entry<String, Part> part : parts(arguments[0]).entrySet()) {
                part.getValue().run();
                System.out.println("ok " + part.getKey());
            }
            System.exit(0);
        } catch (Throwable e) {
            e.printStackTrace();
            System.exit(1); // listeners may still be there
        }
    }

    private static Map<String, Part> parts(String mode) {
        Map<String, Part> parts = new LinkedHashMap<>();
        switch (mode) {
            case "operations":
                return new Operations().parts();
            case "mistakes":
                return Mistakes.parts();
            case "groups":
                parts.put("groups", Groups::inOrder);
                parts.put("batchManager", Groups::gathered);
                return parts;
            case "jms":
                parts.put("queue", Jms::queue);
                parts.put("groups", Jms::groups);
                return parts;
            default:
                parts.put("template", Spring::template);
                parts.put("listener", Spring::listener);
                return parts;
        }
    }

    private Main() {}
}
