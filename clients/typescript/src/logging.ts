/** Where a client says what goes wrong on its way. */

/** What takes the lines; `console` is one, as are pino's and winston's loggers. No line has a token or an address in it. */
export interface Logger {
  debug(line: string): void;
  info(line: string): void;
  warn(line: string): void;
}

/** Warnings go to standard error, all else nowhere. */
export const defaultLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (line) => {
    console.warn(line);
  },
};
