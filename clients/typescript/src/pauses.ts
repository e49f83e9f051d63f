/** Waiting that ends early when it should. */

import { setTimeout as sleep } from "node:timers/promises";

/** The longest delay that a timer of Node.js keeps. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Wait; a signal ends it by throwing an AbortError. With `ref: false` the process may exit meanwhile. */
export async function pause(ms: number, signal: AbortSignal, ref = true): Promise<void> {
  await sleep(Math.min(ms, MAX_TIMER_MS), undefined, { signal, ref });
}

/** Give what a promise gives, or `late()` thrown after so long, or the signal's reason once it is aborted. */
export async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal, late: () => Error): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
    };
    const aborted = () => {
      end();
      reject(signal.reason as Error);
    };
    const timer = setTimeout(
      () => {
        end();
        reject(late());
      },
      Math.min(ms, MAX_TIMER_MS),
    );
    if (signal.aborted) {
      aborted();
    } else {
      signal.addEventListener("abort", aborted, { once: true });
    }
    promise.finally(end).then(resolve, reject);
  });
}

/** Give a duration back. Throws TypeError if it is not finite or not positive. */
export function requireMs(name: string, value: number): number {
  if (!(Number.isFinite(value) && value > 0)) {
    throw new TypeError(`${name} must be a positive number of milliseconds, not ${value}`);
  }
  return value;
}
