package twofold;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Has a channel that lost its connection try again after 0.1 s doubling to 2 s.
 *
 * <p>While grpc waits to reconnect every call fails at once. Left to itself it waits up to 2 min,
 * long after calls have used up their repeats.
 */
final class Reconnector implements AutoCloseable {
  private static final long FIRST_MILLIS = 100;
  private static final long LONGEST_MILLIS = 2_000;

  private final ManagedChannel channel;
  private final ScheduledThreadPoolExecutor timer;
  private int failed;

  private Reconnector(ManagedChannel channel) {
    this.channel = channel;
    this.timer =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "twofold-reconnect");
              thread.setDaemon(true);
              return thread;
            });
    timer.setKeepAliveTime(10, TimeUnit.SECONDS);
    timer.allowCoreThreadTimeOut(true);
  }

  static Reconnector of(ManagedChannel channel) {
    Reconnector reconnector = new Reconnector(channel);
    reconnector.watch();
    return reconnector;
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }

  private void watch() {
    ConnectivityState state = channel.getState(false);
    if (state == ConnectivityState.TRANSIENT_FAILURE) {
      long longest = Math.min(FIRST_MILLIS << Math.min(failed++, 10), LONGEST_MILLIS);
      later((long) (longest * Attempts.random(0.5, 1.0)));
    } else if (state != ConnectivityState.SHUTDOWN) {
      if (state == ConnectivityState.READY) {
        failed = 0;
      }
      channel.notifyWhenStateChanged(state, this::watch);
    }
  }

  private void later(long millis) {
    try {
      timer.schedule(this::again, millis, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException closed) {
      return;
    }
  }

  private void again() {
    if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
      channel.resetConnectBackoff();
    }
    watch();
  }
}
