/** JSON without leniency, and the cache of verified tokens. */

import assert from "node:assert/strict";
import { suite, test } from "node:test";

import { Cache } from "../dist/cache.js";
import { PublicKey } from "../dist/p256.js";
import { readJson } from "../dist/strict-json.js";
import type { Json } from "../dist/strict-json.js";

function plain(value: Json): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, item]) => [name, plain(item)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

await suite("strict JSON", async () => {
  await test("reads what JSON.parse reads", () => {
    for (const text of [
      "{}",
      "[]",
      ' { "a" : [ 1 , -2 , 0 ] , "b" : { "c" : null } } ',
      '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é😀"',
      "true",
      "[false,null]",
      '{"__proto__":{"x":1},"constructor":2}',
      "253402300799",
    ]) {
      assert.deepEqual(plain(readJson(Buffer.from(text))), JSON.parse(text), text);
    }
  });

  await test("refuses a name that stands twice, however it is spelled", () => {
    for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"a":2}}]']) {
      assert.throws(() => readJson(Buffer.from(text)), SyntaxError, text);
    }
  });

  await test("gives no number for one that is not spelled as a whole one", () => {
    for (const text of ["1.0", "1e3", "1E+3", "-0.5"]) {
      assert(Number.isNaN(readJson(Buffer.from(text))), text);
    }
  });

  await test("refuses what is no JSON", () => {
    for (const text of [
      "",
      " ",
      "{",
      "[1,]",
      '{"a":1,}',
      '{"a"}',
      "{a:1}",
      "{} {}",
      "01",
      "+1",
      ".5",
      "1.",
      "NaN",
      "Infinity",
      "nul",
      "'a'",
      '"a',
      '"\n"',
      '"\\x"',
      '"\\u12"',
      '"\\u 123"',
      "\ufeff{}",
      "/**/{}",
      "\u00a01",
      "[".repeat(10_000),
      `${"[".repeat(33)}${"]".repeat(33)}`,
    ]) {
      assert.throws(() => readJson(Buffer.from(text)), SyntaxError, JSON.stringify(text));
    }
    assert.throws(() => readJson(new Uint8Array([0x22, 0xff, 0x22])), SyntaxError);
  });
});

await test("the cache holds the newest, lets go of the oldest, and never outgrows its size", () => {
  const cache = new Cache<number>(10);
  for (let i = 0; i < 1000; i++) {
    cache.put(`k${i}`, i);
    assert.equal(cache.get("k0"), 0, "what is asked for stays");
  }
  assert.equal(cache.get("k0"), 0);
  assert.equal(cache.get("k999"), 999);
  const held = Array.from({ length: 1000 }, (_, i) => cache.get(`k${i}`)).filter((value) => value !== undefined);
  assert(held.length <= 10 && held.length >= 5, `${held.length} are held`);
});

await test("a point that is not on the curve is no key", () => {
  const x = Buffer.alloc(32, 1);
  assert.throws(() => new PublicKey(x, x), TypeError);
  assert.throws(() => new PublicKey(Buffer.alloc(31), x), TypeError);
});
