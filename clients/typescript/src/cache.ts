/**
 * Values by key, those of the last `size` or half as many: what was not asked for meanwhile is let go.
 *
 * Two halves instead of an order of use, which each look-up would have to write.
 */
export class Cache<T> {
  readonly #half: number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  constructor(size: number) {
    this.#half = Math.max(1, Math.floor(size / 2));
  }

  get(key: string): T | undefined {
    let value = this.#young.get(key);
    if (value === undefined) {
      value = this.#old.get(key);
      if (value !== undefined) {
        this.put(key, value);
      }
    }
    return value;
  }

  put(key: string, value: T): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
