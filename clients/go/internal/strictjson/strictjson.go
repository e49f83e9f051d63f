// Package strictjson reads JSON (RFC 8259) as a verifier must: one text, one meaning.
//
// It refuses what readers disagree about: a name that stands twice, text that is not UTF-8, a byte order mark, half of
// a surrogate pair, anything after the value, NaN, and nesting deeper than MaxDepth.
package strictjson

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how many values may stand within each other, the innermost among them. The other clients have the same.
const MaxDepth = 32

// Integer is a number written without fraction and exponent.
type Integer string

// Int64 gives the value; false where it has no place in an int64.
func (i Integer) Int64() (int64, bool) {
	value, err := strconv.ParseInt(string(i), 10, 64)
	return value, err == nil
}

// Fraction is a number written with a fraction or an exponent.
type Fraction string

// ErrMalformed is the one error; it quotes nothing of the text.
var ErrMalformed = errors.New("not one strict JSON value")

// Object reads a text that is one object. Its values are map[string]any, []any, string, Integer, Fraction, bool, nil.
func Object(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, ErrMalformed
	}
	read := reader{text: text}
	read.space()
	value, good := read.value(0)
	read.space()
	object, isObject := value.(map[string]any)
	if !good || !isObject || read.at != len(text) {
		return nil, ErrMalformed
	}
	return object, nil
}

type reader struct {
	text []byte
	at   int
}

// next gives the byte that comes next; 0 at the end, which no JSON token begins with.
func (r *reader) next() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) take(what byte) bool {
	if r.at < len(r.text) && r.text[r.at] == what {
		r.at++
		return true
	}
	return false
}

func (r *reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

func (r *reader) value(depth int) (any, bool) {
	if depth >= MaxDepth {
		return nil, false
	}
	switch next := r.next(); {
	case next == '{':
		return r.object(depth + 1)
	case next == '[':
		return r.array(depth + 1)
	case next == '"':
		return r.string()
	case next == '-' || isDigit(next):
		return r.number()
	}
	for _, one := range literals {
		if len(r.text)-r.at >= len(one.text) && string(r.text[r.at:r.at+len(one.text)]) == one.text {
			r.at += len(one.text)
			return one.value, true
		}
	}
	return nil, false
}

var literals = []struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

func (r *reader) object(depth int) (any, bool) {
	found := map[string]any{}
	if !r.take('{') {
		return nil, false
	}
	r.space()
	if r.take('}') {
		return found, true
	}
	for {
		r.space()
		if r.next() != '"' {
			return nil, false
		}
		name, good := r.string()
		if !good {
			return nil, false
		}
		if _, twice := found[name]; twice {
			return nil, false
		}
		r.space()
		if !r.take(':') {
			return nil, false
		}
		r.space()
		value, good := r.value(depth)
		if !good {
			return nil, false
		}
		found[name] = value
		r.space()
		if r.take('}') {
			return found, true
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

func (r *reader) array(depth int) (any, bool) {
	found := []any{}
	if !r.take('[') {
		return nil, false
	}
	r.space()
	if r.take(']') {
		return found, true
	}
	for {
		r.space()
		value, good := r.value(depth)
		if !good {
			return nil, false
		}
		found = append(found, value)
		r.space()
		if r.take(']') {
			return found, true
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

func (r *reader) number() (any, bool) {
	start, whole := r.at, true
	r.take('-')
	if !r.take('0') && !r.digits() {
		return nil, false
	}
	if r.take('.') {
		whole = false
		if !r.digits() {
			return nil, false
		}
	}
	if r.take('e') || r.take('E') {
		whole = false
		if !r.take('+') {
			r.take('-')
		}
		if !r.digits() {
			return nil, false
		}
	}
	text := string(r.text[start:r.at])
	if whole {
		return Integer(text), true
	}
	return Fraction(text), true
}

func (r *reader) digits() bool {
	start := r.at
	for isDigit(r.next()) {
		r.at++
	}
	return r.at > start
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (r *reader) string() (string, bool) {
	r.at++
	start := r.at
	var built []byte
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			tail := r.text[start:r.at]
			r.at++
			if built == nil {
				return string(tail), true
			}
			return string(append(built, tail...)), true
		case c < 0x20:
			return "", false
		case c == '\\':
			built = append(built, r.text[start:r.at]...)
			r.at++
			var good bool
			if built, good = r.escape(built); !good {
				return "", false
			}
			start = r.at
		default:
			r.at++
		}
	}
	return "", false
}

var escapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (r *reader) escape(built []byte) ([]byte, bool) {
	c := r.next()
	r.at++
	if plain, known := escapes[c]; known {
		// Never nil: that says that there was no escape.
		return append(built, plain), true
	}
	if c != 'u' {
		return nil, false
	}
	char, good := r.hex()
	if good && utf16.IsSurrogate(char) {
		if !r.take('\\') || !r.take('u') {
			return nil, false
		}
		var second rune
		second, good = r.hex()
		// U+FFFD for what is no pair, which no pair stands for.
		char = utf16.DecodeRune(char, second)
		good = good && char != utf8.RuneError
	}
	return utf8.AppendRune(built, char), good
}

func (r *reader) hex() (rune, bool) {
	if len(r.text)-r.at < 4 {
		return 0, false
	}
	var char rune
	for _, c := range r.text[r.at : r.at+4] {
		char <<= 4
		switch {
		case isDigit(c):
			char |= rune(c - '0')
		case 'a' <= c && c <= 'f':
			char |= rune(c-'a') + 10
		case 'A' <= c && c <= 'F':
			char |= rune(c-'A') + 10
		default:
			return 0, false
		}
	}
	r.at += 4
	return char, true
}
