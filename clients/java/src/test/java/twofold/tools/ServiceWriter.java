package twofold.tools;

import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import twofold.v1.AccountProto;
import twofold.v1.RecoveryProto;
import twofold.v1.SessionProto;
import twofold.v1.SupportProto;
import twofold.v1.TwoFactorProto;

/**
 * Writes the client's class of each service from its descriptor, into the folder that it is given.
 */
public final class ServiceWriter {
  private static final Map<String, FileDescriptor> SERVICES =
      Map.of(
          "Accounts", AccountProto.getDescriptor(),
          "TwoFactor", TwoFactorProto.getDescriptor(),
          "Sessions", SessionProto.getDescriptor(),
          "Recovery", RecoveryProto.getDescriptor(),
          "Support", SupportProto.getDescriptor());

  private ServiceWriter() {}

  public static void main(String[] arguments) throws IOException {
    for (Map.Entry<String, FileDescriptor> entry : SERVICES.entrySet()) {
      List<ServiceDescriptor> services = entry.getValue().getServices();
      Path file = Path.of(arguments[0], entry.getKey() + ".java");
      Files.writeString(file, text(entry.getKey(), services.get(0)));
    }
  }

  private static String text(String name, ServiceDescriptor service) {
    SortedSet<String> imports = new TreeSet<>(List.of("twofold.v1." + service.getName() + "Grpc"));
    StringBuilder methods = new StringBuilder();
    for (MethodDescriptor method : service.getMethods()) {
      imports.add("twofold.v1." + method.getInputType().getName());
      imports.add("twofold.v1." + method.getOutputType().getName());
      methods.append(method(service, method));
    }
    StringBuilder text = new StringBuilder("package twofold;\n\n");
    imports.forEach(type -> text.append("import ").append(type).append(";\n"));
    text.append(
        """

        /** %1$s of a {@link Client}. Rendered from descriptors; not edited. */
        public final class %2$s {
          private final Calls calls;

          %2$s(Calls calls) {
            this.calls = calls;
          }
        """
            .formatted(service.getName(), name));
    return text.append(methods).append("}\n").toString();
  }

  private static String method(ServiceDescriptor service, MethodDescriptor method) {
    String name = method.getName();
    String response = method.getOutputType().getName();
    boolean stream = method.isServerStreaming();
    return """

      /** {@code %1$s}. */
      public %2$s %3$s(%4$s request) {
        return %3$s(request, RequestOptions.NONE);
      }

      /** {@code %1$s}, with options. */
      public %2$s %3$s(%4$s request, RequestOptions options) {
        return calls.%5$s(%6$sGrpc.get%1$sMethod(), request, options);
      }
    """
        .formatted(
            name,
            stream ? "ServerStream<" + response + ">" : response,
            Character.toLowerCase(name.charAt(0)) + name.substring(1),
            method.getInputType().getName(),
            stream ? "stream" : "unary",
            service.getName());
  }
}
