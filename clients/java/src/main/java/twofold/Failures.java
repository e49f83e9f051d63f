package twofold;

import com.google.protobuf.Any;
import com.google.protobuf.ExtensionRegistryLite;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What a failed call throws: one class for each thing that a caller does about it. */
final class Failures {
  private static final String DOMAIN = "twofold";
  private static final Metadata.Key<String> REQUEST_ID =
      Metadata.Key.of("twofold-request-id", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private Failures() {}

  /** Turns the error of a call into the one to throw. Details that don't parse are left out. */
  static TwofoldException of(StatusRuntimeException error) {
    Metadata trailers = error.getTrailers() == null ? new Metadata() : error.getTrailers();
    List<Any> details = details(trailers.get(DETAILS));
    ErrorInfo info =
        unpack(details, ErrorInfo.class)
            .filter(candidate -> candidate.getDomain().equals(DOMAIN))
            .findFirst()
            .orElse(ErrorInfo.getDefaultInstance());
    String requestId = trailers.get(REQUEST_ID);
    if (requestId == null || requestId.isEmpty()) {
      requestId =
          unpack(details, RequestInfo.class).map(RequestInfo::getRequestId).findFirst().orElse("");
    }
    Failure failure =
        new Failure(
            error.getStatus().getCode(),
            info.getReason(),
            message(error.getStatus()),
            Map.copyOf(info.getMetadataMap()),
            unpack(details, RetryInfo.class).map(Failures::delay).findFirst().orElse(null),
            unpack(details, BadRequest.class)
                .flatMap(bad -> bad.getFieldViolationsList().stream())
                .map(v -> new FieldViolation(v.getField(), v.getDescription()))
                .toList(),
            unpack(details, PreconditionFailure.class)
                .flatMap(unmet -> unmet.getViolationsList().stream())
                .map(
                    v -> new PreconditionViolation(v.getType(), v.getSubject(), v.getDescription()))
                .toList(),
            requestId);
    return of(failure, failure.isMessageSafe() ? error : withoutText(error, trailers));
  }

  static TwofoldException of(Failure failure, Throwable cause) {
    return switch (failure.reason()) {
      case "INVALID_CREDENTIALS" -> new InvalidCredentialsException(failure, cause);
      case "INVALID_SECOND_FACTOR" -> new InvalidSecondFactorException(failure, cause);
      case "SESSION_EXPIRED" -> new SessionExpiredException(failure, cause);
      case "SESSION_INVALID", "SESSION_ENDED", "SESSION_REUSED", "SESSION_USER_AGENT_CHANGED" ->
          new SessionEndedException(failure, cause);
      case "RECENT_PASSWORD_REQUIRED", "RECENT_TWO_FACTOR_REQUIRED" ->
          new RecentProofRequiredException(failure, cause);
      default -> byCode(failure, cause);
    };
  }

  /** The error of a call that its own client's {@code close} has ended, or kept from beginning. */
  static UnavailableException closed(Throwable cause) {
    return new UnavailableException(
        Failure.of(Status.Code.UNAVAILABLE, "", "The client is closed."), cause);
  }

  /** The error of a connection that did not come about in time. */
  static UnavailableException notConnected(String target, Duration waited) {
    String text = "No connection to " + target + " in " + Durations.text(waited) + ".";
    return new UnavailableException(Failure.of(Status.Code.UNAVAILABLE, "", text), null);
  }

  /**
   * Whether the service itself answered: its answers carry a request id, those of others do not.
   */
  static boolean reachedService(StatusRuntimeException error) {
    return error.getTrailers() != null && error.getTrailers().containsKey(REQUEST_ID);
  }

  private static TwofoldException byCode(Failure failure, Throwable cause) {
    return switch (failure.code()) {
      case INVALID_ARGUMENT -> new InvalidFieldsException(failure, cause);
      case UNAUTHENTICATED -> new UnauthenticatedException(failure, cause);
      case PERMISSION_DENIED -> new PermissionDeniedException(failure, cause);
      case NOT_FOUND -> new NotFoundException(failure, cause);
      case FAILED_PRECONDITION -> new FailedPreconditionException(failure, cause);
      case RESOURCE_EXHAUSTED -> new ResourceExhaustedException(failure, cause);
      case ABORTED -> new AbortedException(failure, cause);
      case UNAVAILABLE, CANCELLED -> new UnavailableException(failure, cause);
      case DEADLINE_EXCEEDED -> new DeadlineExceededException(failure, cause);
      case INTERNAL, UNKNOWN, DATA_LOSS -> new InternalErrorException(failure, cause);
      default -> new TwofoldException(failure, cause);
    };
  }

  private static String message(Status status) {
    String text = status.getDescription() == null ? "" : status.getDescription();
    Throwable root = status.getCause();
    if (status.getCode() != Status.Code.UNAVAILABLE || root == null) {
      return text;
    }
    // Why there is no connection, which grpc itself sums up as an `io exception`.
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null ? text : text + " (" + root.getMessage() + ")";
  }

  private static StatusRuntimeException withoutText(
      StatusRuntimeException error, Metadata trailers) {
    StatusRuntimeException bare =
        new StatusRuntimeException(Status.fromCode(error.getStatus().getCode()), trailers);
    bare.setStackTrace(error.getStackTrace());
    return bare;
  }

  private static Duration delay(RetryInfo retry) {
    Duration asked =
        Duration.ofSeconds(retry.getRetryDelay().getSeconds(), retry.getRetryDelay().getNanos());
    return asked.isNegative() ? Duration.ZERO : asked;
  }

  private static List<Any> details(byte[] raw) {
    if (raw == null) {
      return List.of();
    }
    try {
      return com.google.rpc.Status.parseFrom(raw, ExtensionRegistryLite.getEmptyRegistry())
          .getDetailsList();
    } catch (InvalidProtocolBufferException e) {
      return List.of();
    }
  }

  private static <T extends Message> Stream<T> unpack(List<Any> details, Class<T> kind) {
    List<T> found = new ArrayList<>();
    for (Any detail : details) {
      try {
        if (detail.is(kind)) {
          found.add(detail.unpack(kind));
        }
      } catch (InvalidProtocolBufferException e) {
        continue;
      }
    }
    return found.stream();
  }
}
