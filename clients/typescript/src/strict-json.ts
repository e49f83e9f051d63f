/**
 * JSON (RFC 8259) read without leniency: a name that stands twice is an error, as readers differ in which one counts.
 *
 * `JSON.parse` takes the last one, and gives 1 for 1.0, so its word is not taken.
 */

/** What was read: an object is a Map, and a number that is not spelled as a whole one is NaN. */
export type Json = null | boolean | number | string | Json[] | Map<string, Json>;

const MAX_DEPTH = 32;
const SPACE = /[ \t\n\r]*/y;
// eslint-disable-next-line no-control-regex -- a string of JSON has none
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WHOLE = /^-?[0-9]+$/;
// Half of a pair, which is text for some languages and none for others.
const HALF_OF_A_PAIR = /\p{Surrogate}/u;
const HEX = /^[0-9A-Fa-f]{4}$/;
const WORDS: readonly (readonly [string, Json])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Read one value and nothing after it, from UTF-8 without a byte order mark. Throws SyntaxError. */
export function readJson(raw: Uint8Array): Json {
  let text: string;
  try {
    text = utf8.decode(raw);
  } catch {
    throw new SyntaxError("not UTF-8");
  }
  return new Reader(text).document();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value(MAX_DEPTH);
    if (this.#at !== this.#text.length) {
      throw new SyntaxError("text after the value");
    }
    return value;
  }

  /** A value with the white space around it. */
  #value(depth: number): Json {
    this.#match(SPACE);
    const value = this.#bare(depth);
    this.#match(SPACE);
    return value;
  }

  #bare(depth: number): Json {
    if (depth === 0) {
      throw new SyntaxError("nested too deep");
    }
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth - 1);
      case "[":
        return this.#array(depth - 1);
      case '"':
        return this.#string();
    }
    const word = WORDS.find(([spelling]) => this.#text.startsWith(spelling, this.#at));
    if (word) {
      this.#at += word[0].length;
      return word[1];
    }
    const number = this.#match(NUMBER);
    if (number === "") {
      throw new SyntaxError("not a value");
    }
    // Of -0, which other languages do not have in whole numbers, adding makes 0.
    return WHOLE.test(number) ? Number(number) + 0 : Number.NaN;
  }

  #object(depth: number): Map<string, Json> {
    const found = new Map<string, Json>();
    this.#at += 1;
    this.#match(SPACE);
    if (this.#took("}")) {
      return found;
    }
    do {
      this.#match(SPACE);
      const name = this.#string();
      if (found.has(name)) {
        throw new SyntaxError("a name stands twice");
      }
      this.#match(SPACE);
      this.#take(":");
      found.set(name, this.#value(depth));
    } while (this.#took(","));
    this.#take("}");
    return found;
  }

  #array(depth: number): Json[] {
    const found: Json[] = [];
    this.#at += 1;
    this.#match(SPACE);
    if (this.#took("]")) {
      return found;
    }
    do {
      found.push(this.#value(depth));
    } while (this.#took(","));
    this.#take("]");
    return found;
  }

  #string(): string {
    this.#take('"');
    let found = this.#match(PLAIN);
    while (!this.#took('"')) {
      this.#take("\\");
      found += this.#escaped() + this.#match(PLAIN);
    }
    if (HALF_OF_A_PAIR.test(found)) {
      throw new SyntaxError("half of a surrogate pair");
    }
    return found;
  }

  #escaped(): string {
    if (this.#took("u")) {
      const hex = this.#text.slice(this.#at, this.#at + 4);
      if (!HEX.test(hex)) {
        throw new SyntaxError("not an escape");
      }
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const escape = this.#text[this.#at] ?? "";
    const meant = Object.hasOwn(ESCAPES, escape) ? ESCAPES[escape] : undefined;
    if (meant === undefined) {
      throw new SyntaxError("not an escape");
    }
    this.#at += 1;
    return meant;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #took(character: string): boolean {
    if (this.#text[this.#at] !== character) {
      return false;
    }
    this.#at += 1;
    return true;
  }

  #take(character: string): void {
    if (!this.#took(character)) {
      throw new SyntaxError(`expected ${character}`);
    }
  }
}
