package twofold.runner;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import twofold.VerifiedSession;
import twofold.Verifier;
import twofold.VerifierFilter;

/** A service that lets signed-in users alone in, and tells them who they are. */
final class Sample {
  private Sample() {}

  /** Serves until the process is ended. */
  static void serve(Config config) throws Exception {
    Verifier verifier = config.verifier();
    ServletContextHandler context = new ServletContextHandler();
    // The one line that protects it.
    context.addFilter(
        new FilterHolder(VerifierFilter.of(verifier)), "/*", EnumSet.of(DispatcherType.REQUEST));
    context.addServlet(new ServletHolder(new WhoAmI()), "/whoami");
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    server.setHandler(context);
    server.start();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, verifier)));
    System.out.println("{\"port\": " + connector.getLocalPort() + "}");
    server.join();
  }

  private static void stop(Server server, Verifier verifier) {
    try {
      server.stop();
      verifier.close();
      // Else a Java runtime that is asked to end calls that a failure.
      Runtime.getRuntime().halt(0);
    } catch (Exception e) {
      e.printStackTrace();
    }
  }

  private static final class WhoAmI extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      VerifiedSession session = VerifierFilter.session(request).orElseThrow();
      response.setContentType("application/json");
      response.getWriter().write("{\"account_id\": \"" + session.accountId() + "\"}");
    }
  }
}
