// Package fake stands in for the Twofold service in tests and measurements: it signs tokens and tells what is revoked.
package fake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"

	twofoldv1 "twofold.example/go/v1"
)

// What the tokens of a Minter say, unless told otherwise.
const (
	Realm    = "default"
	Audience = "billing"
	Issuer   = "https://auth.example.com/default"
	Account  = "019cbf00-0000-7000-8000-0000000000a0"
	Session  = "019cbf00-0000-7000-8000-0000000000a1"
)

const coordinateBytes = 32

// Minter signs access tokens as the service does.
type Minter struct {
	// KeyID is the kid of its tokens.
	KeyID string
	// Key is what it signs with.
	Key *ecdsa.PrivateKey
}

// NewMinter makes one with a new key.
func NewMinter(keyID string) *Minter {
	return &Minter{keyID, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
}

// SigningKey is its public key, as GetSigningKeys gives it.
func (m *Minter) SigningKey() *twofoldv1.SigningKey {
	point := must(m.Key.PublicKey.Bytes())
	return &twofoldv1.SigningKey{KeyId: m.KeyID, X: point[1 : 1+coordinateBytes], Y: point[1+coordinateBytes:]}
}

// Keys is the answer of GetSigningKeys with the keys of these minters.
func Keys(minters ...*Minter) *twofoldv1.GetSigningKeysResponse {
	answer := &twofoldv1.GetSigningKeysResponse{Issuer: Issuer, Audiences: []string{Audience}}
	for _, minter := range minters {
		answer.Keys = append(answer.Keys, minter.SigningKey())
	}
	return answer
}

// Token gives a token that is good for five minutes, with some claims changed.
func (m *Minter) Token(changed map[string]any) string {
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": Issuer, "sub": Account, "aud": Audience, "client_id": "web",
		"jti": "019cbf00-0000-7000-8000-00000000000b", "sid": Session, "epoch": 1,
		"amr": []string{"pwd", "otp", "mfa"}, "aal": 2, "iat": now, "exp": now + 300, "auth_time": now,
		"second_factor_time": now,
	}
	maps.Copy(claims, changed)
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+m.KeyID+`"}`)) + "." + encode(must(json.Marshal(claims)))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, m.Key, digest[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 2*coordinateBytes)
	r.FillBytes(signature[:coordinateBytes])
	s.FillBytes(signature[coordinateBytes:])
	return text + "." + encode(signature)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
