/** Something that happens again and again, to be awaited. */
export class News {
  #resolve: () => void = () => undefined;
  #next = this.#renewed();

  /** Resolves when it is told next. */
  get next(): Promise<void> {
    return this.#next;
  }

  /** Wake all who wait. */
  tell(): void {
    const resolve = this.#resolve;
    this.#next = this.#renewed();
    resolve();
  }

  #renewed(): Promise<void> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}
