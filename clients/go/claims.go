package twofold

import (
	"time"

	"twofold.example/go/internal/strictjson"
)

const (
	maxLeeway  = 30 * time.Second
	maxMethods = 16
	maxEpoch   = 1<<31 - 1
	// 9999-12-31T23:59:59Z, the end of RFC 3339's calendar.
	maxSeconds = 253_402_300_799
)

// isUUID takes one spelling only: capitals, braces or urn:uuid: would give one account many names.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// expected is what a token must say.
type expected struct {
	realmID, issuer, audience string
	leeway                    time.Duration
}

// readClaims gives what a payload says (RFC 9068 and OpenID Connect Core), judged but for revocation.
//
// It fails with errExpired where that alone is against it, else with a badToken.
func readClaims(payload []byte, expect *expected, now time.Time) (VerifiedSession, error) {
	claims, err := strictjson.Object(payload)
	if err != nil {
		return VerifiedSession{}, badToken("payload malformed")
	}
	if issuer, _ := claims["iss"].(string); issuer != expect.issuer {
		return VerifiedSession{}, badToken("wrong issuer")
	}
	if audience, _ := claims["aud"].(string); audience != expect.audience {
		return VerifiedSession{}, badToken("wrong audience")
	}
	read := claimsReader{claims: claims}
	session := VerifiedSession{
		AccountID: read.uuid("sub"),
		SessionID: read.uuid("sid"),
		RealmID:   expect.realmID,
		ClientID:  read.text("client_id"),
		Audience:  expect.audience,
		AAL:       int(read.whole("aal", 1, 2)),
		AuthTime:  read.time("auth_time"),
		Epoch:     int(read.whole("epoch", 0, maxEpoch)),
		amr:       read.methods(),
	}
	read.uuid("jti")
	issued := read.time("iat")
	session.ExpireTime = read.time("exp")
	if _, has := claims["second_factor_time"]; has {
		session.SecondFactorTime = read.time("second_factor_time")
	}
	var notBefore time.Time
	if _, has := claims["nbf"]; has {
		notBefore = read.time("nbf")
	}
	switch {
	case read.bad != nil:
		return VerifiedSession{}, read.bad
	// No token gains by an early iat, and the clocks of machines differ: as much as may be is forgiven always.
	case issued.After(now.Add(maxLeeway)):
		return VerifiedSession{}, badToken("issued in the future")
	case notBefore.After(now.Add(expect.leeway)):
		return VerifiedSession{}, badToken("not valid yet")
	case !session.ExpireTime.Add(expect.leeway).After(now):
		return VerifiedSession{}, errExpiredToken
	}
	return session, nil
}

// claimsReader reads claims one by one, and keeps the first that is bad.
type claimsReader struct {
	claims map[string]any
	bad    error
}

func (r *claimsReader) fail(why string) {
	if r.bad == nil {
		r.bad = badToken(why)
	}
}

func (r *claimsReader) text(name string) string {
	text, _ := r.claims[name].(string)
	if text == "" {
		r.fail("an identifier malformed")
	}
	return text
}

func (r *claimsReader) uuid(name string) string {
	text := r.text(name)
	if !isUUID(text) {
		r.fail("an identifier malformed")
	}
	return text
}

func (r *claimsReader) whole(name string, least, most int64) int64 {
	written, _ := r.claims[name].(strictjson.Integer)
	value, fits := written.Int64()
	if !fits || value < least || value > most {
		r.fail("a number malformed")
	}
	return value
}

func (r *claimsReader) time(name string) time.Time {
	return time.Unix(r.whole(name, 0, maxSeconds), 0).UTC()
}

func (r *claimsReader) methods() []string {
	list, isList := r.claims["amr"].([]any)
	if !isList || len(list) > maxMethods {
		r.fail("amr malformed")
		return nil
	}
	methods := make([]string, len(list))
	for i, one := range list {
		text, isText := one.(string)
		if !isText {
			r.fail("amr malformed")
		}
		methods[i] = text
	}
	return methods
}
