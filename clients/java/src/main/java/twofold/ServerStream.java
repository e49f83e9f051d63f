package twofold;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The answers of a streaming method, one after another: {@code for (var answer : stream)} in a
 * try-with-resources block.
 *
 * <p>It has no deadline unless its call was given a timeout, and is never opened again by itself.
 * {@code hasNext} and {@code next} block, and throw a {@link TwofoldException} where the stream
 * breaks. One thread reads; any may {@link #close()} it.
 *
 * @param <T> the type of the answers
 */
public final class ServerStream<T> implements Iterator<T>, Iterable<T>, AutoCloseable {
  private final ClientCall<?, T> call;
  private final Calls calls;
  // Answers as they are, or the status at the end. One answer is asked for at a time.
  private final BlockingQueue<Object> arrived = new LinkedBlockingQueue<>();
  private Object next;

  private record End(Status status, Metadata trailers) {}

  private ServerStream(ClientCall<?, T> call, Calls calls) {
    this.call = call;
    this.calls = calls;
  }

  static <Q, R> ServerStream<R> open(ClientCall<Q, R> call, Q request, Calls calls) {
    ServerStream<R> stream = new ServerStream<>(call, calls);
    call.start(stream.new Listener(), new Metadata());
    call.request(1);
    call.sendMessage(request);
    call.halfClose();
    return stream;
  }

  @Override
  public boolean hasNext() {
    return await(Long.MAX_VALUE);
  }

  /**
   * Whether an answer came within a time, or the stream has not ended; false once it has ended.
   *
   * <p>Throws {@link SilentException} if nothing came.
   */
  boolean hasNextWithin(Duration time) throws SilentException {
    if (!await(time.toNanos())) {
      if (next == null) {
        throw new SilentException();
      }
      return false;
    }
    return true;
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the stream has ended");
    }
    @SuppressWarnings("unchecked")
    T answer = (T) next;
    next = null;
    call.request(1);
    return answer;
  }

  /** Itself: a stream can be read once. */
  @Override
  public Iterator<T> iterator() {
    return this;
  }

  /** Ends the stream. */
  @Override
  public void close() {
    call.cancel("closed", null);
  }

  private boolean await(long nanos) {
    try {
      if (next == null) {
        next = nanos == Long.MAX_VALUE ? arrived.take() : arrived.poll(nanos, TimeUnit.NANOSECONDS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      close();
      throw Failures.of(
          Failure.of(Status.Code.CANCELLED, "", "The thread that reads was interrupted."), e);
    }
    if (!(next instanceof End end)) {
      return next != null;
    }
    if (end.status.isOk()) {
      return false;
    }
    StatusRuntimeException cause = end.status.asRuntimeException(end.trailers);
    throw calls.isClosed() ? Failures.closed(cause) : Failures.of(cause);
  }

  /** Nothing came in time. */
  static final class SilentException extends Exception {
    private static final long serialVersionUID = 1L;
  }

  private final class Listener extends ClientCall.Listener<T> {
    @Override
    public void onMessage(T message) {
      arrived.add(message);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      arrived.add(new End(status, trailers));
    }
  }
}
