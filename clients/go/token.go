package twofold

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"twofold.example/go/internal/strictjson"
)

const (
	maxTokenBytes   = 4096
	maxHeaderBytes  = 256
	coordinateBytes = 32
	signatureBytes  = 2 * coordinateBytes
)

// badToken is why a token is not to be trusted; the text is fixed and quotes nothing of it.
type badToken string

func (b badToken) Error() string { return string(b) }

// unknownKey is the kid of a token whose key is not in the set that is held.
type unknownKey string

func (unknownKey) Error() string { return "unknown key" }

// errExpiredToken: good in everything, and too old.
var errExpiredToken = errors.New("expired")

// signingKey is a key that tokens may be signed with, and until when; zero: no end is set.
type signingKey struct {
	kid     string
	public  *ecdsa.PublicKey
	retires time.Time
}

// newPublicKey makes a key of its coordinates, 32 bytes each, big-endian, if they are a point on P-256.
func newPublicKey(x, y []byte) (*ecdsa.PublicKey, error) {
	if len(x) != coordinateBytes || len(y) != coordinateBytes {
		return nil, errors.New("a coordinate on P-256 has 32 bytes")
	}
	point := append(append([]byte{4}, x...), y...)
	// Checks that the point is on the curve: one that is not would forge.
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("a signing key is no point on P-256: %w", err)
	}
	return key, nil
}

// readToken gives what a token says that one of the keys signed, until when it is good, and the key's id.
//
// One spelling is taken and no other: a header of exactly alg, typ and kid, canonical base64url, JSON without duplicate
// names. So no header can name a key or a rule of its own (jku, jwk, x5u, x5c, crit), and what is good here is good
// everywhere. Nothing of the payload is read before the signature is good (RFC 8725). It fails with unknownKey,
// errExpiredToken where expiry alone is against the token, else a badToken.
func readToken(
	token string, keys map[string]*signingKey, expect *expected, now time.Time,
) (VerifiedSession, time.Time, string, error) {
	fail := func(err error) (VerifiedSession, time.Time, string, error) {
		return VerifiedSession{}, time.Time{}, "", err
	}
	if strings.Count(token, ".") != 2 {
		return fail(badToken("not three segments"))
	}
	header, rest, _ := strings.Cut(token, ".")
	payloadSegment, signatureSegment, _ := strings.Cut(rest, ".")
	kid, err := readHeader(header)
	if err != nil {
		return fail(err)
	}
	key, known := keys[kid]
	if !known {
		return fail(unknownKey(kid))
	}
	signature, good := decodeBase64(signatureSegment)
	if !good || len(signature) != signatureBytes {
		return fail(badToken("signature malformed"))
	}
	payload, good := decodeBase64(payloadSegment)
	if !good {
		return fail(badToken("payload malformed"))
	}
	digest := sha256.Sum256([]byte(token[:len(header)+1+len(payloadSegment)]))
	r := new(big.Int).SetBytes(signature[:coordinateBytes])
	s := new(big.Int).SetBytes(signature[coordinateBytes:])
	if !ecdsa.Verify(key.public, digest[:], r, s) {
		return fail(badToken("signature wrong"))
	}
	session, err := readClaims(payload, expect, now)
	if err != nil {
		return fail(err)
	}
	until := session.ExpireTime.Add(expect.leeway)
	if !key.retires.IsZero() {
		if !key.retires.After(now) {
			return fail(badToken("key retired"))
		}
		if key.retires.Before(until) {
			until = key.retires
		}
	}
	return session, until, key.kid, nil
}

func readHeader(segment string) (kid string, err error) {
	if len(segment) > maxHeaderBytes {
		return "", badToken("header malformed")
	}
	raw, good := decodeBase64(segment)
	if !good {
		return "", badToken("header malformed")
	}
	header, err := strictjson.Object(raw)
	if err != nil {
		return "", badToken("header malformed")
	}
	if header["alg"] != "ES256" {
		return "", badToken("wrong algorithm")
	}
	if header["typ"] != "at+jwt" {
		return "", badToken("wrong type")
	}
	kid, isText := header["kid"].(string)
	if len(header) != 3 || !isText {
		return "", badToken("header not exactly alg, typ and kid")
	}
	return kid, nil
}

// Strict: the bits of the last character that belong to no byte are zero, or there would be several spellings.
var base64url = base64.RawURLEncoding.Strict()

func decodeBase64(segment string) ([]byte, bool) {
	// The decoder skips line breaks, which would give a token other spellings.
	if segment == "" || strings.ContainsAny(segment, "\r\n") {
		return nil, false
	}
	decoded, err := base64url.DecodeString(segment)
	return decoded, err == nil
}
