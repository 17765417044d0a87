import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/** Runs the JUnit 4 tests of a directory of classes, and prints "pass NAME", "skip NAME" or "fail NAME: WHY" for each. */
public class Suite {
  public static void main(String[] args) throws Exception {
    Path dir = Paths.get(args[0]);
    List<String> names;
    try (Stream<Path> all = Files.list(dir.resolve(args[1].replace('.', '/')))) {
      names = all.map(p -> p.getFileName().toString()).filter(n -> n.endsWith("Test.class")).map(n -> args[1] + "." + n.substring(0, n.length() - 6))
          .sorted().collect(Collectors.toList());
    }
    JUnitCore core = new JUnitCore();
    core.addListener(new Printer());
    for (String name : names) {
      if (!args[2].contains(" " + name.substring(name.lastIndexOf('.') + 1) + " ")) core.run(Class.forName(name));
    }
    System.out.println("done: true");
    System.exit(0);
  }

  static class Printer extends RunListener {
    final Set<String> other = new HashSet<>();

    static String name(Description d) { return d.getTestClass().getSimpleName() + "." + d.getMethodName(); }

    @Override public void testStarted(Description d) { other.remove(name(d)); }
    @Override public void testAssumptionFailure(Failure f) { say("skip", f.getDescription(), f); }
    @Override public void testFailure(Failure f) { say("fail", f.getDescription(), f); }
    @Override public void testFinished(Description d) { if (!other.contains(name(d))) System.out.println("pass " + name(d)); }

    void say(String what, Description d, Failure f) {
      if (!other.add(name(d)) || d.getTestClass() == null) return;
      String why = String.valueOf(f.getMessage()), at = f.getTrace().lines().filter(l -> l.contains(d.getTestClass().getSimpleName() + ".java")).findFirst().orElse("");
      System.out.println(what + " " + name(d) + ": " + (why + " " + at.trim()).replace('\n', ' '));
    }
  }
}
