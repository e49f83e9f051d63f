package twofold.runner;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.PrototypeMarshaller;
import io.grpc.ServiceDescriptor;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import twofold.Client;
import twofold.RequestOptions;
import twofold.VerifiedSession;
import twofold.Verifier;
import twofold.v1.AccountServiceGrpc;
import twofold.v1.RecoveryServiceGrpc;
import twofold.v1.SessionServiceGrpc;
import twofold.v1.SupportServiceGrpc;
import twofold.v1.TwoFactorServiceGrpc;

/** What the steps of a story do. */
final class Actions {
  private static final Map<String, MethodDescriptor<?, ?>> METHODS =
      Stream.of(
              AccountServiceGrpc.getServiceDescriptor(),
              RecoveryServiceGrpc.getServiceDescriptor(),
              SessionServiceGrpc.getServiceDescriptor(),
              SupportServiceGrpc.getServiceDescriptor(),
              TwoFactorServiceGrpc.getServiceDescriptor())
          .map(ServiceDescriptor::getMethods)
          .flatMap(methods -> methods.stream())
          .collect(Collectors.toMap(MethodDescriptor::getFullMethodName, Function.identity()));

  private final Client client;
  private final Verifier verifier;
  private final String helper;
  private final HttpClient http = HttpClient.newHttpClient();

  Actions(Client client, Verifier verifier, String helper) {
    this.client = client;
    this.verifier = verifier;
    this.helper = helper;
  }

  /** Does a step whose variables are filled in, and gives its answer. Throws TwofoldException. */
  JsonElement run(JsonObject step) throws IOException {
    if (step.has("call")) {
      return call(step);
    }
    if (step.has("ask")) {
      return ask(step);
    }
    return verify(step.get("verify").getAsString());
  }

  private JsonElement call(JsonObject step) throws IOException {
    MethodDescriptor<?, ?> method = METHODS.get("twofold.v1." + step.get("call").getAsString());
    if (method == null) {
      throw new StepFailed("there is no method " + step.get("call"));
    }
    RequestOptions options =
        step.has("session")
            ? RequestOptions.session(step.get("session").getAsString())
            : RequestOptions.NONE;
    JsonObject request = step.has("request") ? step.getAsJsonObject("request") : new JsonObject();
    return JsonParser.parseString(
        JsonFormat.printer().print((MessageOrBuilder) call(method, request, options)));
  }

  private <Q, R> R call(MethodDescriptor<Q, R> method, JsonObject json, RequestOptions options)
      throws IOException {
    PrototypeMarshaller<Q> marshaller = (PrototypeMarshaller<Q>) method.getRequestMarshaller();
    Message.Builder request = ((Message) marshaller.getMessagePrototype()).newBuilderForType();
    JsonFormat.parser().merge(json.toString(), request);
    return client.call(method, marshaller.getMessageClass().cast(request.build()), options);
  }

  private JsonElement ask(JsonObject step) throws IOException {
    JsonObject with = step.has("with") ? step.getAsJsonObject("with") : new JsonObject();
    String query =
        with.asMap().entrySet().stream()
            .map(entry -> entry.getKey() + "=" + encoded(entry.getValue().getAsString()))
            .collect(Collectors.joining("&"));
    URI uri = URI.create(helper + "/" + step.get("ask").getAsString() + "?" + query);
    try {
      HttpResponse<String> response =
          http.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new StepFailed("the helper answered " + response.statusCode());
      }
      return JsonParser.parseString(response.body());
    } catch (InterruptedException e) {
      throw new StepFailed("interrupted");
    }
  }

  private JsonElement verify(String token) {
    VerifiedSession session = verifier.verify(token);
    JsonObject answer = new JsonObject();
    answer.addProperty("account_id", session.accountId());
    answer.addProperty("session_id", session.sessionId());
    answer.addProperty("realm_id", session.realmId());
    answer.addProperty("client_id", session.clientId());
    answer.addProperty("aal", session.aal());
    JsonArray amr = new JsonArray();
    session.amr().forEach(amr::add);
    answer.add("amr", amr);
    return answer;
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }
}
