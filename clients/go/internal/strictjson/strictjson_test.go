package strictjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// JSON is read as it is written, whatever its spelling.
func TestWhatIsRead(t *testing.T) {
	got, err := Object([]byte(" { \"a\\u0062\\ud83e\\udd8a\\n\\/\" : [ 1 , -0, 1.50, 2e3, \"ž\", true, false, null, {}, [] ]\t,\r\n\"b\":{\"c\":\"\"} } "))
	want := map[string]any{
		"ab🦊\n/": []any{Integer("1"), Integer("-0"), Fraction("1.50"), Fraction("2e3"), "ž", true, false, nil, map[string]any{}, []any{}},
		"b":      map[string]any{"c": ""},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v", got, err)
	}
}

// What readers disagree about is refused.
func TestWhatIsRefused(t *testing.T) {
	for _, text := range []string{
		``, ` `, `[]`, `1`, `"a"`, `null`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{'a':1}`, `{a:1}`,
		`{"a":1}x`, `{"a":1}{}`, "{\"a\":1}\x00", "\ufeff{}", "{\"a\xff\":1}", `{"a":1,"a":1}`, `{"a":1,"\u0061":2}`,
		`{"b":{"a":1,"a":2}}`, `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, `{"a":-}`, `{"a":NaN}`,
		`{"a":Infinity}`, `{"a":0x1}`, `{"a":tru}`, `{"a":True}`, "{\"a\":\"\n\"}", `{"a":"\x"}`, `{"a":"\u12"}`,
		`{"a":"\u12g4"}`, `{"a":"\ud800"}`, `{"a":"\udc00"}`, `{"a":"\ud800\ud800"}`, `{"a":"\ud800x"}`, `{"a":"`, `{"a":"\`,
		`{"a":[1,]}`, `{"a":[1 2]}`, `{"a":[`, `{"a":1//
		}`, "{\u00a0}", "{\v}",
		`{"a":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + `}`, strings.Repeat(`{"a":`, 100_000),
	} {
		if got, err := Object([]byte(text)); err == nil {
			t.Errorf("%.80q is read as %v", text, got)
		}
	}
	deep := `{"a":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + `}`
	if _, err := Object([]byte(deep)); err != nil {
		t.Error(err)
	}
}

// Numbers that fit no int64 are told apart from those that do.
func TestInt64(t *testing.T) {
	for text, fits := range map[string]bool{"9223372036854775807": true, "9223372036854775808": false, "-1": true, "": false} {
		if _, got := Integer(text).Int64(); got != fits {
			t.Error(text, got)
		}
	}
}

// What this reader takes, the standard library takes for the same.
func FuzzObject(f *testing.F) {
	f.Add(`{"a":[1,2.5e-3,"\ud83e\udd8a"],"b":{"c":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Object([]byte(text))
		if err != nil {
			return
		}
		var other map[string]any
		if err := json.Unmarshal([]byte(text), &other); err != nil {
			// Fractions beyond a float64 are no matter of syntax.
			if !strings.Contains(err.Error(), "number") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if len(got) != len(other) {
			t.Fatalf("%q: %v, not %v", text, got, other)
		}
	})
}
